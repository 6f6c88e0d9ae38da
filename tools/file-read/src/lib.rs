//! The built-in tool `file-read`: one file in, its text (or a data URL for binary) out.
//!
//! Text is streamed: memory holds what is shown, never the file. What is shown is exactly what is stored; whatever the tool adds
//! stands in square brackets on a line of its own at the end, or where a line is cut.

mod binary;
#[cfg(target_family = "wasm")]
mod guest;
mod media;
mod text;

use std::fs::File;
use std::io::{Cursor, Read};

use caplet_tool_common::failure::is_a_directory;
use caplet_tool_common::{Access, GuestPath, explain};
use media::Content;

/// What is looked at to tell text from binary, in bytes: as git does.
const HEAD: u64 = 8 * 1024;

/// What the caller asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The file, absolute or relative.
    pub path: String,
    /// The first line, counted from 1.
    pub offset: Option<u32>,
    /// How many lines at most.
    pub limit: Option<u32>,
    /// Whether each line starts with its number.
    pub line_numbers: bool,
}

/// Reads what is asked for; relative paths are taken from `cwd`.
///
/// # Errors
/// A sentence that says what is wrong and what to do next.
pub fn read(cwd: &str, request: &Request) -> Result<String, String> {
    if request.limit == Some(0) {
        return Err("limit is 0: it must be at least 1, or left out.".to_owned());
    }
    let path = GuestPath::resolve(cwd, &request.path)?;
    let mut file = open(&path)?;
    let failed = |error| explain(Access::Read, &path, &error);
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head).map_err(failed)?;
    if head.is_empty() {
        return Ok("[file-read: the file is empty (0 bytes).]".to_owned());
    }
    match media::content(&head, path.name()) {
        Content::Binary(media_type) => {
            if request.offset.is_some() || request.limit.is_some() {
                return Err(format!(
                    "{path} is binary ({media_type}), so offset and limit, which count lines, do not apply: leave them out."
                ));
            }
            binary::data_url(&path, media_type, head, file)
        }
        Content::Utf16(order) => {
            let (decoded, note) = text::decode_utf16(&path, order, head, file)?;
            text::page(&path, request, Cursor::new(decoded), Some(note))
        }
        Content::Text => text::page(&path, request, Cursor::new(head).chain(file), None),
    }
}

fn open(path: &GuestPath) -> Result<File, String> {
    let file = File::open(path).map_err(|error| explain(Access::Read, path, &error))?;
    match file.metadata() {
        Ok(facts) if facts.is_dir() => Err(is_a_directory(path)),
        _ => Ok(file),
    }
}
