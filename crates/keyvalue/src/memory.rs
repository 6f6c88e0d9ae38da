//! Buckets in memory: gone with the store.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use caplet_policy::{Allowance, OpenBucket, Permitted, ReadKey, WriteKey};

use crate::limit::{bytes, entry_bytes};
use crate::{Cursor, Error, PAGE_KEYS, Page, Seen, Store, number};

/// Buckets in memory.
pub struct MemoryStore {
    allowance: Allowance,
    ttl: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    buckets: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Entry>>,
    /// Which entry was set at which version, where entries expire. All live equally long, so the first is the next to go.
    by_age: BTreeMap<u64, (Arc<str>, Arc<str>)>,
    /// The version that was last given; none comes twice.
    version: u64,
}

struct Entry {
    value: Arc<[u8]>,
    version: u64,
    expires: Option<Instant>,
}

impl Entry {
    fn is_live(&self) -> bool {
        self.expires.is_none_or(|at| at > Instant::now())
    }
}

impl MemoryStore {
    /// An empty store that never holds more than `quota` bytes of bucket names, keys and values, each entry with
    /// [`ENTRY_BYTES`](crate::ENTRY_BYTES) besides. Values stay until they are deleted.
    #[must_use]
    pub fn new(quota: u64) -> Self {
        Self::within(Allowance::new(quota))
    }

    /// The same for `allowance`, which may be a part of what several stores have together. It gets all back with the store.
    #[must_use]
    pub fn within(allowance: Allowance) -> Self {
        Self { allowance, ttl: None, state: Mutex::default() }
    }

    /// The same store, whose values go away `ttl` after they were set. A time that no clock reaches is none.
    #[must_use]
    pub fn with_ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below panics half way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, state: &mut State, bucket: &str, key: &str, value: Arc<[u8]>) -> Result<(), Error> {
        self.allowance.give_back(state.forget_expired());
        // What is taken out makes room, unless somebody else takes it at that moment: so first what is more, and then the exchange.
        let before = state.bytes(bucket, key);
        let after = entry_bytes(bucket, key, bytes(value.len()));
        if !self.allowance.take(after.saturating_sub(before)) {
            return Err(Error::Full);
        }
        self.allowance.give_back(before.saturating_sub(after));
        state.remove(bucket, key);
        state.version += 1;
        let expires = self.ttl.and_then(|ttl| Instant::now().checked_add(ttl));
        let (bucket, key): (Arc<str>, Arc<str>) = (bucket.into(), key.into());
        if expires.is_some() {
            state.by_age.insert(state.version, (Arc::clone(&bucket), Arc::clone(&key)));
        }
        let entry = Entry { value, version: state.version, expires };
        state.buckets.entry(bucket).or_default().insert(key, entry);
        Ok(())
    }
}

impl State {
    fn entry(&self, bucket: &str, key: &str) -> Option<&Entry> {
        self.buckets.get(bucket)?.get(key).filter(|entry| entry.is_live())
    }

    /// What an entry counts for that is there, also if it has expired.
    fn bytes(&self, bucket: &str, key: &str) -> u64 {
        let entry = self.buckets.get(bucket).and_then(|keys| keys.get(key));
        entry.map_or(0, |entry| entry_bytes(bucket, key, bytes(entry.value.len())))
    }

    /// Takes an entry out, and gives what it counted for.
    fn remove(&mut self, bucket: &str, key: &str) -> u64 {
        let Some(keys) = self.buckets.get_mut(bucket) else { return 0 };
        let Some(entry) = keys.remove(key) else { return 0 };
        if keys.is_empty() {
            self.buckets.remove(bucket);
        }
        self.by_age.remove(&entry.version);
        entry_bytes(bucket, key, bytes(entry.value.len()))
    }

    /// Takes out what has expired, and gives what that counted for.
    fn forget_expired(&mut self) -> u64 {
        let mut freed: u64 = 0;
        while let Some((_version, (bucket, key))) = self.by_age.first_key_value() {
            if self.entry(bucket, key).is_some() {
                break;
            }
            let (bucket, key) = (Arc::clone(bucket), Arc::clone(key));
            freed = freed.saturating_add(self.remove(&bucket, &key));
        }
        freed
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn open(&self, _permit: &Permitted<OpenBucket>) -> Result<(), Error> {
        Ok(())
    }

    async fn get(&self, permit: &Permitted<ReadKey>) -> Result<Option<Vec<u8>>, Error> {
        let op = permit.op();
        let value = self.state().entry(op.bucket(), op.key()).map(|entry| Arc::clone(&entry.value));
        Ok(value.map(|value| value.to_vec()))
    }

    async fn exists(&self, permit: &Permitted<ReadKey>) -> Result<bool, Error> {
        let op = permit.op();
        Ok(self.state().entry(op.bucket(), op.key()).is_some())
    }

    async fn set(&self, permit: &Permitted<WriteKey>, value: Vec<u8>) -> Result<(), Error> {
        let op = permit.op();
        self.put(&mut self.state(), op.bucket(), op.key(), value.into())
    }

    async fn delete(&self, permit: &Permitted<WriteKey>) -> Result<(), Error> {
        let op = permit.op();
        let mut state = self.state();
        self.allowance.give_back(state.remove(op.bucket(), op.key()));
        Ok(())
    }

    async fn keys(&self, permit: &Permitted<OpenBucket>, from: Option<&Cursor>) -> Result<Page, Error> {
        let state = self.state();
        let Some(keys) = state.buckets.get(permit.op().bucket()) else { return Ok(Page::default()) };
        let start = from.map_or(Bound::Unbounded, |Cursor(last)| Bound::Excluded(last.as_str()));
        let mut rest = keys.range::<str, _>((start, Bound::Unbounded)).filter(|(_, entry)| entry.is_live());
        let keys: Vec<String> = rest.by_ref().take(PAGE_KEYS).map(|(key, _)| key.to_string()).collect();
        let next = rest.next().and_then(|_more| keys.last().cloned()).map(Cursor);
        Ok(Page { keys, next })
    }

    async fn increment(&self, permit: &Permitted<WriteKey>, delta: i64) -> Result<i64, Error> {
        let op = permit.op();
        let mut state = self.state();
        let sum = number::sum(state.entry(op.bucket(), op.key()).map(|entry| &*entry.value), delta)?;
        self.put(&mut state, op.bucket(), op.key(), sum.to_string().into_bytes().into())?;
        Ok(sum)
    }

    async fn look(&self, permit: &Permitted<ReadKey>) -> Result<Seen, Error> {
        let op = permit.op();
        let seen = self.state().entry(op.bucket(), op.key()).map(|entry| (Arc::clone(&entry.value), entry.version));
        let (value, version) = seen.unzip();
        Ok(Seen { value: value.map(|value| value.to_vec()), version })
    }

    async fn swap(&self, permit: &Permitted<WriteKey>, seen: &Seen, value: Vec<u8>) -> Result<bool, Error> {
        let op = permit.op();
        let mut state = self.state();
        if state.entry(op.bucket(), op.key()).map(|entry| entry.version) != seen.version {
            return Ok(false);
        }
        self.put(&mut state, op.bucket(), op.key(), value.into())?;
        Ok(true)
    }

    fn describe(&self) -> String {
        "memory".into()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { allowance, ttl, state: _ } = self;
        f.debug_struct("MemoryStore").field("allowance", allowance).field("ttl", ttl).finish_non_exhaustive()
    }
}
