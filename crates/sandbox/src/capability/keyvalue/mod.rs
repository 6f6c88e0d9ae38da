//! `wasi:keyvalue`: buckets by name.
//!
//! Every function goes one way: count the op, decide on the bucket or the key, act on the store with the token of that decision
//! ([`KeyValueGate`]). What always holds: a bucket that no rule is about is not even looked for; a key that no rule permits is not in a
//! listing, and nothing in it depends on such keys; a guest hears what kind of failure it was and nothing about the host.
//!
//! Two drafts of the standard are in use that no guest can mix up, so both are offered: `0.2.0-draft`, and `0.2.0-draft2` with
//! compare-and-swap and with cursors as text. `watcher` is not: it calls a guest that stays, and here none does.

mod gate;
mod link;
mod listing;
mod types;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use caplet_keyvalue::{Error, Store};

pub(crate) use gate::KeyValueGate;
pub(super) use link::link;

/// Where buckets are.
#[async_trait]
pub trait BucketSource: Send + Sync + Debug {
    /// The store that holds the bucket of this name. Asked for once a rule permits the bucket.
    ///
    /// # Errors
    ///
    /// [`Error::NoBucket`] where nothing stands behind the name; else why its store cannot be used.
    async fn store(&self, bucket: &str) -> Result<Arc<dyn Store>, Error>;

    /// Whether the bucket is the call's own: empty when the call begins, gone with it, and without a time after which values expire. A
    /// deterministic call is refused any other.
    fn is_of_call(&self, _bucket: &str) -> bool {
        false
    }
}
