//! One accepted connection, plain or TLS, with the ways to treat a client badly.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::PollFlags;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Stop, TICK, polled};

/// How long a closed connection takes what the client still sends. To close with unread bytes would be a reset, and a reset can
/// take away what was just sent.
const LINGER: Duration = Duration::from_millis(300);

/// One connection, as a handler gets it. Reading and writing go through TLS if the server has it.
pub struct Wire {
    io: Io,
    tcp: Arc<TcpStream>,
    stop: Arc<Stop>,
    number: u64,
    peer: SocketAddr,
}

enum Io {
    Plain(Tcp),
    Tls(Box<StreamOwned<ServerConnection, Tcp>>),
}

impl Wire {
    pub(super) fn new(
        number: u64,
        tcp: Arc<TcpStream>,
        peer: SocketAddr,
        tls: Option<&Arc<ServerConfig>>,
        stop: Arc<Stop>,
    ) -> io::Result<Self> {
        let io = match tls {
            None => Io::Plain(Tcp(Arc::clone(&tcp))),
            Some(config) => {
                let mut connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                let mut below = Tcp(Arc::clone(&tcp));
                // The whole handshake now, so that a handler that only waits is silent after it and not in it.
                while connection.is_handshaking() {
                    connection.complete_io(&mut below)?;
                }
                Io::Tls(Box::new(StreamOwned::new(connection, below)))
            }
        };
        Ok(Self { io, tcp, stop, number, peer })
    }

    /// Which of the server's connections this is, from 0.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Who connected.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The name that the client asked for in the TLS handshake (SNI).
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        match &self.io {
            Io::Plain(_) => None,
            Io::Tls(stream) => stream.conn.server_name(),
        }
    }

    /// The protocol that the TLS handshake agreed on (ALPN).
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        match &self.io {
            Io::Plain(_) => None,
            Io::Tls(stream) => stream.conn.alpn_protocol(),
        }
    }

    /// Does nothing for `time`.
    ///
    /// # Errors
    /// The server stops.
    pub fn pause(&self, time: Duration) -> io::Result<()> {
        if self.stop.wait(time) {
            Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server stops"))
        } else {
            Ok(())
        }
    }

    /// Does nothing, and reads nothing, until the client lets go or the server stops.
    ///
    /// # Errors
    /// The connection cannot be watched.
    pub fn hold(&self) -> io::Result<()> {
        // IN is not asked for: bytes that are not read must not wake it.
        while !self.stop.is_set() && !polled(self.tcp.as_fd(), PollFlags::RDHUP, TICK)? {}
        Ok(())
    }

    /// Reads and forgets, until the client lets go or the server stops.
    ///
    /// # Errors
    /// The connection is reset.
    pub fn drain(&mut self) -> io::Result<()> {
        let mut scratch = vec![0; 64 * 1024];
        while self.read(&mut scratch)? > 0 {}
        Ok(())
    }

    /// Says that nothing more comes, and goes on reading what the client sends.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn half_close(&mut self) -> io::Result<()> {
        if let Io::Tls(stream) = &mut self.io {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        self.tcp.shutdown(Shutdown::Write)
    }

    /// Ends the connection as it should be: TLS says so, then TCP, and what the client has on its way is taken.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn close(&mut self) -> io::Result<()> {
        self.half_close()?;
        self.tcp.set_read_timeout(Some(LINGER))?;
        let mut below = Tcp(Arc::clone(&self.tcp));
        let mut scratch = [0; 4096];
        // At its end, by timeout or by reset, all is done that can be.
        while !self.stop.is_set() && matches!(below.read(&mut scratch), Ok(count) if count > 0) {}
        Ok(())
    }

    /// Ends the connection without a word of TLS: to a client, the same as an attacker who cuts the stream.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn cut(&self) -> io::Result<()> {
        self.tcp.shutdown(Shutdown::Both)
    }

    /// Ends the connection by a reset (RST).
    ///
    /// # Errors
    /// The system does not do it.
    pub fn reset(&self) -> io::Result<()> {
        // Disconnecting sends the reset at once, also while the socket is open elsewhere in this process.
        Ok(rustix::net::connect_unspec(&*self.tcp)?)
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.io {
            Io::Plain(stream) => stream.read(buffer),
            Io::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.io {
            Io::Plain(stream) => stream.write(bytes),
            Io::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.io {
            Io::Plain(stream) => stream.flush(),
            Io::Tls(stream) => stream.flush(),
        }
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Wire").field("number", &self.number).field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// A stream that the server also holds, to shut it down.
struct Tcp(Arc<TcpStream>);

impl Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Tcp {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
