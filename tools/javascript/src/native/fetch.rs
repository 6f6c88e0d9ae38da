//! Requests. Each runs on its own; the event loop hears of those that have ended.

use std::rc::Rc;

use rquickjs::{Array, Ctx, Exception, Object, Persistent, Result, Value};
use url::{Host, Url};

use crate::globals::add;
use crate::host::{Ended, HttpFailure, HttpRequest, HttpResponse};
use crate::redirect;
use crate::state::{Operation, Settle, State};
use crate::{bytes, failure};

/// Bytes of a URL, headers of a request.
const MAX_URL: usize = 16 * 1024;
const MAX_HEADERS: usize = 200;

/// What to do with a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Redirect {
    Follow,
    Refuse,
    Give,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Exchange {
    operation: u64,
    settle: Settle,
    request: HttpRequest,
    redirect: Redirect,
    hops: u32,
}

pub(crate) fn add_to<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    let shared = Rc::clone(state);
    // Gives `[number, promise]`; the promise is for `[status, headers, body, url, redirected]`.
    add(object, "send", move |ctx: Ctx<'js>, given: Object<'js>| {
        let (request, redirect) = request(&ctx, &given)?;
        let (promise, resolve, reject) = ctx.promise()?;
        let settle = Settle { resolve: Persistent::save(&ctx, resolve), reject: Persistent::save(&ctx, reject) };
        let operation = shared.operation();
        begin(&ctx, &shared, Exchange { operation, settle, request, redirect, hops: 0 })?;
        let handle = Array::new(ctx.clone())?;
        #[expect(clippy::cast_precision_loss, reason = "there are never 2^53 operations")]
        handle.set(0, operation as f64)?;
        handle.set(1, promise)?;
        Ok::<_, rquickjs::Error>(handle)
    })?;
    let shared = Rc::clone(state);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is what `send` gave, or nothing is found"
    )]
    add(object, "cancel", move |operation: f64| {
        let operation = operation as u64;
        if shared.operations.borrow_mut().remove(&operation).is_some() {
            shared.host.borrow_mut().cancel(operation);
        }
    })
}

