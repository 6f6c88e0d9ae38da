//! `sort`, `uniq`, `shuf`

use std::cmp::Ordering;

use bstr::ByteSlice;

use super::{Call, Flags, or_stdin};
use crate::number;
use crate::stop::{Flow, Stop, failed};
use crate::syntax::ast::Text;

/// What is sorted lies in memory.
const ALL_MAX: usize = 96 << 20;

/// How two texts are compared.
#[derive(Clone, Copy, Debug, Default)]
struct Order {
    numeric: bool,
    general: bool,
    human: bool,
    version: bool,
    month: bool,
    fold: bool,
    dictionary: bool,
    blanks: bool,
    reverse: bool,
}

impl Order {
    fn letter(&mut self, letter: u8) -> bool {
        match letter {
            b'n' => self.numeric = true,
            b'g' => self.general = true,
            b'h' => self.human = true,
            b'V' => self.version = true,
            b'M' => self.month = true,
            b'f' => self.fold = true,
            b'd' => self.dictionary = true,
            b'b' => self.blanks = true,
            b'r' => self.reverse = true,
            b'i' => {}
            _ => return false,
        }
        true
    }

    fn is_default(self) -> bool {
        !(self.numeric
            || self.general
            || self.human
            || self.version
            || self.month
            || self.fold
            || self.dictionary
            || self.blanks
            || self.reverse)
    }

    fn compare(self, left: &[u8], right: &[u8]) -> Ordering {
        let (left, right) = if self.blanks { (left.trim_start(), right.trim_start()) } else { (left, right) };
        let found = if self.numeric {
            decimal(left).cmp(&decimal(right))
        } else if self.general {
            number::leading(left).0.total_cmp(&number::leading(right).0)
        } else if self.human {
            human(left).total_cmp(&human(right))
        } else if self.version {
            version(left, right)
        } else if self.month {
            month(left).cmp(&month(right))
        } else if self.fold || self.dictionary {
            let shaped = |text: &[u8]| -> Vec<u8> {
                let kept = text
                    .iter()
                    .filter(|byte| !self.dictionary || byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace());
                kept.map(|byte| if self.fold { byte.to_ascii_uppercase() } else { *byte }).collect()
            };
            shaped(left).cmp(&shaped(right))
        } else {
            left.cmp(right)
        };
        if self.reverse { found.reverse() } else { found }
    }
}

/// A decimal number of any length, in an order of its own: sign, digits before the point, digits after.
#[derive(PartialEq, Eq)]
struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    part: &'a [u8],
}

fn decimal(text: &[u8]) -> Decimal<'_> {
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, rest) = digits.split_at(length);
    let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
    let whole = whole.get(zeros..).unwrap_or_default();
    let part = match rest.strip_prefix(b".") {
        Some(rest) => rest.get(..rest.iter().take_while(|byte| byte.is_ascii_digit()).count()).unwrap_or_default(),
        None => &[],
    };
    let part = part.trim_end_with(|letter| letter == '0');
    Decimal { negative: negative && !(whole.is_empty() && part.is_empty()), whole, part }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            _ => {}
        }
        let size = self
            .whole
            .len()
            .cmp(&other.whole.len())
            .then_with(|| self.whole.cmp(other.whole))
            .then_with(|| self.part.cmp(other.part));
        if self.negative { size.reverse() } else { size }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn human(text: &[u8]) -> f64 {
    let (value, used) = number::leading(text);
    let unit = match text.get(used).map(u8::to_ascii_uppercase) {
        Some(b'K') => 1.0,
        Some(b'M') => 2.0,
        Some(b'G') => 3.0,
        Some(b'T') => 4.0,
        Some(b'P') => 5.0,
        _ => 0.0,
    };
    value * 1024_f64.powf(unit)
}

fn month(text: &[u8]) -> usize {
    let start = text.trim_start().get(..3).unwrap_or_default().to_ascii_uppercase();
    let names = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    names.iter().position(|name| name.as_bytes() == start).map_or(0, |at| at + 1)
}

