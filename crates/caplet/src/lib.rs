//! Runs tools for AI agents without trusting them: what programs embed.
//!
//! In: a tool (built-in, or a WebAssembly file), a [`Grant`], arguments. Out: an [`Outcome`](audit::Outcome), and its record in the
//! audit log. A tool may do what its manifest declares and what the grant gives, never more than either.
//!
//! What always holds: a new [`Grant`] gives nothing; bytes of a tool are read once, and what was hashed is what runs; no outcome is
//! handed out before its record is kept; no tool reaches the folder of the audit log. This crate reads no environment and prints
//! nothing; the only files it touches are those that a tool's path, a grant and the sink name.
//!
//! ```no_run
//! use caplet::{Caplet, Grant, Source};
//!
//! # async fn example() -> Result<(), caplet::Error> {
//! let caplet = Caplet::builder().build()?;
//! let tool = caplet.load(&Source::parse("file-read")?)?;
//! let mut grant = Grant::new("/home/me/project")?;
//! grant.allow("read:docs/**")?;
//! let granted = caplet.grant(&tool, grant)?;
//! let outcome = granted.call(None, serde_json::json!({"path": "docs/index.md"})).await;
//! assert!(outcome.is_ok());
//! # Ok(())
//! # }
//! ```

mod annotations;
mod approval;
mod arguments;
mod buckets;
mod builtin;
mod callees;
mod caplet;
mod catalog;
mod context;
mod described;
mod difference;
mod edit;
mod error;
mod explain;
mod grant;
mod granted;
mod instances;
mod layers;
pub mod learn;
mod lock;
mod mount;
mod names;
mod new_tool;
mod offer;
mod overlay;
mod policy;
mod private;
mod recorded;
mod remembered;
mod repeatable;
mod replay;
mod session;
mod session_data;
mod shared;
mod source;
mod stores;
mod terms;
mod toml_kind;
mod toolbox;
mod trust;
mod watched;
mod words;

pub use caplet_audit as audit;
pub use caplet_component as component;
pub use caplet_policy as authority;

pub use self::annotations::Annotations;
pub use self::approval::socket::{OpenQuestion, SocketApprover, answer_question, open_questions};
pub use self::approval::{Answer, Approver, Question};
pub use self::arguments::parse_arguments;
pub use self::builtin::BuiltIn;
pub use self::caplet::{Builder, Caplet, Tool, Warmth, read_component, remembered_component};
pub use self::catalog::{Catalog, Hidden};
pub use self::context::CallContext;
pub use self::described::{Authority, May, MountedAt};
pub use self::difference::{Difference, Raised, Widened, difference};
pub use self::edit::ToolboxEdit;
pub use self::error::Error;
pub use self::explain::{Explained, ExplainedLayer};
pub use self::grant::{Ceiling, Grant};
pub use self::granted::Granted;
pub use self::instances::Instances;
pub use self::layers::{LayerFiles, Layers, Project};
pub use self::lock::{Change, FunctionChange, Kind as ChangeKind, Lock, Pin, Pins};
pub use self::new_tool::NewTool;
pub use self::offer::Offer;
pub use self::overlay::{discard_gone, open_overlay};
pub use self::recorded::recordings_in;
pub use self::replay::{NewOp, Replayed};
pub use self::session::Session;
pub use self::session_data::SessionData;
pub use self::source::{Source, read_file};
pub use self::terms::Terms;
pub use self::toml_kind::TomlKind;
pub use self::toolbox::{Configured, Notice, Place, ProjectFile, Shown, Toolbox, ToolboxError};
pub use self::trust::{Standing, Trust, Trusted};
pub use self::watched::{Files, Snapshot, Watched};
pub use self::words::in_words;
pub use caplet_sandbox as sandbox;
pub use caplet_secrets as secret;
pub use caplet_vfs as vfs;
