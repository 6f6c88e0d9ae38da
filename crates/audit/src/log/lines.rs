//! The lines of a segment, forwards from an offset or backwards from the end, without ever holding more than one of them.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};

use super::entry::ENTRY_BYTES;
use super::tail::bytes_at;

/// How much is read at a time.
const BLOCK: usize = 256 * 1024;

/// What ended a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A line break.
    Break,
    /// The end of the file: a write that was cut short, or that goes on this moment.
    File,
    /// It is longer than any line of ours, and was not read further.
    Length,
}

/// Lines forwards.
#[derive(Debug)]
pub(crate) struct Lines {
    input: BufReader<File>,
    /// Where the next line starts.
    pub(crate) offset: u64,
}

impl Lines {
    /// The lines of `file` that start at `offset` and after it.
    pub(crate) fn new(mut file: File, offset: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { input: BufReader::with_capacity(BLOCK, file), offset })
    }

    /// Puts the next line, without its line break, in the place of `line`. None at the end of the file.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<End>> {
        line.clear();
        let read = self.input.by_ref().take(ENTRY_BYTES as u64).read_until(b'\n', line)?;
        self.offset += read as u64;
        Ok(match line.last() {
            None => None,
            Some(b'\n') => {
                line.pop();
                Some(End::Break)
            }
            Some(_) if read == ENTRY_BYTES => Some(End::Length),
            Some(_) => Some(End::File),
        })
    }
}

/// Lines backwards.
#[derive(Debug)]
pub(crate) struct LinesBack {
    file: File,
    /// Where `bytes` start in the file.
    start: u64,
    /// What was read and not handed out: the last line break of what is left is not among them.
    bytes: Vec<u8>,
    is_done: bool,
}

impl LinesBack {
    /// The whole lines of the first `size` bytes of `file`. What follows the last line break is left out.
    pub(crate) fn new(file: File, size: u64) -> io::Result<Self> {
        let mut lines = Self { file, start: size, bytes: Vec::new(), is_done: false };
        // What is torn is taken for a line, and dropped.
        lines.next()?;
        Ok(lines)
    }

    /// The next line and where it starts. One that is longer than any of ours ends the reading.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut searched = self.bytes.len();
        while !self.is_done {
            let unsearched = self.bytes.get(..searched).unwrap_or_default();
            if let Some(at) = unsearched.iter().rposition(|byte| *byte == b'\n') {
                let line = self.bytes.split_off(at + 1);
                self.bytes.truncate(at);
                return Ok(Some((self.start + at as u64 + 1, line)));
            }
            if self.start == 0 {
                self.is_done = true;
                return Ok(Some((0, std::mem::take(&mut self.bytes))));
            }
            if self.bytes.len() > ENTRY_BYTES {
                self.is_done = true;
                break;
            }
            let from = self.start.saturating_sub(BLOCK as u64);
            let mut block = bytes_at(&self.file, from, self.start - from)?;
            searched = block.len();
            block.append(&mut self.bytes);
            (self.bytes, self.start) = (block, from);
        }
        Ok(None)
    }
}
