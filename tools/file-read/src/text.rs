//! A page of a text: the wanted lines, within a budget, and a footer if there is more to say.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use caplet_tool_common::text::{plural, size};
use caplet_tool_common::{Access, GuestPath, explain};

use crate::Request;
use crate::media::ByteOrder;

/// Lines given when the caller names no limit.
const DEFAULT_LINES: u64 = 2_000;
/// Bytes of text given in one answer: about 64,000 tokens, what a model's context takes well.
const MAX_BYTES: usize = 256 * 1024;
/// Bytes shown of one line, so that one line never takes the whole answer.
const MAX_LINE: usize = 64 * 1024;
/// Bytes read past the page to count the lines that are left; beyond it the footer gives the file's size instead.
const MAX_COUNTED: usize = 64 * 1024 * 1024;
/// UTF-16 files are converted as a whole, so they are bounded.
const MAX_UTF16: u64 = 8 * 1024 * 1024;

/// One line: what is shown of it, and how long it is with its line ending.
struct Line {
    shown: Vec<u8>,
    bytes: usize,
}

/// Gives the lines that `request` wants. `note` is said in the footer.
pub(crate) fn page(
    path: &GuestPath,
    request: &Request,
    source: impl Read,
    note: Option<String>,
) -> Result<String, String> {
    let failed = |error| explain(Access::Read, path, &error);
    let mut source = BufReader::with_capacity(64 * 1024, source);
    let first = u64::from(request.offset.unwrap_or(1).max(1));
    let skipped = skip_lines(&mut source, first - 1).map_err(failed)?;
    if skipped < first - 1 {
        return Err(past_the_end(path, first, skipped));
    }
    let mut page = Page { text: String::new(), next: first, flaws: 0, numbers: request.line_numbers };
    let limit = request.limit.map_or(DEFAULT_LINES, u64::from);
    let mut held = None;
    while let Some(line) = next_line(&mut source).map_err(failed)? {
        if page.next >= first + limit || !page.fits(&line) {
            held = Some(line);
            break;
        }
        page.push(&line);
    }
    if page.next == first && held.is_none() {
        return Err(past_the_end(path, first, skipped));
    }
    let notes = [
        held.map(|_| page.more(first, count_lines(&mut source).unwrap_or(None))),
        (page.flaws > 0).then(|| format!("{} of invalid UTF-8 shown as U+FFFD.", plural(page.flaws, "piece"))),
        note,
    ];
    Ok(page.finish(notes.into_iter().flatten()))
}

fn past_the_end(path: &GuestPath, offset: u64, lines: u64) -> String {
    format!("offset {offset} is past the end: {path} has {}. Use an offset from 1 to {lines}.", plural(lines, "line"))
}

struct Page {
    text: String,
    next: u64,
    flaws: u64,
    numbers: bool,
}

impl Page {
    fn fits(&self, line: &Line) -> bool {
        self.text.is_empty() || self.text.len() + line.shown.len() <= MAX_BYTES
    }

    fn push(&mut self, line: &Line) {
        if self.numbers {
            self.text.push_str(&format!("{:>6}\t", self.next));
        }
        let cut = line.bytes > line.shown.len();
        let mut chunks = line.shown.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text.push_str(chunk.valid());
            let torn_by_the_cut = cut && chunks.peek().is_none();
            if !chunk.invalid().is_empty() && !torn_by_the_cut {
                self.text.push('\u{fffd}');
                self.flaws += 1;
            }
        }
        if cut {
            self.text.push_str(&format!(
                " [file-read: line {} cut after {} of {} bytes]\n",
                self.next,
                line.shown.len(),
                line.bytes
            ));
        }
        self.next += 1;
    }

    /// `left`: the lines after the first one not shown, if they could be counted.
    fn more(&self, first: u64, left: Option<u64>) -> String {
        let last = self.next - 1;
        let of = left.map_or_else(|| "more".to_owned(), |left| (last + 1 + left).to_string());
        format!("lines {first} to {last} of {of}; to read on, call again with offset {}.", self.next)
    }

    fn finish(mut self, notes: impl Iterator<Item = String>) -> String {
        for note in notes {
            if !self.text.ends_with('\n') {
                self.text.push('\n');
            }
            self.text.push_str(&format!("[file-read: {note}]\n"));
        }
        self.text
    }
}

/// Reads one line with its ending, keeping at most [`MAX_LINE`] bytes of it.
fn next_line(source: &mut impl BufRead) -> std::io::Result<Option<Line>> {
    let mut line = Line { shown: Vec::new(), bytes: 0 };
    loop {
        let chunk = source.fill_buf()?;
        if chunk.is_empty() {
            return Ok((line.bytes > 0).then_some(line));
        }
        let end = chunk.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or(chunk);
        let room = MAX_LINE - line.shown.len();
        line.shown.extend_from_slice(part.get(..room).unwrap_or(part));
        line.bytes = line.bytes.saturating_add(part.len());
        let used = part.len();
        source.consume(used);
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

/// Skips up to `count` lines and says how many there were.
fn skip_lines(source: &mut impl BufRead, count: u64) -> std::io::Result<u64> {
    let mut skipped = 0;
    while skipped < count && source.skip_until(b'\n')? > 0 {
        skipped += 1;
    }
    Ok(skipped)
}

/// Counts the lines that are left; nothing if they are too many bytes to count.
fn count_lines(source: &mut impl BufRead) -> std::io::Result<Option<u64>> {
    let (mut lines, mut seen, mut open) = (0_u64, 0_usize, false);
    loop {
        let chunk = source.fill_buf()?;
        let Some(last) = chunk.last() else { return Ok(Some(lines + u64::from(open))) };
        lines += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
        open = *last != b'\n';
        let used = chunk.len();
        seen += used;
        source.consume(used);
        if seen > MAX_COUNTED {
            return Ok(None);
        }
    }
}

/// Converts a UTF-16 file to UTF-8, without its byte order mark.
pub(crate) fn decode_utf16(
    path: &GuestPath,
    order: ByteOrder,
    head: Vec<u8>,
    file: File,
) -> Result<(Vec<u8>, String), String> {
    let mut bytes = head;
    file.take(MAX_UTF16).read_to_end(&mut bytes).map_err(|error| explain(Access::Read, path, &error))?;
    if bytes.len() as u64 > MAX_UTF16 {
        return Err(format!(
            "{path} is UTF-16 text of more than {}, the most that file-read converts.",
            size(MAX_UTF16)
        ));
    }
    let unit = |pair: &[u8]| match (order, pair) {
        (ByteOrder::Little, [low, high]) => u16::from_le_bytes([*low, *high]),
        (ByteOrder::Big, [high, low]) => u16::from_be_bytes([*high, *low]),
        _ => 0,
    };
    let units = bytes.get(2..).unwrap_or_default().chunks_exact(2).map(unit);
    let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    let name = if order == ByteOrder::Little { "UTF-16LE" } else { "UTF-16BE" };
    Ok((text.into_bytes(), format!("converted from {name} to UTF-8.")))
}
