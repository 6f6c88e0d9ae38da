//! The stores of a grant: opened once, by handle, and never with the audit log in a tool's reach.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet_policy::{AnyOp, Class, FsOp, GuestPath, Layer, LayerKind, Limits, Policy, Rule, escape_glob, quote};
use caplet_vfs::Mount;
use caplet_vfs::host::HostStore;
use caplet_vfs::memory::MemoryStore;

use crate::error::Error;
use crate::grant::Grant;
use crate::mount::{MountRequest, StoreRequest, first_link};

/// What stands behind a grant's mounts.
#[derive(Debug)]
pub(crate) struct Stores {
    mounted: Vec<Mounted>,
    /// Guest paths at which a mount shows the folder of the audit log.
    protected: Vec<GuestPath>,
}

#[derive(Debug)]
struct Mounted {
    at: GuestPath,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Host(Arc<HostStore>),
    /// Made anew for each call.
    Memory,
}

impl Stores {
    /// Opens everything that `grant` mounts, and what its rules bring by themselves. `log` is the folder of the audit log.
    pub(crate) fn open(grant: &Grant, log: Option<&Path>) -> Result<Self, Error> {
        let mut stores = Self { mounted: Vec::new(), protected: Vec::new() };
        for request in &grant.mounts {
            stores.mount(request, log)?;
        }
        for at in automatic(grant)? {
            stores.mount_automatically(at, log)?;
        }
        stores.keep_log_out(grant)?;
        Ok(stores)
    }

    fn mount(&mut self, request: &MountRequest, log: Option<&Path>) -> Result<(), Error> {
        let store = match &request.store {
            StoreRequest::Memory => Store::Memory,
            StoreRequest::Host(folder) => {
                let refuse = |reason: String| Error::grant("--mount", &request.text, reason, None);
                let store = HostStore::open(folder).map_err(|error| refuse(error.to_string()))?;
                self.note_log(&request.at, folder, log).map_err(refuse)?;
                Store::Host(Arc::new(store))
            }
        };
        self.mounted.push(Mounted { at: request.at.clone(), store });
        Ok(())
    }

    fn mount_automatically(&mut self, at: GuestPath, log: Option<&Path>) -> Result<(), Error> {
        let folder = Path::new(at.as_str());
        let refuse = |reason: String| Error::Grant {
            asked: format!("the rules on {at} mount the directory of that name"),
            reason,
            hint: Some(format!(
                "grant something narrower, or mount a directory with --mount {}",
                quote(&format!("{at}=DIR"))
            )),
        };
        let store = HostStore::open(folder).map_err(|error| refuse(error.to_string()))?;
        self.note_log(&at, folder, log).map_err(refuse)?;
        self.mounted.push(Mounted { at, store: Store::Host(Arc::new(store)) });
        Ok(())
    }

    /// Notes where the mount of `folder` at `at` shows the audit log; refuses a mount inside of the log's folder.
    fn note_log(&mut self, at: &GuestPath, folder: &Path, log: Option<&Path>) -> Result<(), String> {
        let Some(log) = log else { return Ok(()) };
        let log = real(log);
        let folder = fs::canonicalize(folder).map_err(|error| error.to_string())?;
        if folder.starts_with(&log) {
            return Err("it holds the audit log, which no tool may reach".to_owned());
        }
        // By identity, not by name: the same directory may be bound to several places.
        let root = identity(&folder);
        for ancestor in log.ancestors().filter(|ancestor| root.is_some() && identity(ancestor) == root) {
            let below = log.strip_prefix(ancestor).ok().and_then(Path::to_str);
            let shown = below.ok_or("it holds the audit log, under a name that is not UTF-8")?;
            let path = below_mount(at, shown).map_err(|error| error.to_string())?;
            self.protected.push(path);
        }
        Ok(())
    }

    /// Refuses a grant that would let a tool write the audit log. Reading it is taken away by [`Stores::protect`].
    fn keep_log_out(&self, grant: &Grant) -> Result<(), Error> {
        let operator = Policy::new(grant.operator.clone());
        for path in &self.protected {
            let file = path.join("audit.jsonl").unwrap_or_else(|_| path.clone());
            if operator.permits(&AnyOp::Filesystem(FsOp::Write(file))) {
                return Err(Error::Grant {
                    asked: format!("the grant lets the tool write {path}"),
                    reason: "that is where the audit log is, which no tool may reach".to_owned(),
                    hint: Some(format!("grant something narrower, or add --deny {}", quote(&all_below(path)))),
                });
            }
        }
        Ok(())
    }

    /// `policy` without the audit log.
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

    /// The mounts of one call.
    pub(crate) fn mounts(&self, limits: &Limits) -> Vec<Mount> {
        let mount = |mounted: &Mounted| match &mounted.store {
            Store::Host(store) => Mount::new(mounted.at.clone(), Arc::clone(store) as _),
            Store::Memory => Mount::new(mounted.at.clone(), Arc::new(MemoryStore::new(limits.file_writes)) as _),
        };
        self.mounted.iter().map(mount).collect()
    }
}

/// Where a call under `grant` would have something mounted. Nothing is opened.
pub(crate) fn mount_points(grant: &Grant) -> Result<Vec<GuestPath>, Error> {
    let asked = grant.mounts.iter().map(|request| request.at.clone());
    Ok(asked.chain(automatic(grant)?).collect())
}

/// The directories that the rules of `grant` bring by themselves: those under no mount, the outermost ones.
fn automatic(grant: &Grant) -> Result<Vec<GuestPath>, Error> {
    let mut wanted: Vec<GuestPath> = Vec::new();
    for prefix in &grant.prefixes {
        if grant.mounts.iter().any(|mount| prefix.path.starts_with(&mount.at)) {
            continue;
        }
        // Beside mounts, a rule on everything speaks of what is mounted, not of the whole host.
        if prefix.path.as_str() == "/" && !prefix.whole && !grant.mounts.is_empty() {
            continue;
        }
        let Some(folder) = prefix.directory() else { continue };
        if let Some(link) = first_link(&folder, &grant.cwd) {
            return Err(linked(&folder, &link));
        }
        wanted.push(folder);
    }
    wanted.sort_by_key(|path| path.as_str().len());
    let mut outermost: Vec<GuestPath> = Vec::new();
    for folder in wanted {
        if !outermost.iter().any(|outer| folder.starts_with(outer)) {
            outermost.push(folder);
        }
    }
    Ok(outermost)
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

/// The rule on `path` and all below it. As a denial it takes away writing too.
fn all_below(path: &GuestPath) -> String {
    format!("read:{}/**", escape_glob(path.as_str()))
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

fn below_mount(at: &GuestPath, below: &str) -> Result<GuestPath, caplet_policy::PathError> {
    let mut path = at.clone();
    for name in below.split('/').filter(|name| !name.is_empty()) {
        path = path.join(name)?;
    }
    Ok(path)
}
