//! What stands behind the paths that a guest sees: mounts that were asked for, and those that a rule brings by itself.
//!
//! A mount that was asked for may lead through links, since a person named it; below the folder of a toolbox, which was written once, it
//! may not. A mount that only follows from a rule may not: below
//! the current directory the names belong to whoever wrote the project, and a link there must not choose what a rule opens.

use std::fmt;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet_policy::{GuestPath, quote};
use caplet_vfs::host::HostStore;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};

use crate::error::Error;

/// How a directory is held.
const HELD: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A mount that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct MountRequest {
    pub(crate) at: GuestPath,
    pub(crate) store: StoreRequest,
    /// Whether it is only there to be read.
    pub(crate) read_only: bool,
    /// What it holds at most, in bytes; the usual, if nothing was said.
    pub(crate) quota: Option<u64>,
    /// The name of the store, where a toolbox gives it one: mounts of one name show the same files.
    pub(crate) name: Option<StoreName>,
    /// What the operator wrote, as an error names it.
    pub(crate) asked: String,
    /// Below which folder no link is followed, where what is mounted was named once for many calls: a tool of one call could have
    /// put the link there that chooses what another one gets.
    pub(crate) trusted: Option<GuestPath>,
}

/// The name that a toolbox gives to a store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreName {
    /// The toolbox's file: the same name in another one is another store.
    pub(crate) toolbox: Arc<Path>,
    pub(crate) name: Arc<str>,
}

/// What is to stand behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreRequest {
    Host(PathBuf),
    Memory,
    /// The session's files.
    Session,
    /// A directory whose changes are kept aside.
    Overlay(PathBuf),
    /// A file system in a file of SQLite.
    Sqlite(PathBuf),
}

impl MountRequest {
    /// Parses `GUEST=STORE`; relative paths on either side are taken from `cwd`.
    pub(crate) fn parse(text: &str, cwd: &GuestPath) -> Result<Self, Error> {
        let refuse =
            |reason: String, hint: Option<&str>| Error::grant("--mount", text, reason, hint.map(str::to_owned));
        let form = "write GUEST=STORE, such as /work=., /work=overlay:. or /tmp=memory";
        let Some((guest, store)) = text.split_once('=') else {
            return Err(refuse("it has no =".to_owned(), Some(form)));
        };
        if guest.is_empty() || store.is_empty() {
            return Err(refuse("one side of the = is empty".to_owned(), Some(form)));
        }
        let at = absolute(guest, cwd).map_err(|reason| refuse(format!("the guest path: {reason}"), Some(form)))?;
        let (store, read_only) = StoreRequest::parse(store, cwd).map_err(|reason| refuse(reason, Some(form)))?;
        let asked = format!("--mount {}", quote(text));
        Ok(Self { at, store, read_only, quota: None, name: None, asked, trusted: None })
    }

    /// The directory at `folder`, held from here on: what is looked at is what is opened.
    pub(crate) fn hold(&self, folder: &Path) -> Result<OwnedFd, String> {
        let named = folder.to_str().and_then(|folder| absolute(folder, &GuestPath::root()).ok());
        let reached = match (&self.trusted, named) {
            (Some(trusted), Some(named)) if named.starts_with(trusted) => reach(&named, trusted),
            _ => openat(CWD, folder, HELD, Mode::empty()).map(Reached::Directory),
        };
        match reached {
            Ok(Reached::Directory(held)) => Ok(held),
            Ok(Reached::Link(link)) => {
                let rule = "a link does not choose what a tool of the toolbox gets";
                Err(format!("{} is a symbolic link, and {rule}: name what it leads to", link.display()))
            }
            // In the words of the store.
            Err(errno) => Err(match HostStore::open(folder) {
                Err(error) => error.to_string(),
                Ok(_) => format!("{} cannot be opened: {errno}", folder.display()),
            }),
        }
    }

    /// The error that this mount cannot be had.
    pub(crate) fn refuse(&self, reason: impl Into<String>, hint: Option<String>) -> Error {
        Error::Grant { asked: self.asked.clone(), reason: reason.into(), hint }
    }
}

/// As on a command line.
impl fmt::Display for MountRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = ", self.at)?;
        match &self.store {
            StoreRequest::Host(folder) => write!(f, "{}", folder.display())?,
            StoreRequest::Memory => f.write_str("memory")?,
            StoreRequest::Session => f.write_str("session")?,
            StoreRequest::Overlay(folder) => write!(f, "overlay:{}", folder.display())?,
            StoreRequest::Sqlite(file) => write!(f, "sqlite:{}", file.display())?,
        }
        if self.read_only { f.write_str(", to read only") } else { Ok(()) }
    }
}

