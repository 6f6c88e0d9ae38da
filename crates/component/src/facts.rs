//! Facts as bytes, so that a file that was inspected once need not be inspected again.
//!
//! In: a [`Component`]. Out: bytes that become the same [`Component`] again, without the file: a line with the number
//! of the format, then JSON. What follows from other facts is not stored but made again by the code that made it first:
//! schemas from signatures, what stands behind an import from its name, the manifest from its text.
//!
//! What always holds: what [`Component::to_facts`] writes, [`Component::from_facts`] restores in every public field;
//! bytes that are anything else are an error, never a panic. Facts are believed: only a store that nobody else can
//! write to may keep them, under a key that names the build of Caplet, because another build may refuse what this one
//! accepts.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::engine_bytes::EngineBytes;
use crate::error::{ManifestError, one_line};
use crate::import::Import;
use crate::inspect::{Component, Contract, ExportPath, Skipped, SourceKind, Tool};
use crate::manifest::Manifest;
use crate::types::Signature;

/// The number of the format. It changes whenever the same bytes would mean something else.
const FORMAT: u32 = 2;

/// Why bytes are not the facts of a component. Each message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FactsError {
    /// They are in another format.
    #[error("the facts are in format {found}; this build reads format {FORMAT}")]
    Format {
        /// The number of their format.
        found: u32,
    },
    /// They are not facts, or not all of them.
    #[error("the facts are malformed: {0}")]
    Malformed(String),
    /// The manifest in them is not valid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl Component {
    /// The facts as bytes, without [`Component::engine_bytes`]. The same facts are always the same bytes.
    ///
    /// Schemas and what stands behind an import are not stored: they come back as [`inspect`](crate::inspect) makes
    /// them.
    #[must_use]
    pub fn to_facts(&self) -> Vec<u8> {
        let mut out = format!("{FORMAT}\n").into_bytes();
        // Memory takes everything, and all keys are strings, so this cannot fail; if it did, the rest would not be read
        // as facts.
        if serde_json::to_writer(&mut out, &Facts::of(self)).is_err() {
            out.clear();
        }
        out
    }

    /// The component that `facts` were made from, with `bytes` as its [`Component::engine_bytes`]. Asks for no bytes.
    ///
    /// # Errors
    ///
    /// If `facts` are in another format, or are not what [`Component::to_facts`] writes, or nest deeper than a type of
    /// a component read with [`Caps::default`](crate::Caps::default) can.
    pub fn from_facts(facts: &[u8], bytes: EngineBytes) -> Result<Self, FactsError> {
        let facts: Facts = serde_json::from_slice(body(facts)?).map_err(|error| malformed(&error.to_string()))?;
        facts.restore(bytes)
    }
}

/// What follows the line with the number of the format.
fn body(facts: &[u8]) -> Result<&[u8], FactsError> {
    let line = facts.iter().position(|byte| *byte == b'\n').and_then(|end| facts.split_at_checked(end + 1));
    let (line, body) = line.ok_or_else(|| malformed("there is no line with the number of the format"))?;
    let number = str::from_utf8(line).ok().and_then(|line| line.trim_end().parse().ok());
    match number {
        Some(FORMAT) => Ok(body),
        Some(found) => Err(FactsError::Format { found }),
        None => Err(malformed("the first line is not the number of a format")),
    }
}

fn malformed(message: &str) -> FactsError {
    FactsError::Malformed(one_line(message))
}

/// A [`Component`] as it is stored.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    digest: [u8; 32],
    source: SourceKind,
    contract: Contract,
    needs_concurrency: bool,
    imports: Vec<String>,
    tools: Vec<ToolFacts>,
    skipped: Vec<Skipped>,
    manifest: Option<String>,
}

/// A [`Tool`] as it is stored.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ToolFacts {
    function: String,
    description: String,
    export: ExportPath,
    signature: Signature,
}

impl Facts {
    fn of(component: &Component) -> Self {
        let Component {
            digest,
            source,
            contract,
            needs_concurrency,
            imports,
            tools,
            skipped,
            manifest,
            engine_bytes: _,
        } = component;
        Self {
            digest: *digest.as_bytes(),
            source: *source,
            contract: *contract,
            needs_concurrency: *needs_concurrency,
            imports: imports.iter().map(|import| import.name.clone()).collect(),
            tools: tools.iter().map(ToolFacts::of).collect(),
            skipped: skipped.clone(),
            manifest: manifest.as_ref().map(|manifest| manifest.source().to_owned()),
        }
    }

    fn restore(self, engine_bytes: EngineBytes) -> Result<Component, FactsError> {
        let Self { digest, source, contract, needs_concurrency, imports, tools, skipped, manifest } = self;
        Ok(Component {
            digest: Digest::from_bytes(digest),
            source,
            contract,
            needs_concurrency,
            imports: imports.iter().map(|name| Import::new(name)).collect(),
            tools: tools.into_iter().map(ToolFacts::restore).collect(),
            skipped,
            manifest: manifest.as_deref().map(Manifest::parse).transpose()?,
            engine_bytes,
        })
    }
}

impl ToolFacts {
    fn of(tool: &Tool) -> Self {
        let Tool { function, description, input_schema: _, output_schema: _, export, signature } = tool;
        Self {
            function: function.clone(),
            description: description.clone(),
            export: export.clone(),
            signature: signature.clone(),
        }
    }

    fn restore(self) -> Tool {
        let Self { function, description, export, signature } = self;
        Tool {
            function,
            description,
            input_schema: signature.input_schema(),
            output_schema: signature.output_schema(),
            export,
            signature,
        }
    }
}
