//! Notes what crosses while a call runs.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use caplet_audit::Outcome;
use caplet_policy::GuestPath;
use caplet_secrets::{Masker, SecretName, SecretValue};
use caplet_vfs::recording::Room;
use caplet_vfs::{Mount, RecordingStore};
use rand::TryRng as _;

use super::buckets::{NotingBuckets, SeenOp};
use super::given::Given;
use super::http::{Exchanged, Noting};
use super::respond::{NotingRespond, SeenAnswer};
use super::tools::{NotingTools, ToolNotes};
use super::world::{Ended, Seen, SeenMount, VERSION, World};
use super::{Tape, mask};
use crate::asking::{Asking, Respond};
use crate::engine::lock;
use crate::invocation::Invocation;

/// What a reading or the like takes, about what it is in memory and in the text that is kept.
const READING_BYTES: usize = 24;

/// What a note of something larger takes, besides its own bytes.
pub(super) const NOTE_BYTES: usize = 128;

/// Notes what one call sees.
pub struct Recorder {
    room: Arc<Room>,
    seed: [u8; 32],
    given: Given,
    stores: Vec<(GuestPath, bool, Arc<RecordingStore>)>,
    seen: Mutex<Seen>,
    /// What hides the secrets that the host used for the call.
    masker: OnceLock<Arc<Masker>>,
    hidden: Mutex<Vec<(SecretName, SecretValue)>>,
}

/// What came of recording a call.
#[derive(Debug)]
pub struct Finished {
    /// What the call was given and saw, as JSON text.
    pub world: Vec<u8>,
    /// The contents that go with it.
    pub pieces: Vec<Vec<u8>>,
    /// Why it is not all that the call saw.
    pub incomplete: Option<String>,
}

impl Recorder {
    /// The most that a recording holds: contents by their length, and about a hundred bytes for each thing that is noted. What a call of
    /// usual size sees fits many times over; and several calls that are recorded at once still leave memory to others.
    pub const MOST_BYTES: u64 = 64 << 20;