impl StoreRequest {
    /// Parses a store, and whether `:ro` behind it makes it one to read only; relative paths are taken from `cwd`. A bare
    /// directory is meant as it stands where there is one of that name.
    pub(crate) fn parse(text: &str, cwd: &GuestPath) -> Result<(Self, bool), String> {
        let at = |path: &str| Path::new(cwd.as_str()).join(path);
        let (store, read_only) = match text.strip_suffix(":ro") {
            Some(store) if store.contains(':') || matches!(store, "memory" | "session") => (store, true),
            Some(store) if !store.is_empty() && !at(text).exists() => (store, true),
            _ => (text, false),
        };
        let store = match store.split_once(':') {
            Some((kind @ ("host" | "overlay"), "")) => return Err(format!("there is no directory after {kind}:")),
            Some(("sqlite", "")) => return Err("there is no file after sqlite:".to_owned()),
            Some(("host", folder)) => Self::Host(at(folder)),
            Some(("overlay", folder)) => Self::Overlay(at(folder)),
            Some(("sqlite", file)) => Self::Sqlite(at(file)),
            None if store == "memory" => Self::Memory,
            None if store == "session" => Self::Session,
            _ => Self::Host(at(store)),
        };
        Ok((store, read_only))
    }

    /// The file of SQLite that it is, if it is one.
    pub(crate) fn database(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(file) => Some(file),
            _ => None,
        }
    }

    /// The place on the host that it leads to, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Host(path) | Self::Overlay(path) | Self::Sqlite(path) => Some(path),
            Self::Memory | Self::Session => None,
        }
    }
}

/// `text` as a guest path, taken from `cwd` where it is relative. `.` and `..` are folded as text.
pub(crate) fn absolute(text: &str, cwd: &GuestPath) -> Result<GuestPath, String> {
    let mut names: Vec<&str> = if text.starts_with('/') { Vec::new() } else { cwd.as_str().split('/').collect() };
    for name in text.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop().ok_or("it climbs above the root")?;
            }
            name => names.push(name),
        }
    }
    names.retain(|name| !name.is_empty());
    GuestPath::parse(&format!("/{}", names.join("/"))).map_err(|error| error.to_string())
}

/// The directory that a rule names before its first wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// The names without a wildcard, unescaped, joined.
    pub(crate) path: GuestPath,
    /// Whether the rule has no wildcard at all, so that it may name a file.
    pub(crate) whole: bool,
    /// The rule, for people.
    pub(crate) rule: String,
    /// Where the person is who wrote the rule: links on the way there are followed.
    pub(crate) trusted: GuestPath,
}

impl Prefix {
    /// The literal prefix of a glob in absolute form, written by somebody who is at `trusted`.
    pub(crate) fn of_glob(glob: &str, rule: &str, trusted: &GuestPath) -> Option<Self> {
        let mut path = String::new();
        let mut whole = true;
        for name in glob.split('/').filter(|name| !name.is_empty()) {
            let Some(literal) = unescaped(name) else {
                whole = false;
                break;
            };
            path.push('/');
            path.push_str(&literal);
        }
        if path.is_empty() {
            path.push('/');
        }
        let path = GuestPath::parse(&path).ok()?;
        Some(Self { path, whole, rule: rule.to_owned(), trusted: trusted.clone() })
    }

    /// The directory on the host that this prefix brings in, where there is one: the prefix itself; its parent, where the prefix is
    /// a file or does not exist yet.
    pub(crate) fn directory(&self) -> Option<GuestPath> {
        let path = Path::new(self.path.as_str());
        match fs::symlink_metadata(path) {
            // A link to a directory is for the caller to refuse; any other is resolved by the store, below its parent.
            Ok(found) if found.is_dir() || (found.is_symlink() && path.is_dir()) => Some(self.path.clone()),
            Ok(_) => self.path.parent(),
            // The root comes only with a rule that says so.
            Err(_) => self.path.parent().filter(|parent| parent.as_str() != "/" && Path::new(parent.as_str()).is_dir()),
        }
    }
}

/// One name of a glob without its escapes; `None` where it has a wildcard.
fn unescaped(name: &str) -> Option<String> {
    let mut literal = String::with_capacity(name.len());
    let mut characters = name.chars();
    while let Some(c) = characters.next() {
        match c {
            '*' | '?' | '[' | ']' | '{' | '}' => return None,
            '\\' => literal.push(characters.next()?),
            c => literal.push(c),
        }
    }
    Some(literal)
}

/// A directory that was reached without following a link.
#[derive(Debug)]
pub(crate) enum Reached {
    /// The directory, held by handle.
    Directory(OwnedFd),
    /// A link is in the way.
    Link(PathBuf),
}

/// Walks to `path` one name at a time. Links are followed up to `trusted`, where the person is, and directly below the root, where
/// only the system's administrator makes them.
pub(crate) fn reach(path: &GuestPath, trusted: &GuestPath) -> rustix::io::Result<Reached> {
    let flags = HELD;
    let (start, rest) = match path.as_str().strip_prefix(trusted.as_str()) {
        Some(rest) if path.starts_with(trusted) => (trusted.as_str(), rest),
        _ => ("/", path.as_str()),
    };
    let mut reached = PathBuf::from(start);
    let mut handle = openat(CWD, &reached, flags, Mode::empty())?;
    for name in rest.split('/').filter(|name| !name.is_empty()) {
        let is_systems = reached == Path::new("/") && start != trusted.as_str();
        let follow = if is_systems { OFlags::empty() } else { OFlags::NOFOLLOW };
        let next = openat(&handle, name, flags | follow, Mode::empty());
        reached.push(name);
        handle = match next {
            Ok(next) => next,
            Err(error) => {
                let stat = statat(&handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
                let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
                return if is_link { Ok(Reached::Link(reached)) } else { Err(error) };
            }
        };
    }
    Ok(Reached::Directory(handle))
}
