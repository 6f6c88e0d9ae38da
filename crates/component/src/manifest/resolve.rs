//! From the manifest as it is written to the manifest as it is meant.

use std::collections::BTreeMap;
use std::ops::Range;

use caplet_policy::{Class, Layer, LayerKind, LimitSet};
use toml::Spanned;

use super::raw::{RawCapabilities, RawCommand, RawFile, RawFunction, RawHttp, RawHttpSection, RawMetadata, RawSection};
use super::rules::{Context, Effect, Fault, Written};
use super::{CommandInput, DeclaredFunction, DeclaredRule, DeclaredSection, Manifest, toml_error};
use crate::caps::Caps;
use crate::error::ManifestError;

/// Rules of one manifest. An honest tool has a handful; every one is compiled each time the tool is loaded.
const MOST_RULES: usize = 1_000;
/// Redirects of one request. Browsers give up after 20 (Fetch, section 4.4).
const MOST_REDIRECTS: u8 = 20;
/// Bytes of a description. Models read it with every request.
const LONGEST_DESCRIPTION: usize = 8_192;
/// Bytes of a name or a version.
const LONGEST_NAME: usize = 64;

/// Reads `text`.
pub(super) fn parse(text: &str) -> Result<Manifest, ManifestError> {
    if text.len() as u64 > Caps::default().manifest_bytes {
        return Err(ManifestError::whole(
            format!("it is {} bytes; the limit is {} bytes", text.len(), Caps::default().manifest_bytes),
            "write shorter descriptions and fewer rules",
        ));
    }
    let raw: RawFile = toml::from_str(text).map_err(|error| toml_error(text, &error))?;
    resolve(raw, text).map_err(|fault| ManifestError::at(text, fault.span, fault.message, fault.help))
}

fn resolve(raw: RawFile, text: &str) -> Result<Manifest, Fault> {
    let tool = raw.tool;
    let metadata = metadata(tool.metadata)?;
    let mut budget = MOST_RULES;
    let (sections, redirects) = sections(tool.capabilities, &mut budget)?;
    let mut functions = BTreeMap::new();
    for (name, raw) in tool.tools {
        let span = name.span();
        functions.insert(name.into_inner(), function(raw, span, &sections, &mut budget)?);
    }
    Ok(Manifest {
        source: text.into(),
        name: metadata.name,
        version: metadata.version,
        description: metadata.description,
        ceiling: layer(Layer::new(LayerKind::Manifest), &sections),
        sections,
        functions,
        redirects,
        limits: limits(tool.limits)?,
        command: command(tool.command)?,
    })
}

struct Metadata {
    name: String,
    version: Option<String>,
    description: Option<String>,
}

fn metadata(raw: RawMetadata) -> Result<Metadata, Fault> {
    let name = raw.name.get_ref();
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if name.len() > LONGEST_NAME || !name.split('-').all(is_word) {
        let help = "write lower-case letters and digits in words joined by hyphens, at most 64 bytes";
        return Err(Fault::new(raw.name.span(), format!("{name:?} is not a tool's name"), help));
    }
    if let Some(version) = &raw.version {
        let text = version.get_ref();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
        if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(allowed) {
            let message = format!("{text:?} is not a version");
            return Err(Fault::new(version.span(), message, "write a version like \"1.0.0\""));
        }
    }
    Ok(Metadata {
        description: raw.description.map(description).transpose()?,
        version: raw.version.map(Spanned::into_inner),
        name: raw.name.into_inner(),
    })
}

fn description(text: Spanned<String>) -> Result<String, Fault> {
    if text.get_ref().len() > LONGEST_DESCRIPTION {
        let message =
            format!("the description is {} bytes; the limit is {LONGEST_DESCRIPTION} bytes", text.get_ref().len());
        return Err(Fault::new(text.span(), message, "write what a reader needs to decide, and no more"));
    }
    Ok(text.into_inner())
}

fn function(
    raw: RawFunction,
    span: Range<usize>,
    ceiling: &[DeclaredSection],
    budget: &mut usize,
) -> Result<DeclaredFunction, Fault> {
    let (sections, redirects) = sections(raw.capabilities, budget)?;
    let narrowing = (!sections.is_empty()).then(|| narrowing(ceiling, &sections));
    Ok(DeclaredFunction {
        description: raw.description.map(description).transpose()?,
        sections,
        narrowing,
        redirects,
        span,
    })
}

/// A layer with the function's own rules in the classes that it names, and with the ceiling's in all others.
fn narrowing(ceiling: &[DeclaredSection], own: &[DeclaredSection]) -> Layer {
    let is_own = |class: Class| own.iter().any(|section| section.class == class);
    let inherited: Vec<DeclaredSection> = ceiling.iter().filter(|section| !is_own(section.class)).cloned().collect();
    layer(layer(Layer::new(LayerKind::Manifest), &inherited), own)
}

