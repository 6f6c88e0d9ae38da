//! `wasi:http`: requests are built as the standard says, decided on, and refused in this version.
//!
//! The one way out is [`HttpGate::send_request`]. Version 0.1 has no connector behind it: a request that the policy permits is
//! refused by the host with a decision that says so, and one that it does not permit is refused by its layer.

use caplet_policy::{Guard, HttpOp, HttpSection};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::state::CallState;

/// Why every request is refused.
pub(super) const NOT_OFFERED: &str = "this version of caplet has no network";

/// The one way out of a guest's HTTP requests.
#[derive(Debug)]
pub(crate) struct HttpGate {
    guard: Guard<HttpSection>,
    requests: u64,
    limit: u64,
}

impl HttpGate {
    pub(crate) fn new(guard: Guard<HttpSection>, limit: u64) -> Self {
        Self { guard, requests: 0, limit }
    }

    /// Requests that the guest tried to send.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    fn decide(&mut self, method: &str, url: &str) -> Error {
        self.requests = self.requests.saturating_add(1);
        // Decided first, so that a request beyond the limit is on record as well.
        match HttpOp::new(method, url) {
            Ok(op) => {
                if let Ok(permitted) = self.guard.check(op) {
                    self.guard.refuse(permitted.into_op(), NOT_OFFERED);
                }
                if self.requests > self.limit { Error::ConnectionLimitReached } else { Error::HttpRequestDenied }
            }
            Err(_) => Error::HttpRequestUriInvalid,
        }
    }
}

type Sent<T> = Box<dyn Future<Output = Result<T, Error>> + Send>;

impl WasiHttpHooks for HttpGate {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _written: Sent<()>,
    ) -> Sent<(http::Response<WasiBody>, Sent<()>)> {
        let refusal = self.decide(request.method().as_str(), &request.uri().to_string());
        Box::new(async move { Err(refusal) })
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http_gate, table: &mut self.table, ctx: &mut self.http }
    }
}
