//! HTTP/1.1 servers that answer with exactly the bytes they are told to, and keep exactly the bytes they got.
//!
//! In: a [`Site`], which makes a [`Script`] of each [`Request`]. Out: the requests. Nothing is parsed beyond what it takes to
//! find a request's end, nothing is normalised, and nothing is added to an answer.
//!
//! Ready-made answers are in [`pages`]; those that a client must withstand, with what it should make of them, in [`hostile`].

pub mod hostile;
pub mod pages;
mod request;
mod script;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use request::Request;
pub use script::Script;

use super::server::{self, Wire, lock};

/// How much of a request is read before it is answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reading {
    /// All of it.
    #[default]
    All,
    /// Up to the empty line: the upload is never read.
    Head,
    /// Not a byte.
    Nothing,
}

/// What answers requests: any function from one to a script.
pub trait Site: Send + Sync + 'static {
    /// What is answered.
    fn answer(&self, request: &Request) -> Script;
}

impl<F: Fn(&Request) -> Script + Send + Sync + 'static> Site for F {
    fn answer(&self, request: &Request) -> Script {
        self(request)
    }
}

/// A script is the site that answers everything with it.
impl Site for Script {
    fn answer(&self, _request: &Request) -> Script {
        self.clone()
    }
}

/// A running server.
///
/// ```no_run
/// use caplet_testkit::lab::http::{Http, pages};
///
/// let http = Http::on("127.0.0.1:0", pages::routes([
///     ("/", pages::text(200, "hello")),
///     ("/away", pages::redirect(302, "http://169.254.169.254/")),
/// ]))?;
/// // … fetch http.url("/away") …
/// let requests = http.requests();
/// assert_eq!(requests[0].line(), b"GET /away HTTP/1.1");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Http {
    server: server::Server,
    requests: Arc<Mutex<Vec<Request>>>,
    tls: bool,
}

impl Http {
    /// Listens on `address` without TLS.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn on(address: impl ToSocketAddrs, site: impl Site) -> io::Result<Self> {
        Self::start(address, None, Reading::All, site)
    }

    /// Listens on `address` with TLS, such as [`tls::Identity::config`](super::tls::Identity::config) has.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn secure(address: impl ToSocketAddrs, tls: Arc<rustls::ServerConfig>, site: impl Site) -> io::Result<Self> {
        Self::start(address, Some(tls), Reading::All, site)
    }

    /// Treats every client as `case` says, with TLS or without.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn hostile(
        address: impl ToSocketAddrs,
        tls: Option<Arc<rustls::ServerConfig>>,
        case: &hostile::Case,
    ) -> io::Result<Self> {
        Self::start(address, tls, case.reading, (case.script)())
    }

    /// The same with all choices open.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(
        address: impl ToSocketAddrs,
        tls: Option<Arc<rustls::ServerConfig>>,
        reading: Reading,
        site: impl Site,
    ) -> io::Result<Self> {
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let log = Arc::clone(&requests);
        let secure = tls.is_some();
        let server = server::Server::on(address, tls, move |wire| serve(wire, reading, &site, &log))?;
        Ok(Self { server, requests, tls: secure })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// A URL on it, by its address; `target` begins with `/`.
    #[must_use]
    pub fn url(&self, target: &str) -> String {
        self.url_as(&self.address().ip().to_string(), target)
    }

    /// A URL on it, by a name that leads to it.
    #[must_use]
    pub fn url_as(&self, host: &str, target: &str) -> String {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!("{}://{host}:{}{target}", if self.tls { "https" } else { "http" }, self.address().port())
    }

    /// All requests so far, in the order in which they were read, also those that broke off.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.requests).clone()
    }

    /// Forgets the requests so far, and returns them.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *lock(&self.requests))
    }

    /// How many connections were made, with or without a request.
    #[must_use]
    pub fn accepts(&self) -> u64 {
        self.server.accepts()
    }

    /// Whether clients let go of all connections within `bound`.
    #[must_use]
    pub fn idle_within(&self, bound: Duration) -> bool {
        self.server.idle_within(bound)
    }

    /// How handshakes and answers failed, as text for the message of a failure.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        self.server.failures()
    }
}

/// One connection, with as many requests as its scripts let it have.
fn serve(wire: &mut Wire, reading: Reading, site: &impl Site, log: &Mutex<Vec<Request>>) -> io::Result<()> {
    let mut ahead = Vec::new();
    loop {
        let request = Request::read(wire, &mut ahead, reading);
        if request.raw.is_empty() && reading != Reading::Nothing {
            return wire.close();
        }
        let whole = request.complete;
        let script = whole.then(|| site.answer(&request));
        lock(log).push(request);
        let Some(script) = script else { return wire.close() };
        if !script.play(wire)? {
            return Ok(());
        }
        if reading != Reading::All {
            return wire.close();
        }
    }
}