/// Digits as numbers, the rest as text.
pub(super) fn version(left: &[u8], right: &[u8]) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let text = |side: &[u8]| side.iter().take_while(|byte| !byte.is_ascii_digit()).count();
        let digits = |side: &[u8]| side.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let ((a, more_a), (b, more_b)) = (left.split_at(text(left)), right.split_at(text(right)));
        let ((m, rest_m), (n, rest_n)) = (more_a.split_at(digits(more_a)), more_b.split_at(digits(more_b)));
        let found = a.cmp(b).then_with(|| decimal(m).cmp(&decimal(n)));
        if found != Ordering::Equal || left.is_empty() && right.is_empty() {
            return found;
        }
        (left, right) = (rest_m, rest_n);
    }
}

/// `-k 2,3n`
struct Key {
    from: (usize, usize),
    to: Option<(usize, usize)>,
    order: Order,
}

fn key(text: &[u8], general: Order) -> Flow<Key> {
    let shown = text.to_str_lossy();
    let bad = || Stop::Failed(format!("invalid key: '{shown}'"), 2);
    let mut order = Order::default();
    let mut place = |piece: &str| -> Flow<(usize, usize)> {
        let letters: String = piece.chars().skip_while(|letter| letter.is_ascii_digit() || *letter == '.').collect();
        if !letters.bytes().all(|letter| order.letter(letter)) {
            return Err(bad());
        }
        let digits = piece.get(..piece.len() - letters.len()).unwrap_or_default();
        let (field, character) = digits.split_once('.').unwrap_or((digits, "0"));
        Ok((field.parse().map_err(|_| bad())?, character.parse().map_err(|_| bad())?))
    };
    let (from, to) = match shown.split_once(',') {
        Some((from, to)) => (place(from)?, Some(place(to)?)),
        None => (place(&shown)?, None),
    };
    if from.0 == 0 {
        return Err(bad());
    }
    Ok(Key { from, to, order: if order.is_default() { general } else { order } })
}

/// Where each field of a line begins and ends.
fn fields(line: &[u8], separator: Option<u8>) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    let mut at = 0;
    match separator {
        Some(separator) => {
            for field in line.split(|byte| *byte == separator) {
                all.push((at, at + field.len()));
                at += field.len() + 1;
            }
        }
        None => {
            // A field has the blanks before it.
            while at < line.len() {
                let rest = line.get(at..).unwrap_or_default();
                let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                let word = rest.iter().skip(blanks).take_while(|byte| !matches!(byte, b' ' | b'\t')).count();
                all.push((at, at + blanks + word));
                at += blanks + word;
            }
        }
    }
    all
}

