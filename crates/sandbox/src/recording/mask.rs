//! Takes the values of secrets out of what is kept.

use std::sync::Arc;

use caplet_secrets::Masker;
use serde_json::Value;

/// Masks `bytes`. Whether there was anything to mask.
pub(super) fn bytes(masker: &Arc<Masker>, bytes: &mut Vec<u8>) -> bool {
    let mut stream = masker.stream();
    let mut masked = Vec::with_capacity(bytes.len());
    stream.push(bytes, &mut masked);
    stream.finish(&mut masked);
    let is_changed = masked != *bytes;
    if is_changed {
        *bytes = masked;
    }
    is_changed
}

/// Masks every text in `value`, the names of fields included.
pub(super) fn value(masker: &Masker, value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => *text = self::text(masker, text),
        Value::Array(values) => values.iter_mut().for_each(|inner| self::value(masker, inner)),
        Value::Object(fields) => {
            let entries = std::mem::take(fields);
            fields.extend(entries.into_iter().map(|(name, mut inner)| {
                self::value(masker, &mut inner);
                (text(masker, &name), inner)
            }));
        }
    }
}

fn text(masker: &Masker, text: &str) -> String {
    String::from_utf8_lossy(&masker.mask_header(text.as_bytes())).into_owned()
}
