//! The stores of a grant: opened once, by handle, and never with the audit log or compiled code in a tool's reach.

use std::ffi::OsString;
use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet_policy::{Class, GuestPath, Layer, LayerKind, Limits, Policy, Rule, quote};
use caplet_vfs::host::HostStore;
use caplet_vfs::memory::MemoryStore;
use caplet_vfs::{FileSystem, Mount};

use crate::buckets::CallData;
use crate::caplet::Caplet;
use crate::error::Error;
use crate::grant::Grant;
use crate::mount::{MountRequest, Reached, StoreName, StoreRequest, reach};
use crate::private::{Kept, Private, all_below};
use crate::shared::{NamedStores, OpenStores, QUOTA, aside};

/// What a grant would mount, found out without opening it for a guest.
#[derive(Debug)]
pub(crate) struct Plan {
    mounts: Vec<Planned>,
    /// Guest paths at which a mount shows a private folder or file.
    protected: Vec<Protected>,
    /// The files of databases that are in use, and those of the toolbox.
    kept: Vec<Kept>,
    /// Rules on files with nothing behind them.
    pub(crate) idle: Vec<String>,
}

/// A guest path that is taken out of what mounts show.
#[derive(Debug)]
struct Protected {
    path: GuestPath,
    /// Whether it can be read all the same.
    is_readable: bool,
}

#[derive(Debug)]
struct Planned {
    at: GuestPath,
    store: PlannedStore,
}

#[derive(Debug)]
enum PlannedStore {
    Memory(MountRequest),
    Session(MountRequest),
    /// The database of this name in a folder that is held since it was looked at.
    Database(MountRequest, OwnedFd, OsString),
    /// A directory that was asked for; held since it was looked at, or why it cannot be.
    Host(MountRequest, PathBuf, Result<OwnedFd, String>),
    /// The same, below an overlay.
    Overlay(MountRequest, Result<OwnedFd, String>),
    /// One that a rule brings, reached without following links.
    Automatic(OwnedFd),
}

impl Plan {
    /// What `grant` mounts, and what its rules bring by themselves, without what no tool of `caplet` may reach.
    pub(crate) fn new(grant: &Grant, caplet: &Caplet) -> Result<Self, Error> {
        if grant.mounts.is_empty() && grant.prefixes.is_empty() {
            return Ok(Self { mounts: Vec::new(), protected: Vec::new(), kept: Vec::new(), idle: Vec::new() });
        }
        let (private, kept) = (&caplet.private(), caplet.kept());
        let own = grant.mounts.iter().filter_map(|mount| mount.store.database());
        let own = own.chain(grant.buckets.iter().filter_map(|bucket| bucket.store.database()));
        let kept = own.flat_map(Kept::database).chain(grant.kept()).chain(kept).collect();
        let mut plan = Self { mounts: Vec::new(), protected: Vec::new(), kept, idle: Vec::new() };
        for request in &grant.mounts {
            plan.request(request, grant, private)?;
        }
        for (folder, trusted) in plan.automatic(grant) {
            plan.bring(folder, &trusted, private)?;
        }
        Ok(plan)
    }

