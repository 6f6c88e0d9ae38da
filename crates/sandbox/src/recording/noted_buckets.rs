//! Buckets from notes.
//!
//! Each op gives what it gave, in the order of the ops on each key. What the guest itself wrote goes before what is known of a key that it did
//! not read in the recorded call.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caplet_keyvalue::{Cursor, Error, Page, Seen, Store};
use caplet_policy::{OpenBucket, Permitted, ReadKey, WriteKey};
use caplet_vfs::recording::Unknown;

use super::buckets::{Gave, KeyValueNotes, SeenOp, Verb, gave_value};
use crate::capability::keyvalue::BucketSource;
use crate::engine::lock;

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

/// A bucket, and a key.
type Key = (String, String);

/// A bucket, an op, and a key.
type Asked = (String, Verb, String);

#[derive(Debug)]
struct NotedStore {
    rows: Mutex<HashMap<Asked, VecDeque<Gave>>>,
    /// What the guest of the replay wrote.
    own: Mutex<HashMap<Key, Option<Vec<u8>>>>,
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
