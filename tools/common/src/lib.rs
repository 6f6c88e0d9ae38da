//! What the built-in tools share: paths as a model writes them, errors that say what to do next, text,
//! and, each behind its feature, globs (`glob`), a walk over a tree that honours `.gitignore` (`walk`), and requests (`http`).
//!
//! Goes in: what the caller gave and what the file system answered. Comes out: absolute paths and plain sentences.
//! Nothing here decides what is permitted; the host does, and its refusal is reported as such.
#![deny(unsafe_code)]

pub mod cwd;
pub mod failure;
#[cfg(feature = "glob")]
pub mod glob;
#[cfg(feature = "http")]
pub mod http;
pub mod near;
pub mod path;
pub mod store;
pub mod text;
#[cfg(feature = "walk")]
pub mod walk;

pub use failure::{Access, explain};
pub use path::{GuestPath, PathProblem};
