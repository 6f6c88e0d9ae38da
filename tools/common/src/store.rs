//! Listing, times and reading for tools that touch thousands of files.
//!
//! In a guest this calls `wasi:filesystem` itself: the libc would ask the host for the identity of each entry of a listing and
//! of each file whose times are read, which no tool needs, and make three calls for each one here. Elsewhere it is the standard
//! library.

use std::io;

use crate::path::GuestPath;

/// What an entry of a directory is. Devices, sockets and the like never show up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, whatever it leads to.
    Link,
}

/// Gives each entry of a directory to `each`, in no order, until it returns false.
///
/// # Errors
/// What the host says.
pub fn list(directory: &GuestPath, each: impl FnMut(String, Kind) -> bool) -> io::Result<()> {
    imp::list(directory, each)
}

/// When the file's content, or the link itself, was last changed: milliseconds since 1970, 0 if that is not known.
///
/// # Errors
/// What the host says.
pub fn changed_ms(path: &GuestPath) -> io::Result<u64> {
    imp::changed_ms(path)
}

/// Opens a file for reading from its start. Links are followed.
///
/// # Errors
/// What the host says.
pub fn open(path: &GuestPath) -> io::Result<impl io::Read> {
    imp::open(path)
}

/// Reads up to `max` bytes, and says whether that is all there is.
///
/// # Errors
/// What `source` says.
pub fn head(source: &mut impl io::Read, max: usize) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = vec![0; max];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => {
                bytes.truncate(filled);
                return Ok((bytes, true));
            }
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((bytes, false))
}

#[cfg(target_family = "wasm")]
mod imp {
    use std::cell::OnceCell;
    use std::io::{self, ErrorKind};

    use super::Kind;
    use crate::path::GuestPath;

    wit_bindgen::generate!({ path: "wit", world: "walk", generate_all });

    use wasi::filesystem::preopens::get_directories;
    use wasi::filesystem::types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags};

    thread_local! {
        /// Asked for once: what is mounted does not change during a call.
        static MOUNTS: OnceCell<Vec<(Descriptor, GuestPath)>> = const { OnceCell::new() };
    }

    /// Calls `act` with the mount that holds the path and the path below it, as the host wants it.
    fn at<T>(path: &GuestPath, act: impl FnOnce(&Descriptor, &str) -> Result<T, ErrorCode>) -> io::Result<T> {
        MOUNTS.with(|mounts| {
            let mounts = mounts.get_or_init(mounts_now);
            let below = mounts.iter().filter_map(|(mount, root)| Some((mount, path.below(root)?)));
            let (mount, rest) = below.min_by_key(|(_, rest)| rest.len()).ok_or(ErrorKind::NotFound)?;
            act(mount, if rest.is_empty() { "." } else { rest }).map_err(error)
        })
    }

    fn mounts_now() -> Vec<(Descriptor, GuestPath)> {
        let named = get_directories().into_iter().filter(|(_, name)| name.starts_with('/'));
        named.filter_map(|(mount, name)| Some((mount, GuestPath::resolve("/", &name).ok()?))).collect()
    }

    pub(super) fn list(directory: &GuestPath, mut each: impl FnMut(String, Kind) -> bool) -> io::Result<()> {
        let open = |mount: &Descriptor, path: &str| {
            mount.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::DIRECTORY, DescriptorFlags::READ)
        };
        let opened = at(directory, open)?;
        let entries = opened.read_directory().map_err(error)?;
        while let Some(entry) = entries.read_directory_entry().map_err(error)? {
            let kind = match entry.type_ {
                DescriptorType::RegularFile => Kind::File,
                DescriptorType::Directory => Kind::Directory,
                DescriptorType::SymbolicLink => Kind::Link,
                _ => continue,
            };
            if !each(entry.name, kind) {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn changed_ms(path: &GuestPath) -> io::Result<u64> {
        let facts = at(path, |mount, path| mount.stat_at(PathFlags::empty(), path))?;
        let time = facts.data_modification_timestamp;
        Ok(time.map_or(0, |time| {
            time.seconds.saturating_mul(1000).saturating_add(u64::from(time.nanoseconds / 1_000_000))
        }))
    }

    pub(super) fn open(path: &GuestPath) -> io::Result<Reader> {
        let open = |mount: &Descriptor, path: &str| {
            mount.open_at(PathFlags::SYMLINK_FOLLOW, path, OpenFlags::empty(), DescriptorFlags::READ)
        };
        Ok(Reader { file: at(path, open)?, offset: 0, ended: false })
    }

    /// An open file and the place in it.
    pub(super) struct Reader {
        file: Descriptor,
        offset: u64,
        ended: bool,
    }

    impl io::Read for Reader {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.ended || buffer.is_empty() {
                return Ok(0);
            }
            let (bytes, ended) = self.file.read(buffer.len() as u64, self.offset).map_err(error)?;
            let count = bytes.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..count), bytes.get(..count)) {
                to.copy_from_slice(from);
            }
            self.offset += count as u64;
            self.ended = ended || count == 0;
            Ok(count)
        }
    }

    fn error(code: ErrorCode) -> io::Error {
        let kind = match code {
            ErrorCode::Access | ErrorCode::NotPermitted => ErrorKind::PermissionDenied,
            ErrorCode::NoEntry => ErrorKind::NotFound,
            ErrorCode::NotDirectory => ErrorKind::NotADirectory,
            ErrorCode::IsDirectory => ErrorKind::IsADirectory,
            ErrorCode::NameTooLong => ErrorKind::InvalidFilename,
            ErrorCode::Loop => return io::Error::from_raw_os_error(crate::failure::LOOP),
            other => return io::Error::other(other.message()),
        };
        kind.into()
    }
}

#[cfg(not(target_family = "wasm"))]
mod imp {
    use std::io;
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::Kind;
    use crate::path::GuestPath;

    pub(super) fn list(directory: &GuestPath, mut each: impl FnMut(String, Kind) -> bool) -> io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else { continue };
            let kind = match kind {
                kind if kind.is_dir() => Kind::Directory,
                kind if kind.is_file() => Kind::File,
                kind if kind.is_symlink() => Kind::Link,
                _ => continue,
            };
            if !each(name, kind) {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn changed_ms(path: &GuestPath) -> io::Result<u64> {
        let changed = std::fs::symlink_metadata(path)?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(u64::try_from(changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn open(path: &GuestPath) -> io::Result<std::fs::File> {
        std::fs::File::open(path)
    }
}