fn layer(mut layer: Layer, sections: &[DeclaredSection]) -> Layer {
    for section in sections {
        section.grants.iter().for_each(|declared| layer.add_allow(declared.rule.clone()));
        section.denies.iter().for_each(|declared| layer.add_deny(declared.rule.clone()));
    }
    layer
}

/// The sections, and how many redirects the host follows where one says it.
fn sections(raw: RawCapabilities, budget: &mut usize) -> Result<(Vec<DeclaredSection>, Option<u8>), Fault> {
    let RawCapabilities { filesystem, http, keyvalue, environment, config, clocks, random, secrets, tools, sockets } =
        raw;
    if let Some(sockets) = sockets {
        let help = "sockets are never available to a tool: declare HTTP requests under \"wasi:http\" instead";
        return Err(Fault::new(sockets.span(), "there are no rules for \"wasi:sockets\"", help));
    }
    let (http, redirects) = http.map(RawHttpSection::split).unzip();
    let redirects = redirects.flatten().map(|written| followed(&written, http.as_ref())).transpose()?;
    let sections = [
        section(Class::Filesystem, filesystem, budget)?,
        section(Class::Http, http, budget)?,
        section(Class::KeyValue, keyvalue, budget)?,
        section(Class::Environment, environment, budget)?,
        section(Class::Config, config, budget)?,
        section(Class::Clocks, clocks, budget)?,
        section(Class::Random, random, budget)?,
        section(Class::Secrets, secrets, budget)?,
        section(Class::Tools, tools, budget)?,
    ];
    Ok((sections.into_iter().flatten().collect(), redirects))
}

/// How many redirects the host follows.
fn followed(written: &Spanned<i64>, section: Option<&RawSection<RawHttp>>) -> Result<u8, Fault> {
    let number = u8::try_from(*written.get_ref()).ok().filter(|number| *number <= MOST_REDIRECTS);
    let number = number.ok_or_else(|| {
        let message = format!("{} redirects cannot be followed", written.get_ref());
        Fault::new(written.span(), message, format!("write a number from 0 to {MOST_REDIRECTS}"))
    })?;
    if section.is_some_and(|section| section.grants.is_empty()) {
        let help = "declare the requests under \"grants\" in the same table, or remove the key";
        return Err(Fault::new(written.span(), "there is no request whose redirects could be followed", help));
    }
    Ok(number)
}

fn section<R: Written>(
    class: Class,
    raw: Option<RawSection<R>>,
    budget: &mut usize,
) -> Result<Option<DeclaredSection>, Fault> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    Ok(Some(DeclaredSection {
        class,
        description: raw.description.map(description).transpose()?,
        grants: rules(raw.grants, Effect::Grant, budget)?,
        denies: rules(raw.denies, Effect::Deny, budget)?,
    }))
}

fn rules<R: Written>(raw: Vec<Spanned<R>>, effect: Effect, budget: &mut usize) -> Result<Vec<DeclaredRule>, Fault> {
    let mut rules = Vec::with_capacity(raw.len().min(*budget));
    for written in raw {
        let span = written.span();
        *budget = budget.checked_sub(1).ok_or_else(|| {
            let message = format!("the manifest has more than {MOST_RULES} rules");
            Fault::new(span.clone(), message, "say the same with fewer, wider patterns")
        })?;
        let rule = written.get_ref().rule(&Context { span: span.clone(), effect })?;
        rules.push(DeclaredRule { rule, span });
    }
    Ok(rules)
}

fn limits(raw: BTreeMap<Spanned<String>, Spanned<toml::Value>>) -> Result<LimitSet, Fault> {
    let mut limits = LimitSet::default();
    for (key, value) in raw {
        let text = match value.get_ref() {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            other => {
                let message = format!("the limit {:?} is a {}", key.get_ref(), other.type_str());
                return Err(Fault::new(value.span(), message, "write a number, or text like \"5s\" or \"64MiB\""));
            }
        };
        limits.set(key.get_ref(), &text).map_err(|error| Fault {
            span: value.span(),
            message: crate::error::one_line(&error.to_string()),
            help: None,
        })?;
    }
    Ok(limits)
}

fn command(raw: RawCommand) -> Result<CommandInput, Fault> {
    let Some(input) = raw.input else {
        return Ok(CommandInput::default());
    };
    match input.get_ref().as_str() {
        "argv" => Ok(CommandInput::Argv),
        "stdin" => Ok(CommandInput::Stdin),
        "both" => Ok(CommandInput::Both),
        other => {
            let message = format!("the input {other:?} is not known");
            Err(Fault::new(input.span(), message, "write \"argv\", \"stdin\" or \"both\""))
        }
    }
}
