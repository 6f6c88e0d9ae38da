//! Brace expansion: `{a,b}` and `{1..5}`.

use crate::stop::{Flow, Stop};
use crate::syntax::ast::{Part, Text, Word};

/// How many words one word may become.
const MAX: usize = 500_000;

/// A character of a word that can be part of a brace, or another part of the word.
#[derive(Clone)]
enum Unit {
    Byte(u8),
    Part(Part),
}

/// The words that a word stands for.
pub(super) fn expand(word: &Word) -> Flow<Vec<Word>> {
    let units: Vec<Unit> = word.parts.iter().flat_map(units_of).collect();
    let mut all = Vec::new();
    alternatives(&units, 0, &mut all)?;
    Ok(all.into_iter().map(|units| to_word(&units)).collect())
}

fn units_of(part: &Part) -> Vec<Unit> {
    match part {
        Part::Bare(text) => text.iter().map(|byte| Unit::Byte(*byte)).collect(),
        other => vec![Unit::Part(other.clone())],
    }
}

fn to_word(units: &[Unit]) -> Word {
    let mut parts: Vec<Part> = Vec::new();
    for unit in units {
        match (unit, parts.last_mut()) {
            (Unit::Byte(byte), Some(Part::Bare(text))) => text.push(*byte),
            (Unit::Byte(byte), _) => parts.push(Part::Bare(vec![*byte])),
            (Unit::Part(part), _) => parts.push(part.clone()),
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

fn is(unit: &Unit, byte: u8) -> bool {
    matches!(unit, Unit::Byte(found) if *found == byte)
}

/// The first brace from `from` that expands: where it opens, its commas, and where it closes.
fn find(units: &[Unit], from: usize) -> Option<(usize, Vec<usize>, usize)> {
    let mut open = from;
    while open < units.len() {
        if is(units.get(open)?, b'{') {
            let (mut deep, mut commas) = (0_usize, Vec::new());
            for (at, unit) in units.iter().enumerate().skip(open + 1) {
                match unit {
                    Unit::Byte(b'{') => deep += 1,
                    Unit::Byte(b'}') if deep > 0 => deep -= 1,
                    Unit::Byte(b'}') => {
                        if !commas.is_empty() || sequence(units.get(open + 1..at)?).is_some() {
                            return Some((open, commas, at));
                        }
                        break;
                    }
                    Unit::Byte(b',') if deep == 0 => commas.push(at),
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
        return if all.len() > MAX {
            Err(Stop::Limit(format!("brace expansion: more than {MAX} words")))
        } else {
            Ok(())
        };
    };
    let (before, after) = (units.get(..open).unwrap_or_default(), units.get(close + 1..).unwrap_or_default());
    let mut middles = Vec::new();
    if commas.is_empty() {
        let items = sequence(units.get(open + 1..close).unwrap_or_default()).unwrap_or_default();
        middles.extend(items.into_iter().map(|item| item.into_iter().map(Unit::Byte).collect::<Vec<_>>()));
    } else {
        let mut start = open + 1;
        for end in commas.into_iter().chain([close]) {
            alternatives(units.get(start..end).unwrap_or_default(), depth + 1, &mut middles)?;
            start = end + 1;
        }
    }
    let mut rests = Vec::new();
    alternatives(after, depth + 1, &mut rests)?;
    if middles.len().saturating_mul(rests.len()) > MAX {
        return Err(Stop::Limit(format!("brace expansion: more than {MAX} words")));
    }
    for middle in &middles {
        for rest in &rests {
            all.push([before, middle, rest].concat());
        }
    }
    Ok(())
}

/// `1..5`, `a..e`, with a step.
fn sequence(units: &[Unit]) -> Option<Vec<Text>> {
    let text: Option<Text> =
        units.iter().map(|unit| if let Unit::Byte(byte) = unit { Some(*byte) } else { None }).collect();
    let text = String::from_utf8(text?).ok()?;
    let pieces: Vec<&str> = text.split("..").collect();
    let (from, to, step) = match pieces.as_slice() {
        [from, to] => (*from, *to, 1),
        [from, to, step] => (*from, *to, step.parse::<i64>().ok()?),
        _ => return None,
    };
    let step = step.unsigned_abs().max(1);
    if let (Ok(first), Ok(last)) = (from.parse::<i64>(), to.parse::<i64>()) {
        let padded =
            |text: &str| text.trim_start_matches('-').starts_with('0') && text.trim_start_matches('-').len() > 1;
        let width = if padded(from) || padded(to) { from.len().max(to.len()) } else { 0 };
        let count = first.abs_diff(last) / step;
        let count = usize::try_from(count).ok().filter(|count| *count < MAX)?;
        return Some(steps(first, last, step, count).map(|number| format!("{number:0width$}").into_bytes()).collect());
    }
    let letter = |text: &str| match text.as_bytes() {
        [byte] if byte.is_ascii_alphabetic() => Some(i64::from(*byte)),
        _ => None,
    };
    let (first, last) = (letter(from)?, letter(to)?);
    let count = usize::try_from(first.abs_diff(last) / step).ok()?;
    Some(steps(first, last, step, count).filter_map(|code| Some(vec![u8::try_from(code).ok()?])).collect())
}

fn steps(first: i64, last: i64, step: u64, count: usize) -> impl Iterator<Item = i64> {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let step = if last < first { -step } else { step };
    (0..=count).map(move |at| first.wrapping_add(step.wrapping_mul(i64::try_from(at).unwrap_or(0))))
}
