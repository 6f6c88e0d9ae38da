//! The one way to a bucket: count, decide, act.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use caplet_audit::ErrorKind;
use caplet_keyvalue::Error;
use caplet_policy::{
    Guard, Journal, KeyValueOp, KeyValueSection, OpError, OpenBucket, Permitted, ReadKey, WriteKey, quote,
};

use super::BucketSource;
use super::listing::{Listing, Listings, Place, SHOWN, Shown};
use super::types::{Bucket, Cas, Held, StoreError};
use crate::asking::{Asking, permit};
use crate::code::Notice;
use crate::counts::{Counted, Counts};
use crate::determinism::NO_SHARED_BUCKETS;
use crate::engine::lock;
use crate::error::LimitHit;
use crate::invocation::Invocation;

/// The most that the host holds of values at a time for one call, in bytes, whatever the memory limit: as much as a guest may hand
/// over at a time under the default limits.
const MOST_HELD: u64 = 64 << 20;

/// What one call may do with buckets.
#[derive(Debug)]
pub(crate) struct KeyValueGate {
    guard: Guard<KeyValueSection>,
    asking: Option<Arc<Asking>>,
    deterministic: bool,
    journal: Arc<Journal>,
    source: Option<Arc<dyn BucketSource>>,
    counts: Arc<Counts>,
    value_bytes: u64,
    /// The most that one answer with many values has, and that all handles for compare-and-swap hold, in bytes.
    held_bytes: u64,
    held: Arc<AtomicU64>,
    listings: Mutex<Listings>,
    exceeded: OnceLock<LimitHit>,
    trouble: Trouble,
}

/// What the host hears of a store that fails: once a call, and why, which is not for the guest.
struct Trouble {
    notice: Option<Notice>,
    told: AtomicBool,
}

impl Trouble {
    fn tell(&self, bucket: &str, error: &Error) {
        if let Some(notice) = &self.notice
            && matches!(error, Error::Unavailable(_) | Error::Unsure(_))
            && !self.told.swap(true, Ordering::Relaxed)
        {
            notice(&format!("the key-value bucket {} failed: {error}", quote(bucket)));
        }
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trouble").field("told", &self.told).finish_non_exhaustive()
    }
}

type Answer<T> = Result<T, StoreError>;

impl KeyValueGate {
    pub(crate) fn new(invocation: &Invocation, notice: Option<Notice>, counts: &Arc<Counts>) -> Self {
        let Invocation { policy, journal, limits, buckets, asking, deterministic, .. } = invocation;
        Self {
            guard: policy.guard(journal),
            asking: asking.clone(),
            deterministic: deterministic.is_some(),
            journal: Arc::clone(journal),
            source: buckets.clone(),
            counts: Arc::clone(counts),
            value_bytes: limits.kv_value,
            held_bytes: limits.memory.min(MOST_HELD.max(limits.kv_value)),
            held: Arc::default(),
            listings: Mutex::default(),
            exceeded: OnceLock::new(),
            trouble: Trouble { notice, told: AtomicBool::new(false) },
        }
    }

    /// The gate of the next call of a session: with its own counts, and with what the instance still holds.
    pub(crate) fn renewed(&self, invocation: &Invocation, counts: &Arc<Counts>) -> Self {
        Self { held: Arc::clone(&self.held), ..Self::new(invocation, self.trouble.notice.clone(), counts) }
    }

    /// The limit that the call ran into, if it did.
    pub(crate) fn exceeded(&self) -> Option<LimitHit> {
        self.exceeded.get().cloned()
    }

    pub(super) async fn open(&self, name: &str) -> Answer<Bucket> {
        self.count()?;
        let permit = self.check(OpenBucket::new(name), || format!("kv-read {name}"), StoreError::NoSuchStore).await?;
        let source = self.source.as_ref().ok_or(StoreError::NoSuchStore)?;
        if self.deterministic && !source.is_of_call(name) {
            self.guard.refuse(permit.into_op(), NO_SHARED_BUCKETS);
            return Err(StoreError::AccessDenied);
        }
        let store = source.store(name).await.map_err(|error| self.told(name, error))?;
        store.open(&permit).await.map_err(|error| self.told(name, error))?;
        Ok(Bucket::new(name, store))
    }

    pub(super) async fn get(&self, bucket: &Bucket, key: &str) -> Answer<Option<Vec<u8>>> {
        let permit = self.read(bucket, key).await?;
        let value = bucket.store.get(&permit).await.map_err(|error| self.told(&bucket.name, error))?;
        value.map(|value| self.fitting(value)).transpose()
    }

