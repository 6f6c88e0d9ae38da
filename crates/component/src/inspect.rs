//! From a file's bytes to everything that is known about it without running it.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasmparser::Encoding;
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};

use crate::caps::Caps;
use crate::digest::Digest;
use crate::docs::Docs;
use crate::engine_bytes::EngineBytes;
use crate::error::ComponentError;
use crate::import::Import;
use crate::manifest::{CommandInput, Manifest};
use crate::types::{Field, Name, Signature, Type};
use crate::walk::{Walked, walk, walk_made};
use crate::wit::{self, Candidate};
use crate::{preview1, text};

/// Facts about a component.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Component {
    /// SHA-256 of the bytes that were given.
    pub digest: Digest,
    /// What the file was before it became a component.
    pub source: SourceKind,
    /// How it becomes tools.
    pub contract: Contract,
    /// Whether it uses the asynchronous part of the component model (asynchronous functions, streams, futures).
    pub needs_concurrency: bool,
    /// What it imports, in its order.
    pub imports: Vec<Import>,
    /// Its tools, in the order of its exports.
    pub tools: Vec<Tool>,
    /// Exports that are not tools, with the reason.
    pub skipped: Vec<Skipped>,
    /// The manifest, if it has one. Without one the ceiling is empty.
    pub manifest: Option<Manifest>,
    /// The component in the binary format, for an engine.
    pub engine_bytes: EngineBytes,
}

/// What a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub enum SourceKind {
    /// A component.
    Component,
    /// A core module that uses WASI preview1; it became a component when it was read.
    Preview1Module,
}

/// How a component becomes tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Contract {
    /// Each exported function is a tool.
    Exports,
    /// The component is a command: one tool, with arguments, standard input and output.
    Command,
}

impl Contract {
    /// The name that people read.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exports => "exports",
            Self::Command => "command",
        }
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Component => "component",
            Self::Preview1Module => "preview1 module",
        })
    }
}

/// One callable function.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tool {
    /// Its name, unique in the component.
    pub function: String,
    /// What the author says about it; empty if nothing.
    pub description: String,
    /// JSON Schema of the input object.
    pub input_schema: Value,
    /// JSON Schema of the output. `None` if it gives none.
    pub output_schema: Option<Value>,
    /// Where the component exports it.
    pub export: ExportPath,
    /// The types that schemas and values come from.
    pub signature: Signature,
}

/// Where a component exports a function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExportPath {
    /// The exported interface that has the function; `None` if the component exports it itself.
    pub interface: Option<String>,
    /// The function's name there.
    pub function: String,
}

/// An export that is not a tool.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// The export: `function`, or `interface.function`.
    pub name: String,
    /// Why it is not a tool.
    pub reason: String,
}

/// Reads `bytes`: a component or a preview1 module, in the binary or the text format.
///
/// # Errors
///
/// Whatever is not valid, uses what is off, is larger or more intricate than `caps`, fits no contract, or has a manifest that
/// is not valid.
pub fn inspect(bytes: &[u8], caps: &Caps) -> Result<Component, ComponentError> {
    let digest = Digest::of(bytes);
    let binary = text::binary(bytes, caps)?;
    let walked = walk(&binary, caps)?;
    let manifest = walked.manifest.map(Manifest::from_section).transpose()?;
    match walked.encoding {
        Encoding::Component => component(digest, &binary, &walked, manifest, caps),
        Encoding::Module => preview1_module(digest, &binary, &walked, manifest, caps),
    }
}

fn component(
    digest: Digest,
    binary: &[u8],
    walked: &Walked<'_>,
    manifest: Option<Manifest>,
    caps: &Caps,
) -> Result<Component, ComponentError> {
    let docs = Docs::read(walked.docs, walked.package_docs);
    let mut exports = wit::exports(walked, &docs, caps)?;
    let mut component = Component {
        digest,
        source: SourceKind::Component,
        contract: Contract::Exports,
        needs_concurrency: walked.needs_concurrency,
        imports: imports(walked),
        tools: Vec::new(),
        skipped: Vec::new(),
        manifest,
        engine_bytes: EngineBytes::held(binary.into()),
    };
    if let Some(interface) = exports.command.take() {
        component.contract = Contract::Command;
        let export = ExportPath { interface: Some(interface), function: "run".to_owned() };
        component.tools = vec![command_tool(export, component.manifest.as_ref())];
        let also = exports.candidates.drain(..).map(|candidate| Skipped {
            name: candidate.export.to_string(),
            reason: "the component is a command, and a command is one tool".to_owned(),
        });
        exports.skipped.extend(also);
    } else {
        let (candidates, of_runtime) = exports.candidates.into_iter().partition(|candidate| !is_of_runtime(candidate));
        component.tools = tools(candidates, component.manifest.as_ref());
        let skipped =
            |candidate: Candidate| Skipped { name: candidate.export.to_string(), reason: OF_RUNTIME.to_owned() };
        exports.skipped.extend(of_runtime.into_iter().map(skipped));
    }
    component.skipped = exports.skipped;
    Ok(component)
}

