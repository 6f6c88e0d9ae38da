//! Text in which the values of secrets are replaced by `[secret:NAME]`.
//!
//! What is masked: a value as it is, and in the forms in which servers give back what they were sent: percent-encoded, as in paths,
//! queries and forms; escaped for JSON or HTML; in hexadecimal; in base64, on its own or anywhere inside a longer text. Of base64 inside
//! a longer text, the one character at each end that also holds bits of its neighbours stays: at most four bits of the value at each end.
//!
//! A value of fewer than [`Masker::SHORTEST`] bytes would be found by chance in ordinary pages, and a mask there would destroy the page
//! and point at the value. It is masked only where it is all there is: a whole header value, a whole body.
//!
//! What is not masked: a value that a server takes apart, encrypts, hashes or compresses, or in an encoding that is not named above.
//! What always holds: what comes out does not depend on how the input is cut into pieces, and nothing comes out that could be the start of
//! a value before it is known not to be one.

mod escape;
mod forms;
mod stream;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, Input, MatchKind};
use zeroize::Zeroizing;

pub use stream::MaskStream;

use crate::name::SecretName;
use crate::value::SecretValue;

/// How many bytes of a form the automaton knows; the rest is compared. It keeps the automaton small however long values are.
const PREFIX_BYTES: usize = 32;

/// Finds the values of secrets and masks them.
pub struct Masker {
    /// Finds where a form may start.
    automaton: Option<AhoCorasick>,
    /// The longest first, so that the first that fits is the one to mask.
    forms: Vec<Form>,
    /// Values that are masked only where they are all there is.
    short: Vec<Form>,
    /// The length of the longest of them.
    short_bytes: usize,
}

/// Bytes that are masked, and what by.
struct Form {
    bytes: Zeroizing<Vec<u8>>,
    mask: Vec<u8>,
}

/// What is at a place of the input.
enum Found<'a> {
    /// This form, all of it.
    Whole(&'a Form),
    /// The start of a form, as far as the input goes.
    Start,
    /// No form.
    Nothing,
}

impl Masker {
    /// The fewest bytes that a value needs to be masked wherever it is found.
    pub const SHORTEST: usize = 6;

    /// Masks these values. Several may have one name: a part of a secret that is sent on its own is masked if it is given as well.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a SecretName, &'a SecretValue)>) -> Self {
        let (mut forms, mut short) = (Vec::new(), Vec::new());
        for (name, value) in secrets {
            let mask = format!("[secret:{name}]").into_bytes();
            if value.expose().len() < Self::SHORTEST {
                short.push(Form { bytes: Zeroizing::new(value.expose().to_vec()), mask });
            } else {
                forms.extend(forms::of(value.expose()).into_iter().map(|bytes| Form { bytes, mask: mask.clone() }));
            }
        }
        hide_masks(&mut forms);
        // The sort keeps the order of equals, so that of two secrets of one value the first is named, always.
        forms.sort_by_key(|form| std::cmp::Reverse(form.bytes.len()));
        let short_bytes = short.iter().map(|form| form.bytes.len()).max().unwrap_or(0);
        Self { automaton: automaton(&forms), forms, short, short_bytes }
    }

    /// Whether there is nothing to mask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty() && self.short.is_empty()
    }

    /// A header's value, or any text that is there as a whole, masked.
    #[must_use]
    pub fn mask_header<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        if let Some(form) = self.short_form(text) {
            return Cow::Owned(form.mask.clone());
        }
        if self.candidate(text, 0).is_none() {
            return Cow::Borrowed(text);
        }
        let mut masked = Vec::with_capacity(text.len());
        self.scan(text, true, &mut masked);
        Cow::Owned(masked)
    }

    /// A body, which comes in pieces.
    #[must_use]
    pub fn stream(self: &Arc<Self>) -> MaskStream {
        MaskStream::new(Arc::clone(self))
    }

    /// Masks what can be decided of `text`, and tells how much that is. With `is_end`, that is all of it.
    fn scan(&self, text: &[u8], is_end: bool, out: &mut Vec<u8>) -> usize {
        // Text is written out up to `done`; no form starts between there and `at`, and none but a cut off one from `tail` on.
        let (mut done, mut at) = (0, 0);
        let tail_from = |at| if is_end { text.len() } else { self.tail(text, at) };
        let mut tail = tail_from(0);
        loop {
            if at > tail {
                tail = tail_from(at);
            }
            let candidate = self.candidate(text, at).filter(|start| *start < tail);
            let start = candidate.unwrap_or(tail);
            match self.found(text.get(start..).unwrap_or_default(), is_end) {
                Found::Whole(form) => {
                    out.extend_from_slice(text.get(done..start).unwrap_or_default());
                    out.extend_from_slice(&form.mask);
                    at = start + form.bytes.len();
                    done = at;
                }
                Found::Nothing if candidate.is_some() => at = start + 1,
                Found::Start | Found::Nothing => {
                    out.extend_from_slice(text.get(done..start).unwrap_or_default());
                    return start;
                }
            }
        }
    }

    /// The first place from `at` on where all that the automaton knows of a form is.
    fn candidate(&self, text: &[u8], at: usize) -> Option<usize> {
        let input = Input::new(text).range(at.min(text.len())..);
        self.automaton.as_ref()?.find(input).map(|found| found.start())
    }

    /// Where, from `at` on, the end of `text` may be the start of a form of which the automaton does not yet see enough.
    fn tail(&self, text: &[u8], at: usize) -> usize {
        let from = text.len().saturating_sub(PREFIX_BYTES - 1).max(at);
        let is_start = |end: &[u8]| self.forms.iter().any(|form| form.bytes.starts_with(end));
        (from..text.len()).find(|at| text.get(*at..).is_some_and(is_start)).unwrap_or(text.len())
    }

    /// What starts where `text` does: the longest form, as soon as no longer one can come.
    fn found(&self, text: &[u8], is_end: bool) -> Found<'_> {
        for form in &self.forms {
            if text.starts_with(&form.bytes) {
                return Found::Whole(form);
            }
            if !is_end && form.bytes.starts_with(text) {
                return Found::Start;
            }
        }
        Found::Nothing
    }

    fn short_form(&self, text: &[u8]) -> Option<&Form> {
        self.short.iter().find(|form| *form.bytes == text)
    }
}

fn automaton(forms: &[Form]) -> Option<AhoCorasick> {
    if forms.is_empty() {
        return None;
    }
    let prefixes = forms.iter().map(|form| form.bytes.get(..PREFIX_BYTES).unwrap_or(&form.bytes));
    // It is refused only for more patterns than there can be bytes in all secrets.
    AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostFirst).build(prefixes).ok()
}

/// A mask that itself shows a value, such as that of a secret whose name is its value, becomes one that shows nothing.
fn hide_masks(forms: &mut [Form]) {
    const PLAIN: &[u8] = b"[***]";
    let shows =
        |mask: &[u8]| forms.iter().any(|form| mask.windows(form.bytes.len()).any(|part| part == &form.bytes[..]));
    let hidden: Vec<bool> = forms.iter().map(|form| shows(&form.mask)).collect();
    for (form, _) in forms.iter_mut().zip(hidden).filter(|(_, hidden)| *hidden) {
        form.mask = PLAIN.to_vec();
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker").field("forms", &self.forms.len()).finish_non_exhaustive()
    }
}
