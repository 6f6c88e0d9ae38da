//! Sizes and plurals as people read them, and cutting at a character's boundary.

/// A size for people: bytes below 1 KiB, else one decimal of the largest fitting unit.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return plural(bytes, "byte");
    }
    let mut scaled = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while scaled >= 10_240 && unit + 1 < UNITS.len() {
        scaled /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("TiB");
    if scaled.is_multiple_of(10) {
        format!("{} {name}", scaled / 10)
    } else {
        format!("{}.{} {name}", scaled / 10, scaled % 10)
    }
}

/// `1 line`, `2 lines`.
#[must_use]
pub fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The longest prefix of at most `max` bytes that ends between characters.
#[must_use]
pub fn prefix(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// Joins words as a sentence does: `a`, `a or b`, `a, b or c`.
#[must_use]
pub fn join_or(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
