//! A client's file on disk, and the backup beside it.
//!
//! What always holds: whoever reads sees the old file or the new one, never a part; a link to the file stays a link; owner and mode stay as
//! they are; a file that changed since it was read is not written over.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use rustix::fs::{Access, OFlags};

use super::change::Step;
use super::shape::Problem;
use super::{Scope, Site};
use crate::failure::Failure;
use crate::host;

/// Bytes of a file that is read: more than any client lets its own grow to.
const LARGEST: u64 = 64 << 20;

/// Links to follow from a name to a file: as many as the system follows.
const LINKS: u32 = 40;

/// What is behind the name of a backup.
const BACKUP: &str = ".caplet-backup";

/// A client's file, and the backup beside it, as they were when they were read.
#[derive(Debug)]
pub(super) struct ConfigFile {
    /// By the name that a person knows.
    named: PathBuf,
    /// Where it really is.
    real: PathBuf,
    scope: Scope,
    found: Option<Contents>,
    backup: Option<Contents>,
}

#[derive(Debug)]
struct Contents {
    text: String,
    mode: u32,
    owner: (u32, u32),
    /// How many names it has.
    names: u64,
}

/// Why a file was not written.
#[derive(Debug)]
pub(super) enum Interrupted {
    /// It was not what it had been.
    Changed,
    Failed(io::Error),
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Keeps other runs of this program from the files of clients. They are few and quick.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take() -> Result<Self, Failure> {
        let folder = host::state_dir()?;
        let file = folder.join("clients.lock");
        let lock = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&file)?;
            file.lock()?;
            Ok(file)
        };
        let locked: io::Result<File> = lock();
        locked.map(|file| Self { _file: file }).map_err(|error| unwritten(&file, &error))
    }
}

impl ConfigFile {
    /// Reads the file, if there is one.
    pub(super) fn open(site: &Site) -> Result<Self, Failure> {
        let unread = |error: &io::Error| {
            let kind = match error.kind() {
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge => {
                    ErrorKind::InvalidConfig
                }
                _ => ErrorKind::Host,
            };
            Failure::new(kind, format!("cannot read {}: {error}", site.file.display()))
        };
        let real = behind_links(&site.file).map_err(|error| unread(&error))?;
        if let Some(folder) = &site.within {
            must_be_within(&site.file, &real, folder)?;
        }
        let found = Contents::read(&real).map_err(|error| unread(&error))?;
        // A backup that cannot be read is none that could be restored.
        let backup = Contents::read(&beside(&real, BACKUP)).ok().flatten();
        Ok(Self { named: site.file.clone(), real, scope: site.scope, found, backup })
    }

    /// Nothing if there is no file.
    pub(super) fn text(&self) -> Option<&str> {
        self.found.as_ref().map(|found| found.text.as_str())
    }

    pub(super) fn backup(&self) -> Option<&str> {
        self.backup.as_ref().map(|backup| backup.text.as_str())
    }

    /// A problem with the file's text, as a failure. No line of it is shown: others' credentials may be there.
    pub(super) fn problem(&self, problem: &Problem) -> Failure {
        let place = problem.place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        let why = format!("{}{place}: {}", self.named.display(), problem.reason);
        Failure::new(ErrorKind::InvalidConfig, why).with_hint("the file was left as it is; mend it there and try again")
    }

    /// Refuses to replace what its owner would not have replaced.
    pub(super) fn must_be_changeable(&self) -> Result<(), Failure> {
        const OWNER_MAY_WRITE: u32 = 0o200;
        let Some(found) = &self.found else { return Ok(()) };
        let named = self.named.display();
        // The superuser may write to any file, but its owner made this one so for a reason.
        if found.mode & OWNER_MAY_WRITE == 0 || rustix::fs::access(&self.real, Access::WRITE_OK).is_err() {
            let why = format!("{named} is read-only, and was left as it is");
            return Err(Failure::new(ErrorKind::InvalidConfig, why)
                .with_hint("change it where it is made, or make it writable and try again"));
        }
        if found.names > 1 {
            let why = format!("{named} has {} names (hard links), and only one of them would change", found.names);
            return Err(Failure::new(ErrorKind::InvalidConfig, why).with_hint("replace the others by symbolic links"));
        }
        Ok(())
    }

    /// Does as planned by what this file was.
    pub(super) fn perform(&self, step: &Step) -> Result<(), Interrupted> {
        match (step, &self.found) {
            (Step::Keep, _) => Ok(()),
            (Step::Write { text, .. }, None) => self.create(text),
            (Step::Write { text, is_kept }, Some(found)) => {
                if *is_kept {
                    Fresh::beside(&self.real, &found.text, found)?.replace(&beside(&self.real, BACKUP))?;
                }
                self.replace(text, found)
            }
            (Step::Restore, Some(found)) => {
                self.replace(self.backup().unwrap_or_default(), found)?;
                Ok(fs::remove_file(beside(&self.real, BACKUP))?)
            }
            (Step::Delete, Some(found)) => {
                self.must_still_be(found)?;
                Ok(fs::remove_file(&self.real)?)
            }
            (Step::Restore | Step::Delete, None) => Err(Interrupted::Changed),
        }
    }

