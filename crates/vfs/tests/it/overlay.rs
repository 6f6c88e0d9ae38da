//! A host directory with changes kept aside: a lower and an upper directory, opened as often as a test likes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet_vfs::overlay::{Change, Choice, Committed};
use caplet_vfs::{FileSystem, HostStore, MemoryStore, OverlayStore, SqliteStore};
use proptest::prelude::{Just, Strategy, prop_oneof};

use crate::world::Guest;

/// Where changes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upper {
    Directory,
    Memory,
    Sqlite,
}

pub(crate) const UPPERS: [Upper; 3] = [Upper::Directory, Upper::Memory, Upper::Sqlite];

/// Any of them; a database takes longest to make.
pub(crate) fn upper() -> impl Strategy<Value = Upper> {
    prop_oneof![3 => Just(Upper::Directory), 2 => Just(Upper::Memory), 1 => Just(Upper::Sqlite)]
}

/// A directory, a place for changes beside it, and something that must not be touched.
pub(crate) struct Aside {
    kept: Upper,
    memory: Arc<MemoryStore>,
    directory: tempfile::TempDir,
}

impl Drop for Aside {
    /// Whatever a test did, a database is sound at the end.
    fn drop(&mut self) {
        if self.kept == Upper::Sqlite && !std::thread::panicking() {
            let report = SqliteStore::check(self.upper().join("changes.db")).unwrap();
            assert!(report.is_sound(), "{report:?}");
        }
    }
}

/// An overlay, and the same as what a guest mounts.
pub(crate) struct Opened {
    pub(crate) overlay: Arc<OverlayStore>,
    pub(crate) store: Arc<dyn FileSystem>,
}

pub(crate) const UNBOUNDED: u64 = u64::MAX;

impl Aside {
    /// With files in the directory. A name that ends in `/` is a directory; content that starts with `-> ` is a link.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self::keeping(Upper::Directory, files)
    }

    /// As [`Aside::new`], with the changes kept there.
    pub(crate) fn keeping(kept: Upper, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["lower", "upper"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::write(directory.path().join("outside"), "outside").unwrap();
        let aside = Self { kept, memory: Arc::new(MemoryStore::new(UNBOUNDED)), directory };
        put(&aside.lower(), files);
        aside
    }

    pub(crate) fn lower(&self) -> PathBuf {
        self.directory.path().join("lower")
    }

    pub(crate) fn upper(&self) -> PathBuf {
        self.directory.path().join("upper")
    }

    pub(crate) fn open(&self) -> Opened {
        self.open_with(UNBOUNDED)
    }

    pub(crate) fn open_with(&self, quota: u64) -> Opened {
        Opened::new(&self.lower(), self.store(), quota)
    }

    /// The store for the changes.
    pub(crate) fn store(&self) -> Arc<dyn FileSystem> {
        match self.kept {
            Upper::Memory => Arc::clone(&self.memory) as _,
            kept => store(kept, &self.upper()),
        }
    }

    /// Everything in the directory, with what is known of it.
    pub(crate) fn below(&self) -> BTreeMap<String, String> {
        tree(&self.lower(), true)
    }

    /// Everything in the directory, by content alone.
    pub(crate) fn content(&self) -> BTreeMap<String, String> {
        tree(&self.lower(), false)
    }

    pub(crate) fn outside_is_unharmed(&self) {
        assert_eq!(fs::read_to_string(self.directory.path().join("outside")).unwrap(), "outside");
        assert_eq!(fs::read_dir(self.directory.path()).unwrap().count(), 3, "something appeared outside");
    }
}

/// The store for changes in a directory.
pub(crate) fn store(kept: Upper, directory: &Path) -> Arc<dyn FileSystem> {
    match kept {
        Upper::Directory => Arc::new(HostStore::open(directory).unwrap()),
        Upper::Sqlite => Arc::new(SqliteStore::open(directory.join("changes.db"), UNBOUNDED).unwrap()),
        Upper::Memory => Arc::new(MemoryStore::new(UNBOUNDED)),
    }
}

impl Opened {
    pub(crate) fn new(lower: &Path, upper: Arc<dyn FileSystem>, quota: u64) -> Self {
        let lower = Arc::new(HostStore::open(lower).unwrap());
        let overlay = Arc::new(OverlayStore::new(lower, upper, quota).unwrap());
        Self { store: Arc::clone(&overlay) as Arc<dyn FileSystem>, overlay }
    }

    pub(crate) fn guest(&self) -> Guest {
        Guest::new(&[("/w", &self.store)], &["write:/w/**"])
    }

    /// The changes, one line for each.
    pub(crate) fn changes(&self) -> Vec<String> {
        lines(&self.overlay.changes().unwrap().list)
    }

    pub(crate) fn commit(&self) -> Committed {
        self.overlay.commit(Choice::All).unwrap()
    }

    pub(crate) fn commit_only(&self, paths: &[&str]) -> Committed {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        self.overlay.commit(Choice::Paths(&paths)).unwrap()
    }

    pub(crate) fn discard_only(&self, paths: &[&str]) -> Vec<String> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        lines(&self.overlay.discard(Choice::Paths(&paths)).unwrap())
    }

    pub(crate) fn diff(&self) -> String {
        let mut out = Vec::new();
        self.overlay.diff(&self.overlay.changes().unwrap().list, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }
}

pub(crate) fn lines(changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| {
        let conflict = change.conflict.map(|conflict| format!(" {conflict:?}")).unwrap_or_default();
        format!("{:?} {:?} {}{conflict}", change.kind, change.what, change.path)
    };
    changes.iter().map(line).collect()
}

/// Makes files in a directory of the host, as somebody outside of the sandbox could.
pub(crate) fn put(directory: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = directory.join(name);
        let above = if name.ends_with('/') { path.as_path() } else { path.parent().unwrap() };
        fs::create_dir_all(above).unwrap();
        match content.strip_prefix("-> ") {
            Some(target) => symlink(target, &path).unwrap(),
            None if name.ends_with('/') => {}
            None => fs::write(&path, content).unwrap(),
        }
    }
}

fn tree(top: &Path, with_times: bool) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![top.to_owned()];
    while let Some(path) = left.pop() {
        let stat = fs::symlink_metadata(&path).unwrap();
        let content = if stat.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            "<directory>".to_owned()
        } else if stat.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else {
            String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
        };
        let known =
            format!(" {:o} {} {}.{} {}", stat.mode(), stat.ino(), stat.mtime(), stat.mtime_nsec(), stat.nlink());
        let name = path.strip_prefix(top).unwrap().to_string_lossy().into_owned();
        found.insert(name, if with_times { content + &known } else { content });
    }
    found
}
