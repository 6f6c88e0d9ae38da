//! Whether bytes are the canonical text of a value, found in one pass over them.

use std::cmp::Ordering;
use std::ops::Range;

use super::key_order;
use crate::text::is_hidden;

/// Values nested deeper than this are not ours: no record comes near it, and a reader should not run out of stack.
const MOST_DEPTH: usize = 64;

/// Whether `text` is the canonical text of some value.
///
/// # Errors
///
/// What the first thing in it is that [`write()`](super::write()) would have written otherwise.
pub fn check(text: &[u8]) -> Result<(), &'static str> {
    let Ok(whole) = std::str::from_utf8(text) else { return Err("it is not UTF-8") };
    let mut scan = Scan { whole, text, at: 0 };
    scan.value(0)?;
    if scan.at == text.len() { Ok(()) } else { Err("something follows the value") }
}

/// What was read so far.
struct Scan<'a> {
    whole: &'a str,
    text: &'a [u8],
    at: usize,
}

type Checked = Result<(), &'static str>;

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, expected: u8, otherwise: &'static str) -> Checked {
        if self.peek() != Some(expected) {
            return Err(if matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
                "there is whitespace in it"
            } else {
                otherwise
            });
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Checked {
        match self.peek() {
            Some(b'{') if depth < MOST_DEPTH => self.object(depth),
            Some(b'[') if depth < MOST_DEPTH => self.array(depth),
            Some(b'{' | b'[') => Err("it is nested too deep"),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b' ' | b'\t' | b'\r' | b'\n') => Err("there is whitespace in it"),
            _ => Err("it is no JSON"),
        }
    }

    fn word(&mut self, word: &[u8]) -> Checked {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err("it is no JSON");
        }
        self.at += word.len();
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Checked {
        self.at += 1;
        let mut last: Option<Range<usize>> = None;
        while self.peek() != Some(b'}') {
            if last.is_some() {
                self.take(b',', "it is no JSON")?;
            }
            let start = self.at;
            if self.peek() != Some(b'"') {
                self.take(b'"', "a key is missing")?;
            }
            self.string()?;
            let key = start..self.at;
            if let Some(before) = last {
                match key_order(&self.text[before], &self.text[key.clone()]) {
                    Ordering::Less => {}
                    Ordering::Equal => return Err("a key is given twice"),
                    Ordering::Greater => return Err("its keys are not in order"),
                }
            }
            last = Some(key);
            self.take(b':', "it is no JSON")?;
            self.value(depth + 1)?;
        }
        self.at += 1;
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Checked {
        self.at += 1;
        let mut is_first = true;
        while self.peek() != Some(b']') {
            if !is_first {
                self.take(b',', "it is no JSON")?;
            }
            is_first = false;
            self.value(depth + 1)?;
        }
        self.at += 1;
        Ok(())
    }

    fn integer(&mut self) -> Checked {
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        let digits = self.whole.get(start..self.at).unwrap_or_default();
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Err("a number is no integer");
        }
        if digits.is_empty() || (digits.starts_with('0') && (negative || digits.len() > 1)) {
            return Err("a number is not in its shortest form");
        }
        let number = self.whole.get(start - usize::from(negative)..self.at).unwrap_or_default();
        let fits = if negative { number.parse::<i64>().is_ok() } else { number.parse::<u64>().is_ok() };
        if fits { Ok(()) } else { Err("a number is out of range") }
    }

    fn string(&mut self) -> Checked {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(b' '..=0x7e) => self.at += 1,
                Some(0x80..=0xff) => {
                    let c = self.whole.get(self.at..).and_then(|rest| rest.chars().next()).unwrap_or('\0');
                    if is_hidden(c) {
                        return Err("a hidden character is not escaped");
                    }
                    self.at += c.len_utf8();
                }
                Some(_) => return Err("a control character is not escaped"),
                None => return Err("it is cut off"),
            }
        }
    }

    fn escape(&mut self) -> Checked {
        const LONG: &str = "a character is escaped that needs no escape, or not in the shortest way";
        self.at += 2;
        match self.text.get(self.at - 1) {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => return Ok(()),
            Some(b'u') => {}
            _ => return Err(LONG),
        }
        let first = self.unit()?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) {
            self.word(b"\\u")?;
            units.push(self.unit()?);
        }
        let c = char::decode_utf16(units).next().and_then(Result::ok).ok_or("an escape is no character")?;
        let is_short = matches!(c, '\u{8}' | '\t' | '\n' | '\u{c}' | '\r');
        if is_hidden(c) && !is_short { Ok(()) } else { Err(LONG) }
    }

    /// Four digits of an escape.
    fn unit(&mut self) -> Result<u16, &'static str> {
        let digits = self.whole.get(self.at..self.at + 4).ok_or("an escape is cut off")?;
        if !digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err("an escape has other digits than 0-9 and a-f");
        }
        self.at += 4;
        u16::from_str_radix(digits, 16).map_err(|_| "an escape is no number")
    }
}
