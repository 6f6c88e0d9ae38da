//! The stores of a grant: opened once, by handle, and never with the audit log or compiled code in a tool's reach.

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet_policy::{AnyOp, Class, FsOp, GuestPath, Layer, LayerKind, Limits, Policy, Rule, escape_glob, quote};
use caplet_vfs::host::HostStore;
use caplet_vfs::memory::MemoryStore;
use caplet_vfs::{FileSystem, Mount};

use crate::buckets::CallData;
use crate::error::Error;
use crate::grant::Grant;
use crate::mount::{MountRequest, Reached, StoreRequest, reach};
use crate::shared::OpenStores;

/// What a grant would mount, found out without opening it for a guest.
#[derive(Debug)]
pub(crate) struct Plan {
    mounts: Vec<Planned>,
    /// Guest paths at which a mount shows a private folder.
    protected: Vec<GuestPath>,
    /// The files of databases that are in use.
    databases: Vec<Private>,
    /// Rules on files with nothing behind them.
    pub(crate) idle: Vec<String>,
}

#[derive(Debug)]
struct Planned {
    at: GuestPath,
    store: PlannedStore,
}

#[derive(Debug)]
enum PlannedStore {
    /// One that was asked for.
    Requested(MountRequest),
    /// One that a rule brings, reached without following links.
    Automatic(OwnedFd),
}

impl Plan {
    /// What `grant` mounts, and what its rules bring by themselves. `private` are folders that no tool may reach, and `databases` files
    /// that only SQLite may open, besides those of the grant itself.
    pub(crate) fn new(grant: &Grant, private: &[Private], databases: &[PathBuf]) -> Result<Self, Error> {
        let own = grant.mounts.iter().filter_map(|mount| mount.store.database());
        let own = own.chain(grant.buckets.iter().filter_map(|bucket| bucket.store.database()));
        let databases = own.chain(databases.iter().map(PathBuf::as_path)).flat_map(Private::database).collect();
        let mut plan = Self { mounts: Vec::new(), protected: Vec::new(), databases, idle: Vec::new() };
        for request in &grant.mounts {
            plan.request(request, grant, private)?;
        }
        for folder in plan.automatic(grant) {
            plan.bring(folder, grant, private)?;
        }
        Ok(plan)
    }

    fn request(&mut self, request: &MountRequest, grant: &Grant, private: &[Private]) -> Result<(), Error> {
        if let Some(path) = request.store.path() {
            // A database shows nothing of the folder that it is in, and must not be one of ours.
            let folder =
                if matches!(request.store, StoreRequest::Sqlite(_)) { path.parent().unwrap_or(path) } else { path };
            for private in private {
                let refuse = |reason: String| Error::grant("--mount", &request.text, reason, None);
                let mut shown = private.shown(&request.at, folder).map_err(refuse)?;
                if matches!(request.store, StoreRequest::Sqlite(_)) {
                    shown.clear();
                }
                private.refuse_written(&shown, grant)?;
                self.protected.extend(shown);
            }
        }
        if let StoreRequest::Host(folder) | StoreRequest::Overlay(folder) = &request.store {
            self.hide_databases(&request.at, folder);
        }
        self.mounts.push(Planned { at: request.at.clone(), store: PlannedStore::Requested(request.clone()) });
        Ok(())
    }

    fn bring(&mut self, at: GuestPath, grant: &Grant, private: &[Private]) -> Result<(), Error> {
        let folder = Path::new(at.as_str());
        let handle = match reach(&at, &grant.cwd) {
            Ok(Reached::Directory(handle)) => handle,
            Ok(Reached::Link(link)) => return Err(linked(&at, &link)),
            Err(error) => return Err(unusable(&at, &std::io::Error::from(error).to_string())),
        };
        for private in private {
            self.protected.extend(private.shown(&at, folder).map_err(|reason| unusable(&at, &reason))?);
        }
        self.hide_databases(&at, folder);
        self.mounts.push(Planned { at, store: PlannedStore::Automatic(handle) });
        Ok(())
    }

    /// Takes the files of databases out of the mount of `folder` at `at`: a process that opens and closes one by itself loses the locks
    /// that SQLite has on it (POSIX), and a tool could write into it under its feet.
    fn hide_databases(&mut self, at: &GuestPath, folder: &Path) {
        for database in &self.databases {
            // A name that is not UTF-8 cannot be reached by a guest either.
            self.protected.extend(database.shown(at, folder).unwrap_or_default());
        }
    }

