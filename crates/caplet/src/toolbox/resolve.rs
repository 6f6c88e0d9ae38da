//! From the toolbox as it is written to the toolbox as it is meant. Nothing is read or opened.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use caplet_policy::{GuestPath, LimitSet, Rule};
use toml::Spanned;

use super::defaults::{Defaults, Profile};
use super::error::{Fault, ToolboxError};
use super::file::File;
use super::function::{FunctionEntry, line, paragraph};
use super::raw::{Named, RawLimits, RawTool, RawToolbox, Rules};
use super::stores::Shared;
use super::values::Values;
use crate::buckets::BucketRequest;
use crate::builtin;
use crate::error::Error;
use crate::grant::Ceiling;
use crate::mount::MountRequest;
use crate::private::Kept;
use crate::source::Source;

use super::Toolbox;

/// Bytes of a name.
const LONGEST_NAME: usize = 64;

/// One file, understood as the user's own word.
pub(super) struct Sheet {
    pub(super) file: File,
    pub(super) defaults: Defaults,
    /// In the order of the file.
    pub(super) tools: Vec<Entry>,
    pub(super) profiles: BTreeMap<String, Profile>,
    /// For a project's file that is trusted exactly as it is, so that nothing must write it.
    pub(super) trusted: Option<TrustedSheet>,
}

/// What is trusted of a project besides its file.
pub(super) struct TrustedSheet {
    /// The digest of the lock that the user made.
    pub(super) lock: Option<String>,
}

/// A tool of the toolbox.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) is_hidden: bool,
    pub(super) allow: Vec<Rule>,
    pub(super) deny: Vec<Rule>,
    pub(super) ask: Vec<Rule>,
    /// With the place of each store.
    pub(super) mounts: Vec<(MountRequest, Range<usize>)>,
    pub(super) buckets: Vec<(BucketRequest, Range<usize>)>,
    pub(super) limits: LimitSet,
    pub(super) values: Values,
    pub(super) ceiling: Ceiling,
    pub(super) strict_imports: bool,
    pub(super) keeps_instance: bool,
    pub(super) functions: Vec<FunctionEntry>,
}

impl Entry {
    /// The files that this tool's values come from and its databases, which no tool may see, and its own file, which none may write.
    pub(super) fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        let source: Option<&PathBuf> = match &self.source {
            Source::Path(path) => Some(path),
            _ => None,
        };
        let values = self.values.files().flat_map(|path| Kept::with_links("a value of the toolbox", path, false));
        let databases = self.mounts.iter().filter_map(|(mount, _)| mount.store.database());
        let databases = databases.chain(self.buckets.iter().filter_map(|(bucket, _)| bucket.store.database()));
        let databases =
            databases.flat_map(|file| Kept::database(file).chain(Kept::way("a database of the toolbox", file, false)));
        values
            .chain(databases)
            .chain(source.into_iter().flat_map(|path| Kept::with_links("a tool of the toolbox", path, true)))
    }
}

impl Sheet {
    pub(super) fn new(file: File) -> Result<Self, Error> {
        let raw = parse(&file)?;
        match resolve(&file, raw) {
            Ok((defaults, tools, profiles)) => Ok(Self { file, defaults, tools, profiles, trusted: None }),
            Err(fault) => Err(file.error(fault)),
        }
    }

    /// What is kept from tools.
    pub(super) fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        self.file.kept().chain(self.tools.iter().flat_map(Entry::kept))
    }
}

/// The tables of `file`, as they are written.
pub(super) fn parse(file: &File) -> Result<RawToolbox, Error> {
    let text: &str = &file.text;
    let refuse = |message: String, help: &str| ToolboxError::whole(&file.path, message, Some(help.to_owned()));
    if u64::try_from(text.len()).is_ok_and(|length| length > Toolbox::LARGEST) {
        let message = format!("it is larger than the limit of {} bytes", Toolbox::LARGEST);
        return Err(refuse(message, "write fewer tools").into());
    }
    if text.starts_with('\u{feff}') {
        let message = "it starts with a byte order mark".to_owned();
        return Err(refuse(message, "save it as UTF-8 without one").into());
    }
    Ok(toml::from_str(text).map_err(|error| ToolboxError::of_toml(&file.path, text, &error))?)
}

