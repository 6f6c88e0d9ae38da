//! A pipe in memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::{CHUNK, Kind, Stream};
use crate::stop::{Flow, Stop};
use crate::task;

#[derive(Debug)]
struct State {
    pieces: VecDeque<Vec<u8>>,
    size: usize,
    reader: bool,
    writer: bool,
}

type Shared = Rc<RefCell<State>>;

/// Makes a pipe: the end to read from, and the one to write to. Each is closed when its last descriptor is dropped.
pub(crate) fn pipe() -> (Rc<Stream>, Rc<Stream>) {
    let state = State { pieces: VecDeque::new(), size: 0, reader: true, writer: true };
    let shared = Rc::new(RefCell::new(state));
    (Stream::new(Kind::Reader(ReadEnd(Rc::clone(&shared)))), Stream::new(Kind::Writer(WriteEnd(shared))))
}

#[derive(Debug)]
pub(super) struct ReadEnd(Shared);

#[derive(Debug)]
pub(super) struct WriteEnd(Shared);

impl ReadEnd {
    /// The next piece; empty once the writer is gone.
    pub(super) async fn read(&self) -> Vec<u8> {
        poll_fn(|_| {
            let mut state = self.0.borrow_mut();
            match state.pieces.pop_front() {
                Some(piece) => {
                    state.size -= piece.len();
                    task::progress();
                    Poll::Ready(piece)
                }
                None if state.writer => Poll::Pending,
                None => Poll::Ready(Vec::new()),
            }
        })
        .await
    }
}

impl WriteEnd {
    /// Writes all, waiting for room; ends the writer once the reader is gone.
    pub(super) async fn write(&self, bytes: &[u8]) -> Flow<()> {
        for piece in bytes.chunks(CHUNK) {
            poll_fn(|_| {
                let mut state = self.0.borrow_mut();
                if !state.reader {
                    return Poll::Ready(Err(Stop::Pipe));
                }
                if state.size >= CHUNK {
                    return Poll::Pending;
                }
                state.size += piece.len();
                match state.pieces.back_mut() {
                    Some(last) if last.len() + piece.len() <= CHUNK => last.extend_from_slice(piece),
                    _ => state.pieces.push_back(piece.to_vec()),
                }
                task::progress();
                Poll::Ready(Ok(()))
            })
            .await?;
        }
        Ok(())
    }
}

impl Drop for ReadEnd {
    fn drop(&mut self) {
        let mut state = self.0.borrow_mut();
        state.reader = false;
        state.pieces.clear();
        task::progress();
    }
}

impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.0.borrow_mut().writer = false;
        task::progress();
    }
}
