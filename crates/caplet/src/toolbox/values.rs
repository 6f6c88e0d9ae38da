//! Values of variables and of configuration keys: said in the toolbox, or in files beside it.
//!
//! What always holds: a value is in no error. They become rules that never show it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use caplet_policy::{ConfigRule, EnvironmentRule, Rule, RuleError};
use toml::Spanned;

use super::error::{Fault, plain};
use super::file::File;
use super::raw::{Named, RawFlat, RawValue};
use crate::error::Error;
use crate::source::read_file;

/// The most that one value in a file of its own takes, in bytes: a key, a certificate, a page of text.
const LARGEST_VALUE: u64 = 64 << 10;
/// The most that a file of many values takes, in bytes.
const LARGEST_LIST: u64 = 1 << 20;

/// The values that a tool gets.
pub(super) struct Values {
    said: Vec<Rule>,
    files: Vec<ValueFile>,
    env_file: Option<Spanned<PathBuf>>,
    config_file: Option<Spanned<PathBuf>>,
}

/// A value that is in a file of its own.
struct ValueFile {
    kind: Kind,
    name: String,
    path: Spanned<PathBuf>,
}

/// What a value is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Variable,
    Key,
}

impl Kind {
    fn rule(self, name: &str, value: &str) -> Result<Rule, String> {
        let told = |error: RuleError| error.to_string();
        match self {
            Self::Variable if value.contains('\0') => Err("the value of a variable cannot have a NUL in it".to_owned()),
            Self::Variable => EnvironmentRule::hidden(name, value).map(Rule::from).map_err(told),
            Self::Key => ConfigRule::hidden(name, value).map(Rule::from).map_err(told),
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Variable => "variable",
            Self::Key => "configuration key",
        }
    }
}

/// What a tool's table says of one kind: values, and a file of more.
type Said = (Named<Spanned<RawValue>>, Option<Spanned<String>>);

impl Values {
    pub(super) fn new(file: &File, (env, env_file): Said, (config, config_file): Said) -> Result<Self, Fault> {
        let path = |text: Spanned<String>| Spanned::new(text.span(), file.host_path(text.get_ref()));
        let mut values = Self {
            said: Vec::new(),
            files: Vec::new(),
            env_file: env_file.map(path),
            config_file: config_file.map(path),
        };
        for (kind, table) in [(Kind::Variable, env), (Kind::Key, config)] {
            for (name, value) in table {
                values.add(file, kind, &name, value)?;
            }
        }
        Ok(values)
    }

    fn add(&mut self, file: &File, kind: Kind, name: &Spanned<String>, value: Spanned<RawValue>) -> Result<(), Fault> {
        // Judged without its value first, so that an error has the right place.
        let help = format!("write the {} alone", kind.what());
        kind.rule(name.get_ref(), "").map_err(|reason| Fault::new(name.span(), reason, help))?;
        let span = value.span();
        match value.into_inner() {
            RawValue::Plain(_) if kind == Kind::Variable => {
                Err(Fault::new(span, "the value of a variable is a text", "write it in quotes"))
            }
            RawValue::Text(text) | RawValue::Plain(text) => {
                let help = "write it without";
                self.said.push(kind.rule(name.get_ref(), &text).map_err(|reason| Fault::new(span, reason, help))?);
                Ok(())
            }
            RawValue::File(path) => {
                let path = Spanned::new(path.span(), file.host_path(path.get_ref()));
                self.files.push(ValueFile { kind, name: name.get_ref().clone(), path });
                Ok(())
            }
        }
    }

