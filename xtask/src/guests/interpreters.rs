//! `cargo xtask guests --interpreters`: builds the tools that are a program of another language on its own runtime, made by a pinned
//! package; today `python`.
//!
//! A folder of `tools/` with an `agent-tool.toml` and no `Cargo.toml` is one. They are large and change seldom, so they are built by this
//! command alone, outside the whole check; that check compares hashes: of the sources, and of what is committed. The component is
//! committed compressed, as the host carries it. The packages are pinned by hash. Two builds give the same code but not the same memory:
//! the interpreter draws the seed of its string hashes when it starts, and its package has no way to give it one. So a check by a
//! fresh build compares all but the memory's contents.

mod adapt;
mod immortal;
mod python;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use lzma_rust2::{LzipOptions, LzipReader, LzipWriter};
use serde::{Deserialize, Serialize};

use super::embed;
use super::sources::{self, Tool, sha256};

const MANIFEST: &str = "packed.toml";
const LIST: &str = "packed.rs";
const HEADER: &str = "Written by `cargo xtask guests --interpreters`; not to be edited.";

/// How hard lzip tries: its best. It takes a minute here, and no longer to unpack.
const PRESET: u32 = 9;

/// What is committed, by tool.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed {
    tools: BTreeMap<String, Entry>,
}

/// One tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The hash over its sources.
    sources: String,
    /// The packages that it was made from, with their versions and hashes.
    packages: Vec<String>,
    /// The component's size.
    bytes: u64,
    /// The component's hash.
    sha256: String,
    /// The committed file's size.
    packed_bytes: u64,
    /// The committed file's hash.
    packed_sha256: String,
}

/// Builds all of them and writes `tools/built`.
pub(super) fn write(tools: &Path) -> Result<()> {
    let built = tools.join("built");
    let mut packed = Packed { tools: BTreeMap::new() };
    for tool in sources::interpreters(tools)? {
        let component = build(&tool)?;
        let file = pack(&component).context("cannot compress")?;
        println!("{:12} {:5} KiB, {} KiB compressed", tool.name, component.len() / 1024, file.len() / 1024);
        std::fs::write(built.join(file_name(&tool.name)), &file)?;
        let entry = Entry {
            sources: sources::hash(&tool.folder)?,
            packages: python::PACKAGES.iter().map(ToString::to_string).collect(),
            bytes: component.len() as u64,
            sha256: sha256(&component),
            packed_bytes: file.len() as u64,
            packed_sha256: sha256(&file),
        };
        packed.tools.insert(tool.name, entry);
    }
    std::fs::write(built.join(LIST), list_text(&packed))?;
    std::fs::write(built.join(MANIFEST), format!("# {HEADER}\n{}", toml::to_string(&packed)?))?;
    println!("wrote tools/built");
    Ok(())
}

/// Builds all of them anew and demands what is committed, but for what the memory holds.
pub(super) fn rebuild_check(tools: &Path) -> Result<()> {
    check(tools)?;
    for tool in sources::interpreters(tools)? {
        let file = std::fs::read(tools.join("built").join(file_name(&tool.name)))?;
        let mut committed = Vec::new();
        LzipReader::new(file.as_slice()).read_to_end(&mut committed).context("cannot unpack what is committed")?;
        if adapt::without_memory(&build(&tool)?)? != adapt::without_memory(&committed)? {
            bail!(
                "a fresh build of {} is another than tools/built has, and not only in what its memory holds",
                tool.name
            );
        }
    }
    println!("a fresh build of the interpreters gives the same code");
    Ok(())
}

/// Compares what is committed with its manifest, and the manifest with the sources.
pub(super) fn check_committed(tools: &Path) -> Result<()> {
    check(tools).map(drop)
}

fn check(tools: &Path) -> Result<Packed> {
    let built = tools.join("built");
    let text = std::fs::read_to_string(built.join(MANIFEST)).with_context(|| advice("cannot read its manifest"))?;
    let packed: Packed = toml::from_str(&text).with_context(|| advice("its manifest is damaged"))?;
    let list = sources::interpreters(tools)?;
    let names: Vec<&String> = list.iter().map(|tool| &tool.name).collect();
    if names != packed.tools.keys().collect::<Vec<_>>() {
        bail!(advice("its manifest does not list the interpreters of tools/"));
    }
    for tool in &list {
        let Some(entry) = packed.tools.get(&tool.name) else { continue };
        if entry.sources != sources::hash(&tool.folder)? {
            bail!(advice(&format!("{} was not made from the sources in tools/{}", tool.name, tool.name)));
        }
        let file = std::fs::read(built.join(file_name(&tool.name)))?;
        if entry.packed_sha256 != sha256(&file) {
            bail!(advice(&format!("{} is not the file that its manifest names", file_name(&tool.name))));
        }
    }
    if std::fs::read_to_string(built.join(LIST))? != list_text(&packed) {
        bail!(advice("its list is not what is written for this manifest"));
    }
    println!("tools/built agrees with its manifest and the sources ({} interpreters)", list.len());
    Ok(packed)
}

fn advice(what: &str) -> String {
    format!("tools/built: {what}: run `cargo xtask guests --interpreters` and commit tools/built")
}

/// The component of one tool, manifest and documentation embedded.
fn build(tool: &Tool) -> Result<Vec<u8>> {
    let raw = match tool.name.as_str() {
        "python" => python::build(tool)?,
        other => bail!("nothing knows how to build tools/{other}, which has no Cargo.toml"),
    };
    embed::embed(tool, &raw)
}

fn pack(component: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut writer = LzipWriter::new(Vec::new(), LzipOptions::with_preset(PRESET));
    writer.write_all(component)?;
    writer.finish()
}

fn file_name(tool: &str) -> String {
    format!("{tool}.wasm.lz")
}

/// An expression for `include!`: each tool's name, its component's hash, and its component compressed.
fn list_text(packed: &Packed) -> String {
    let entry = |(name, entry): (&String, &Entry)| {
        let (hash, file) = (&entry.sha256, file_name(name));
        format!("    (\"{name}\", \"{hash}\", include_bytes!(\"{file}\").as_slice()),\n")
    };
    format!("// {HEADER}\n&[\n{}]\n", packed.tools.iter().map(entry).collect::<String>())
}
