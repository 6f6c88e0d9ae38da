//! Where expansions go: one text, or fields that are split.

use crate::pattern;
use crate::syntax::ast::Text;

/// What a word is expanded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Arguments: split, and escaped where quoted.
    Fields,
    /// One text as it is.
    Text,
    /// A pattern: escaped where quoted.
    Pattern,
    /// A regular expression: escaped where quoted.
    Regex,
    /// What comes in the place of a match: `&` and backslashes are escaped where quoted.
    Replacement,
}

/// A word that is being built.
pub(crate) struct Sink {
    pub(super) mode: Mode,
    /// What `IFS` holds.
    separators: Text,
    done: Vec<(Text, bool)>,
    current: Text,
    /// Something stands in the current field, be it an empty quote.
    begun: bool,
    active: bool,
    /// A separator that is no blank has ended the last field.
    hard: bool,
}

impl Sink {
    pub(crate) fn new(mode: Mode, separators: Text) -> Self {
        Self { mode, separators, done: Vec::new(), current: Text::new(), begun: false, active: false, hard: false }
    }

    /// Text that nobody quoted, from the script itself: never split.
    pub(super) fn bare(&mut self, text: &[u8]) {
        self.begun = true;
        if self.mode == Mode::Fields {
            self.active |= pattern::is_active(text) || self.active || text.contains(&b'(') || text.contains(&b'[');
            for byte in text {
                if *byte == b'\\' {
                    self.current.push(b'\\');
                }
                self.current.push(*byte);
            }
        } else {
            self.current.extend_from_slice(text);
        }
    }

    /// Text that means itself.
    pub(super) fn quoted(&mut self, text: &[u8]) {
        self.begun = true;
        match self.mode {
            Mode::Fields | Mode::Pattern => pattern::escape_into(&mut self.current, text),
            Mode::Text => self.current.extend_from_slice(text),
            Mode::Regex | Mode::Replacement => {
                let special = if self.mode == Mode::Regex { &b"\\.+*?()|[]{}^$"[..] } else { b"\\&" };
                for byte in text {
                    if special.contains(byte) {
                        self.current.push(b'\\');
                    }
                    self.current.push(*byte);
                }
            }
        }
    }

    /// What an expansion gave: split where it is not quoted.
    pub(super) fn expanded(&mut self, text: &[u8], quoted: bool) {
        if quoted {
            return self.quoted(text);
        }
        if self.mode != Mode::Fields {
            self.current.extend_from_slice(text);
            return;
        }
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| self.separators.contains(byte)).unwrap_or(rest.len());
            let (piece, after) = rest.split_at(end);
            if !piece.is_empty() {
                self.active |= pattern::is_active(piece);
                self.begun = true;
                self.hard = false;
                for byte in piece {
                    if *byte == b'\\' {
                        self.current.push(b'\\');
                    }
                    self.current.push(*byte);
                }
            }
            let Some((separator, more)) = after.split_first() else { break };
            rest = more;
            if is_blank(*separator) {
                if self.begun {
                    self.end_field();
                    self.hard = false;
                }
            } else if self.begun || self.hard || self.done.is_empty() || !self.after_blank(text, rest) {
                self.end_field();
                self.hard = true;
            } else {
                self.hard = true;
            }
        }
    }

    /// Whether only blanks stand between the last field and the separator before `rest`.
    fn after_blank(&self, text: &[u8], rest: &[u8]) -> bool {
        let before = text.get(..text.len() - rest.len() - 1).unwrap_or_default();
        before.last().is_some_and(|byte| is_blank(*byte) && self.separators.contains(byte))
    }

    /// Ends a field: what comes next is another argument.
    pub(super) fn end_field(&mut self) {
        let text = std::mem::take(&mut self.current);
        self.done.push((text, std::mem::take(&mut self.active)));
        self.begun = false;
    }

    /// Whether anything stands in the current field.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether arguments can be kept apart here.
    pub(super) fn splits(&self) -> bool {
        self.mode == Mode::Fields
    }

    /// The fields, and whether each is a pattern.
    pub(super) fn finish(mut self) -> Vec<(Text, bool)> {
        if self.begun {
            self.end_field();
        }
        self.done
    }

    pub(super) fn into_text(self) -> Text {
        self.current
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}