    /// The files that values come from.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let alone = self.files.iter().map(|file| &file.path);
        alone.chain(&self.env_file).chain(&self.config_file).map(|path| path.get_ref().as_path())
    }

    /// Rules for the names that are known without reading a file, each with any value.
    pub(super) fn names(&self) -> impl Iterator<Item = Rule> + '_ {
        let said = self.said.iter().filter_map(|rule| match rule {
            Rule::Environment(rule) => EnvironmentRule::new(rule.name(), None).ok().map(Rule::from),
            Rule::Config(rule) => ConfigRule::new(rule.name(), None).ok().map(Rule::from),
            _ => None,
        });
        let filed = self.files.iter().filter_map(|ValueFile { kind, name, path: _ }| match kind {
            Kind::Variable => EnvironmentRule::new(name, None).ok().map(Rule::from),
            Kind::Key => ConfigRule::new(name, None).ok().map(Rule::from),
        });
        said.chain(filed)
    }

    /// Files of many values.
    pub(super) fn lists(&self) -> impl Iterator<Item = &Path> {
        self.env_file.iter().chain(&self.config_file).map(|path| path.get_ref().as_path())
    }

    /// The rules that grant them. This reads the files.
    pub(super) fn rules(&self) -> Result<Vec<Rule>, Fault> {
        let mut rules = self.said.clone();
        for ValueFile { kind, name, path } in &self.files {
            let text = read(path, LARGEST_VALUE)?;
            let value = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
            rules.push(kind.rule(name, value).map_err(|reason| in_file(path, None, &reason))?);
        }
        for (kind, path) in [(Kind::Variable, &self.env_file), (Kind::Key, &self.config_file)] {
            let Some(path) = path else { continue };
            let text = read(path, LARGEST_LIST)?;
            let listed = if kind == Kind::Variable { variables(path, &text)? } else { keys(path, &text)? };
            for (name, (line, value)) in listed {
                let rule = kind.rule(&name, &value).map_err(|reason| in_file(path, Some(line), &reason))?;
                if rules.iter().any(|other| is_same_name(other, &rule)) {
                    let reason = format!("the {} {name} has a value in the toolbox already", kind.what());
                    return Err(in_file(path, Some(line), &reason));
                }
                rules.push(rule);
            }
        }
        Ok(rules)
    }
}

fn is_same_name(one: &Rule, other: &Rule) -> bool {
    match (one, other) {
        (Rule::Environment(one), Rule::Environment(other)) => one.name() == other.name(),
        (Rule::Config(one), Rule::Config(other)) => one.name() == other.name(),
        _ => false,
    }
}

/// Names, each with its line and its value.
type Listed = BTreeMap<String, (usize, String)>;

/// The variables of an `env-file`.
fn variables(path: &Spanned<PathBuf>, text: &str) -> Result<Listed, Fault> {
    let mut listed = Listed::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let refuse = |reason: &str| Err(in_file(path, Some(number), reason));
        let Some((name, value)) = line.split_once('=') else {
            return refuse("the line is not KEY=VALUE");
        };
        if name.trim_start().starts_with("export ") {
            return refuse("write KEY=VALUE alone: no shell reads this file");
        }
        let is_quoted = |quote: char| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
        if is_quoted('"') || is_quoted('\'') {
            return refuse("the quotes would be part of the value: leave them out, or say it under env");
        }
        if listed.insert(name.to_owned(), (number, value.to_owned())).is_some() {
            return refuse(&format!("the variable {name} is there twice"));
        }
    }
    Ok(listed)
}

/// The keys of a `config-file`.
fn keys(path: &Spanned<PathBuf>, text: &str) -> Result<Listed, Fault> {
    let table: Named<RawFlat> = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        in_file(path, line, &plain(error.message()))
    })?;
    let mut listed = Listed::new();
    for (name, value) in table {
        let line = line_of(text, name.span().start);
        listed.insert(name.into_inner(), (line, value.0));
    }
    Ok(listed)
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// What is wrong in a file of values. The line itself is not shown: it may be a secret.
fn in_file(path: &Spanned<PathBuf>, line: Option<usize>, reason: &str) -> Fault {
    let mut place = path.get_ref().display().to_string();
    if let Some(line) = line {
        // Writing to a text does not fail.
        let _ = write!(place, ", line {line}");
    }
    Fault::new(path.span(), format!("{place}: {reason}"), "put it right there, or name another file")
}

fn read(path: &Spanned<PathBuf>, limit: u64) -> Result<String, Fault> {
    let refuse =
        |reason: String| Fault::new(path.span(), reason, "a relative path is taken from the folder of this file");
    let content = read_file(path.get_ref(), limit).map_err(|error| match error {
        Error::Unreadable { path, reason } => refuse(format!("{} cannot be read: {reason}", path.display())),
        other => refuse(other.to_string()),
    })?;
    String::from_utf8(content).map_err(|_| {
        let message = format!("{} is not UTF-8", path.get_ref().display());
        Fault::new(path.span(), message, "values are text; save it as UTF-8")
    })
}
