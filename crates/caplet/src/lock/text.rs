//! The text of `caplet.lock`.
//!
//! ```toml
//! version = 1
//!
//! [tools.editor]
//! digest = "sha256:…"
//! manifest = """
//! [tool.metadata]
//! …"""
//!
//! [tools.editor.functions.editor]
//! function = "edit"
//! description = "Edits a file."
//! input = """
//! {…}"""
//! ```
//!
//! What always holds: the same pins are the same text, a line for each line of theirs; what cannot be seen is written as an escape; and
//! what is written here is read back as it was.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use caplet_audit::text::is_hidden;
use serde::Deserialize;

use super::pin::{Pin, PinnedFunction};

/// The number of the format. It changes whenever the same text would mean something else.
const VERSION: u32 = 1;

/// What the file starts with, for whoever opens it.
const HEAD: &str = "# What was approved of the tools of caplet.toml. Written by `caplet add` and `caplet approve`: a tool that is not as it\n\
                    # says here is hidden from agents. Not to be edited.\n";

/// The number of the format alone, which is read first.
#[derive(Deserialize)]
struct RawVersion {
    version: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLock {
    #[serde(rename = "version")]
    _version: u32,
    #[serde(default)]
    tools: BTreeMap<String, RawPin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPin {
    digest: String,
    manifest: Option<String>,
    #[serde(default)]
    functions: BTreeMap<String, RawFunction>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFunction {
    function: String,
    description: String,
    input: String,
    output: Option<String>,
}

/// The pins that `text` holds; or what is wrong with it, and on which line if that is known.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Pin>, String> {
    let told = |error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| format!("line {}: ", before.matches('\n').count() + 1)).unwrap_or_default();
        format!("{line}{}", error.message().lines().collect::<Vec<_>>().join("; "))
    };
    let RawVersion { version } = toml::from_str(text).map_err(told)?;
    match version {
        Some(version) if version.as_integer() == Some(VERSION.into()) => {}
        Some(version) => return Err(format!("it is of version {version}, and this Caplet reads version {VERSION}")),
        None => return Err("it does not say of which version it is".to_owned()),
    }
    let RawLock { _version, tools } = toml::from_str(text).map_err(told)?;
    tools.into_iter().map(|(name, raw)| pin(&name, raw).map(|pin| (name, pin))).collect()
}

fn pin(tool: &str, raw: RawPin) -> Result<Pin, String> {
    let RawPin { digest, manifest, functions } = raw;
    let digits = digest.strip_prefix("sha256:").filter(|digits| digits.len() == 64);
    if !digits.is_some_and(|digits| digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))) {
        return Err(format!("the digest of {tool:?} is not sha256: and 64 hexadecimal digits"));
    }
    let function = |(name, raw): (String, RawFunction)| {
        let RawFunction { function, description, input, output } = raw;
        (name, PinnedFunction { function, description, input, output })
    };
    Ok(Pin { digest, manifest, functions: functions.into_iter().map(function).collect() })
}

/// The text that holds `pins`.
pub(super) fn write(pins: &BTreeMap<String, Pin>) -> String {
    let mut text = format!("{HEAD}version = {VERSION}\n");
    for (tool, pin) in pins {
        let Pin { digest, manifest, functions } = pin;
        let tool = key(tool);
        // Writing to memory cannot fail.
        let _ = write!(text, "\n[tools.{tool}]\n");
        entry(&mut text, "digest", Some(digest));
        entry(&mut text, "manifest", manifest.as_ref());
        for (name, pinned) in functions {
            let PinnedFunction { function, description, input, output } = pinned;
            let _ = write!(text, "\n[tools.{tool}.functions.{}]\n", key(name));
            entry(&mut text, "function", Some(function));
            entry(&mut text, "description", Some(description));
            entry(&mut text, "input", Some(input));
            entry(&mut text, "output", output.as_ref());
        }
    }
    text
}

fn entry(out: &mut String, key: &str, value: Option<&String>) {
    if let Some(value) = value {
        let _ = writeln!(out, "{key} = {}", quoted(value));
    }
}

fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        format!("\"{}\"", escaped(name, false))
    }
}

/// `text` as a TOML string: over several lines if it has them, so that a difference is shown line by line.
fn quoted(text: &str) -> String {
    match text.contains('\n') {
        false => format!("\"{}\"", escaped(text, false)),
        // The line break after the quotes is not part of the value.
        true => format!("\"\"\"\n{}\"\"\"", escaped(text, true)),
    }
}

fn escaped(text: &str, is_long: bool) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut quotes = 0;
    for c in text.chars() {
        // Three in a row would end a long one; one or two before its end are taken as they stand.
        quotes = if c == '"' { quotes + 1 } else { 0 };
        match c {
            '\n' if is_long => out.push('\n'),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            '"' if !is_long || quotes == 3 => {
                quotes = 0;
                out.push_str("\\\"");
            }
            c if is_hidden(c) => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
