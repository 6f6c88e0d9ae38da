//! The interface's types. Both drafts have the same, but for the cursor.

use std::sync::{Arc, Mutex};

use caplet_keyvalue::{Cursor, Seen, Store};
use wasmtime::component::{ComponentType, Lower, Resource};

use crate::engine::lock;

/// `wasi:keyvalue/store.error`.
#[derive(Clone, Debug, ComponentType, Lower)]
#[component(variant)]
pub(super) enum StoreError {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

impl StoreError {
    pub(super) fn other(text: &str) -> Self {
        Self::Other(text.to_owned())
    }
}

/// `wasi:keyvalue/store.key-response`, with the cursor of either draft.
#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub(super) struct KeyResponse<C> {
    pub(super) keys: Vec<String>,
    pub(super) cursor: Option<C>,
}

/// `wasi:keyvalue/atomics.cas-error`.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(super) enum CasError {
    #[component(name = "store-error")]
    StoreError(StoreError),
    #[component(name = "cas-failed")]
    CasFailed(Resource<Cas>),
}

/// An open bucket.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) name: Arc<str>,
    pub(super) store: Arc<dyn Store>,
    /// Where listings of the first draft go on, whose cursors are numbers: places in this list.
    numbered: Arc<Mutex<Vec<Cursor>>>,
}

impl Bucket {
    pub(super) fn new(name: &str, store: Arc<dyn Store>) -> Self {
        Self { name: name.into(), store, numbered: Arc::default() }
    }

    /// A number for `cursor`. There are no more of them than there were listings, which are counted.
    pub(super) fn number(&self, cursor: Cursor) -> u64 {
        let mut numbered = lock(&self.numbered);
        numbered.push(cursor);
        u64::try_from(numbered.len() - 1).unwrap_or(u64::MAX)
    }

    /// The cursor that was given this number.
    pub(super) fn numbered(&self, number: u64) -> Option<Cursor> {
        lock(&self.numbered).get(usize::try_from(number).ok()?).cloned()
    }
}

/// A key as it was at a moment.
#[derive(Clone, Debug)]
pub(super) struct Cas {
    pub(super) bucket: Bucket,
    pub(super) key: String,
    pub(super) seen: Seen,
}
