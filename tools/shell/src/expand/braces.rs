//! Brace expansion: `{a,b}` and `{1..5}`.

use crate::stop::{Flow, Stop};
use crate::syntax::ast::{Part, Text, Word};

/// How many words one word may become.
const MAX: usize = 2_000_000;

/// A byte of a word that can be part of a brace or, from 256 on, another part of the word by its number. Small, because a word
/// such as `{1..1000000}` becomes many of them.
type Unit = u32;

/// The number of the first part.
const PART: Unit = 256;

/// The words that a word stands for, one after the other.
pub(super) fn expand(word: &Word) -> Flow<impl Iterator<Item = Word>> {
    let mut units = Vec::new();
    for (part, number) in word.parts.iter().zip(PART..) {
        match part {
            Part::Bare(text) => units.extend(text.iter().map(|byte| Unit::from(*byte))),
            _ => units.push(number),
        }
    }
    let mut all = Vec::new();
    alternatives(&units, 0, &mut all)?;
    Ok(all.into_iter().map(|units| to_word(&units, &word.parts)))
}

fn to_word(units: &[Unit], all: &[Part]) -> Word {
    let mut parts: Vec<Part> = Vec::new();
    for unit in units {
        match (u8::try_from(*unit), parts.last_mut()) {
            (Ok(byte), Some(Part::Bare(text))) => text.push(byte),
            (Ok(byte), _) => parts.push(Part::Bare(vec![byte])),
            (Err(_), _) => parts.extend(all.get((*unit - PART) as usize).cloned()),
        }
    }
    // Where a brace stood at the start, a `~` may now stand there.
    if let Some(Part::Bare(text)) = parts.first_mut()
        && text.first() == Some(&b'~')
    {
        let end = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
        let rest = text.split_off(end);
        let name = text.split_off(1);
        parts.splice(..1, [Part::Tilde(name), Part::Bare(rest)]);
    }
    Word { parts, braces: false }
}

fn byte(unit: Unit) -> Option<u8> {
    u8::try_from(unit).ok()
}

/// The first brace from `from` that expands: where it opens, its commas, and where it closes.
fn find(units: &[Unit], from: usize) -> Option<(usize, Vec<usize>, usize)> {
    let mut open = from;
    while open < units.len() {
        if byte(*units.get(open)?) == Some(b'{') {
            let (mut deep, mut commas) = (0_usize, Vec::new());
            for (at, unit) in units.iter().enumerate().skip(open + 1) {
                match byte(*unit) {
                    Some(b'{') => deep += 1,
                    Some(b'}') if deep > 0 => deep -= 1,
                    Some(b'}') => {
                        if !commas.is_empty() || sequence(units.get(open + 1..at)?).is_some() {
                            return Some((open, commas, at));
                        }
                        break;
                    }
                    Some(b',') if deep == 0 => commas.push(at),
                    _ => {}
                }
            }
        }
        open += 1;
    }
    None
}

fn alternatives(units: &[Unit], depth: usize, all: &mut Vec<Vec<Unit>>) -> Flow<()> {
    let found = if depth < 64 { find(units, 0) } else { None };
    let Some((open, commas, close)) = found else {
        all.push(units.to_vec());
        return check(all.len());
    };
    let (before, after) = (units.get(..open).unwrap_or_default(), units.get(close + 1..).unwrap_or_default());
    let mut middles = Vec::new();
    if commas.is_empty() {
        let items = sequence(units.get(open + 1..close).unwrap_or_default());
        for item in items.into_iter().flatten() {
            middles.push(item.into_iter().map(Unit::from).collect::<Vec<_>>());
            check(middles.len())?;
        }
    } else {
        let mut start = open + 1;
        for end in commas.into_iter().chain([close]) {
            alternatives(units.get(start..end).unwrap_or_default(), depth + 1, &mut middles)?;
            start = end + 1;
        }
    }
    let mut rests = Vec::new();
    alternatives(after, depth + 1, &mut rests)?;
    check(all.len().saturating_add(middles.len().saturating_mul(rests.len())))?;
    for middle in &middles {
        for rest in &rests {
            all.push([before, middle, rest].concat());
        }
    }
    Ok(())
}

fn check(count: usize) -> Flow<()> {
    if count > MAX { Err(Stop::Limit(format!("brace expansion: more than {MAX} words"))) } else { Ok(()) }
}

/// What a sequence counts through.
struct Sequence {
    first: i64,
    last: i64,
    step: u64,
    /// Digits, with this many places at least; letters if none.
    width: Option<usize>,
    at: Option<i64>,
}

impl Iterator for Sequence {
    type Item = Text;

    fn next(&mut self) -> Option<Text> {
        let at = self.at?;
        let next = if self.last < self.first {
            at.checked_sub_unsigned(self.step)
        } else {
            at.checked_add_unsigned(self.step)
        };
        self.at = next.filter(|next| if self.last < self.first { *next >= self.last } else { *next <= self.last });
        match self.width {
            Some(0) => Some(at.to_string().into_bytes()),
            Some(width) => Some(format!("{at:0width$}").into_bytes()),
            None => Some(vec![u8::try_from(at).ok()?]),
        }
    }
}

/// `1..5`, `a..e`, with a step.
fn sequence(units: &[Unit]) -> Option<Sequence> {
    let text: Option<Text> = units.iter().map(|unit| byte(*unit)).collect();
    let text = String::from_utf8(text?).ok()?;
    let mut pieces = text.split("..");
    let (from, to) = (pieces.next()?, pieces.next()?);
    let step = pieces.next().map_or(Ok(1), str::parse::<i64>).ok()?.unsigned_abs().max(1);
    if pieces.next().is_some() {
        return None;
    }
    if let (Ok(first), Ok(last)) = (from.parse::<i64>(), to.parse::<i64>()) {
        let padded =
            |text: &str| text.trim_start_matches('-').starts_with('0') && text.trim_start_matches('-').len() > 1;
        let width = if padded(from) || padded(to) { from.len().max(to.len()) } else { 0 };
        return Some(Sequence { first, last, step, width: Some(width), at: Some(first) });
    }
    let letter = |text: &str| match text.as_bytes() {
        [byte] if byte.is_ascii_alphabetic() => Some(i64::from(*byte)),
        _ => None,
    };
    let (first, last) = (letter(from)?, letter(to)?);
    Some(Sequence { first, last, step, width: None, at: Some(first) })
}
