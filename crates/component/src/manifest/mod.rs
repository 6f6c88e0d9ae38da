//! `agent-tool.toml`: what a tool's author declares.
//!
//! In: the text of the manifest. Out: a [`Manifest`]: name and description, the ceiling as a [`Layer`] of a policy, narrower
//! sections for single functions, limits, and how a command takes its input.
//!
//! What always holds: a manifest that parses has no key that does nothing; leaving something out never permits more, except
//! where this page says so; every error names the place.
//!
//! ```toml
//! [tool.metadata]
//! name = "data-processor"                  # lower-case words joined by hyphens
//! version = "1.0.0"                        # may be left out
//! description = "Cleans rows."             # may be left out
//!
//! # One table for each class; `grants` permit, `denies` take away and win. `description` says why, to the operator.
//! [tool.capabilities."wasi:filesystem"]
//! description = "The processing database."
//! grants = [{ path = "/var/db/**", mode = "read-write" }]           # or mode = "read-only"
//! denies = [{ path = "/var/db/keys/**", mode = "read-write" }]      # or mode = "write-only"
//!
//! [tool.capabilities."wasi:http"]
//! # `port` may be left out for the scheme's own, or be "*" for every port; `methods` may be left out for GET and HEAD.
//! # `rate` is how often at most, per "s", "m" or "h"; `redirects` is how many the host follows, 0 to 20: else the guest sees them.
//! redirects = 5
//! grants = [{ scheme = "https", host = "api.example.com", port = 8443, path = "/v1/**", methods = ["POST"], rate = "10/s" }]
//!
//! [tool.capabilities."wasi:keyvalue"]
//! grants = [{ bucket = "notes", keys = "user/*", mode = "read-only" }]   # without `keys`: every key of the bucket
//!
//! [tool.capabilities."wasi:cli/environment"]
//! grants = [{ name = "LANG" }, { name = "MODE", value = "fast" }]   # without `value`: the host's value
//!
//! [tool.capabilities."wasi:config"]
//! grants = [{ key = "level", value = "3" }]                         # without `value`: the operator's value
//!
//! [tool.capabilities."wasi:clocks"]
//! grants = [{ resolution = "1us" }]                                 # or "frozen"
//!
//! [tool.capabilities."wasi:random"]
//! grants = [{ seed = 7 }]                                           # without `seed`: real randomness
//!
//! [tool.capabilities."caplet:secrets"]
//! # `placement` is where in a request: "bearer", "basic", "header:NAME" or "query:KEY"; without it, the operator's choice.
//! grants = [{ name = "api-key", url = "https://api.example.com/**", placement = "header:X-Api-Key" }]
//!
//! [tool.capabilities."caplet:tools"]
//! grants = [{ tool = "web-fetch" }]
//!
//! [tool.limits]                            # what the tool needs; the operator's limits still cap it
//! timeout = "5s"
//!
//! [tool.command]
//! input = "both"                           # a command takes "argv", "stdin" or "both"
//!
//! # One function: a description, and classes in which it may do less than the rest of the component.
//! [tool.tools.clean]
//! description = "Cleans one file."
//! capabilities."wasi:http" = { grants = [] }
//! ```

mod raw;
mod resolve;
mod rules;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use caplet_policy::{Class, Layer, LimitSet, Rule};

use crate::digest::Digest;
use crate::error::{ManifestError, one_line};

/// What a tool's author declares.
#[derive(Clone, Debug)]
pub struct Manifest {
    source: Arc<str>,
    name: String,
    version: Option<String>,
    description: Option<String>,
    ceiling: Layer,
    sections: Vec<DeclaredSection>,
    functions: BTreeMap<String, DeclaredFunction>,
    redirects: Option<u8>,
    limits: LimitSet,
    command: CommandInput,
}

/// One class of `[tool.capabilities]`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeclaredSection {
    /// The class.
    pub class: Class,
    /// Why the tool needs it, in the author's words.
    pub description: Option<String>,
    /// What it permits.
    pub grants: Vec<DeclaredRule>,
    /// What it takes away again.
    pub denies: Vec<DeclaredRule>,
}

/// A rule and its place in the manifest.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeclaredRule {
    /// The rule.
    pub rule: Rule,
    /// Its place in the manifest's text, in bytes.
    pub span: Range<usize>,
}

