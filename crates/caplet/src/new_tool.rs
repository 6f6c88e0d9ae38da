//! A tool that is to be added to a toolbox, in the words of the file.

use std::path::Path;

use caplet_policy::{GuestPath, LimitSet, Rule};
use toml_edit::{Array, InlineTable, Item, Table, Value};

use crate::error::Error;
use crate::mount::{MountRequest, StoreRequest, absolute};
use crate::source::Source;

/// The longest array that stands on one line, in bytes.
const ONE_LINE: usize = 100;

/// A tool to be added, as it stands in the file.
#[derive(Clone, Debug)]
pub struct NewTool {
    name: String,
    /// Left out for a built-in tool under its own name.
    source: Option<String>,
    allow: Vec<String>,
    deny: Vec<String>,
    ask: Vec<String>,
    mounts: Vec<(String, String)>,
    limits: Vec<(String, String)>,
    /// Where the person is who says all this.
    here: GuestPath,
    folder: GuestPath,
}

impl NewTool {
    /// `source` under `name`, in the toolbox at `toolbox`, with nothing granted. Whoever adds it is at `cwd`: relative paths and rules
    /// are taken from there, and are written so that they mean the same in the file.
    ///
    /// # Errors
    ///
    /// When a path cannot be written into the file.
    pub fn new(name: impl Into<String>, source: &Source, toolbox: &Path, cwd: impl AsRef<Path>) -> Result<Self, Error> {
        let name = name.into();
        let place = |path: &Path| {
            let refuse = |reason: String| Error::grant("the path", &path.to_string_lossy(), reason, None);
            let full = std::path::absolute(path).map_err(|error| refuse(error.to_string()))?;
            let text = full.to_str().ok_or_else(|| refuse("it is not UTF-8".to_owned()))?;
            absolute(text, &GuestPath::root()).map_err(refuse)
        };
        let here = place(cwd.as_ref())?;
        let folder = place(toolbox)?.parent().unwrap_or_else(GuestPath::root);
        let source = match source {
            Source::BuiltIn(tool) => (tool.name != name).then(|| tool.name.to_owned()),
            Source::Path(path) => Some(relative(&place(&cwd.as_ref().join(path))?, &folder)),
            Source::Bytes { .. } => {
                let reason = "a toolbox names files and built-in tools".to_owned();
                return Err(Error::grant("the tool", &name, reason, None));
            }
        };
        let (allow, deny, ask, mounts, limits) = Default::default();
        Ok(Self { name, source, allow, deny, ask, mounts, limits, here, folder })
    }

    /// The name in the toolbox.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Grants what `rule` says.
    ///
    /// # Errors
    ///
    /// When the rule does not parse.
    pub fn allow(&mut self, rule: &str) -> Result<&mut Self, Error> {
        let rule = self.rule("--allow", rule)?;
        self.allow.push(rule);
        Ok(self)
    }

    /// Takes away what `rule` says.
    ///
    /// # Errors
    ///
    /// When the rule does not parse.
    pub fn deny(&mut self, rule: &str) -> Result<&mut Self, Error> {
        let rule = self.rule("--deny", rule)?;
        self.deny.push(rule);
        Ok(self)
    }

    /// Has a person asked about what `rule` says.
    ///
    /// # Errors
    ///
    /// When the rule does not parse, or is about something that nobody can be asked about one by one.
    pub fn ask(&mut self, rule: &str) -> Result<&mut Self, Error> {
        let (parsed, text) = self.parsed("--ask", rule)?;
        parsed.must_be_askable().map_err(|error| {
            let hint = Some(error.hint().to_owned());
            Error::grant("--ask", rule, error.to_string(), hint)
        })?;
        self.ask.push(text);
        Ok(self)
    }

