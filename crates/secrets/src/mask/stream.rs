//! Masks what comes in pieces.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Masker;

/// Masks one body. What could be the start of a value is held back until the next piece, or the end, decides.
pub struct MaskStream {
    masker: Arc<Masker>,
    held: Zeroizing<Vec<u8>>,
    /// Whether there has been more than a short value may be all of.
    is_long: bool,
}

impl MaskStream {
    pub(super) fn new(masker: Arc<Masker>) -> Self {
        let is_long = masker.short.is_empty();
        Self { masker, held: Zeroizing::default(), is_long }
    }

    /// Takes a piece, and appends to `out` what is decided by it.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if self.held.is_empty() && self.is_long {
            let done = self.masker.scan(piece, false, out);
            self.held.extend_from_slice(piece.get(done..).unwrap_or_default());
            return;
        }
        self.held.extend_from_slice(piece);
        self.is_long |= self.held.len() > self.masker.short_bytes;
        if self.is_long {
            let done = self.masker.scan(&self.held, false, out);
            self.held.drain(..done);
        }
    }

    /// Ends the body, and appends to `out` what was held back.
    pub fn finish(self, out: &mut Vec<u8>) {
        match self.masker.short_form(&self.held) {
            Some(form) if !self.is_long => out.extend_from_slice(&form.mask),
            _ => {
                self.masker.scan(&self.held, true, out);
            }
        }
    }

    /// How many bytes are held back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

impl fmt::Debug for MaskStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskStream").field("held", &self.held.len()).finish_non_exhaustive()
    }
}
