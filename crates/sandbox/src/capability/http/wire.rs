//! A request as it goes on the wire.
//!
//! What always holds: scheme, host, port and target are those of the op that was decided on, never of what the guest wrote.

use caplet_policy::{HttpOp, Permitted, Scheme};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use url::form_urlencoded;
use wasmtime_wasi_http::Error;
use zeroize::Zeroizing;

use super::body::Upload;

/// The head of a request as it is sent: the method and target of the op, and the headers.
pub(super) struct Wire {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    scheme: Scheme,
    authority: HeaderValue,
    target: PathAndQuery,
}

impl Wire {
    /// The head of what `request` permits, with the headers that the guest gave.
    pub(super) fn new(request: &Permitted<HttpOp>, method: &Method, headers: &HeaderMap) -> Result<Self, Error> {
        let invalid = || Error::HttpRequestUriInvalid;
        let (_, rest) = request.op().url().split_once("://").ok_or_else(invalid)?;
        let (authority, target) = rest.split_at(rest.find('/').ok_or_else(invalid)?);
        Ok(Self {
            method: method.clone(),
            headers: headers.clone(),
            scheme: request.op().scheme(),
            authority: HeaderValue::from_str(authority).map_err(|_| invalid())?,
            target: target.parse().map_err(|_| invalid())?,
        })
    }

    /// Sets `key` of the query, in the place of whatever it was.
    pub(super) fn set_query(&mut self, key: &str, value: &[u8]) -> Result<(), Error> {
        let value = Zeroizing::new(String::from_utf8(value.to_vec()).map_err(|_| Error::HttpRequestDenied)?);
        let mut query = form_urlencoded::Serializer::new(String::new());
        let written = form_urlencoded::parse(self.target.query().unwrap_or_default().as_bytes());
        query.extend_pairs(written.filter(|(known, _)| known != key)).append_pair(key, &value);
        let target = Zeroizing::new(format!("{}?{}", self.target.path(), query.finish()));
        self.target = target.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
        Ok(())
    }

    /// The request in the form that the protocol wants: HTTP/2 has the whole URL.
    pub(super) fn request(&self, body: Upload, whole: bool) -> Result<http::Request<Upload>, Error> {
        let mut headers = self.headers.clone();
        let target = self.target.clone();
        let uri = if whole {
            let uri = Uri::builder().scheme(self.scheme.as_str()).authority(self.authority.as_bytes());
            uri.path_and_query(target).build().map_err(|_| Error::HttpRequestUriInvalid)?
        } else {
            headers.insert(header::HOST, self.authority.clone());
            Uri::from(target)
        };
        let mut request = http::Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}