    /// Mounts `GUEST=STORE`, where STORE may also be `@NAME`, a store of the toolbox.
    ///
    /// # Errors
    ///
    /// When it does not parse.
    pub fn mount(&mut self, text: &str) -> Result<&mut Self, Error> {
        let request = MountRequest::parse(text, &self.here)?;
        let typed = text.split_once('=').map_or("", |(_, store)| store);
        let store = match &request.store {
            _ if typed.starts_with('@') || self.is_here() => typed.to_owned(),
            store => self.store(store, request.read_only),
        };
        let at = request.at.to_string();
        if self.mounts.iter().any(|(other, _)| *other == at) {
            let reason = "something is mounted at the same path already";
            return Err(Error::grant("--mount", text, reason, Some("leave one of them out".to_owned())));
        }
        self.mounts.push((at, store));
        Ok(self)
    }

    /// Sets a limit, `KEY=VALUE`.
    ///
    /// # Errors
    ///
    /// When there is no such limit, or the value does not fit it.
    pub fn limit(&mut self, assignment: &str) -> Result<&mut Self, Error> {
        let refuse =
            |error: caplet_policy::LimitError| Error::grant("--limit", assignment, error.to_string(), error.hint());
        LimitSet::default().assign(assignment).map_err(refuse)?;
        let (key, value) = assignment.split_once('=').unwrap_or((assignment, ""));
        self.limits.push((key.to_owned(), value.to_owned()));
        Ok(self)
    }

    fn is_here(&self) -> bool {
        self.here == self.folder
    }

    /// A rule as it means the same in the file.
    fn rule(&self, option: &str, text: &str) -> Result<String, Error> {
        self.parsed(option, text).map(|(_, text)| text)
    }

    /// What `text` says, and how it is said in the file.
    fn parsed(&self, option: &str, text: &str) -> Result<(Rule, String), Error> {
        let refuse = |error: caplet_policy::RuleError| Error::grant(option, text, error.to_string(), error.hint());
        let rule = Rule::parse_grant(text, &self.here).map_err(refuse)?;
        let is_about_files = matches!(rule, Rule::Filesystem(_));
        let text = if is_about_files && !self.is_here() { rule.to_string() } else { text.to_owned() };
        Ok((rule, text))
    }

    fn store(&self, store: &StoreRequest, read_only: bool) -> String {
        let place = |path: &Path| {
            let text = path.to_string_lossy();
            absolute(&text, &self.here).map_or_else(|_| text.into_owned(), |path| path.to_string())
        };
        let text = match store {
            StoreRequest::Host(path) => format!("host:{}", place(path)),
            StoreRequest::Overlay(path) => format!("overlay:{}", place(path)),
            StoreRequest::Sqlite(path) => format!("sqlite:{}", place(path)),
            StoreRequest::Memory => "memory".to_owned(),
            StoreRequest::Session => "session".to_owned(),
        };
        if read_only { format!("{text}:ro") } else { text }
    }

    pub(crate) fn table(&self) -> Table {
        let Self { name: _, source, allow, deny, ask, mounts, limits, here: _, folder: _ } = self;
        let mut table = Table::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                table.insert(key, Item::Value(value));
            }
        };
        put("source", source.as_deref().map(Value::from));
        put("allow", array(allow));
        put("deny", array(deny));
        put("ask", array(ask));
        put("mounts", pairs(mounts));
        put("limits", pairs(limits));
        table
    }
}

/// `path` as a file in `folder` names it.
fn relative(path: &GuestPath, folder: &GuestPath) -> String {
    let below = path.as_str().strip_prefix(folder.as_str()).filter(|_| path.starts_with(folder));
    below.map_or_else(|| path.to_string(), |below| format!("./{}", below.trim_start_matches('/')))
}

fn array(texts: &[String]) -> Option<Value> {
    let mut array: Array = texts.iter().collect();
    if texts.iter().map(|text| text.len() + 4).sum::<usize>() > ONE_LINE {
        array.iter_mut().for_each(|value| value.decor_mut().set_prefix("\n    "));
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    (!texts.is_empty()).then_some(Value::Array(array))
}

fn pairs(pairs: &[(String, String)]) -> Option<Value> {
    let mut table = InlineTable::new();
    for (key, value) in pairs {
        table.insert(key, Value::from(value));
    }
    (!pairs.is_empty()).then_some(Value::InlineTable(table))
}
