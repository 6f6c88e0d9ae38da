//! File contents as streams.
//!
//! A store that answers at once is read and written in the call itself. One that may block (a network file system, say) is
//! read ahead, and written behind, on threads of their own, so that a guest that waits holds up nobody else and its deadline
//! still ends it.

use bytes::Bytes;
use caplet_vfs::{Descriptor, FsError, Namespace};
use tokio::task::{JoinError, JoinHandle};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

/// The most that one read brings or one write takes.
const CHUNK_BYTES: usize = 256 * 1024;

/// How much is read ahead on behalf of a guest that only asked whether there is something to read.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// Whether content is moved on other threads. Not in a repeatable call, even where a store may keep it waiting: how far they got would
/// show in what is ready.
fn waits(files: &Namespace) -> bool {
    files.may_block() && !files.is_repeatable()
}

/// A file being read from an offset on.
pub(super) struct FileReader {
    files: Namespace,
    file: Descriptor,
    offset: u64,
    ahead: Option<Result<Bytes, FsError>>,
}

impl FileReader {
    pub(super) fn new(files: Namespace, file: Descriptor, offset: u64) -> Self {
        Self { files, file, offset, ahead: None }
    }

    fn hand_over(&mut self, mut bytes: Bytes, size: usize) -> StreamResult<Bytes> {
        if bytes.is_empty() {
            return Err(StreamError::Closed);
        }
        let given = bytes.split_to(size.min(bytes.len()));
        self.offset = self.offset.saturating_add(u64::try_from(given.len()).unwrap_or(u64::MAX));
        if !bytes.is_empty() {
            self.ahead = Some(Ok(bytes));
        }
        Ok(given)
    }
}

#[wasmtime_wasi_io::async_trait]
impl InputStream for FileReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let size = size.min(CHUNK_BYTES);
        let read = match self.ahead.take() {
            Some(read) => read,
            None if waits(&self.files) => return Ok(Bytes::new()),
            None => self.files.read_at(&self.file, self.offset, size).map(Bytes::from),
        };
        self.hand_over(read.map_err(failed)?, size)
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for FileReader {
    async fn ready(&mut self) {
        if self.ahead.is_some() || !waits(&self.files) {
            return;
        }
        let (files, file, offset) = (self.files.clone(), self.file.clone(), self.offset);
        // Dropped half-way, it is simply read again.
        let read = finished(tokio::task::spawn_blocking(move || files.read_at(&file, offset, READ_AHEAD_BYTES)).await);
        self.ahead = Some(read.unwrap_or(Err(FsError::Io)).map(Bytes::from));
    }
}

/// Where writes go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Position {
    At(u64),
    End,
}

/// What a store that may block has yet to take.
enum Pending {
    Nothing,
    Taken(Bytes),
    /// It goes on if the guest stops waiting, and is awaited when the guest waits again.
    Writing(JoinHandle<Result<u64, FsError>>),
}

/// A file being written.
pub(super) struct FileWriter {
    files: Namespace,
    file: Descriptor,
    position: Position,
    pending: Pending,
    failure: Option<FsError>,
}

impl FileWriter {
    pub(super) fn new(files: Namespace, file: Descriptor, position: Position) -> Self {
        Self { files, file, position, pending: Pending::Nothing, failure: None }
    }

    fn settle(&mut self, written: Result<u64, FsError>) {
        match (written, &mut self.position) {
            (Ok(count), Position::At(offset)) => *offset = offset.saturating_add(count),
            (Ok(_), Position::End) => {}
            (Err(error), _) => self.failure = Some(error),
        }
    }

    fn fail_once(&mut self) -> StreamResult<()> {
        self.failure.take().map_or(Ok(()), |error| Err(failed(error)))
    }
}

/// A guest may drop a stream right after a write that was taken: what was taken is written.
impl Drop for FileWriter {
    fn drop(&mut self) {
        if let Pending::Taken(bytes) = &self.pending {
            let _ = write_all(&self.files, &self.file, self.position, bytes);
        }
    }
}

fn write_all(files: &Namespace, file: &Descriptor, position: Position, bytes: &[u8]) -> Result<u64, FsError> {
    let mut written = 0usize;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        let count = match position {
            Position::At(offset) => files.write_at(file, offset.saturating_add(widen(written)), rest)?,
            Position::End => files.append(file, rest)?,
        };
        if count == 0 {
            return Err(FsError::Io);
        }
        written = written.saturating_add(count);
    }
    Ok(widen(written))
}

#[wasmtime_wasi_io::async_trait]
impl OutputStream for FileWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.fail_once()?;
        if waits(&self.files) {
            if !matches!(self.pending, Pending::Nothing) {
                return Err(StreamError::trap("a write was not announced by check-write"));
            }
            let at_once = match self.position {
                Position::At(offset) => self.files.write_at_once(&self.file, offset, &bytes),
                Position::End => None,
            };
            match at_once {
                Some(Ok(written)) if written == bytes.len() => self.settle(Ok(widen(written))),
                Some(Ok(written)) => {
                    self.settle(Ok(widen(written)));
                    self.pending = Pending::Taken(bytes.slice(written..));
                }
                Some(Err(error)) => self.settle(Err(error)),
                None if bytes.is_empty() => {}
                None => self.pending = Pending::Taken(bytes),
            }
            return Ok(());
        }
        let written = write_all(&self.files, &self.file, self.position, &bytes);
        self.settle(written);
        self.fail_once()
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.fail_once()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.fail_once()?;
        Ok(if matches!(self.pending, Pending::Nothing) { CHUNK_BYTES } else { 0 })
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for FileWriter {
    async fn ready(&mut self) {
        if let Pending::Taken(bytes) = &self.pending {
            let (files, file, position) = (self.files.clone(), self.file.clone(), self.position);
            let bytes = bytes.clone();
            self.pending =
                Pending::Writing(tokio::task::spawn_blocking(move || write_all(&files, &file, position, &bytes)));
        }
        let Pending::Writing(writing) = &mut self.pending else { return };
        let written = writing.await;
        self.pending = Pending::Nothing;
        self.settle(finished(written).unwrap_or(Err(FsError::Io)));
    }
}

/// What a thread that may block came to; nothing, if the process ends. A store that panicked there ends the call as if it had
/// panicked here.
pub(super) fn finished<T>(joined: Result<T, JoinError>) -> Option<T> {
    joined
        .map_err(|gone| {
            if gone.is_panic() {
                std::panic::resume_unwind(gone.into_panic())
            }
        })
        .ok()
}

/// The guest can ask for the code behind this error.
fn failed(error: FsError) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}

fn widen(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