    fn request(&mut self, request: &MountRequest, grant: &Grant, private: &[Private]) -> Result<(), Error> {
        let asked = request.clone();
        let store = match &request.store {
            StoreRequest::Host(folder) => {
                PlannedStore::Host(asked, folder.clone(), self.hold(request, folder, grant, private)?)
            }
            StoreRequest::Overlay(folder) => PlannedStore::Overlay(asked, self.hold(request, folder, grant, private)?),
            StoreRequest::Sqlite(file) => {
                // A database shows nothing of the folder that it is in, and must not be one of ours.
                let refuse = |reason: String| request.refuse(reason, None);
                let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
                    return Err(refuse(format!("{} names no file", file.display())));
                };
                let held = request.hold(folder).map_err(refuse)?;
                for private in private {
                    private.shown(&request.at, &place(&held)).map_err(refuse)?;
                }
                PlannedStore::Database(asked, held, name.to_owned())
            }
            StoreRequest::Memory => PlannedStore::Memory(asked),
            StoreRequest::Session => PlannedStore::Session(asked),
        };
        self.mounts.push(Planned { at: request.at.clone(), store });
        Ok(())
    }

    /// The directory that was asked for, with what no tool may reach taken out; or why there is none.
    fn hold(
        &mut self,
        request: &MountRequest,
        folder: &Path,
        grant: &Grant,
        private: &[Private],
    ) -> Result<Result<OwnedFd, String>, Error> {
        let held = match request.hold(folder) {
            Ok(held) => held,
            Err(reason) => return Ok(Err(reason)),
        };
        let folder = place(&held);
        for private in private {
            let shown = private.shown(&request.at, &folder).map_err(|reason| request.refuse(reason, None))?;
            if !grant.is_disposable {
                private.refuse_written(&shown, grant)?;
            }
            self.protect_all(shown);
        }
        self.keep_out(&request.at, &folder);
        Ok(Ok(held))
    }

    fn bring(&mut self, at: GuestPath, trusted: &GuestPath, private: &[Private]) -> Result<(), Error> {
        let handle = match reach(&at, trusted) {
            Ok(Reached::Directory(handle)) => handle,
            Ok(Reached::Link(link)) => return Err(linked(&at, &link)),
            Err(error) => return Err(unusable(&at, &std::io::Error::from(error).to_string())),
        };
        let folder = place(&handle);
        for private in private {
            self.protect_all(private.shown(&at, &folder).map_err(|reason| unusable(&at, &reason))?);
        }
        self.keep_out(&at, &folder);
        self.mounts.push(Planned { at, store: PlannedStore::Automatic(handle) });
        Ok(())
    }

    fn protect_all(&mut self, paths: Vec<GuestPath>) {
        self.protected.extend(paths.into_iter().map(|path| Protected { path, is_readable: false }));
    }

    /// Takes the files of databases and of the toolbox out of the mount of `folder` at `at`. A process that opens and closes a database
    /// by itself loses the locks that SQLite has on it (POSIX), and a tool could write into it under its feet. With the toolbox a
    /// tool would give itself authority.
    fn keep_out(&mut self, at: &GuestPath, folder: &Path) {
        for kept in &self.kept {
            // A name that is not UTF-8 cannot be reached by a guest either.
            let shown = kept.file.shown(at, folder).unwrap_or_default();
            let is_readable = kept.is_readable;
            self.protected.extend(shown.into_iter().map(|path| Protected { path, is_readable }));
        }
    }

    /// The directories that the rules of `grant` bring by themselves: those under no mount, the outermost ones.
    /// Each with the place up to which links are followed.
    fn automatic(&mut self, grant: &Grant) -> Vec<(GuestPath, GuestPath)> {
        let mut wanted: Vec<(GuestPath, GuestPath)> = Vec::new();
        for prefix in &grant.prefixes {
            let is_root = prefix.path.is_root() && !prefix.whole;
            // Beside mounts, a rule on everything speaks of what is mounted, not of the whole host.
            let is_covered = grant.mounts.iter().any(|mount| is_root || prefix.path.starts_with(&mount.at));
            match prefix.directory() {
                _ if is_covered => {}
                Some(folder) => wanted.push((folder, prefix.trusted.clone())),
                None => self.idle.push(prefix.rule.clone()),
            }
        }
        wanted.sort_by_key(|(path, _)| path.as_str().len());
        let mut outermost: Vec<(GuestPath, GuestPath)> = Vec::new();
        for (folder, trusted) in wanted {
            if !outermost.iter().any(|(outer, _)| folder.starts_with(outer)) {
                outermost.push((folder, trusted));
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
        for Protected { path, is_readable } in &self.protected {
            let denial = if *is_readable { all_below(path).replacen("read", "write", 1) } else { all_below(path) };
            match Rule::parse_grant(&denial, &GuestPath::root()) {
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

    /// Opens what is planned so that nothing on the host can be changed: changes to directories are in memory, and gone with the stores.
    pub(crate) fn open_aside(self) -> Result<Stores, Error> {
        let mounted = self.mounts.into_iter().map(Planned::open_aside).collect::<Result<_, _>>()?;
        Ok(Stores { mounted })
    }
}

impl Planned {
    fn open_aside(self) -> Result<Mounted, Error> {
        let Self { at, store } = self;
        let (opened, read_only) = match store {
            PlannedStore::Host(asked, _, held) | PlannedStore::Overlay(asked, held) => {
                let opened = held.and_then(|held| aside(&held, asked.quota.unwrap_or(QUOTA)));
                (opened.map_err(|reason| asked.refuse(reason, None))?, asked.read_only)
            }
            PlannedStore::Automatic(held) => (aside(&held, QUOTA).map_err(|reason| unusable(&at, &reason))?, false),
            PlannedStore::Database(asked, ..) => {
                let reason = "what is changed in a database cannot be kept aside";
                let hint = "for this, mount a directory or `memory` there instead".to_owned();
                return Err(asked.refuse(reason, Some(hint)));
            }
            PlannedStore::Memory(MountRequest { name, quota, read_only, .. }) => {
                return Ok(Mounted { at, store: Store::Memory { name, quota }, read_only });
            }
            PlannedStore::Session(MountRequest { name, quota, read_only, .. }) => {
                return Ok(Mounted { at, store: Store::Session { name, quota }, read_only });
            }
        };
        Ok(Mounted { at, store: Store::Lasting(opened), read_only })
    }

    fn open(self, open: &OpenStores, state: Option<&Path>) -> Result<Mounted, Error> {
        let Self { at, store } = self;
        // By the handle, so that a name that was swapped meanwhile changes nothing.
        let (opened, read_only) = match store {
            PlannedStore::Memory(MountRequest { name, quota, read_only, .. }) => {
                (Store::Memory { name, quota }, read_only)
            }
            PlannedStore::Session(MountRequest { name, quota, read_only, .. }) => {
                (Store::Session { name, quota }, read_only)
            }
            PlannedStore::Database(asked, folder, name) => {
                let opened = open.database(&folder, &name, asked.quota.unwrap_or(QUOTA));
                (Store::Lasting(opened.map_err(|reason| asked.refuse(reason, None))?), asked.read_only)
            }
            PlannedStore::Host(asked, folder, held) => {
                let opened =
                    held.and_then(|held| HostStore::open_held(&held, &folder).map_err(|error| error.to_string()));
                (Store::Lasting(Arc::new(opened.map_err(|reason| asked.refuse(reason, None))?)), asked.read_only)
            }
            PlannedStore::Overlay(asked, held) => {
                let opened = held.and_then(|held| open.overlay(&held, state, asked.quota.unwrap_or(QUOTA)));
                (Store::Lasting(opened.map_err(|reason| asked.refuse(reason, None))?), asked.read_only)
            }
            PlannedStore::Automatic(held) => {
                let opened =
                    HostStore::open_held(&held, at.as_str()).map_err(|error| unusable(&at, &error.to_string()));
                (Store::Lasting(Arc::new(opened?)), false)
            }
        };
        Ok(Mounted { at, store: opened, read_only })
    }
}

/// A name of the directory that is held, for as long as it is.
pub(crate) fn place(held: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", held.as_raw_fd()).into()
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
    Memory { name: Option<StoreName>, quota: Option<u64> },
    /// That of the session.
    Session { name: Option<StoreName>, quota: Option<u64> },
}

impl Stores {
    /// The mounts of one call.
    pub(crate) fn mounts(&self, limits: &Limits, data: &CallData) -> Vec<Mount> {
        let of_call = NamedStores::default();
        let in_memory = |quota: Option<u64>| MemoryStore::new(quota.unwrap_or(limits.file_writes));
        let mount = |mounted: &Mounted| {
            let store = match &mounted.store {
                Store::Lasting(store) => Arc::clone(store),
                Store::Memory { name: None, quota } => Arc::new(in_memory(*quota)) as _,
                Store::Memory { name, quota } => of_call.get_or_make(name.clone(), || in_memory(*quota)) as _,
                Store::Session { name, quota } => data.session().files(name.clone(), *quota),
            };
            let mount = Mount::new(mounted.at.clone(), store);
            if mounted.read_only { mount.read_only() } else { mount }
        };
        self.mounted.iter().map(mount).collect()
    }
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
