//! Streams of bytes between commands: files, pipes in memory, and what is kept.
//!
//! All commands of a call run in one thread as futures, so a stream that is full or empty lets the others go on. What was
//! read ahead stays in the stream, so that `read` and the commands after it miss nothing. A pipe holds [`CHUNK`] bytes and
//! a little more.

mod pipe;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

pub(crate) use pipe::pipe;
use pipe::{ReadEnd, WriteEnd};

use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;
use crate::task;

/// How much is read, and written, at once; also about what a pipe holds.
pub(crate) const CHUNK: usize = 64 * 1024;
/// What a command substitution may give.
pub(crate) const CAPTURE_MAX: usize = 64 * 1024 * 1024;

/// An open stream. Copies of a descriptor share it.
#[derive(Debug)]
pub(crate) struct Stream {
    kind: Kind,
    /// What was read and not used, and how much of it was used since.
    ahead: RefCell<(Vec<u8>, usize)>,
}

#[derive(Debug)]
enum Kind {
    /// Reads nothing, writes nowhere.
    Null,
    /// Reads zeros, or random bytes.
    Endless(Option<Cell<u64>>),
    /// Reads what is ahead, and then nothing.
    Bytes,
    File(File),
    Reader(ReadEnd),
    Writer(WriteEnd),
    Kept(Rc<Kept>),
}

/// Output that is kept: all of it up to a bound, or its start and end.
#[derive(Debug)]
pub(crate) struct Kept {
    head_max: usize,
    /// 0: what does not fit is an error.
    tail_max: usize,
    head: RefCell<Vec<u8>>,
    tail: RefCell<std::collections::VecDeque<u8>>,
    dropped: Cell<u64>,
}

impl Kept {
    /// Keeps everything, up to [`CAPTURE_MAX`].
    pub(crate) fn all() -> Rc<Self> {
        Self::both_ends(CAPTURE_MAX, 0)
    }

    /// Keeps that many bytes of the start and of the end.
    pub(crate) fn both_ends(head_max: usize, tail_max: usize) -> Rc<Self> {
        Rc::new(Self { head_max, tail_max, head: RefCell::default(), tail: RefCell::default(), dropped: Cell::new(0) })
    }

    /// Takes what was kept of the start, of the end, and how many bytes between were not.
    pub(crate) fn take(&self) -> (Vec<u8>, Vec<u8>, u64) {
        (self.head.take(), self.tail.take().into(), self.dropped.take())
    }

    fn write(&self, bytes: &[u8]) -> Flow<()> {
        let mut head = self.head.borrow_mut();
        let room = self.head_max.saturating_sub(head.len());
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        head.extend_from_slice(now);
        if later.is_empty() {
            return Ok(());
        }
        if self.tail_max == 0 {
            return Err(Stop::Limit(format!("command substitution: more than {CAPTURE_MAX} bytes of output")));
        }
        let mut tail = self.tail.borrow_mut();
        let keep = later.get(later.len().saturating_sub(self.tail_max)..).unwrap_or_default();
        let gone = later.len() - keep.len() + (tail.len() + keep.len()).saturating_sub(self.tail_max);
        self.dropped.set(self.dropped.get() + gone as u64);
        let from_tail = (tail.len() + keep.len()).saturating_sub(self.tail_max);
        tail.drain(..from_tail);
        tail.extend(keep);
        Ok(())
    }
}

impl Stream {
    fn new(kind: Kind) -> Rc<Self> {
        Rc::new(Self { kind, ahead: RefCell::default() })
    }

    pub(crate) fn null() -> Rc<Self> {
        Self::new(Kind::Null)
    }

    pub(crate) fn zeros() -> Rc<Self> {
        Self::new(Kind::Endless(None))
    }

    pub(crate) fn random(seed: u64) -> Rc<Self> {
        Self::new(Kind::Endless(Some(Cell::new(seed | 1))))
    }

    pub(crate) fn bytes(bytes: Vec<u8>) -> Rc<Self> {
        Rc::new(Self { kind: Kind::Bytes, ahead: RefCell::new((bytes, 0)) })
    }