type Resolved = (Defaults, Vec<Entry>, BTreeMap<String, Profile>);

fn resolve(file: &File, raw: RawToolbox) -> Result<Resolved, Fault> {
    let RawToolbox { defaults, stores, buckets, tools, profiles } = raw;
    let defaults = Defaults::new(file, defaults)?;
    let shared = Shared::new(file, stores, buckets)?;
    let tools: Vec<Entry> = in_order(tools)
        .into_iter()
        .map(|(key, raw)| tool(file, &shared, name(key, "a tool")?, raw))
        .collect::<Result<_, _>>()?;
    let known: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    let profile = |(key, raw)| Ok((name(key, "a profile")?.into_inner(), Profile::new(file, raw, &known)?));
    let profiles = in_order(profiles).into_iter().map(profile).collect::<Result<_, Fault>>()?;
    Ok((defaults, tools, profiles))
}

/// The tables by name, in the order of the file.
pub(super) fn in_order<T>(tables: Named<T>) -> Vec<(Spanned<String>, T)> {
    let mut tables: Vec<_> = tables.into_iter().collect();
    tables.sort_by_key(|(name, _)| name.span().start);
    tables
}

fn tool(file: &File, shared: &Shared, name: Spanned<String>, raw: RawTool) -> Result<Entry, Fault> {
    let RawTool {
        source: from,
        title,
        description,
        hidden,
        allow,
        deny,
        ask,
        mounts: raw_mounts,
        buckets,
        limits: raw_limits,
        env,
        env_file,
        config,
        config_file,
        ceiling: bound,
        strict_imports,
        session,
        functions,
    } = raw;
    let function = |(key, raw)| FunctionEntry::new(file, key, raw);
    Ok(Entry {
        source: source(file, &name, from.as_ref())?,
        title: title.as_ref().map(line).transpose()?,
        description: description.as_ref().map(paragraph).transpose()?,
        is_hidden: hidden.is_some_and(Spanned::into_inner),
        allow: rules(file, &allow.unwrap_or_default())?,
        deny: rules(file, &deny)?,
        ask: ask.iter().map(|text| rule_that_asks(file, text)).collect::<Result<_, _>>()?,
        mounts: mounts(file, shared, &raw_mounts)?,
        buckets: buckets.iter().map(|(bucket, text)| shared.bucket(file, bucket, text)).collect::<Result<_, _>>()?,
        limits: limits(raw_limits)?,
        values: Values::new(file, (env, env_file), (config, config_file))?,
        ceiling: bound.as_ref().map_or(Ok(Ceiling::Manifest), ceiling)?,
        strict_imports: strict_imports.is_some_and(Spanned::into_inner),
        keeps_instance: session.is_some_and(Spanned::into_inner),
        functions: in_order(functions).into_iter().map(function).collect::<Result<_, _>>()?,
        name: name.into_inner(),
    })
}

/// The name of `what`: what a command line and a protocol can say without quotes.
pub(super) fn name(key: Spanned<String>, what: &str) -> Result<Spanned<String>, Fault> {
    let text = key.get_ref();
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if text.len() <= LONGEST_NAME && text.split('-').all(is_word) {
        return Ok(key);
    }
    let help = "write lower-case letters and digits in words joined by hyphens, at most 64 bytes";
    Err(Fault::new(key.span(), format!("{text:?} is not a name for {what}"), help))
}

