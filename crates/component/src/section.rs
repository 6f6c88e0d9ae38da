//! Custom sections at the top level of a file: the manifest and the documentation.
//!
//! What always holds: a section that is written is the last of the file, replaces every earlier one of its name, and nothing
//! else of the file changes; the same input gives the same bytes.

use wasm_encoder::{CustomSection, Encode as _, Section as _};
use wasmparser::{Parser, Payload};

use crate::error::{ComponentError, one_line};

/// The section that holds `agent-tool.toml`, as text.
pub const MANIFEST_SECTION: &str = "caplet:manifest";

/// The section that holds what the tool's author wrote about its functions and types, as JSON.
pub const DOCS_SECTION: &str = "caplet:docs";

/// The section that the component tools themselves use for documentation; it covers only functions at the top level.
pub(crate) const PACKAGE_DOCS_SECTION: &str = "package-docs";

/// `wasm` with one top-level section `name` that holds `data`.
pub(crate) fn replace(wasm: &[u8], name: &str, data: &[u8]) -> Result<Vec<u8>, ComponentError> {
    let mut out = Vec::with_capacity(wasm.len() + name.len() + data.len() + 16);
    let mut kept_until = 0;
    for range in top_level_sections(wasm, name)? {
        out.extend_from_slice(wasm.get(kept_until..range.start).unwrap_or_default());
        kept_until = range.end;
    }
    out.extend_from_slice(wasm.get(kept_until..).unwrap_or_default());
    let section = CustomSection { name: name.into(), data: data.into() };
    out.push(section.id());
    section.encode(&mut out);
    Ok(out)
}

/// Whether `wasm` has a top-level custom section `name`.
pub(crate) fn contains(wasm: &[u8], name: &str) -> Result<bool, ComponentError> {
    Ok(!top_level_sections(wasm, name)?.is_empty())
}

/// Where the top-level custom sections `name` are, header and length included.
fn top_level_sections(wasm: &[u8], name: &str) -> Result<Vec<std::ops::Range<usize>>, ComponentError> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut section_start = 8;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload
            .map_err(|error| ComponentError::Invalid { message: one_line(error.message()), offset: error.offset() })?;
        match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(end) if depth > 0 => {
                depth -= 1;
                section_start = *end;
                continue;
            }
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        // A section begins where the one before it ended: its identifier and length lie before the range of its content.
        if let Some((_, content)) = payload.as_section() {
            if matches!(&payload, Payload::CustomSection(section) if section.name() == name) {
                found.push(section_start..content.end);
            }
            section_start = content.end;
        }
    }
    Ok(found)
}
