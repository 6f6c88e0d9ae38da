//! Runs WebAssembly tools, each call in a fresh instance, with exactly the authority that a policy gives and under hard limits.
//!
//! In: a [`Component`](caplet_component::Component) that was read without an engine, and an [`Invocation`]: arguments, a
//! policy, mounts, limits. Out: an [`Outcome`](caplet_audit::Outcome), always; a call never fails in any other way.
//!
//! What always holds: a guest reaches the outside only through the interfaces that its `capability` module links, each of which asks the
//! policy in one place and leaves a decision; whatever a guest does ends its own call and no other.
//!
//! This crate reads no environment, opens no file by itself and prints nothing.

mod bindings;
mod call;
mod capability;
mod end;
mod engine;
mod error;
mod invocation;
mod limits;
mod prepared;
mod state;
mod stdio;
mod unknown;
mod value;

pub use capability::not_offered;
pub use error::SandboxError;
pub use invocation::Invocation;
pub use prepared::{Prepared, Sandbox, SandboxConfig};
