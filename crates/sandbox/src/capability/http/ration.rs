//! A stream that is read only so often at a time.
//!
//! Inside a task the runtime sees to it that nobody goes on for ever while there is something to read. A guest may be driven outside of
//! one. What always holds: where the ration is used up, a read waits and wakes its reader at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

/// What a connection is made over.
pub(super) trait Stream: Read + Write + Unpin + Send + 'static {}

impl<T: Read + Write + Unpin + Send + 'static> Stream for T {}

/// How many reads are left.
#[derive(Clone, Debug, Default)]
pub(super) struct Ration(Arc<AtomicU32>);

impl Ration {
    pub(super) fn renew(&self, reads: u32) {
        self.0.store(reads, Ordering::Relaxed);
    }

    /// Whether there was one left. Without end is without end.
    fn take(&self) -> bool {
        let next = |left: u32| if left == u32::MAX { Some(left) } else { left.checked_sub(1) };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// A stream with a ration of reads.
pub(super) struct Rationed<S> {
    stream: S,
    ration: Ration,
}

impl<S> Rationed<S> {
    pub(super) fn new(stream: S, ration: Ration) -> Self {
        Self { stream, ration }
    }
}

impl<S: Stream> Read for Rationed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ration.take() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Stream> Write for Rationed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}
