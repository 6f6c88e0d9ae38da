//! What is known about a tool without running it, as JSON and as text.

use std::collections::BTreeMap;
use std::io;

use caplet::audit::text::{json_pretty, visible, visible_line};
use caplet::authority::Class;
use caplet::component::{Component, DeclaredRule, DeclaredSection, Manifest, Tool};
use serde::Serialize;
use serde_json::Value;

use crate::ui::{Ui, style};

/// The object that `inspect --json` prints.
#[derive(Serialize)]
pub(crate) struct Facts<'a> {
    tool: &'a str,
    digest: String,
    source: String,
    contract: &'static str,
    imports: Vec<ImportFact<'a>>,
    manifest: Option<ManifestFact<'a>>,
    tools: Vec<ToolFact<'a>>,
    skipped: Vec<SkippedFact<'a>>,
}

#[derive(Serialize)]
struct ImportFact<'a> {
    name: &'a str,
    kind: String,
    capability: Option<&'static str>,
}

/// What an author declared.
#[derive(Serialize)]
pub(crate) struct ManifestFact<'a> {
    name: &'a str,
    version: Option<&'a str>,
    description: Option<&'a str>,
    digest: String,
    ceiling: Vec<SectionFact<'a>>,
    limits: BTreeMap<String, String>,
    broad: Vec<String>,
}

/// The rules of one capability.
#[derive(Serialize)]
pub(crate) struct SectionFact<'a> {
    capability: &'static str,
    description: Option<&'a str>,
    grants: Vec<String>,
    denies: Vec<String>,
}

#[derive(Serialize)]
struct ToolFact<'a> {
    function: &'a str,
    description: &'a str,
    input_schema: &'a Value,
    output_schema: Option<&'a Value>,
}

#[derive(Serialize)]
struct SkippedFact<'a> {
    name: &'a str,
    reason: &'a str,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(name: &'a str, component: &'a Component) -> Self {
        let Component { digest, source, contract, imports, tools, skipped, manifest, engine_bytes: _, .. } = component;
        Self {
            tool: name,
            digest: digest.to_string(),
            source: source.to_string(),
            contract: contract.as_str(),
            imports: imports
                .iter()
                .map(|import| ImportFact {
                    name: &import.name,
                    kind: import.kind.to_string(),
                    capability: import.class().map(Class::as_str),
                })
                .collect(),
            manifest: manifest.as_ref().map(ManifestFact::new),
            tools: tools.iter().map(ToolFact::new).collect(),
            skipped: skipped
                .iter()
                .map(|skipped| SkippedFact { name: &skipped.name, reason: &skipped.reason })
                .collect(),
        }
    }
}

impl<'a> ManifestFact<'a> {
    pub(crate) fn new(manifest: &'a Manifest) -> Self {
        Self {
            name: manifest.name(),
            version: manifest.version(),
            description: manifest.description(),
            digest: manifest.digest().to_string(),
            ceiling: manifest.sections().iter().map(SectionFact::new).collect(),
            limits: manifest.limits().entries().into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            broad: manifest.broad_rules().map(|declared| declared.rule.to_string()).collect(),
        }
    }
}

impl<'a> ToolFact<'a> {
    fn new(tool: &'a Tool) -> Self {
        Self {
            function: &tool.function,
            description: &tool.description,
            input_schema: &tool.input_schema,
            output_schema: tool.output_schema.as_ref(),
        }
    }
}

impl<'a> SectionFact<'a> {
    fn new(section: &'a DeclaredSection) -> Self {
        let texts = |rules: &[DeclaredRule]| rules.iter().map(|declared| declared.rule.to_string()).collect();
        Self {
            capability: section.class.as_str(),
            description: section.description.as_deref(),
            grants: texts(&section.grants),
            denies: texts(&section.denies),
        }
    }
}

