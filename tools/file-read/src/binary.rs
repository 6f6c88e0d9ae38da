//! A binary file as a data URL (RFC 2397).

use std::fs::File;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caplet_tool_common::text::size;
use caplet_tool_common::{Access, GuestPath, explain};

/// The largest binary file given: the size up to which model providers take an image; as base64 it fits the default output limit of 8 MiB.
const MAX_BINARY: u64 = 5 * 1024 * 1024;

/// Reads the rest of the file and encodes all of it.
pub(crate) fn data_url(path: &GuestPath, media_type: &str, head: Vec<u8>, mut file: File) -> Result<String, String> {
    let mut bytes = head;
    let rest = (MAX_BINARY + 1).saturating_sub(bytes.len() as u64);
    file.by_ref().take(rest).read_to_end(&mut bytes).map_err(|error| explain(Access::Read, path, &error))?;
    if bytes.len() as u64 > MAX_BINARY {
        let whole = file.metadata().map_or(bytes.len() as u64, |facts| facts.len());
        return Err(format!(
            "{path} is a binary file ({media_type}) of {}; file-read gives binary files of up to {}.",
            size(whole),
            size(MAX_BINARY)
        ));
    }
    let mut url = format!("data:{media_type};base64,");
    STANDARD.encode_string(&bytes, &mut url);
    Ok(url)
}
