//! Following redirects as the Fetch standard says: each hop is a request of its own, which the host decides on.
//!
//! Nothing that the caller wrote for one origin reaches another: neither the body nor headers, but for those that say only what kind
//! of answer is wanted.

use caplet_tool_common::text::join_or;
use url::{Origin, Url};

use crate::Hop;
use crate::client::{Client, Incoming, Outgoing};
use crate::failure::shown;
use crate::request::{MAX_URL, Plan, check_url};

/// Redirects in a row.
const MAX_REDIRECTS: usize = 10;

/// The caller's headers that another origin may see. All others may be credentials.
const HARMLESS: [&str; 9] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-length",
    "content-type",
    "pragma",
    "range",
    "user-agent",
];

/// The last response and the way to it.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) response: Incoming,
    /// With its fragment.
    pub(crate) url: Url,
    pub(crate) method: String,
    pub(crate) hops: Vec<Hop>,
    pub(crate) notices: Vec<String>,
}

/// Sends the request and follows where it leads.
pub(crate) fn follow(client: &mut dyn Client, mut plan: Plan) -> Result<Arrival, String> {
    let mut hops: Vec<Hop> = Vec::new();
    let mut notices = Vec::new();
    loop {
        let response = send(client, &plan, &hops)?;
        hops.push(Hop { url: plan.url.to_string(), status: response.status, method: plan.method.clone() });
        let Some(target) = target(&response, &plan.url)? else {
            return Ok(Arrival { response, url: plan.url, method: plan.method, hops, notices });
        };
        if hops.len() > MAX_REDIRECTS {
            return Err(format!("stopped after {MAX_REDIRECTS} redirects; the next would lead to {}.", shown(&target)));
        }
        next(&mut plan, response.status, target, &mut notices)?;
        let mut page = plan.url.clone();
        page.set_fragment(None);
        let came_by =
            |hop: &Hop| hop.method == plan.method && hop.url.split('#').next().unwrap_or_default() == page.as_str();
        if hops.iter().any(came_by) {
            return Err(format!("the redirects go round in a circle: they lead back to {}.", shown(&plan.url)));
        }
    }
}

fn send(client: &mut dyn Client, plan: &Plan, hops: &[Hop]) -> Result<Incoming, String> {
    let request = Outgoing { method: &plan.method, url: &plan.url, headers: &plan.headers, body: plan.body.as_deref() };
    client.send(&request).map_err(|failure| {
        let sentence = crate::failure::explain(&failure, &plan.method, &plan.url);
        match hops.last() {
            None => sentence,
            Some(last) => format!("a redirect ({}) of {} leads on, but: {sentence}", last.status, shorten(&last.url)),
        }
    })
}

fn shorten(url: &str) -> &str {
    caplet_tool_common::text::prefix(url, 500)
}

/// Where the response leads; `None` if it is the last.
fn target(response: &Incoming, current: &Url) -> Result<Option<Url>, String> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let failed = |reason: &str| {
        format!("{} answers with a redirect ({}) that cannot be followed: {reason}.", shown(current), response.status)
    };
    let mut locations = response.values("location");
    let Some(location) = locations.next() else { return Ok(None) };
    if locations.next().is_some() {
        return Err(failed("it names more than one place"));
    }
    let location = std::str::from_utf8(location).map_err(|_| failed("its location is not UTF-8"))?;
    if location.len() > MAX_URL {
        return Err(failed("its location is too long"));
    }
    if location.chars().any(char::is_control) {
        return Err(failed("its location has control characters"));
    }
    let mut target = current.join(location).map_err(|error| failed(&format!("its location is no URL ({error})")))?;
    check_url(&target).map_err(|reason| failed(&format!("it leads to {}, and {reason}", shown(&target))))?;
    if target.fragment().is_none() {
        target.set_fragment(current.fragment());
    }
    Ok(Some(target))
}

/// Makes the plan that of the next hop.
fn next(plan: &mut Plan, status: u16, target: Url, notices: &mut Vec<String>) -> Result<(), String> {
    let becomes_get = match status {
        301 | 302 => plan.method == "POST",
        303 => plan.method != "GET" && plan.method != "HEAD",
        _ => false,
    };
    if becomes_get {
        "GET".clone_into(&mut plan.method);
        plan.body = None;
        plan.headers.retain(|(name, _)| !name.starts_with("content-"));
    }
    if origin(&plan.url) != origin(&target) {
        if plan.body.is_some() {
            return Err(format!(
                "{} redirects ({status}) to {}, another origin, and asks for the body again; web-fetch does not send a body on \
                 to another origin. If it is meant for that place, send it there.",
                shown(&plan.url),
                shown(&target)
            ));
        }
        drop_headers(plan, &target, notices);
    }
    plan.url = target;
    Ok(())
}

fn origin(url: &Url) -> Origin {
    url.origin()
}

/// Drops what may be a credential. It stays dropped, also when a later hop leads back.
fn drop_headers(plan: &mut Plan, target: &Url, notices: &mut Vec<String>) {
    let (kept, dropped): (Vec<_>, Vec<_>) =
        plan.headers.drain(..).partition(|(name, _)| HARMLESS.contains(&name.as_str()));
    plan.headers = kept;
    if !dropped.is_empty() {
        let names: Vec<String> = dropped.into_iter().map(|(name, _)| format!("`{name}`")).collect();
        let host = target.host_str().unwrap_or_default();
        notices.push(format!("Not sent on to {host}, which is another origin: header {}.", join_or(&names)));
    }
}
