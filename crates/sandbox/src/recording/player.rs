//! A call from notes alone.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use caplet_policy::GuestPath;
use caplet_secrets::{SecretError, SecretName, SecretSource, SecretValue};
use caplet_vfs::recording::Unknown;
use caplet_vfs::{Mount, ReplayStore};

use super::Tape;
use super::given::Given;
use super::http::{Exchanged, Heard};
use super::noted_buckets::NotedBuckets;
use super::respond::NotedRespond;
use super::row::Cursor;
use super::tools::NotedTools;
use super::world::{Ended, Seen, SeenMount, VERSION, World};
use crate::asking::{Asking, Respond};
use crate::engine::lock;
use crate::invocation::Invocation;

/// Why notes cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The text is not what a [`Recorder`](super::Recorder) writes.
    #[error("what the recording holds cannot be used: {0}")]
    Unusable(String),
}

/// What a replay is answered from.
pub struct Player {
    given: Given,
    seed: [u8; 32],
    ended: Ended,
    unknown: Arc<Unknown>,
    seen: Seen,
    state: Mutex<State>,
    started: Instant,
}

/// How far the notes are used up.
#[derive(Default)]
struct State {
    wall: Cursor,
    monotonic: Cursor,
    polls: Cursor,
    ready: Cursor,
    /// The last readings, from which clocks go on.
    last_wall: Duration,
    last_monotonic: u64,
    /// Requests that are still to come.
    exchanges: Vec<Option<Exchanged>>,
}

impl Player {
    /// The replay of the call whose notes these are, as an invocation.
    ///
    /// # Errors
    ///
    /// When they are not what a [`Recorder`](super::Recorder) gave.
    pub fn begin(world: &[u8], pieces: Vec<Vec<u8>>) -> Result<(Arc<Self>, Invocation), ReplayError> {
        let unusable = |what: &dyn fmt::Display| ReplayError::Unusable(what.to_string());
        let mut world: World = serde_json::from_slice(world).map_err(|error| unusable(&error))?;
        if world.version != VERSION {
            return Err(unusable(&format!("its form is {}, and this release knows {VERSION}", world.version)));
        }
        let mut pieces = pieces.into_iter();
        for content in world.contents() {
            *content = pieces.next().ok_or_else(|| unusable(&"a piece of content is missing"))?;
        }
        if pieces.next().is_some() || !world.mounts.iter().all(|mount| mount.tree.is_sound()) {
            return Err(unusable(&"its parts do not fit together"));
        }
        let World { version: _, given, mounts, seed, mut seen, ended } = world;
        let mut invocation = given.invocation()?;
        let unknown = Arc::<Unknown>::default();
        invocation.mounts = self::mounts(mounts, &unknown)?;
        invocation.secrets = Some(Arc::new(NoSecrets));
        invocation.buckets = Some(Arc::new(NotedBuckets::new(std::mem::take(&mut seen.buckets), &unknown)));
        let tools = NotedTools::new(std::mem::take(&mut seen.tools), &unknown);
        invocation.tools = given.calls.then(|| Arc::new(tools) as _);
        let respond = Arc::new(NotedRespond::new(std::mem::take(&mut seen.answers))) as Arc<dyn Respond>;
        invocation.asking = given.asks.then(|| Arc::new(Asking::new(respond)));
        let exchanges = std::mem::take(&mut seen.exchanges).into_iter().map(Some).collect();
        let state = Mutex::new(State { exchanges, ..State::default() });
        let seed = unhex(&seed).ok_or_else(|| unusable(&"it has no seed"))?;
        let player = Arc::new(Self { given, seed, ended, unknown, seen, state, started: Instant::now() });
        invocation.tape = Some(Tape::Playing(Arc::clone(&player)));
        Ok((player, invocation))
    }

    /// How the recorded call ended.
    #[must_use]
    pub fn ended(&self) -> &Ended {
        &self.ended
    }

