//! Durations and sizes as people write them: a whole number and a unit. Never a fraction, a sign or a space, so that each value
//! has one meaning.

use std::time::Duration;

const NANOS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A day, which is only read: canonical texts keep to hours.
const DAY_NANOS: u128 = 86_400_000_000_000;

const BYTES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads a duration such as `5s`, `500ms` or `7d`, at most 2^64 − 1 ns and more than nothing.
///
/// # Errors
///
/// What is wrong with it, on one line.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) =
        split(text).ok_or_else(|| format!("{text:?} is not a duration: write a number and a unit, as in `500ms`"))?;
    let nanos = match NANOS.iter().find(|(name, _)| *name == unit) {
        Some((_, nanos)) => *nanos,
        None if unit == "d" => DAY_NANOS,
        None if unit.is_empty() => {
            return Err(format!("the duration {text:?} has no unit: write `{text}s` or `{text}ms`"));
        }
        None => return Err(format!("the unit {unit:?} is not known: write ns, us, ms, s, m, h or d")),
    };
    let total = u64::try_from(u128::from(number) * nanos).map_err(|_| format!("the duration {text:?} is too long"))?;
    if total == 0 {
        return Err("a duration of nothing".to_owned());
    }
    Ok(Duration::from_nanos(total))
}

/// The shortest way to write `duration` that [`parse_duration`] reads.
pub(crate) fn format_duration(duration: Duration) -> String {
    let total = duration.as_nanos();
    let unit = NANOS.iter().find(|(_, nanos)| total > 0 && total.is_multiple_of(*nanos));
    unit.map_or_else(|| format!("{total}ns"), |(name, nanos)| format!("{}{name}", total / nanos))
}

/// Reads a size such as `64MiB`, `2GB` or `123`, in bytes.
///
/// # Errors
///
/// What is wrong with it, on one line.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) =
        split(text).ok_or_else(|| format!("{text:?} is not a size: write a number and a unit, as in `64MiB`"))?;
    let bytes = match BYTES.iter().find(|(name, _)| *name == unit) {
        Some((_, bytes)) => *bytes,
        None if unit.is_empty() => 1,
        None => return Err(format!("the unit {unit:?} is not known: write B, KiB, MiB, GiB, KB, MB or GB")),
    };
    number.checked_mul(bytes).ok_or_else(|| format!("the size {text:?} is too large"))
}

/// The shortest way to write `bytes` that [`parse_size`] reads.
pub(crate) fn format_size(bytes: u64) -> String {
    let binary = BYTES.iter().filter(|(name, _)| name.ends_with("iB"));
    let unit = binary.into_iter().find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// Reads a whole number.
pub(crate) fn parse_count(text: &str) -> Result<u64, String> {
    match split(text) {
        Some((number, "")) => Ok(number),
        _ => Err(format!("{text:?} is not a whole number below 2^64")),
    }
}

/// The leading number and what follows it.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit))
}
