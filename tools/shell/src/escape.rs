//! Escape sequences with a backslash, as `$'…'`, `echo -e` and `printf` take them.

use bstr::ByteVec;

use crate::syntax::ast::Text;

/// What a sequence stands for.
pub(crate) enum Escape {
    /// These bytes.
    Bytes(Text),
    /// `\c`: nothing more is to be written.
    Stop,
    /// No sequence: the backslash is meant.
    Unknown,
}

/// Which words of the language of escapes are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `$'…'`
    AnsiC,
    /// `echo -e` and `%b`: octal begins with a `0`.
    Echo,
    /// The format of `printf`.
    Printf,
}

/// Reads the sequence after a backslash; gives it and how many bytes of `rest` it took.
pub(crate) fn read(rest: &[u8], style: Style) -> (Escape, usize) {
    let Some(first) = rest.first() else { return (Escape::Unknown, 0) };
    let byte = |byte: u8| (Escape::Bytes(vec![byte]), 1);
    match first {
        b'a' => byte(7),
        b'b' => byte(8),
        b'e' | b'E' => byte(27),
        b'f' => byte(12),
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'v' => byte(11),
        b'\\' => byte(b'\\'),
        b'\'' | b'"' | b'?' if style != Style::Echo => byte(*first),
        b'c' if style == Style::AnsiC => match rest.get(1) {
            Some(control) => (Escape::Bytes(vec![control.to_ascii_uppercase() & 0x1f]), 2),
            None => (Escape::Unknown, 0),
        },
        b'c' => (Escape::Stop, 1),
        b'x' => number(rest, 1, 2, 16, false),
        b'u' => number(rest, 1, 4, 16, true),
        b'U' => number(rest, 1, 8, 16, true),
        b'0' if style == Style::Echo => octal(rest, 1),
        b'0'..=b'7' if style != Style::Echo => octal(rest, 0),
        b'0'..=b'7' => octal(rest, 0),
        _ => (Escape::Unknown, 0),
    }
}

fn octal(rest: &[u8], from: usize) -> (Escape, usize) {
    let digits = rest.iter().skip(from).take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let value = rest.iter().skip(from).take(digits).fold(0_u32, |sum, byte| sum * 8 + u32::from(byte - b'0'));
    (Escape::Bytes(vec![u8::try_from(value & 0xff).unwrap_or(0)]), from + digits)
}

fn number(rest: &[u8], from: usize, most: usize, radix: u32, character: bool) -> (Escape, usize) {
    let digits = rest.iter().skip(from).take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    if digits == 0 {
        return (Escape::Unknown, 0);
    }
    let text = std::str::from_utf8(rest.get(from..from + digits).unwrap_or_default()).unwrap_or_default();
    let value = u32::from_str_radix(text, radix).unwrap_or(0);
    let mut bytes = Text::new();
    match (character, char::from_u32(value)) {
        (true, Some(letter)) => bytes.push_char(letter),
        (true, None) => bytes.push(b'?'),
        (false, _) => bytes.push(u8::try_from(value & 0xff).unwrap_or(0)),
    }
    (Escape::Bytes(bytes), from + digits)
}

/// The text of a `$'…'`.
pub(crate) fn ansi_c(raw: &[u8]) -> Text {
    expand(raw, Style::AnsiC).0
}

/// Replaces all sequences; also says whether a `\c` ended the text.
pub(crate) fn expand(raw: &[u8], style: Style) -> (Text, bool) {
    let mut out = Text::with_capacity(raw.len());
    let mut at = 0;
    while let Some(byte) = raw.get(at) {
        at += 1;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let (escape, taken) = read(raw.get(at..).unwrap_or_default(), style);
        match escape {
            Escape::Bytes(bytes) => out.extend_from_slice(&bytes),
            Escape::Stop => return (out, true),
            Escape::Unknown => out.push(b'\\'),
        }
        at += taken;
    }
    (out, false)
}
