//! Reading a patch.

use bstr::ByteSlice;

use crate::syntax::ast::Text;

/// A line of a hunk, with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Same(Text),
    Old(Text),
    New(Text),
}

#[derive(Clone, Debug)]
pub(super) struct Hunk {
    /// The number of its first line before and after, from 1 on; 0 if there is none.
    pub(super) old_start: usize,
    pub(super) new_start: usize,
    pub(super) lines: Vec<Line>,
}

/// What is to be changed in one file.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) old: Text,
    pub(super) new: Text,
    pub(super) hunks: Vec<Hunk>,
    /// Where it begins in the patch.
    pub(super) line: usize,
}

impl Hunk {
    /// The lines before, or after.
    pub(super) fn side(&self, old: bool) -> Vec<&[u8]> {
        let wanted = self.lines.iter().filter_map(|line| match line {
            Line::Same(text) => Some(text),
            Line::Old(text) if old => Some(text),
            Line::New(text) if !old => Some(text),
            _ => None,
        });
        wanted.map(Vec::as_slice).collect()
    }
}

impl Difference {
    pub(super) fn reverse(&mut self) {
        std::mem::swap(&mut self.old, &mut self.new);
        for hunk in &mut self.hunks {
            std::mem::swap(&mut hunk.old_start, &mut hunk.new_start);
            for line in &mut hunk.lines {
                *line = match std::mem::replace(line, Line::Same(Text::new())) {
                    Line::Old(text) => Line::New(text),
                    Line::New(text) => Line::Old(text),
                    same => same,
                };
            }
            // What is removed is written before what is added.
            hunk.lines = ordered(std::mem::take(&mut hunk.lines));
        }
    }

    /// Whether the file is not there before.
    pub(super) fn creates(&self) -> bool {
        self.old == b"/dev/null"
            || matches!(self.hunks.as_slice(), [one] if one.old_start == 0 && one.side(true).is_empty())
    }

    /// Whether the file is not there after.
    pub(super) fn removes(&self) -> bool {
        self.new == b"/dev/null"
    }

    /// The hunks that could not be applied, as a patch.
    pub(super) fn rejects(&self, which: &[usize]) -> Vec<u8> {
        let mut out = [b"--- ", self.old.as_slice(), b"\n+++ ", &self.new, b"\n"].concat();
        for hunk in which.iter().filter_map(|at| self.hunks.get(*at)) {
            let span =
                |start: usize, size: usize| if size == 1 { start.to_string() } else { format!("{start},{size}") };
            let (old, new) =
                (span(hunk.old_start, hunk.side(true).len()), span(hunk.new_start, hunk.side(false).len()));
            out.extend_from_slice(format!("@@ -{old} +{new} @@\n").as_bytes());
            for line in &hunk.lines {
                let (mark, text) = match line {
                    Line::Same(text) => (b' ', text),
                    Line::Old(text) => (b'-', text),
                    Line::New(text) => (b'+', text),
                };
                out.push(mark);
                out.extend_from_slice(text);
                if !text.ends_with(b"\n") {
                    out.extend_from_slice(b"\n\\ No newline at end of file\n");
                }
            }
        }
        out
    }
}

fn ordered(lines: Vec<Line>) -> Vec<Line> {
    let mut out = Vec::with_capacity(lines.len());
    let mut added = Vec::new();
    for line in lines {
        match line {
            Line::New(_) => added.push(line),
            Line::Old(_) => out.push(line),
            Line::Same(_) => {
                out.append(&mut added);
                out.push(line);
            }
        }
    }
    out.append(&mut added);
    out
}

/// The file's name in a `---` or `+++` line: up to a tab, or to what looks like a date.
fn name(line: &[u8]) -> Text {
    let text = line.trim_end_with(|letter| letter == '\n' || letter == '\r');
    let (text, time) = text.split_once_str("\t").unwrap_or((text, b""));
    if time.starts_with(b"1970-01-01 00:00:00") {
        // What `diff -N` writes of a file that is not there.
        return b"/dev/null".to_vec();
    }
    text.trim_end().to_vec()
}

/// `12,3` or `12`
fn span(text: &str) -> Option<(usize, usize)> {
    match text.split_once(',') {
        Some((start, size)) => Some((start.parse().ok()?, size.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    }
}

fn header(line: &[u8]) -> Option<((usize, usize), (usize, usize))> {
    let text = line.to_str_lossy();
    let (spans, _) = text.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = spans.split_once(" +")?;
    Some((span(old)?, span(new)?))
}

/// The differences in a text; what stands around them is passed over.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Difference>, String> {
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let mut all: Vec<Difference> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        if let (Some(old), Some(new)) = (line.strip_prefix(b"--- "), next.strip_prefix(b"+++ "))
            && lines.get(at + 2).is_some_and(|line| header(line).is_some())
        {
            all.push(Difference { old: name(old), new: name(new), hunks: Vec::new(), line: at + 1 });
            at += 2;
            continue;
        }
        match (header(line), all.last_mut()) {
            (Some(spans), Some(difference)) => at = hunk(&lines, at, spans, difference)?,
            _ => at += 1,
        }
    }
    Ok(all)
}

/// Reads a hunk; gives the number of the line after it.
fn hunk(
    lines: &[&[u8]],
    start: usize,
    ((old_start, mut old), (new_start, mut new)): ((usize, usize), (usize, usize)),
    difference: &mut Difference,
) -> Result<usize, String> {
    let mut found = Vec::new();
    let mut at = start + 1;
    while old > 0 || new > 0 {
        let malformed = || {
            format!(
                "malformed patch at line {}: {}",
                at + 1,
                lines.get(at).map(|line| line.trim_end().to_str_lossy()).unwrap_or_default()
            )
        };
        let line = lines.get(at).ok_or("unexpectedly ends in middle of line")?;
        let rest = line.get(1..).unwrap_or_default().to_vec();
        let (from_old, from_new) = match line.first() {
            Some(b'-') => (1, 0),
            Some(b'+') => (0, 1),
            Some(b' ' | b'\n' | b'\t') => (1, 1),
            Some(b'\\') => {
                at += 1;
                continue;
            }
            _ => return Err(malformed()),
        };
        old = old.checked_sub(from_old).ok_or_else(malformed)?;
        new = new.checked_sub(from_new).ok_or_else(malformed)?;
        // An editor may have taken the blank off an empty line.
        let rest = if line.first() == Some(&b'\n') { b"\n".to_vec() } else { rest };
        let mut rest = rest;
        if lines.get(at + 1).is_some_and(|next| next.starts_with(b"\\")) {
            rest = rest.strip_suffix(b"\n").unwrap_or(&rest).to_vec();
        }
        found.push(match (from_old, from_new) {
            (1, 0) => Line::Old(rest),
            (0, _) => Line::New(rest),
            _ => Line::Same(rest),
        });
        at += 1;
    }
    if lines.get(at).is_some_and(|line| line.starts_with(b"\\")) {
        at += 1;
    }
    difference.hunks.push(Hunk { old_start, new_start, lines: found });
    Ok(at)
}
