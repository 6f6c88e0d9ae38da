//! The component's side: WIT in, [`Session`], WIT out; and `wasi:http` and `caplet:tools` behind [`Host`].
#![expect(unsafe_code, reason = "generated bindings")]

wit_bindgen::generate!({ path: "wit", world: "shell", generate_all });

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use caplet::tools::invoke;
use caplet_tool_common::cwd;
use exports::caplet::shell::tool::{Guest, Outcome, Variable};
use wasi::http::outgoing_handler::handle;
use wasi::http::types::{ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme};
use wasi::io::streams::StreamError;

use crate::host::{CallFailure, Host, HttpFailure, HttpRequest, HttpResponse, Tool};
use crate::session::{Request, Session};

struct Component;

thread_local! {
    /// Lasts as long as the instance does: for one call, or for a session.
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

impl Guest for Component {
    fn run(
        command: String,
        cwd: Option<String>,
        env: Option<Vec<Variable>>,
        stdin: Option<String>,
        timeout_ms: Option<u32>,
    ) -> Outcome {
        let request = Request {
            command,
            cwd,
            env: env.unwrap_or_default().into_iter().map(|variable| (variable.name, variable.value)).collect(),
            stdin: stdin.map(String::into_bytes),
            timeout: timeout_ms.map(|limit| Duration::from_millis(limit.into())),
        };
        let answer = SESSION.with(|session| {
            let mut session = session.borrow_mut();
            let fresh = || Session::new(Rc::new(World), &cwd::current(), std::env::vars().collect());
            session.get_or_insert_with(fresh).run(&request)
        });
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        };
        Outcome {
            stdout: text(answer.stdout),
            stderr: text(answer.stderr),
            exit_status: answer.exit_status,
            stdout_truncated: answer.stdout_truncated,
            stderr_truncated: answer.stderr_truncated,
        }
    }
}

export!(Component);

/// What the host gives.
struct World;

impl Host for World {
    fn fetch(&self, request: &HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let message = message(request)?;
        let body = match &request.body {
            Some(bytes) => Some((message.body().map_err(|()| other("the body cannot be sent"))?, bytes)),
            None => None,
        };
        let future = handle(message, None).map_err(failure)?;
        if let Some((body, bytes)) = body {
            // Whatever goes wrong here shows in the response, which may also come before all is sent.
            write(body, bytes);
        }
        future.subscribe().block();
        match future.get() {
            Some(Ok(Ok(response))) => answer(response),
            Some(Ok(Err(code))) => Err(failure(code)),
            Some(Err(())) | None => Err(other("the host gave no response")),
        }
    }

    fn tools(&self) -> Vec<Tool> {
        let tool = |callable: invoke::Callable| Tool {
            name: callable.name,
            description: callable.description,
            input_schema: callable.input_schema,
        };
        invoke::list().into_iter().map(tool).collect()
    }

    fn call(&self, name: &str, arguments: &str) -> Result<String, CallFailure> {
        invoke::call(name, arguments).map_err(|error| match error {
            invoke::Error::Denied(hint) => CallFailure::Denied(hint),
            invoke::Error::Limit(reason) => CallFailure::Limit(reason),
            invoke::Error::Failed(reason) => CallFailure::Failed(reason),
        })
    }

    fn seed(&self) -> u64 {
        // The standard library seeds its hash maps from the host's randomness.
        use std::hash::{BuildHasher, Hasher};
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }
}

fn other(reason: &str) -> HttpFailure {
    HttpFailure::Other(reason.to_owned())
}

fn message(request: &HttpRequest) -> Result<OutgoingRequest, HttpFailure> {
    let fields = Fields::new();
    for (name, value) in &request.headers {
        if fields.append(name, &value.as_bytes().to_vec()).is_err() {
            return Err(other(&format!("the header `{name}` cannot be set")));
        }
    }
    let (scheme, rest) = request.url.split_once("://").ok_or_else(|| other("the URL has no scheme"))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let scheme = if scheme.eq_ignore_ascii_case("https") { Scheme::Https } else { Scheme::Http };
    let message = OutgoingRequest::new(fields);
    message.set_method(&method(&request.method)).map_err(|()| other("the method is not valid"))?;
    message.set_scheme(Some(&scheme)).map_err(|()| other("the URL is not valid"))?;
    message.set_authority(Some(authority)).map_err(|()| other("the URL is not valid"))?;
    message.set_path_with_query(Some(&target)).map_err(|()| other("the URL is not valid"))?;
    Ok(message)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn write(body: OutgoingBody, bytes: &[u8]) {
    let Ok(stream) = body.write() else { return };
    // The interface takes 4096 bytes at a time.
    if bytes.chunks(4096).all(|piece| stream.blocking_write_and_flush(piece).is_ok()) {
        drop(stream);
        drop(OutgoingBody::finish(body, None));
    }
}

fn answer(response: IncomingResponse) -> Result<HttpResponse, HttpFailure> {
    let headers = response.headers().entries();
    let status = response.status();
    let body = response.consume().map_err(|()| other("the response has no body"))?;
    let stream = body.stream().map_err(|()| other("the response has no body"))?;
    // Dropped in this order, each before what it came from.
    let held = (stream, body, response);
    let next = move || match held.0.blocking_read(64 * 1024) {
        Ok(piece) => Ok(Some(piece)),
        Err(StreamError::Closed) => Ok(None),
        Err(StreamError::LastOperationFailed(_)) => Err(other("the response broke off")),
    };
    Ok(HttpResponse { status, headers, body: Box::new(next) })
}

fn failure(code: ErrorCode) -> HttpFailure {
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => HttpFailure::Denied,
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => HttpFailure::NoAddress,
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable | ErrorCode::ConnectionRefused => {
            HttpFailure::Unreachable
        }
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => HttpFailure::Timeout,
        ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError | ErrorCode::TlsAlertReceived(_) => {
            HttpFailure::Tls
        }
        ErrorCode::InternalError(Some(reason)) => HttpFailure::Other(reason),
        code => HttpFailure::Other(format!("{code:?}")),
    }
}
