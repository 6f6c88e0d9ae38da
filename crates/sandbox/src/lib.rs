//! Runs WebAssembly tools, each call in a fresh instance, with exactly the authority that a policy gives and under hard limits.
//!
//! In: a [`Component`](caplet_component::Component) that was read without an engine, and an [`Invocation`]: arguments, a
//! policy, mounts, limits. Out: an [`Outcome`](caplet_audit::Outcome), always; a call never fails in any other way.
//!
//! What always holds: a guest reaches the outside only through the interfaces that its `capability` module links, each of which asks the
//! policy in one place and leaves a decision; whatever a guest does ends its own call and no other.
//!
//! This crate reads no environment and prints nothing. It opens no file but in the folder of a [`Cache`] that it is given, and starts no
//! process but the compiler that it is given.

mod admission;
mod asking;
mod bindings;
mod cache;
mod call;
mod capability;
mod code;
mod counts;
mod deadline;
mod determinism;
mod end;
mod engine;
mod error;
mod invocation;
mod lane;
mod limits;
mod prepared;
mod recording;
mod sandbox;
mod session;
mod state;
mod stdio;
mod ticker;
mod unknown;
mod value;
mod worker;

pub use asking::{Asking, Respond, Response};
pub use cache::{BadEntry, Cache, CacheError, CacheStats, Entry};
pub use capability::http::{Connections, NetworkConfig};
pub use capability::keyvalue::BucketSource;
pub use capability::tools::{Callable, Calling, FoundTool, ToolSource, Within};
pub use determinism::{NO_REQUESTS, NO_SHARED_BUCKETS, limits as deterministic_limits};
pub use error::SandboxError;
pub use invocation::Invocation;
pub use prepared::Prepared;
pub use recording::{Ended, Finished, Player, Recorder, ReplayError, Tape};
pub use sandbox::{Facilities, Sandbox, SandboxConfig};
pub use session::{Session, SessionLimits};
pub use worker::{CompilerProgram, compile_worker};
