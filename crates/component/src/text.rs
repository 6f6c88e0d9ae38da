//! From a file's bytes to a binary: says what a file is that is not WebAssembly, and turns the text format into the binary one.
//!
//! What always holds: nothing is handed to the text parser that is larger or nested deeper than the caps allow.

use std::borrow::Cow;

use crate::caps::Caps;
use crate::error::{ComponentError, one_line};
use crate::walk::within;

const MAGIC: &[u8] = b"\0asm";
/// Version 1, core module.
const MODULE_VERSION: [u8; 4] = [1, 0, 0, 0];
/// Version 13, component: the version that every current tool writes.
const COMPONENT_VERSION: [u8; 4] = [13, 0, 1, 0];

/// First bytes of files that people hand over by mistake.
const LOOKALIKES: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "it is compressed with gzip; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "it is compressed with zstd; unpack it first"),
    (b"PK\x03\x04", "it is a zip archive; unpack it first"),
    (b"\x7fELF", "it is a native Linux program"),
    (b"\xcf\xfa\xed\xfe", "it is a native macOS program"),
    (b"MZ", "it is a native Windows program"),
    (b"#!", "it is a script"),
    (b"!<arch>", "it is a static library"),
    (b"BC\xc0\xde", "it is compiler bitcode"),
];

/// The binary form of `bytes`, which may be binary or text.
pub(crate) fn binary<'a>(bytes: &'a [u8], caps: &Caps) -> Result<Cow<'a, [u8]>, ComponentError> {
    let size = bytes.len() as u64;
    if size > caps.binary_bytes {
        return Err(ComponentError::TooLarge { size, limit: caps.binary_bytes });
    }
    if bytes.is_empty() {
        return Err(not_wasm("it is empty"));
    }
    if MAGIC.starts_with(bytes) || bytes.starts_with(MAGIC) {
        return header(bytes).map(|()| Cow::Borrowed(bytes));
    }
    if let Some((_, what)) = LOOKALIKES.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(not_wasm(what));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if starts_like_text(text) => parse(text, caps).map(Cow::Owned),
        _ => Err(not_wasm("it is neither the binary nor the text format")),
    }
}

fn not_wasm(what: &str) -> ComponentError {
    ComponentError::NotWasm(what.to_owned())
}

fn header(bytes: &[u8]) -> Result<(), ComponentError> {
    let Some(version) = bytes.get(4..8) else {
        return Err(not_wasm("it is cut off in its first eight bytes"));
    };
    if version == MODULE_VERSION || version == COMPONENT_VERSION {
        return Ok(());
    }
    let hex: Vec<String> = version.iter().map(|byte| format!("{byte:02x}")).collect();
    Err(not_wasm(&format!("its version is {}, which is neither a module's nor a component's", hex.join(" "))))
}

fn starts_like_text(text: &str) -> bool {
    let start = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    start.starts_with('(') || start.starts_with(";;")
}

fn parse(text: &str, caps: &Caps) -> Result<Vec<u8>, ComponentError> {
    within("bytes of WebAssembly text", text.len() as u64, caps.text_bytes)?;
    within("parentheses open at one time", deepest(text), caps.text_depth)?;
    wat::parse_str(text).map_err(|error| text_error(&error))
}

/// How many parentheses are open at one time, outside strings and comments.
fn deepest(text: &str) -> u64 {
    let mut bytes = text.bytes().peekable();
    let (mut depth, mut deepest) = (0_u64, 0_u64);
    let mut comment_depth = 0_u64;
    while let Some(byte) = bytes.next() {
        let next = bytes.peek().copied();
        match (byte, next) {
            (b'(', Some(b';')) => {
                bytes.next();
                comment_depth += 1;
            }
            (b';', Some(b')')) if comment_depth > 0 => {
                bytes.next();
                comment_depth -= 1;
            }
            _ if comment_depth > 0 => {}
            (b';', Some(b';')) => while bytes.next_if(|byte| !matches!(byte, b'\n' | b'\r')).is_some() {},
            (b'"', _) => skip_string(&mut bytes),
            (b'(', _) => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (b')', _) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

/// The parser's error without its drawing of the source: the place goes first, on the one line.
fn text_error(error: &wat::Error) -> ComponentError {
    let full = error.to_string();
    let place = full.lines().find_map(|line| {
        let (_, place) = line.split_once("--> ")?;
        let mut numbers = place.rsplit(':').map(|number| number.trim().parse::<usize>());
        let column = numbers.next()?.ok()?;
        Some((numbers.next()?.ok()?, column))
    });
    let (line, column) = place.unwrap_or((1, 1));
    ComponentError::Text { message: one_line(full.lines().next().unwrap_or("it does not parse")), line, column }
}
