//! Reads a WebAssembly file into facts, without an engine and without running any of it.
//!
//! In: the bytes of a component or of a preview1 module, binary or text. Out: a [`Component`]: its digest, its contract, what
//! it imports, its tools with JSON Schema, its [`Manifest`], and the binary that an engine takes. Also the other way: a
//! manifest or documentation is embedded in a file. And a [`Component`] can be stored as bytes and come back from them.
//!
//! What always holds: every error is one line that names the cause; nothing panics on any input; the cost of reading is
//! bounded by [`Caps`], however the file was made; what this crate accepts uses only the features that Caplet's engine has on.
//!
//! ```
//! use caplet_component::{Caps, Contract, inspect};
//!
//! let text = br#"(module (func (export "_start")))"#;
//! let component = inspect(text, &Caps::default())?;
//! assert_eq!(component.contract, Contract::Command);
//! # Ok::<(), caplet_component::ComponentError>(())
//! ```
//!
//! This crate opens no network, reads no clock or environment and, but for [`Docs::read_wit`], no file.

mod caps;
mod check;
mod digest;
mod docs;
mod engine_bytes;
mod error;
mod facts;
mod features;
mod import;
mod inspect;
mod manifest;
mod pack;
mod preview1;
mod schema;
mod section;
mod text;
mod types;
mod walk;
mod wit;

pub use caps::Caps;
pub use check::{Finding, Severity, check, check_manifest};
pub use digest::Digest;
pub use docs::{Docs, DocsError};
pub use engine_bytes::EngineBytes;
pub use error::{ComponentError, ManifestError};
pub use facts::FactsError;
pub use import::{Import, ImportKind};
pub use inspect::{Component, Contract, ExportPath, Skipped, SourceKind, Tool, inspect};
pub use manifest::{CommandInput, DeclaredRule, DeclaredSection, Manifest};
pub use pack::{Existing, embed, embed_docs, extract};
pub use section::{DOCS_SECTION, MANIFEST_SECTION};
pub use types::{Case, Field, Name, Signature, Type};
