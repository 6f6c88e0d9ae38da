//! Calls of real WebAssembly through the public surface of the sandbox: how each ends, and what it may do meanwhile.

mod ends;
mod files;
mod harness;
mod limits;
mod typed;
mod world;