impl Key {
    fn of<'a>(&self, line: &'a [u8], separator: Option<u8>) -> &'a [u8] {
        let all = fields(line, separator);
        let skip = |from: usize| {
            let rest = line.get(from..).unwrap_or_default();
            if self.order.blanks { rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count() } else { 0 }
        };
        let start =
            all.get(self.from.0 - 1).map_or(line.len(), |(from, _)| from + skip(*from) + self.from.1.saturating_sub(1));
        let end = match self.to {
            None => line.len(),
            Some((field, character)) => match all.get(field.wrapping_sub(1)) {
                None => line.len(),
                Some((_, to)) if character == 0 => *to,
                Some((from, to)) => (from + skip(*from) + character).min(*to),
            },
        };
        line.get(start.min(line.len())..end.max(start).min(line.len())).unwrap_or_default()
    }
}

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) async fn sort(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("reverse", b'r'),
        ("numeric-sort", b'n'),
        ("unique", b'u'),
        ("key", b'k'),
        ("field-separator", b't'),
        ("human-numeric-sort", b'h'),
        ("version-sort", b'V'),
        ("ignore-case", b'f'),
        ("output", b'o'),
        ("stable", b's'),
        ("check", b'c'),
        ("zero-terminated", b'z'),
        ("general-numeric-sort", b'g'),
    ];
    let flags = Flags::parse(call.arguments, "rnuk:t:hVfo:sczgMdbimCS:T:", &long)?;
    let mut order = Order::default();
    for letter in b"nghVMfdbr" {
        if flags.has(*letter) {
            order.letter(*letter);
        }
    }
    let separator = match flags.value(b't').map(Vec::as_slice) {
        None => None,
        Some([byte]) => Some(*byte),
        Some(b"\\0") => Some(0),
        Some(b"\\t") => Some(b'\t'),
        Some(other) => return Err(Stop::Failed(format!("multi-character tab '{}'", other.to_str_lossy()), 2)),
    };
    let keys: Vec<Key> = flags.values(b'k').map(|text| key(text, order)).collect::<Flow<_>>()?;
    let end = if flags.has(b'z') { 0 } else { b'\n' };
    let mut text = Vec::new();
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else { return Ok(2) };
        let mut all = reader.all(ALL_MAX).await?;
        text.append(&mut all);
        if !text.is_empty() && text.last() != Some(&end) {
            text.push(end);
        }
        if text.len() > ALL_MAX {
            return failed(format!("the input has more than {} MiB", ALL_MAX >> 20));
        }
    }
    let body = text.strip_suffix(&[end]).unwrap_or(&text);
    let mut lines: Vec<&[u8]> = if text.is_empty() { Vec::new() } else { body.split(|byte| *byte == end).collect() };
    let by_keys = |left: &[u8], right: &[u8]| {
        if keys.is_empty() {
            return order.compare(left, right);
        }
        let each = keys.iter().map(|key| key.order.compare(key.of(left, separator), key.of(right, separator)));
        each.into_iter().find(|found| *found != Ordering::Equal).unwrap_or(Ordering::Equal)
    };
    let last_resort = !flags.has(b's') && !flags.has(b'u');
    let whole = |left: &[u8], right: &[u8]| {
        by_keys(left, right).then_with(|| match (last_resort, order.reverse) {
            (false, _) => Ordering::Equal,
            (true, false) => left.cmp(right),
            (true, true) => right.cmp(left),
        })
    };
    if flags.has(b'c') || flags.has(b'C') {
        let unsorted =
            lines.windows(2).find(|pair| matches!(pair, [left, right] if by_keys(left, right) == Ordering::Greater));
        if let Some([_, line]) = unsorted {
            if flags.has(b'c') {
                call.say(format!("-: disorder: {}", line.to_str_lossy())).await;
            }
            return Ok(1);
        }
        return Ok(0);
    }
    if keys.is_empty() && order.is_default() {
        lines.sort_unstable();
    } else if keys.is_empty() && order.numeric && !order.blanks {
        let mut pairs: Vec<(Decimal<'_>, &[u8])> = lines.iter().map(|line| (decimal(line), *line)).collect();
        pairs.sort_by(|left, right| {
            let found = left.0.cmp(&right.0);
            let found = if order.reverse { found.reverse() } else { found };
            found.then_with(|| match (last_resort, order.reverse) {
                (false, _) => Ordering::Equal,
                (true, false) => left.1.cmp(right.1),
                (true, true) => right.1.cmp(left.1),
            })
        });
        lines = pairs.into_iter().map(|(_, line)| line).collect();
    } else {
        lines.sort_by(|left, right| whole(left, right));
    }
    if flags.has(b'u') {
        lines.dedup_by(|left, right| by_keys(left, right) == Ordering::Equal);
    }
    let mut out = match flags.value(b'o') {
        Some(name) => match call.shell.open_to_write(name, false) {
            Ok(stream) => super::Writer::new(stream),
            Err(error) => return failed(call.shell.refusal(name, &error, true)),
        },
        None => call.writer(),
    };
    for line in lines {
        out.put(line);
        out.put(&[end]);
        out.step().await?;
    }
    out.flush().await?;
    Ok(0)
}

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) async fn uniq(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("count", b'c'),
        ("repeated", b'd'),
        ("unique", b'u'),
        ("ignore-case", b'i'),
        ("skip-fields", b'f'),
        ("skip-chars", b's'),
        ("check-chars", b'w'),
    ];
    let flags = Flags::parse(call.arguments, "cduif:s:w:zD", &long)?;
    let (skip_fields, skip, width) =
        (flags.number(b'f')?.unwrap_or(0), flags.number(b's')?.unwrap_or(0), flags.number(b'w')?);
    let source = flags.operands.first().cloned().unwrap_or_else(|| b"-".to_vec());
    let Some(mut reader) = call.open(&source).await else { return Ok(1) };
    let mut out = match flags.operands.get(1) {
        Some(name) => match call.shell.open_to_write(name, false) {
            Ok(stream) => super::Writer::new(stream),
            Err(error) => return failed(call.shell.refusal(name, &error, true)),
        },
        None => call.writer(),
    };
    let plain = skip_fields == 0 && skip == 0 && width.is_none() && !flags.has(b'i');
    let part = |line: &[u8]| -> Text {
        let from = fields(line, None).get(..skip_fields).and_then(|all| all.last().map(|(_, to)| *to));
        let from = if skip_fields == 0 { 0 } else { from.unwrap_or(line.len()) } + skip;
        let rest = line.get(from.min(line.len())..).unwrap_or_default();
        let rest = rest.get(..width.unwrap_or(usize::MAX).min(rest.len())).unwrap_or_default();
        if flags.has(b'i') { rest.to_ascii_lowercase() } else { rest.to_vec() }
    };
    let mut held: Option<(Text, Text, u64)> = None;
    loop {
        let next = reader.line(b'\n').await?;
        let same = match (&held, next) {
            (Some((line, key, _)), Some(next)) => {
                if plain {
                    line == next
                } else {
                    *key == part(next)
                }
            }
            _ => false,
        };
        if same {
            if let Some((_, _, count)) = &mut held {
                *count += 1;
            }
            if flags.has(b'D')
                && let Some(next) = next
            {
                let next = next.to_vec();
                if let Some((line, _, 2)) = &held {
                    out.line(&line.clone()).await?;
                }
                out.line(&next).await?;
            }
            continue;
        }
        let fresh = next.map(|line| (line.to_vec(), if plain { Text::new() } else { part(line) }, 1));
        if let Some((line, _, count)) = std::mem::replace(&mut held, fresh) {
            let wanted = !(flags.has(b'd') && count == 1 || flags.has(b'u') && count > 1 || flags.has(b'D'));
            if wanted {
                if flags.has(b'c') {
                    out.put(format!("{count:7} ").as_bytes());
                }
                out.line(&line).await?;
            }
        }
        if held.is_none() {
            break;
        }
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn shuf(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "n:ei:r", &[("head-count", b'n'), ("echo", b'e'), ("input-range", b'i')])?;
    let mut lines: Vec<Text> = if flags.has(b'e') {
        flags.operands.clone()
    } else if let Some(range) = flags.value(b'i') {
        let shown = range.to_str_lossy();
        let bounds =
            shown.split_once('-').and_then(|(from, to)| Some((from.parse::<u64>().ok()?, to.parse::<u64>().ok()?)));
        let Some((from, to)) = bounds.filter(|(from, to)| to.saturating_sub(*from) < 10_000_000) else {
            return failed(format!("invalid input range: '{shown}'"));
        };
        (from..=to).map(|number| number.to_string().into_bytes()).collect()
    } else {
        let source = flags.operands.first().cloned().unwrap_or_else(|| b"-".to_vec());
        let Some(mut reader) = call.open(&source).await else { return Ok(1) };
        reader.all(ALL_MAX).await?.lines().map(<[u8]>::to_vec).collect()
    };
    for at in (1..lines.len()).rev() {
        let random = call.shell.random() << 30 ^ call.shell.random() << 15 ^ call.shell.random();
        lines.swap(at, usize::try_from(random % (at as u64 + 1)).unwrap_or(0));
    }
    lines.truncate(flags.number(b'n')?.unwrap_or(usize::MAX));
    let mut out = call.writer();
    for line in lines {
        out.line(&line).await?;
    }
    out.flush().await?;
    Ok(0)
}
