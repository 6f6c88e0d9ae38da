//! Ready-made answers that are as they should be.

use super::{Request, Script, Site};

/// A whole response with a body of its exact length. `headers` are whole lines' names and values.
#[must_use]
pub fn response(status: u16, headers: &[(&str, &[u8])], body: &[u8]) -> Script {
    let mut bytes = format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes();
    for (name, value) in headers {
        bytes.extend(name.as_bytes());
        bytes.extend(b": ");
        bytes.extend(*value);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
    bytes.extend(body);
    Script::new().send(bytes)
}

/// Plain text.
#[must_use]
pub fn text(status: u16, body: &str) -> Script {
    response(status, &[("content-type", b"text/plain; charset=utf-8")], body.as_bytes())
}

/// An HTML page.
#[must_use]
pub fn html(body: &str) -> Script {
    response(200, &[("content-type", b"text/html; charset=utf-8")], body.as_bytes())
}

/// A redirect. The location goes out as it is, also if it is no URL.
#[must_use]
pub fn redirect(status: u16, location: impl AsRef<[u8]>) -> Script {
    response(status, &[("location", location.as_ref())], b"elsewhere\n")
}

/// A redirect with several `location` headers, or none.
#[must_use]
pub fn redirects(status: u16, locations: &[&[u8]]) -> Script {
    let headers: Vec<(&str, &[u8])> = locations.iter().map(|location| ("location", *location)).collect();
    response(status, &headers, b"elsewhere\n")
}

/// Answers with the request itself: every byte of it as the body, and each of its headers as `x-echo-NAME`.
#[must_use]
pub fn echo(request: &Request) -> Script {
    let headers = request.headers();
    let names: Vec<String> =
        headers.iter().map(|(name, _)| format!("x-echo-{}", String::from_utf8_lossy(name))).collect();
    let echoed: Vec<(&str, &[u8])> =
        names.iter().map(String::as_str).zip(headers.iter().map(|(_, value)| *value)).collect();
    response(200, &echoed, &request.raw)
}

/// Answers by the path without its query, and 404 for the rest. Several scripts for one path are given in turn; the last stays.
pub fn routes(routes: impl IntoIterator<Item = (&'static str, Script)>) -> impl Site {
    let routes: Vec<(&str, Script)> = routes.into_iter().collect();
    let turns = std::sync::Mutex::new(std::collections::BTreeMap::<&str, usize>::new());
    move |request: &Request| {
        let scripts: Vec<_> = routes.iter().filter(|(path, _)| *path == request.path()).collect();
        let Some((path, last)) = scripts.last() else { return text(404, "there is no such page\n") };
        let mut turns = super::lock(&turns);
        let turn = turns.entry(path).or_default();
        *turn += 1;
        scripts.get(*turn - 1).map_or(last, |(_, script)| script).clone()
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        404 => "Not Found",
        _ => "Status",
    }
}
