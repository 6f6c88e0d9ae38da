//! Checkpoints: signed statements of how far a log had come, kept apart from it.
//!
//! A hash chain shows what was changed inside of a log, and nothing about its end: who cuts off the last entries leaves a log that is whole.
//! So a checkpoint says that entry N had hash H, signed with an Ed25519 key of this host's. The key, its public half and the checkpoints
//! are in a folder of their own, which no tool can reach either. Checkpoints are only ever appended, and none is removed: a log that was
//! cut and then went on does not fit an older one.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, openat, renameat_with, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::canonical;
use super::entry::Hash;
use super::folder::{Folder, lock, unlock};
use super::tail::{Head, bytes_at};
use crate::SinkError;
use crate::json::strict;

/// The file of checkpoints: one a line.
const CHECKPOINTS: &str = "checkpoints.jsonl";

/// The file with the private key, as PKCS#8.
const PRIVATE: &str = "audit.key";

/// The file with the public key: 64 hexadecimal digits.
const PUBLIC: &str = "audit.pub";

/// What is signed starts with this, so that no other signature of the key passes for one of a checkpoint.
const PURPOSE: &[u8] = b"caplet audit checkpoint 1\n";

/// How many of the newest signatures are verified. Each takes some fifty microseconds, and the newest vouches for everything.
const SIGNATURES: usize = 1_000;

/// The longest line of the file of checkpoints, in bytes. One has some four hundred.
const LINE_BYTES: u64 = 4096;

/// How far a log had come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    pub(crate) hash: String,
    pub(crate) log: String,
    pub(crate) seq: u64,
    pub(crate) time: String,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signed {
    pub(crate) checkpoint: Checkpoint,
    signature: String,
}

impl Signed {
    /// Whether `key` signed it.
    pub(crate) fn is_by(&self, key: &PublicKey) -> bool {
        let signature = hex_bytes::<64>(&self.signature);
        let (Ok(message), Some(signature)) = (message(&self.checkpoint), signature) else { return false };
        UnparsedPublicKey::new(&ED25519, key.0).verify(&message, &signature).is_ok()
    }
}

/// The key that checkpoints are verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key that is written as `text`: 64 hexadecimal digits, with whitespace around them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex_bytes(&text.trim().to_ascii_lowercase()).map(Self)
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&hex(&self.0))
    }
}

/// The folder with the key and the checkpoints, open to add one.
#[derive(Debug)]
pub(crate) struct Keys {
    folder: Folder,
    pair: Ed25519KeyPair,
}

impl Keys {
    /// Opens the folder and reads the key; makes both where they are not there.
    pub(crate) fn open_or_make(path: &Path) -> Result<Self, SinkError> {
        let folder = Folder::open_or_make(path)?;
        let key = match read_key(&folder)? {
            Some(key) => key,
            None => make_key(&folder)?,
        };
        let pair = Ed25519KeyPair::from_pkcs8(&key)
            .map_err(|_| folder.not_safe(PRIVATE, "it is no key for checkpoints; move it away"))?;
        let keys = Self { folder, pair };
        keys.publish()?;
        Ok(keys)
    }

    /// Signs that the log had come to `head` and keeps it.
    pub(crate) fn vouch(&self, log: &str, head: Head) -> Result<(), SinkError> {
        let time = crate::record::now();
        let checkpoint = Checkpoint { hash: head.hash.to_string(), log: log.to_owned(), seq: head.seq, time };
        let signature = hex(self.pair.sign(&message(&checkpoint)?).as_ref());
        let mut line = Vec::new();
        canonical::write(&mut line, &Signed { checkpoint, signature })?;
        line.push(b'\n');
        let file = self.folder.open_to_append(CHECKPOINTS)?;
        lock(&file).map_err(|error| self.folder.failed("lock", CHECKPOINTS, error))?;
        let appended = append(&file, &line);
        unlock(&file);
        appended.map_err(|error| self.folder.failed("write to", CHECKPOINTS, error))
    }

    /// Writes the public half beside the key, for people to copy.
    fn publish(&self) -> Result<(), SinkError> {
        let text = format!("{}\n", hex(self.pair.public_key().as_ref()));
        match self.folder.open_file(PUBLIC, OFlags::RDWR | OFlags::CREATE) {
            Ok(file) => {
                let failed = |error| self.folder.failed("write", PUBLIC, error);
                self.folder.must_be_safe(PUBLIC, &file)?;
                let length = text.len() as u64;
                if bytes_at(&file, 0, length + 1).map_err(failed)? != text.as_bytes() {
                    std::os::unix::fs::FileExt::write_all_at(&file, text.as_bytes(), 0).map_err(failed)?;
                    file.set_len(length).map_err(failed)?;
                }
                Ok(())
            }
            Err(error) => Err(self.folder.failed("open", PUBLIC, error)),
        }
    }
}

/// What is signed of a checkpoint.
fn message(checkpoint: &Checkpoint) -> serde_json::Result<Vec<u8>> {
    let mut message = PURPOSE.to_vec();
    canonical::write(&mut message, checkpoint)?;
    Ok(message)
}

