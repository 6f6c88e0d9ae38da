//! The component's side: WIT in, [`crate::fetch`], WIT out; and `wasi:http` behind [`Client`].
#![expect(unsafe_code, reason = "generated bindings")]

wit_bindgen::generate!({ path: "wit", world: "web-fetch", generate_all });

use caplet_tool_common::http;
use exports::caplet::web_fetch::tool::{Encoding, Format, Guest, Header, Hop, Page};
use url::Position;

use crate::Failure;
use crate::client::{Body, Client, Incoming, Outgoing};

struct Tool;

impl Guest for Tool {
    fn fetch(
        url: String,
        method: Option<String>,
        headers: Option<Vec<Header>>,
        body: Option<String>,
        format: Option<Format>,
        main_content: Option<bool>,
        max_chars: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Page, String> {
        let headers = headers.unwrap_or_default().into_iter().map(|header| (header.name, header.value)).collect();
        let request = crate::Request {
            url,
            method,
            headers,
            body,
            format: match format {
                None | Some(Format::Markdown) => crate::Format::Markdown,
                Some(Format::Text) => crate::Format::Text,
                Some(Format::Raw) => crate::Format::Raw,
            },
            main_content: main_content.unwrap_or(false),
            max_chars,
            cursor,
        };
        let page = crate::fetch(&mut Host, &request)?;
        let header = |(name, value)| Header { name, value };
        let hop = |hop: crate::Hop| Hop { url: hop.url, status: hop.status, method: hop.method };
        Ok(Page {
            status: page.status,
            final_url: page.final_url,
            title: page.title,
            media_type: page.media_type,
            content: page.content,
            encoding: match page.encoding {
                crate::Encoding::Text => Encoding::Text,
                crate::Encoding::Base64 => Encoding::Base64,
            },
            next_cursor: page.next_cursor,
            notice: page.notice,
            headers: page.headers.into_iter().map(header).collect(),
            hops: page.hops.into_iter().map(hop).collect(),
        })
    }
}

export!(Tool);

/// The host's `wasi:http`.
struct Host;

impl Client for Host {
    fn send(&mut self, request: &Outgoing<'_>) -> Result<Incoming, Failure> {
        let Outgoing { method, url, headers, body } = *request;
        let (authority, target) = (url.authority(), &url[Position::BeforePath..Position::AfterQuery]);
        let is_https = url.scheme() == "https";
        let response = http::send(&http::Request { method, is_https, authority, target, headers, body })?;
        Ok(Incoming { status: response.status, headers: response.headers, body: Box::new(response.body) })
    }
}

impl Body for http::Body {
    fn read(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        http::Body::read(self)
    }
}
