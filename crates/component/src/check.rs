//! Findings about a component and its manifest: what its author should know before others run it.
//!
//! What always holds: an error is something that [`inspect`] or [`Manifest::parse`] would refuse; everything else is a warning.

use std::ops::Range;

use caplet_policy::Class;

use crate::caps::Caps;
use crate::error::{ComponentError, ManifestError, position};
use crate::import::ImportKind;
use crate::inspect::{Component, Contract, OF_RUNTIME, inspect};
use crate::manifest::{DeclaredSection, Manifest};
use crate::section::{self, MANIFEST_SECTION};
use crate::text;

/// Something that an author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Whether the tool can be used as it is.
    pub severity: Severity,
    /// What was found, on one line.
    pub message: String,
    /// Its place in the manifest, in bytes. `None` if it is about the component.
    pub span: Option<Range<usize>>,
    /// Line of the place, from 1.
    pub line: Option<usize>,
    /// Column of the place in characters, from 1.
    pub column: Option<usize>,
    /// What to do about it.
    pub help: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The tool runs, but perhaps not as meant.
    Warning,
    /// The tool is refused.
    Error,
}

impl Severity {
    /// The name that people read.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Checks the file `bytes` with the manifest `text`, or with the one that it has.
#[must_use]
pub fn check(bytes: &[u8], text: Option<&str>, caps: &Caps) -> Vec<Finding> {
    let mut findings = Vec::new();
    let manifest = text.map(Manifest::parse).transpose();
    let manifest = manifest.map_err(|error| findings.push(Finding::from(&error))).unwrap_or_default();
    let component = read(bytes, manifest.as_ref(), caps).map_err(|error| findings.push(Finding::from(&error)));
    if let Ok(component) = component {
        check_tools(&component, &mut findings);
        match &component.manifest {
            Some(manifest) => {
                check_rules(manifest, &mut findings);
                check_fit(&component, manifest, &mut findings);
            }
            // An unreadable manifest was reported; a missing one is a finding of its own.
            None if text.is_none() => findings.push(Finding::warning(
                "the component has no manifest, so it may do nothing but compute",
                "write agent-tool.toml and put it in with `caplet pack`",
            )),
            None => {}
        }
    }
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.span.as_ref().map(|span| span.start)));
    findings
}

/// Checks the manifest `text` alone, without the component that it is for.
#[must_use]
pub fn check_manifest(text: &str) -> Vec<Finding> {
    match Manifest::parse(text) {
        Ok(manifest) => {
            let mut findings = Vec::new();
            check_rules(&manifest, &mut findings);
            findings
        }
        Err(error) => vec![Finding::from(&error)],
    }
}

/// The component as it would be with `manifest` packed into it.
fn read(bytes: &[u8], manifest: Option<&Manifest>, caps: &Caps) -> Result<Component, ComponentError> {
    match manifest {
        Some(manifest) => {
            let binary = text::binary(bytes, caps)?;
            inspect(&section::replace(&binary, MANIFEST_SECTION, manifest.source().as_bytes())?, caps)
        }
        None => inspect(bytes, caps),
    }
}

fn check_tools(component: &Component, findings: &mut Vec<Finding>) {
    if component.tools.is_empty() {
        findings.push(Finding::warning("the component has no function that can be a tool", "export a function"));
    }
    for skipped in component.skipped.iter().filter(|skipped| skipped.reason != OF_RUNTIME) {
        findings.push(Finding::warning(
            format!("the export {:?} is not a tool: {}", skipped.name, skipped.reason),
            "use types that JSON can carry",
        ));
    }
    for tool in component.tools.iter().filter(|tool| tool.description.trim().is_empty()) {
        let help = match component.contract {
            Contract::Command => "write a description under [tool.metadata]".to_owned(),
            Contract::Exports => {
                format!("write a doc comment in the WIT, or a description under [tool.tools.{:?}]", tool.function)
            }
        };
        let message =
            format!("the function {:?} has no description, so a model cannot know what it is for", tool.function);
        findings.push(Finding::warning(message, help));
    }
}

/// Rules that are wider or weaker than they look.
fn check_rules(manifest: &Manifest, findings: &mut Vec<Finding>) {
    for declared in manifest.broad_rules() {
        let message = format!("the rule {:?} is very wide", declared.rule.to_string());
        let help = "name the narrowest pattern that the tool needs: operators see this rule marked";
        findings.push(Finding::warning(message, help).at(manifest.source(), Some(declared.span.clone())));
    }
    for function in manifest.functions().values() {
        check_narrowing(manifest, function.sections.as_slice(), findings);
    }
}

