//! Small work on byte strings, character by character where they are UTF-8.

use bstr::{ByteSlice, ByteVec};

use crate::syntax::ast::Text;

/// In upper case.
pub(crate) fn upper(text: &[u8]) -> Text {
    if text.is_ascii() { text.to_ascii_uppercase() } else { text.to_uppercase() }
}

/// In lower case.
pub(crate) fn lower(text: &[u8]) -> Text {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase() }
}

/// The characters: each a piece of the text; a byte that is no UTF-8 is one of its own.
pub(crate) fn characters(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.char_indices().map(|(from, to, _)| text.get(from..to).unwrap_or_default())
}

/// How many characters.
pub(crate) fn length(text: &[u8]) -> usize {
    if text.is_ascii() { text.len() } else { text.char_indices().count() }
}

/// Quotes for the shell to read, as `printf %q` does: nothing, backslashes, or `$'…'`.
pub(crate) fn quoted(text: &[u8]) -> Text {
    if text.is_empty() {
        return b"''".to_vec();
    }
    if text.iter().any(|byte| *byte < b' ' || *byte == 127) || std::str::from_utf8(text).is_err() {
        return dollar_quoted(text);
    }
    let mut out = Text::new();
    for (at, byte) in text.iter().enumerate() {
        let special = b" '\"\\|&;()<>!{}*[]?^$`,".contains(byte) || (*byte == b'#' || *byte == b'~') && at == 0;
        if special {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

/// In single quotes, as `${x@Q}` and `declare -p` do.
pub(crate) fn single_quoted(text: &[u8]) -> Text {
    if text.iter().any(|byte| *byte < b' ' || *byte == 127) {
        return dollar_quoted(text);
    }
    let mut out = b"'".to_vec();
    out.extend(text.replace("'", r"'\''"));
    out.push(b'\'');
    out
}

/// In double quotes, as `declare -p` writes a value.
pub(crate) fn double_quoted(text: &[u8]) -> Text {
    if text.iter().any(|byte| *byte < b' ' || *byte == 127) {
        return dollar_quoted(text);
    }
    let mut out = b"\"".to_vec();
    for byte in text {
        if b"\"\\$`".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
    out
}

fn dollar_quoted(text: &[u8]) -> Text {
    let mut out = b"$'".to_vec();
    for character in characters(text) {
        match character {
            b"\n" => out.push_str(r"\n"),
            b"\t" => out.push_str(r"\t"),
            b"\r" => out.push_str(r"\r"),
            b"\x07" => out.push_str(r"\a"),
            b"\x08" => out.push_str(r"\b"),
            b"\x0b" => out.push_str(r"\v"),
            b"\x0c" => out.push_str(r"\f"),
            b"\x1b" => out.push_str(r"\E"),
            b"'" => out.push_str(r"\'"),
            b"\\" => out.push_str(r"\\"),
            [byte] if *byte < b' ' || *byte >= 127 => out.push_str(format!("\\{byte:03o}")),
            other => out.push_str(other),
        }
    }
    out.push(b'\'');
    out
}

/// For a message: what is no UTF-8 shows as a replacement.
pub(crate) fn shown(text: &[u8]) -> String {
    text.to_str_lossy().into_owned()
}
