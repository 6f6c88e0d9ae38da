//! The one text that a JSON value has in the log.
//!
//! It is RFC 8785 (sorted keys, no whitespace, the shortest escapes) with two restrictions of our own: numbers are integers, and a
//! character that steers a terminal or a reader is always escaped, as `\u202e`. So equal values have equal bytes, whoever wrote them, and a
//! line shows what it is. [`write()`] makes that text; [`check`] says whether bytes are it, without building the value.

use std::cmp::Ordering;
use std::io::{self, Write};
use std::ops::Range;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};

use crate::text::is_hidden;

mod check;

pub use check::check;

/// Appends the canonical text of `value` to `out`.
///
/// # Errors
///
/// When `value` refuses to be serialised, or holds a number that is no integer.
pub fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> serde_json::Result<()> {
    let sorting = Sorting { out, members: Vec::new(), objects: Vec::new() };
    // All that is written goes through the formatter, to `out`.
    value.serialize(&mut serde_json::Serializer::with_formatter(io::sink(), sorting))
}

/// A member of an object in the text that is being made.
#[derive(Clone, Copy, Debug)]
struct Member {
    start: usize,
    key_end: usize,
}

impl Member {
    fn key(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.key_end).unwrap_or_default()
    }
}

/// Writes to `out`, and puts the members of each object in order at its end.
struct Sorting<'a> {
    out: &'a mut Vec<u8>,
    /// The members of all objects that are open.
    members: Vec<Member>,
    /// Of each open object, its first in `members`.
    objects: Vec<usize>,
}

impl Sorting<'_> {
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Sorts the members of the object that ends here.
    fn sort(&mut self) {
        let first = self.objects.pop().unwrap_or(0);
        let members = self.members.split_off(first.min(self.members.len()));
        let Some(start) = members.first().map(|member| member.start) else { return };
        let order = |one: &Member, other: &Member, text: &[u8]| key_order(one.key(text), other.key(text));
        if members.is_sorted_by(|one, other| order(one, other, self.out) == Ordering::Less) {
            return;
        }
        let old = self.out.split_off(start);
        let ends = members.iter().skip(1).map(|next| next.start - 1).chain([start + old.len()]);
        let mut parts: Vec<(&[u8], &[u8])> = members
            .iter()
            .zip(ends)
            .map(|(member, end)| {
                let part = |range: Range<usize>| old.get(range.start - start..range.end - start).unwrap_or_default();
                (part(member.start..member.key_end), part(member.start..end))
            })
            .collect();
        parts.sort_by(|(one, _), (other, _)| key_order(one, other));
        for (number, (_, part)) in parts.into_iter().enumerate() {
            if number > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(part);
        }
    }
}

/// Escaped keys with their quotes, in the order of RFC 8785: by UTF-16 units.
fn key_order(one: &[u8], other: &[u8]) -> Ordering {
    let plain = |key: &[u8]| key.is_ascii() && !key.contains(&b'\\');
    if plain(one) && plain(other) {
        // Without the quote at the end, which would come before other characters.
        return one.split_last().map(|(_, key)| key).cmp(&other.split_last().map(|(_, key)| key));
    }
    let units = |key: &[u8]| -> Vec<u16> {
        let text: String = serde_json::from_slice(key).unwrap_or_default();
        text.encode_utf16().collect()
    };
    units(one).cmp(&units(other))
}

macro_rules! integers {
    ($($name:ident: $ty:ty),*) => {
        $(fn $name<W: ?Sized + Write>(&mut self, _: &mut W, value: $ty) -> io::Result<()> {
            write!(self.out, "{value}")
        })*
    };
}

macro_rules! marks {
    ($($name:ident => $mark:literal),*) => {
        $(fn $name<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
            self.push($mark)
        })*
    };
}

impl Formatter for Sorting<'_> {
    integers!(
        write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64, write_u8: u8, write_u16: u16, write_u32: u32,
        write_u64: u64
    );
    marks!(
        write_null => b"null", begin_string => b"\"", end_string => b"\"", begin_array => b"[", end_array => b"]",
        end_array_value => b"", begin_object_value => b":", end_object_value => b""
    );

    fn write_bool<W: ?Sized + Write>(&mut self, _: &mut W, value: bool) -> io::Result<()> {
        self.push(if value { b"true" } else { b"false" })
    }

    fn write_i128<W: ?Sized + Write>(&mut self, _: &mut W, _: i128) -> io::Result<()> {
        Err(no_integer())
    }

    fn write_u128<W: ?Sized + Write>(&mut self, _: &mut W, _: u128) -> io::Result<()> {
        Err(no_integer())
    }

    fn write_f32<W: ?Sized + Write>(&mut self, _: &mut W, _: f32) -> io::Result<()> {
        Err(no_integer())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, _: &mut W, _: f64) -> io::Result<()> {
        Err(no_integer())
    }

    fn write_number_str<W: ?Sized + Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(no_integer())
    }

    fn write_raw_fragment<W: ?Sized + Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(no_integer())
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, _: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
            return self.push(fragment.as_bytes());
        }
        for c in fragment.chars() {
            let mut units = [0; 4];
            if !is_hidden(c) {
                self.push(c.encode_utf8(&mut units).as_bytes())?;
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(self.out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, _: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Quote => self.push(b"\\\""),
            CharEscape::ReverseSolidus => self.push(b"\\\\"),
            CharEscape::Solidus => self.push(b"/"),
            CharEscape::Backspace => self.push(b"\\b"),
            CharEscape::FormFeed => self.push(b"\\f"),
            CharEscape::LineFeed => self.push(b"\\n"),
            CharEscape::CarriageReturn => self.push(b"\\r"),
            CharEscape::Tab => self.push(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(self.out, "\\u{byte:04x}"),
        }
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, _: &mut W, first: bool) -> io::Result<()> {
        self.push(if first { b"" } else { b"," })
    }

    fn begin_object<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.objects.push(self.members.len());
        self.push(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.sort();
        self.push(b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, _: &mut W, first: bool) -> io::Result<()> {
        self.push(if first { b"" } else { b"," })?;
        let start = self.out.len();
        self.members.push(Member { start, key_end: start });
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        if let Some(member) = self.members.last_mut() {
            member.key_end = self.out.len();
        }
        Ok(())
    }
}

fn no_integer() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the log holds no numbers but integers")
}
