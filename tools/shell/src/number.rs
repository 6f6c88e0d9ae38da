//! Numbers as the C library reads and writes them.

/// Reads as much of a number as the text begins with, after blanks: the value, and how many bytes it took.
pub(crate) fn leading(text: &[u8]) -> (f64, usize) {
    let start = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let mut at = start;
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    if matches!(text.get(at), Some(b'+' | b'-')) {
        at += 1;
    }
    let whole = at;
    while digit(at) {
        at += 1;
    }
    let mut digits = at - whole;
    if text.get(at) == Some(&b'.') {
        let dot = at;
        at += 1;
        while digit(at) {
            at += 1;
        }
        digits += at - dot - 1;
        if digits == 0 {
            at = dot;
        }
    }
    if digits == 0 {
        return (0.0, 0);
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        if digit(at + 1 + sign) {
            at += 1 + sign;
            while digit(at) {
                at += 1;
            }
        }
    }
    let number = text.get(start..at).and_then(|piece| std::str::from_utf8(piece).ok()?.parse().ok());
    (number.unwrap_or(0.0), at)
}

/// A whole number in base 8, 10 or 16, or the code of a character after a quote; as `printf` takes it. None: not all of it is one.
pub(crate) fn integer(text: &[u8]) -> (i64, bool) {
    let shown = String::from_utf8_lossy(text);
    let trimmed = shown.trim_start();
    if let Some(quoted) = trimmed.strip_prefix(['\'', '"']) {
        return (quoted.chars().next().map_or(0, |letter| i64::from(u32::from(letter))), true);
    }
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let (base, digits) = if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        (16, digits)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, digits)
    } else {
        (10, digits)
    };
    let length = digits.find(|letter: char| !letter.is_digit(base)).unwrap_or(digits.len());
    let value = u64::from_str_radix(digits.get(..length).unwrap_or_default(), base);
    let whole = length == digits.len() && !digits.is_empty();
    let value = value.unwrap_or(if length > 0 { u64::MAX } else { 0 }).cast_signed();
    (if negative { value.wrapping_neg() } else { value }, whole)
}

/// A conversion such as `%-08.3f`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    pub(crate) left: bool,
    pub(crate) plus: bool,
    pub(crate) space: bool,
    pub(crate) alternate: bool,
    pub(crate) zero: bool,
    pub(crate) width: usize,
    pub(crate) precision: Option<usize>,
}

impl Spec {
    /// Pads what was made of a number.
    fn pad(&self, sign: &str, digits: &str, zeros: bool) -> String {
        let size = sign.len() + digits.len();
        let fill = self.width.saturating_sub(size);
        if self.left {
            format!("{sign}{digits}{}", " ".repeat(fill))
        } else if zeros {
            format!("{sign}{}{digits}", "0".repeat(fill))
        } else {
            format!("{}{sign}{digits}", " ".repeat(fill))
        }
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        }
    }

    /// Text, cut to the precision and padded; counted in characters.
    pub(crate) fn text(&self, text: &[u8]) -> Vec<u8> {
        let cut: Vec<u8> = match self.precision {
            Some(most) => crate::text::characters(text).take(most).flatten().copied().collect(),
            None => text.to_vec(),
        };
        let fill = vec![b' '; self.width.saturating_sub(crate::text::length(&cut))];
        if self.left { [cut, fill].concat() } else { [fill, cut].concat() }
    }

    /// `%d`, `%u`, `%o`, `%x`, `%X`
    pub(crate) fn integer(&self, value: i64, kind: u8) -> String {
        let (sign, mut digits) = match kind {
            b'd' | b'i' => (self.sign(value < 0), value.unsigned_abs().to_string()),
            b'o' => ("", format!("{:o}", value.cast_unsigned())),
            b'x' => ("", format!("{:x}", value.cast_unsigned())),
            b'X' => ("", format!("{:X}", value.cast_unsigned())),
            _ => ("", value.cast_unsigned().to_string()),
        };
        if let Some(least) = self.precision {
            digits = format!("{digits:0>least$}");
        }
        let prefix = match (self.alternate && value != 0, kind) {
            (true, b'x') => "0x",
            (true, b'X') => "0X",
            (true, b'o') => "0",
            _ => sign,
        };
        self.pad(prefix, &digits, self.zero && self.precision.is_none())
    }

    /// `%f`, `%e`, `%g` and their capitals.
    pub(crate) fn float(&self, value: f64, kind: u8) -> String {
        let sign = self.sign(value.is_sign_negative() && !value.is_nan());
        if !value.is_finite() {
            let word = if value.is_nan() { "nan" } else { "inf" };
            return self.pad(sign, word, false);
        }
        let precision = self.precision.unwrap_or(6).min(1000);
        let size = value.abs();
        let digits = match kind.to_ascii_lowercase() {
            b'e' => scientific(size, precision),
            b'g' => general(size, precision.max(1), self.alternate),
            _ => format!("{size:.precision$}"),
        };
        let digits = if kind.is_ascii_uppercase() { digits.to_uppercase() } else { digits };
        self.pad(sign, &digits, self.zero)
    }
}

/// `1.5e+03`
fn scientific(size: f64, precision: usize) -> String {
    let text = format!("{size:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// The shorter of both forms, without zeros at the end.
fn general(size: f64, precision: usize, keep: bool) -> String {
    let probe = scientific(size, precision - 1);
    let exponent: i32 = probe.rsplit_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let limit = i32::try_from(precision).unwrap_or(i32::MAX);
    let strip = |text: &str| {
        if keep || !text.contains('.') {
            text.to_owned()
        } else {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    };
    if exponent < -4 || exponent >= limit {
        let (mantissa, tail) = probe.split_once('e').unwrap_or((&probe, "+00"));
        return format!("{}e{tail}", strip(mantissa));
    }
    let places = usize::try_from(limit - 1 - exponent).unwrap_or(0);
    strip(&format!("{size:.places$}"))
}

/// As `%.6g` writes it: what awk prints.
pub(crate) fn short(value: f64) -> String {
    Spec { precision: Some(6), ..Spec::default() }.float(value, b'g')
}

/// A size with a unit letter, as `ls -h` and `du -h` write it: rounded up.
pub(crate) fn human(size: u64) -> String {
    if size < 1024 {
        return size.to_string();
    }
    let mut unit = 1024_u64;
    for letter in ["K", "M", "G", "T", "P"] {
        let tenths = (u128::from(size) * 10).div_ceil(u128::from(unit));
        if tenths < 100 {
            return format!("{}.{}{letter}", tenths / 10, tenths % 10);
        }
        let whole = size.div_ceil(unit);
        if whole < 1024 {
            return format!("{whole}{letter}");
        }
        unit = unit.saturating_mul(1024);
    }
    format!("{}E", size.div_ceil(unit))
}

/// The whole part, within what 64 bits hold.
#[expect(clippy::cast_possible_truncation, reason = "the conversion saturates, which is what is wanted")]
pub(crate) fn truncate(value: f64) -> i64 {
    value as i64
}
