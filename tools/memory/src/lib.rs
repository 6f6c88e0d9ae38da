//! The built-in tool `memory`: notes that are kept between calls.
//!
//! Goes in: names, texts, tags, words. Comes out: notes, or a sentence that says what to do. The bucket is behind [`Bucket`]. What
//! always holds: a note is one key, and nothing else is kept, so that no index can get out of step; a change is a
//! compare-and-swap, so that of two at once neither is lost; what a call reads and answers is bounded; what is in the bucket and
//! no note is passed over, and changed by [`forget`] alone.

pub mod bucket;
#[cfg(target_family = "wasm")]
mod guest;

mod forget;
mod get;
mod list;
mod name;
mod note;
mod put;
mod search;
mod walk;
mod words;

pub use bucket::{Bucket, Failure, Page, Swapped};
pub use forget::forget;
pub use get::{Found, get};
pub use list::{Entry, ListRequest, Listing, list};
pub use put::{Action, IfExists, Kept, PutRequest, put};
pub use search::{Hit, SearchRequest, SearchResult, search};
