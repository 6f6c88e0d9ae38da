//! The file system as a guest meets it, and attacks on it, each with a twin that succeeds when it is granted.

mod conformance;
mod current;
mod differential;
mod host;
mod limits;
mod mounts;
mod races;
mod world;
