//! What the tool asks of the network: one request, one response. The component has the host behind it, a test has a script.

use url::Url;

use crate::Failure;

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// The method, as it goes out.
    pub method: &'a str,
    /// Where to; scheme `http` or `https`, without a user name.
    pub url: &'a Url,
    /// The headers, in order, names in lower case.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: Option<&'a [u8]>,
}

/// A response, its body not read yet.
pub struct Incoming {
    /// The status code.
    pub status: u16,
    /// The headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Box<dyn Body>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("status", &self.status).field("headers", &self.headers).finish_non_exhaustive()
    }
}

impl Incoming {
    /// The values of a header.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// The first value of a header, if it is readable.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.values(name).next().map(|value| String::from_utf8_lossy(value).trim().to_owned())
    }
}

/// A body that is read piece by piece.
pub trait Body {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The connection broke, or a limit was reached.
    fn read(&mut self) -> Result<Option<Vec<u8>>, Failure>;
}

/// What sends requests. It follows no redirects and adds no credentials of its own.
pub trait Client {
    /// Sends a request and waits for the head of its response.
    ///
    /// # Errors
    /// The host refused it, or there was no response.
    fn send(&mut self, request: &Outgoing<'_>) -> Result<Incoming, Failure>;
}