    pub(super) async fn exists(&self, bucket: &Bucket, key: &str) -> Answer<bool> {
        let permit = self.read(bucket, key).await?;
        bucket.store.exists(&permit).await.map_err(|error| self.told(&bucket.name, error))
    }

    pub(super) async fn set(&self, bucket: &Bucket, key: &str, value: Vec<u8>) -> Answer<()> {
        let permit = self.write(bucket, key).await?;
        let value = self.fitting(value)?;
        bucket.store.set(&permit, value).await.map_err(|error| self.told(&bucket.name, error))
    }

    pub(super) async fn delete(&self, bucket: &Bucket, key: &str) -> Answer<()> {
        let permit = self.write(bucket, key).await?;
        bucket.store.delete(&permit).await.map_err(|error| self.told(&bucket.name, error))
    }

    /// Keys of the bucket that a rule permits to read, and a number to go on with if there are more of those.
    ///
    /// How many keys come, and whether there are more, depends on nothing but the keys that may be read. Counted is what the guest
    /// asked for: how many pages of the store that took would tell it of the others. The call's deadline bounds them.
    pub(super) async fn keys(&self, bucket: &Bucket, from: Option<u64>) -> Answer<Shown> {
        self.count()?;
        let open = OpenBucket::new(&bucket.name);
        let permit = self.check(open, || format!("kv-read {}", bucket.name), StoreError::NoSuchStore).await?;
        let Listing { mut keys, mut place } = match from {
            None => Listing::default(),
            Some(number) => lock(&self.listings).get(&bucket.name, number).ok_or_else(no_cursor)?,
        };
        // One more than is shown says that there are more.
        while keys.len() <= SHOWN {
            let from = match &place {
                Place::Start => None,
                Place::After(cursor) => Some(cursor),
                Place::End => break,
            };
            let page = bucket.store.keys(&permit, from).await.map_err(|error| self.told(&bucket.name, error))?;
            keys.extend(page.keys.into_iter().filter(|key| self.is_shown(bucket, key)));
            place = page.next.map_or(Place::End, Place::After);
            // A store that answers at once must not keep the deadline from being looked at.
            tokio::task::yield_now().await;
        }
        if keys.len() <= SHOWN {
            return Ok(Shown { keys, next: None });
        }
        let rest = Listing { keys: keys.split_off(SHOWN), place };
        Ok(Shown { keys, next: Some(lock(&self.listings).keep(&bucket.name, rest)) })
    }

    fn is_shown(&self, bucket: &Bucket, key: &str) -> bool {
        ReadKey::new(&bucket.name, key).is_ok_and(|read| self.guard.would_permit(&read))
    }

    pub(super) async fn increment(&self, bucket: &Bucket, key: &str, delta: i64) -> Answer<i64> {
        let permit = self.write(bucket, key).await?;
        bucket.store.increment(&permit, delta).await.map_err(|error| self.told(&bucket.name, error))
    }

    pub(super) async fn look(&self, bucket: &Bucket, key: &str) -> Answer<Cas> {
        let permit = self.read(bucket, key).await?;
        let mut seen = bucket.store.look(&permit).await.map_err(|error| self.told(&bucket.name, error))?;
        seen.value = seen.value.map(|value| self.fitting(value)).transpose()?;
        let bytes = seen.value.as_ref().map_or(0, |value| size(value));
        let held = Held::new(&self.held, bytes, self.held_bytes).ok_or_else(too_much_held)?;
        Ok(Cas { bucket: bucket.clone(), key: key.to_owned(), seen, _held: held })
    }

    /// Whether the key got the value.
    pub(super) async fn swap(&self, cas: &Cas, value: Vec<u8>) -> Answer<bool> {
        let permit = self.write(&cas.bucket, &cas.key).await?;
        let value = self.fitting(value)?;
        cas.bucket.store.swap(&permit, &cas.seen, value).await.map_err(|error| self.told(&cas.bucket.name, error))
    }

    /// The values of `keys`, each decided on by itself. One that is refused refuses all.
    pub(super) async fn get_many(&self, bucket: &Bucket, keys: Vec<String>) -> Answer<Vec<(String, Option<Vec<u8>>)>> {
        let mut permits = Vec::with_capacity(keys.len());
        for key in &keys {
            permits.push(self.read(bucket, key).await?);
        }
        let mut left = self.held_bytes;
        let mut values = Vec::with_capacity(keys.len());
        for (key, permit) in keys.into_iter().zip(permits) {
            let value = bucket.store.get(&permit).await.map_err(|error| self.told(&bucket.name, error))?;
            let value = value.map(|value| self.fitting(value)).transpose()?;
            left = left.checked_sub(value.as_ref().map_or(0, |value| size(value))).ok_or_else(too_much)?;
            values.push((key, value));
        }
        Ok(values)
    }

