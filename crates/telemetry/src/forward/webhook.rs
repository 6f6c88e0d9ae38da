//! Records by HTTP: each batch is the body of a POST, one record on a line.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, Uri};
use tokio_rustls::TlsConnector;

use crate::collector::{connector, exchange};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A server that takes records.
pub(super) struct Webhook {
    uri: Uri,
    authorization: Option<HeaderValue>,
    tls: Option<TlsConnector>,
}

impl Webhook {
    pub(super) fn new(uri: Uri, token: Option<&str>) -> Result<Self, String> {
        let tls = if uri.scheme() == Some(&Scheme::HTTPS) { Some(connector()?) } else { None };
        let bearer = |token: &str| {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let mut value = value.map_err(|_| "the token has characters that no header can have".to_owned())?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
        };
        Ok(Self { authorization: token.map(bearer).transpose()?, uri, tls })
    }

    /// Sends a batch; whatever answer says that it was taken is as good as another.
    pub(super) fn send(&self, batch: &[String]) -> Result<(), String> {
        let body: String = batch.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let answer =
            runtime.block_on(async { tokio::time::timeout(TIMEOUT, exchange(request, self.tls.as_ref())).await });
        // A name that is still being looked up is not waited for.
        runtime.shutdown_background();
        let status = answer.map_err(|_| "it does not answer in time".to_owned())??.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answers {status}")) }
    }
}