    pub(crate) fn file(file: File) -> Rc<Self> {
        Self::new(Kind::File(file))
    }

    pub(crate) fn kept(kept: &Rc<Kept>) -> Rc<Self> {
        Self::new(Kind::Kept(Rc::clone(kept)))
    }

    /// The next bytes; none at the end.
    pub(crate) async fn read(&self) -> Flow<Vec<u8>> {
        {
            let (bytes, used) = &mut *self.ahead.borrow_mut();
            let mut rest = std::mem::take(bytes);
            let from = std::mem::take(used);
            if from < rest.len() {
                if from > 0 {
                    rest.drain(..from);
                }
                return Ok(rest);
            }
        }
        self.source().await
    }

    async fn source(&self) -> Flow<Vec<u8>> {
        task::breathe().await;
        match &self.kind {
            Kind::Null | Kind::Bytes | Kind::Kept(_) => Ok(Vec::new()),
            Kind::Writer(_) => Err(Stop::Io("Bad file descriptor".to_owned())),
            Kind::Endless(None) => Ok(vec![0; CHUNK]),
            Kind::Endless(Some(state)) => Ok((0..CHUNK).map(|_| random_byte(state)).collect()),
            Kind::File(file) => read_file(file),
            Kind::Reader(end) => Ok(end.read().await),
        }
    }

    /// Gives back bytes that were read and not used.
    pub(crate) fn unread(&self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            *self.ahead.borrow_mut() = (bytes, 0);
        }
    }

    /// Appends the bytes up to `delimiter` to `out`; false if the stream ended first. Takes no byte beyond.
    pub(crate) async fn read_until(&self, delimiter: u8, most: usize, out: &mut Text) -> Flow<bool> {
        let mut left = most;
        loop {
            {
                let (bytes, used) = &mut *self.ahead.borrow_mut();
                let rest = bytes.get(*used..).unwrap_or_default();
                let limit = rest.len().min(left);
                let window = rest.get(..limit).unwrap_or_default();
                if let Some(end) = memchr::memchr(delimiter, window) {
                    out.extend_from_slice(window.get(..end).unwrap_or_default());
                    *used += end + 1;
                    return Ok(true);
                }
                out.extend_from_slice(window);
                left -= limit;
                *used += limit;
                if left == 0 {
                    return Ok(true);
                }
            }
            let more = self.source().await?;
            if more.is_empty() {
                return Ok(false);
            }
            *self.ahead.borrow_mut() = (more, 0);
        }
    }

    /// Writes all of it.
    pub(crate) async fn write(&self, bytes: &[u8]) -> Flow<()> {
        task::breathe().await;
        match &self.kind {
            Kind::Null | Kind::Endless(_) => Ok(()),
            Kind::Bytes | Kind::Reader(_) => Err(Stop::Io("Bad file descriptor".to_owned())),
            Kind::File(file) => {
                let mut file = file;
                file.write_all(bytes).map_err(|error| Stop::Io(crate::fs::message(&error)))
            }
            Kind::Writer(end) => end.write(bytes).await,
            Kind::Kept(kept) => kept.write(bytes),
        }
    }

    /// Moves to a place in a file.
    pub(crate) fn seek(&self, to: u64) -> io::Result<()> {
        self.ahead.take();
        match &self.kind {
            Kind::File(file) => {
                let mut file = file;
                file.seek(SeekFrom::Start(to)).map(drop)
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

fn read_file(file: &File) -> Flow<Vec<u8>> {
    let mut file = file;
    let mut bytes = vec![0; CHUNK];
    loop {
        match file.read(&mut bytes) {
            Ok(count) => {
                bytes.truncate(count);
                return Ok(bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Stop::Io(crate::fs::message(&error))),
        }
    }
}

fn random_byte(state: &Cell<u64>) -> u8 {
    let mut x = state.get();
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    state.set(x);
    x.to_le_bytes().get(3).copied().unwrap_or(0)
}
