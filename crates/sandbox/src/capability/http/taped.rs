//! One exchange, with a tape beside it or in its place.
//!
//! What always holds: in a replay, the same is decided as in a call that goes out (the request, each address, each secret), and nothing is
//! looked up, dialled or sent.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use caplet_policy::{HttpOp, Permitted};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_http::{Error, WasiBody};

use super::body::Upload;
use super::credentials;
use super::exchange::{Answered, Asked, Exchange, Patience, empty};
use super::wire::Wire;
use crate::recording::{Chunk, Noting, Player, Sent, Tape};

/// A response, from a server or from a tape.
pub(super) enum Answer {
    Came(Answered),
    Noted(Response<WasiBody>),
}

impl Answer {
    /// Its status and headers.
    pub(super) fn head(&self) -> (StatusCode, &HeaderMap) {
        match self {
            Self::Came(answered) => (answered.response.status(), answered.response.headers()),
            Self::Noted(response) => (response.status(), response.headers()),
        }
    }
}

impl Exchange {
    /// Sends one request and waits for the head of the response, or takes it from a tape.
    pub(super) async fn answer(
        self: &Arc<Self>,
        request: &Permitted<HttpOp>,
        asked: &mut Asked,
        patience: Patience,
    ) -> Result<Answer, Error> {
        match &self.tape {
            None => self.ask(request, asked, patience).await.map(Answer::Came),
            Some(Tape::Playing(player)) => Box::pin(self.replay(player, request, asked)).await.map(Answer::Noted),
            Some(Tape::Recording(recorder)) => {
                let noting = recorder.exchange(asked.method.as_str(), request.op().url());
                asked.body = SentBody::noted(std::mem::replace(&mut asked.body, empty()), &noting);
                asked.noting = Some(noting.clone());
                let answered = self.ask(request, asked, patience).await;
                answered.inspect_err(|error| noting.failed(error)).map(Answer::Came)
            }
        }
    }

    /// Notes the head of a response that leads on to another request, which the guest never sees.
    pub(super) fn note_hop(&self, noting: &Noting, status: StatusCode, mut headers: HeaderMap) {
        if let Some(masker) = self.credentials().masker() {
            credentials::mask_fields(&masker, &mut headers);
        }
        noting.head(status, &headers);
        noting.over();
    }

    /// What came of a request in the recorded call, after the same decisions.
    async fn replay(
        self: &Arc<Self>,
        player: &Player,
        request: &Permitted<HttpOp>,
        asked: &mut Asked,
    ) -> Result<Response<WasiBody>, Error> {
        self.count()?;
        let _place = self.place().await?;
        let mut wire = Wire::new(request, &asked.method, &asked.headers)?;
        let Some(heard) = player.exchange(asked.method.as_str(), request.op().url()) else {
            player.unknown_op(format!("request {} {}", asked.method, request.op().url()));
            return Err(Error::DestinationNotFound);
        };
        for address in heard.addresses() {
            // What is refused is on record, as it was then.
            drop(self.permit_address(request, address).await);
        }
        self.credentials().add(request, &mut wire).await?;
        let upload = Upload::new(std::mem::replace(&mut asked.body, empty()), &wire.headers, self);
        // A body that was not sent to its end then is not waited for.
        let draining = match heard.has_sent() {
            true => {
                heard.compare(drained(upload).await?.as_ref());
                None
            }
            false => Some(spawn(drained(upload))),
        };
        asked.on_its_way.set();
        let Some(head) = heard.head() else { return std::future::pending().await };
        let (status, headers) = head?;
        let body = ReplayBody { due: heard.body(), exchange: Arc::clone(self), _draining: draining };
        let mut response = Response::new(body.boxed_unsync());
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }
}

/// Takes a request's body to its end, where nobody wants it; gives the digest of what there was.
async fn drained(mut body: Upload) -> Result<Option<Sent>, Error> {
    if body.is_end_stream() {
        return Ok(None);
    }
    let mut hash = Sha256::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            hash.update(data);
        }
    }
    Ok(Some(Sent::new(&hash.finalize())))
}

/// A request's body whose digest is noted at its end.
pub(super) struct SentBody {
    body: WasiBody,
    hash: Sha256,
    noting: Noting,
}

impl SentBody {
    /// `body`, if there is anything in it.
    pub(super) fn noted(body: WasiBody, noting: &Noting) -> WasiBody {
        if body.is_end_stream() {
            return body;
        }
        Self { body, hash: Sha256::new(), noting: noting.clone() }.boxed_unsync()
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.hash.update(data);
                }
                if self.body.is_end_stream() {
                    self.noting.sent(Sent::new(&self.hash.clone().finalize()));
                }
            }
            Some(Err(_)) => {}
            None => self.noting.sent(Sent::new(&self.hash.clone().finalize())),
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

/// A response's body that is noted as the guest gets it.
pub(super) struct NotedBody<B> {
    body: B,
    noting: Noting,
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> NotedBody<B> {
    pub(super) fn new(body: B, noting: Noting) -> Self {
        if body.is_end_stream() {
            noting.over();
        }
        Self { body, noting }
    }
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for NotedBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            None => self.noting.over(),
            Some(Err(error)) => self.noting.failed(error),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.noting.chunk(data);
                }
                if let Some(trailers) = frame.trailers_ref() {
                    self.noting.trailers(trailers);
                }
                if self.body.is_end_stream() {
                    self.noting.over();
                }
            }
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

/// A response's body from notes.
struct ReplayBody {
    due: VecDeque<Chunk>,
    exchange: Arc<Exchange>,
    _draining: Option<AbortOnDropJoinHandle<Result<Option<Sent>, Error>>>,
}

impl Body for ReplayBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(match self.due.pop_front() {
            None | Some(Chunk::End) => None,
            Some(Chunk::Data(data)) => {
                self.exchange.received(u64::try_from(data.len()).unwrap_or(u64::MAX));
                Some(Ok(Frame::data(data)))
            }
            Some(Chunk::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Chunk::Failed(error)) => {
                if matches!(error, Error::HttpResponseBodySize(_)) {
                    self.exchange.body_too_large("response");
                }
                Some(Err(error))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.due.front(), None | Some(Chunk::End))
    }
}