/// What the manifest says of the component that is not so.
fn check_fit(component: &Component, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let source = manifest.source();
    check_imports(component, manifest, findings);
    for section in manifest.sections() {
        if !section.grants.is_empty() && !needs(component, section.class) {
            let message =
                format!("the component imports nothing of {:?}, so its rules do nothing", section.class.as_str());
            findings.push(Finding::warning(message, "remove the rules").at(source, first_place(section)));
        }
    }
    for (name, function) in manifest.functions() {
        if component.tools.iter().all(|tool| tool.function != *name) {
            let message = format!("the component has no function {name:?}");
            let names: Vec<&str> = component.tools.iter().map(|tool| tool.function.as_str()).collect();
            let help = format!("its functions are: {}", names.join(", "));
            findings.push(Finding::warning(message, help).at(source, Some(function.span.clone())));
        }
    }
}

/// A function's section can only take away, so a rule there needs one of its class in the ceiling.
fn check_narrowing(manifest: &Manifest, sections: &[DeclaredSection], findings: &mut Vec<Finding>) {
    for section in sections {
        let has_ceiling = manifest.section(section.class).is_some_and(|ceiling| !ceiling.grants.is_empty());
        let has_default = matches!(section.class, Class::Clocks | Class::Random);
        if !section.grants.is_empty() && !has_ceiling && !has_default {
            let class = section.class.as_str();
            let message = format!("a function's rules for {class:?} do nothing, because [tool.capabilities] has none");
            let help =
                format!("write the rules under [tool.capabilities.{class:?}]; a function's table only narrows them");
            findings.push(Finding::warning(message, help).at(manifest.source(), first_place(section)));
        }
    }
}

/// An import without a rule will be denied whatever the operator grants. A class that the manifest names without any rule is
/// meant so.
fn check_imports(component: &Component, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let mut by_kind: Vec<(ImportKind, Vec<&str>)> = Vec::new();
    for import in &component.imports {
        match by_kind.iter_mut().find(|(kind, _)| *kind == import.kind) {
            Some((_, names)) => names.push(&import.name),
            None => by_kind.push((import.kind, vec![&import.name])),
        }
    }
    let place = capabilities_place(manifest.source());
    for (kind, names) in by_kind {
        if let Some((fault, help)) = import_fault(kind, manifest) {
            let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
            let message = format!("imports that {fault}: {}", names.join(", "));
            findings.push(Finding::warning(message, help).at(manifest.source(), Some(place.clone())));
        }
    }
}

fn import_fault(kind: ImportKind, manifest: &Manifest) -> Option<(&'static str, String)> {
    match kind {
        // Both have a default that every policy permits.
        ImportKind::Plumbing | ImportKind::Capability(Class::Clocks | Class::Random) => None,
        ImportKind::Sockets => Some(("are always refused", "use wasi:http for requests".to_owned())),
        ImportKind::Unknown => Some((
            "nobody provides, so that a call of one ends the tool's call",
            "import WASI 0.2 or Caplet's own interfaces".to_owned(),
        )),
        ImportKind::Capability(class) if manifest.section(class).is_some() => None,
        ImportKind::Capability(class) => Some((
            "have no rule, so that every use is refused",
            format!("add [tool.capabilities.{:?}] with the rules that the tool needs, or with none", class.as_str()),
        )),
    }
}

/// Whether the component can make use of rules of `class`. Secrets go into requests, so they need HTTP.
fn needs(component: &Component, class: Class) -> bool {
    let class = if class == Class::Secrets { Class::Http } else { class };
    component.imports.iter().any(|import| import.class() == Some(class))
}

fn first_place(section: &DeclaredSection) -> Option<Range<usize>> {
    section.grants.first().map(|declared| declared.span.clone())
}

/// Where a rule would be added: the first table of capabilities, else the end.
fn capabilities_place(source: &str) -> Range<usize> {
    match source.find("[tool.capabilities") {
        Some(start) => {
            let line = source.get(start..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
            start..start + line
        }
        None => source.len()..source.len(),
    }
}

impl Finding {
    fn warning(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            message: message.into(),
            span: None,
            line: None,
            column: None,
            help: Some(help.into()),
        }
    }

    fn at(mut self, source: &str, span: Option<Range<usize>>) -> Self {
        if let Some(span) = span {
            let (line, column) = position(source, span.start);
            self.line = Some(line);
            self.column = Some(column);
            self.span = Some(span);
        }
        self
    }
}

impl From<&ManifestError> for Finding {
    fn from(error: &ManifestError) -> Self {
        Self {
            severity: Severity::Error,
            message: error.message.clone(),
            span: error.span.clone(),
            line: error.line,
            column: error.column,
            help: error.help.clone(),
        }
    }
}

impl From<&ComponentError> for Finding {
    fn from(error: &ComponentError) -> Self {
        match error {
            ComponentError::Manifest(error) => Self::from(error),
            error => Self {
                severity: Severity::Error,
                message: error.to_string(),
                span: None,
                line: None,
                column: None,
                help: error.hint(),
            },
        }
    }
}
