//! The forms in which a value may come back.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::Zeroizing;

use super::escape;

/// All forms of a value, each once.
pub(super) fn of(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = Forms::default();
    forms.escaped(value);
    for engine in [STANDARD, URL_SAFE] {
        let mut encoded = Zeroizing::new(engine.encode(value).into_bytes());
        forms.escaped(&encoded);
        // What comes without padding ends with the same character.
        let padding = encoded.iter().rev().take_while(|byte| **byte == b'=').count();
        let unpadded = encoded.len() - padding;
        encoded.truncate(unpadded);
        forms.escaped(&encoded);
        for before in 0..3 {
            forms.escaped(&inside_base64(&engine, value, before));
        }
    }
    forms.add(hex(value, b"0123456789abcdef"));
    forms.add(hex(value, b"0123456789ABCDEF"));
    forms.0
}

#[derive(Default)]
struct Forms(Vec<Zeroizing<Vec<u8>>>);

impl Forms {
    fn add(&mut self, form: Zeroizing<Vec<u8>>) {
        if !self.0.contains(&form) {
            self.0.push(form);
        }
    }

    /// Adds the text as it is, and as it is in a URL, a form, JSON and HTML.
    fn escaped(&mut self, text: &[u8]) {
        self.add(Zeroizing::new(text.to_vec()));
        for form in escape::percent(text).chain(escape::json(text)).chain(escape::html(text)) {
            self.add(form);
        }
    }
}

/// What `value` becomes inside a longer text that is in base64, after `before` bytes of a group of three: the characters that depend on
/// nothing but the value.
fn inside_base64(engine: &impl base64::Engine, value: &[u8], before: usize) -> Zeroizing<Vec<u8>> {
    let text = Zeroizing::new([&[0; 2][..before.min(2)], value].concat());
    let encoded = Zeroizing::new(engine.encode(&*text).into_bytes());
    // A character holds six bits. Those of the value begin at `before` bytes, and end where the text does.
    let (start, end) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
    Zeroizing::new(encoded.get(start..end).unwrap_or_default().to_vec())
}

fn hex(value: &[u8], digits: &[u8; 16]) -> Zeroizing<Vec<u8>> {
    let mut form = Zeroizing::new(Vec::with_capacity(value.len() * 2));
    for byte in value {
        form.extend([byte >> 4, byte & 15].map(|half| digits[usize::from(half)]));
    }
    form
}
