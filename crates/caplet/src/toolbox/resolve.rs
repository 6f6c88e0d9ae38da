//! From the toolbox as it is written to the toolbox as it is meant. Nothing is read or opened.

use std::ops::Range;
use std::path::PathBuf;

use caplet_policy::{GuestPath, LimitSet, Rule};
use toml::Spanned;

use super::error::{Fault, ToolboxError};
use super::file::File;
use super::raw::{Named, RawTool, RawToolbox};
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

/// A tool of the toolbox.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) source: Source,
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

/// The tools of `file`, in its order.
pub(super) fn tools(file: &File) -> Result<Vec<Entry>, Error> {
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
    let raw: RawToolbox = toml::from_str(text).map_err(|error| ToolboxError::of_toml(&file.path, text, &error))?;
    resolve(file, raw).map_err(|fault| file.error(fault))
}

fn resolve(file: &File, raw: RawToolbox) -> Result<Vec<Entry>, Fault> {
    let RawToolbox { stores, buckets, tools } = raw;
    let shared = Shared::new(file, stores, buckets)?;
    let mut tools: Vec<_> = tools.into_iter().collect();
    tools.sort_by_key(|(name, _)| name.span().start);
    tools.into_iter().map(|(key, raw)| tool(file, &shared, name(key, "a tool")?, raw)).collect()
}

fn tool(file: &File, shared: &Shared, name: Spanned<String>, raw: RawTool) -> Result<Entry, Fault> {
    let RawTool {
        source: from,
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
    } = raw;
    Ok(Entry {
        source: source(file, &name, from.as_ref())?,
        allow: allow.iter().map(|text| rule(file, text)).collect::<Result<_, _>>()?,
        deny: deny.iter().map(|text| rule(file, text)).collect::<Result<_, _>>()?,
        ask: ask.iter().map(|text| rule_that_asks(file, text)).collect::<Result<_, _>>()?,
        mounts: mounts(file, shared, &raw_mounts)?,
        buckets: buckets.iter().map(|(bucket, text)| shared.bucket(file, bucket, text)).collect::<Result<_, _>>()?,
        limits: limits(raw_limits)?,
        values: Values::new(file, (env, env_file), (config, config_file))?,
        ceiling: bound.as_ref().map_or(Ok(Ceiling::Manifest), ceiling)?,
        strict_imports,
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

fn source(file: &File, name: &Spanned<String>, from: Option<&Spanned<String>>) -> Result<Source, Fault> {
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

fn limits(raw: Named<Spanned<toml::Value>>) -> Result<LimitSet, Fault> {
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

fn ceiling(text: &Spanned<String>) -> Result<Ceiling, Fault> {
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