    /// The directories that the rules of `grant` bring by themselves: those under no mount, the outermost ones.
    fn automatic(&mut self, grant: &Grant) -> Vec<GuestPath> {
        let mut wanted: Vec<GuestPath> = Vec::new();
        for prefix in &grant.prefixes {
            let is_root = prefix.path.is_root() && !prefix.whole;
            // Beside mounts, a rule on everything speaks of what is mounted, not of the whole host.
            let is_covered = grant.mounts.iter().any(|mount| is_root || prefix.path.starts_with(&mount.at));
            match prefix.directory() {
                _ if is_covered => {}
                Some(folder) => wanted.push(folder),
                None => self.idle.push(prefix.rule.clone()),
            }
        }
        wanted.sort_by_key(|path| path.as_str().len());
        let mut outermost: Vec<GuestPath> = Vec::new();
        for folder in wanted {
            if !outermost.iter().any(|outer| folder.starts_with(outer)) {
                outermost.push(folder);
            }
        }
        outermost
    }

    /// Whether something would be mounted at `path` or above it.
    pub(crate) fn covers(&self, path: &GuestPath) -> bool {
        self.mounts.iter().any(|mount| path.starts_with(&mount.at))
    }

    /// `policy` without the private folders.
    pub(crate) fn protect(&self, policy: Policy) -> Policy {
        if self.protected.is_empty() {
            return policy;
        }
        let mut host = Layer::open(LayerKind::Host);
        for path in &self.protected {
            match Rule::parse_grant(&all_below(path), &GuestPath::root()) {
                Ok(rule) => host.add_deny(rule),
                // A path that no rule can name cannot be carved out, so there are no files at all.
                Err(_) => host.restrict(Class::Filesystem),
            }
        }
        policy.attenuate(host)
    }

    /// Opens what is planned. Changes to overlays are kept below `state`.
    pub(crate) fn open(self, open: &OpenStores, state: Option<&Path>) -> Result<Stores, Error> {
        let mounted = self.mounts.into_iter().map(|planned| planned.open(open, state)).collect::<Result<_, _>>()?;
        Ok(Stores { mounted })
    }
}

impl Planned {
    fn open(self, open: &OpenStores, state: Option<&Path>) -> Result<Mounted, Error> {
        let Self { at, store } = self;
        match store {
            PlannedStore::Requested(request) => request.open(open, state),
            PlannedStore::Automatic(handle) => {
                // By the handle, so that a name that was swapped meanwhile changes nothing.
                let held = format!("/proc/self/fd/{}", handle.as_raw_fd());
                let opened = HostStore::open(&held)
                    .map_err(|error| unusable(&at, &error.to_string().replace(&held, at.as_str())));
                Ok(Mounted { at, store: Store::Lasting(Arc::new(opened?)), read_only: false })
            }
        }
    }
}

impl MountRequest {
    fn open(self, open: &OpenStores, state: Option<&Path>) -> Result<Mounted, Error> {
        let Self { at, store, read_only, text } = self;
        let opened: Result<Store, String> = match store {
            StoreRequest::Memory => Ok(Store::Memory),
            StoreRequest::Session => Ok(Store::Session),
            StoreRequest::Host(folder) => {
                HostStore::open(folder).map(|store| Store::Lasting(Arc::new(store))).map_err(|error| error.to_string())
            }
            StoreRequest::Overlay(folder) => open.overlay(&folder, state).map(|store| Store::Lasting(store)),
            StoreRequest::Sqlite(file) => open.database(&file).map(|store| Store::Lasting(store)),
        };
        let store = opened.map_err(|reason| Error::grant("--mount", &text, reason, None))?;
        Ok(Mounted { at, store, read_only })
    }
}

/// What stands behind a grant's mounts.
#[derive(Debug)]
pub(crate) struct Stores {
    mounted: Vec<Mounted>,
}

#[derive(Debug)]
struct Mounted {
    at: GuestPath,
    store: Store,
    read_only: bool,
}

#[derive(Debug)]
enum Store {
    /// One for all calls.
    Lasting(Arc<dyn FileSystem>),
    /// Made anew for each call.
    Memory,
    /// That of the session.
    Session,
}

