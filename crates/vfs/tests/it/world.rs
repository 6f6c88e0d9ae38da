//! A store with some content, and guests that see it at `/w` under rules of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caplet_policy::{FilesystemSection, Guard, GuestPath, Journal, Layer, LayerKind, Policy, Rule, Search, Write};
use caplet_vfs::{
    Descriptor, DescriptorFlags, EntryKind, FileSystem, FsError, HostStore, MemoryStore, Mount, Name, Namespace,
    NamespaceConfig, OpenFlags, OverlayStore, SqliteStore,
};

pub(crate) const QUOTA: u64 = 256 << 20;

/// A store, and where it is on the host, if it is there.
pub(crate) struct World {
    pub(crate) store: Arc<dyn FileSystem>,
    directory: Option<tempfile::TempDir>,
    _database: Option<Database>,
    /// Where content is put that is to be there before anything is changed, if not into the store.
    lower: Option<PathBuf>,
    /// Kept as long as the world.
    _aside: Option<tempfile::TempDir>,
}

/// The directory of a database.
struct Database(tempfile::TempDir);

impl Drop for Database {
    /// Whatever a test did, a database is sound at the end.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let report = SqliteStore::check(self.0.path().join("file.db")).unwrap();
            assert!(report.is_sound(), "{report:?}");
        }
    }
}

