//! Arguments as text, parsed strictly: what two parsers could read differently is refused.

use caplet_audit::json::strict;
use serde_json::Value;

use crate::error::Error;

/// Parses `text` as one JSON value.
///
/// A byte order mark, a key that is given twice, values nested deeper than 128 levels, and anything after the value are errors.
///
/// # Errors
///
/// What is wrong with the text, and where.
pub fn parse_arguments(text: &str) -> Result<Value, Error> {
    if text.starts_with('\u{feff}') {
        return Err(Error::Arguments("they begin with a byte order mark, which JSON does not allow".to_owned()));
    }
    strict(text.as_bytes()).map_err(|error| {
        Error::Arguments(match error.classify() {
            serde_json::error::Category::Eof if text.trim().is_empty() => "there is no text at all".to_owned(),
            _ => error.to_string(),
        })
    })
}
