//! A client's file on disk, and the backup beside it.
//!
//! What always holds: whoever reads sees the old file or the new one, never a part; a link to the file stays a link; owner and mode stay as
//! they are; a file that changed since it was read is not written over.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use rustix::fs::Access;

use super::change::Step;
use super::disk::{Contents, Fresh, beside};
use super::shape::Problem;
use super::{Scope, Site};
use crate::failure::Failure;
use crate::host;

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

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::new(ErrorKind::Host, format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::Client;
    use super::*;

    /// A file of a client, which has `text` if there is any.
    fn site(folder: &Path, text: Option<&str>) -> Site {
        let file = folder.join("mcp.json");
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
        }
        Site { client: Client::Cursor, scope: Scope::User, file, within: None, is_used: true }
    }

    #[test]
    fn what_another_program_wrote_meanwhile_is_not_written_over() {
        let write = || Step::Write { text: "ours".to_owned(), is_kept: true };
        for (before, step) in [(Some("before"), write()), (Some("before"), Step::Delete), (None, write())] {
            let folder = tempfile::tempdir().unwrap();
            let site = site(folder.path(), before);
            let file = ConfigFile::open(&site).unwrap();
            fs::write(&site.file, "theirs").unwrap();
            assert!(matches!(file.perform(&step), Err(Interrupted::Changed)), "{before:?} {step:?}");
            assert_eq!(fs::read_to_string(&site.file).unwrap(), "theirs");
            let left = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name());
            let left: Vec<_> = left.filter(|name| !name.to_string_lossy().ends_with(BACKUP)).collect();
            assert_eq!(left, ["mcp.json"], "{before:?} {step:?}");
        }
    }

    #[test]
    fn what_a_killed_run_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), Some("before"));
        let left = beside(&site.file, &format!(".caplet-{}", std::process::id()));
        fs::write(folder.path().join("elsewhere"), "kept").unwrap();
        std::os::unix::fs::symlink("elsewhere", &left).unwrap();
        let file = ConfigFile::open(&site).unwrap();
        file.perform(&Step::Write { text: "ours".to_owned(), is_kept: true }).unwrap();
        assert_eq!(fs::read_to_string(&site.file).unwrap(), "ours");
        assert_eq!(fs::read_to_string(folder.path().join("elsewhere")).unwrap(), "kept");
        assert_eq!(fs::read_to_string(beside(&site.file, BACKUP)).unwrap(), "before");
    }
}
