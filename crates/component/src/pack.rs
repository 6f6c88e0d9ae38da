//! Writes a manifest or documentation into a file.
//!
//! What always holds: what is written can be read back by [`inspect`](crate::inspect), and only by one reading; the same
//! input gives the same bytes.

use crate::caps::Caps;
use crate::docs::Docs;
use crate::error::{ComponentError, ManifestError};
use crate::inspect::inspect;
use crate::manifest::Manifest;
use crate::section::{self, DOCS_SECTION, MANIFEST_SECTION};
use crate::text;
use crate::walk::{walk, within};

/// What to do with a manifest that is in the file already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// An error: replacing the declared authority should be meant.
    Refuse,
    /// The new one takes its place.
    Replace,
}

/// The file with `manifest` in it, in the binary format.
///
/// # Errors
///
/// If the file, with the manifest, cannot be a tool; or if it has a manifest and `existing` does not say to replace it.
pub fn embed(bytes: &[u8], manifest: &Manifest, existing: Existing, caps: &Caps) -> Result<Vec<u8>, ComponentError> {
    let binary = text::binary(bytes, caps)?;
    if existing == Existing::Refuse && section::contains(&binary, MANIFEST_SECTION)? {
        let error = ManifestError::whole("the file has a manifest already", "say that it is to be replaced");
        return Err(error.into());
    }
    within("bytes of manifest", manifest.source().len() as u64, caps.manifest_bytes)?;
    let packed = section::replace(&binary, MANIFEST_SECTION, manifest.source().as_bytes())?;
    inspect(&packed, caps)?;
    Ok(packed)
}

/// The manifest of a file, which need not be complete in any other way.
///
/// # Errors
///
/// If the file is not valid WebAssembly, or its manifest is not valid.
pub fn extract(bytes: &[u8], caps: &Caps) -> Result<Option<Manifest>, ComponentError> {
    let binary = text::binary(bytes, caps)?;
    let walked = walk(&binary, caps)?;
    Ok(walked.manifest.map(Manifest::from_section).transpose()?)
}

/// The file with `docs` in it, in the binary format. Earlier documentation is replaced.
///
/// # Errors
///
/// If the file is not WebAssembly, or the documentation is larger than is read.
pub fn embed_docs(bytes: &[u8], docs: &Docs, caps: &Caps) -> Result<Vec<u8>, ComponentError> {
    let binary = text::binary(bytes, caps)?;
    let json = docs.to_json();
    within("bytes of documentation", json.len() as u64, caps.docs_bytes)?;
    section::replace(&binary, DOCS_SECTION, &json)
}
