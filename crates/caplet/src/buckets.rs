//! Key-value buckets: which store each name stands for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use caplet_keyvalue::{Error as KeyValueError, MemoryStore, OpenError, SqliteOptions, SqliteStore, Store};
use caplet_policy::{Allowance, GuestPath, quote};
use caplet_sandbox::BucketSource;

use crate::error::Error;
use crate::mount::StoreName;
use crate::session_data::SessionData;
use crate::shared::{NamedStores, QUOTA, Shelf};

/// A bucket that was asked for: its name, and what stands behind it.
#[derive(Clone, Debug)]
pub(crate) struct BucketRequest {
    pub(crate) name: String,
    pub(crate) store: BucketStore,
    pub(crate) options: BucketOptions,
    /// The name of the store, where a toolbox gives it one: buckets in stores of one name are in the same store.
    pub(crate) named: Option<StoreName>,
    /// What the operator wrote, as an error names it. Never with what a URL may hold.
    pub(crate) asked: String,
}

/// What may be set for a bucket's store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct BucketOptions {
    /// How long a value lasts.
    pub(crate) ttl: Option<Duration>,
    /// The most that the store holds, in bytes.
    pub(crate) quota: Option<u64>,
}

/// What stands behind a bucket.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum BucketStore {
    /// Gone with the call.
    Memory,
    /// Gone with the session.
    Session,
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A Redis server. The URL may hold a password.
    Redis(String),
    /// A NATS server with JetStream. The URL may hold a password.
    Nats(String),
}

/// Never with what a URL may hold besides its scheme.
impl std::fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Session => f.write_str("session"),
            Self::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            Self::Redis(_) => f.write_str("redis:…"),
            Self::Nats(_) => f.write_str("nats:…"),
        }
    }
}

impl BucketRequest {
    /// Parses `NAME=STORE`; a relative path is taken from `cwd`.
    pub(crate) fn parse(text: &str, cwd: &GuestPath) -> Result<Self, Error> {
        let form = "write NAME=STORE, such as notes=sqlite:notes.db or cache=redis://localhost";
        let refuse = |shown: &str, reason: &str| Error::grant("--bucket", shown, reason, Some(form.to_owned()));
        let Some((name, store)) = text.split_once('=').filter(|(name, store)| !name.is_empty() && !store.is_empty())
        else {
            return Err(refuse(text, "it is not NAME=STORE"));
        };
        // Whatever is wrong with a URL, it is not shown: it may hold a password.
        let store = BucketStore::parse(store, cwd).map_err(|reason| refuse(&format!("{name}=…"), &reason))?;
        let asked = format!("--bucket {}", quote(name));
        Ok(Self { name: name.to_owned(), store, options: BucketOptions::default(), named: None, asked })
    }

    /// Whether each call has a bucket of its own, in which nothing is but what it put there and nothing goes by itself.
    pub(crate) fn is_of_call(&self) -> bool {
        self.store == BucketStore::Memory && self.options.ttl.is_none()
    }
}

impl BucketStore {
    /// The file of SQLite that it is, if it is one.
    pub(crate) fn database(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(file) => Some(file),
            _ => None,
        }
    }

    /// Parses a store; a relative path is taken from `cwd`.
    pub(crate) fn parse(text: &str, cwd: &GuestPath) -> Result<Self, String> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        match (scheme, text.strip_prefix("sqlite:")) {
            _ if text == "memory" => Ok(Self::Memory),
            _ if text == "session" => Ok(Self::Session),
            (_, Some("")) => Err("there is no file after sqlite:".to_owned()),
            // Whoever writes that means it as of a mount, and would get a file of that name.
            _ if matches!(text, "memory:ro" | "session:ro") || (scheme.is_empty() && text.ends_with(":ro")) => {
                Err("a bucket cannot be one to read only: leave :ro out, and allow kv:NAME:ro".to_owned())
            }
            (_, Some(file)) => Ok(Self::Sqlite(Path::new(cwd.as_str()).join(file))),
            ("redis" | "rediss", _) => Self::Redis(text.to_owned()).with_an_address(),
            ("nats" | "tls", _) => Self::Nats(text.to_owned()).with_an_address(),
            _ => Err("the store is none of memory, session, sqlite:FILE, redis://… and nats://…".to_owned()),
        }
    }
}

