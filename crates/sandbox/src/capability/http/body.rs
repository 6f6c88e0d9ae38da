//! Bodies on their way: counted, bounded, and never waited for without end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use caplet_secrets::{MaskStream, Masker};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::{Error, WasiBody};

use super::connection::Connection;
use super::credentials::mask_fields;
use super::exchange::Exchange;
use super::failure;
use super::kept::Origin;

/// What the guest sends.
pub(super) struct Upload {
    body: WasiBody,
    left: u64,
    /// How much is still to come of the length that the guest said, if it said one.
    announced: Option<u64>,
    exchange: Arc<Exchange>,
}

impl Upload {
    pub(super) fn new(body: WasiBody, headers: &HeaderMap, exchange: &Arc<Exchange>) -> Self {
        // A length that is none was refused when the guest handed the request over.
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Self { body, left: exchange.body_bytes(), announced, exchange: Arc::clone(exchange) }
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
            if let Some(announced) = &mut self.announced {
                let Some(rest) = announced.checked_sub(length) else {
                    return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(*announced)))));
                };
                *announced = rest;
            }
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
    stage: Stage,
    /// Whether the request had no body.
    is_asked_in_full: bool,
    between_bytes: Duration,
    patience: Patience,
    /// One of the requests that may be under way at once.
    place: Option<OwnedSemaphorePermit>,
    mask: Option<Mask>,
    /// What is ready for the guest.
    due: VecDeque<Frame<Bytes>>,
}

/// How far a body is.
enum Stage {
    /// More is to come. Dropped before its end, a connection of one request at a time is closed.
    Coming(Origin, Connection),
    /// From the end of the body until the connection is ready for the next request. The guest waits for that here, at the end of
    /// what it reads, so that its next request can go at once. It takes a moment, unless the server answered before it had all of
    /// the request; who sent a body does not wait.
    Settling(Origin, Connection),
    Over,
}

/// How long the server may still be silent. A timer is only made for a guest that has to wait.
struct Patience {
    until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn new(duration: Duration) -> Self {
        Self { until: Instant::now() + duration, timer: None }
    }

    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.timer.get_or_insert_with(|| Box::pin(sleep_until(self.until))).as_mut().poll(context)
    }
}

/// What hides secrets in a body and its trailers.
struct Mask {
    masker: Arc<Masker>,
    stream: MaskStream,
}

impl Download {
    pub(super) fn new(
        incoming: Incoming,
        exchange: &Arc<Exchange>,
        (origin, connection, is_asked_in_full): (Origin, Connection, bool),
        between_bytes: Duration,
        place: OwnedSemaphorePermit,
        masker: Option<Arc<Masker>>,
    ) -> Self {
        let mut this = Self {
            left: exchange.body_bytes(),
            exchange: Arc::clone(exchange),
            stage: Stage::Coming(origin, connection),
            is_asked_in_full,
            between_bytes,
            patience: Patience::new(between_bytes),
            place: Some(place),
            mask: masker.map(|masker| Mask { stream: masker.stream(), masker }),
            due: VecDeque::new(),
            incoming,
        };
        if this.incoming.is_end_stream() {
            this.end(None);
        }
        this
    }

    /// All of it is here: others may have the connection, and the place. What the mask held back comes out, and then the trailers.
    fn end(&mut self, trailers: Option<HeaderMap>) {
        self.place = None;
        self.stage = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Coming(origin, connection) => Stage::Settling(origin, connection),
            ended => ended,
        };
        let mut trailers = trailers;
        if let Some(Mask { masker, stream }) = self.mask.take() {
            let mut rest = Vec::new();
            stream.finish(&mut rest);
            if !rest.is_empty() {
                self.due.push_back(Frame::data(rest.into()));
            }
            if let Some(trailers) = &mut trailers {
                mask_fields(&masker, trailers);
            }
        }
        self.due.extend(trailers.map(Frame::trailers));
    }

    /// Waits until the connection is ready for another request, and lets others have it. One that does not get ready is closed.
    fn poll_settled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Stage::Settling(_, connection) = &mut self.stage else { return Poll::Ready(()) };
        let is_ready = match connection.poll_ready(context) {
            Poll::Ready(is_ready) => is_ready,
            Poll::Pending if !self.is_asked_in_full => true,
            Poll::Pending => {
                ready!(self.patience.poll_over(context));
                false
            }
        };
        if let Stage::Settling(origin, connection) = std::mem::replace(&mut self.stage, Stage::Over)
            && is_ready
        {
            self.exchange.keep(&origin, connection);
        }
        Poll::Ready(())
    }

    fn fail(&mut self, error: Error) -> Error {
        self.place = None;
        if let Stage::Coming(_, connection) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.exchange.forget(&connection);
        }
        self.mask = None;
        error
    }

    /// Takes data from the server: counts it, and hides what is not for the guest.
    fn take(&mut self, data: Bytes) -> Result<(), Error> {
        let length = size(&data);
        let Some(left) = self.left.checked_sub(length) else {
            self.exchange.body_too_large("response");
            return Err(Error::HttpResponseBodySize(Some(self.exchange.body_bytes())));
        };
        self.left = left;
        self.exchange.received(length);
        let data = match &mut self.mask {
            None => data,
            Some(mask) => {
                let mut masked = Vec::with_capacity(data.len());
                mask.stream.push(&data, &mut masked);
                masked.into()
            }
        };
        if !data.is_empty() {
            self.due.push_back(Frame::data(data));
        }
        Ok(())
    }

    /// One step: something came in, or the body ended. Nothing is due yet if it is not ready.
    fn poll_server(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Stage::Coming(_, connection) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let frame = match connection.poll_frame(&mut self.incoming, context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(failure::of_hyper(&error))),
            Poll::Ready(None) => {
                self.end(None);
                return Poll::Ready(Ok(()));
            }
            Poll::Pending => {
                ready!(self.patience.poll_over(context));
                return Poll::Ready(Err(Error::ConnectionReadTimeout));
            }
        };
        match frame.into_data() {
            Ok(data) => {
                // Frames without a byte are no bytes.
                if !data.is_empty() {
                    self.patience = Patience::new(self.between_bytes);
                }
                self.take(data)?;
                if self.incoming.is_end_stream() {
                    self.end(None);
                }
            }
            Err(frame) => self.end(frame.into_trailers().ok()),
        }
        Poll::Ready(Ok(()))
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            if let Some(frame) = self.due.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if !matches!(self.stage, Stage::Coming(..)) {
                ready!(self.poll_settled(context));
                return Poll::Ready(None);
            }
            if let Err(error) = ready!(self.poll_server(context)) {
                return Poll::Ready(Some(Err(self.fail(error))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.stage, Stage::Over) && self.due.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.mask.is_some() || !matches!(self.stage, Stage::Coming(..)) {
            SizeHint::default()
        } else {
            self.incoming.size_hint()
        }
    }
}

impl Drop for Download {
    /// A guest need not look whether there is more when it has all that it wants.
    fn drop(&mut self) {
        if let Stage::Settling(origin, connection) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.exchange.keep(&origin, connection);
        }
    }
}

fn size(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}
