//! One request, as raw as the standard lets a guest be, and what came of it.

use std::sync::Arc;

use caplet_audit::{ErrorKind, Outcome, OutcomeKind};
use caplet_component::{Caps, inspect};
use caplet_sandbox::{Prepared, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Call, call};

/// Error codes by their place in the standard's list, from 1.
const CODES: &[&str] = &[
    "DNS-timeout",
    "DNS-error",
    "destination-not-found",
    "destination-unavailable",
    "destination-IP-prohibited",
    "destination-IP-unroutable",
    "connection-refused",
    "connection-terminated",
    "connection-timeout",
    "connection-read-timeout",
    "connection-write-timeout",
    "connection-limit-reached",
    "TLS-protocol-error",
    "TLS-certificate-error",
    "TLS-alert-received",
    "HTTP-request-denied",
    "HTTP-request-length-required",
    "HTTP-request-body-size",
    "HTTP-request-method-invalid",
    "HTTP-request-URI-invalid",
    "HTTP-request-URI-too-long",
    "HTTP-request-header-section-size",
    "HTTP-request-header-size",
    "HTTP-request-trailer-section-size",
    "HTTP-request-trailer-size",
    "HTTP-response-incomplete",
    "HTTP-response-header-section-size",
    "HTTP-response-header-size",
    "HTTP-response-body-size",
    "HTTP-response-trailer-section-size",
    "HTTP-response-trailer-size",
    "HTTP-response-transfer-coding",
    "HTTP-response-content-coding",
    "HTTP-response-timeout",
    "HTTP-upgrade-failed",
    "HTTP-protocol-error",
    "loop-detected",
    "configuration-error",
    "internal-error",
];

/// A request in the making.
pub struct Request {
    times: u32,
    method: String,
    scheme: String,
    authority: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    timeout: i64,
    ahead: u32,
    must: bool,
    pub call: Call,
}

/// `GET` to `url`, which is cut apart as it stands.
pub fn get(url: &str) -> Request {
    get_by(call(caplet_testkit::HTTP_PROBE), url)
}

fn get_by(call: Call, url: &str) -> Request {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    raw_by(call, scheme, authority, if path.is_empty() { "/" } else { path })
}

/// `GET` with these parts.
pub fn raw(scheme: &str, authority: &str, path: &str) -> Request {
    raw_by(call(caplet_testkit::HTTP_PROBE), scheme, authority, path)
}

fn raw_by(call: Call, scheme: &str, authority: &str, path: &str) -> Request {
    Request {
        times: 1,
        method: "GET".to_owned(),
        scheme: scheme.to_owned(),
        authority: authority.to_owned(),
        path: path.to_owned(),
        headers: Vec::new(),
        body: String::new(),
        timeout: i64::MIN,
        ahead: 0,
        must: false,
        call: call.allow("clock:1ms"),
    }
}

/// The probe, made ready once: for many calls, and for sandboxes with other settings than the shared one.
pub struct Client {
    prepared: Prepared,
}

impl Client {
    /// A client in `sandbox`.
    pub fn of(sandbox: &Sandbox) -> Self {
        let component = inspect(caplet_testkit::HTTP_PROBE.as_bytes(), &Caps::default()).unwrap();
        Self { prepared: sandbox.prepare(Arc::new(component)) }
    }

    /// `GET` to `url`, as [`get`].
    pub fn get(&self, url: &str) -> Request {
        get_by(Call::of(self.prepared.clone()), url)
    }
}

impl Request {
    pub fn allow(mut self, rule: &str) -> Self {
        self.call = self.call.allow(rule);
        self
    }

    pub fn deny(mut self, rule: &str) -> Self {
        self.call = self.call.deny(rule);
        self
    }

    pub fn limit(mut self, assignment: &str) -> Self {
        self.call = self.call.limit(assignment);
        self
    }

    pub fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }

    /// All three timeouts, in nanoseconds.
    pub fn timeouts(mut self, nanoseconds: u64) -> Self {
        self.timeout = nanoseconds.cast_signed();
        self
    }

    /// The same request so often in one call; the answer is that of the last.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// The same request so often before, begun and never let go of.
    pub fn ahead(mut self, ahead: u32) -> Self {
        self.ahead = ahead;
        self
    }

    /// A request that fails fails the guest, as in a tool that does not look at errors.
    pub fn must(mut self) -> Self {
        self.must = true;
        self
    }

    /// At most so many requests in the call, instead of 100.
    pub fn requests(mut self, most: u64) -> Self {
        self.call.invocation.limits.http_requests = most;
        self
    }

    pub async fn send(self) -> Answer {
        let outcome = self
            .call
            .arguments(json!({
                "times": self.times, "method": self.method, "scheme": self.scheme, "authority": self.authority,
                "path": self.path, "headers": self.headers, "body": self.body, "timeout": self.timeout, "ahead": self.ahead, "must": self.must,
            }))
            .run()
            .await;
        Answer(outcome)
    }
}

/// Runs an asynchronous test inside of a namespace, where the process is new and has no runtime.
pub fn block_on<T>(body: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(body)
}

/// What a call of the probe came to.
#[derive(Debug)]
pub struct Answer(pub Outcome);

impl Answer {
    fn part(&self, index: usize) -> &Value {
        &self.0.output[index]
    }

    /// The limit that the call ran into, by its kind.
    pub fn limit(&self) -> Option<ErrorKind> {
        self.0.error.as_ref().filter(|_| self.0.outcome == OutcomeKind::Limit).map(|error| error.kind)
    }

    /// How many bytes of the request's and of the response's body were counted.
    pub fn bytes(&self) -> (u64, u64) {
        (self.0.usage.http_sent_bytes, self.0.usage.http_received_bytes)
    }

    /// The status; zero without a response.
    pub fn status(&self) -> u64 {
        self.part(0).as_u64().unwrap_or_default()
    }

    pub fn body(&self) -> &str {
        self.part(2).as_str().unwrap_or_default()
    }

    /// The name of the error code; nothing if all went well.
    pub fn error(&self) -> &'static str {
        match self.part(1).as_u64() {
            Some(0) => "",
            Some(100) => "method refused",
            Some(101) => "scheme refused",
            Some(102) => "authority refused",
            Some(103) => "path refused",
            Some(110..=112) => "header refused",
            Some(120) => "the body failed for no reason",
            Some(code) => CODES.get(usize::try_from(code - 1).unwrap()).copied().unwrap_or("unknown"),
            None => "no answer",
        }
    }

    /// The refused ops, in their order.
    pub fn denied(&self) -> Vec<&str> {
        self.0.decisions.denied.iter().map(|entry| entry.op.as_str()).collect()
    }
}