fn request<'js>(ctx: &Ctx<'js>, given: &Object<'js>) -> Result<(HttpRequest, Redirect)> {
    let wrong = |what: &str| Exception::throw_type(ctx, what);
    let text: String = given.get("url")?;
    let mut url = Url::parse(&text).map_err(|error| wrong(&format!("fetch: the URL cannot be used ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(&format!("fetch: a `{}:` URL cannot be fetched, only http and https", url.scheme())));
    }
    if text.len() > MAX_URL {
        return Err(wrong("fetch: the URL is too long"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("fetch: a URL with a user or password cannot be fetched; send an `authorization` header"));
    }
    url.set_fragment(None);
    let headers: Vec<Vec<String>> = given.get("headers")?;
    if headers.len() > MAX_HEADERS {
        return Err(wrong("fetch: there are too many headers"));
    }
    let headers = headers.into_iter().filter_map(|pair| <[String; 2]>::try_from(pair).ok());
    let redirect = match given.get::<_, String>("redirect")?.as_str() {
        "error" => Redirect::Refuse,
        "manual" => Redirect::Give,
        _ => Redirect::Follow,
    };
    let body: Value<'js> = given.get("body")?;
    let request = HttpRequest {
        method: given.get("method")?,
        url,
        headers: headers.map(|[name, value]| (name, value)).collect(),
        body: bytes::from_js(&body),
    };
    Ok((request, redirect))
}

fn begin<'js>(ctx: &Ctx<'js>, state: &State, exchange: Exchange) -> Result<()> {
    let sent = state.host.borrow_mut().send(exchange.operation, &exchange.request);
    match sent {
        Ok(()) => {
            state.operations.borrow_mut().insert(exchange.operation, Operation::Fetch(Box::new(exchange)));
            Ok(())
        }
        Err(failure) => reject(ctx, exchange, failure),
    }
}

/// Goes on with a request that has ended: to where it is redirected, or to its promise.
pub(crate) fn ended(ctx: &Ctx<'_>, state: &State, exchange: Exchange, ended: Ended) -> Result<()> {
    let response = match ended {
        Ended::Http(Ok(response)) => response,
        Ended::Http(Err(failure)) => return reject(ctx, exchange, failure),
        Ended::Tool(_) => return Ok(()),
    };
    let stuck = |exchange: Exchange, reason: String| {
        let url = shown(&exchange.request.url);
        let message = format!(
            "fetch failed: {url} answers with a redirect ({}) that is not followed: {reason}.",
            response.status
        );
        let error = failure::value(ctx, &message, &[("name", "TypeError")])?;
        exchange.settle.reject(ctx, error)
    };
    match (exchange.redirect, redirect::next(&exchange.request, &response)) {
        (Redirect::Give, _) | (_, Ok(None)) => give(ctx, exchange, &response),
        (Redirect::Follow, Ok(Some(_))) if exchange.hops >= redirect::MAX_REDIRECTS => {
            stuck(exchange, format!("there were {} before it", redirect::MAX_REDIRECTS))
        }
        (Redirect::Follow, Ok(Some(request))) => {
            begin(ctx, state, Exchange { request, hops: exchange.hops + 1, ..exchange })
        }
        (Redirect::Refuse, Ok(Some(_))) => stuck(exchange, "`redirect` is \"error\"".to_owned()),
        (_, Err(reason)) => stuck(exchange, reason),
    }
}

fn give(ctx: &Ctx<'_>, exchange: Exchange, response: &HttpResponse) -> Result<()> {
    let list = Array::new(ctx.clone())?;
    list.set(0, response.status)?;
    let headers: Vec<Vec<&str>> = response.headers.iter().map(|(name, value)| vec![name.as_str(), value]).collect();
    list.set(1, headers)?;
    list.set(2, bytes::to_js(ctx, &response.body)?)?;
    list.set(3, exchange.request.url.as_str())?;
    list.set(4, exchange.hops > 0)?;
    exchange.settle.resolve(ctx, list.into_value())
}

fn reject(ctx: &Ctx<'_>, exchange: Exchange, why: HttpFailure) -> Result<()> {
    let (code, sentence) = explain(&why, &exchange.request);
    let by = if exchange.hops > 0 { " (by a redirect)" } else { "" };
    let error =
        failure::value(ctx, &format!("fetch failed{by}: {sentence}"), &[("name", "TypeError"), ("code", code)])?;
    exchange.settle.reject(ctx, error)
}

fn explain(why: &HttpFailure, request: &HttpRequest) -> (&'static str, String) {
    let url = &request.url;
    let host = url.host_str().unwrap_or_default();
    let place = authority(url);
    match why {
        HttpFailure::Denied => (
            "EACCES",
            format!(
                "not permitted to fetch {} {}: the operator has not granted it. Trying again will not help; only the operator can \
                 permit it, by a grant that covers `{}`.",
                request.method,
                shown(url),
                rule(request)
            ),
        ),
        HttpFailure::AddressProhibited => {
            let literal = matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_))) || host == "localhost";
            let here = if literal { format!(", here `{}`", rule(request)) } else { String::new() };
            (
                "EACCES",
                format!(
                    "not permitted to connect to {host}: its address is not public, and a rule for a name or for every host does \
                     not open it. Only the operator can permit it, by a grant for the address itself, a network (CIDR) or \
                     `localhost`{here}."
                ),
            )
        }
        HttpFailure::NoAddress => {
            ("ENOTFOUND", format!("{host} has no address: check the spelling of the host's name."))
        }
        HttpFailure::Unreachable => ("ECONNREFUSED", format!("nothing answers at {place}.")),
        HttpFailure::Timeout => ("ETIMEDOUT", format!("{place} did not answer in time.")),
        HttpFailure::Broken => {
            ("ECONNRESET", format!("{place} closed the connection before its response was complete."))
        }
        HttpFailure::Tls(reason) => ("ETLS", format!("no secure connection to {place}: {reason}.")),
        HttpFailure::BodyTooLarge | HttpFailure::HeadersTooLarge => {
            ("EFBIG", format!("the response of {place} is larger than a call may read."))
        }
        HttpFailure::BadUrl | HttpFailure::BadMethod | HttpFailure::BadHeader(_) | HttpFailure::RequestTooLarge => (
            "EINVAL",
            "the request cannot be sent: its method, URL, a header or its size is not acceptable.".to_owned(),
        ),
        HttpFailure::TooManyRequests => {
            ("EAGAIN", "the call has sent as many requests, in all or at once, as it may.".to_owned())
        }
        HttpFailure::Protocol(reason) => ("EPROTO", format!("{place} did not answer in HTTP as it should: {reason}.")),
        HttpFailure::Other(reason) => ("EIO", format!("the request to {place} failed: {reason}.")),
    }
}

/// The operator's rule that permits a request, as `--allow` takes it; rules do not look at the query.
fn rule(request: &HttpRequest) -> String {
    let methods =
        if matches!(request.method.as_str(), "GET" | "HEAD") { String::new() } else { format!("{} ", request.method) };
    let mut path = String::new();
    for char in request.url.path().chars() {
        if matches!(char, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            path.push('\\');
        }
        path.push(char);
    }
    format!("fetch:{methods}{}://{}{path}", request.url.scheme(), authority(&request.url))
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn shown(url: &Url) -> &str {
    caplet_tool_common::text::prefix(url.as_str(), 500)
}
