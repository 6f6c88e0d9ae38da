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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::task::{Wake, Waker};

    use hyper::rt::ReadBuf;

    use super::*;

    /// Always has more.
    struct Endless;

    impl Read for Endless {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, mut buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
            buffer.put_slice(b"x");
            Poll::Ready(Ok(()))
        }
    }

    impl Write for Endless {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_stream_without_end_is_read_as_often_as_it_may_be() {
        let ration = Ration::default();
        let mut stream = Rationed::new(Endless, ration.clone());
        let mut reads = |most: usize| {
            let woken = Arc::new(Woken(AtomicBool::new(false)));
            let waker = Waker::from(Arc::clone(&woken));
            let mut context = Context::from_waker(&waker);
            let mut bytes = [0; 8];
            let read = |_: &usize| {
                let mut buffer = ReadBuf::new(&mut bytes);
                Pin::new(&mut stream).poll_read(&mut context, buffer.unfilled()).is_ready()
            };
            ((0..most).take_while(read).count(), woken.0.load(Ordering::Relaxed))
        };
        assert_eq!(reads(100), (0, true), "nothing before it is driven");
        ration.renew(3);
        assert_eq!(reads(100), (3, true), "and then it is woken at once");
        ration.renew(u32::MAX);
        assert_eq!(reads(1_000), (1_000, false));
    }
}
