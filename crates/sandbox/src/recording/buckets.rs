//! Key-value buckets: what each op gave, as notes.

use std::sync::Arc;

use async_trait::async_trait;
use caplet_keyvalue::{Cursor, Error, Page, Seen, Store};
use caplet_policy::{OpenBucket, Permitted, ReadKey, WriteKey};
use serde::{Deserialize, Serialize};

use super::recorder::Recorder;
use crate::capability::keyvalue::BucketSource;

/// What a call saw of buckets.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeyValueNotes(pub(super) Vec<SeenOp>);

impl KeyValueNotes {
    pub(super) fn push(&mut self, op: SeenOp) {
        self.0.push(op);
    }

    /// The values, always in the same order.
    pub(super) fn contents(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        self.0.iter_mut().filter_map(|op| match &mut op.gave {
            Gave::Value { bytes, .. } => Some(bytes),
            _ => None,
        })
    }
}

/// One op, and what it gave.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenOp {
    pub(super) bucket: String,
    pub(super) verb: Verb,
    /// The key, or where a listing goes on.
    pub(super) key: String,
    pub(super) gave: Gave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verb {
    Store,
    Open,
    Get,
    Exists,
    Set,
    Delete,
    Keys,
    Increment,
    Look,
    Swap,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Gave {
    /// It was done.
    Done,
    /// No value, with the version of that.
    Nothing {
        version: Option<u64>,
    },
    /// A value, with its version.
    Value {
        #[serde(skip)]
        bytes: Vec<u8>,
        version: Option<u64>,
    },
    Flag(bool),
    Number(i64),
    Keys {
        keys: Vec<String>,
        next: Option<String>,
    },
    Failed(Failure),
}

/// [`Error`], as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Failure {
    NoBucket,
    Full,
    NotANumber,
    BadCursor,
    Unavailable(String),
    Unsure(String),
}

impl SeenOp {
    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let gave = match &self.gave {
            Gave::Value { bytes, .. } => bytes.len(),
            Gave::Keys { keys, .. } => keys.iter().map(|key| key.len() + 24).sum(),
            _ => 0,
        };
        self.bucket.len() + self.key.len() + gave
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        match error {
            Error::NoBucket => Self::NoBucket,
            Error::Full => Self::Full,
            Error::NotANumber => Self::NotANumber,
            Error::BadCursor => Self::BadCursor,
            Error::Unsure(why) => Self::Unsure(why.clone()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoBucket => Self::NoBucket,
            Failure::Full => Self::Full,
            Failure::NotANumber => Self::NotANumber,
            Failure::BadCursor => Self::BadCursor,
            Failure::Unavailable(why) => Self::Unavailable(why),
            Failure::Unsure(why) => Self::Unsure(why),
        }
    }
}

/// A value, or none, with its version.
pub(super) fn gave_value(value: Option<Vec<u8>>, version: Option<u64>) -> Gave {
    match value {
        Some(bytes) => Gave::Value { bytes, version },
        None => Gave::Nothing { version },
    }
}

/// Notes what buckets give.
#[derive(Debug)]
pub(super) struct NotingBuckets {
    pub(super) buckets: Arc<dyn BucketSource>,
    pub(super) recorder: Arc<Recorder>,
}

#[async_trait]
impl BucketSource for NotingBuckets {
    async fn store(&self, bucket: &str) -> Result<Arc<dyn Store>, Error> {
        let found = self.buckets.store(bucket).await;
        let gave = found.as_ref().map_or_else(|error| Gave::Failed(error.into()), |_| Gave::Done);
        self.recorder.bucket(SeenOp { bucket: bucket.to_owned(), verb: Verb::Store, key: String::new(), gave });
        Ok(Arc::new(NotingStore { store: found?, recorder: Arc::clone(&self.recorder) }))
    }
}

#[derive(Debug)]
struct NotingStore {
    store: Arc<dyn Store>,
    recorder: Arc<Recorder>,
}

impl NotingStore {
    fn note<T>(
        &self,
        bucket: &str,
        verb: Verb,
        key: &str,
        done: Result<T, Error>,
        gave: impl FnOnce(&T) -> Gave,
    ) -> Result<T, Error> {
        let gave = done.as_ref().map_or_else(|error| Gave::Failed(error.into()), gave);
        self.recorder.bucket(SeenOp { bucket: bucket.to_owned(), verb, key: key.to_owned(), gave });
        done
    }
}

#[async_trait]
impl Store for NotingStore {
    async fn open(&self, permit: &Permitted<OpenBucket>) -> Result<(), Error> {
        let done = self.store.open(permit).await;
        self.note(permit.op().bucket(), Verb::Open, "", done, |()| Gave::Done)
    }

    async fn get(&self, permit: &Permitted<ReadKey>) -> Result<Option<Vec<u8>>, Error> {
        let done = self.store.get(permit).await;
        self.note(permit.op().bucket(), Verb::Get, permit.op().key(), done, |value| gave_value(value.clone(), None))
    }

    async fn exists(&self, permit: &Permitted<ReadKey>) -> Result<bool, Error> {
        let done = self.store.exists(permit).await;
        self.note(permit.op().bucket(), Verb::Exists, permit.op().key(), done, |flag| Gave::Flag(*flag))
    }

    async fn set(&self, permit: &Permitted<WriteKey>, value: Vec<u8>) -> Result<(), Error> {
        let done = self.store.set(permit, value).await;
        self.note(permit.op().bucket(), Verb::Set, permit.op().key(), done, |()| Gave::Done)
    }

    async fn delete(&self, permit: &Permitted<WriteKey>) -> Result<(), Error> {
        let done = self.store.delete(permit).await;
        self.note(permit.op().bucket(), Verb::Delete, permit.op().key(), done, |()| Gave::Done)
    }

    async fn keys(&self, permit: &Permitted<OpenBucket>, from: Option<&Cursor>) -> Result<Page, Error> {
        let done = self.store.keys(permit, from).await;
        let from = from.map_or("", |from| from.0.as_str());
        self.note(permit.op().bucket(), Verb::Keys, from, done, |page| Gave::Keys {
            keys: page.keys.clone(),
            next: page.next.as_ref().map(|next| next.0.clone()),
        })
    }

    async fn increment(&self, permit: &Permitted<WriteKey>, delta: i64) -> Result<i64, Error> {
        let done = self.store.increment(permit, delta).await;
        self.note(permit.op().bucket(), Verb::Increment, permit.op().key(), done, |sum| Gave::Number(*sum))
    }

    async fn look(&self, permit: &Permitted<ReadKey>) -> Result<Seen, Error> {
        let done = self.store.look(permit).await;
        let gave = |seen: &Seen| gave_value(seen.value.clone(), seen.version);
        self.note(permit.op().bucket(), Verb::Look, permit.op().key(), done, gave)
    }

    async fn swap(&self, permit: &Permitted<WriteKey>, seen: &Seen, value: Vec<u8>) -> Result<bool, Error> {
        let done = self.store.swap(permit, seen, value).await;
        self.note(permit.op().bucket(), Verb::Swap, permit.op().key(), done, |flag| Gave::Flag(*flag))
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}
