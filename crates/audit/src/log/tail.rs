//! The end of a segment: its last entry, and what a crash left behind it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::entry::{ENTRY_BYTES, Hash, RawEntry, Remark};

/// How much is read at first. The usual entry is far shorter.
const BLOCK: u64 = 16 * 1024;

/// The most that is read: a whole entry, and before it room for one that a crash cut short.
const MOST: u64 = 2 * ENTRY_BYTES as u64;

/// The last entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The end of a segment.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The last whole entry, where there is one.
    pub(crate) head: Option<Head>,
    /// Where it ends.
    pub(crate) end: u64,
    /// What is behind it: no line break ends it.
    pub(crate) torn: Vec<u8>,
}

/// Why the end of a segment cannot be built on.
#[derive(Debug)]
pub(crate) enum TailError {
    Io(io::Error),
    /// The last line was not written by us, or has been changed.
    Damaged,
}

impl From<io::Error> for TailError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads the end of the first `size` bytes of `file`.
pub(crate) fn read(file: &File, size: u64) -> Result<Tail, TailError> {
    let mut block = BLOCK;
    loop {
        let start = size.saturating_sub(block);
        let bytes = bytes_at(file, start, size - start)?;
        let breaks = || bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        let (last, before) = (breaks().next(), breaks().nth(1));
        match (last, before) {
            (Some(last), before) if before.is_some() || start == 0 => {
                let line = bytes.get(before.map_or(0, |before| before + 1)..last).unwrap_or_default();
                let entry = RawEntry::parse(line).filter(RawEntry::is_sealed).ok_or(TailError::Damaged)?;
                let head = Some(Head { seq: entry.seq, hash: entry.hash });
                let torn = bytes.get(last + 1..).unwrap_or_default().to_vec();
                return Ok(Tail { head, end: size - torn.len() as u64, torn });
            }
            (None, _) if start == 0 => return Ok(Tail { head: None, end: 0, torn: bytes }),
            _ if block >= MOST => return Err(TailError::Damaged),
            _ => block = block.saturating_mul(8).min(MOST),
        }
    }
}

/// The log's id and when the segment was begun, from its first entry.
pub(crate) fn start(file: &File, size: u64) -> Result<(String, String), TailError> {
    let bytes = bytes_at(file, 0, size.min(BLOCK))?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match RawEntry::parse(line).and_then(|entry| entry.remark()) {
        Some(Remark::Start { log, time, .. }) => Ok((log, time)),
        _ => Err(TailError::Damaged),
    }
}

/// Bytes of `file`; fewer only where it ends.
pub(crate) fn bytes_at(file: &File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let mut got = 0;
    while got < bytes.len() {
        match file.read_at(&mut bytes[got..], start + got as u64) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(got);
    Ok(bytes)
}
