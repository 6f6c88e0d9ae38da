//! Folders and files that are kept from tools: the audit log, compiled code, secrets, databases that are in use, the toolbox.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use caplet_policy::{AnyOp, FsOp, GuestPath, Policy, escape_glob, quote};

use crate::error::Error;
use crate::grant::Grant;

/// A file that no mount may show, or that none may let a tool write.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) file: Private,
    /// Whether it may be read all the same.
    pub(crate) is_readable: bool,
}

impl Kept {
    /// The files of the SQLite database at `file`.
    pub(crate) fn database(file: &Path) -> impl Iterator<Item = Self> + use<> {
        let file = file.to_owned();
        ["", "-wal", "-shm", "-journal"].into_iter().map(move |end| {
            let mut name = file.clone().into_os_string();
            name.push(end);
            Self { file: Private::new("a database", Path::new(&name)), is_readable: false }
        })
    }

    /// The file that `path` leads to, and the way there.
    pub(crate) fn with_links(what: &'static str, path: &Path, is_readable: bool) -> impl Iterator<Item = Self> + use<> {
        Self::way(what, path, is_readable).chain([Self { file: Private::new(what, path), is_readable }])
    }

    /// Every link on the way to `path`, and the first place on it where nothing is: who can put a link there chooses the file.
    pub(crate) fn way(what: &'static str, path: &Path, is_readable: bool) -> impl Iterator<Item = Self> + use<> {
        let places = links_to(path).into_iter();
        places.map(move |folder| Self { file: Private { what, folder, is_link: true }, is_readable })
    }
}

/// A folder of Caplet's own that no tool may reach, or a file.
#[derive(Clone, Debug)]
pub(crate) struct Private {
    what: &'static str,
    folder: PathBuf,
    /// Whether the link at this place is meant, and not what it leads to.
    is_link: bool,
}

impl Private {
    /// `folder`, which holds `what`.
    pub(crate) fn new(what: &'static str, folder: &Path) -> Self {
        Self { what, folder: real(folder), is_link: false }
    }

    /// Where the mount of `folder` at `at` shows this folder. A mount inside of it is an error.
    pub(crate) fn shown(&self, at: &GuestPath, folder: &Path) -> Result<Vec<GuestPath>, String> {
        // What cannot be looked at cannot be opened either; the store says why.
        let Ok(folder) = fs::canonicalize(folder) else { return Ok(Vec::new()) };
        if folder.starts_with(&self.folder) {
            return Err(format!("it holds {}, which no tool may reach", self.what));
        }
        // By identity, not by name: the same directory may be bound to several places.
        let root = identity(&folder);
        let mut shown = Vec::new();
        let ancestors = self.folder.ancestors().skip(usize::from(self.is_link));
        for ancestor in ancestors.filter(|ancestor| root.is_some() && identity(ancestor) == root) {
            let below = self.folder.strip_prefix(ancestor).ok().and_then(Path::to_str);
            let below = below.ok_or_else(|| format!("it holds {}, under a name that is not UTF-8", self.what))?;
            let mut names = below.split('/').filter(|name| !name.is_empty());
            shown.push(names.try_fold(at.clone(), |path, name| path.join(name)).map_err(|error| error.to_string())?);
        }
        Ok(shown)
    }

    /// A mount that shows the folder, with a grant to write it, is refused as a whole: no one means that.
    pub(crate) fn refuse_written(&self, shown: &[GuestPath], grant: &Grant) -> Result<(), Error> {
        let operator = Policy::new(grant.operator());
        let is_written = |path: &&GuestPath| operator.may_permit(&AnyOp::Filesystem(FsOp::Write((*path).clone())));
        let Some(path) = shown.iter().find(is_written) else { return Ok(()) };
        Err(Error::Grant {
            asked: format!("the grant lets the tool write {path}"),
            reason: format!("it leads to {}, which no tool may reach", self.what),
            hint: Some(format!("grant something narrower, or add --deny {}", quote(&all_below(path)))),
        })
    }
}

/// The rule on `path` and all below it. As a denial it takes away writing too.
pub(crate) fn all_below(path: &GuestPath) -> String {
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

/// The links that are followed on the way to `path`, each by the folder that it is really in; last, what is missing, if something is.
pub(crate) fn links_to(path: &Path) -> Vec<PathBuf> {
    /// As many as Linux follows.
    const MOST: usize = 40;
    let mut links = Vec::new();
    let mut ahead: Vec<OsString> = names(path);
    let mut reached = PathBuf::from("/");
    while let Some(name) = ahead.pop() {
        let next = match name.as_bytes() {
            b".." => {
                reached.pop();
                continue;
            }
            _ => reached.join(&name),
        };
        match fs::read_link(&next) {
            Ok(target) if links.len() < MOST => {
                if target.is_absolute() {
                    reached = PathBuf::from("/");
                }
                links.push(next);
                ahead.extend(names(&target));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                links.push(next);
                break;
            }
            _ => reached = next,
        }
    }
    links
}

/// The names that a path consists of, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    names.rev().map(|part| part.as_os_str().to_owned()).collect()
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}
