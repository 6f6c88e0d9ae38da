//! What the file system answered, as a sentence that says what to do next.

use std::io::{Error, ErrorKind};

use crate::near;
use crate::path::GuestPath;
use crate::text::join_or;

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading a file.
    Read,
    /// Creating or changing a file.
    Write,
    /// Listing a directory.
    List,
}

impl Access {
    fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::List => "list",
        }
    }

    /// The operator's rule that permits it, as `--allow` takes it.
    fn rule(self, path: &GuestPath) -> String {
        match self {
            Self::Read => format!("read:{path}"),
            Self::Write => format!("write:{path}"),
            Self::List => format!("read:{}/**", if path.as_str() == "/" { "" } else { path.as_str() }),
        }
    }
}

/// `ENOTCAPABLE` and `ELOOP` of WASI preview 1, which the standard library gives no stable name.
#[cfg(target_family = "wasm")]
const NOT_CAPABLE: i32 = 76;
#[cfg(target_family = "wasm")]
pub(crate) const LOOP: i32 = 32;
#[cfg(not(target_family = "wasm"))]
const NOT_CAPABLE: i32 = i32::MIN;
#[cfg(not(target_family = "wasm"))]
pub(crate) const LOOP: i32 = 40;

/// Whether the sandbox (or the host's own permissions) refused, as opposed to: there is no such thing.
#[must_use]
pub fn is_refusal(error: &Error) -> bool {
    error.kind() == ErrorKind::PermissionDenied || error.raw_os_error() == Some(NOT_CAPABLE)
}

/// Says what failed, why, and what to try instead.
#[must_use]
pub fn explain(access: Access, path: &GuestPath, error: &Error) -> String {
    let verb = access.verb();
    if is_refusal(error) {
        return format!(
            "not permitted to {verb} {path}: the operator has not granted it. Trying again will not help; only the operator can permit it, by a grant that covers `{}`.",
            access.rule(path)
        );
    }
    if error.raw_os_error() == Some(LOOP) {
        return format!("cannot {verb} {path}: too many symbolic links on the way, or a link that leads to itself.");
    }
    match error.kind() {
        ErrorKind::NotFound => missing(path),
        ErrorKind::NotADirectory => format!("cannot {verb} {path}: {}", not_a_directory(path)),
        ErrorKind::IsADirectory => is_a_directory(path),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            format!(
                "cannot {verb} {path}: no space is left, or the sandbox's limit on written bytes is reached ({error})."
            )
        }
        ErrorKind::ReadOnlyFilesystem => format!("cannot {verb} {path}: it lies on a read-only mount."),
        ErrorKind::InvalidFilename => format!("cannot {verb} {path}: the name is too long."),
        _ => format!("cannot {verb} {path}: {error}."),
    }
}

/// The sentence for a path that is a directory where a file is wanted.
#[must_use]
pub fn is_a_directory(path: &GuestPath) -> String {
    format!("{path} is a directory. To list it, call file-glob with path \"{path}\" and pattern \"*\".")
}

/// The sentence for a path that does not exist, with names that may be meant.
#[must_use]
pub fn missing(path: &GuestPath) -> String {
    let Some(parent) = path.parent() else { return "/ does not exist: the sandbox has no files at all.".to_owned() };
    let (directory, absent) = nearest_directory(&parent, path.name());
    let close: Vec<String> =
        near::names(&directory, &absent).iter().map(|name| directory.child(name).to_string()).collect();
    let subject = directory.child(&absent);
    let what = if subject == *path {
        format!("{path} does not exist")
    } else {
        format!("{path} does not exist, because the directory {subject} does not")
    };
    if close.is_empty() {
        format!("{what}. To see what is there, call file-glob with path \"{directory}\" and pattern \"*\".")
    } else {
        format!("{what}. Did you mean {}?", join_or(&close))
    }
}

/// The deepest directory on the way that exists, and the name that is missing in it.
fn nearest_directory(parent: &GuestPath, name: &str) -> (GuestPath, String) {
    let (mut directory, mut absent) = (parent.clone(), name.to_owned());
    while !directory.as_ref().is_dir() {
        let Some(above) = directory.parent() else { break };
        directory.name().clone_into(&mut absent);
        directory = above;
    }
    (directory, absent)
}

fn not_a_directory(path: &GuestPath) -> String {
    let mut above = path.parent();
    while let Some(directory) = above {
        if directory.as_ref().is_file() {
            return format!("{directory} is a file, so nothing lies below it.");
        }
        above = directory.parent();
    }
    "a part of it is not a directory.".to_owned()
}