/// `[tool.tools.NAME]`.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredFunction {
    pub(crate) description: Option<String>,
    pub(crate) sections: Vec<DeclaredSection>,
    pub(crate) narrowing: Option<Layer>,
    pub(crate) redirects: Option<u8>,
    /// The place of the name.
    pub(crate) span: Range<usize>,
}

/// How a command takes its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CommandInput {
    /// Arguments only.
    Argv,
    /// Standard input only.
    Stdin,
    /// Arguments and standard input.
    #[default]
    Both,
}

impl CommandInput {
    pub(crate) fn takes_arguments(self) -> bool {
        self != Self::Stdin
    }

    pub(crate) fn takes_stdin(self) -> bool {
        self != Self::Argv
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// If the text is not TOML, has a key that is not known, or a value that is not valid; with the place.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        resolve::parse(text)
    }

    /// Reads the content of the section `caplet:manifest`.
    pub(crate) fn from_section(data: &[u8]) -> Result<Self, ManifestError> {
        let text = std::str::from_utf8(data)
            .map_err(|_| ManifestError::whole("its text is not UTF-8", "pack the program again"))?;
        Self::parse(text)
    }

    /// The tool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tool's version, as the author writes it.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// What the tool is for, in the author's words.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The text exactly as it was read.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// SHA-256 of the text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.source.as_bytes())
    }

    /// The authority that the tool may have at most.
    #[must_use]
    pub fn ceiling(&self) -> Layer {
        self.ceiling.clone()
    }

    /// What `[tool.tools.FUNCTION]` takes away from the ceiling for one function: a layer to narrow the policy with. Classes that
    /// the table does not name stay as they are.
    #[must_use]
    pub fn narrowing(&self, function: &str) -> Option<Layer> {
        self.functions.get(function)?.narrowing.clone()
    }

    /// How many redirects of one request the author asks the host to follow: each is decided on anew. `None` where the manifest
    /// does not say: then guests see them.
    #[must_use]
    pub fn redirects(&self) -> Option<u8> {
        self.redirects
    }

    /// The same for one function, whose own table comes first.
    #[must_use]
    pub fn redirects_of(&self, function: &str) -> Option<u8> {
        self.functions.get(function).and_then(|function| function.redirects).or(self.redirects)
    }

    /// The limits that the author asks for.
    #[must_use]
    pub fn limits(&self) -> &LimitSet {
        &self.limits
    }

    /// How a command takes its input.
    #[must_use]
    pub fn command(&self) -> CommandInput {
        self.command
    }

    /// What `[tool.tools.FUNCTION]` says about a function.
    #[must_use]
    pub fn function_description(&self, function: &str) -> Option<&str> {
        self.functions.get(function)?.description.as_deref()
    }

    /// The classes that the manifest names, with their rules, in the order of the design's table.
    #[must_use]
    pub fn sections(&self) -> &[DeclaredSection] {
        &self.sections
    }

    /// The section of one class, if the manifest names it.
    #[must_use]
    pub fn section(&self, class: Class) -> Option<&DeclaredSection> {
        self.sections.iter().find(|section| section.class == class)
    }

    /// Rules so wide that an operator should look twice.
    pub fn broad_rules(&self) -> impl Iterator<Item = &DeclaredRule> {
        self.sections.iter().flat_map(|section| &section.grants).filter(|declared| declared.rule.is_broad())
    }

    /// The functions that have a table `[tool.tools.FUNCTION]`.
    pub fn function_names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    pub(crate) fn functions(&self) -> &BTreeMap<String, DeclaredFunction> {
        &self.functions
    }
}

/// An error of the TOML parser at its place.
pub(crate) fn toml_error(text: &str, error: &toml::de::Error) -> ManifestError {
    // The class is known only so that it can be refused with a reason, and Rust's names of types say little to an author.
    let message = one_line(error.message())
        .replace(", `wasi:sockets`", "")
        .replace("expected u64", "expected a number from 0 up")
        .replace("expected i64", "expected a number from 0 to 20");
    let help = match message.split(' ').next() {
        Some("unknown") => {
            "remove it, or spell it as one of the known ones: a key that does nothing looks like protection"
        }
        Some("missing") => "add it: what is left out is not guessed",
        Some("duplicate") => "write each key and each table once",
        _ => "see the format of agent-tool.toml",
    };
    match error.span() {
        Some(span) => ManifestError::at(text, span, message, Some(help.to_owned())),
        None => ManifestError::whole(message, help),
    }
}
