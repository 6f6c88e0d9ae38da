//! Changes a toolbox as its owner would: a table more or a table less, everything else as it stands.
//!
//! What always holds: what is written was understood as a toolbox first; comments, order and spelling of all else stay; the toolbox and
//! its lock change both or not at all; a file that somebody changed meanwhile is left as it is.

use std::io;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use crate::error::Error;
use crate::lock::replace::{self, Held};
use crate::lock::{Lock, Pin};
use crate::new_tool::NewTool;
use crate::source::read_file;
use crate::toolbox::Toolbox;

/// What a new file starts with.
const HEAD: &str = "# The toolbox: tools by name, and what each may do.\n";

/// A toolbox that is being changed. Nothing is written before [`ToolboxEdit::save`].
#[derive(Clone, Debug)]
pub struct ToolboxEdit {
    path: PathBuf,
    /// What is in the file; nothing if there is none.
    before: Option<String>,
    document: DocumentMut,
}

impl ToolboxEdit {
    /// The toolbox at `path`; an empty one, where there is no file.
    ///
    /// # Errors
    ///
    /// When there is a file that cannot be read, or is no toolbox.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let before = text(path)?;
        if before.is_some() {
            Toolbox::read(path)?;
        }
        let document = before.as_deref().unwrap_or(HEAD).parse().map_err(|error: toml_edit::TomlError| {
            Error::Host(format!("{} is read in two ways: {}", path.display(), error.message()))
        })?;
        Ok(Self { path: path.to_owned(), before, document })
    }

    /// Adds a tool.
    ///
    /// # Errors
    ///
    /// When there is one of the name; and as for [`Toolbox::parse`] of the file as it would be.
    pub fn add(&mut self, tool: &NewTool) -> Result<Toolbox, Error> {
        let taken = |reason: &str| {
            let hint = format!("choose another name with --as, or take it out with `caplet remove {}`", tool.name());
            Error::grant("the name", tool.name(), reason, Some(hint))
        };
        let mut document = self.document.clone();
        // In a file without tables, what is at its end stands at its beginning too.
        let is_empty = document.as_table().is_empty();
        let head = if is_empty { document.trailing().as_str().unwrap_or_default().to_owned() } else { String::new() };
        if is_empty {
            document.set_trailing("");
        }
        let tools = document.entry("tools").or_insert_with(|| {
            let mut tools = Table::new();
            tools.set_implicit(true);
            Item::Table(tools)
        });
        let is_inline = tools.is_value();
        let tools = tools.as_table_like_mut().ok_or_else(|| taken("`tools` is no table"))?;
        if tools.contains_key(tool.name()) {
            return Err(taken("there is a tool of this name in the toolbox"));
        }
        let table = tool.table();
        tools.insert(
            tool.name(),
            match is_inline {
                true => Item::Value(Value::InlineTable(table.into_inline_table())),
                false => Item::Table(below(&head, table)),
            },
        );
        let toolbox = Toolbox::parse(&document.to_string(), &self.path)?;
        self.document = document;
        Ok(toolbox)
    }

    /// Takes a tool out, with the comment right above it.
    ///
    /// # Errors
    ///
    /// When there is none of the name.
    pub fn remove(&mut self, name: &str) -> Result<(), Error> {
        let tools = self.document.get_mut("tools").and_then(Item::as_table_like_mut);
        if let Some(removed) = tools.and_then(|tools: &mut dyn TableLike| tools.remove(name)) {
            if let Some(text) = above(&removed) {
                keep(&mut self.document, &text, removed.as_table().and_then(Table::position));
            }
            return Ok(());
        }
        let toolbox = Toolbox::parse(&self.document.to_string(), &self.path)?;
        let hint = toolbox.nearest(name).map(|near| format!("did you mean {near}?"));
        Err(Error::grant("the name", name, format!("{} has no tool of this name", self.path.display()), hint))
    }

    /// The file as it would be.
    #[must_use]
    pub fn text(&self) -> String {
        self.document.to_string()
    }

    /// Writes the toolbox, and the pin of `tool` into its lock, or takes it out of there. Where one of both cannot be written, neither is.
    ///
    /// # Errors
    ///
    /// When the file was changed since it was opened, or something cannot be written.
    pub fn save(self, tool: &str, pin: Option<Pin>) -> Result<(), Error> {
        let held = Held::new(&self.path)?;
        if text(&self.path)? != self.before {
            let hint = "run the same again, to see what would change now".to_owned();
            let reason = "somebody changed it meanwhile; nothing was written";
            return Err(Error::Grant {
                asked: self.path.display().to_string(),
                reason: reason.to_owned(),
                hint: Some(hint),
            });
        }
        let place = Lock::beside(&self.path);
        let before = Lock::read(&place)?;
        let mut lock = before.clone();
        match pin {
            Some(pin) => lock.set(tool, pin),
            None => drop(lock.remove(tool)),
        }
        if lock != before {
            held.replace(&place, lock.text().as_bytes(), replace::READABLE)?;
        }
        let written = held.replace(&self.path, self.document.to_string().as_bytes(), replace::PRIVATE);
        if written.is_err() && lock != before {
            // What was pinned and is not in the toolbox does nothing, should this fail too.
            let _ = held.replace(&place, before.text().as_bytes(), replace::READABLE);
        }
        written
    }
}

/// The table below what is said at the head of the file, with an empty line between them.
fn below(head: &str, mut table: Table) -> Table {
    let end = if head.is_empty() || head.ends_with('\n') { "" } else { "\n" };
    table.decor_mut().set_prefix(format!("{head}{end}\n"));
    table
}

/// What stands above a table that goes, and is not right above it.
fn above(removed: &Item) -> Option<String> {
    let prefix = removed.as_table()?.decor().prefix()?.as_str()?;
    let end = prefix.rfind("\n\n")?;
    prefix.get(..=end).filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// Puts `text` above the first table behind `position`; at the end, where there is none.
fn keep(document: &mut DocumentMut, text: &str, position: Option<isize>) {
    let next = tables(document.as_table_mut()).into_iter().filter(|table| table.position() > position);
    if let Some(next) = next.min_by_key(|table| table.position()) {
        let prefix = next.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
        return next.decor_mut().set_prefix(format!("{text}{prefix}"));
    }
    let trailing = document.trailing().as_str().unwrap_or_default().to_owned();
    document.set_trailing(format!("{text}{trailing}"));
}

/// The tables in `table` that have a line of their own.
fn tables(table: &mut Table) -> Vec<&mut Table> {
    let mut found = Vec::new();
    for (_, item) in table.iter_mut() {
        let has_no_line = item.as_table().is_some_and(Table::is_implicit);
        if let Some(inner) = item.as_table_mut() {
            if has_no_line { found.extend(tables(inner)) } else { found.push(inner) }
        }
    }
    found
}

/// The text of the file at `path`, if there is one.
fn text(path: &Path) -> Result<Option<String>, Error> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let refuse = |reason: String| Error::Grant { asked: path.display().to_string(), reason, hint: None };
    let bytes = read_file(path, Toolbox::LARGEST)?;
    String::from_utf8(bytes).map(Some).map_err(|_| refuse("it is not UTF-8".to_owned()))
}