    /// A failure to write the file.
    pub(super) fn unwritten(&self, error: &io::Error) -> Failure {
        unwritten(&self.named, error)
    }

    fn create(&self, text: &str) -> Result<(), Interrupted> {
        if let Some(folder) = self.real.parent() {
            DirBuilder::new().recursive(true).mode(self.scope.folder_mode()).create(folder)?;
        }
        let fresh = Fresh::new(&self.real, text, self.scope.file_mode())?;
        match fs::hard_link(&fresh.path, &self.real) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Interrupted::Changed),
            linked => Ok(linked?),
        }
    }

    fn replace(&self, text: &str, found: &Contents) -> Result<(), Interrupted> {
        let fresh = Fresh::beside(&self.real, text, found)?;
        self.must_still_be(found)?;
        Ok(fresh.replace(&self.real)?)
    }

    fn must_still_be(&self, found: &Contents) -> Result<(), Interrupted> {
        let is_same = Contents::read(&self.real)?.is_some_and(|now| now.text == found.text);
        if is_same { Ok(()) } else { Err(Interrupted::Changed) }
    }
}

impl Scope {
    /// What is the user's own is for the user alone; what is a project's is for whom the umask says.
    fn file_mode(self) -> u32 {
        match self {
            Self::User => 0o600,
            Self::Project => 0o666,
        }
    }

    fn folder_mode(self) -> u32 {
        match self {
            Self::User => 0o700,
            Self::Project => 0o777,
        }
    }
}

impl Contents {
    /// The regular file at `path`, if there is anything.
    fn read(path: &Path) -> io::Result<Option<Self>> {
        // A pipe would wait for a writer.
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            let why = format!("it has more than {} MiB", LARGEST >> 20);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))?;
        let (mode, owner, names) = (facts.mode() & 0o7777, (facts.uid(), facts.gid()), facts.nlink());
        Ok(Some(Self { text, mode, owner, names }))
    }
}

/// A file of another name that is to take the place of one. It is gone if it does not.
#[derive(Debug)]
struct Fresh {
    path: PathBuf,
}

impl Fresh {
    /// As new, in the folder of `of`.
    fn new(of: &Path, text: &str, mode: u32) -> io::Result<Self> {
        let path = beside(of, &format!(".caplet-{}", std::process::id()));
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
            // Left by a run that was killed: no process of this number is at work on it now.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&path)?;
                OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?
            }
            opened => opened?,
        };
        let fresh = Self { path };
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(fresh)
    }

    /// For whom `like` is, and for nobody else at any time.
    fn beside(of: &Path, text: &str, like: &Contents) -> io::Result<Self> {
        let fresh = Self::new(of, text, 0o600)?;
        let (user, group) = like.owner;
        let now = fs::metadata(&fresh.path)?;
        if (now.uid(), now.gid()) != (user, group) {
            fchown(File::open(&fresh.path)?, Some(user), Some(group))?;
        }
        fs::set_permissions(&fresh.path, Permissions::from_mode(like.mode))?;
        Ok(fresh)
    }

    fn replace(&self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // It has its other name by now, or is not wanted.
        let _ = fs::remove_file(&self.path);
    }
}

/// Where a name leads, whether there is something or not.
fn behind_links(name: &Path) -> io::Result<PathBuf> {
    let mut path = name.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            // There is nothing, or something that is not a link.
            Err(error) if is_absent(&error) || error.kind() == io::ErrorKind::InvalidInput => return resolved(&path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// The same file by a name that has no link in its folders, as far as they are there.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    match (fs::canonicalize(path), path.parent(), path.file_name()) {
        (Err(error), Some(folder), Some(name)) if is_absent(&error) => Ok(resolved(folder)?.join(name)),
        (found, ..) => found,
    }
}

/// A project may come from strangers: a link in it does not choose which file is written.
fn must_be_within(named: &Path, real: &Path, folder: &Path) -> Result<(), Failure> {
    let is_within = fs::canonicalize(folder).is_ok_and(|folder| real.starts_with(folder));
    if is_within {
        return Ok(());
    }
    let why = format!("{} leads out of the project, to {}", named.display(), real.display());
    Err(Failure::new(ErrorKind::InvalidConfig, why).with_hint("install it there with --scope user, or remove the link"))
}

/// A name in the same folder.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::new(ErrorKind::Host, format!("cannot write {}: {error}", path.display()))
}
