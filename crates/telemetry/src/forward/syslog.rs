//! Messages of syslog (RFC 5424), as datagrams or on a stream (RFC 6587, with the length before each).

use std::io::{self, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use caplet_audit::text::shortened;

/// Facility 13, log audit.
const FACILITY: u8 = 13;

/// The longest message as a datagram, in bytes: what fits into one of UDP. The end of a longer one is cut off.
const LONGEST: usize = 60_000;

/// How long to wait for a connection, and for room on it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The record that is written as `line`, as one message without a line break. Who sends it on adds the host's name.
#[must_use]
pub fn message(line: &str) -> String {
    // No string holds these texts: their quotes would be escaped.
    let after =
        |key: &str| line.rfind(key).and_then(|at| line.get(at + key.len()..)).and_then(|rest| rest.split('"').next());
    let severity = match after(",\"outcome\":\"").unwrap_or_default() {
        "ok" | "exit" => 6,
        "host" => 3,
        _ => 4,
    };
    let time = after(",\"time\":\"").unwrap_or("-");
    let priority = FACILITY * 8 + severity;
    // The text is marked as UTF-8 by the byte order mark that the standard asks for.
    format!("<{priority}>1 {time} - caplet - call - \u{feff}{line}")
}

/// Sends each record as a datagram to the socket at `path`.
pub(super) fn to_unix(path: &Path, batch: &[String]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    socket.connect(path)?;
    batch.iter().try_for_each(|line| socket.send(shortened(&message(line), LONGEST).as_bytes()).map(drop))
}

/// Sends each record as a datagram to `address`.
pub(super) fn to_udp(address: &str, batch: &[String]) -> io::Result<()> {
    let to = address.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("the host has no address"))?;
    let own = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(own)?;
    batch.iter().try_for_each(|line| socket.send_to(shortened(&message(line), LONGEST).as_bytes(), to).map(drop))
}

/// A connection that is kept between batches.
pub(super) struct Stream {
    address: String,
    open: Option<TcpStream>,
}

impl Stream {
    pub(super) fn new(address: String) -> Self {
        Self { address, open: None }
    }

    /// Sends a batch. Where that fails, all of it is sent again on a new connection: who takes it may get records twice, and none is missing.
    pub(super) fn send(&mut self, batch: &[String]) -> io::Result<()> {
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let mut text = String::new();
        for message in batch.iter().map(|line| message(line)) {
            text += &format!("{} {message}", message.len());
        }
        stream.write_all(text.as_bytes())?;
        self.open = Some(stream);
        Ok(())
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::other("the host has no address");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => {
                    stream.set_write_timeout(Some(TIMEOUT))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
