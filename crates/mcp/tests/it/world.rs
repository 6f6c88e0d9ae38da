//! A toolbox, a server over it, and clients that speak line by line.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caplet::audit::{Record, Sink, SinkError};
use caplet::{Caplet, Catalog, Toolbox};
use caplet_mcp::{End, Server, Settings, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::guests;

/// Longer than anything takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// All guests, as tools of one toolbox.
const TOOLBOX: &str = r#"
[tools.add]
source = "./add.wat"
[tools.two]
source = "./two.wat"
[tools.spin]
source = "./spin.wat"
[tools.trap]
source = "./trap.wat"
[tools.sleep]
source = "./sleep.wat"
ceiling = "open"
[tools.file-read]
allow = ["read:docs/**"]
"#;

/// A folder with a toolbox, and a server of it.
pub(crate) struct World {
    folder: tempfile::TempDir,
    caplet: Caplet,
    catalogs: watch::Sender<Catalog>,
    records: Arc<Mutex<mpsc::UnboundedReceiver<Record>>>,
}

/// Hands records on as they are made.
#[derive(Debug)]
struct Told(mpsc::UnboundedSender<Record>);

impl Sink for Told {
    fn ready(&self) -> Result<(), SinkError> {
        Ok(())
    }

    fn append(&self, record: &Record) -> Result<(), SinkError> {
        let _ = self.0.send(record.clone());
        Ok(())
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&[], "")
    }

    /// With more files, and more tools.
    pub(crate) fn with(files: &[(&str, &[u8])], tools: &str) -> Self {
        let (sender, records) = mpsc::unbounded_channel();
        let caplet = Caplet::builder().sink(Arc::new(Told(sender))).build().unwrap();
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            caplet,
            catalogs: watch::channel(Catalog::default()).0,
            records: Arc::new(Mutex::new(records)),
        };
        let guests = [
            ("add.wat", guests::ADD),
            ("two.wat", guests::TWO),
            ("spin.wat", guests::SPIN),
            ("trap.wat", guests::TRAP),
            ("sleep.wat", guests::SLEEP),
            ("docs/a.txt", "hello\n"),
        ];
        let guests = guests.iter().map(|(name, text)| (*name, text.as_bytes()));
        guests.chain(files.iter().copied()).for_each(|(name, bytes)| world.write(name, bytes));
        world.offer(&format!("{TOOLBOX}{tools}"));
        world
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Offers what `toolbox` says from now on.
    pub(crate) fn offer(&self, toolbox: &str) {
        let folder = self.folder.path().canonicalize().unwrap();
        let toolbox = Toolbox::parse(toolbox, folder.join("caplet.toml")).unwrap();
        let catalog = Catalog::new(&self.caplet, &toolbox, &folder);
        assert_eq!(catalog.hidden(), &[]);
        self.catalogs.send_replace(catalog);
    }

    pub(crate) fn server(&self, settings: Settings) -> Server {
        Server::new(self.catalogs.subscribe(), settings)
    }

    /// A client that has not said anything.
    pub(crate) fn connect(&self) -> Client {
        self.connect_with(Settings::default(), 1 << 16)
    }

    /// A client whose pipes hold `pipe` bytes.
    pub(crate) fn connect_with(&self, settings: Settings, pipe: usize) -> Client {
        Self::connect_to(self.server(settings), pipe)
    }

    /// A client of `server`, ready to call.
    pub(crate) async fn client_of(&self, server: &Server) -> Client {
        let mut client = Self::connect_to(server.clone(), 1 << 16);
        client.initialize("2025-11-25").await;
        client
    }

    fn connect_to(server: Server, pipe: usize) -> Client {
        let (near, far) = tokio::io::duplex(pipe);
        let (listens, gone) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let (read, write) = tokio::io::split(far);
            serve(&server, read, write, async {
                let _ = gone.await;
            })
            .await
        });
        let (read, input) = tokio::io::split(near);
        Client { input: Some(input), output: BufReader::new(read).lines(), listens: Some(listens), serving, asked: 0 }
    }

    /// A client that is ready to call.
    pub(crate) async fn client(&self) -> Client {
        self.client_with(Settings::default()).await
    }

    pub(crate) async fn client_with(&self, settings: Settings) -> Client {
        let mut client = self.connect_with(settings, 1 << 16);
        client.initialize("2025-11-25").await;
        client
    }

    /// The next record, once there is one.
    pub(crate) async fn record(&self) -> Record {
        let records = Arc::clone(&self.records);
        let next = std::future::poll_fn(move |context| records.lock().unwrap().poll_recv(context));
        tokio::time::timeout(PATIENCE, next).await.expect("no record").unwrap()
    }
}

