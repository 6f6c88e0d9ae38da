//! `curl`: requests over the host's `wasi:http`, under the caller's grant.

use base64::Engine;
use bstr::ByteSlice;

use super::{Call, Flags};
use crate::host::{HttpFailure, HttpRequest};
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;

/// How many redirects are followed.
const HOPS_MAX: usize = 20;

const LONG: [(&str, u8); 26] = [
    ("silent", b's'),
    ("show-error", b'S'),
    ("location", b'L'),
    ("output", b'o'),
    ("remote-name", b'O'),
    ("request", b'X'),
    ("header", b'H'),
    ("data", b'd'),
    ("data-raw", 1),
    ("data-binary", 2),
    ("data-ascii", b'd'),
    ("head", b'I'),
    ("include", b'i'),
    ("write-out", b'w'),
    ("fail", b'f'),
    ("user-agent", b'A'),
    ("user", b'u'),
    ("max-time", b'm'),
    ("connect-timeout", 3),
    ("json", 4),
    ("data-urlencode", 5),
    ("get", b'G'),
    ("referer", b'e'),
    ("compressed", 6),
    ("url", 7),
    ("retry", 8),
];

/// The text of an operand of `-d`: itself, or what a file named after `@` holds.
async fn data(call: &Call<'_>, text: &Text, lines: bool) -> Flow<Text> {
    let Some(name) = text.strip_prefix(b"@") else { return Ok(text.clone()) };
    let Some(mut reader) = call.open(name).await else {
        return Err(Stop::Failed("(26) Failed to open a file to send".to_owned(), 26));
    };
    let mut all = reader.all(16 << 20).await?;
    if lines {
        all.retain(|byte| *byte != b'\n' && *byte != b'\r');
    }
    Ok(all)
}

fn escaped(text: &[u8]) -> Text {
    text.iter()
        .flat_map(|byte| match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => vec![*byte],
            other => format!("%{other:02X}").into_bytes(),
        })
        .collect()
}

async fn body(call: &Call<'_>, flags: &Flags) -> Flow<Option<Text>> {
    let mut pieces = Vec::new();
    for text in flags.values(b'd') {
        pieces.push(data(call, text, true).await?);
    }
    pieces.extend(flags.values(1).cloned());
    for text in flags.values(2) {
        pieces.push(data(call, text, false).await?);
    }
    for text in flags.values(4) {
        pieces.push(data(call, text, false).await?);
    }
    for text in flags.values(5) {
        pieces.push(match text.split_once_str("=") {
            Some((name, value)) if !name.is_empty() => [name, b"=", &escaped(value)].concat(),
            Some((_, value)) => escaped(value),
            None => escaped(text),
        });
    }
    Ok(if pieces.is_empty() { None } else { Some(bstr::join("&", pieces)) })
}

