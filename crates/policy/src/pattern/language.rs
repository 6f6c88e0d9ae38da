//! Small languages, from which larger ones are put together.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, Repetition};

/// Digits of the longest number. Numbers are written with all of them, so that their order is that of their texts.
const DIGITS: usize = 20;

/// This text alone.
pub(crate) fn literal(text: &str) -> Hir {
    Hir::literal(text.as_bytes())
}

/// Any byte. Text is UTF-8 everywhere, so where whole characters do not count, bytes make the smaller automaton.
pub(crate) fn any_byte() -> Hir {
    Hir::class(Class::Bytes(ClassBytes::new([ClassBytesRange::new(0, 0xff)])))
}

/// One of these ASCII characters.
pub(crate) fn one_of(characters: &str) -> Hir {
    Hir::class(Class::Bytes(ClassBytes::new(characters.bytes().map(|byte| ClassBytesRange::new(byte, byte)))))
}

/// One ASCII character from `first` to `last`.
pub(crate) fn between(first: u8, last: u8) -> Hir {
    Hir::class(Class::Bytes(ClassBytes::new([ClassBytesRange::new(first, last)])))
}

/// One character that is none of `excluded`.
pub(crate) fn without(excluded: &[char]) -> Hir {
    let mut set = ClassUnicode::new(excluded.iter().map(|&c| ClassUnicodeRange::new(c, c)));
    set.negate();
    Hir::class(Class::Unicode(set))
}

/// Any number of these, also none.
pub(crate) fn many(hir: Hir) -> Hir {
    repeated(hir, 0, None)
}

/// One of these, or none.
pub(crate) fn optional(hir: Hir) -> Hir {
    repeated(hir, 0, Some(1))
}

/// From `min` to `max` of these, one after the other.
pub(crate) fn repeated(hir: Hir, min: u32, max: Option<u32>) -> Hir {
    Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(hir) })
}

/// All numbers from `least` to `most`, in decimal, with leading zeros up to 20 digits.
pub(crate) fn numbers(least: u64, most: u64) -> Hir {
    if least > most {
        return Hir::fail();
    }
    let (least, most) = (format!("{least:0DIGITS$}"), format!("{most:0DIGITS$}"));
    let shared = least.bytes().zip(most.bytes()).take_while(|(a, b)| a == b).count();
    let (Some(low), Some(high)) = (least.as_bytes().get(shared), most.as_bytes().get(shared)) else {
        return literal(&least);
    };
    let prefix = least.get(..shared).unwrap_or_default();
    let mut alternatives = vec![from(&least, shared + 1, true), from(&most, shared + 1, false)];
    if low + 1 < *high {
        alternatives.push(Hir::concat(vec![literal(prefix), between(low + 1, high - 1), digits(shared + 1)]));
    }
    Hir::alternation(alternatives)
}

/// All numbers that share the first `shared` digits of `bound` and are not below it (`up`), or not above it.
fn from(bound: &str, shared: usize, up: bool) -> Hir {
    let mut alternatives = vec![literal(bound)];
    for (at, digit) in bound.bytes().enumerate().skip(shared) {
        let prefix = bound.get(..at).unwrap_or_default();
        let range = if up { (digit + 1, b'9') } else { (b'0', digit.wrapping_sub(1)) };
        if range.0 <= range.1 && range.1 >= b'0' {
            alternatives.push(Hir::concat(vec![literal(prefix), between(range.0, range.1), digits(at + 1)]));
        }
    }
    Hir::alternation(alternatives)
}

/// Any digits behind the first `written`.
fn digits(written: usize) -> Hir {
    let rest = u32::try_from(DIGITS.saturating_sub(written)).unwrap_or(0);
    repeated(between(b'0', b'9'), rest, Some(rest))
}

/// All texts `NAME=VALUE`.
pub(crate) fn assignments() -> Hir {
    Hir::concat(vec![repeated(without(&['=', '\0']), 1, None), literal("="), many(without(&['\0']))])
}

/// The text `NAME=VALUE`; without a value, with any.
pub(crate) fn assignment(name: &str, value: Option<&str>) -> Hir {
    let value = value.map_or_else(|| many(any_byte()), literal);
    Hir::concat(vec![literal(name), literal("="), value])
}