/// A client that says what it is told to.
pub(crate) struct Client {
    input: Option<WriteHalf<DuplexStream>>,
    output: Lines<BufReader<ReadHalf<DuplexStream>>>,
    /// Dropped when it reads no more.
    listens: Option<oneshot::Sender<()>>,
    serving: JoinHandle<End>,
    asked: i64,
}

impl Client {
    pub(crate) async fn send_text(&mut self, text: &str) {
        let input = self.input.as_mut().unwrap();
        tokio::time::timeout(PATIENCE, input.write_all(text.as_bytes())).await.expect("it is not read").unwrap();
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_text(&format!("{message}\n")).await;
    }

    /// Says goodbye as a process does that ends.
    pub(crate) async fn close(&mut self) {
        self.input.take().unwrap().shutdown().await.unwrap();
    }

    /// Reads no more, as a process does not that is gone.
    pub(crate) fn go_deaf(&mut self) {
        self.listens = None;
    }

    /// The next thing that the server says.
    pub(crate) async fn next(&mut self) -> Value {
        self.line().await.expect("the server is gone")
    }

    pub(crate) async fn line(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await.expect("nothing is said").unwrap()?;
        let value: Value = serde_json::from_str(&line).expect("every line is JSON");
        let items = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        items.iter().for_each(|item| assert_eq!(item["jsonrpc"], "2.0", "{line}"));
        Some(value)
    }

    /// Sends a request; gives its id.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> i64 {
        self.asked += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params})).await;
        self.asked
    }

    pub(crate) async fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// The answer to the request `id`, and what was said before it.
    pub(crate) async fn answer(&mut self, id: i64) -> (Value, Vec<Value>) {
        let mut before = Vec::new();
        loop {
            let said = self.next().await;
            if said["id"] == json!(id) {
                return (said, before);
            }
            before.push(said);
        }
    }

    /// Asks and gives the result; nothing may go wrong.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params).await;
        let (answer, _) = self.answer(id).await;
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// Asks and gives the error.
    pub(crate) async fn ask_in_vain(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params).await;
        let (answer, _) = self.answer(id).await;
        assert!(answer["result"].is_null(), "{answer}");
        answer["error"].clone()
    }

    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Begins a call, and returns when it runs.
    pub(crate) async fn begin(&mut self, tool: &str) -> i64 {
        let token = format!("progress of {tool}");
        let meta = json!({"progressToken": token});
        let id = self.request("tools/call", json!({"name": tool, "arguments": {}, "_meta": meta})).await;
        let told = self.next().await;
        assert_eq!(told["method"], "notifications/progress", "{told}");
        assert_eq!(told["params"]["progressToken"], json!(token));
        id
    }

    pub(crate) async fn initialize(&mut self, version: &str) -> Value {
        let client = json!({"name": "test", "version": "0"});
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
        let result = self.ask("initialize", params).await;
        self.notify("notifications/initialized", json!({})).await;
        result
    }

    /// Waits for the server to end.
    pub(crate) async fn end(self) -> End {
        tokio::time::timeout(PATIENCE, self.serving).await.expect("the server does not end").unwrap()
    }
}

/// All text of a tool result.
pub(crate) fn text(result: &Value) -> String {
    let blocks = result["content"].as_array().unwrap();
    blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
}