impl Stores {
    /// The mounts of one call.
    pub(crate) fn mounts(&self, limits: &Limits, data: &CallData) -> Vec<Mount> {
        let mount = |mounted: &Mounted| {
            let store = match &mounted.store {
                Store::Lasting(store) => Arc::clone(store),
                Store::Memory => Arc::new(MemoryStore::new(limits.file_writes)) as _,
                Store::Session => data.session().files(),
            };
            let mount = Mount::new(mounted.at.clone(), store);
            if mounted.read_only { mount.read_only() } else { mount }
        };
        self.mounted.iter().map(mount).collect()
    }
}

/// A folder of Caplet's own that no tool may reach.
#[derive(Clone, Debug)]
pub(crate) struct Private {
    what: &'static str,
    folder: PathBuf,
}

impl Private {
    /// `folder`, which holds `what`.
    pub(crate) fn new(what: &'static str, folder: &Path) -> Self {
        Self { what, folder: real(folder) }
    }

    /// The files of the SQLite database at `file`.
    fn database(file: &Path) -> impl Iterator<Item = Self> + use<> {
        let file = file.to_owned();
        ["", "-wal", "-shm", "-journal"].into_iter().map(move |end| {
            let mut name = file.clone().into_os_string();
            name.push(end);
            Self::new("a database", Path::new(&name))
        })
    }

    /// Where the mount of `folder` at `at` shows this folder. A mount inside of it is an error.
    fn shown(&self, at: &GuestPath, folder: &Path) -> Result<Vec<GuestPath>, String> {
        // What cannot be looked at cannot be opened either; the store says why.
        let Ok(folder) = fs::canonicalize(folder) else { return Ok(Vec::new()) };
        if folder.starts_with(&self.folder) {
            return Err(format!("it holds {}, which no tool may reach", self.what));
        }
        // By identity, not by name: the same directory may be bound to several places.
        let root = identity(&folder);
        let mut shown = Vec::new();
        for ancestor in self.folder.ancestors().filter(|ancestor| root.is_some() && identity(ancestor) == root) {
            let below = self.folder.strip_prefix(ancestor).ok().and_then(Path::to_str);
            let below = below.ok_or_else(|| format!("it holds {}, under a name that is not UTF-8", self.what))?;
            let mut names = below.split('/').filter(|name| !name.is_empty());
            shown.push(names.try_fold(at.clone(), |path, name| path.join(name)).map_err(|error| error.to_string())?);
        }
        Ok(shown)
    }

    /// A mount that shows the folder, with a grant to write it, is refused as a whole: no one means that.
    fn refuse_written(&self, shown: &[GuestPath], grant: &Grant) -> Result<(), Error> {
        let operator = Policy::new(grant.operator.clone());
        let is_written = |path: &&GuestPath| operator.permits(&AnyOp::Filesystem(FsOp::Write((*path).clone())));
        let Some(path) = shown.iter().find(is_written) else { return Ok(()) };
        Err(Error::Grant {
            asked: format!("the grant lets the tool write {path}"),
            reason: format!("that is where {} is, which no tool may reach", self.what),
            hint: Some(format!("grant something narrower, or add --deny {}", quote(&all_below(path)))),
        })
    }
}

/// The rule on `path` and all below it. As a denial it takes away writing too.
fn all_below(path: &GuestPath) -> String {
    format!("read:{}/**", escape_glob(path.as_str()))
}

fn linked(folder: &GuestPath, link: &Path) -> Error {
    let target = fs::canonicalize(folder.as_str()).unwrap_or_else(|_| PathBuf::from("DIR"));
    Error::Grant {
        asked: format!("the rules on {folder}"),
        reason: format!("{} is a symbolic link, and a link does not choose what a rule opens", link.display()),
        hint: Some(format!(
            "to have it all the same, add --mount {}",
            quote(&format!("{folder}={}", target.display()))
        )),
    }
}

fn unusable(at: &GuestPath, reason: &str) -> Error {
    Error::Grant {
        asked: format!("the rules on {at} mount the directory of that name"),
        reason: reason.to_owned(),
        hint: Some(format!(
            "grant something narrower, or mount another directory with --mount {}",
            quote(&format!("{at}=DIR"))
        )),
    }
}

/// `path` without links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (fs::canonicalize(ancestor), path.strip_prefix(ancestor)) {
            return real.join(rest);
        }
    }
    path.to_owned()
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}
