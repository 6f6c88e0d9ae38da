//! The body of the last response as the caller wants it: readable, as it came, or as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caplet_tool_common::text::{plural, size};
use url::Url;

use crate::charset::{self, Decoded};
use crate::clean::{clean, cleaned};
use crate::html::{self, Style};
use crate::json;
use crate::media::{Kind, MediaType, kind};
use crate::page::{Window, part};
use crate::receive::Received;
use crate::{Encoding, Format, Incoming, Page, Request};

/// Bytes of readable text that a body becomes at most.
const MAX_TEXT: usize = 16 * 1024 * 1024;
/// Bytes of content that is no text: the size up to which model providers take an image.
const MAX_BINARY: usize = 5 * 1024 * 1024;

/// Puts content into `page`, and gives what a caller should know about it.
pub(crate) fn fill(
    page: &mut Page,
    received: Received,
    response: &Incoming,
    url: &Url,
    request: &Request,
    window: Window,
) -> Vec<String> {
    let mut notices = received.notices;
    let declared = response.text("content-type").and_then(|value| MediaType::parse(&value));
    let (kind, essence) = kind(declared.as_ref(), &received.bytes);
    page.media_type = essence;
    if received.bytes.is_empty() {
        if declared.is_none() {
            page.media_type.clear();
        }
        notices.push("The response has no content.".to_owned());
        return notices;
    }
    if kind == Kind::Binary || received.encoded {
        notices.extend(binary(page, &received.bytes, request));
        return notices;
    }
    let charset = declared.as_ref().and_then(|declared| declared.charset.as_deref());
    let mut decoded = charset::decode(&received.bytes, charset, kind, url);
    drop(received.bytes);
    if decoded.text.len() > MAX_TEXT {
        // Some encodings take fewer bytes than UTF-8.
        decoded.text.truncate(decoded.text.floor_char_boundary(MAX_TEXT));
        notices.push(format!("As text the content is larger than {}: its end is left out.", size(MAX_TEXT as u64)));
    }
    if decoded.damaged {
        notices.push(format!("Some bytes are no {} text; they are shown as \u{fffd}.", cleaned(decoded.encoding)));
    }
    let text = readable(page, decoded, kind, url, request, &mut notices);
    let part = part(&text, window);
    page.content = part.text;
    page.next_cursor = part.next;
    notices.extend(part.notice);
    if page.next_cursor.is_some() {
        notices.push("There is more: call again with the same arguments and next_cursor as cursor.".to_owned());
    }
    notices
}

fn readable(
    page: &mut Page,
    decoded: Decoded,
    kind: Kind,
    url: &Url,
    request: &Request,
    notices: &mut Vec<String>,
) -> String {
    let raw = request.format == Format::Raw;
    let mut text = match kind {
        Kind::Html => {
            let style =
                Style { markdown: request.format == Format::Markdown, main: request.main_content, max: MAX_TEXT };
            // Raw text has the title too.
            let read = html::read(&decoded.text, url, style);
            page.title = read.title.map(|title| cleaned(&title)).filter(|title| !title.is_empty());
            if raw {
                return decoded.text;
            }
            notices.extend(read.notices);
            if read.text.is_empty() {
                notices.push("The page has no text: format raw gives its source.".to_owned());
            }
            read.text
        }
        Kind::Json if !raw => json::pretty(&decoded.text, MAX_TEXT).unwrap_or(decoded.text),
        Kind::Json | Kind::Xml | Kind::Text | Kind::Binary => decoded.text,
    };
    if !raw {
        let taken = clean(&mut text);
        if taken > 0 {
            notices.push(format!(
                "{} taken out (control or direction marks, which can hide text); format raw keeps them.",
                plural(taken as u64, "invisible character")
            ));
        }
    }
    text
}

/// Content that is no text comes whole or not at all: a part of it is of no use.
fn binary(page: &mut Page, bytes: &[u8], request: &Request) -> Option<String> {
    page.encoding = Encoding::Base64;
    let length = bytes.len().div_ceil(3) * 4;
    let asked = request.max_chars.is_some_and(|max| length > usize::try_from(max).unwrap_or(usize::MAX));
    if bytes.len() > MAX_BINARY || asked {
        let bound = if bytes.len() > MAX_BINARY { size(MAX_BINARY as u64) } else { "max_chars".to_owned() };
        let found = size(bytes.len() as u64);
        return Some(format!("The content is {found} of {}, more than {bound}: it is left out.", page.media_type));
    }
    page.content = STANDARD.encode(bytes);
    None
}
