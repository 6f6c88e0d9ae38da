//! Redirects that the host follows for a tool whose manifest asks for it.
//!
//! What always holds: a hop is a request of its own, decided on as any other; methods change as the Fetch standard says ("HTTP-redirect
//! fetch"); what could be a credential does not go to another origin; a body is sent once.

use caplet_policy::HttpOp;
use http::header::{AUTHORIZATION, COOKIE, LOCATION, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use url::Url;
use wasmtime_wasi_http::Error;

/// Headers that are about a body, and go with it.
const ABOUT_BODIES: [HeaderName; 5] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_LOCATION,
    header::CONTENT_TYPE,
];

/// Headers that say who asks.
const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// Where a response sends its client.
#[derive(Debug)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: String,
    /// Whether the body of the request would have to be sent again.
    pub(super) with_body: bool,
    is_elsewhere: bool,
}

impl Hop {
    /// The hop that the head of a response asks for, if it asks for one.
    pub(super) fn of(
        from: &HttpOp,
        method: &Method,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, Error> {
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let mut locations = headers.get_all(LOCATION).iter();
        let Some(location) = locations.next() else { return Ok(None) };
        if locations.next().is_some() {
            return Err(Error::HttpProtocolError);
        }
        let location = location.to_str().map_err(|_| Error::HttpProtocolError)?;
        let here = Url::parse(from.url()).map_err(|_| Error::HttpProtocolError)?;
        let there = here.join(location).map_err(|_| Error::HttpProtocolError)?;
        let becomes_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *method == Method::POST,
            StatusCode::SEE_OTHER => *method != Method::GET && *method != Method::HEAD,
            _ => false,
        };
        Ok(Some(Self {
            method: if becomes_get { Method::GET } else { method.clone() },
            is_elsewhere: here.origin() != there.origin(),
            with_body: !becomes_get,
            url: there.into(),
        }))
    }

    /// Takes from `headers` what does not go along.
    pub(super) fn narrow(&self, headers: &mut HeaderMap) {
        let mut remove = |names: &[HeaderName]| names.iter().for_each(|name| drop(headers.remove(name)));
        if !self.with_body {
            remove(&ABOUT_BODIES);
        }
        if self.is_elsewhere {
            remove(&CREDENTIALS);
        }
    }
}
