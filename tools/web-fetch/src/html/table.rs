//! Tables: which of them hold data, and how those are written.

use super::tree::{Id, Tree};
use super::writer::Writer;

/// Cells that one `colspan` counts for.
const MAX_SPAN: usize = 32;

/// Whether a table holds data in rows and columns. Others only lay out a page, and are read cell by cell.
pub(crate) fn holds_data(tree: &Tree, table: Id) -> bool {
    if tree.element(table).is_some_and(|element| element.says("role", "presentation")) {
        return false;
    }
    let (mut cells, mut widest, mut rows) = (0_usize, 0_usize, 0_usize);
    for id in tree.below(table) {
        match tree.tag(id) {
            // The table inside is looked at in its turn, so that each node is looked at twice at most.
            "table" | "pre" | "hr" => return false,
            "tr" => (cells, rows) = (0, rows + 1),
            "td" | "th" => {
                cells += 1;
                widest = widest.max(cells);
            }
            _ => {}
        }
    }
    rows > 0 && widest > 1
}

/// A table as it is read.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Whether the first row is a header: it is so far made of header cells only.
    header: bool,
}

impl Table {
    pub(crate) fn begin_row(&mut self) {
        self.rows.push(Vec::new());
    }

    /// Adds a cell to the row; `span` is how many columns it covers.
    pub(crate) fn cell(&mut self, text: String, header: bool, span: usize) {
        if self.rows.is_empty() {
            self.begin_row();
        }
        let first = self.rows.len() == 1;
        let Some(row) = self.rows.last_mut() else { return };
        if first {
            self.header = header && (row.is_empty() || self.header);
        }
        row.push(text);
        row.extend(std::iter::repeat_n(String::new(), span.clamp(1, MAX_SPAN) - 1));
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        let is_empty = |row: &Vec<String>| row.iter().all(String::is_empty);
        let header = self.header && self.rows.first().is_some_and(|row| !is_empty(row));
        let mut rows: Vec<Vec<String>> = self.rows.into_iter().filter(|row| !is_empty(row)).collect();
        let Some(columns) = rows.iter().map(Vec::len).max() else { return };
        writer.release_cells();
        writer.block(2);
        if writer.markdown {
            // Markdown has no table without a header.
            let mut header = if header { rows.remove(0) } else { Vec::new() };
            header.resize(columns, String::new());
            writer.line(&bars(&header));
            writer.line(&bars(&vec!["---".to_owned(); columns]));
        }
        for row in &rows {
            let line = if writer.markdown { bars(row) } else { row.join("\t") };
            writer.line(&line);
        }
        writer.block(2);
    }
}

fn bars(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}
