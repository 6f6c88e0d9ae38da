//! Buckets of keys and values, by name, whatever stands behind them.
//!
//! A [`Store`] holds buckets. Each of its methods takes the token of what was permitted, and does exactly that; which bucket and which
//! key it is, the token says. What always holds of every store:
//!
//! - Buckets are apart: no key of one is seen through another, whatever the names are made of.
//! - Keys and bucket names are taken as they are; none has a meaning.
//! - What was acknowledged lasts as long as the store does. What failed with [`Error::Unsure`] may have been done or not.
//! - [`Store::increment`] and [`Store::swap`] are atomic against every other user of the store, also in other processes.
//! - A store never holds more than its quota, where it has one.
//! - A value is bytes. [`Store::increment`] reads and writes the decimal text of a 64-bit number, in every store.
//! - A cursor may come from a guest. Whatever it says, only keys of the permitted bucket come, and names that no rule could name do not.

mod error;
mod limit;
mod memory;
#[cfg(feature = "nats")]
mod nats;
mod number;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "redis", feature = "nats"))]
mod server;
mod sqlite;

use std::fmt::Debug;

use async_trait::async_trait;
use caplet_policy::{OpenBucket, Permitted, ReadKey, WriteKey};

pub use error::{Error, OpenError};
pub use limit::ENTRY_BYTES;
pub use memory::MemoryStore;
#[cfg(feature = "nats")]
pub use nats::NatsStore;
#[cfg(feature = "redis")]
pub use redis::RedisStore;
#[cfg(any(feature = "redis", feature = "nats"))]
pub use server::{Namespace, ServerOptions};
pub use sqlite::{SqliteOptions, SqliteStore};

/// How many keys a page of a listing has at most, or, where a server decides, about: enough that a listing of thousands takes some dozen
/// steps, and no more than 256 KiB of the longest keys.
const PAGE_KEYS: usize = 256;

/// Buckets by name.
#[async_trait]
pub trait Store: Send + Sync + Debug {
    /// Makes the bucket ready, if it has to be.
    async fn open(&self, permit: &Permitted<OpenBucket>) -> Result<(), Error>;

    /// The value of a key.
    async fn get(&self, permit: &Permitted<ReadKey>) -> Result<Option<Vec<u8>>, Error>;

    /// Whether a key has a value.
    async fn exists(&self, permit: &Permitted<ReadKey>) -> Result<bool, Error>;

    /// Gives a key a value, in place of any that it has.
    async fn set(&self, permit: &Permitted<WriteKey>, value: Vec<u8>) -> Result<(), Error>;

    /// Takes the value of a key away, if it has one.
    async fn delete(&self, permit: &Permitted<WriteKey>) -> Result<(), Error>;

    /// Some keys of the bucket, from the start or from where an earlier page ended. Every key that was there from the first page to
    /// the last comes at least once; one that comes or goes meanwhile may come or not.
    async fn keys(&self, permit: &Permitted<OpenBucket>, from: Option<&Cursor>) -> Result<Page, Error>;

    /// Adds to the number that a key has, as decimal text; a key without a value has zero. Gives the sum.
    ///
    /// # Errors
    ///
    /// [`Error::NotANumber`], also where the sum would be none.
    async fn increment(&self, permit: &Permitted<WriteKey>, delta: i64) -> Result<i64, Error>;

    /// The value of a key, with the moment at which it was that.
    async fn look(&self, permit: &Permitted<ReadKey>) -> Result<Seen, Error>;

    /// Gives a key a value if nothing has happened to it since it was looked at. Says whether it did.
    async fn swap(&self, permit: &Permitted<WriteKey>, seen: &Seen, value: Vec<u8>) -> Result<bool, Error>;

    /// What it is, for the operator: `memory`, `SQLite file /srv/notes.db`. Never with a password.
    fn describe(&self) -> String;
}

/// Whether a text that a store holds as a key is one that a rule could name. Another program may have put anything there.
fn is_key(bucket: &str, key: &str) -> bool {
    ReadKey::new(bucket, key).is_ok()
}

/// Where a listing goes on. Each store has its own meaning for it; [`Error::BadCursor`] is for one that has none there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A part of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys, in no order. There may be none, and yet more to come.
    pub keys: Vec<String>,
    /// Where to go on; nothing at the end.
    pub next: Option<Cursor>,
}

/// The value of a key at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The value, if it had one.
    pub value: Option<Vec<u8>>,
    /// By what the store tells this moment from later ones: a version, or nothing where it compares values.
    pub version: Option<u64>,
}
