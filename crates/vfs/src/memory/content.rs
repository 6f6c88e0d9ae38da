//! Bytes of a file. What was never written is not there, and reads as zeros.

use std::collections::BTreeMap;

/// Bytes are kept in pieces of this size, or less where the rest is zeros.
const PIECE_BYTES: u64 = 64 * 1024;

/// The content of a file. The size of what is kept is never more than [`Content::size`] rounded up.
#[derive(Debug, Default)]
pub(crate) struct Content {
    size: u64,
    /// By number. A piece that is missing, or too short, goes on with zeros; none reaches beyond the size.
    pieces: BTreeMap<u64, Vec<u8>>,
}

/// The part of a range that lies in one piece.
struct Part {
    piece: u64,
    /// Where it starts in the piece.
    start: usize,
    /// Where it starts in the range.
    at: usize,
    length: usize,
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(left)];
        for part in parts(offset, bytes.len()) {
            let kept = self.pieces.get(&part.piece).and_then(|piece| piece.get(part.start..));
            let wanted = bytes.get_mut(part.at..part.at + part.length);
            if let (Some(kept), Some(wanted)) = (kept, wanted) {
                let length = kept.len().min(wanted.len());
                if let (Some(from), Some(to)) = (kept.get(..length), wanted.get_mut(..length)) {
                    to.copy_from_slice(from);
                }
            }
        }
        bytes
    }

    /// Writes; the end must not be beyond what a `u64` counts.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        for part in parts(offset, bytes.len()) {
            let piece = self.pieces.entry(part.piece).or_default();
            let end = part.start + part.length;
            if piece.len() < end {
                piece.resize(end, 0);
            }
            if let (Some(to), Some(from)) = (piece.get_mut(part.start..end), bytes.get(part.at..part.at + part.length))
            {
                to.copy_from_slice(from);
            }
        }
        self.size = self.size.max(end_of(offset, bytes.len()));
    }

    pub(crate) fn set_size(&mut self, size: u64) {
        if size < self.size {
            let (last, rest) = (size / PIECE_BYTES, size % PIECE_BYTES);
            drop(self.pieces.split_off(&(last + u64::from(rest > 0))));
            if let Some(piece) = self.pieces.get_mut(&last) {
                piece.truncate(usize::try_from(rest).unwrap_or(usize::MAX));
                piece.shrink_to_fit();
            }
        }
        self.size = size;
    }
}

/// One past the last byte of a range.
pub(crate) fn end_of(offset: u64, length: usize) -> u64 {
    offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX))
}

fn parts(offset: u64, length: usize) -> impl Iterator<Item = Part> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let position = end_of(offset, at);
        let start = position % PIECE_BYTES;
        let room = usize::try_from(PIECE_BYTES - start).unwrap_or(usize::MAX);
        let part = Part {
            piece: position / PIECE_BYTES,
            start: usize::try_from(start).unwrap_or(usize::MAX),
            at,
            length: room.min(length - at),
        };
        at += part.length;
        (part.length > 0).then_some(part)
    })
}
