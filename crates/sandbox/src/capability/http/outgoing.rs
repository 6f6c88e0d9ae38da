//! `wasi:http/outgoing-handler`: what a guest wrote becomes a request for the gate, and its response is awaited.
//!
//! In the place of the engine's own (release 48.0.8), which gives every request a task. Here a refusal is the answer of `handle`
//! itself; and once a request is on its way, nobody but the guest that waits for it has to wake up. What always holds: a request that
//! is not on its way yet goes on while the guest does something else.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, Method, header};
use http_body_util::BodyExt as _;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi_http::p2::bindings::http::types::{self as wasi, ErrorCode};
use wasmtime_wasi_http::p2::body::HostIncomingBody;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{Error, FieldMap, RequestOptions, WasiBody};
use wasmtime_wasi_io::poll::{Pollable, subscribe};

use super::exchange::empty;
use super::{TYPES, failure};
use crate::state::CallState;

/// The engine's version of the standard's handler.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// Links `handle`, and what can be done with what it gives.
pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    linker.instance(HANDLER)?.func_wrap("handle", handle)?;
    let mut types = linker.instance(TYPES)?;
    let shape = ResourceType::host::<HostFutureIncomingResponse>();
    types.resource("future-incoming-response", shape, |mut store, rep| {
        store.data_mut().table.delete(Resource::<Awaited>::new_own(rep))?;
        Ok(())
    })?;
    types.func_wrap("[method]future-incoming-response.subscribe", |mut store, (future,)| {
        Ok((subscribe(&mut store.data_mut().table, awaited(&future))?,))
    })?;
    types.func_wrap("[method]future-incoming-response.get", |mut store, (future,)| {
        Ok((store.data_mut().response(&awaited(&future))?,))
    })
}

/// The guest's future under the type that it has here. Only the functions above ever see one.
fn awaited(future: &Resource<HostFutureIncomingResponse>) -> Resource<Awaited> {
    Resource::new_borrow(future.rep())
}

type Handled = Result<Resource<HostFutureIncomingResponse>, ErrorCode>;

fn handle(
    mut store: StoreContextMut<'_, CallState>,
    (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>),
) -> wasmtime::Result<(Handled,)> {
    let state = store.data_mut();
    let request = state.table.delete(request)?;
    let options = options.map(|options| state.table.delete(options)).transpose()?;
    let begun = Wanted::new(request).and_then(|request| state.http_gate.begin(request, options));
    Ok((match begun {
        Ok(awaited) => Ok(Resource::new_own(state.table.push(awaited)?.rep())),
        Err(error) => Err(failure::code(&error)),
    },))
}

/// A request that a guest put together.
pub(super) struct Wanted {
    pub(super) method: Method,
    /// As the guest has it: nothing is decided on it yet.
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: WasiBody,
}

impl Wanted {
    fn new(asked: HostOutgoingRequest) -> Result<Self, Error> {
        let HostOutgoingRequest { method, scheme, authority, path_with_query, headers, body } = asked;
        if body.is_none() && content_length(&headers)?.is_some_and(|length| length != 0) {
            return Err(Error::HttpRequestBodySize(Some(0)));
        }
        let authority = authority.filter(|authority| !authority.is_empty()).ok_or(Error::HttpRequestUriInvalid)?;
        let path = path_with_query.ok_or(Error::HttpProtocolError)?;
        // The engine's setters took nothing for an authority that has a slash, and nothing for a path that has none.
        let url = format!("{}://{authority}{path}", to_scheme(scheme)?);
        Ok(Self { method: to_method(method)?, url, headers: headers.into(), body: body.unwrap_or_else(empty) })
    }
}

fn to_method(method: wasi::Method) -> Result<Method, Error> {
    Ok(match method {
        wasi::Method::Get => Method::GET,
        wasi::Method::Head => Method::HEAD,
        wasi::Method::Post => Method::POST,
        wasi::Method::Put => Method::PUT,
        wasi::Method::Delete => Method::DELETE,
        wasi::Method::Connect => Method::CONNECT,
        wasi::Method::Options => Method::OPTIONS,
        wasi::Method::Trace => Method::TRACE,
        wasi::Method::Patch => Method::PATCH,
        wasi::Method::Other(method) => {
            Method::from_bytes(method.as_bytes()).map_err(|_| Error::HttpRequestMethodInvalid)?
        }
    })
}

/// Where a guest names no scheme, it is the safe one.
fn to_scheme(scheme: Option<wasi::Scheme>) -> Result<&'static str, Error> {
    match scheme {
        None | Some(wasi::Scheme::Https) => Ok("https"),
        Some(wasi::Scheme::Http) => Ok("http"),
        Some(wasi::Scheme::Other(other)) => {
            ["http", "https"].into_iter().find(|known| other == *known).ok_or(Error::HttpProtocolError)
        }
    }
}

/// The length that the headers announce (RFC 9110, section 8.6: digits and nothing else, once).
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| values.next().is_none() && text.bytes().all(|b| b.is_ascii_digit()));
    let length = digits.and_then(|digits| digits.parse().ok());
    length.map(Some).ok_or_else(|| Error::InternalError(Some("the content-length is no length".to_owned())))
}

/// What comes of a request.
pub(super) type Answer = Result<http::Response<WasiBody>, Error>;

/// Set once a request was handed to its connection, which moves it on by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct OnItsWay(Arc<AtomicBool>);

impl OnItsWay {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A response that a guest may wait for.
pub(super) enum Awaited {
    /// The request is on its way; all that is left is to look at what comes.
    Coming(Pin<Box<dyn Future<Output = Answer> + Send>>),
    /// Something is still to be done before the request can go.
    Underway(AbortOnDropJoinHandle<Answer>),
    Here(Answer),
    Taken,
}

impl Awaited {
    /// Begins `sending`, which tells by `on_its_way` how far it is.
    pub(super) fn begin(sending: impl Future<Output = Answer> + Send + 'static, on_its_way: &OnItsWay) -> Self {
        let mut sending = Box::pin(sending);
        // Whoever waits for it polls it again, and is woken then.
        match sending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Self::Here(answer),
            Poll::Pending if on_its_way.0.load(Ordering::Relaxed) => Self::Coming(sending),
            Poll::Pending => Self::Underway(wasmtime_wasi::runtime::spawn(sending)),
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Awaited {
    async fn ready(&mut self) {
        let answer = match self {
            Self::Coming(sending) => sending.await,
            Self::Underway(sending) => sending.await,
            Self::Here(_) | Self::Taken => return,
        };
        *self = Self::Here(answer);
    }
}

type Got = Option<Result<Result<Resource<HostIncomingResponse>, ErrorCode>, ()>>;

impl CallState {
    /// The response, if it is there; an error to ask for it twice.
    fn response(&mut self, future: &Resource<Awaited>) -> wasmtime::Result<Got> {
        let awaited = self.table.get_mut(future)?;
        let answer = match std::mem::replace(awaited, Awaited::Taken) {
            Awaited::Here(answer) => answer,
            Awaited::Taken => return Ok(Some(Err(()))),
            waiting => {
                *awaited = waiting;
                return Ok(None);
            }
        };
        let response = match answer {
            Ok(response) => response,
            Err(error) => return Ok(Some(Ok(Err(failure::code(&error))))),
        };
        let (parts, body) = response.into_parts();
        let headers = FieldMap::new_immutable(&mut self.http_gate, parts.headers);
        let body = Some(HostIncomingBody::new(body.boxed_unsync()));
        let response = HostIncomingResponse { status: parts.status.as_u16(), headers, body };
        Ok(Some(Ok(Ok(self.table.push(response)?))))
    }
}
