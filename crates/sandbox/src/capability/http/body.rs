//! Bodies on their way: counted, bounded, and never waited for without end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::connection::{Connection, Origin};
use super::exchange::Exchange;
use super::failure;

/// What the guest sends.
pub(super) struct Upload {
    body: WasiBody,
    left: u64,
    exchange: Arc<Exchange>,
}

impl Upload {
    pub(super) fn new(body: WasiBody, exchange: &Arc<Exchange>) -> Self {
        Self { body, left: exchange.body_bytes(), exchange: Arc::clone(exchange) }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let length = size(data);
            let Some(left) = self.left.checked_sub(length) else {
                self.exchange.body_too_large("request");
                return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.exchange.body_bytes())))));
            };
            self.left = left;
            self.exchange.sent(length);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the guest gets.
pub(super) struct Download {
    incoming: Incoming,
    left: u64,
    exchange: Arc<Exchange>,
    /// Until the body has ended. Dropped before that, a connection of one request at a time is closed.
    connection: Option<(Origin, Connection)>,
    between_bytes: Duration,
    patience: Pin<Box<Sleep>>,
    /// One of the requests that may be under way at once.
    place: Option<OwnedSemaphorePermit>,
    is_over: bool,
}

impl Download {
    pub(super) fn new(
        incoming: Incoming,
        exchange: &Arc<Exchange>,
        connection: (Origin, Connection),
        between_bytes: Duration,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let mut this = Self {
            left: exchange.body_bytes(),
            exchange: Arc::clone(exchange),
            connection: Some(connection),
            between_bytes,
            patience: Box::pin(sleep(between_bytes)),
            place: Some(place),
            is_over: false,
            incoming,
        };
        if this.incoming.is_end_stream() {
            this.end();
        }
        this
    }

    /// All of it is here: others may have the connection, and the place.
    fn end(&mut self) {
        self.is_over = true;
        self.place = None;
        if let Some((origin, connection)) = self.connection.take() {
            self.exchange.keep(&origin, connection);
        }
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.is_over = true;
        self.place = None;
        self.connection = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => return self.fail(failure::of_hyper(&error)),
            Poll::Ready(None) => {
                self.end();
                return Poll::Ready(None);
            }
            Poll::Pending => {
                ready!(self.patience.as_mut().poll(context));
                return self.fail(Error::ConnectionReadTimeout);
            }
        };
        if let Some(data) = frame.data_ref() {
            let length = size(data);
            let Some(left) = self.left.checked_sub(length) else {
                self.exchange.body_too_large("response");
                let limit = self.exchange.body_bytes();
                return self.fail(Error::HttpResponseBodySize(Some(limit)));
            };
            self.left = left;
            self.exchange.received(length);
        }
        let until = Instant::now() + self.between_bytes;
        self.patience.as_mut().reset(until);
        if self.incoming.is_end_stream() {
            self.end();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

fn size(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}
