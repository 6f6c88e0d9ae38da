//! A DNS server that answers as a test wants, over UDP and TCP.
//!
//! In: a table from names to [`Reply`]s, that may change while it runs. Out: the log of all that was asked, to show that a denied
//! name never was. It is the authority for every name, asks nobody, and has no cache; what is not in the table does not exist.

mod message;
mod reply;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use message::Question;
use reply::Answer;
pub use reply::{Rcode, Reply};

use super::server::{Server, Stop, TICK, Wire, join_within, lock, readable};

/// One question that arrived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    /// The name as it came, without the dot at its end; bytes that are no printable ASCII, and dots in labels, as `\DDD`.
    pub name: String,
    /// The type of record: 1 is A, 28 AAAA, 5 CNAME, 65 HTTPS.
    pub kind: u16,
    /// Whether it came by TCP.
    pub tcp: bool,
}

/// A running server.
///
/// ```no_run
/// use caplet_testkit::lab::dns::{Dns, Reply};
/// use caplet_testkit::lab::namespace::{METADATA, PUBLIC};
///
/// let dns = Dns::on("127.0.0.1:53")?;
/// dns.set("good.test", Reply::addresses([PUBLIC]));
/// dns.set("*.rebind.test", Reply::each([Reply::addresses([PUBLIC]), Reply::addresses([METADATA])]));
/// // … resolve and fetch …
/// assert_eq!(dns.asked("denied.test"), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Dns {
    shared: Arc<Shared>,
    server: Server,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    udp: UdpSocket,
    table: Mutex<BTreeMap<String, Reply>>,
    /// How often each name was asked for each type: which of several replies is next.
    turns: Mutex<BTreeMap<(String, u16), usize>>,
    log: Mutex<Vec<Query>>,
    /// Replies that wait for their time.
    late: Mutex<Vec<JoinHandle<()>>>,
    stop: Arc<Stop>,
}

impl Dns {
    /// Listens on `address`, with an empty table.
    ///
    /// # Errors
    /// The address cannot be listened on, by UDP or TCP.
    pub fn on(address: impl ToSocketAddrs) -> io::Result<Self> {
        let udp = UdpSocket::bind(address)?;
        udp.set_nonblocking(true)?;
        let address = udp.local_addr()?;
        let stop = Arc::new(Stop::default());
        let shared = Arc::new(Shared {
            udp,
            table: Mutex::default(),
            turns: Mutex::default(),
            log: Mutex::default(),
            late: Mutex::default(),
            stop: Arc::clone(&stop),
        });
        let over_tcp = Arc::clone(&shared);
        let server = Server::on(address, None, move |wire| over_tcp.serve(wire))?;
        let over_udp = Arc::clone(&shared);
        let thread = std::thread::Builder::new().spawn(move || {
            while !over_udp.stop.is_set() {
                if matches!(readable(&over_udp.udp, TICK), Ok(true)) {
                    over_udp.answer_pending();
                }
            }
        })?;
        Ok(Self { shared, server, stop, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How `name` is answered from now on. `*.` at its start is any one or more labels; the longest name that fits decides.
    pub fn set(&self, name: &str, reply: Reply) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        lock(&self.shared.turns).retain(|(asked, _), _| !fits(&name, asked));
        lock(&self.shared.table).insert(name, reply);
    }

    /// All that was asked so far, in order.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        self.shared.answer_pending();
        // A connection that nobody looked at yet may hold a question.
        let _ = self.server.accepts();
        lock(&self.shared.log).clone()
    }

    /// How often `name` was asked for, of any type and in any letter case.
    #[must_use]
    pub fn asked(&self, name: &str) -> usize {
        let name = name.trim_end_matches('.');
        self.queries().iter().filter(|query| query.name.eq_ignore_ascii_case(name)).count()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.stop.set();
        let late = std::mem::take(&mut *lock(&self.shared.late));
        join_within(late.into_iter().chain(self.thread.take()), Duration::from_secs(3));
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
        None => pattern == name,
    }
}

impl Shared {
    /// Takes and answers all datagrams that the kernel has ready.
    fn answer_pending(self: &Arc<Self>) {
        let mut buffer = vec![0; 65_536];
        loop {
            // Under the lock, so that what is taken is in the log before anyone else reads it.
            let mut log = lock(&self.log);
            let Ok((length, peer)) = self.udp.recv_from(&mut buffer) else { return };
            let Some(question) = buffer.get(..length).and_then(Question::parse) else { continue };
            log.push(question.query(false));
            drop(log);
            let (wait, answer) = self.reply_to(&question, false);
            let shared = Arc::clone(self);
            let send = move || {
                for message in answer.messages(&question, Some(question.udp_size)) {
                    // A client that is gone already is not an error of the server.
                    let _ = shared.udp.send_to(&message, peer);
                }
            };
            if wait.is_zero() {
                send();
            } else {
                let stop = Arc::clone(&self.stop);
                let thread = std::thread::Builder::new().spawn(move || {
                    if !stop.wait(wait) {
                        send();
                    }
                });
                lock(&self.late).extend(thread);
            }
        }
    }

    /// One TCP connection, with any number of questions.
    fn serve(&self, wire: &mut Wire) -> io::Result<()> {
        loop {
            let mut length = [0; 2];
            wire.read_exact(&mut length)?;
            let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
            wire.read_exact(&mut message)?;
            let Some(question) = Question::parse(&message) else { return Ok(()) };
            lock(&self.log).push(question.query(true));
            let (wait, answer) = self.reply_to(&question, true);
            wire.pause(wait)?;
            if matches!(answer, Answer::Hang) {
                return wire.hold();
            }
            for message in answer.messages(&question, None) {
                wire.write_all(&u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes())?;
                wire.write_all(&message)?;
            }
        }
    }

    fn reply_to(&self, question: &Question, tcp: bool) -> (Duration, Answer) {
        let table = lock(&self.table);
        let find = |name: &str| {
            let name = name.to_ascii_lowercase();
            let entry =
                table.iter().filter(|(pattern, _)| fits(pattern, &name)).max_by_key(|(pattern, _)| pattern.len());
            entry.map(|(_, reply)| match reply {
                Reply::Each(replies) => {
                    let mut turns = lock(&self.turns);
                    let turn = turns.entry((name, question.kind)).or_default();
                    let index = (*turn).min(replies.len().saturating_sub(1));
                    *turn += 1;
                    replies.get(index).cloned().unwrap_or(Reply::Failure(Rcode::ServFail))
                }
                reply => reply.clone(),
            })
        };
        reply::answer(question, tcp, find)
    }
}
