//! A store of each kind, and buckets in it under permits that a policy gave.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use caplet_keyvalue::{
    Cursor, Error, MemoryStore, Namespace, NatsStore, Page, RedisStore, Seen, ServerOptions, SqliteOptions,
    SqliteStore, Store,
};
use caplet_policy::{
    Guard, GuestPath, Journal, KeyValueSection, Layer, LayerKind, OpenBucket, Permitted, Policy, ReadKey, Rule,
    WriteKey,
};
use tempfile::TempDir;

use crate::servers::{Program, shared};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Sqlite,
    Redis,
    Nats,
}

#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) quota: u64,
    pub(crate) ttl: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { quota: 256 << 20, ttl: None }
    }
}

/// A place for a store, which any number of handles share.
pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) settings: Settings,
    /// What another process needs to get there; see [`open`].
    pub(crate) place: String,
    memory: OnceLock<Arc<dyn Store>>,
    _directory: TempDir,
}

impl World {
    pub(crate) fn new(kind: Kind) -> Self {
        Self::with(kind, Settings::default())
    }

    pub(crate) fn with(kind: Kind, settings: Settings) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = TempDir::new().unwrap();
        let place = match kind {
            Kind::Memory => "memory".to_owned(),
            Kind::Sqlite => format!("sqlite {}", directory.path().join("store.db").display()),
            Kind::Redis => format!("redis redis://127.0.0.1:{} {namespace}", shared(Program::Redis).unwrap()),
            Kind::Nats => format!("nats nats://127.0.0.1:{} {namespace}", shared(Program::Nats).unwrap()),
        };
        Self { kind, settings, place, memory: OnceLock::new(), _directory: directory }
    }

    /// A handle of its own, but for memory, where there is none.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self.kind {
            Kind::Memory => Arc::clone(self.memory.get_or_init(|| {
                let store = MemoryStore::new(self.settings.quota);
                Arc::new(match self.settings.ttl {
                    Some(ttl) => store.with_ttl(ttl),
                    None => store,
                })
            })),
            _ => open(&self.place, self.settings),
        }
    }

    /// A bucket through a handle of its own.
    pub(crate) fn bucket(&self, name: &str) -> Bucket {
        Bucket::new(self.store(), name)
    }
}

/// Opens a place that a [`World`] named, in whatever process.
pub(crate) fn open(place: &str, settings: Settings) -> Arc<dyn Store> {
    let Settings { quota, ttl } = settings;
    let parts: Vec<&str> = place.split(' ').collect();
    let server =
        |namespace| ServerOptions { namespace: Namespace::parse(namespace).unwrap(), ttl, ..ServerOptions::default() };
    match *parts {
        ["sqlite", path] => {
            let options = SqliteOptions { quota, ttl, timeout: Duration::from_secs(60) };
            Arc::new(SqliteStore::open(Path::new(path), options).unwrap())
        }
        ["redis", url, namespace] => Arc::new(RedisStore::connect(url, server(namespace)).unwrap()),
        ["nats", url, namespace] => Arc::new(NatsStore::connect(url, server(namespace)).unwrap()),
        _ => panic!("{place:?} is no place for a store"),
    }
}

/// A bucket as the host uses it: each op is decided first.
#[derive(Clone)]
pub(crate) struct Bucket {
    pub(crate) store: Arc<dyn Store>,
    guard: Guard<KeyValueSection>,
    name: String,
}

impl Bucket {
    pub(crate) fn new(store: Arc<dyn Store>, name: &str) -> Self {
        let mut layer = Layer::new(LayerKind::Operator);
        layer.add_allow(Rule::parse_grant(&format!("kv:{name}"), &GuestPath::root()).unwrap());
        let guard = Policy::new(layer).guard(&Arc::new(Journal::new()));
        Self { store, guard, name: name.to_owned() }
    }

    pub(crate) fn reading(&self, key: &str) -> Permitted<ReadKey> {
        self.guard.check(ReadKey::new(&self.name, key).unwrap()).unwrap()
    }

    fn writing(&self, key: &str) -> Permitted<WriteKey> {
        self.guard.check(WriteKey::new(&self.name, key).unwrap()).unwrap()
    }

    fn opening(&self) -> Permitted<OpenBucket> {
        self.guard.check(OpenBucket::new(&self.name).unwrap()).unwrap()
    }

    pub(crate) async fn open(&self) -> Result<(), Error> {
        self.store.open(&self.opening()).await
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.store.get(&self.reading(key)).await
    }

    pub(crate) async fn exists(&self, key: &str) -> Result<bool, Error> {
        self.store.exists(&self.reading(key)).await
    }

    pub(crate) async fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.store.set(&self.writing(key), value.as_ref().to_vec()).await
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), Error> {
        self.store.delete(&self.writing(key)).await
    }

    pub(crate) async fn page(&self, from: Option<&str>) -> Result<Page, Error> {
        self.store.keys(&self.opening(), from.map(|text| Cursor(text.to_owned())).as_ref()).await
    }

    pub(crate) async fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        self.store.increment(&self.writing(key), delta).await
    }

    pub(crate) async fn look(&self, key: &str) -> Result<Seen, Error> {
        self.store.look(&self.reading(key)).await
    }

    pub(crate) async fn swap(&self, key: &str, seen: &Seen, value: impl AsRef<[u8]>) -> Result<bool, Error> {
        self.store.swap(&self.writing(key), seen, value.as_ref().to_vec()).await
    }

    /// All keys, in order, each once.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        let mut from: Option<String> = None;
        loop {
            let page = self.page(from.as_deref()).await.unwrap();
            keys.extend(page.keys);
            match page.next {
                Some(Cursor(next)) => from = Some(next),
                None => break,
            }
        }
        keys.sort();
        keys.dedup();
        keys
    }

    /// The value as text.
    pub(crate) async fn text(&self, key: &str) -> Option<String> {
        self.get(key).await.unwrap().map(|value| String::from_utf8(value).unwrap())
    }
}

/// Runs each test on every store.
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod memory { $( #[test] fn $name() { crate::world::run(crate::world::Kind::Memory, super::$name); } )* }
        mod sqlite { $( #[test] fn $name() { crate::world::run(crate::world::Kind::Sqlite, super::$name); } )* }
        mod redis { $( #[test] fn $name() { crate::world::run(crate::world::Kind::Redis, super::$name); } )* }
        mod nats { $( #[test] fn $name() { crate::world::run(crate::world::Kind::Nats, super::$name); } )* }
    };
}
pub(crate) use on_every_store;

/// Runs a test, unless its server is not installed.
pub(crate) fn run<F: Future<Output = ()>>(kind: Kind, test: impl FnOnce(Kind) -> F) {
    let is_there = match kind {
        Kind::Memory | Kind::Sqlite => true,
        Kind::Redis => shared(Program::Redis).is_some(),
        Kind::Nats => shared(Program::Nats).is_some(),
    };
    if is_there {
        block_on(test(kind));
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(future)
}

/// Asks again until the answer is yes.
pub(crate) async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is().await {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
