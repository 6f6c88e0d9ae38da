//! The file system as a guest meets it, and attacks on it, each with a twin that succeeds when it is granted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test whose world cannot be set up has failed")]

mod archive;
mod conformance;
mod current;
mod differential;
mod full_disk;
mod host;
mod limits;
mod mounts;
mod overlay;
mod overlay_changes;
mod overlay_faults;
mod overlay_hostile;
mod overlay_kill;
mod overlay_laws;
mod races;
mod recording;
mod repeatable;
mod sqlite;
mod store;
mod world;
