//! Servers in TOML: a table of tables, by name, under one key of the file. Edits are cuts in the text at the places that the parser gives:
//! it keeps comments by itself, but not the line ends of other systems.

use std::ops::Range;

use toml_edit::{Array, Document, Item, Table, TableLike, Value};

use super::shape::{Found, Problem};
use super::{Launch, ServerName};

/// Where servers are.
#[derive(Debug)]
pub(super) struct Shape {
    /// The key of the file that has them.
    pub(super) key: &'static str,
}

impl Shape {
    pub(super) fn find(&self, text: &str, name: &ServerName) -> Result<Option<Found>, Problem> {
        let document = parse(text)?;
        let Some(servers) = self.servers(&document, text)? else { return Ok(None) };
        let Some(entry) = servers.get(name.as_str()) else { return Ok(None) };
        let launch = entry.as_table_like().and_then(launch);
        Ok(Some(launch.map_or(Found::Other, Found::Ours)))
    }

    pub(super) fn put(&self, text: &str, name: &ServerName, launch: &Launch) -> Result<String, Problem> {
        let edited = match self.find(text, name)? {
            None => self.append(text, name, launch),
            Some(Found::Other) => self.append(&self.cut(text, name)?, name, launch),
            Some(Found::Ours(present)) => self.update(text, name, &present, launch)?,
        };
        self.checked(text, edited, name, Some(launch))
    }

    pub(super) fn take(&self, text: &str, name: &ServerName) -> Result<String, Problem> {
        match self.find(text, name)? {
            None => Ok(text.to_owned()),
            Some(_) => self.checked(text, self.cut(text, name)?, name, None),
        }
    }

    fn servers<'d>(&self, document: &'d Document<&str>, text: &str) -> Result<Option<&'d Table>, Problem> {
        match document.get(self.key) {
            None => Ok(None),
            Some(Item::Table(servers)) => Ok(Some(servers)),
            Some(other) => {
                let byte = other.span().map_or(0, |span| span.start);
                let reason = format!("{} is not written as [{}.NAME] tables", self.key, self.key);
                Err(Problem::at(text, byte, reason))
            }
        }
    }

    /// At the end, where a table stands for itself whatever is before it.
    fn append(&self, text: &str, name: &ServerName, launch: &Launch) -> String {
        let end = line_end(text);
        let mut edited = text.to_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            edited += end;
        }
        if !edited.is_empty() {
            edited += end;
        }
        let (command, args) = (quoted(&launch.command), array(&launch.args));
        edited + &format!("[{}.{}]{end}command = {command}{end}args = {args}{end}", self.key, name.as_str())
    }

    fn update(&self, text: &str, name: &ServerName, present: &Launch, wanted: &Launch) -> Result<String, Problem> {
        let document = parse(text)?;
        let servers = self.servers(&document, text)?;
        let entry = servers.and_then(|servers| servers.get(name.as_str())).and_then(Item::as_table_like);
        let span = |key| entry.and_then(|entry| entry.get(key)?.span()).ok_or_else(Problem::overreach);
        let mut edits = Vec::new();
        if present.command != wanted.command {
            edits.push((span("command")?, quoted(&wanted.command)));
        }
        if present.args != wanted.args {
            edits.push((span("args")?, array(&wanted.args)));
        }
        Ok(spliced(text, edits))
    }

    /// The text without the lines of the entry, and without an empty line above each of its tables.
    fn cut(&self, text: &str, name: &ServerName) -> Result<String, Problem> {
        let document = parse(text)?;
        let mut lines = Vec::new();
        if let Some(servers) = self.servers(&document, text)?
            && let Some((key, entry)) = servers.get_key_value(name.as_str())
        {
            let key = key.span().ok_or_else(Problem::overreach)?;
            places(key, entry, &mut lines).ok_or_else(Problem::overreach)?;
        }
        let cuts = lines.into_iter().map(|place| (whole_lines(text, place), String::new())).collect();
        Ok(spliced(text, cuts))
    }

    /// The edited text, if it differs in our entry alone and has that as it should.
    fn checked(
        &self,
        before: &str,
        after: String,
        name: &ServerName,
        launch: Option<&Launch>,
    ) -> Result<String, Problem> {
        let expected = launch.cloned().map(Found::Ours);
        let is_as_meant = self.find(&after, name)? == expected;
        if is_as_meant && self.others(before, name)? == self.others(&after, name)? {
            return Ok(after);
        }
        Err(Problem::overreach())
    }

    /// All that a text says but the entry.
    fn others(&self, text: &str, name: &ServerName) -> Result<::toml::Table, Problem> {
        let mut root: ::toml::Table = text.parse().map_err(|_| Problem::overreach())?;
        if let Some(::toml::Value::Table(servers)) = root.get_mut(self.key) {
            servers.remove(name.as_str());
            // To have no servers is the same as to have none listed.
            if servers.is_empty() {
                root.remove(self.key);
            }
        }
        Ok(root)
    }
}

fn parse(text: &str) -> Result<Document<&str>, Problem> {
    Document::parse(text).map_err(|error| {
        let reason = error.message().lines().collect::<Vec<_>>().join(", ");
        match error.span() {
            Some(span) => Problem::at(text, span.start, reason),
            None => Problem::new(reason),
        }
    })
}

/// What an entry starts, if that is caplet.
fn launch(entry: &dyn TableLike) -> Option<Launch> {
    let command = entry.get("command")?.as_str()?;
    let args =
        entry.get("args")?.as_array()?.iter().map(|arg| Some(arg.as_str()?.to_owned())).collect::<Option<_>>()?;
    Launch::of_caplet(command, args)
}

/// Where an item is: each value from its key to its end, each header with what follows it.
fn places(key: Range<usize>, item: &Item, found: &mut Vec<Range<usize>>) -> Option<()> {
    match item {
        Item::None => {}
        Item::Value(value) => found.push(key.start..value.span()?.end),
        Item::Table(table) => {
            if !table.is_dotted() && !table.is_implicit() {
                found.push(table.span()?);
            }
            for (name, _) in table.iter() {
                let (key, item) = table.get_key_value(name)?;
                places(key.span()?, item, found)?;
            }
        }
        Item::ArrayOfTables(tables) => {
            for table in tables.iter() {
                places(table.span()?, &Item::Table(table.clone()), found)?;
            }
        }
    }
    Some(())
}

/// The lines that `place` is on, and an empty one above a header.
fn whole_lines(text: &str, place: Range<usize>) -> Range<usize> {
    let mut start = text[..place.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[place.end..].find('\n').map_or(text.len(), |at| place.end + at + 1);
    if text[start..].trim_start_matches([' ', '\t']).starts_with('[') {
        let above = &text[..start];
        let empty = ["\n\r\n", "\n\n"].into_iter().find(|empty| above.ends_with(empty));
        start -= empty.map_or(0, |empty| empty.len() - 1);
    }
    start..end
}

/// The text with other words at places that do not overlap.
fn spliced(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(place, _)| place.start);
    let mut edited = String::with_capacity(text.len());
    let mut done = 0;
    for (place, words) in edits {
        edited += &text[done..place.start.max(done)];
        edited += &words;
        done = place.end.max(done);
    }
    edited + &text[done..]
}

/// How the lines of a text end.
fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn array(words: &[String]) -> String {
    Value::from(words.iter().map(String::as_str).collect::<Array>()).to_string()
}
