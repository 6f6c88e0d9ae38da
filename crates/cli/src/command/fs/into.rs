//! `caplet fs cp` into a store: one file. What always holds: the copy appears as a whole, in one step, or not at all; what has its name
//! is only replaced where that was asked for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use caplet::audit::ErrorKind;
use caplet::vfs::{DescriptorFlags, EntryKind, FsError, MAX_READ_BYTES, OpenFlags};
use rustix::fs::OFlags;

use super::copy::must_not_be_part_of;
use super::file_of;
use super::inside::{Inside, relative};
use crate::failure::{Failure, Stop};

/// A new file, to be written.
const NEW: OpenFlags = OpenFlags { create: true, directory: false, exclusive: true, truncate: false };
const WRITE: DescriptorFlags = DescriptorFlags { read: false, write: true, mutate_directory: false };

pub(super) fn cp(source: &Path, store: &str, path: &Path, force: bool) -> Result<(), Stop> {
    let unread = |error: &io::Error| {
        let kind = if error.kind() == io::ErrorKind::Other { ErrorKind::Host } else { ErrorKind::InvalidArgs };
        Failure::new(kind, format!("cannot read {}: {error}", source.display()))
    };
    // Through links, since reading goes through them.
    must_not_be_part_of(file_of(store)?, &fs::canonicalize(source).unwrap_or_else(|_| source.to_owned()))?;
    let mut file = open(source).map_err(|error| unread(&error))?;
    let (Some(path), Some(name)) = (path.to_str(), source.file_name().and_then(|name| name.to_str())) else {
        return Err(Failure::new(ErrorKind::InvalidArgs, "a name in a store is UTF-8").into());
    };
    let inside = Inside::open_to_write(store)?;
    let (path, above) = place(&inside, path, name).map_err(|error| inside.failed(path, &error))?;
    let failed = |error: FsError| inside.failed(&format!("/{path}"), &error);
    if !force && inside.namespace.stat_at(&inside.top, &path, false).is_ok() {
        return Err(failed(FsError::Exists).into());
    }
    let beside = format!("{above}.caplet-copy-{}", std::process::id());
    let made = inside.namespace.open_at(&inside.top, &beside, false, NEW, WRITE).map_err(failed)?;
    let mut fill = || -> Result<(), Stop> {
        let mut piece = vec![0; MAX_READ_BYTES];
        let mut offset = 0;
        loop {
            let length = file.read(&mut piece).map_err(|error| unread(&error))?;
            let mut left = piece.get(..length).unwrap_or_default();
            if left.is_empty() {
                break;
            }
            while !left.is_empty() {
                let written = inside.namespace.write_at(&made, offset, left).map_err(failed)?;
                left = left.get(written.max(1)..).unwrap_or_default();
                offset = offset.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
            }
        }
        let namespace = &inside.namespace;
        // Before it has its name: whoever finds it finds all of it, also after a crash.
        namespace.sync(&made).map_err(failed)?;
        if force {
            namespace.rename_at(&inside.top, &beside, &inside.top, &path).map_err(failed)?;
        } else {
            // Unlike a rename, a link takes nothing's place.
            namespace.link_at(&inside.top, &beside, false, &inside.top, &path).map_err(failed)?;
            namespace.unlink_at(&inside.top, &beside).map_err(failed)?;
        }
        Ok(namespace.sync(&made).map_err(failed)?)
    };
    fill().inspect_err(|_| {
        // It was made here, and holds only a part.
        let _ = inside.namespace.unlink_at(&inside.top, &beside);
    })
}

/// Opens a regular file, whatever links lead to it, and waits for nothing.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"))
    }
}

/// The path of the copy, and that of its directory, with a slash behind it. What is missing of that is made.
fn place(inside: &Inside, path: &str, name: &str) -> Result<(String, String), FsError> {
    let (namespace, top) = (&inside.namespace, &inside.top);
    let path = relative(path);
    let is_directory = path.ends_with('/')
        || namespace.stat_at(top, &path, false).is_ok_and(|found| found.kind == EntryKind::Directory);
    let path = match path.trim_end_matches('/') {
        "." => name.to_owned(),
        above if is_directory => format!("{above}/{name}"),
        _ => path,
    };
    for (end, _) in path.match_indices('/') {
        let above = path.get(..end).unwrap_or_default();
        match namespace.create_directory_at(top, above) {
            Ok(()) | Err(FsError::Exists) => {}
            Err(error) => return Err(error),
        }
    }
    let above = path.rsplit_once('/').map_or_else(String::new, |(above, _)| format!("{above}/"));
    Ok((path, above))
}
