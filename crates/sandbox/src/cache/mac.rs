//! What authenticates an entry: a MAC over its name, its length and its bytes.
//!
//! The bytes are hashed in parts of one size, each on its own and several at once, and the MAC is over the hashes in their order. What
//! always holds: the same MAC means the same name and the same bytes, because every length is part of what is hashed. How many threads
//! there were makes no difference, and with none to be had the work is done on the caller's.

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use blake3::Hash;

use super::key::Key;

/// How much is one part: enough that taking the next one costs nothing, little enough that threads end at about the same time.
const PART_BYTES: u64 = 1 << 20;

/// How much is read at a time. It stays in a core's own cache, and a new buffer of it costs less than what it saves.
const BUFFER_BYTES: u64 = 256 << 10;

/// Beyond this many threads, memory is what is waited for.
const MOST_THREADS: u64 = 4;

/// How many parts there must be for each thread: below, starting it takes longer than what it saves.
const PARTS_A_THREAD: u64 = 2;

/// The MAC of the first `length` bytes of `file` as the entry `name`.
pub(super) fn of_file(key: &Key, name: &str, file: &File, length: u64) -> io::Result<Hash> {
    of_parts(key, name, length, |mut part, buffer| {
        let mut hasher = key.for_part();
        while !part.is_empty() {
            let size = (part.end - part.start).min(BUFFER_BYTES);
            buffer.resize(usize::try_from(size).map_err(io::Error::other)?, 0);
            file.read_exact_at(buffer, part.start)?;
            hasher.update(buffer);
            part.start += size;
        }
        Ok(hasher.finalize())
    })
}

/// The MAC of `payload` as the entry `name`.
pub(super) fn of_bytes(key: &Key, name: &str, payload: &[u8]) -> io::Result<Hash> {
    of_parts(key, name, size(payload), |part, _| {
        let start = usize::try_from(part.start).map_err(io::Error::other)?;
        let end = usize::try_from(part.end).map_err(io::Error::other)?;
        let part = payload.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(key.for_part().update(part).finalize())
    })
}

/// The length of `bytes`.
pub(super) fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn of_parts(
    key: &Key,
    name: &str,
    length: u64,
    hash: impl Fn(Range<u64>, &mut Vec<u8>) -> io::Result<Hash> + Sync,
) -> io::Result<Hash> {
    let next = AtomicU64::new(0);
    let parts = length.div_ceil(PART_BYTES);
    let work = || {
        let mut buffer = Vec::new();
        let mut done = Vec::new();
        loop {
            let part = next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return Ok(done);
            }
            let start = part * PART_BYTES;
            done.push((part, hash(start..length.min(start + PART_BYTES), &mut buffer)?));
        }
    };
    let mut hashes = shared(threads(parts), &work)?;
    hashes.sort_unstable_by_key(|(part, _)| *part);
    let mut whole = key.for_entry();
    whole.update(&size(name.as_bytes()).to_le_bytes());
    whole.update(name.as_bytes());
    whole.update(&length.to_le_bytes());
    for (_, hash) in &hashes {
        whole.update(hash.as_bytes());
    }
    Ok(whole.finalize())
}

/// What `work` gives on this and on `threads - 1` other threads, all together.
fn shared<T: Send>(threads: u64, work: &(impl Fn() -> io::Result<Vec<T>> + Sync)) -> io::Result<Vec<T>> {
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().name("caplet-verify".to_owned()).spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).map_while(start).collect();
        let mut all = work()?;
        for other in others {
            all.extend(other.join().map_err(|_| io::Error::other("a thread that verifies has died"))??);
        }
        Ok(all)
    })
}

fn threads(parts: u64) -> u64 {
    /// Asked once: it takes the system a while to tell.
    static CORES: OnceLock<u64> = OnceLock::new();
    let wanted = (parts / PARTS_A_THREAD).min(MOST_THREADS);
    if wanted <= 1 {
        return 1;
    }
    let cores = || thread::available_parallelism().map_or(1, |cores| u64::try_from(NonZero::get(cores)).unwrap_or(1));
    wanted.min(*CORES.get_or_init(cores))
}