impl BucketStore {
    /// Refuses an address that no server can have. A build without its server takes it as it stands, and says so when it is used.
    fn with_an_address(self) -> Result<Self, String> {
        let opened = match &self {
            Self::Redis(url) if cfg!(feature = "redis") => redis(url, None).map(drop),
            Self::Nats(url) if cfg!(feature = "nats") => nats(url, None).map(drop),
            _ => Ok(()),
        };
        opened.map(|()| self).map_err(|error| error.to_string())
    }
}

/// Stores that are open, shared by all grants of a [`Caplet`](crate::Caplet).
pub(crate) type OpenBuckets = Shelf<(BucketStore, BucketOptions), AnyStore>;

/// A store behind a pointer that a shelf can hold weakly.
#[derive(Debug)]
pub(crate) struct AnyStore(Arc<dyn Store>);

/// Which store each bucket of a grant is in.
#[derive(Debug)]
pub(crate) struct Buckets {
    requests: BTreeMap<String, BucketRequest>,
    /// Where every other bucket is, if there is a place for it.
    usual: Option<PathBuf>,
    open: Arc<OpenBuckets>,
    /// What calls of this grant have opened, so that it stays open for the next.
    held: Mutex<Vec<Arc<AnyStore>>>,
}

impl Buckets {
    /// Every file that is named must be usable: one that is there is opened, and one that is not must have a directory to be made in.
    pub(crate) fn new(
        requests: &[BucketRequest],
        usual: Option<PathBuf>,
        open: &Arc<OpenBuckets>,
    ) -> Result<Self, Error> {
        let named = requests.iter().map(|request| (request.name.clone(), request.clone()));
        let buckets = Self { requests: named.collect(), usual, open: Arc::clone(open), held: Mutex::default() };
        for request in requests {
            buckets.must_be_usable(request).map_err(|reason| Error::Grant {
                asked: request.asked.clone(),
                reason,
                hint: Some("name a file that a tool's buckets are in, or one to be made".to_owned()),
            })?;
        }
        Ok(buckets)
    }

    fn must_be_usable(&self, request: &BucketRequest) -> Result<(), String> {
        let Some(file) = request.store.database() else { return Ok(()) };
        if std::fs::symlink_metadata(file).is_ok() {
            let opened = self.lasting(request.store.clone(), request.options);
            return opened.map(drop).map_err(|error| match error {
                KeyValueError::Unavailable(reason) => reason,
                other => other.to_string(),
            });
        }
        let folder = file.parent().unwrap_or(file);
        if folder.is_dir() { Ok(()) } else { Err(format!("there is no directory {}", folder.display())) }
    }

    fn find(&self, bucket: &str) -> Result<(BucketStore, BucketOptions, Option<StoreName>), KeyValueError> {
        if let Some(request) = self.requests.get(bucket) {
            return Ok((request.store.clone(), request.options, request.named.clone()));
        }
        let file = self.usual.clone().ok_or(KeyValueError::NoBucket)?;
        Ok((BucketStore::Sqlite(file), BucketOptions::default(), None))
    }

    fn lasting(&self, store: BucketStore, options: BucketOptions) -> Result<Arc<dyn Store>, KeyValueError> {
        let key = (store, options);
        let opened = self.open.get_or_open(key.clone(), || open(&key.0, key.1).map(AnyStore));
        let opened = opened.map_err(KeyValueError::Unavailable)?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.iter().any(|known| Arc::ptr_eq(known, &opened)) {
            held.push(Arc::clone(&opened));
        }
        Ok(Arc::clone(&opened.0))
    }
}