/// Why a function that only a builder calls is not a tool.
pub(crate) const OF_RUNTIME: &str = "componentize-py calls it while it builds, and nobody afterwards";

/// Whether a function is what componentize-py exports of every component that it makes, to start the interpreter before the snapshot.
/// It cannot be called twice, and no author means it.
fn is_of_runtime(candidate: &Candidate) -> bool {
    let parameters = candidate.signature.parameters.iter().map(|field| field.name.wit.as_str());
    candidate.export.interface.as_deref() == Some("exports")
        && candidate.export.function == "init"
        && parameters.eq(["app-name", "symbols", "stub-wasi"])
}

/// The imports that somebody must provide. A type that only gives another a name needs nobody.
fn imports(walked: &Walked<'_>) -> Vec<Import> {
    let types = walked.types.as_ref();
    let is_alias = |name: &str| {
        let created = types.component_item_for_import(name).map(|item| item.ty);
        matches!(created, Some(ComponentEntityType::Type { created: ComponentAnyTypeId::Defined(_), .. }))
    };
    walked.imports.iter().filter(|name| !is_alias(name)).map(|name| Import::new(name)).collect()
}

fn preview1_module(
    digest: Digest,
    binary: &[u8],
    walked: &Walked<'_>,
    manifest: Option<Manifest>,
    caps: &Caps,
) -> Result<Component, ComponentError> {
    let componentized = preview1::componentize(binary, walked)?;
    let outer = walk_made(&componentized, caps)?;
    let mut component = component(digest, &componentized, &outer, manifest, caps)?;
    component.source = SourceKind::Preview1Module;
    Ok(component)
}

fn tools(candidates: Vec<Candidate>, manifest: Option<&Manifest>) -> Vec<Tool> {
    let names = names(&candidates);
    let only = candidates.len() == 1;
    let tool = |(candidate, function): (Candidate, String)| {
        let of_manifest = manifest.and_then(|manifest| manifest.function_description(&function));
        let of_component = || manifest.filter(|_| only).and_then(Manifest::description);
        let description = of_manifest.map(str::to_owned).or(candidate.description);
        Tool {
            description: description.or_else(|| of_component().map(str::to_owned)).unwrap_or_default(),
            input_schema: candidate.signature.input_schema(),
            output_schema: candidate.signature.output_schema(),
            export: candidate.export,
            signature: candidate.signature,
            function,
        }
    };
    candidates.into_iter().zip(names).map(tool).collect()
}

/// The function's name where that is unique, else with its interface's name before it, else with the interface's full name.
fn names(candidates: &[Candidate]) -> Vec<String> {
    let spelled = |detail: usize| -> Vec<String> {
        let name = |candidate: &Candidate| match (&candidate.export.interface, detail) {
            (None, _) | (_, 0) => candidate.export.function.clone(),
            (Some(interface), 1) => format!("{}.{}", short(interface), candidate.export.function),
            (Some(interface), _) => format!("{interface}.{}", candidate.export.function),
        };
        candidates.iter().map(name).collect()
    };
    let mut names = spelled(0);
    for detail in 1..=2 {
        let mut uses: HashMap<String, usize> = HashMap::new();
        for name in &names {
            *uses.entry(name.clone()).or_default() += 1;
        }
        for (name, longer) in names.iter_mut().zip(spelled(detail)) {
            if uses.get(name).is_some_and(|uses| *uses > 1) {
                *name = longer;
            }
        }
    }
    names
}

/// `files` of `example:notes/files@1.0.0`.
fn short(interface: &str) -> &str {
    let path = interface.split('@').next().unwrap_or(interface);
    path.rsplit('/').next().unwrap_or(path)
}

impl fmt::Display for ExportPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{interface}.{}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

/// The one tool of a command. Its input is made of the same types as any other's, so that one converter reads both.
fn command_tool(export: ExportPath, manifest: Option<&Manifest>) -> Tool {
    let input = manifest.map_or_else(CommandInput::default, Manifest::command);
    let mut parameters = Vec::new();
    if input.takes_arguments() {
        parameters.push(Field {
            name: Name::key("args"),
            ty: Type::Option(Box::new(Type::List(Box::new(Type::String)))),
            description: Some("The command's arguments, without its name.".to_owned()),
        });
    }
    if input.takes_stdin() {
        parameters.push(Field {
            name: Name::key("stdin"),
            ty: Type::Option(Box::new(Type::String)),
            description: Some("What the command reads from standard input.".to_owned()),
        });
    }
    let signature = Signature { parameters, result: Some(Type::String) };
    let described =
        manifest.and_then(|manifest| manifest.function_description("run").or_else(|| manifest.description()));
    Tool {
        function: "run".to_owned(),
        description: described.unwrap_or_default().to_owned(),
        input_schema: signature.input_schema(),
        output_schema: Some(json!({"type": "string"})),
        export,
        signature,
    }
}
