//! Rules of the manifest as rules of a policy.
//!
//! A rule of the manifest says in named keys what a grant says in its short form, so it is turned into that form and parsed by
//! the one parser there is. What always holds: no key can say more than its own part of the short form, because the
//! characters that separate the parts are refused in every part but the last.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use caplet_policy::{GuestPath, Rate, Rule};
use toml::Spanned;

use super::raw::{
    RawClock, RawConfig, RawEnvironment, RawFilesystem, RawHttp, RawKeyValue, RawPort, RawRandom, RawSecret, RawTools,
};
use crate::error::one_line;

/// What is wrong with one part of the manifest.
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: Some(help.into()) }
    }

    /// The rule that `text` says in the short form of a grant. Relative paths are refused before, so the base does not matter.
    fn rule(text: &str, span: Range<usize>) -> Result<Rule, Self> {
        Rule::parse_grant(text, &GuestPath::root()).map_err(|error| Self {
            span,
            message: one_line(&error.to_string()),
            help: error.hint().map(|hint| hint.to_string()),
        })
    }
}

/// Where a rule stands.
pub(super) struct Context {
    /// Its place in the manifest.
    pub(super) span: Range<usize>,
    /// What it does there.
    pub(super) effect: Effect,
}

/// What a rule does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It stands in `grants`.
    Grant,
    /// It stands in `denies`.
    Deny,
}

/// A rule as it is written in the manifest.
pub(super) trait Written {
    /// The rule of a policy.
    fn rule(&self, context: &Context) -> Result<Rule, Fault>;
}

impl Written for RawFilesystem {
    fn rule(&self, context: &Context) -> Result<Rule, Fault> {
        let path = filled(&self.path, "path")?;
        if !path.starts_with('/') {
            let help = format!("write an absolute guest path: \"/{path}\"");
            return Err(Fault::new(self.path.span(), format!("the path {path:?} is relative"), help));
        }
        let verb = match (is_read_write(&self.mode, context.effect)?, context.effect) {
            // As a denial, `read:` refuses both and `write:` refuses writing alone.
            (true, Effect::Grant) | (false, Effect::Deny) => "write",
            (false, Effect::Grant) | (true, Effect::Deny) => "read",
        };
        Fault::rule(&format!("{verb}:{path}"), self.path.span())
    }
}

/// Whether a rule is about reading and writing. Else a grant is about reading, and a denial about writing.
fn is_read_write(mode: &Spanned<String>, effect: Effect) -> Result<bool, Fault> {
    let (narrower, help) = match effect {
        Effect::Grant => ("read-only", "write \"read-only\" or \"read-write\""),
        Effect::Deny => ("write-only", "write \"read-write\" to refuse both, or \"write-only\" to refuse writing"),
    };
    match mode.get_ref().as_str() {
        "read-write" => Ok(true),
        other if other == narrower => Ok(false),
        other => Err(Fault::new(mode.span(), format!("the mode {other:?} is not known here"), help)),
    }
}

impl Written for RawHttp {
    fn rule(&self, context: &Context) -> Result<Rule, Fault> {
        let scheme = filled(&self.scheme, "scheme")?;
        if !matches!(scheme, "https" | "http") {
            let message = format!("the scheme {scheme:?} is not known");
            return Err(Fault::new(self.scheme.span(), message, "write \"https\" or \"http\""));
        }
        let path = filled(&self.path, "path")?;
        if !path.starts_with('/') {
            let message = format!("the path {path:?} does not start with a slash");
            return Err(Fault::new(self.path.span(), message, format!("write \"/{path}\"")));
        }
        let host = host(&self.host)?;
        let port = match self.port.as_ref().map(Spanned::get_ref) {
            None => String::new(),
            Some(RawPort::Any) => ":*".to_owned(),
            Some(RawPort::One(port)) => format!(":{port}"),
        };
        let methods = self.methods.as_ref().map(methods).transpose()?.unwrap_or_default();
        let rate = self.rate.as_ref().map(|written| rate(written, context.effect)).transpose()?.unwrap_or_default();
        Fault::rule(&format!("fetch:{rate}{methods}{scheme}://{host}{port}{path}"), self.host.span())
    }
}

/// The host as it stands in a URL: an IPv6 address or network in brackets.
fn host(written: &Spanned<String>) -> Result<String, Fault> {
    let network = written.get_ref().split_once('/').filter(|(address, bits)| {
        address.parse::<IpAddr>().is_ok() && bits.parse::<u8>().is_ok() && bits.bytes().all(|b| b.is_ascii_digit())
    });
    let host = match network {
        Some(_) => written.get_ref(),
        None => without(written, "host", &['/', '?', '#', '@', '\\', ' '])?,
    };
    let address = host.split('/').next().unwrap_or(host);
    if address.parse::<Ipv6Addr>().is_ok() {
        return Ok(format!("[{host}]"));
    }
    if !host.starts_with('[') && host.contains(':') {
        let message = format!("the host {host:?} holds a colon");
        return Err(Fault::new(written.span(), message, "write the port under the key \"port\""));
    }
    Ok(host.to_owned())
}

