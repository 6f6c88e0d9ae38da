//! Canaries: what stands where nothing may ever knock.
//!
//! In: an address. Out: how often it was reached, by TCP or UDP, and with which bytes. A canary never sends anything unless it
//! was made to answer, and then only what it was given.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, Mutex};

use super::server::{Server, Wire, lock};

/// How much of what arrived is kept, of each connection and of all datagrams.
const KEPT: usize = 64 * 1024;

/// How many ports are tried when any will do: one that is free for TCP may be taken for UDP.
const ATTEMPTS: usize = 8;

/// A TCP and a UDP socket on one address that count what comes. One hit is a failure of the test.
///
/// ```no_run
/// let canary = caplet_testkit::lab::canary::Canary::on("127.0.0.1:0")?;
/// std::net::TcpStream::connect(canary.address())?;
/// assert_eq!((canary.accepts(), canary.datagrams(), canary.hits()), (1, 0, 1));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Canary {
    server: Server,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    udp: UdpSocket,
    datagrams: Mutex<Datagrams>,
}

#[derive(Debug, Default)]
struct Datagrams {
    count: u64,
    bytes: Vec<u8>,
}

impl Canary {
    /// A canary that never answers.
    ///
    /// # Errors
    /// The address is taken, or this machine does not have it.
    pub fn on(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::start(address, None)
    }

    /// A canary that answers any HTTP request with `body`, so that a client that should not have come also shows what it got.
    ///
    /// # Errors
    /// The address is taken, or this machine does not have it.
    pub fn answering(address: impl ToSocketAddrs, body: &str) -> io::Result<Self> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n";
        Self::start(address, Some(format!("{head}content-length: {}\r\n\r\n{body}", body.len())))
    }

    fn start(address: impl ToSocketAddrs, answer: Option<String>) -> io::Result<Self> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        for _ in 0..ATTEMPTS {
            let hearing = Arc::clone(&heard);
            let answer = answer.clone();
            let server = Server::on(addresses.as_slice(), None, move |wire| {
                let index = {
                    let mut heard = lock(&hearing);
                    heard.push(Vec::new());
                    heard.len() - 1
                };
                listen(wire, answer.as_deref(), |bytes| keep(lock(&hearing).get_mut(index), bytes))
            })?;
            match UdpSocket::bind(server.address()) {
                Err(_) if addresses.iter().all(|address| address.port() == 0) => {}
                udp => {
                    let udp = udp?;
                    udp.set_nonblocking(true)?;
                    return Ok(Self { server, heard, udp, datagrams: Mutex::default() });
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no port is free for both TCP and UDP"))
    }

    /// Where it stands.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many TCP connections were made to it, with or without a byte on them.
    #[must_use]
    pub fn accepts(&self) -> u64 {
        self.server.accepts()
    }

    /// How many UDP datagrams were sent to it.
    #[must_use]
    pub fn datagrams(&self) -> u64 {
        self.take_datagrams().count
    }

    /// How often it was reached, in any way.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.accepts() + self.datagrams()
    }

    /// What arrived so far, of each connection in turn and then of all datagrams together: for the message of a failure, and to
    /// search for what must not have left.
    #[must_use]
    pub fn heard(&self) -> Vec<Vec<u8>> {
        let mut all = lock(&self.heard).clone();
        all.push(self.take_datagrams().bytes.clone());
        all.retain(|bytes| !bytes.is_empty());
        all
    }

    fn take_datagrams(&self) -> std::sync::MutexGuard<'_, Datagrams> {
        let mut datagrams = lock(&self.datagrams);
        let mut buffer = vec![0; 65_536];
        while let Ok((length, _)) = self.udp.recv_from(&mut buffer) {
            datagrams.count += 1;
            keep(Some(&mut datagrams.bytes), buffer.get(..length).unwrap_or_default());
        }
        datagrams
    }
}

fn keep(kept: Option<&mut Vec<u8>>, bytes: &[u8]) {
    if let Some(kept) = kept {
        let room = KEPT.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }
}

fn listen(wire: &mut Wire, answer: Option<&str>, mut heard: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = wire.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        heard(buffer.get(..length).unwrap_or_default());
        if let Some(answer) = answer {
            wire.write_all(answer.as_bytes())?;
            return wire.close();
        }
    }
}
