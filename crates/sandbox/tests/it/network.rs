//! `wasi:http` with real servers: what a grant opens, and what nothing opens.

mod probe;
mod redirects;
mod requests;
mod secrets;
