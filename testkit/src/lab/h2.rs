//! HTTP/2 servers made of frames by hand: one that is as it should be, and a catalogue of those that are not.
//!
//! In: a function from request to [`Response`], or an [`Attack`]. Out: the requests, with their headers as they
//! were packed, in order, pseudo-headers too. With TLS the configuration must offer `h2`; without, the client must know
//! beforehand that it is HTTP/2.

pub mod attacks;
mod frame;
mod hpack;
mod session;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use attacks::{Attack, When};
use session::Session;

use super::server::{Server, Wire, lock};

/// One request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The headers in order, names and values as they came.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body; of a request that was answered before its end, what had come.
    pub body: Vec<u8>,
    /// The number of its stream.
    pub stream: u32,
    /// Which connection of the server it came on, from 0.
    pub connection: u64,
    /// The name that the TLS handshake asked for (SNI).
    pub server_name: Option<String>,
}

impl Request {
    /// The first value of a header, such as `:path`, by its exact name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(own, _)| own == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// Whether these bytes stand in a header or the body: for what must not have left.
    #[must_use]
    pub fn contains(&self, bytes: &[u8]) -> bool {
        let within = |part: &[u8]| part.windows(bytes.len().max(1)).any(|window| window == bytes);
        within(&self.body) || self.headers.iter().any(|(name, value)| within(name) || within(value))
    }
}

/// One response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers, as they are packed.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Body,
}

/// The body of a response.
#[derive(Clone, Debug)]
pub enum Body {
    /// These bytes.
    Whole(Vec<u8>),
    /// These bytes again and again, as far as the client's windows let them.
    Endless(Vec<u8>),
}

impl Response {
    /// Plain text.
    #[must_use]
    pub fn text(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: Body::Whole(body.as_bytes().to_vec()) }
            .with("content-type", "text/plain; charset=utf-8")
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::text(status, "elsewhere\n").with("location", location)
    }

    /// A body without end.
    #[must_use]
    pub fn endless(bytes: &[u8]) -> Self {
        Self { status: 200, headers: Vec::new(), body: Body::Endless(bytes.to_vec()) }
    }

    /// The same with one header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }
}

/// A running server.
///
/// ```no_run
/// use caplet_testkit::lab::h2::{H2, Response, attacks};
/// use caplet_testkit::lab::tls::Authority;
///
/// let tls = Authority::new()?.good(&["good.test"])?.config(&["h2"])?;
/// let good = H2::on("127.0.0.1:0", Some(tls.clone()), |_request| Response::text(200, "hello"))?;
/// let bad = H2::attacking("127.0.0.1:0", Some(tls), &attacks::attacks()[0])?;
/// // … fetch from both …
/// assert_eq!(good.requests()[0].header(":path"), Some(&b"/"[..]));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct H2 {
    server: Server,
    requests: Arc<Mutex<Vec<Request>>>,
    tls: bool,
}

impl H2 {
    /// A server that is as it should be.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn on(
        address: impl ToSocketAddrs,
        tls: Option<Arc<rustls::ServerConfig>>,
        site: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::start(address, tls, move |wire, log| {
            let mut session = Session::open(wire, &[])?;
            while let Some(request) = session.next_request()? {
                let response = site(&request);
                lock(log).push(request.clone());
                session.respond(request.stream, &response)?;
            }
            wire.close()
        })
    }

    /// A server that does to every connection what `attack` says.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn attacking(
        address: impl ToSocketAddrs,
        tls: Option<Arc<rustls::ServerConfig>>,
        attack: &'static Attack,
    ) -> io::Result<Self> {
        Self::start(address, tls, |wire, log| {
            let mut stream = 1;
            if let When::Asked(settings) = attack.when {
                let Some(request) = Session::open(wire, settings)?.first_request()? else { return Ok(()) };
                stream = request.stream;
                lock(log).push(request);
            }
            if (attack.script)(stream).play(wire)? {
                // The client has the word now: to refuse what it got, or to show that it does not.
                wire.drain()?;
            }
            Ok(())
        })
    }

    fn start(
        address: impl ToSocketAddrs,
        tls: Option<Arc<rustls::ServerConfig>>,
        serve: impl Fn(&mut Wire, &Mutex<Vec<Request>>) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let log = Arc::clone(&requests);
        let secure = tls.is_some();
        let server = Server::on(address, tls, move |wire| serve(wire, &log))?;
        Ok(Self { server, requests, tls: secure })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// A URL on it, by a name that leads to it.
    #[must_use]
    pub fn url_as(&self, host: &str, target: &str) -> String {
        format!("{}://{host}:{}{target}", if self.tls { "https" } else { "http" }, self.address().port())
    }

    /// All requests so far, in the order in which they were answered.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.requests).clone()
    }

    /// How many connections were made.
    #[must_use]
    pub fn accepts(&self) -> u64 {
        self.server.accepts()
    }

    /// Whether clients let go of all connections within `bound`.
    #[must_use]
    pub fn idle_within(&self, bound: Duration) -> bool {
        self.server.idle_within(bound)
    }

    /// How connections failed, as text for the message of a failure.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        self.server.failures()
    }
}
