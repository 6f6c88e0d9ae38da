//! `wasi:keyvalue` and `wasi:config`, as guests reach them: raw, in every draft, with stores that work and stores that do not.

mod config;
mod denied;
mod granted;
mod limits;
mod listing;
pub mod probe;
mod stores;