pub(super) fn source(file: &File, name: &Spanned<String>, from: Option<&Spanned<String>>) -> Result<Source, Fault> {
    let text = from.unwrap_or(name);
    match (from, Source::parse(text.get_ref())) {
        (Some(text), Ok(Source::Path(path))) => {
            let path = path.to_str().map_or_else(|| path.clone(), |path| file.host_path(path));
            must_be_named(&path, text)?;
            Ok(Source::Path(path))
        }
        (_, Ok(source)) => Ok(source),
        (from, Err(_)) => {
            let near = builtin::nearest(text.get_ref()).map(|near| format!("did you mean source = {near:?}? "));
            let help = match from {
                Some(_) => "`caplet tools` lists the built-in tools; a file needs a path, such as \"./tool.wasm\"",
                None => "say where it comes from: source = \"./tool.wasm\", or the name of a built-in tool",
            };
            let message = format!("there is no built-in tool called {:?}", text.get_ref());
            Err(Fault::new(text.span(), message, format!("{}{help}", near.unwrap_or_default())))
        }
    }
}

fn must_be_named(path: &std::path::Path, text: &Spanned<String>) -> Result<(), Fault> {
    if path.extension().is_some_and(|extension| extension == "wasm" || extension == "wat") {
        return Ok(());
    }
    Err(Fault::new(text.span(), "a tool is a file that ends in .wasm or .wat", "name the tool's file"))
}

/// Rules in the order in which they are written.
pub(super) fn rules(file: &File, texts: &Rules) -> Result<Vec<Rule>, Fault> {
    texts.iter().map(|text| rule(file, text)).collect()
}

fn rule(file: &File, text: &Spanned<String>) -> Result<Rule, Fault> {
    Rule::parse_grant(text.get_ref(), &file.folder).map_err(|error| {
        let whole = text.span();
        // Where the text has no escapes, the place in it is known.
        let content = whole.start + 1..whole.end.saturating_sub(1);
        let is_literal = file.text.get(content.clone()) == Some(text.get_ref().as_str());
        let from = content.start + error.offset();
        let to = from + error.fragment().len();
        let span = if is_literal && to <= content.end { from..to } else { whole };
        Fault { span, message: error.to_string(), help: error.hint() }
    })
}

fn rule_that_asks(file: &File, text: &Spanned<String>) -> Result<Rule, Fault> {
    let rule = rule(file, text)?;
    rule.must_be_askable().map_err(|error| Fault::new(text.span(), error.to_string(), error.hint()))?;
    Ok(rule)
}

fn mounts(
    file: &File,
    shared: &Shared,
    raw: &Named<Spanned<String>>,
) -> Result<Vec<(MountRequest, Range<usize>)>, Fault> {
    let mut mounts: Vec<(MountRequest, Range<usize>)> = Vec::new();
    let mut guests: Vec<(GuestPath, &str)> = Vec::new();
    for (guest, text) in raw {
        let (request, span) = shared.mount(file, guest, text)?;
        if let Some((_, other)) = guests.iter().find(|(at, _)| *at == request.at) {
            let message = format!("{other:?} and {:?} are the same path", guest.get_ref());
            return Err(Fault::new(guest.span(), message, "leave one of them out"));
        }
        guests.push((request.at.clone(), guest.get_ref()));
        mounts.push((request, span));
    }
    Ok(mounts)
}

pub(super) fn limits(raw: RawLimits) -> Result<LimitSet, Fault> {
    let mut limits = LimitSet::default();
    for (key, value) in raw {
        let text = match value.get_ref() {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            _ => {
                let message = format!("the limit {:?} is neither a text nor a number", key.get_ref());
                return Err(Fault::new(value.span(), message, "write a number, or text like \"5s\" or \"64MiB\""));
            }
        };
        limits.set(key.get_ref(), &text).map_err(|error| {
            let is_key = matches!(error, caplet_policy::LimitError::UnknownKey { .. });
            let span = if is_key { key.span() } else { value.span() };
            Fault { span, message: error.to_string(), help: error.hint() }
        })?;
    }
    Ok(limits)
}

pub(super) fn ceiling(text: &Spanned<String>) -> Result<Ceiling, Fault> {
    match text.get_ref().as_str() {
        "manifest" => Ok(Ceiling::Manifest),
        "open" => Ok(Ceiling::Open),
        other => Err(Fault::new(
            text.span(),
            format!("{other:?} is no ceiling"),
            "write \"manifest\", for what the tool's author declared, or \"open\"",
        )),
    }
}