fn request(flags: &Flags, url: &str, body: Option<Text>) -> HttpRequest {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    for text in flags.values(b'H') {
        if let Some((name, value)) = text.split_once_str(":") {
            add(&name.to_str_lossy(), value.trim().to_str_lossy().into_owned());
        }
    }
    let given =
        |headers: &[(String, String)], name: &str| headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let defaults = [
        ("user-agent", Some(flags.value(b'A').map_or("curl".to_owned(), |text| text.to_str_lossy().into_owned()))),
        ("accept", Some(if flags.has(4) { "application/json" } else { "*/*" }.to_owned())),
        ("referer", flags.value(b'e').map(|text| text.to_str_lossy().into_owned())),
        (
            "authorization",
            flags.value(b'u').map(|text| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))),
        ),
        (
            "content-type",
            body.as_ref().map(|_| {
                if flags.has(4) { "application/json" } else { "application/x-www-form-urlencoded" }.to_owned()
            }),
        ),
        ("content-length", body.as_ref().map(|body| body.len().to_string())),
    ];
    for (name, value) in defaults {
        if let Some(value) = value.filter(|_| !given(&headers, name)) {
            headers.push((name.to_owned(), value));
        }
    }
    headers.retain(|(_, value)| !value.is_empty());
    let method = match flags.value(b'X') {
        Some(method) => method.to_str_lossy().into_owned(),
        None if flags.has(b'I') => "HEAD".to_owned(),
        None if body.is_some() => "POST".to_owned(),
        None => "GET".to_owned(),
    };
    HttpRequest { method, url: url.to_owned(), headers, body }
}

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) async fn curl(call: Call<'_>) -> Flow<i32> {
    let flags =
        Flags::parse(call.arguments, "sSLo:OX:H:d:Iiw:fA:u:m:Ge:kv#\u{1}:\u{2}:\u{3}:\u{4}:\u{5}:\u{7}:\u{8}:", &LONG)?;
    let Some(url) = flags.value(7).or(flags.operands.first()) else {
        return Err(Stop::Failed("no URL specified".to_owned(), 2));
    };
    let mut url = url.to_str_lossy().into_owned();
    if !url.contains("://") {
        url = format!("http://{url}");
    }
    let mut sent = body(&call, &flags).await?;
    if flags.has(b'G')
        && let Some(query) = sent.take()
    {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&query.to_str_lossy());
    }
    let mut request = request(&flags, &url, sent);
    let mut hops = 0;
    let mut response = loop {
        let response = match call.shell.host.fetch(&request) {
            Ok(response) => response,
            Err(error) => return refused(&call, &flags, &request, &error).await,
        };
        let header = |name: &str| {
            response
                .headers
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_str_lossy().into_owned())
        };
        let target = header("location").filter(|_| flags.has(b'L') && (300..400).contains(&response.status));
        let Some(target) = target.and_then(|target| resolved(&request.url, &target)) else { break response };
        hops += 1;
        if hops > HOPS_MAX {
            return Err(Stop::Failed(format!("(47) Maximum ({HOPS_MAX}) redirects followed"), 47));
        }
        redirect(&mut request, response.status, target);
    };
    if flags.has(b'f') && response.status >= 400 {
        if !flags.has(b's') || flags.has(b'S') {
            call.say(format!("(22) The requested URL returned error: {}", response.status)).await;
        }
        write_out(&call, &flags, response.status, 0, &request.url).await?;
        return Ok(22);
    }
    let name = match flags.value(b'o') {
        Some(name) if name != b"-" => Some(name.clone()),
        _ if flags.has(b'O') => {
            let path = request.url.split(['?', '#']).next().unwrap_or_default();
            Some(path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("index.html").as_bytes().to_vec())
        }
        _ => None,
    };
    let stream = match &name {
        Some(name) => match call.shell.open_to_write(name, false) {
            Ok(stream) => stream,
            Err(error) => return Err(Stop::Failed(format!("(23) {}", call.shell.refusal(name, &error, true)), 23)),
        },
        None => call.shell.stdout(),
    };
    if flags.has(b'i') || flags.has(b'I') {
        let mut head = format!("HTTP/1.1 {}\r\n", response.status).into_bytes();
        for (name, value) in &response.headers {
            head.extend_from_slice(format!("{name}: {}\r\n", value.to_str_lossy()).as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        stream.write(&head).await?;
    }
    let mut size = 0;
    loop {
        match (response.body)() {
            Ok(Some(piece)) => {
                size += piece.len() as u64;
                stream.write(&piece).await?;
            }
            Ok(None) => break,
            Err(error) => return refused(&call, &flags, &request, &error).await,
        }
    }
    write_out(&call, &flags, response.status, size, &request.url).await?;
    Ok(0)
}

/// Goes on to another place: without a body where the status asks for that, and without credentials at another origin.
fn redirect(request: &mut HttpRequest, status: u16, target: String) {
    let origin = |url: &str| url.split('/').take(3).collect::<Vec<_>>().join("/").to_ascii_lowercase();
    if origin(&request.url) != origin(&target) {
        let safe = ["user-agent", "accept", "accept-language", "content-type", "content-length"];
        request.headers.retain(|(name, _)| safe.contains(&name.to_ascii_lowercase().as_str()));
    }
    if matches!(status, 301..=303) && request.method != "HEAD" && request.body.is_some()
        || status == 303 && request.method != "HEAD"
    {
        "GET".clone_into(&mut request.method);
        request.body = None;
        request.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    }
    request.url = target;
}

/// An address as it stands in a page at another one; none if it is no HTTP.
fn resolved(base: &str, target: &str) -> Option<String> {
    let target = target.split('#').next().unwrap_or_default();
    if target.starts_with("http://") || target.starts_with("https://") {
        return Some(target.to_owned());
    }
    if target.contains("://") {
        return None;
    }
    let (scheme, rest) = base.split_once("://")?;
    if let Some(other) = target.strip_prefix("//") {
        return Some(format!("{scheme}://{other}"));
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if target.starts_with('/') {
        return Some(format!("{scheme}://{host}{target}"));
    }
    let folder = path.split('?').next().unwrap_or_default().rsplit_once('/').map_or("", |(folder, _)| folder);
    let slash = if folder.is_empty() { "" } else { "/" };
    Some(format!("{scheme}://{host}/{folder}{slash}{target}"))
}

async fn write_out(call: &Call<'_>, flags: &Flags, status: u16, size: u64, url: &str) -> Flow<()> {
    let Some(layout) = flags.value(b'w') else { return Ok(()) };
    let text = crate::escape::expand(layout, crate::escape::Style::Printf).0.to_str_lossy().into_owned();
    let text =
        text.replace("%{http_code}", &format!("{status:03}")).replace("%{response_code}", &format!("{status:03}"));
    let text = text.replace("%{size_download}", &size.to_string()).replace("%{url_effective}", url);
    call.shell.stdout().write(text.as_bytes()).await
}

/// Says why there is no answer, with the rule that would permit it.
async fn refused(call: &Call<'_>, flags: &Flags, request: &HttpRequest, error: &HttpFailure) -> Flow<i32> {
    let url = request.url.split(['?', '#']).next().unwrap_or_default();
    let is_denied = matches!(error, HttpFailure::Denied | HttpFailure::AddressProhibited);
    let (message, status) = match error {
        HttpFailure::Denied => (
            format!(
                "(7) Permission denied: {} {url} (not granted: only the operator can permit it, with `fetch:{} {url}`)",
                request.method, request.method
            ),
            7,
        ),
        HttpFailure::AddressProhibited => (
            format!(
                "(7) Permission denied: {url} has an address that is not public (only the operator can permit it, with a rule for the address itself)"
            ),
            7,
        ),
        HttpFailure::NoAddress => (format!("(6) Could not resolve host: {url}"), 6),
        HttpFailure::Unreachable => (format!("(7) Failed to connect: {url}"), 7),
        HttpFailure::Timeout => ("(28) Operation timed out".to_owned(), 28),
        HttpFailure::Tls(reason) => (format!("(35) No TLS connection: {reason}"), 35),
        HttpFailure::BadUrl => (format!("(3) URL rejected: {url}"), 3),
        HttpFailure::BadMethod => (format!("(43) The method {} cannot be sent", request.method), 43),
        HttpFailure::BadHeader(name) => (format!("(43) The header {name} cannot be sent"), 43),
        HttpFailure::RequestTooLarge => ("(55) The request is larger than may be sent".to_owned(), 55),
        HttpFailure::BodyTooLarge | HttpFailure::HeadersTooLarge => {
            ("(63) The answer is larger than a call may read".to_owned(), 63)
        }
        HttpFailure::TooManyRequests => ("(56) The call has sent as many requests as it may".to_owned(), 56),
        HttpFailure::Broken => ("(18) The connection was closed before the answer was complete".to_owned(), 18),
        HttpFailure::Protocol(reason) => {
            (format!("(56) The server does not answer in HTTP as it should: {reason}"), 56)
        }
        HttpFailure::Other(reason) => (format!("(56) {reason}"), 56),
    };
    if !flags.has(b's') || flags.has(b'S') || is_denied {
        call.say(message).await;
    }
    Ok(status)
}