/// Appends `line` whole or not at all, after cutting off what a crash left of another one.
fn append(mut file: &File, line: &[u8]) -> io::Result<()> {
    let size = file.metadata()?.len();
    let start = size.saturating_sub(LINE_BYTES);
    let last = bytes_at(file, start, size - start)?;
    let whole = last.iter().rposition(|byte| *byte == b'\n').map_or(start, |at| start + at as u64 + 1);
    // Further back there is none: what is there was not written by us, and shows when it is read.
    let end = if whole == start && start > 0 { size } else { whole };
    if end < size {
        file.set_len(end)?;
    }
    match file.write(line) {
        Ok(written) if written == line.len() => Ok(()),
        Ok(_) => {
            file.set_len(end)?;
            Err(io::Error::new(io::ErrorKind::StorageFull, "only a part of the checkpoint could be written"))
        }
        Err(error) => Err(error),
    }
}

fn read_key(folder: &Folder) -> Result<Option<Vec<u8>>, SinkError> {
    let failed = |error: io::Error| folder.failed("read the key of", PRIVATE, error);
    let Some(file) = folder.open_to_read(PRIVATE).map_err(failed)? else { return Ok(None) };
    folder.must_be_safe(PRIVATE, &file)?;
    let mut key = Vec::new();
    file.take(LINE_BYTES).read_to_end(&mut key).map_err(failed)?;
    Ok(Some(key))
}

/// Makes a key. Where another process is faster, its key is the one.
fn make_key(folder: &Folder) -> Result<Vec<u8>, SinkError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let failed = |error: Errno| folder.failed("make the key of", PRIVATE, error);
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| folder.failed("make the key of", PRIVATE, io::Error::other("there is no randomness")))?;
    // It gets its name when all of it is there.
    let unfinished = format!(".new-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    // What a process of the same number left when it was stopped.
    let _ = unlinkat(folder.fd(), unfinished.as_str(), AtFlags::empty());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder.fd(), unfinished.as_str(), flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    let mut file = File::from(file);
    let written = file.write_all(made.as_ref()).and_then(|()| file.sync_all());
    let named = written.map_err(|error| folder.failed("write the key of", PRIVATE, error)).and_then(|()| {
        // Not a link: a file with two names is refused, and this one would have them for a moment.
        match renameat_with(folder.fd(), unfinished.as_str(), folder.fd(), PRIVATE, RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    });
    let _ = unlinkat(folder.fd(), unfinished.as_str(), AtFlags::empty());
    named?;
    folder.sync()?;
    read_key(folder)?.ok_or_else(|| failed(Errno::NOENT))
}

/// What a folder of keys says, to verify with.
#[derive(Debug, Default)]
pub(crate) struct Vouched {
    pub(crate) key: Option<PublicKey>,
    /// All checkpoints, in the order of the file.
    pub(crate) points: Vec<Point>,
    /// The newest of them with their signatures: each one vouches for all that came before it.
    pub(crate) newest: VecDeque<Signed>,
    /// The first line that is no checkpoint, if one is not.
    pub(crate) broken: Option<u64>,
}

/// A checkpoint without its signature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) head: Head,
    /// Whether it is of the log with the id that was asked for.
    pub(crate) is_own: bool,
}

impl Vouched {
    fn add(&mut self, log: &str, signed: Signed) -> Option<()> {
        let Checkpoint { hash, log: own, seq, .. } = &signed.checkpoint;
        let head = Head { seq: *seq, hash: Hash::parse(hash.as_bytes())? };
        self.points.push(Point { head, is_own: own == log });
        self.newest.push_back(signed);
        if self.newest.len() > SIGNATURES {
            self.newest.pop_front();
        }
        Some(())
    }
}

/// Reads all checkpoints, and the public key that is beside them, for the log with the id `log`. A last line that a crash cut short counts
/// as not there, and a folder that is not there as empty.
pub(crate) fn read(path: &Path, log: &str) -> io::Result<Vouched> {
    let mut vouched = Vouched::default();
    let folder = match Folder::open(path) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vouched),
        Err(error) => return Err(error),
    };
    if let Some(file) = folder.open_to_read(PUBLIC)? {
        let mut text = String::new();
        file.take(LINE_BYTES).read_to_string(&mut text)?;
        vouched.key = PublicKey::parse(&text);
    }
    let Some(file) = folder.open_to_read(CHECKPOINTS)? else { return Ok(vouched) };
    let mut lines = BufReader::new(file);
    for number in 1.. {
        let mut line = Vec::new();
        lines.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)?;
        let Some(text) = line.strip_suffix(b"\n") else {
            if line.len() as u64 == LINE_BYTES {
                vouched.broken.get_or_insert(number);
            }
            break;
        };
        // Strictly, so that nobody reads it otherwise.
        let signed = strict(text).and_then(serde_json::from_value::<Signed>).ok();
        if signed.and_then(|signed| vouched.add(log, signed)).is_none() {
            vouched.broken.get_or_insert(number);
        }
    }
    Ok(vouched)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex_bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