/// `GET,POST ` for the short form.
fn methods(methods: &Spanned<Vec<Spanned<String>>>) -> Result<String, Fault> {
    let mut names = Vec::new();
    for method in methods.get_ref() {
        names.push(without(method, "method", &[' ', ',', ':', '/'])?);
    }
    if names.is_empty() {
        let help = "name the methods, or leave the key out for GET and HEAD, or remove the rule";
        return Err(Fault::new(methods.span(), "an empty list of methods permits nothing", help));
    }
    let list = names.join(",");
    // Judged together with a host that is right, so that an error is about the methods.
    Fault::rule(&format!("fetch:{list} https://example.com/"), methods.span())?;
    Ok(format!("{list} "))
}

/// `10/s ` for the short form.
fn rate(written: &Spanned<String>, effect: Effect) -> Result<String, Fault> {
    if effect == Effect::Deny {
        let help = "remove the key: what is denied is denied always";
        return Err(Fault::new(written.span(), "a denial has no rate", help));
    }
    let rate = without(written, "rate", &[' ', ':'])?;
    rate.parse::<Rate>().map_err(|error| Fault {
        span: written.span(),
        message: one_line(&error.to_string()),
        help: error.hint(),
    })?;
    Ok(format!("{rate} "))
}

impl Written for RawKeyValue {
    fn rule(&self, context: &Context) -> Result<Rule, Fault> {
        let bucket = without(&self.bucket, "bucket", &['/', ':'])?;
        let keys = match &self.keys {
            Some(keys) => format!("/{}", filled(keys, "keys")?),
            None => String::new(),
        };
        let read_write = match context.effect {
            Effect::Grant => is_read_write(&self.mode, context.effect)?,
            Effect::Deny if self.mode.get_ref() == "read-write" => true,
            Effect::Deny => {
                let message = format!("the mode {:?} is not known here", self.mode.get_ref());
                let help = "write \"read-write\": a denial of keys refuses both";
                return Err(Fault::new(self.mode.span(), message, help));
            }
        };
        let place = self.keys.as_ref().unwrap_or(&self.bucket).span();
        if read_write && keys.ends_with(":ro") {
            let help = "write the colon as \"[:]\"";
            return Err(Fault::new(place, "a key glob must not end with \":ro\"", help));
        }
        Fault::rule(&format!("kv:{bucket}{keys}{}", if read_write { "" } else { ":ro" }), place)
    }
}

impl Written for RawEnvironment {
    fn rule(&self, _context: &Context) -> Result<Rule, Fault> {
        let name = without(&self.name, "name", &['='])?;
        Fault::rule(&format!("env:{name}{}", assigned(self.value.as_ref())), self.name.span())
    }
}

impl Written for RawConfig {
    fn rule(&self, _context: &Context) -> Result<Rule, Fault> {
        let key = without(&self.key, "key", &['='])?;
        Fault::rule(&format!("config:{key}{}", assigned(self.value.as_ref())), self.key.span())
    }
}

fn assigned(value: Option<&Spanned<String>>) -> String {
    value.map(|value| format!("={}", value.get_ref())).unwrap_or_default()
}

impl Written for RawClock {
    fn rule(&self, _context: &Context) -> Result<Rule, Fault> {
        let resolution = filled(&self.resolution, "resolution")?;
        Fault::rule(&format!("clock:{resolution}"), self.resolution.span())
    }
}

impl Written for RawRandom {
    fn rule(&self, context: &Context) -> Result<Rule, Fault> {
        match &self.seed {
            Some(seed) => Fault::rule(&format!("random:{}", seed.get_ref()), seed.span()),
            None => Fault::rule("random", context.span.clone()),
        }
    }
}

impl Written for RawSecret {
    fn rule(&self, _context: &Context) -> Result<Rule, Fault> {
        let name = without(&self.name, "name", &['@', '/', ':'])?;
        let placement = self.placement.as_ref().map(placement).transpose()?.unwrap_or_default();
        Fault::rule(&format!("secret:{name}{placement}@{}", filled(&self.url, "url")?), self.url.span())
    }
}

/// `:PLACEMENT` for the short form.
fn placement(written: &Spanned<String>) -> Result<String, Fault> {
    let placement = without(written, "placement", &['@', '/'])?;
    // Judged together with a name and a URL that are right, so that an error is about the place.
    Fault::rule(&format!("secret:k:{placement}@https://example.com/"), written.span())?;
    Ok(format!(":{placement}"))
}

impl Written for RawTools {
    fn rule(&self, _context: &Context) -> Result<Rule, Fault> {
        Fault::rule(&format!("call:{}", filled(&self.tool, "tool")?), self.tool.span())
    }
}

/// The text, which must have none of `separators`.
fn without<'t>(text: &'t Spanned<String>, key: &str, separators: &[char]) -> Result<&'t str, Fault> {
    let filled = filled(text, key)?;
    match filled.chars().find(|c| separators.contains(c) || c.is_control()) {
        Some(found) => {
            let message = format!("{key:?} must not contain {found:?}");
            Err(Fault::new(text.span(), message, format!("write nothing but the {key} here")))
        }
        None => Ok(filled),
    }
}

/// The text, which must not be empty: an empty pattern looks like “everything” to some and like “nothing” to others.
fn filled<'t>(text: &'t Spanned<String>, key: &str) -> Result<&'t str, Fault> {
    if text.get_ref().is_empty() {
        let help = "write what is meant, or remove the rule: an empty text permits nothing";
        return Err(Fault::new(text.span(), format!("{key:?} is empty"), help));
    }
    Ok(text.get_ref())
}
