//! The file system that a guest sees.
//!
//! In go stores at guest paths, and a guard that decides; out come the verbs of the standard's file systems, as [`Namespace`]. A
//! store offers primitives on single names and handles, and each takes the token of what was permitted. The namespace alone
//! resolves paths. This crate must not depend on an engine, and nothing here is asynchronous: a caller asks
//! [`Namespace::may_block`] and chooses the thread.
//!
//! - [`store`]: the traits of a store.
//! - [`host`]: a directory of the host. [`overlay`]: changes to one, kept aside. [`memory`]: a tree in memory. [`sqlite`]: a file
//!   of SQLite. [`recording`]: what a call saw of any of these, and that again as a store.

mod archive;
mod descriptor;
mod error;
pub mod host;
pub mod memory;
mod mount;
mod name;
mod namespace;
pub mod overlay;
pub mod recording;
pub mod sqlite;
pub mod store;
mod types;

pub use archive::write_tar;
pub use descriptor::Descriptor;
pub use error::FsError;
pub use host::HostStore;
pub use memory::MemoryStore;
pub use mount::Mount;
pub use name::Name;
pub use namespace::{
    CallTime, Entries, MAX_LINKS, MAX_PATH_BYTES, MAX_PATH_NAMES, MAX_READ_BYTES, Namespace, NamespaceConfig,
};
pub use overlay::OverlayStore;
pub use recording::{RecordingStore, ReplayStore};
pub use sqlite::SqliteStore;
pub use store::{File, FileRef, FileSystem, Listing, Node, NodeId, NodeRef};
pub use types::{DescriptorFlags, Entry, EntryKind, FileStat, NewTime, OpenFlags, Timestamp};
