//! Text from strangers, made safe to show and to log.
//!
//! A guest, an author or a server may put anything into a string: line breaks that forge a second log line, escape sequences that
//! drive a terminal, bidirectional controls that reorder what a person reads, characters that cannot be seen. Here each of these
//! becomes a visible escape. The JSON form loses nothing: a parser gives back what went in.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Whether `c` steers a terminal or a reader instead of being read: controls, line and paragraph separators, bidirectional
/// controls, zero-width and other invisible format characters, tags, and noncharacters.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// `text` for a terminal: line breaks and tabs stay, every other hidden character becomes `\u{…}`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_hidden(c) && c != '\n' && c != '\t')
}

/// `text` for one line of a terminal: line breaks and tabs are shown as `\n` and `\t` too.
#[must_use]
pub fn visible_line(text: &str) -> Cow<'_, str> {
    escape(text, is_hidden)
}

fn escape(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hidden(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// The longest prefix of `text` of at most `bytes` bytes that ends between characters, with `…` where something was cut off.
#[must_use]
pub fn shortened(text: &str, bytes: usize) -> Cow<'_, str> {
    const MARK: char = '…';
    if text.len() <= bytes {
        return Cow::Borrowed(text);
    }
    let mut kept = text[..text.floor_char_boundary(bytes.saturating_sub(MARK.len_utf8()))].to_owned();
    kept.push(MARK);
    Cow::Owned(kept)
}

/// `value` as JSON on one line, with every hidden character escaped.
///
/// # Errors
///
/// When `value` refuses to be serialised.
pub fn json_line<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    json(value, Escaping(CompactFormatter))
}

/// `value` as indented JSON, with every hidden character escaped.
///
/// # Errors
///
/// When `value` refuses to be serialised.
pub fn json_pretty<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    json(value, Escaping(PrettyFormatter::new()))
}

fn json<T: Serialize + ?Sized, F: Formatter>(value: &T, formatter: F) -> serde_json::Result<String> {
    let mut bytes = Vec::with_capacity(512);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// A JSON formatter that also escapes what JSON itself would let through.
struct Escaping<F>(F);

macro_rules! forward {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {
        $(fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $arg: $ty)*) -> io::Result<()> {
            self.0.$name(writer $(, $arg)*)
        })*
    };
}

impl<F: Formatter> Formatter for Escaping<F> {
    forward! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut start = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_hidden(*c)) {
            writer.write_all(&fragment.as_bytes()[start..at])?;
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            start = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[start..])
    }
}
