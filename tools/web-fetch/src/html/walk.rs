//! The walk over the tree that writes what a reader sees. It uses no recursion: depth is the page's to choose.

use url::Url;

use super::boilerplate::Boilerplate;
use super::inline::Mark;
use super::links;
use super::list::List;
use super::table::{Table, holds_data};
use super::tree::{Data, Element, Id, Tree};
use super::visible::{is_block, is_checkbox, is_unseen, language};
use super::writer::Writer;

/// What is to be done at an element's end.
#[derive(Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Block(u8),
    Mark,
    Heading,
    Quote,
    List,
    Item,
    Definition,
    Code,
    Table,
    Row,
    Cell,
    Quotation,
}

/// The walk's state.
pub(crate) struct Walk<'a> {
    tree: &'a Tree,
    base: &'a Url,
    boilerplate: Option<&'a Boilerplate>,
    writer: Writer,
    open: Vec<Open>,
    lists: Vec<List>,
    /// The table of data that is being read; there is none inside it.
    table: Option<Table>,
    /// The code that is being read.
    code: Option<String>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(tree: &'a Tree, base: &'a Url, boilerplate: Option<&'a Boilerplate>, writer: Writer) -> Self {
        Self { tree, base, boilerplate, writer, open: Vec::new(), lists: Vec::new(), table: None, code: None }
    }

    /// Writes what is in `root`. The second value says whether the end was left out.
    pub(crate) fn run(mut self, root: Id) -> (String, bool) {
        let mut at = root;
        let mut cut = false;
        loop {
            let inside = self.enter(at);
            if inside && let Some(child) = self.tree.first(at) {
                at = child;
                continue;
            }
            if inside {
                self.leave(at);
            }
            loop {
                if at == root {
                    return (self.writer.finish(), cut);
                }
                if let Some(next) = self.tree.next(at).filter(|_| !cut) {
                    at = next;
                    break;
                }
                let Some(parent) = self.tree.parent(at) else { return (self.writer.finish(), cut) };
                at = parent;
                self.leave(at);
            }
            cut |= self.writer.is_full();
        }
    }

    /// Begins a node; false if nothing in it is to be read, and it is not to be left either.
    fn enter(&mut self, id: Id) -> bool {
        let tree = self.tree;
        match tree.data(id) {
            Data::Text(text) => {
                match &mut self.code {
                    Some(code) => code.push_str(text),
                    None => self.writer.inline.text(text),
                }
                return false;
            }
            Data::Other => {
                self.open.push(Open::Nothing);
                return true;
            }
            Data::Element(_) => {}
        }
        let Some(element) = tree.element(id) else { return false };
        if is_checkbox(element) && self.lists.last().is_some() {
            self.writer.inline.raw(if element.attribute("checked").is_some() { "[x]" } else { "[ ]" });
            self.writer.inline.space();
            return false;
        }
        if is_unseen(tree, id) || self.boilerplate.is_some_and(|known| known.holds(id)) {
            return false;
        }
        if !element.is_html() {
            return self.formula(element);
        }
        if self.void(element) {
            return false;
        }
        let open = if self.code.is_some() { in_code(element.name()) } else { self.begin(id, element) };
        self.open.push(open);
        true
    }

    /// A formula: its source where the page gives it, else its text.
    fn formula(&mut self, element: &Element) -> bool {
        if let Some(source) = element.attribute("alttext").filter(|_| self.code.is_none()) {
            self.writer.inline.raw(&format!("${}$", source.split_whitespace().collect::<Vec<_>>().join(" ")));
            return false;
        }
        self.open.push(Open::Nothing);
        true
    }

    /// Writes an element that holds nothing; false if it is none.
    fn void(&mut self, element: &Element) -> bool {
        match element.name() {
            "br" => match &mut self.code {
                Some(code) => code.push('\n'),
                None => self.writer.line_break(),
            },
            "hr" if self.code.is_none() => {
                self.writer.block(2);
                if self.writer.markdown && !self.writer.in_cell() {
                    self.writer.line("---");
                }
                self.writer.block(2);
            }
            "img" if self.code.is_none() => {
                if let Some(image) = links::image(element, self.base, self.writer.markdown) {
                    self.writer.inline.raw(&image);
                }
            }
            "hr" | "img" => {}
            _ => return false,
        }
        true
    }

    fn begin(&mut self, id: Id, element: &Element) -> Open {
        let loose = if self.writer.markdown { 2 } else { 1 };
        match element.name() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = element.name().bytes().last().map_or(1, |digit| usize::from(digit.saturating_sub(b'0')));
                self.writer.begin_heading(level);
                Open::Heading
            }
            "p" | "figure" | "dl" => self.block(2),
            "ul" | "ol" | "menu" | "dir" => self.list(element),
            "li" => self.item(element),
            "dd" => {
                self.writer.block_exactly(1);
                self.writer.begin_container(": ", "  ");
                Open::Definition
            }
            "blockquote" => {
                self.writer.block(2);
                let mark = if self.writer.markdown { "> " } else { "" };
                self.writer.begin_container(mark, mark);
                Open::Quote
            }
            "pre" | "listing" | "xmp" | "plaintext" => {
                self.writer.block(2);
                self.code = Some(String::new());
                Open::Code
            }
            "table" => self.table(id),
            "tr" if self.table.is_some() => {
                if let Some(table) = &mut self.table {
                    table.begin_row();
                }
                Open::Row
            }
            "td" | "th" if self.table.is_some() => {
                self.writer.begin_cell();
                Open::Cell
            }
            "td" | "th" => {
                self.writer.inline.space();
                Open::Nothing
            }
            "q" => {
                self.writer.inline.raw("“");
                Open::Quotation
            }
            name if is_block(name) => self.block(loose),
            _ => self.mark(element),
        }
    }

    fn block(&mut self, gap: u8) -> Open {
        self.writer.block(gap);
        Open::Block(gap)
    }

    fn mark(&mut self, element: &Element) -> Open {
        let mark = match element.name() {
            "strong" | "b" => Some(Mark::Strong),
            "em" | "i" | "cite" | "dfn" | "var" => Some(Mark::Emphasis),
            "del" | "s" | "strike" => Some(Mark::Strike),
            "code" | "kbd" | "samp" | "tt" => Some(Mark::Code),
            "sup" => Some(Mark::Superscript),
            "sub" => Some(Mark::Subscript),
            "a" | "video" | "audio" => links::link(element, self.base),
            _ => None,
        };
        if mark.is_some_and(|mark| self.writer.inline.open(mark)) { Open::Mark } else { Open::Nothing }
    }

    fn list(&mut self, element: &Element) -> Open {
        if self.lists.is_empty() {
            self.writer.block(2);
        } else {
            self.writer.block_exactly(1);
        }
        self.lists.push(List::new(element));
        Open::List
    }

    fn item(&mut self, element: &Element) -> Open {
        let (mark, began) = self.lists.last_mut().map_or_else(|| ("- ".to_owned(), true), |list| list.item(element));
        if began {
            self.writer.block_exactly(1);
        }
        self.writer.begin_container(&mark, &" ".repeat(mark.len()));
        Open::Item
    }

    fn table(&mut self, id: Id) -> Open {
        // Rows are gathered only for one table at a time; a table inside a cell's block is read cell by cell.
        if self.table.is_none() && holds_data(self.tree, id) {
            self.writer.block(2);
            self.table = Some(Table::default());
            return Open::Table;
        }
        self.block(2)
    }

    fn leave(&mut self, id: Id) {
        match self.open.pop() {
            None | Some(Open::Nothing | Open::Row) => {}
            Some(Open::Block(gap)) => match &mut self.code {
                Some(code) => end_line(code),
                None => self.writer.block(gap),
            },
            Some(Open::Mark) => self.writer.inline.close(),
            Some(Open::Heading) => self.writer.end_heading(),
            Some(Open::Quote) => {
                self.writer.end_container();
                self.writer.block(2);
            }
            Some(Open::List) => {
                self.writer.block(2);
                self.lists.pop();
            }
            Some(Open::Item) => self.writer.end_container(),
            Some(Open::Definition) => {
                self.writer.end_container();
                self.writer.block(1);
            }
            Some(Open::Code) => {
                let code = self.code.take().unwrap_or_default();
                self.writer.code(&code, &language(self.tree, id));
            }
            Some(Open::Table) => {
                if let Some(table) = self.table.take() {
                    table.write(&mut self.writer);
                }
            }
            Some(Open::Cell) => self.end_cell(id),
            Some(Open::Quotation) => self.writer.inline.raw("”"),
        }
    }

    fn end_cell(&mut self, id: Id) {
        let text = self.writer.end_cell();
        let Some(element) = self.tree.element(id) else { return };
        let span = element.attribute("colspan").and_then(|span| span.trim().parse().ok()).unwrap_or(1);
        let in_head = self.tree.ancestors(id).take(2).any(|above| self.tree.tag(above) == "thead");
        if let Some(table) = &mut self.table {
            table.cell(text, in_head || element.name() == "th", span);
        }
    }
}

/// Blocks inside code end its lines; all else is only text there.
fn in_code(name: &str) -> Open {
    if is_block(name) || matches!(name, "p" | "li" | "tr") { Open::Block(1) } else { Open::Nothing }
}

fn end_line(code: &mut String) {
    if !code.ends_with('\n') {
        code.push('\n');
    }
}