/// What one call has of buckets and of its session's data. Nothing is made before it is asked for.
#[derive(Debug)]
pub(crate) struct CallData {
    buckets: Arc<Buckets>,
    session: OnceLock<Arc<SessionData>>,
    memory: NamedStores<MemoryStore>,
    /// What a session of this call's own may hold.
    quota: u64,
}

impl CallData {
    /// For a call in `session`, or in one of its own.
    pub(crate) fn new(buckets: &Arc<Buckets>, session: Option<Arc<SessionData>>, quota: u64) -> Arc<Self> {
        let session = session.map_or_else(OnceLock::new, OnceLock::from);
        Arc::new(Self { buckets: Arc::clone(buckets), session, memory: NamedStores::default(), quota })
    }

    pub(crate) fn session(&self) -> &SessionData {
        self.session.get_or_init(|| Arc::new(SessionData::new(self.quota)))
    }
}

#[async_trait]
impl BucketSource for CallData {
    async fn store(&self, bucket: &str) -> Result<Arc<dyn Store>, KeyValueError> {
        match self.buckets.find(bucket)? {
            (BucketStore::Memory, options, name) => {
                Ok(self.memory.get_or_make(name, || in_memory(options, Allowance::new(options.quota.unwrap_or(QUOTA))))
                    as _)
            }
            (BucketStore::Session, options, name) => Ok(self.session().buckets(name, options)),
            (lasting, options, _) => self.buckets.lasting(lasting, options),
        }
    }

    fn is_of_call(&self, bucket: &str) -> bool {
        self.buckets.requests.get(bucket).is_some_and(BucketRequest::is_of_call)
    }
}

/// A store in memory that may hold `allowance`.
pub(crate) fn in_memory(options: BucketOptions, allowance: Allowance) -> MemoryStore {
    let store = MemoryStore::within(allowance);
    match options.ttl {
        Some(ttl) => store.with_ttl(ttl),
        None => store,
    }
}

fn open(store: &BucketStore, options: BucketOptions) -> Result<Arc<dyn Store>, String> {
    let BucketOptions { ttl, quota } = options;
    let opened: Result<Arc<dyn Store>, OpenError> = match store {
        BucketStore::Memory | BucketStore::Session => return Err("it is not opened here".to_owned()),
        BucketStore::Sqlite(file) => {
            let options = SqliteOptions { ttl, quota: quota.unwrap_or(QUOTA), ..SqliteOptions::default() };
            SqliteStore::open(file, options).map(|store| Arc::new(store) as _)
        }
        BucketStore::Redis(url) => redis(url, ttl),
        BucketStore::Nats(url) => nats(url, ttl),
    };
    opened.map_err(|error| error.to_string())
}

#[cfg(feature = "redis")]
fn redis(url: &str, ttl: Option<Duration>) -> Result<Arc<dyn Store>, OpenError> {
    let options = caplet_keyvalue::ServerOptions { ttl, ..Default::default() };
    caplet_keyvalue::RedisStore::connect(url, options).map(|store| Arc::new(store) as _)
}

#[cfg(not(feature = "redis"))]
fn redis(_: &str, _: Option<Duration>) -> Result<Arc<dyn Store>, OpenError> {
    Err(OpenError::Option("this build has no Redis".into()))
}

#[cfg(feature = "nats")]
fn nats(url: &str, ttl: Option<Duration>) -> Result<Arc<dyn Store>, OpenError> {
    let options = caplet_keyvalue::ServerOptions { ttl, ..Default::default() };
    caplet_keyvalue::NatsStore::connect(url, options).map(|store| Arc::new(store) as _)
}

#[cfg(not(feature = "nats"))]
fn nats(_: &str, _: Option<Duration>) -> Result<Arc<dyn Store>, OpenError> {
    Err(OpenError::Option("this build has no NATS".into()))
}
