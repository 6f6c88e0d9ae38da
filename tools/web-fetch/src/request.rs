//! What the caller asks for, checked: nothing is sent before all of it is sound.

use serde::de::IgnoredAny;
use url::Url;

use crate::{Format, Request};

/// Bytes of a URL, as the host takes them.
pub(crate) const MAX_URL: usize = 8 * 1024;
/// Headers that a caller may set, and the bytes of all of them.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Headers that the host, or this tool, sets, and why a caller cannot.
const FORBIDDEN: [(&str, &str); 15] = [
    ("accept-encoding", "web-fetch reads what servers send and decodes it itself"),
    ("connection", "it is about the connection, which the host makes"),
    ("content-length", "it follows from body"),
    ("expect", "it is about the connection, which the host makes"),
    ("host", "it follows from url"),
    ("http2-settings", "it is about the connection, which the host makes"),
    ("keep-alive", "it is about the connection, which the host makes"),
    ("proxy-authenticate", "there is no proxy"),
    ("proxy-authorization", "there is no proxy"),
    ("proxy-connection", "there is no proxy"),
    ("te", "it is about the connection, which the host makes"),
    ("trailer", "it is about the connection, which the host makes"),
    ("transfer-encoding", "it follows from body"),
    ("upgrade", "it is about the connection, which the host makes"),
    ("via", "there is no proxy"),
];

/// A request as it is to be sent first.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) method: String,
    pub(crate) url: Url,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// Checks a request and adds what every request has.
pub(crate) fn plan(request: &Request) -> Result<Plan, String> {
    let url = parse_url(&request.url)?;
    let body = request.body.as_ref().map(|body| body.as_bytes().to_vec());
    let method = method(request.method.as_deref(), body.is_some())?;
    if body.is_some() && matches!(method.as_str(), "GET" | "HEAD") {
        return Err(format!("a {method} request has no body: leave body out, or use another method, such as POST."));
    }
    let mut headers = headers(&request.headers)?;
    let mut default = |name: &str, value: &str| {
        if !headers.iter().any(|(known, _)| known == name) {
            headers.push((name.to_owned(), value.to_owned()));
        }
    };
    default(
        "user-agent",
        concat!("caplet-web-fetch/", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR")),
    );
    default("accept", accept(request.format));
    // What comes compressed is decoded, but not asked for: what the host sees, masks and counts is what the page says.
    default("accept-encoding", "identity");
    if let Some(body) = &body {
        let json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
        default("content-type", if json { "application/json" } else { "text/plain; charset=utf-8" });
        default("content-length", &body.len().to_string());
    }
    Ok(Plan { method, url, headers, body })
}

fn accept(format: Format) -> &'static str {
    match format {
        Format::Markdown | Format::Text => "text/markdown, text/html;q=0.9, application/xhtml+xml;q=0.9, */*;q=0.8",
        Format::Raw => "*/*",
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("url is empty: give the address of the page, such as https://example.com/page.".to_owned());
    }
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            format!("url has no scheme: did you mean `https://{}`?", text.trim_start_matches('/'))
        }
        error => format!("url is no valid URL: {error}."),
    })?;
    check_url(&url).map_err(|reason| format!("url cannot be fetched: {reason}."))?;
    Ok(url)
}

/// What holds for every URL that is fetched, the caller's or a redirect's.
pub(crate) fn check_url(url: &Url) -> Result<(), String> {
    let scheme = url.scheme();
    if !matches!(scheme, "http" | "https") {
        let hint = if scheme == "file" { "; to read a file use file-read" } else { "" };
        return Err(format!("its scheme is `{scheme}`, and only http and https can be fetched{hint}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "it has a user name or password before its host; put them into an `authorization` header".to_owned()
        );
    }
    if url.as_str().len() > MAX_URL {
        return Err(format!("it is longer than {MAX_URL} bytes"));
    }
    Ok(())
}

fn method(given: Option<&str>, has_body: bool) -> Result<String, String> {
    let Some(given) = given else { return Ok(if has_body { "POST" } else { "GET" }.to_owned()) };
    if given.is_empty() || given.len() > 32 || !given.bytes().all(is_token) {
        return Err(
            "method is not the name of an HTTP method: use GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS.".to_owned()
        );
    }
    let upper = given.to_ascii_uppercase();
    match upper.as_str() {
        "CONNECT" | "TRACE" | "TRACK" => Err(format!("method {upper} cannot be sent.")),
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => Ok(upper),
        // Others are case-sensitive, and sent as they are.
        _ => Ok(given.to_owned()),
    }
}

fn headers(given: &[(String, String)]) -> Result<Vec<(String, String)>, String> {
    if given.len() > MAX_HEADERS
        || given.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_HEADER_BYTES
    {
        return Err(format!("headers are too many: at most {MAX_HEADERS} of {MAX_HEADER_BYTES} bytes in all."));
    }
    given.iter().map(|(name, value)| header(name, value)).collect()
}

fn header(name: &str, value: &str) -> Result<(String, String), String> {
    let name = name.trim().to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{}` is no name of a header.", name.escape_default()));
    }
    if let Some((_, why)) = FORBIDDEN.iter().find(|(forbidden, _)| *forbidden == name) {
        return Err(format!("header `{name}` cannot be set: {why}. Leave it out."));
    }
    let value = value.trim_matches([' ', '\t']);
    if value.chars().any(|char| char.is_control() && char != '\t') {
        return Err(format!("the value of header `{name}` has a line end or another control character: take it out."));
    }
    Ok((name, value.to_owned()))
}

/// Bytes of a token of HTTP (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