    /// What the replay asked for and the recording does not hold.
    #[must_use]
    pub fn unknown(&self) -> Vec<String> {
        self.unknown.list()
    }

    /// What the recorded call did and the replay did not, of what happens in an order of its own: requests, and readings of clocks.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let state = lock(&self.state);
        let requests = state.exchanges.iter().flatten().map(|exchange| format!("request {}", exchange.name()));
        let readings = [
            ("readings of the wall clock", state.wall.left(&self.seen.wall)),
            ("readings of the monotonic clock", state.monotonic.left(&self.seen.monotonic)),
            ("polls", state.polls.left(&self.seen.polls)),
        ];
        let readings = readings.into_iter().filter(|(_, left)| *left > 0);
        requests.chain(readings.map(|(what, left)| format!("{left} {what}"))).collect()
    }

    pub(super) fn seed(&self) -> [u8; 32] {
        self.seed
    }

    pub(super) fn config(&self) -> Vec<(String, String)> {
        self.given.config.clone()
    }

    /// The next reading; after the last one, time goes on from there.
    pub(super) fn wall(&self) -> Duration {
        let mut state = lock(&self.state);
        match state.wall.next(&self.seen.wall) {
            Some((seconds, nanoseconds)) => {
                state.last_wall = Duration::new(*seconds, *nanoseconds % 1_000_000_000);
                state.last_wall
            }
            None => state.last_wall.saturating_add(self.started.elapsed()),
        }
    }

    pub(super) fn monotonic(&self) -> u64 {
        let mut state = lock(&self.state);
        match state.monotonic.next(&self.seen.monotonic) {
            Some(now) => {
                state.last_monotonic = *now;
                *now
            }
            None => {
                let since = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
                state.last_monotonic.saturating_add(since)
            }
        }
    }

    /// Which of `length` things were ready the next time.
    pub(super) fn poll(&self, length: usize) -> Option<Vec<u32>> {
        let ready = lock(&self.state).polls.next(&self.seen.polls)?;
        let is_there = |place: &u32| usize::try_from(*place).is_ok_and(|place| place < length);
        (!ready.is_empty() && ready.iter().all(is_there)).then(|| ready.clone())
    }

    pub(super) fn ready(&self) -> Option<bool> {
        lock(&self.state).ready.next(&self.seen.ready).copied()
    }

    /// What became of the next request of this kind.
    pub(crate) fn exchange(&self, method: &str, url: &str) -> Option<Heard> {
        let mut state = lock(&self.state);
        let is_meant =
            |exchange: &&mut Option<Exchanged>| exchange.as_ref().is_some_and(|exchange| exchange.is(method, url));
        let found = state.exchanges.iter_mut().find(is_meant).and_then(Option::take);
        drop(state);
        found.map(|exchanged| Heard::new(exchanged, Arc::clone(&self.unknown)))
    }

    /// Notes that the replay asked for something that the recording does not hold.
    pub(crate) fn unknown_op(&self, what: String) {
        self.unknown.note(what);
    }
}

fn mounts(mounts: Vec<SeenMount>, unknown: &Arc<Unknown>) -> Result<Vec<Mount>, ReplayError> {
    let mount = |SeenMount { at, read_only, tree }| {
        let at = GuestPath::parse(&at).map_err(|error| ReplayError::Unusable(error.to_string()))?;
        let mount = Mount::new(at, Arc::new(ReplayStore::new(tree, unknown)));
        Ok(if read_only { mount.read_only() } else { mount })
    };
    mounts.into_iter().map(mount).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Stands for the secrets of the recorded call: each has a value that is none, and that goes nowhere.
#[derive(Debug)]
struct NoSecrets;

impl SecretSource for NoSecrets {
    fn secret(&self, _name: &SecretName) -> Result<SecretValue, SecretError> {
        SecretValue::new(b"no-value-of-a-secret-is-in-a-recording")
    }
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("tool", &self.given.tool).finish_non_exhaustive()
    }
}
