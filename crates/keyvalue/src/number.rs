//! Numbers as values: the decimal text of a 64-bit number, as Redis writes it. A store that adds must agree with all the others on what a
//! number is, so there is one form: no sign but `-`, no leading zero, no space.

use crate::error::Error;

/// The sum of what a key has and `delta`; a key without a value has zero.
pub(crate) fn sum(value: Option<&[u8]>, delta: i64) -> Result<i64, Error> {
    value.map_or(Ok(0), parse)?.checked_add(delta).ok_or(Error::NotANumber)
}

fn parse(value: &[u8]) -> Result<i64, Error> {
    let text = str::from_utf8(value).map_err(|_none| Error::NotANumber)?;
    let number: i64 = text.parse().map_err(|_none| Error::NotANumber)?;
    if number.to_string() == text { Ok(number) } else { Err(Error::NotANumber) }
}
