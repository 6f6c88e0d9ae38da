//! The built-in tool `web-fetch`: a URL in, what it leads to out, as Markdown, text, or as it came.
//!
//! The network is behind [`Client`]: it sends one request and follows nothing. What is sent next after a redirect, what a header may
//! say, how a body becomes text and how much of it is given is decided here. Content comes from strangers: whatever it is, it takes
//! time in proportion to its length, no recursion, and bounded memory.

pub mod client;
#[cfg(target_family = "wasm")]
mod guest;

mod charset;
mod clean;
mod content;
mod failure;
mod html;
mod json;
mod media;
mod page;
mod receive;
mod redirect;
mod request;

pub use caplet_tool_common::http::Failure;
pub use client::{Body, Client, Incoming, Outgoing};

use page::Window;

/// What the caller asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The address.
    pub url: String,
    /// The HTTP method; `GET` if left out, `POST` if there is a body.
    pub method: Option<String>,
    /// Headers to send.
    pub headers: Vec<(String, String)>,
    /// The body to send.
    pub body: Option<String>,
    /// How text is given.
    pub format: Format,
    /// Whether what stands around the content is left out.
    pub main_content: bool,
    /// Characters to give at most.
    pub max_chars: Option<u32>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// How text is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// HTML as Markdown, JSON indented, other text as it is.
    #[default]
    Markdown,
    /// HTML as text without markup, JSON indented, other text as it is.
    Text,
    /// As it came.
    Raw,
}

/// How content is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// It is text.
    #[default]
    Text,
    /// It is not text.
    Base64,
}

/// A request on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Where it went.
    pub url: String,
    /// How it was answered.
    pub status: u16,
    /// Its method.
    pub method: String,
}

/// What came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// The address of the last request.
    pub final_url: String,
    /// The page's title.
    pub title: Option<String>,
    /// `type/subtype`.
    pub media_type: String,
    /// The content, or a part of it.
    pub content: String,
    /// How it is written.
    pub encoding: Encoding,
    /// Where the next part begins.
    pub next_cursor: Option<String>,
    /// What to know about it.
    pub notice: Option<String>,
    /// The headers of the response that say something to a caller.
    pub headers: Vec<(String, String)>,
    /// All requests, in order.
    pub hops: Vec<Hop>,
}

/// Headers that are given; the others say something to browsers and caches, or are credentials.
const TOLD: [&str; 13] = [
    "accept-ranges",
    "allow",
    "content-disposition",
    "content-language",
    "content-range",
    "etag",
    "last-modified",
    "link",
    "location",
    "retry-after",
    "www-authenticate",
    "x-total-count",
    "x-request-id",
];
/// Bytes of a header's value, and headers, that are given.
const MAX_VALUE: usize = 1_000;
const MAX_TOLD: usize = 32;

/// Fetches what is asked for.
///
/// # Errors
/// A sentence that says why there is no response and what to do. A response that reports an error is none.
pub fn fetch(client: &mut dyn Client, request: &Request) -> Result<Page, String> {
    let window = Window::new(request.max_chars, request.cursor.as_deref())?;
    let plan = request::plan(request)?;
    let mut arrival = redirect::follow(client, plan)?;
    let received =
        receive::receive(&mut arrival.response).map_err(|why| failure::explain(&why, &arrival.method, &arrival.url))?;
    let mut page = Page {
        status: arrival.response.status,
        final_url: arrival.url.to_string(),
        headers: told(&arrival.response),
        hops: arrival.hops,
        ..Page::default()
    };
    let mut notices = arrival.notices;
    notices.extend(content::fill(&mut page, received, &arrival.response, &arrival.url, request, window));
    page.notice = (!notices.is_empty()).then(|| notices.join(" "));
    Ok(page)
}

fn told(response: &Incoming) -> Vec<(String, String)> {
    let wanted = |name: &str| TOLD.contains(&name) || name.starts_with("ratelimit") || name.starts_with("x-ratelimit");
    let headers = response.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let readable = |value: &[u8]| {
        let value = clean::cleaned(&String::from_utf8_lossy(value));
        caplet_tool_common::text::prefix(value.trim(), MAX_VALUE).to_owned()
    };
    headers.filter(|(name, _)| wanted(name)).take(MAX_TOLD).map(|(name, value)| (name, readable(value))).collect()
}
