//! Content page by page: a cursor is a place in the content, with a digest by which a change of it is noticed.

use caplet_tool_common::text::prefix;

/// Characters of a page where the caller says nothing.
const DEFAULT_CHARS: usize = 50_000;
/// Bytes, and so characters, of a page at most: about 64,000 tokens.
pub(crate) const MAX_PAGE: usize = 256 * 1024;

/// A place in content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    offset: usize,
    digest: u64,
}

impl Cursor {
    /// Reads a cursor, `OFFSET-DIGEST`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts = text.trim().split_once('-').filter(|(_, digest)| digest.len() == 16);
        let cursor = parts.and_then(|(at, digest)| Some((at.parse().ok()?, u64::from_str_radix(digest, 16).ok()?)));
        let (offset, digest) = cursor.ok_or_else(|| {
            "cursor is not one that web-fetch gave: pass next_cursor unchanged, or leave it out to start again."
                .to_owned()
        })?;
        Ok(Self { offset, digest })
    }
}

/// How much of the content is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    max: usize,
    cursor: Option<Cursor>,
}

impl Window {
    pub(crate) fn new(max_chars: Option<u32>, cursor: Option<&str>) -> Result<Self, String> {
        let max = max_chars.map_or(DEFAULT_CHARS, |max| usize::try_from(max).unwrap_or(usize::MAX));
        if max == 0 || max > MAX_PAGE {
            return Err(format!(
                "max_chars is {max}: it must be from 1 to {MAX_PAGE}; to read more, page with cursor."
            ));
        }
        Ok(Self { max, cursor: cursor.map(Cursor::parse).transpose()? })
    }
}

/// A page of the content.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) text: String,
    pub(crate) next: Option<String>,
    pub(crate) notice: Option<String>,
}

/// Cuts the page out of `content`.
pub(crate) fn part(content: &str, window: Window) -> Part {
    let digest = digest(content);
    let start = window.cursor.map_or(0, |cursor| content.floor_char_boundary(cursor.offset));
    let rest = content.get(start..).unwrap_or_default();
    let changed = window.cursor.is_some_and(|cursor| cursor.digest != digest);
    let mut notice = changed.then(|| {
        "The page has changed since the part before: parts may not fit together. To read it as it is now, start again \
         without cursor."
            .to_owned()
    });
    if start > 0 && rest.is_empty() {
        notice = Some("The content ends before this cursor.".to_owned());
    }
    let page = cut(rest, window.max);
    let end = start + page.len();
    let next = (end < content.len()).then(|| format!("{end}-{digest:016x}"));
    Part { text: page.to_owned(), next, notice }
}

/// The first `max` characters, or a little less so that the cut is at a line's end.
fn cut(text: &str, max: usize) -> &str {
    let end = text.char_indices().nth(max).map_or(text.len(), |(at, _)| at);
    let most = prefix(text, end.min(MAX_PAGE));
    if most.len() == text.len() {
        return most;
    }
    match most.rfind('\n') {
        Some(line) if line >= most.len() / 2 => most.get(..=line).unwrap_or(most),
        _ => most,
    }
}

/// FNV-1a, 64 bits: it notices changes, and need not withstand anybody.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