/// Prints the facts for a person.
pub(crate) fn show(ui: &mut Ui, facts: &Facts<'_>) -> io::Result<()> {
    let name = style::NOTE;
    match &facts.manifest {
        Some(manifest) => {
            let version = manifest.version.map(|version| format!(" {}", visible_line(version))).unwrap_or_default();
            ui.line(format_args!("{name}{}{name:#}{version}", visible_line(manifest.name)))?;
            if let Some(description) = manifest.description {
                ui.line(indented(description))?;
            }
        }
        None => ui.line(format_args!("{name}{}{name:#}", visible_line(facts.tool)))?,
    }
    ui.line("")?;
    row(ui, "digest", &facts.digest)?;
    row(ui, "contract", &format!("{}, from a {}", facts.contract, facts.source))?;
    imports(ui, facts)?;
    ceiling(ui, facts.manifest.as_ref())?;
    for tool in &facts.tools {
        function(ui, tool)?;
    }
    for skipped in &facts.skipped {
        ui.line(format_args!("\n{} is not a tool: {}", visible_line(skipped.name), visible_line(skipped.reason)))?;
    }
    Ok(())
}

fn imports(ui: &mut Ui, facts: &Facts<'_>) -> io::Result<()> {
    let quiet = style::QUIET;
    let width = facts.imports.iter().map(|import| import.name.len()).max().unwrap_or(0);
    let lines = facts
        .imports
        .iter()
        .map(|import| format!("{:width$}  {quiet}{}{quiet:#}", visible_line(import.name), visible_line(&import.kind)));
    rows(ui, "imports", lines, "nothing")
}

fn ceiling(ui: &mut Ui, manifest: Option<&ManifestFact<'_>>) -> io::Result<()> {
    let Some(manifest) = manifest else {
        return row(ui, "ceiling", "there is no manifest, so it may compute and nothing else");
    };
    rows(ui, "ceiling", manifest.lines(), "it may compute and nothing else")?;
    let limits = manifest.limits_line();
    if limits.is_empty() { Ok(()) } else { row(ui, "limits", &limits) }
}

impl ManifestFact<'_> {
    /// What the tool is for, in its author's words.
    pub(crate) fn description(&self) -> Option<&str> {
        self.description
    }

    /// The limits that the author asks for, on one line.
    pub(crate) fn limits_line(&self) -> String {
        self.limits.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }

    /// What the ceiling permits.
    pub(crate) fn rules(&self) -> Vec<&str> {
        self.ceiling.iter().flat_map(|section| section.grants.iter().map(String::as_str)).collect()
    }

    /// The ceiling, a line for each rule, and the author's reasons.
    pub(crate) fn lines(&self) -> Vec<String> {
        let (quiet, warning) = (style::QUIET, style::WARNING);
        let mut lines = Vec::new();
        for section in &self.ceiling {
            if section.grants.is_empty() {
                lines.push(format!("{}: nothing", section.capability));
            }
            for rule in &section.grants {
                let wide = if self.broad.contains(rule) {
                    format!("  {warning}(very wide){warning:#}")
                } else {
                    String::new()
                };
                lines.push(format!("{}{wide}", visible_line(rule)));
            }
            lines.extend(section.denies.iter().map(|rule| format!("never {}", visible_line(rule))));
            lines.extend(section.description.map(|text| format!("  {quiet}{}{quiet:#}", visible_line(text))));
        }
        lines
    }
}

fn function(ui: &mut Ui, tool: &ToolFact<'_>) -> io::Result<()> {
    let name = style::NOTE;
    ui.line(format_args!("\n{name}{}{name:#}", visible_line(tool.function)))?;
    if !tool.description.is_empty() {
        ui.line(indented(tool.description))?;
    }
    let mut schema = |word: &str, schema: &Value| -> io::Result<()> {
        let text = json_pretty(schema)?;
        ui.line(format_args!(
            "  {word}:\n{}",
            text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
        ))
    };
    schema("input", tool.input_schema)?;
    tool.output_schema.map_or(Ok(()), |output| schema("output", output))
}

fn row(ui: &mut Ui, word: &str, value: &str) -> io::Result<()> {
    ui.line(format_args!("{word:9} {value}"))
}

fn rows(ui: &mut Ui, word: &str, lines: impl IntoIterator<Item = String>, none: &str) -> io::Result<()> {
    let mut word = Some(word);
    for line in lines {
        row(ui, word.take().unwrap_or_default(), &line)?;
    }
    word.map_or(Ok(()), |word| row(ui, word, none))
}

fn indented(text: &str) -> String {
    visible(text.trim()).lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
