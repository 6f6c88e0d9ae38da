//! What the lab's TCP servers stand on: a listener, a thread for each connection, and an end to all of them.
//!
//! In: an address, TLS or none, and a handler for one connection. Out: counts of what came in. It knows no protocol above TLS.
//!
//! What always holds: every connection that the kernel completed is counted, also if it was closed without a byte; a dropped
//! server has shut all its connections down, which ends reads and writes that block on them.

mod stop;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

pub(crate) use stop::Stop;
pub use wire::Wire;

/// How long a dropped server waits for its threads. They are told to end first, so only a handler that does not look can use it up.
const JOIN: Duration = Duration::from_secs(3);

/// How often threads that wait for sockets look whether they are to end.
pub(crate) const TICK: Duration = Duration::from_millis(25);

/// More open connections than this are accepted, counted and closed: a flood must not take the machine's threads.
const MAX_OPEN: usize = 1_000;

type Handler = Box<dyn Fn(&mut Wire) -> io::Result<()> + Send + Sync>;

/// A listening TCP socket that runs a handler on every connection.
///
/// ```no_run
/// # use std::io::{Read as _, Write as _};
/// let server = caplet_testkit::lab::server::Server::on("127.0.0.1:0", None, |wire| wire.write_all(b"hello"))?;
/// let mut text = String::new();
/// std::net::TcpStream::connect(server.address())?.read_to_string(&mut text)?;
/// assert_eq!((text.as_str(), server.accepts()), ("hello", 1));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    handler: Handler,
    stop: Arc<Stop>,
    accepts: AtomicU64,
    open: Mutex<BTreeMap<u64, Arc<TcpStream>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    failures: Mutex<Vec<String>>,
}

impl Server {
    /// Listens on `address`, and runs `handler` in a thread of its own for each connection, after the handshake if there is
    /// `tls`. The connection is closed when the handler returns.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn on(
        address: impl ToSocketAddrs,
        tls: Option<Arc<rustls::ServerConfig>>,
        handler: impl Fn(&mut Wire) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            listener,
            tls,
            handler: Box::new(handler),
            stop: Arc::new(Stop::default()),
            accepts: AtomicU64::new(0),
            open: Mutex::default(),
            threads: Mutex::default(),
            failures: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let acceptor = std::thread::Builder::new().spawn(move || {
            while !accepting.stop.is_set() {
                if matches!(readable(&accepting.listener, TICK), Ok(true)) {
                    accepting.accept_pending();
                }
            }
        })?;
        Ok(Self { shared, address, acceptor: Some(acceptor) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were ever accepted.
    #[must_use]
    pub fn accepts(&self) -> u64 {
        self.shared.accept_pending();
        self.shared.accepts.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.accept_pending();
        lock(&self.shared.open).len()
    }

    /// Waits until no connection is open, for at most `bound`: whether a client let go of what it had.
    #[must_use]
    pub fn idle_within(&self, bound: Duration) -> bool {
        let end = Instant::now() + bound;
        while self.open() > 0 {
            if Instant::now() >= end {
                return false;
            }
            self.shared.stop.wait(Duration::from_millis(5));
        }
        true
    }

    /// How handshakes and handlers failed, in order. A client that goes away is one of them.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        lock(&self.shared.failures).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.set();
        // The acceptor first: after it, no connection is added.
        join_within(self.acceptor.take(), JOIN);
        for stream in lock(&self.shared.open).values() {
            // Fails if the other side was faster, which is as good.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        let threads = std::mem::take(&mut *lock(&self.shared.threads));
        join_within(threads, JOIN);
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Shared {
    /// Takes all connections that the kernel has ready. Both the acceptor and whoever reads a count call it; the lock keeps a
    /// connection from being taken and not yet counted.
    fn accept_pending(self: &Arc<Self>) {
        let mut threads = lock(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        while !self.stop.is_set() {
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    let number = self.accepts.fetch_add(1, Ordering::SeqCst);
                    threads.extend(self.start(number, stream, peer));
                }
                // Taken, and gone already: still a connection that was made.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {
                    self.accepts.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn start(self: &Arc<Self>, number: u64, stream: TcpStream, peer: SocketAddr) -> Option<JoinHandle<()>> {
        let stream = Arc::new(stream);
        {
            let mut open = lock(&self.open);
            if open.len() >= MAX_OPEN {
                return None;
            }
            open.insert(number, Arc::clone(&stream));
        }
        let registered = Registered { shared: Arc::clone(self), number };
        let run = move || {
            if let Err(error) = registered.shared.handle(number, stream, peer) {
                lock(&registered.shared.failures).push(format!("connection {number}: {error}"));
            }
        };
        std::thread::Builder::new().spawn(run).ok()
    }

    fn handle(&self, number: u64, stream: Arc<TcpStream>, peer: SocketAddr) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        // Hostile servers send bytes one at a time, and mean it.
        stream.set_nodelay(true)?;
        let mut wire = Wire::new(number, stream, peer, self.tls.as_ref(), Arc::clone(&self.stop))?;
        (self.handler)(&mut wire)
    }
}

/// Takes a connection off the list of open ones at its end, also when its handler panics.
struct Registered {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&self.shared.open).remove(&self.number);
    }
}

/// Locks, also after a panic elsewhere: what the lab keeps under locks is whole between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there is something to read or accept, after at most `bound`.
pub(crate) fn readable(socket: &impl std::os::fd::AsFd, bound: Duration) -> io::Result<bool> {
    polled(socket.as_fd(), PollFlags::IN, bound)
}

fn polled(socket: BorrowedFd<'_>, flags: PollFlags, bound: Duration) -> io::Result<bool> {
    let bound = Timespec::try_from(bound).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(rustix::event::poll(&mut [PollFd::from_borrowed_fd(socket, flags)], Some(&bound))? > 0)
}

/// Joins what ends in time, and leaves the rest to end with the process.
pub(crate) fn join_within(threads: impl IntoIterator<Item = JoinHandle<()>>, bound: Duration) {
    let end = Instant::now() + bound;
    for thread in threads {
        while !thread.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            // A handler's panic was printed where it happened; a second one in a drop would end the process.
            let _ = thread.join();
        }
    }
}
