//! Servers that begin a TLS handshake and do not end it as they should. Their few bytes are written by hand.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::super::server::{Server, Wire};

/// How a handshake goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Break {
    /// The client's hello is read, and nothing follows.
    Silent,
    /// Half of a server's hello, and nothing follows.
    Stalled,
    /// The record of the server's hello is announced, and comes at one byte a second.
    Dripping,
    /// A server's hello for TLS 1.0, as a server has it that knows nothing newer.
    Tls10,
    /// The alert by which such a server refuses the client's versions.
    VersionAlert,
    /// The alert of a failed handshake.
    FailureAlert,
    /// Bytes that are no TLS.
    Garbage,
    /// An answer in plain HTTP, as from a port that has no TLS.
    PlainHttp,
    /// The connection ends after the client's hello.
    Closed,
    /// Warnings without end, each of them a valid record.
    AlertFlood,
}

impl Break {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Silent,
        Self::Stalled,
        Self::Dripping,
        Self::Tls10,
        Self::VersionAlert,
        Self::FailureAlert,
        Self::Garbage,
        Self::PlainHttp,
        Self::Closed,
        Self::AlertFlood,
    ];

    /// Whether it is the client that has to end it, by its time-out.
    #[must_use]
    pub const fn stalls(self) -> bool {
        matches!(self, Self::Silent | Self::Stalled | Self::Dripping)
    }
}

/// A running server that breaks every handshake in the same way.
///
/// ```no_run
/// use caplet_testkit::lab::tls::{Break, Broken};
///
/// let broken = Broken::on("127.0.0.1:0", Break::Stalled)?;
/// // … fetch https://localhost:PORT/ and see the connection's time-out …
/// assert_eq!(broken.accepts(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Broken {
    server: Server,
}

impl Broken {
    /// Listens on `address`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn on(address: impl ToSocketAddrs, how: Break) -> io::Result<Self> {
        Ok(Self { server: Server::on(address, None, move |wire| serve(wire, how))? })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
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
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

const WARNING: u8 = 1;
const FATAL: u8 = 2;

fn serve(wire: &mut Wire, how: Break) -> io::Result<()> {
    let mut head = [0; 5];
    wire.read_exact(&mut head)?;
    let [.., high, low] = head;
    let mut hello = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    wire.read_exact(&mut hello)?;
    let server_hello = server_hello([3, 1]);
    let half = server_hello.get(..server_hello.len() / 2).unwrap_or_default();
    match how {
        Break::Silent => wire.hold(),
        Break::Stalled => {
            wire.write_all(half)?;
            wire.hold()
        }
        Break::Dripping => {
            for byte in half {
                wire.write_all(&[*byte])?;
                wire.pause(Duration::from_secs(1))?;
            }
            wire.hold()
        }
        Break::Tls10 => {
            wire.write_all(&server_hello)?;
            wire.drain()
        }
        // 70: protocol_version, 40: handshake_failure.
        Break::VersionAlert => end(wire, &record(ALERT, &[FATAL, 70])),
        Break::FailureAlert => end(wire, &record(ALERT, &[FATAL, 40])),
        Break::Garbage => end(wire, &[0xff; 64]),
        Break::PlainHttp => end(wire, b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
        Break::Closed => wire.close(),
        // 90: user_canceled, the one warning that TLS 1.3 kept.
        Break::AlertFlood => {
            let flood = record(ALERT, &[WARNING, 90]).repeat(1_000);
            loop {
                wire.write_all(&flood)?;
            }
        }
    }
}

fn end(wire: &mut Wire, bytes: &[u8]) -> io::Result<()> {
    wire.write_all(bytes)?;
    wire.close()
}

/// A record as TLS 1.0 has it.
fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 1];
    bytes.extend(u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A server's hello that chooses this version, and a cipher suite of its time: ECDHE, RSA, AES-128 in CBC, SHA-1.
fn server_hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    // Random bytes that are not, and no session.
    body.extend([0x5a; 32]);
    body.push(0);
    body.extend([0xc0, 0x13, 0]);
    let mut message = vec![2, 0, 0];
    message.extend(u8::try_from(body.len()));
    message.extend(body);
    record(HANDSHAKE, &message)
}
