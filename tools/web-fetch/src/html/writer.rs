//! Blocks as lines: quotes and lists around them, blank lines between them.

use super::escape;
use super::inline::Inline;

/// Quotes and lists that are shown around a line; what is nested deeper is shown at this depth.
const MAX_CONTAINERS: usize = 16;

/// What stands before each line of what it holds.
#[derive(Debug)]
struct Container {
    /// Before the first line.
    first: String,
    /// Before the others.
    rest: String,
    used: bool,
}

/// The output as it grows.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) markdown: bool,
    pub(crate) inline: Inline,
    out: String,
    containers: Vec<Option<Container>>,
    /// Line ends wanted before the next line.
    gap: u8,
    /// What the blocks of a heading begin with.
    lead: &'static str,
    /// The table cell that blocks go into.
    cell: Option<String>,
    /// What stands before the next line in the cell.
    cell_mark: String,
    /// Bytes in cells that are not written yet.
    gathered: usize,
    max: usize,
}

impl Writer {
    /// Writes at most about `max` bytes.
    pub(crate) fn new(markdown: bool, max: usize) -> Self {
        Self {
            markdown,
            inline: Inline::new(markdown),
            out: String::new(),
            containers: Vec::new(),
            gap: 0,
            lead: "",
            cell: None,
            cell_mark: String::new(),
            gathered: 0,
            max,
        }
    }

    /// Whether nothing more is to be written.
    pub(crate) fn is_full(&self) -> bool {
        self.out.len().saturating_add(self.inline.len()).saturating_add(self.gathered) >= self.max
    }

    pub(crate) fn finish(mut self) -> String {
        self.end_block();
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    /// Ends the text before a block, or the block itself; what follows stands `gap` line ends below.
    pub(crate) fn block(&mut self, gap: u8) {
        self.end_block();
        if !self.is_fresh() {
            self.gap = self.gap.max(gap);
        }
    }

    /// What comes first in a list's item stands beside its mark.
    fn is_fresh(&self) -> bool {
        self.containers.iter().rev().flatten().next().is_some_and(|container| !container.used)
    }

    /// Ends the text, and says exactly how far below the next line stands.
    pub(crate) fn block_exactly(&mut self, gap: u8) {
        self.end_block();
        if !self.is_fresh() {
            self.gap = gap;
        }
    }

    pub(crate) fn line_break(&mut self) {
        if !self.inline.line_break() {
            self.block(2);
        }
    }

    pub(crate) fn begin_heading(&mut self, level: usize) {
        self.block(2);
        self.inline.heading = true;
        self.lead = if self.markdown { HEADINGS.get(level).copied().unwrap_or_default() } else { "" };
    }

    pub(crate) fn end_heading(&mut self) {
        self.block(2);
        self.inline.heading = false;
        self.lead = "";
    }

    /// Begins a quote or an item; `first` and `rest` stand before its lines.
    pub(crate) fn begin_container(&mut self, first: &str, rest: &str) {
        self.end_block();
        if self.cell.is_some() {
            first.clone_into(&mut self.cell_mark);
        }
        let shown = self.containers.iter().flatten().count() < MAX_CONTAINERS;
        let container = || Container { first: first.to_owned(), rest: rest.to_owned(), used: false };
        self.containers.push(shown.then(container));
    }

    pub(crate) fn end_container(&mut self) {
        self.end_block();
        self.containers.pop();
    }

    /// Writes a paragraph of what was gathered.
    fn end_block(&mut self) {
        let text = self.inline.take();
        if text.is_empty() {
            return;
        }
        if let Some(cell) = &mut self.cell {
            self.gathered = self.gathered.saturating_add(text.len());
            let between = if self.markdown { "<br>" } else { " " };
            for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
                if !cell.is_empty() {
                    cell.push_str(between);
                }
                cell.push_str(&std::mem::take(&mut self.cell_mark));
                cell.push_str(line);
            }
            return;
        }
        let lines = text.lines().count();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            self.line_from(self.lead);
            match escape::line_start(line).filter(|_| self.markdown && self.lead.is_empty()) {
                Some(at) => {
                    self.out.push_str(line.get(..at).unwrap_or_default());
                    self.out.push('\\');
                    self.out.push_str(line.get(at..).unwrap_or_default());
                }
                None => self.out.push_str(line),
            }
            if self.markdown && index + 1 < lines {
                self.out.push_str("  ");
            }
            self.gap = 1;
        }
    }

    /// Writes a line as it is.
    pub(crate) fn line(&mut self, line: &str) {
        if self.is_full() {
            return;
        }
        self.line_from("");
        self.out.push_str(line);
        if line.is_empty() {
            self.out.truncate(self.out.trim_end_matches(' ').len());
        }
        self.gap = 1;
    }

    /// Begins a line: the line ends that are due, then what stands before it.
    fn line_from(&mut self, lead: &str) {
        if !self.out.is_empty() {
            for index in 0..self.gap {
                self.out.push('\n');
                if index + 1 < self.gap {
                    self.blank();
                }
            }
        }
        self.gap = 0;
        for container in self.containers.iter_mut().flatten() {
            self.out.push_str(if container.used { &container.rest } else { &container.first });
            container.used = true;
        }
        self.out.push_str(lead);
    }

    /// An empty line goes on with the quotes that both neighbours are in.
    fn blank(&mut self) {
        for container in self.containers.iter().flatten().take_while(|container| container.used) {
            self.out.push_str(&container.rest);
        }
        self.out.truncate(self.out.trim_end_matches(' ').len());
    }

    /// Writes code: fenced in Markdown, as it is in text.
    pub(crate) fn code(&mut self, code: &str, language: &str) {
        let code = code.trim_end().trim_start_matches('\n');
        if code.is_empty() {
            return;
        }
        if self.cell.is_some() {
            self.inline.raw(&escape::code_span(&code.split_whitespace().collect::<Vec<_>>().join(" ")));
            return;
        }
        self.block(2);
        let fence = escape::fence(code);
        if self.markdown {
            self.line(&format!("{fence}{language}"));
        }
        for line in code.lines() {
            self.line(line);
        }
        if self.markdown {
            self.line(&fence);
        }
        self.block(2);
    }

    /// Blocks go into a cell until it ends.
    pub(crate) fn begin_cell(&mut self) {
        self.end_block();
        self.cell = Some(String::new());
        self.inline.table = true;
    }

    pub(crate) fn end_cell(&mut self) -> String {
        self.end_block();
        self.cell_mark.clear();
        self.inline.table = false;
        self.cell.take().unwrap_or_default()
    }

    /// What was gathered in cells is going to be written.
    pub(crate) fn release_cells(&mut self) {
        self.gathered = 0;
    }

    pub(crate) fn in_cell(&self) -> bool {
        self.cell.is_some()
    }
}

const HEADINGS: [&str; 7] = ["", "# ", "## ", "### ", "#### ", "##### ", "###### "];
