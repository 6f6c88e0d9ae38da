//! Key-value buckets: what each op gave, in the order of the ops on each key, or that again.
//!
//! In a replay, what the guest itself wrote goes before what is known of a key that it did not read in the recorded call.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caplet_keyvalue::{Cursor, Error, Page, Seen, Store};
use caplet_policy::{OpenBucket, Permitted, ReadKey, WriteKey};
use caplet_vfs::recording::Unknown;
use serde::{Deserialize, Serialize};

use super::recorder::Recorder;
use crate::capability::keyvalue::BucketSource;
use crate::engine::lock;

/// What a call saw of buckets.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeyValueNotes(Vec<SeenOp>);

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
    bucket: String,
    verb: Verb,
    /// The key, or where a listing goes on.
    key: String,
    gave: Gave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verb {
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
enum Gave {
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
enum Failure {
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

fn gave_value(value: Option<Vec<u8>>, version: Option<u64>) -> Gave {
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

/// Buckets as far as the recorded call knew them.
#[derive(Debug)]
pub(super) struct NotedBuckets(Arc<NotedStore>);

impl NotedBuckets {
    pub(super) fn new(notes: KeyValueNotes, unknown: &Arc<Unknown>) -> Self {
        let mut rows: HashMap<Asked, VecDeque<Gave>> = HashMap::new();
        for SeenOp { bucket, verb, key, gave } in notes.0 {
            rows.entry((bucket, verb, key)).or_default().push_back(gave);
        }
        Self(Arc::new(NotedStore { rows: Mutex::new(rows), unknown: Arc::clone(unknown), own: Mutex::default() }))
    }
}

#[async_trait]
impl BucketSource for NotedBuckets {
    async fn store(&self, bucket: &str) -> Result<Arc<dyn Store>, Error> {
        match self.0.next(bucket, Verb::Store, "") {
            Some(Gave::Failed(failure)) => Err(failure.into()),
            Some(_) => Ok(Arc::clone(&self.0) as _),
            None => {
                self.0.unknown.note(format!("kv-read {bucket}"));
                Err(Error::NoBucket)
            }
        }
    }
}

/// A bucket, an op, and a key.
type Asked = (String, Verb, String);

#[derive(Debug)]
struct NotedStore {
    rows: Mutex<HashMap<Asked, VecDeque<Gave>>>,
    /// What the guest of the replay wrote.
    own: Mutex<HashMap<(String, String), Option<Vec<u8>>>>,
    unknown: Arc<Unknown>,
}

impl NotedStore {
    /// What the next op of this kind gave. The last one is what holds from then on.
    fn next(&self, bucket: &str, verb: Verb, key: &str) -> Option<Gave> {
        let mut rows = lock(&self.rows);
        let row = rows.get_mut(&(bucket.to_owned(), verb, key.to_owned()))?;
        if row.len() > 1 { row.pop_front() } else { row.front().cloned() }
    }

    /// As [`NotedStore::next`], where each is there once.
    fn once(&self, bucket: &str, verb: Verb, key: &str) -> Option<Gave> {
        lock(&self.rows).get_mut(&(bucket.to_owned(), verb, key.to_owned()))?.pop_front()
    }

    /// The value of a key that was read in the recorded call, or that the guest wrote.
    fn value(&self, bucket: &str, verb: Verb, key: &str) -> Result<Seen, Error> {
        let own = || lock(&self.own).get(&(bucket.to_owned(), key.to_owned())).cloned();
        let known = self.once(bucket, verb, key);
        match known.map_or_else(|| own().map(|value| gave_value(value, None)), Some) {
            Some(Gave::Failed(failure)) => Err(failure.into()),
            Some(Gave::Value { bytes, version }) => Ok(Seen { value: Some(bytes), version }),
            Some(Gave::Nothing { version }) => Ok(Seen { value: None, version }),
            _ => Err(self.missing("kv-read", bucket, key)),
        }
    }

    fn missing(&self, verb: &str, bucket: &str, key: &str) -> Error {
        self.unknown.note(format!("{verb} {bucket}/{key}"));
        Error::Unavailable("the recording does not hold it".to_owned())
    }

    /// Writes, unless that failed in the recorded call.
    fn write(&self, verb: Verb, bucket: &str, key: &str, value: Option<Vec<u8>>) -> Result<(), Error> {
        if let Some(Gave::Failed(failure)) = self.once(bucket, verb, key) {
            return Err(failure.into());
        }
        lock(&self.own).insert((bucket.to_owned(), key.to_owned()), value);
        Ok(())
    }
}

#[async_trait]
impl Store for NotedStore {
    async fn open(&self, permit: &Permitted<OpenBucket>) -> Result<(), Error> {
        match self.next(permit.op().bucket(), Verb::Open, "") {
            Some(Gave::Failed(failure)) => Err(failure.into()),
            _ => Ok(()),
        }
    }

    async fn get(&self, permit: &Permitted<ReadKey>) -> Result<Option<Vec<u8>>, Error> {
        self.value(permit.op().bucket(), Verb::Get, permit.op().key()).map(|seen| seen.value)
    }

    async fn exists(&self, permit: &Permitted<ReadKey>) -> Result<bool, Error> {
        let (bucket, key) = (permit.op().bucket(), permit.op().key());
        match self.once(bucket, Verb::Exists, key) {
            Some(Gave::Flag(flag)) => Ok(flag),
            Some(Gave::Failed(failure)) => Err(failure.into()),
            _ => self.value(bucket, Verb::Get, key).map(|seen| seen.value.is_some()),
        }
    }

    async fn set(&self, permit: &Permitted<WriteKey>, value: Vec<u8>) -> Result<(), Error> {
        self.write(Verb::Set, permit.op().bucket(), permit.op().key(), Some(value))
    }

    async fn delete(&self, permit: &Permitted<WriteKey>) -> Result<(), Error> {
        self.write(Verb::Delete, permit.op().bucket(), permit.op().key(), None)
    }

    async fn keys(&self, permit: &Permitted<OpenBucket>, from: Option<&Cursor>) -> Result<Page, Error> {
        let from = from.map_or("", |from| from.0.as_str());
        match self.once(permit.op().bucket(), Verb::Keys, from) {
            Some(Gave::Keys { keys, next }) => Ok(Page { keys, next: next.map(Cursor) }),
            Some(Gave::Failed(failure)) => Err(failure.into()),
            _ => {
                self.unknown.note(format!("kv-read {}", permit.op().bucket()));
                Err(Error::Unavailable("the recording does not hold it".to_owned()))
            }
        }
    }

    async fn increment(&self, permit: &Permitted<WriteKey>, _delta: i64) -> Result<i64, Error> {
        let (bucket, key) = (permit.op().bucket(), permit.op().key());
        match self.once(bucket, Verb::Increment, key) {
            Some(Gave::Number(sum)) => Ok(sum),
            Some(Gave::Failed(failure)) => Err(failure.into()),
            _ => Err(self.missing("kv-write", bucket, key)),
        }
    }

    async fn look(&self, permit: &Permitted<ReadKey>) -> Result<Seen, Error> {
        self.value(permit.op().bucket(), Verb::Look, permit.op().key())
    }

    async fn swap(&self, permit: &Permitted<WriteKey>, _seen: &Seen, value: Vec<u8>) -> Result<bool, Error> {
        let (bucket, key) = (permit.op().bucket(), permit.op().key());
        match self.once(bucket, Verb::Swap, key) {
            Some(Gave::Flag(true)) => self.write(Verb::Swap, bucket, key, Some(value)).map(|()| true),
            Some(Gave::Flag(false)) => Ok(false),
            Some(Gave::Failed(failure)) => Err(failure.into()),
            _ => Err(self.missing("kv-write", bucket, key)),
        }
    }

    fn describe(&self) -> String {
        "recording".to_owned()
    }
}
