//! What is answered instead of what was asked for: a status and one JSON object, in the form of a JSON-RPC error.
//!
//! What always holds: the text is ours, and says nothing of the inside of the program.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

/// The code of an error of the transport: one of those that JSON-RPC leaves to servers.
const TRANSPORT: i32 = -32_000;

/// The media type of JSON.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What is answered instead of what was asked for. On the heap: refusals are rare and results are many.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    code: i32,
    message: Cow<'static, str>,
    id: Value,
    data: Option<Value>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self(Box::new(Inner { status, code: TRANSPORT, message, id: Value::Null, data: None, header: None }))
    }

    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// There is too much to do; it may be asked for again in `seconds`.
    pub(crate) fn later(status: StatusCode, message: impl Into<Cow<'static, str>>, seconds: u64) -> Self {
        Self::new(status, message).header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// The code that JSON-RPC or MCP has for it.
    pub(crate) fn code(mut self, code: i32) -> Self {
        self.0.code = code;
        self
    }

    /// The request that it answers.
    pub(crate) fn id(mut self, id: Value) -> Self {
        self.0.id = id;
        self
    }

    pub(crate) fn data(mut self, data: Value) -> Self {
        self.0.data = Some(data);
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Inner { status, code, message, id, data, header } = *self.0;
        let mut error = json!({ "code": code, "message": message });
        if let (Some(data), Some(error)) = (data, error.as_object_mut()) {
            error.insert("data".to_owned(), data);
        }
        let body = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
