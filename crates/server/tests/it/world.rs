//! A server to test, and messages to send to it.

use std::net::SocketAddr;
use std::sync::Arc;

use caplet_server::{Authentication, Builder, Factory, Limits, Profiles, Server};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::handler::{Event, Handler};
use crate::wire::{Ask, PATIENCE, Reply, ask};

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: JoinHandle<()>,
    pub(crate) release: Arc<Notify>,
    events: mpsc::UnboundedReceiver<Event>,
}

impl World {
    /// A server on 127.0.0.1 that asks nobody who they are.
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::local();
        change(&mut limits);
        Self::with(|builder| builder.limits(limits)).await
    }

    pub(crate) async fn asking(authentication: Authentication) -> Self {
        Self::with(|builder| builder.authentication(authentication)).await
    }

    pub(crate) async fn with(change: impl FnOnce(Builder<Handler>) -> Builder<Handler>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let release = Arc::new(Notify::new());
        let builder = Server::builder(profiles(&sender, &release)).address("127.0.0.1:0".parse().unwrap());
        let server = change(builder).bind().await.unwrap();
        let (address, shutdown) = (server.address(), CancellationToken::new());
        let running = tokio::spawn(server.run(shutdown.clone().cancelled_owned()));
        Self { address, shutdown, running, release, events }
    }

    pub(crate) async fn ask(&self, request: &Ask) -> Reply {
        // On the heap: a test asks many times, and each would have its own place on the stack.
        Box::pin(ask(self.address, &request.clone().with("connection", "close"))).await
    }

    /// Sends `request` and leaves the connection open.
    pub(crate) async fn open(&self, request: &Ask) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&request.bytes(self.address)).await.unwrap();
        stream
    }

    /// What happens next inside of a call.
    pub(crate) async fn event(&mut self) -> Event {
        timeout(PATIENCE, self.events.recv()).await.expect("an event").unwrap()
    }

    /// A session, in the name of whom `decorate` makes requests be.
    pub(crate) async fn session_as(&self, decorate: impl Fn(Ask) -> Ask) -> String {
        let reply = Box::pin(self.ask(&decorate(initialize()))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let id = reply.header("mcp-session-id").unwrap().to_owned();
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let reply = self.ask(&decorate(Ask::post(initialized).with("mcp-session-id", &id))).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        id
    }

    pub(crate) async fn session(&self) -> String {
        self.session_as(|ask| ask).await
    }
}

pub(crate) fn profiles(events: &mpsc::UnboundedSender<Event>, release: &Arc<Notify>) -> Profiles<Handler> {
    let profile = |profile: &'static str| {
        let handler = Handler { profile, events: events.clone(), release: Arc::clone(release) };
        let factory: Factory<Handler> = Arc::new(move || handler.clone());
        (profile.to_owned(), factory)
    };
    ["default", "narrow"].map(profile).into()
}

pub(crate) fn initialize() -> Ask {
    Ask::post(json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } },
    }))
}

pub(crate) fn call(id: impl Into<Value>, tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": { "name": tool, "arguments": {} } })
}

/// A call in the session `session`.
pub(crate) fn call_in(session: &str, id: impl Into<Value>, tool: &str) -> Ask {
    Ask::post(call(id, tool)).with("mcp-session-id", session)
}

/// A call without a session.
pub(crate) fn stateless_call(tool: &str) -> Ask {
    stateless("tools/call", json!({ "name": tool, "arguments": {} })).with("mcp-name", tool)
}

/// A request of the revision of MCP that has no sessions.
pub(crate) fn stateless(method: &str, mut params: Value) -> Ask {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    Ask::post(json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
        .with("mcp-protocol-version", "2026-07-28")
        .with("mcp-method", method)
}
