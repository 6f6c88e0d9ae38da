//! Why there is no response, as a sentence that says what to do next.

use caplet_tool_common::http::Failure;
use url::{Host, Url};

/// The sentence for a request of `method` to `url`.
pub(crate) fn explain(failure: &Failure, method: &str, url: &Url) -> String {
    let place = url.host_str().unwrap_or_default();
    match failure {
        Failure::Denied => format!(
            "not permitted to fetch {method} {}: the operator has not granted it. Trying again will not help; only the \
             operator can permit it, by a grant that covers `{}`.",
            shown(url),
            rule(method, url)
        ),
        Failure::AddressProhibited => format!(
            "not permitted to connect to {place}: it has an address that is not public (of this machine, a private or \
             local network, or a special range), and a rule for a name or for every host does not open those. Only the \
             operator can permit it, by a grant for the address itself, a network (CIDR) or `localhost`{}.",
            address_rule(method, url)
        ),
        Failure::NoAddress => format!("{place} has no address: check the spelling of the host's name in the URL."),
        Failure::Unreachable => format!(
            "no connection to {}: nothing answers there. Check host and port, or try again later.",
            authority(url)
        ),
        Failure::Timeout => format!("{} did not answer in time: try again later, or ask for less.", authority(url)),
        Failure::Broken => {
            format!("{} closed the connection before its response was complete: try again.", authority(url))
        }
        Failure::Tls(reason) => format!(
            "no secure connection to {}: {reason}. The certificate or the TLS version of the server is not accepted, \
             and there is no way to switch the check off.",
            authority(url)
        ),
        Failure::BodyTooLarge => format!(
            "the response of {place} is larger than this call may read: ask for a part, with a `range` header or the \
             server's own paging."
        ),
        Failure::HeadersTooLarge => {
            format!("the headers of the response of {place} are larger than this call may read.")
        }
        Failure::RequestTooLarge => "the request is too large: shorten the URL, the headers or the body.".to_owned(),
        Failure::BadUrl => format!("{} is not a URL that can be fetched.", shown(url)),
        Failure::BadMethod => format!("method `{method}` cannot be sent."),
        Failure::BadHeader(name) => format!("header `{name}` cannot be sent: leave it out."),
        Failure::TooManyRequests => {
            "this call has sent as many requests as it may: fetch the redirect's target in a call of its own."
                .to_owned()
        }
        Failure::Protocol(reason) => {
            format!("{} did not answer in HTTP as it should: {reason}.", authority(url))
        }
        Failure::Other(reason) => format!("{method} {} failed: {reason}.", shown(url)),
    }
}

/// The operator's rule that permits the request, as `--allow` takes it; rules do not look at the query.
fn rule(method: &str, url: &Url) -> String {
    let methods = if matches!(method, "GET" | "HEAD") { String::new() } else { format!("{method} ") };
    let mut path = String::new();
    for char in url.path().chars() {
        if matches!(char, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            path.push('\\');
        }
        path.push(char);
    }
    format!("fetch:{methods}{}://{}{path}", url.scheme(), authority(url))
}

/// An example of such a rule, where the URL names the address.
fn address_rule(method: &str, url: &Url) -> String {
    match url.host() {
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => format!(", here `{}`", rule(method, url)),
        Some(Host::Domain("localhost")) => format!(", here `{}`", rule(method, url)),
        Some(Host::Domain(_)) | None => String::new(),
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A URL in a sentence.
pub(crate) fn shown(url: &Url) -> &str {
    caplet_tool_common::text::prefix(url.as_str(), 500)
}
