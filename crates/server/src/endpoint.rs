//! `/mcp`: messages of MCP, handed to the library for it in the name of one principal.
//!
//! What always holds: the library sees no credentials, and only the sessions of this principal; whatever it answers, a client gets
//! messages of MCP or one JSON error.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, COOKIE, PROXY_AUTHORIZATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use rmcp::ServerHandler;
use rmcp::model::{ErrorCode, ErrorData, ProtocolVersion};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::auth::Principal;
use crate::envelope::{self, Envelope};
use crate::limits::Limits;
use crate::refusal::{JSON, Refusal};
use crate::room::Room;
use crate::server::{Factory, Profiles};
use crate::session::{Sessions, Visit};

/// What is allowed at the endpoint.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");

/// The longest text of the library's that is read, in bytes. It writes a line.
const LONGEST_TEXT: usize = 4 * 1024;

const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";

/// Handlers of all profiles, and the sessions that they serve.
pub(crate) struct Endpoint<H> {
    pub(crate) profiles: Profiles<H>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) limits: Arc<Limits>,
    /// Room for requests that are being answered.
    pub(crate) room: Arc<Room>,
    /// Ends everything.
    pub(crate) end: CancellationToken,
}

impl<H: ServerHandler + Send + 'static> Endpoint<H> {
    /// The answer to `request` of `principal`.
    pub(crate) async fn answer(&self, principal: Principal, request: Request) -> Response {
        self.try_answer(principal, request).await.unwrap_or_else(|refusal| refusal.into_response())
    }

    async fn try_answer(&self, principal: Principal, request: Request) -> Result<Response, Refusal> {
        let factory = self
            .profiles
            .get(principal.profile())
            .ok_or_else(|| Refusal::forbidden("the profile that the token is for is not served here"))?;
        let (mut parts, body) = request.into_parts();
        check(&parts)?;
        let is_stateless = !parts.headers.contains_key(SESSION);
        // To end a session makes room, and so needs none.
        let admitted = (parts.method != Method::DELETE).then(|| self.room.enter(&principal)).transpose()?;
        let visit = Arc::new(Visit::new(Arc::clone(&self.sessions), principal.clone(), self.end.child_token()));
        // What belongs to a session ends with it. The rest has to be known too, to end when the token is taken away.
        let registered = is_stateless.then(|| self.sessions.register(principal, visit.end()));
        if let Some(id) = parts.headers.get(SESSION) {
            let is_there = id.to_str().is_ok_and(|id| visit.has(id));
            if !is_there {
                return Err(Refusal::not_found("there is no such session"));
            }
        }
        let (envelope, body) = if parts.method == Method::POST {
            let body = envelope::read(body, &self.limits).await?;
            (Some(envelope::parse(&body)?), body)
        } else {
            (None, Bytes::new())
        };
        for credentials in [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE] {
            parts.headers.remove(credentials);
        }
        let (headers, is_delete) = (parts.headers.clone(), parts.method == Method::DELETE);
        let request = http::Request::from_parts(parts, Full::new(body));
        let service = self.service(factory, &visit);
        // On the heap: the library's future is far larger than what a stack should hold beside it.
        let response = Box::pin(service.handle(request)).await;
        if let Some(refusal) = visit.refusal() {
            return Err(refusal.id(envelope.map_or(Value::Null, |envelope| envelope.id)));
        }
        // Whoever is let in makes room when the last of the answer is sent, or nobody is there to take it.
        let held = move |frame| {
            let _ = (&admitted, &registered);
            frame
        };
        let response = response.map(|body| Body::new(body.map_frame(held)));
        if is_delete && response.status().is_success() {
            // Accepted is what the library says; clients take it for a failure, and the session is gone by now.
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        if response.status().is_success() || is_json(response.headers()) {
            return Ok(response);
        }
        let (status, allow) = (response.status(), response.headers().get(ALLOW).cloned());
        let said = text(response).await;
        let refusal = translated(status, said, &headers, envelope.as_ref(), || factory().supported_protocol_versions());
        Err(match allow {
            Some(allow) => refusal.header(ALLOW, allow),
            None => refusal,
        })
    }

    /// The library's service, for one request. Hosts and origins were checked before, on every route alike.
    fn service(&self, factory: &Factory<H>, visit: &Arc<Visit>) -> StreamableHttpService<H, Visit> {
        let factory = Arc::clone(factory);
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .with_max_request_body_bytes(self.limits.body_bytes)
            .with_sse_retry(None)
            .with_cancellation_token(visit.end());
        StreamableHttpService::new(move || Ok(factory()), Arc::clone(visit), config)
    }
}

/// What can be refused before the body is read.
fn check(parts: &Parts) -> Result<(), Refusal> {
    if !matches!(parts.method, Method::GET | Method::POST | Method::DELETE) {
        let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this endpoint takes GET, POST and DELETE");
        return Err(refusal.header(ALLOW, METHODS));
    }
    if parts.uri.query().is_some() {
        return Err(Refusal::bad_request(
            "this endpoint takes no query: logs keep addresses, so a token belongs in the Authorization header",
        ));
    }
    envelope::check_headers(&parts.headers)?;
    if parts.method == Method::POST && !is_json(&parts.headers) {
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json"));
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split_once(';').map_or(value, |(essence, _)| essence);
    essence.trim().as_bytes().eq_ignore_ascii_case(JSON.as_bytes())
}

/// What the library said in plain text, as an error. What it says of its inside is not passed on.
fn translated(
    status: StatusCode,
    said: String,
    headers: &HeaderMap,
    envelope: Option<&Envelope>,
    versions: impl FnOnce() -> Cow<'static, [ProtocolVersion]>,
) -> Refusal {
    let version = headers.get(VERSION).and_then(|version| version.to_str().ok());
    let is_known = |version: &str| ProtocolVersion::KNOWN_VERSIONS.iter().any(|known| known.as_str() == version);
    let refusal = match (status, version.filter(|version| !is_known(version))) {
        (StatusCode::BAD_REQUEST, Some(unknown)) => unsupported(unknown, &versions()),
        // The body is JSON-RPC, as was seen before: only what it asks for cannot be read.
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, _) => {
            let method = envelope.and_then(|envelope| envelope.method.as_deref()).unwrap_or("this response");
            let message = format!("the params of {method} are not what MCP has for it");
            Refusal::bad_request(message).code(ErrorCode::INVALID_PARAMS.0)
        }
        _ if status.is_server_error() => {
            Refusal::new(status, "the server could not answer").code(ErrorCode::INTERNAL_ERROR.0)
        }
        _ => Refusal::new(status, said),
    };
    refusal.id(envelope.map_or(Value::Null, |envelope| envelope.id.clone()))
}

/// MCP has an error of its own for a version that is not known, with those that are.
fn unsupported(requested: &str, supported: &[ProtocolVersion]) -> Refusal {
    let requested = serde_json::from_value(Value::from(requested)).unwrap_or_default();
    let error = ErrorData::unsupported_protocol_version(requested, supported);
    let refusal = Refusal::bad_request(error.message).code(error.code.0);
    match error.data {
        Some(data) => refusal.data(data),
        None => refusal,
    }
}

async fn text(response: Response) -> String {
    let body = Limited::new(response.into_body(), LONGEST_TEXT).collect().await;
    body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default()
}
