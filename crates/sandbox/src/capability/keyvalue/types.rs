//! The interface's types. Both drafts have the same, but for the cursor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caplet_keyvalue::{Seen, Store};
use wasmtime::component::{ComponentType, Lower, Resource};

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
}

impl Bucket {
    pub(super) fn new(name: &str, store: Arc<dyn Store>) -> Self {
        Self { name: name.into(), store }
    }
}

/// A key as it was at a moment.
#[derive(Debug)]
pub(super) struct Cas {
    pub(super) bucket: Bucket,
    pub(super) key: String,
    pub(super) seen: Seen,
    /// Its value counts as long as the guest holds it.
    pub(super) _held: Held,
}

impl Cas {
    /// Which key it is. What it was then is given back.
    pub(super) fn into_place(self) -> (Bucket, String) {
        (self.bucket, self.key)
    }
}

/// Bytes that are held for a guest, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<AtomicU64>,
    bytes: u64,
}

impl Held {
    /// Adds `bytes` to `all`, unless that would be more than `most`.
    pub(super) fn new(all: &Arc<AtomicU64>, bytes: u64, most: u64) -> Option<Self> {
        let more = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= most);
        all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self { all: Arc::clone(all), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