    /// Sets all, in their order. Nothing is done where one of them is refused.
    pub(super) async fn set_many(&self, bucket: &Bucket, values: Vec<(String, Vec<u8>)>) -> Answer<()> {
        let mut permits = Vec::with_capacity(values.len());
        for (key, value) in values {
            permits.push((self.write(bucket, &key).await?, self.fitting(value)?));
        }
        for (permit, value) in permits {
            bucket.store.set(&permit, value).await.map_err(|error| self.told(&bucket.name, error))?;
        }
        Ok(())
    }

    /// Deletes all, in their order. Nothing is done where one of them is refused.
    pub(super) async fn delete_many(&self, bucket: &Bucket, keys: Vec<String>) -> Answer<()> {
        let mut permits = Vec::with_capacity(keys.len());
        for key in &keys {
            permits.push(self.write(bucket, key).await?);
        }
        for permit in permits {
            bucket.store.delete(&permit).await.map_err(|error| self.told(&bucket.name, error))?;
        }
        Ok(())
    }

    async fn read(&self, bucket: &Bucket, key: &str) -> Answer<Permitted<ReadKey>> {
        self.count()?;
        let asked = || format!("kv-read {}/{key}", bucket.name);
        self.check(ReadKey::new(&bucket.name, key), asked, StoreError::other("this is no key")).await
    }

    async fn write(&self, bucket: &Bucket, key: &str) -> Answer<Permitted<WriteKey>> {
        self.count()?;
        let asked = || format!("kv-write {}/{key}", bucket.name);
        self.check(WriteKey::new(&bucket.name, key), asked, StoreError::other("this is no key")).await
    }

    /// Decides, after what has to be asked. What is no op at all is on record as `asked`, and `invalid` to the guest.
    async fn check<O: Clone + Into<KeyValueOp>>(
        &self,
        op: Result<O, OpError>,
        asked: impl Fn() -> String,
        invalid: StoreError,
    ) -> Answer<Permitted<O>> {
        let op = op.map_err(|error| {
            self.journal.refuse("wasi:keyvalue", &asked(), &error.to_string());
            invalid
        })?;
        permit(&self.guard, self.asking.as_deref(), op).await.map_err(|_denied| StoreError::AccessDenied)
    }

    fn count(&self) -> Answer<()> {
        let Err(full) = self.counts.take(Counted::KeyValueOps) else { return Ok(()) };
        let message = format!("{} did more than {} operations on key-value buckets", full.who(), full.most);
        Err(self.exceed(LimitHit::new(ErrorKind::Quota, message, "kv-ops"), "too many operations"))
    }

    /// A value, if it is not too large, whoever wrote it.
    fn fitting(&self, value: Vec<u8>) -> Answer<Vec<u8>> {
        if size(&value) <= self.value_bytes {
            return Ok(value);
        }
        let message = format!("a value in a key-value bucket was longer than {} bytes", self.value_bytes);
        Err(self.exceed(LimitHit::new(ErrorKind::Quota, message, "kv-value"), "the value is too large"))
    }

    /// What a guest hears of a failure: what it can do about it, and nothing about where the store is. The host hears the rest.
    fn told(&self, bucket: &str, error: Error) -> StoreError {
        self.trouble.tell(bucket, &error);
        StoreError::other(match error {
            Error::NoBucket => return StoreError::NoSuchStore,
            Error::Full => "the store is full",
            Error::BadCursor => "the listing cannot go on from here",
            Error::NotANumber => "the value is no whole number, or the sum is too large",
            Error::Unavailable(_) => "the store cannot be used now; nothing was changed",
            Error::Unsure(_) => "the store did not answer; what was asked for may have been done or not",
            _ => "the store failed",
        })
    }

    fn exceed(&self, hit: LimitHit, told: &str) -> StoreError {
        // The first one is what the call ends with.
        let _ = self.exceeded.set(hit);
        StoreError::other(told)
    }
}

fn size(value: &[u8]) -> u64 {
    u64::try_from(value.len()).unwrap_or(u64::MAX)
}

fn too_much() -> StoreError {
    StoreError::other("the values together are too large for one answer")
}

fn too_much_held() -> StoreError {
    StoreError::other("the values of all open cas handles together are too large")
}

fn no_cursor() -> StoreError {
    StoreError::other("this is no cursor of this bucket, or one that too many came after")
}