    /// Records the call that `invocation` is about to make, which must be complete by now.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub fn begin(invocation: &mut Invocation) -> std::io::Result<Arc<Self>> {
        let mut seed = [0; 32];
        rand::rngs::SysRng.try_fill_bytes(&mut seed).map_err(std::io::Error::other)?;
        let room = Arc::new(Room::new(Self::MOST_BYTES));
        let mut stores = Vec::new();
        for mount in &mut invocation.mounts {
            let store = Arc::new(RecordingStore::new(Arc::clone(&mount.store), &room));
            stores.push((mount.at.clone(), mount.read_only, Arc::clone(&store)));
            *mount = remounted(mount, store);
        }
        let given = Given::new(invocation);
        let (seen, masker, hidden) = Default::default();
        let recorder = Arc::new(Self { room, seed, given, stores, seen, masker, hidden });
        if let Some(buckets) = invocation.buckets.take() {
            invocation.buckets = Some(Arc::new(NotingBuckets { buckets, recorder: Arc::clone(&recorder) }));
        }
        if let Some(tools) = invocation.tools.take() {
            invocation.tools = Some(Arc::new(NotingTools { tools, recorder: Arc::clone(&recorder) }));
        }
        if let Some(asking) = invocation.asking.take() {
            let (respond, recorder) = (asking.responder(), Arc::clone(&recorder));
            invocation.asking =
                Some(Arc::new(Asking::new(Arc::new(NotingRespond { respond, recorder }) as Arc<dyn Respond>)));
        }
        invocation.tape = Some(Tape::Recording(Arc::clone(&recorder)));
        Ok(recorder)
    }

    /// Keeps `value` out of what is kept, as a secret of this name. A replay sees the mask in its place.
    pub fn hide(&self, name: &str, value: &str) {
        let name = name.parse::<SecretName>().or_else(|_| "hidden".parse());
        if let (Ok(name), Ok(value)) = (name, SecretValue::new(value.as_bytes())) {
            lock(&self.hidden).push((name, value));
        }
    }

    /// What was noted of a call that ended so. Nothing can be noted afterwards.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON.
    pub fn finish(&self, outcome: &Outcome) -> serde_json::Result<Finished> {
        let mounts = self.stores.iter().map(|(at, read_only, store)| {
            let (at, read_only) = (at.to_string(), *read_only);
            SeenMount { at, read_only, tree: store.take() }
        });
        let mut world = World {
            version: VERSION,
            given: self.given.clone(),
            mounts: mounts.collect(),
            seed: hex(&self.seed),
            seen: std::mem::take(&mut *lock(&self.seen)),
            ended: Ended::from(outcome),
        };
        let mut pieces: Vec<Vec<u8>> = world.contents().map(std::mem::take).collect();
        let mut incomplete = self
            .room
            .is_full()
            .then(|| format!("the call saw more than the {} MiB that a recording holds", Self::MOST_BYTES >> 20));
        let mut maskers: Vec<Arc<Masker>> = self.masker.get().cloned().into_iter().collect();
        let hidden = lock(&self.hidden);
        maskers.extend(
            (!hidden.is_empty()).then(|| Arc::new(Masker::new(hidden.iter().map(|(name, value)| (name, value))))),
        );
        drop(hidden);
        if maskers.is_empty() {
            return Ok(Finished { world: serde_json::to_vec(&world)?, pieces, incomplete });
        }
        let mut text = serde_json::to_value(&world)?;
        for masker in &maskers {
            mask::value(masker, &mut text);
            let masked = pieces.iter_mut().filter_map(|piece| mask::bytes(masker, piece).then_some(())).count();
            if masked > 0 && incomplete.is_none() {
                incomplete = Some("a value that is kept out of recordings was in what the call read".to_owned());
            }
        }
        Ok(Finished { world: serde_json::to_vec(&text)?, pieces, incomplete })
    }

    /// What is to be masked in what is kept: the secrets that the host used.
    pub(crate) fn mask(&self, masker: Option<Arc<Masker>>) {
        if let Some(masker) = masker {
            let _ = self.masker.set(masker);
        }
    }

    pub(super) fn seed(&self) -> [u8; 32] {
        self.seed
    }

    /// Notes something that takes `bytes`, if there is room.
    pub(super) fn note<T>(&self, bytes: usize, note: impl FnOnce(&mut Seen) -> T) -> Option<T> {
        self.room.take(bytes).then(|| note(&mut lock(&self.seen)))
    }

    pub(super) fn wall(&self, now: Duration) {
        let reading = (now.as_secs(), now.subsec_nanos());
        let bytes = if lock(&self.seen).wall.is_last(&reading) { 0 } else { READING_BYTES };
        self.note(bytes, |seen| seen.wall.push(reading));
    }

    pub(super) fn monotonic(&self, now: u64) {
        let bytes = if lock(&self.seen).monotonic.is_last(&now) { 0 } else { READING_BYTES };
        self.note(bytes, |seen| seen.monotonic.push(now));
    }

    pub(crate) fn poll(&self, ready: &[u32]) {
        let ready = ready.to_vec();
        let bytes = if lock(&self.seen).polls.is_last(&ready) { 0 } else { READING_BYTES + 4 * ready.len() };
        self.note(bytes, |seen| seen.polls.push(ready));
    }

    pub(crate) fn ready(&self, ready: bool) {
        let bytes = if lock(&self.seen).ready.is_last(&ready) { 0 } else { READING_BYTES };
        self.note(bytes, |seen| seen.ready.push(ready));
    }

    pub(super) fn answered(&self, answer: SeenAnswer) {
        self.note(NOTE_BYTES + answer.bytes(), |seen| seen.answers.push(answer));
    }

    pub(super) fn bucket(&self, op: SeenOp) {
        self.note(NOTE_BYTES + op.bytes(), |seen| seen.buckets.push(op));
    }

    /// Notes something about other tools.
    pub(super) fn tool<T>(&self, bytes: usize, note: impl FnOnce(&mut ToolNotes) -> T) -> Option<T> {
        self.note(NOTE_BYTES + bytes, |seen| note(&mut seen.tools))
    }

    /// Begins the notes on a request.
    pub(crate) fn exchange(self: &Arc<Self>, method: &str, url: &str) -> Noting {
        let exchanged = Exchanged::new(method, url);
        let number = self.note(NOTE_BYTES + method.len() + url.len(), |seen| {
            seen.exchanges.push(exchanged);
            seen.exchanges.len() - 1
        });
        Noting::new(Arc::clone(self), number)
    }

    /// Notes something about a request.
    pub(super) fn exchanged(&self, number: Option<usize>, bytes: usize, note: impl FnOnce(&mut Exchanged)) {
        let Some(number) = number else { return };
        self.note(bytes, |seen| seen.exchanges.get_mut(number).map(note));
    }
}

/// The same place with another store behind it.
fn remounted(mount: &Mount, store: Arc<RecordingStore>) -> Mount {
    let again = Mount::new(mount.at.clone(), store);
    if mount.read_only { again.read_only() } else { again }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it holds may be private.
        f.debug_struct("Recorder").field("room", &self.room).finish_non_exhaustive()
    }
}
