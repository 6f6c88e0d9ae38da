//! The body of a request, as far as JSON-RPC goes: what the library for MCP would answer with a text that says little.

use axum::body::HttpBody as _;
use bytes::Bytes;
use caplet_audit::json::strict;
use caplet_audit::text::{shortened, visible_line};
use http::{HeaderMap, HeaderName, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use rmcp::model::ErrorCode;
use serde_json::Value;
use tokio::time::timeout;

use crate::limits::Limits;
use crate::refusal::Refusal;

/// Headers that decide something, and so must be there once at most: two readers could go by another one each.
const SINGLE: [HeaderName; 6] = [
    http::header::CONTENT_TYPE,
    HeaderName::from_static("mcp-session-id"),
    HeaderName::from_static("mcp-protocol-version"),
    HeaderName::from_static("mcp-method"),
    HeaderName::from_static("mcp-name"),
    HeaderName::from_static("last-event-id"),
];

/// What is told of a body that is no JSON, in bytes: it may show a key of it.
const LONGEST_REASON: usize = 200;

/// What a message is about, as far as refusals need it.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) id: Value,
    /// `None` for a response.
    pub(crate) method: Option<String>,
}

/// No header is there twice that must be there once.
pub(crate) fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    match SINGLE.iter().find(|name| headers.get_all(*name).iter().count() > 1) {
        Some(name) => {
            Err(Refusal::bad_request(format!("the request has two {name} headers")).code(ErrorCode::HEADER_MISMATCH.0))
        }
        None => Ok(()),
    }
}

/// The whole of `body`, if it is no longer than it may be and comes in time.
pub(crate) async fn read(body: axum::body::Body, limits: &Limits) -> Result<Bytes, Refusal> {
    let too_large = || {
        let message = format!("the body of the request has more than {} bytes", limits.body_bytes);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    // What is announced to be too much need not come first.
    if body.size_hint().lower() > limits.body_bytes as u64 {
        return Err(too_large());
    }
    let read = timeout(limits.body_time, Limited::new(body, limits.body_bytes).collect()).await;
    let Ok(read) = read else {
        return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body of the request does not come"));
    };
    read.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            return too_large();
        }
        Refusal::bad_request("the body of the request cannot be read")
    })
}

/// What `body` is about, if it is one message of JSON-RPC 2.0.
pub(crate) fn parse(body: &[u8]) -> Result<Envelope, Refusal> {
    let bad = |code: ErrorCode, message: String| Refusal::bad_request(message).code(code.0);
    // A key that is there twice is a value here and another one there. The library reads the body again.
    let value = strict(body).map_err(|error| {
        let reason = visible_line(&shortened(&error.to_string(), LONGEST_REASON)).into_owned();
        bad(ErrorCode::PARSE_ERROR, format!("the body is not JSON: {reason}"))
    })?;
    let invalid = |message: &str| bad(ErrorCode::INVALID_REQUEST, message.to_owned());
    let message = match &value {
        Value::Object(message) => message,
        Value::Array(_) => return Err(invalid("batches of messages are not taken: send one message in each request")),
        _ => return Err(invalid("a message is an object")),
    };
    let id = match message.get("id") {
        None => Value::Null,
        Some(id @ Value::String(_)) => id.clone(),
        Some(id @ Value::Number(number)) if number.is_i64() => id.clone(),
        Some(_) => return Err(invalid("an id is a string, or an integer of 64 bits")),
    };
    let invalid = |code: ErrorCode, message: &str| bad(code, message.to_owned()).id(id.clone());
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid(ErrorCode::INVALID_REQUEST, "jsonrpc must be \"2.0\""));
    }
    let is_response = message.contains_key("result") || message.contains_key("error");
    let method = match message.get("method") {
        Some(Value::String(method)) => Some(method.clone()),
        Some(_) => return Err(invalid(ErrorCode::INVALID_REQUEST, "method must be a string")),
        None if is_response => None,
        None => return Err(invalid(ErrorCode::INVALID_REQUEST, "method is missing")),
    };
    if !matches!(message.get("params"), None | Some(Value::Object(_))) {
        return Err(invalid(ErrorCode::INVALID_PARAMS, "params must be an object"));
    }
    Ok(Envelope { id, method })
}
