//! Files, by absolute path.
//!
//! The host decides what is permitted; what it answers is put into the words of bash and coreutils, with the rule that an
//! operator could grant.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bstr::ByteSlice;
pub(crate) use caplet_tool_common::store::Kind;
use caplet_tool_common::{GuestPath, failure, store};

use crate::shell::Shell;
use crate::stream::Stream;
use crate::syntax::ast::Text;

/// The time now, since 1970.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The entries of a directory, in no order.
pub(crate) fn list(path: &Path) -> io::Result<Vec<(Text, Kind)>> {
    let path = path.to_str().and_then(|path| GuestPath::resolve("/", path).ok());
    let Some(path) = path else { return Err(ErrorKind::NotFound.into()) };
    let mut entries = Vec::new();
    store::list(&path, |name, kind| {
        entries.push((name.into_bytes(), kind));
        true
    })?;
    Ok(entries)
}

/// Whether it is a stream that the shell itself has under this path: the host has no such file, and need not be asked.
pub(crate) fn is_stream(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes();
    matches!(name, b"/dev/null" | b"/dev/zero" | b"/dev/urandom" | b"/dev/random" | b"/dev/tty")
        || [&b"/dev/std"[..], b"/dev/fd/"].iter().any(|start| name.starts_with(start))
}

/// What the host says of a file, with its links followed.
pub(crate) fn facts(path: &Path) -> io::Result<Metadata> {
    if is_stream(path) { Err(ErrorKind::NotFound.into()) } else { std::fs::metadata(path) }
}

pub(crate) fn is_directory(path: &Path) -> bool {
    facts(path).is_ok_and(|facts| facts.is_dir())
}

/// Whether something is there, be it a link that leads nowhere.
pub(crate) fn exists(path: &Path) -> bool {
    is_stream(path) || std::fs::symlink_metadata(path).is_ok()
}

/// When a file was last changed, since 1970.
pub(crate) fn changed(facts: &Metadata) -> Duration {
    facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default()
}

/// The permission bits to show: the sandbox has none of its own.
pub(crate) fn mode(facts: &Metadata) -> u32 {
    if facts.is_dir() {
        0o755
    } else if facts.is_symlink() {
        0o777
    } else {
        0o644
    }
}

/// What an error says in the words of the C library.
pub(crate) fn message(error: &io::Error) -> String {
    if failure::is_refusal(error) {
        return "Permission denied".to_owned();
    }
    match error.kind() {
        ErrorKind::NotFound => "No such file or directory",
        ErrorKind::AlreadyExists => "File exists",
        ErrorKind::NotADirectory => "Not a directory",
        ErrorKind::IsADirectory => "Is a directory",
        ErrorKind::DirectoryNotEmpty => "Directory not empty",
        ErrorKind::StorageFull => "No space left on device",
        ErrorKind::QuotaExceeded => "Disk quota exceeded",
        ErrorKind::FileTooLarge => "File too large",
        ErrorKind::ReadOnlyFilesystem => "Read-only file system",
        ErrorKind::InvalidFilename => "File name too long",
        ErrorKind::InvalidInput => "Invalid argument",
        ErrorKind::CrossesDevices => "Invalid cross-device link",
        ErrorKind::Unsupported => "Operation not supported",
        _ => return error.to_string(),
    }
    .to_owned()
}

impl Shell {
    /// The absolute path that a name means, with `.` and `..` taken off its text.
    pub(crate) fn path(&self, name: &[u8]) -> PathBuf {
        self.absolute(name).to_path_lossy().into_owned()
    }

    /// As [`path`](Self::path), as text.
    pub(crate) fn absolute(&self, name: &[u8]) -> Text {
        let mut whole = if name.starts_with(b"/") { Text::new() } else { self.directory.clone() };
        whole.push(b'/');
        whole.extend_from_slice(name);
        normal(&whole)
    }

    /// The message for a path that could not be used; where it was refused, with the rule that would permit it.
    pub(crate) fn refusal(&self, name: &[u8], error: &io::Error, write: bool) -> String {
        let mut text = format!("{}: {}", crate::text::shown(name), message(error));
        if failure::is_refusal(error) {
            let rule = if write { "write" } else { "read" };
            let path = crate::text::shown(&self.absolute(name));
            text.push_str(&format!(" (not granted: only the operator can permit it, with `{rule}:{path}`)"));
        }
        text
    }

    /// Opens what a name means for reading: a file, or a stream of this shell.
    pub(crate) fn open_to_read(&self, name: &[u8]) -> io::Result<Rc<Stream>> {
        if let Some(stream) = self.device(name)? {
            return Ok(stream);
        }
        let path = self.path(name);
        let file = File::open(&path)?;
        if file.metadata().is_ok_and(|facts| facts.is_dir()) {
            return Err(ErrorKind::IsADirectory.into());
        }
        Ok(Stream::file(file))
    }

    /// Opens what a name means for writing.
    pub(crate) fn open_to_write(&self, name: &[u8], append: bool) -> io::Result<Rc<Stream>> {
        if let Some(stream) = self.device(name)? {
            return Ok(stream);
        }
        if name.is_empty() {
            return Err(ErrorKind::NotFound.into());
        }
        let mut options = OpenOptions::new();
        options.create(true);
        if append {
            options.append(true);
        } else {
            options.write(true).truncate(true);
        }
        Ok(Stream::file(options.open(self.path(name))?))
    }

    /// The streams that have a path.
    fn device(&self, name: &[u8]) -> io::Result<Option<Rc<Stream>>> {
        if !name.starts_with(b"/dev/") {
            return Ok(None);
        }
        let number = match name {
            b"/dev/null" => return Ok(Some(Stream::null())),
            b"/dev/zero" => return Ok(Some(Stream::zeros())),
            b"/dev/urandom" | b"/dev/random" => return Ok(Some(Stream::random(self.host.seed()))),
            b"/dev/stdin" => 0,
            b"/dev/stdout" | b"/dev/tty" => 1,
            b"/dev/stderr" => 2,
            _ => match name.strip_prefix(b"/dev/fd/").and_then(|text| text.to_str().ok()?.parse().ok()) {
                Some(number) => number,
                None => return Ok(None),
            },
        };
        self.stream(number).map(Some).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

/// A path without `.`, `..` and double slashes.
pub(crate) fn normal(path: &[u8]) -> Text {
    let mut pieces: Vec<&[u8]> = Vec::new();
    for piece in path.split(|byte| *byte == b'/') {
        match piece {
            b"" | b"." => {}
            b".." => {
                pieces.pop();
            }
            other => pieces.push(other),
        }
    }
    let mut out = Text::new();
    for piece in pieces {
        out.push(b'/');
        out.extend_from_slice(piece);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}
