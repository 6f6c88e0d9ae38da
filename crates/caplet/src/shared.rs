//! Stores that outlive a call, and are opened once for all grants that name them: overlays, databases, buckets.
//!
//! What always holds: of each place there is one store in a process, so two tools with the same overlay see the same files, and one
//! overlay is not in its own way. A store is closed with the last grant that has it.

use std::any::Any;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::hash::Hash;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use caplet_component::Digest;
use caplet_vfs::host::HostStore;
use caplet_vfs::overlay::OverlayStore;
use caplet_vfs::sqlite::SqliteStore;
use caplet_vfs::{FileSystem, FsError, MemoryStore, NodeRef};

use crate::mount::StoreName;
use crate::stores::place;

/// What a store that lasts may hold, if nothing else was said, in logical bytes.
pub(crate) const QUOTA: u64 = 1 << 30;

/// The stores that are open.
#[derive(Debug, Default)]
pub(crate) struct OpenStores {
    overlays: Shelf<PathBuf, OpenOverlay>,
    databases: Shelf<(PathBuf, u64), SqliteStore>,
}

/// An overlay, and the quota that it was opened with: there is only one of each directory.
#[derive(Debug)]
pub(crate) struct OpenOverlay {
    store: OverlayStore,
    quota: u64,
}

impl FileSystem for OpenOverlay {
    fn root(&self) -> Result<NodeRef, FsError> {
        self.store.root()
    }

    fn may_block(&self) -> bool {
        self.store.may_block()
    }

    fn describe(&self) -> String {
        self.store.describe()
    }

    fn claim(&self) -> Result<Box<dyn Any + Send + Sync>, FsError> {
        self.store.claim()
    }
}

impl OpenStores {
    /// The overlay of the directory that `lower` is a handle to, whose changes take at most `quota` bytes. They are kept below `state`; without it they
    /// are gone with the overlay.
    pub(crate) fn overlay(
        &self,
        lower: &OwnedFd,
        state: Option<&Path>,
        quota: u64,
    ) -> Result<Arc<OpenOverlay>, String> {
        let real = std::fs::canonicalize(place(lower)).map_err(|error| format!("its name cannot be told: {error}"))?;
        let overlay = self.overlays.get_or_open(real.clone(), || {
            let upper: Arc<dyn FileSystem> = match state {
                Some(state) => Arc::new(upper(&overlay_folder(state, &real))?),
                None => Arc::new(MemoryStore::new(quota)),
            };
            let below = HostStore::open_held(lower, &real).map_err(|error| error.to_string())?;
            let store = OverlayStore::new(Arc::new(below), upper, quota).map_err(|error| error.to_string())?;
            Ok(OpenOverlay { store, quota })
        })?;
        match overlay.quota {
            open if open == quota => Ok(overlay),
            open => Err(format!("it is in use with another quota: {open} bytes, and not {quota}")),
        }
    }

    /// The file system in the database `name` of the directory that `folder` is a handle to, of at most `quota` bytes.
    ///
    /// SQLite opens its files by name. So the name is that which the directory has now, and once the database is open it must
    /// still lead there: whoever moves the directory away at that moment gets no database elsewhere.
    pub(crate) fn database(&self, folder: &OwnedFd, name: &OsStr, quota: u64) -> Result<Arc<SqliteStore>, String> {
        // Without links, and without the file's own, which may not exist yet.
        let real = std::fs::canonicalize(place(folder)).map_err(|error| format!("its folder has no name: {error}"))?;
        let file = real.join(name);
        self.databases.get_or_open((file.clone(), quota), || {
            let store = SqliteStore::open(&file, quota).map_err(|error| error.to_string())?;
            match is_same_directory(folder, &real) {
                Ok(true) => Ok(store),
                Ok(false) => Err(format!("{} was moved while it was opened: try again", real.display())),
                Err(error) => Err(format!("{}: {error}", real.display())),
            }
        })
    }
}

/// The directory that `lower` is a handle to, with changes of at most `quota` bytes in memory: nobody else sees them, and they are gone
/// with the store. Changes that other overlays of the directory keep do not show.
pub(crate) fn aside(lower: &OwnedFd, quota: u64) -> Result<Arc<dyn FileSystem>, String> {
    let real = std::fs::canonicalize(place(lower)).map_err(|error| format!("its name cannot be told: {error}"))?;
    let below = HostStore::open_held(lower, &real).map_err(|error| error.to_string())?;
    let store = OverlayStore::new(Arc::new(below), Arc::new(MemoryStore::new(quota)), quota);
    Ok(Arc::new(store.map_err(|error| error.to_string())?))
}

/// Whether `path` leads to the directory that is `held`.
fn is_same_directory(held: &OwnedFd, path: &Path) -> std::io::Result<bool> {
    let (held, found) = (rustix::fs::fstat(held)?, rustix::fs::lstat(path)?);
    Ok((held.st_dev, held.st_ino) == (found.st_dev, found.st_ino))
}

impl OpenStores {
    /// The files of databases that are open.
    pub(crate) fn databases(&self) -> Vec<PathBuf> {
        self.databases.open().into_iter().map(|(file, _)| file).collect()
    }
}

/// Where the changes to the directory at `lower`, a path without links, are kept.
pub(crate) fn overlay_folder(state: &Path, lower: &Path) -> PathBuf {
    let digest = Digest::of(lower.as_os_str().as_encoded_bytes()).to_string();
    let name = digest.rsplit(':').next().unwrap_or_default().to_owned();
    state.join("overlays").join(name)
}

fn upper(folder: &Path) -> Result<HostStore, String> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| format!("{}: {error}", folder.display()))?;
    HostStore::open(folder).map_err(|error| error.to_string())
}

/// Stores that are made when they are first asked for: one without a name, and one for each name.
#[derive(Debug)]
pub(crate) struct NamedStores<V>(Mutex<HashMap<Option<StoreName>, Arc<V>>>);

impl<V> Default for NamedStores<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V> NamedStores<V> {
    pub(crate) fn get_or_make(&self, name: Option<StoreName>, make: impl FnOnce() -> V) -> Arc<V> {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(stores.entry(name).or_insert_with(|| Arc::new(make())))
    }
}

/// What is open, by what names it.
#[derive(Debug)]
pub(crate) struct Shelf<K, V>(Mutex<HashMap<K, Weak<V>>>);

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Shelf<K, V> {
    pub(crate) fn get_or_open(&self, key: K, open: impl FnOnce() -> Result<V, String>) -> Result<Arc<V>, String> {
        let mut shelf = self.lock();
        if let Some(open) = shelf.get(&key).and_then(Weak::upgrade) {
            return Ok(open);
        }
        shelf.retain(|_, store| store.strong_count() > 0);
        let store = Arc::new(open()?);
        shelf.insert(key, Arc::downgrade(&store));
        Ok(store)
    }

    /// What names the stores that are open.
    pub(crate) fn open(&self) -> Vec<K>
    where
        K: Clone,
    {
        self.lock().iter().filter(|(_, store)| store.strong_count() > 0).map(|(key, _)| key.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Weak<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
