//! The built-in tool `file-write`: content in, one file written, what was done out.
//!
//! The file is written in place, not by a second file and a rename: in place needs the right to that one name only, and keeps its
//! permissions, its hard links and the links that lead to it. The price is that a write that fails half way (no space, a limit)
//! leaves a part; the error then says how much was written.

#[cfg(target_family = "wasm")]
mod guest;

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Write};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use caplet_tool_common::failure::{is_a_directory, is_refusal};
use caplet_tool_common::{Access, GuestPath, explain};

/// What the caller asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The file, absolute or relative.
    pub path: String,
    /// What to write.
    pub content: String,
    /// How `content` is given.
    pub encoding: Encoding,
    /// What to do with an existing file.
    pub if_exists: IfExists,
}

/// How the content is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As text.
    #[default]
    Utf8,
    /// In base64.
    Base64,
}

/// What to do where the file exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// Replace its content.
    #[default]
    Overwrite,
    /// Fail.
    Fail,
    /// Add at its end.
    Append,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// There was no such file.
    Created,
    /// Its content was replaced.
    Replaced,
    /// The content was added at its end.
    Appended,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The absolute path.
    pub path: String,
    /// What was done.
    pub action: Action,
    /// Bytes written.
    pub bytes: u64,
    /// The file's size now, in bytes.
    pub size: u64,
}

/// Writes what is asked for; relative paths are taken from `cwd`.
///
/// # Errors
/// A sentence that says what is wrong, what was written before it went wrong, and what to do next.
pub fn write(cwd: &str, request: Request) -> Result<Written, String> {
    let path = GuestPath::resolve(cwd, &request.path)?;
    if request.path.ends_with('/') {
        return Err(format!(
            "path ends with \"/\", so it names a directory: give a file's path, for example \"{path}/file.txt\"."
        ));
    }
    let bytes = match request.encoding {
        Encoding::Utf8 => request.content.into_bytes(),
        Encoding::Base64 => decode(&request.content)?,
    };
    let (mut file, action) = open(&path, request.if_exists)?;
    write_all(&path, &mut file, &bytes, action)?;
    let size = file.metadata().map_or(bytes.len() as u64, |facts| facts.len());
    Ok(Written { path: path.to_string(), action, bytes: bytes.len() as u64, size })
}

/// Decodes base64 with or without padding, line breaks and a `data:` prefix: all of these are common and none is ambiguous.
fn decode(content: &str) -> Result<Vec<u8>, String> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let body =
        content.split_once(";base64,").filter(|(head, _)| head.starts_with("data:")).map_or(content, |(_, body)| body);
    let body: String = body.split_ascii_whitespace().collect();
    GeneralPurpose::new(&STANDARD, lenient).decode(body).map_err(|error| {
        format!("content is not base64 ({error}); nothing was written. For plain text leave encoding out.")
    })
}

/// Opens the file, and creates the directories above it only once it is clear that they are missing.
fn open(path: &GuestPath, if_exists: IfExists) -> Result<(File, Action), String> {
    let first = open_once(path, if_exists);
    let result = match first {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create_parents(path)?;
            open_once(path, if_exists)
        }
        other => other,
    };
    result.map_err(|error| explain_open(path, &error))
}

/// Creating comes first and exclusively: so the answer whether a file was created or replaced is never a guess.
fn open_once(path: &GuestPath, if_exists: IfExists) -> Result<(File, Action), Error> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        created => return created.map(|file| (file, Action::Created)),
    }
    match if_exists {
        IfExists::Fail => Err(Error::from(ErrorKind::AlreadyExists)),
        IfExists::Overwrite => {
            OpenOptions::new().write(true).truncate(true).open(path).map(|file| (file, Action::Replaced))
        }
        IfExists::Append => OpenOptions::new().append(true).open(path).map(|file| (file, Action::Appended)),
    }
}

fn create_parents(path: &GuestPath) -> Result<(), String> {
    let Some(parent) = path.parent() else { return Ok(()) };
    if path.as_ref().is_symlink() {
        return Err(format!("{path} is a symbolic link to a file that does not exist: write to that file's own path."));
    }
    std::fs::create_dir_all(&parent).map_err(|error| {
        format!("cannot create the directories above {path}: {}", explain(Access::Write, &parent, &error))
    })
}

fn explain_open(path: &GuestPath, error: &Error) -> String {
    if error.kind() == ErrorKind::AlreadyExists && !path.as_ref().is_dir() {
        return format!(
            "{path} exists already and if_exists is `fail`, so nothing was written. Use `overwrite` or `append`, or another path."
        );
    }
    if !is_refusal(error) && path.as_ref().is_dir() {
        return format!("nothing was written: {}", is_a_directory(path));
    }
    explain(Access::Write, path, error)
}

/// Writes all bytes, or says how many of them are in the file.
fn write_all(path: &GuestPath, file: &mut File, bytes: &[u8], action: Action) -> Result<(), String> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return Err(partial(path, done, bytes.len(), action, &Error::from(ErrorKind::WriteZero))),
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(partial(path, done, bytes.len(), action, &error)),
        }
    }
    Ok(())
}

fn partial(path: &GuestPath, done: usize, all: usize, action: Action, error: &Error) -> String {
    let state = match action {
        Action::Created => format!("the file was created and holds the first {done} bytes"),
        Action::Replaced => format!("the old content is gone and the file holds the first {done} bytes of the new"),
        Action::Appended => format!("the first {done} bytes were added"),
    };
    format!("only {done} of {all} bytes were written; {state}. {}", explain(Access::Write, path, error))
}