/// Runs each function on every store.
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod host { $( #[test] fn $name() { super::$name(&crate::world::World::host()); } )* }
        mod memory { $( #[test] fn $name() { super::$name(&crate::world::World::memory()); } )* }
        mod sqlite { $( #[test] fn $name() { super::$name(&crate::world::World::sqlite()); } )* }
        mod overlay { $( #[test] fn $name() { super::$name(&crate::world::World::overlay()); } )* }
        mod overlay_of_content { $( #[test] fn $name() { super::$name(&crate::world::World::overlay_of_content()); } )* }
        mod overlay_in_sqlite { $( #[test] fn $name() { super::$name(&crate::world::World::overlay_in_sqlite()); } )* }
    };
}
pub(crate) use on_every_store;

impl World {
    /// A host directory `w` with a file beside it.
    pub(crate) fn host() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("w")).unwrap();
        std::fs::write(directory.path().join("outside"), "outside").unwrap();
        let store = Arc::new(HostStore::open(directory.path().join("w")).unwrap());
        Self { directory: Some(directory), ..Self::of(&(store as _)) }
    }

    pub(crate) fn memory() -> Self {
        Self::of(&(Arc::new(MemoryStore::new(QUOTA)) as _))
    }

    /// A database file in a directory of its own.
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("file.db"), QUOTA).unwrap();
        Self { _database: Some(Database(directory)), ..Self::of(&(Arc::new(store) as _)) }
    }

    /// Stores of each kind.
    pub(crate) fn all() -> [Self; 4] {
        [Self::host(), Self::memory(), Self::sqlite(), Self::overlay()]
    }

    /// A store that is there already.
    pub(crate) fn of(store: &Arc<dyn FileSystem>) -> Self {
        Self { store: Arc::clone(store), directory: None, _database: None, lower: None, _aside: None }
    }

    /// An overlay of an empty directory, with the changes in memory.
    pub(crate) fn overlay() -> Self {
        let world = Self::host();
        let lower = Arc::new(HostStore::open(world.path().unwrap()).unwrap());
        let upper = Arc::new(MemoryStore::new(u64::MAX));
        Self { store: Arc::new(OverlayStore::new(lower, upper, u64::MAX).unwrap()), ..world }
    }

    /// An overlay of a directory with the content of the test, and the changes in another directory.
    pub(crate) fn overlay_of_content() -> Self {
        let (world, aside) = (Self::host(), tempfile::tempdir().unwrap());
        let path = world.path().unwrap();
        let lower = Arc::new(HostStore::open(&path).unwrap());
        let upper = Arc::new(HostStore::open(aside.path()).unwrap());
        let store = Arc::new(OverlayStore::new(lower, upper, u64::MAX).unwrap());
        Self { store, lower: Some(path), _aside: Some(aside), ..world }
    }

    /// The same, with the changes in a database.
    pub(crate) fn overlay_in_sqlite() -> Self {
        let (world, aside) = (Self::host(), tempfile::tempdir().unwrap());
        let path = world.path().unwrap();
        let lower = Arc::new(HostStore::open(&path).unwrap());
        let upper = Arc::new(SqliteStore::open(aside.path().join("file.db"), u64::MAX).unwrap());
        let store = Arc::new(OverlayStore::new(lower, upper, u64::MAX).unwrap());
        Self { store, lower: Some(path), _database: Some(Database(aside)), ..world }
    }

    /// The mounted directory, for what only the host can do.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.path().join("w"))
    }

    /// Makes files with the given content, and the directories above them. A name that ends in `/` is a directory.
    pub(crate) fn add(&self, files: &[(&str, &str)]) {
        let admin = self.admin();
        for (path, content) in files {
            if self.add_below(path, content) {
                continue;
            }
            let names: Vec<&str> = path.split('/').collect();
            for end in 1..names.len() {
                match admin.ns.create_directory_at(&admin.base, &names[..end].join("/")) {
                    Ok(()) | Err(FsError::Exists) => {}
                    Err(error) => panic!("{path}: {error:?}"),
                }
            }
            if !path.ends_with('/') {
                admin.write(path, content).unwrap();
            }
        }
    }

    /// Puts a file where an overlay only reads, if nothing has changed there yet.
    fn add_below(&self, path: &str, content: &str) -> bool {
        let Some(lower) = &self.lower else { return false };
        let (at, admin) = (lower.join(path), self.admin());
        let above = if path.ends_with('/') { Some(at.as_path()) } else { at.parent() };
        if admin.stat(path).is_ok() || above.is_none_or(|above| std::fs::create_dir_all(above).is_err()) {
            return false;
        }
        if !path.ends_with('/') && (at.exists() || std::fs::write(&at, content).is_err()) {
            return false;
        }
        // What the overlay says is gone stays gone.
        admin.stat(path).is_ok()
    }

    /// Makes a link to any target at all, as a host could.
    pub(crate) fn link(&self, path: &str, target: &str) {
        if let Some(lower) = &self.lower
            && std::os::unix::fs::symlink(target, lower.join(path)).is_ok()
            && self.admin().ns.stat_at(&self.admin().base, path, false).is_ok_and(|found| found.kind == EntryKind::Link)
        {
            return;
        }
        let guard = guard(&["write:/**"], &[]).0;
        let token = guard.check(Write(GuestPath::root())).unwrap();
        let search = guard.check(Search(GuestPath::root())).unwrap();
        let mut node = self.store.root().unwrap();
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        for name in above.split('/').filter(|name| !name.is_empty()) {
            node = node.lookup(&search, Name::parse(name).unwrap()).unwrap();
        }
        node.create_link(&token, Name::parse(name).unwrap(), target).unwrap();
    }

    /// A guest without bounds.
    pub(crate) fn admin(&self) -> Guest {
        self.guest(&["write:/**"])
    }

    /// A guest under rules; those that start with `!` deny.
    pub(crate) fn guest(&self, rules: &[&str]) -> Guest {
        Guest::new(&[("/w", &self.store)], rules)
    }

    /// Everything in the store, as text.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, String> {
        let admin = self.admin();
        let mut found = BTreeMap::new();
        let mut left = vec![String::new()];
        while let Some(path) = left.pop() {
            for (kind, name) in admin.list(if path.is_empty() { "." } else { &path }).unwrap() {
                let path = if path.is_empty() { name } else { format!("{path}/{name}") };
                let content = match kind {
                    EntryKind::File => admin.read(&path).unwrap_or_else(|error| panic!("{path}: {error}")),
                    EntryKind::Directory => "<directory>".to_owned(),
                    EntryKind::Link => {
                        format!("-> {:?}", admin.ns.read_link_at(&admin.base, &path).map_err(|e| code(&e)))
                    }
                };
                if kind == EntryKind::Directory {
                    left.push(path.clone());
                }
                found.insert(path, content);
            }
        }
        found
    }

    /// Checks that nothing beside the mounted directory has changed.
    pub(crate) fn outside_is_unharmed(&self) {
        let Some(directory) = &self.directory else { return };
        assert_eq!(std::fs::read_to_string(directory.path().join("outside")).unwrap(), "outside");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "something appeared outside");
    }
}

/// A namespace with the mount that operations start from.
pub(crate) struct Guest {
    pub(crate) ns: Namespace,
    pub(crate) base: Descriptor,
    pub(crate) journal: Arc<Journal>,
}

/// The short name of a failure.
pub(crate) type Code = &'static str;

pub(crate) fn guard(rules: &[&str], more: &[&str]) -> (Guard<FilesystemSection>, Arc<Journal>) {
    let mut layer = Layer::new(LayerKind::Operator);
    for rule in rules.iter().chain(more) {
        let parse = |text: &str| Rule::parse_grant(text, &GuestPath::root()).unwrap();
        match rule.strip_prefix('!') {
            Some(deny) => layer.add_deny(parse(deny)),
            None => layer.add_allow(parse(rule)),
        }
    }
    let journal = Arc::new(Journal::new());
    (Policy::new(layer).guard(&journal), journal)
}

pub(crate) fn config(mounts: &[(&str, &Arc<dyn FileSystem>)], guard: Guard<FilesystemSection>) -> NamespaceConfig {
    let mount =
        |(at, store): &(&str, &Arc<dyn FileSystem>)| Mount::new(GuestPath::parse(at).unwrap(), Arc::clone(store));
    NamespaceConfig {
        mounts: mounts.iter().map(mount).collect(),
        guard,
        cwd: None,
        preopen_cwd: false,
        write_quota: QUOTA,
        time_resolution: Some(Duration::from_millis(1)),
    }
}

impl Guest {
    pub(crate) fn new(mounts: &[(&str, &Arc<dyn FileSystem>)], rules: &[&str]) -> Self {
        let (guard, journal) = guard(rules, &[]);
        Self::from_config(config(mounts, guard), journal)
    }

    pub(crate) fn from_config(config: NamespaceConfig, journal: Arc<Journal>) -> Self {
        let ns = Namespace::new(config);
        let base = ns.preopens()[0].0.clone();
        Self { ns, base, journal }
    }

    /// The directory that the guest was given under this name.
    pub(crate) fn preopen(&self, name: &str) -> Descriptor {
        self.ns.preopens().into_iter().find(|(_, at)| at == name).unwrap().0
    }

    pub(crate) fn open(&self, path: &str, open: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, Code> {
        self.ns.open_at(&self.base, path, true, open, flags).map_err(|error| code(&error))
    }

    pub(crate) fn open_directory(&self, path: &str) -> Result<Descriptor, Code> {
        self.open(path, OpenFlags { directory: true, ..OpenFlags::default() }, READ)
    }

    pub(crate) fn read(&self, path: &str) -> Result<String, Code> {
        self.read_from(&self.base, path, true)
    }

    pub(crate) fn read_from(&self, base: &Descriptor, path: &str, follow: bool) -> Result<String, Code> {
        let read = || {
            let file = self.ns.open_at(base, path, follow, OpenFlags::default(), READ)?;
            let mut content = Vec::new();
            loop {
                let bytes = self.ns.read_at(&file, u64::try_from(content.len()).unwrap(), 1 << 20)?;
                if bytes.is_empty() {
                    return Ok(String::from_utf8_lossy(&content).into_owned());
                }
                content.extend(bytes);
            }
        };
        read().map_err(|error: FsError| code(&error))
    }

    pub(crate) fn write(&self, path: &str, content: &str) -> Result<(), Code> {
        let file = self.open(path, CREATE_TRUNCATE, WRITE)?;
        let written = self.ns.write_at(&file, 0, content.as_bytes()).map_err(|error| code(&error))?;
        assert_eq!(written, content.len());
        Ok(())
    }

    pub(crate) fn list(&self, path: &str) -> Result<Vec<(EntryKind, String)>, Code> {
        let directory = self.open_directory(path)?;
        self.list_open(&directory)
    }

    pub(crate) fn list_open(&self, directory: &Descriptor) -> Result<Vec<(EntryKind, String)>, Code> {
        let entries = self.ns.list(directory).map_err(|error| code(&error))?;
        let mut found = entries
            .map(|entry| entry.map(|entry| (entry.kind, entry.name)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| code(&error))?;
        found.sort();
        Ok(found)
    }

    /// The names in a directory, in order.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> = self.list(path).unwrap().into_iter().map(|(_, name)| name).collect();
        names.sort();
        names
    }

    pub(crate) fn verb(&self, act: impl FnOnce(&Namespace, &Descriptor) -> Result<(), FsError>) -> Result<(), Code> {
        act(&self.ns, &self.base).map_err(|error| code(&error))
    }

    pub(crate) fn rename(&self, old: &str, new: &str) -> Result<(), Code> {
        self.verb(|ns, base| ns.rename_at(base, old, base, new))
    }

    pub(crate) fn hard_link(&self, old: &str, new: &str) -> Result<(), Code> {
        self.verb(|ns, base| ns.link_at(base, old, false, base, new))
    }

    pub(crate) fn symlink(&self, target: &str, path: &str) -> Result<(), Code> {
        self.verb(|ns, base| ns.symlink_at(target, base, path))
    }

    pub(crate) fn mkdir(&self, path: &str) -> Result<(), Code> {
        self.verb(|ns, base| ns.create_directory_at(base, path))
    }

    pub(crate) fn rmdir(&self, path: &str) -> Result<(), Code> {
        self.verb(|ns, base| ns.remove_directory_at(base, path))
    }

    pub(crate) fn unlink(&self, path: &str) -> Result<(), Code> {
        self.verb(|ns, base| ns.unlink_at(base, path))
    }

    pub(crate) fn stat(&self, path: &str) -> Result<caplet_vfs::FileStat, Code> {
        self.ns.stat_at(&self.base, path, true).map_err(|error| code(&error))
    }

    /// The ops that were refused, as they are on record.
    pub(crate) fn denied(&self) -> Vec<String> {
        self.journal.summary().denied.into_iter().map(|denied| denied.op).collect()
    }
}

pub(crate) const READ: DescriptorFlags = DescriptorFlags { read: true, write: false, mutate_directory: false };
pub(crate) const WRITE: DescriptorFlags = DescriptorFlags { read: false, write: true, mutate_directory: false };
pub(crate) const BOTH: DescriptorFlags = DescriptorFlags { read: true, write: true, mutate_directory: false };
pub(crate) const OPEN: OpenFlags = OpenFlags { create: false, directory: false, exclusive: false, truncate: false };
pub(crate) const CREATE: OpenFlags = OpenFlags { create: true, ..OPEN };
pub(crate) const CREATE_NEW: OpenFlags = OpenFlags { create: true, exclusive: true, ..OPEN };
pub(crate) const TRUNCATE: OpenFlags = OpenFlags { truncate: true, ..OPEN };
pub(crate) const CREATE_TRUNCATE: OpenFlags = OpenFlags { create: true, truncate: true, ..OPEN };

pub(crate) fn code(error: &FsError) -> Code {
    match error {
        FsError::NotPermitted(_) => "perm",
        FsError::Access => "acces",
        FsError::NoEntry => "noent",
        FsError::Exists => "exist",
        FsError::NotDirectory => "notdir",
        FsError::IsDirectory => "isdir",
        FsError::NotEmpty => "notempty",
        FsError::Loop => "loop",
        FsError::Invalid => "inval",
        FsError::IllegalByteSequence => "ilseq",
        FsError::NameTooLong => "nametoolong",
        FsError::CrossDevice => "xdev",
        FsError::ReadOnly => "rofs",
        FsError::Quota => "dquot",
        FsError::Overflow => "overflow",
        FsError::BadDescriptor => "badf",
        FsError::Busy => "busy",
        FsError::Io => "io",
        other => panic!("an unexpected failure: {other:?}"),
    }
}
