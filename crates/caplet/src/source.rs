//! Where a tool comes from: a built-in name, or a file; its bytes, read once.
//!
//! Only a regular file is read, and never more of it than the limit: a directory, a pipe, a socket or a device is refused by its
//! type before a byte is read, so that nothing can block or run on without end. What was read is what is hashed, checked and run.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

use crate::builtin::{self, BuiltIn};
use crate::error::Error;

/// Where a tool comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// One that comes with Caplet.
    BuiltIn(BuiltIn),
    /// A `.wasm` or `.wat` file.
    Path(PathBuf),
    /// Bytes that the program already holds.
    Bytes {
        /// What the tool is to be called.
        name: String,
        /// A component or module, binary or text.
        bytes: Vec<u8>,
    },
}

impl Source {
    /// What a person means by `text`: a path, where it has a `/` or ends in `.wasm` or `.wat`; otherwise the name of a built-in tool.
    ///
    /// # Errors
    ///
    /// When no built-in tool has that name; the error suggests the nearest one.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let path = Path::new(text);
        let is_module = path.extension().is_some_and(|extension| extension == "wasm" || extension == "wat");
        if text.contains('/') || is_module {
            return Ok(Self::Path(path.to_owned()));
        }
        builtin::find(text).map(Self::BuiltIn).ok_or_else(|| Error::UnknownTool {
            name: text.to_owned(),
            suggestion: builtin::nearest(text).map(str::to_owned),
            is_file: path.is_file(),
        })
    }

    /// What the tool is called: a built-in tool's name, or a file's name without its ending.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::BuiltIn(tool) => tool.name.to_owned(),
            Self::Path(path) => path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            Self::Bytes { name, .. } => name.clone(),
        }
    }

    /// The tool's bytes, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// When there is no such file, it is not a regular file, it cannot be read, or it is too large.
    pub fn read(&self, limit: u64) -> Result<Vec<u8>, Error> {
        match self {
            Self::BuiltIn(tool) => tool.read(limit).map(Cow::into_owned),
            Self::Path(path) => read_file(path, limit),
            Self::Bytes { bytes, .. } => Ok(bytes.clone()),
        }
    }
}

/// The content of the regular file at `path`, at most `limit` bytes.
///
/// # Errors
///
/// As for [`Source::read`].
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    read(path, limit, OFlags::empty())
}

/// As [`read_file`], but where the name at the end of `path` is a link, it is not followed.
pub(crate) fn read_file_itself(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    read(path, limit, OFlags::NOFOLLOW)
}

fn read(path: &Path, limit: u64, more: OFlags) -> Result<Vec<u8>, Error> {
    let unreadable = |reason: String| Error::Unreadable { path: path.to_owned(), reason };
    let failed = |error: Errno| unreadable(std::io::Error::from(error).to_string());
    // Without NONBLOCK, opening a pipe would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags | more, Mode::empty()).map_err(|error| match error {
        Errno::NOENT => unreadable("there is no such file".to_owned()),
        Errno::LOOP if more.contains(OFlags::NOFOLLOW) => unreadable("it is a symbolic link".to_owned()),
        other => failed(other),
    })?;
    let stat = fstat(&file).map_err(failed)?;
    if let Some(what) = unusual(FileType::from_raw_mode(stat.st_mode)) {
        return Err(unreadable(format!("it is {what}, not a regular file")));
    }
    let too_large = || unreadable(format!("it is larger than the limit of {limit} bytes"));
    if u64::try_from(stat.st_size).is_ok_and(|size| size > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    File::from(file)
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    // The file may have grown since it was measured.
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) { Err(too_large()) } else { Ok(bytes) }
}

fn unusual(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile => None,
        FileType::Directory => Some("a directory"),
        FileType::Fifo => Some("a pipe"),
        FileType::Socket => Some("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        FileType::Symlink | FileType::Unknown => Some("something else"),
    }
}
