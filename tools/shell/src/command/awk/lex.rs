//! The words of an awk program.

use crate::escape::{self, Escape, Style};
use crate::syntax::ast::Text;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(Text),
    Regex(Text),
    Name(Text),
    /// A name right before a parenthesis: a call.
    Call(Text),
    Symbol(&'static str),
    Newline,
    End,
}

/// Symbols, longer ones before their beginnings.
const SYMBOLS: [&str; 45] = [
    "**=", "&&", "||", "==", "!=", "<=", ">=", ">>", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "**", "!~", "{",
    "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", ">", "<", "|", "?", ":", "~", "$", "=", "&",
    ".", "#", "@",
];

/// Splits a program into tokens, with the line of each.
pub(super) fn tokens(source: &[u8]) -> Result<Vec<(Token, usize)>, String> {
    let mut all: Vec<(Token, usize)> = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(byte) = source.get(at) {
        let rest = source.get(at..).unwrap_or_default();
        match byte {
            b' ' | b'\t' | b'\r' => at += 1,
            b'\\' if rest.get(1) == Some(&b'\n') => {
                at += 2;
                line += 1;
            }
            b'\n' => {
                all.push((Token::Newline, line));
                at += 1;
                line += 1;
            }
            b'#' => at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
            b'"' => {
                let (text, used) = string(rest).ok_or_else(|| format!("line {line}: unterminated string"))?;
                all.push((Token::Text(text), line));
                at += used;
            }
            b'/' if !after_value(all.last().map(|last| &last.0)) => {
                let (text, used) = regex(rest).ok_or_else(|| format!("line {line}: unterminated regexp"))?;
                all.push((Token::Regex(text), line));
                at += used;
            }
            b'0'..=b'9' | b'.' if byte.is_ascii_digit() || rest.get(1).is_some_and(u8::is_ascii_digit) => {
                let (value, used) = crate::number::leading(rest);
                all.push((Token::Number(value), line));
                at += used.max(1);
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let size =
                    rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_')).unwrap_or(rest.len());
                let name = rest.get(..size).unwrap_or_default().to_vec();
                let called = rest.get(size) == Some(&b'(');
                all.push((if called { Token::Call(name) } else { Token::Name(name) }, line));
                at += size;
            }
            _ => {
                let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(symbol.as_bytes())) else {
                    return Err(format!("line {line}: unexpected character '{}'", char::from(*byte)));
                };
                at += symbol.len();
                let symbol = match *symbol {
                    "**" => "^",
                    "**=" => "^=",
                    other => other,
                };
                all.push((Token::Symbol(symbol), line));
            }
        }
    }
    all.push((Token::Newline, line));
    all.push((Token::End, line));
    Ok(all)
}

/// Whether a `/` here divides.
fn after_value(last: Option<&Token>) -> bool {
    match last {
        Some(Token::Number(_) | Token::Text(_) | Token::Regex(_)) => true,
        Some(Token::Name(name)) => !matches!(name.as_slice(), b"print" | b"printf" | b"return" | b"in" | b"getline"),
        Some(Token::Symbol(symbol)) => matches!(*symbol, ")" | "]" | "$" | "++" | "--"),
        _ => false,
    }
}

fn string(rest: &[u8]) -> Option<(Text, usize)> {
    let mut out = Text::new();
    let mut at = 1;
    loop {
        match rest.get(at)? {
            b'"' => return Some((out, at + 1)),
            b'\n' => return None,
            b'\\' => {
                at += 1;
                match rest.get(at)? {
                    b'/' => {
                        out.push(b'/');
                        at += 1;
                    }
                    b'\n' => at += 1,
                    other => match escape::read(rest.get(at..)?, Style::Printf) {
                        (Escape::Bytes(bytes), used) if *other != b'c' => {
                            out.extend(bytes);
                            at += used;
                        }
                        _ => {
                            out.extend([b'\\', *other]);
                            at += 1;
                        }
                    },
                }
            }
            other => {
                out.push(*other);
                at += 1;
            }
        }
    }
}

fn regex(rest: &[u8]) -> Option<(Text, usize)> {
    let mut out = Text::new();
    let mut at = 1;
    let mut class = false;
    loop {
        match rest.get(at)? {
            b'/' if !class => return Some((out, at + 1)),
            b'\n' => return None,
            b'\\' => {
                match rest.get(at + 1)? {
                    b'/' => out.push(b'/'),
                    b'"' => out.push(b'"'),
                    other => out.extend([b'\\', *other]),
                }
                at += 2;
                continue;
            }
            b'[' => class = true,
            b']' => class = false,
            _ => {}
        }
        out.extend(rest.get(at));
        at += 1;
    }
}

/// An expression whose brackets have no backslashes: in awk one takes the meaning off what follows it there too.
pub(super) fn unescaped(pattern: &[u8]) -> Text {
    let mut out = Text::with_capacity(pattern.len());
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        at += 1;
        out.push(*byte);
        if *byte == b'\\' {
            out.extend(pattern.get(at));
            at += 1;
        } else if *byte == b'[' {
            at += bracket(pattern.get(at..).unwrap_or_default(), &mut out);
        }
    }
    out
}

/// Puts what follows a `[`, up to its end; gives how much that was.
fn bracket(text: &[u8], out: &mut Text) -> usize {
    let mut at = 0;
    if text.first() == Some(&b'^') {
        out.push(b'^');
        at += 1;
    }
    // A closing bracket is text where it comes first, a dash where it comes last.
    let (mut middle, mut closes, mut dash) = (Text::new(), text.get(at) == Some(&b']'), false);
    at += usize::from(closes);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b']' => break,
            b'[' if text.get(at) == Some(&b':') => {
                let end = text.get(at..).unwrap_or_default().iter().position(|byte| *byte == b']');
                let end = at + end.map_or(0, |end| end + 1);
                middle.push(b'[');
                middle.extend_from_slice(text.get(at..end).unwrap_or_default());
                at = end;
            }
            b'\\' => {
                let next = text.get(at).copied().unwrap_or(b'\\');
                at += 1;
                match next {
                    b']' => closes = true,
                    b'-' => dash = true,
                    b'n' => middle.push(b'\n'),
                    b't' => middle.push(b'\t'),
                    b'r' => middle.push(b'\r'),
                    b'f' => middle.push(12),
                    b'v' => middle.push(11),
                    other => middle.push(other),
                }
            }
            other => middle.push(*other),
        }
    }
    if closes {
        out.push(b']');
    }
    if middle.first() == Some(&b'^') && !closes {
        middle.rotate_left(1);
    }
    out.extend(middle);
    if dash {
        out.push(b'-');
    }
    out.push(b']');
    at
}
