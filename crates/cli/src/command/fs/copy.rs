//! `caplet fs cp` out of a store: one file. What always holds: nothing is overwritten that was not to be, nothing is written through
//! a link, no part of a file is left where the copy failed, and the files of the store are not where it goes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use rustix::fs::OFlags;

use super::file_of;
use super::inside::Inside;
use crate::failure::{Failure, Stop};

pub(super) fn cp(store: &str, path: &str, dest: &Path, force: bool) -> Result<(), Stop> {
    let inside = Inside::open(store)?;
    let file = inside.file(path)?;
    let name = path.rsplit('/').find(|name| !name.is_empty()).unwrap_or_default();
    let is_directory = fs::symlink_metadata(dest).is_ok_and(|found| found.is_dir());
    let dest = if is_directory { dest.join(name) } else { dest.to_owned() };
    must_not_be_part_of(file_of(store)?, &dest)?;
    let copy = |to: &Path| -> Result<(), Stop> {
        let mut out = create(to).map_err(|error| unwritten(&dest, &error))?;
        let copied = inside.read(&file, path, |bytes| out.write_all(bytes));
        copied.map_err(|stop| {
            // It was made here, and holds only a part.
            let _ = fs::remove_file(to);
            match stop {
                Stop::Io(error) => unwritten(&dest, &error).into(),
                stop => stop,
            }
        })
    };
    if force {
        may_replace(&dest)?;
        let beside = beside(&dest);
        copy(&beside)?;
        if let Err(error) = fs::rename(&beside, &dest) {
            let _ = fs::remove_file(&beside);
            return Err(unwritten(&dest, &error).into());
        }
    } else {
        copy(&dest)?;
    }
    Ok(())
}

/// A new file, at a name that is vacant: not even a link that leads nowhere may have it.
fn create(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits()).unwrap_or_default();
    OpenOptions::new().write(true).create_new(true).custom_flags(flags).open(path)
}

/// Only a file or a link is replaced.
fn may_replace(dest: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(dest) {
        Ok(found) if !found.is_file() && !found.is_symlink() => {
            let why = format!("{} is not a file; it was left as it is", dest.display());
            Err(Failure::new(ErrorKind::InvalidArgs, why))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A copy in the place of the database, or of what SQLite keeps beside it, would be the end of it; to read one of these by itself takes
/// the locks away that SQLite has on it. What is compared is which file it is, since it may have several names; and the name, since a
/// file beside it may not be there yet.
pub(super) fn must_not_be_part_of(database: &Path, dest: &Path) -> Result<(), Failure> {
    let real = fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let names = ["", "-wal", "-shm", "-journal"].into_iter().map(|end| {
        let mut name = real.clone().into_os_string();
        name.push(end);
        PathBuf::from(name)
    });
    let parts: Vec<PathBuf> = names.chain([database.to_owned()]).collect();
    let place = place(dest);
    let identity = identity(dest);
    let is_part = |part: &PathBuf| {
        (place.is_some() && place == self::place(part)) || (identity.is_some() && identity == self::identity(part))
    };
    if !parts.iter().any(is_part) {
        return Ok(());
    }
    let why = format!("{} belongs to the store itself; it was left as it is", dest.display());
    Err(Failure::new(ErrorKind::InvalidArgs, why).with_hint("name another file"))
}

/// The directory that a file is in, without links, and its name there.
fn place(path: &Path) -> Option<PathBuf> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(fs::canonicalize(above).ok()?.join(path.file_name()?))
}

/// Which file it is; of a link, which link.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// A name in the same directory that nobody else uses.
fn beside(dest: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(dest.file_name().unwrap_or_default());
    name.push(format!(".caplet-{}", std::process::id()));
    dest.with_file_name(name)
}

fn unwritten(dest: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write {}: {error}", dest.display());
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(ErrorKind::InvalidArgs, message)
            .with_hint("name another file, or replace this one with --force"),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            Failure::new(ErrorKind::InvalidArgs, message)
        }
        _ => Failure::new(ErrorKind::Host, message),
    }
}
