//! `cargo xtask guests`: builds the built-in tools of `tools/` into the components that the host embeds.
//!
//! What is committed in `tools/built/` is a function of the guests' sources, the compiler and the libc, all named in
//! `tools/built/manifest.toml`. Three ways to hold it to that:
//!
//! - `guests` builds and writes;
//! - `guests --check` compares hashes; it needs no wasm compiler and takes no time;
//! - `guests --rebuild-check` builds anew and demands the same bytes where compiler and libc are the manifest's. A machine pays for
//!   that once: what the compiler made is kept in the cache folder, by sources, compiler and libc.

mod build;
mod built;
mod embed;
mod packages;
mod sources;
mod toolchain;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::repository;
use built::{Built, Compiler, Libc};
use sources::Tool;
use toolchain::Toolchain;

/// What `cargo xtask help` says.
pub(crate) const ABOUT: &str =
    "build the built-in tools (--check: compare hashes; --rebuild-check: build anew and compare)";

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let tools = repository::root().join("tools");
    match arguments {
        [] => write(&tools),
        [flag] if flag == "--check" => check(&tools).map(drop),
        [flag] if flag == "--rebuild-check" => rebuild_check(&tools),
        _ => bail!("usage: cargo xtask guests [--check | --rebuild-check]"),
    }
}

/// The compiler that guests are built with, made if need be.
pub(crate) fn compiler() -> Result<PathBuf> {
    Toolchain::get().map(|toolchain| toolchain.rustc)
}

fn write(tools: &Path) -> Result<()> {
    let toolchain = Toolchain::get()?;
    let (list, hash) = (sources::tools(tools)?, sources::hash(tools)?);
    let raw = build::in_kept_folder(&toolchain, tools, &list)?;
    let components = embed_all(&list, raw)?;
    built::write(tools, &hash, &toolchain, &components)?;
    for (name, bytes) in &components {
        println!("{name:12} {:5} KiB", bytes.len() / 1024);
    }
    println!("wrote tools/built ({})", toolchain.describe());
    Ok(())
}

/// Compares what is committed with its manifest and the manifest with the sources.
fn check(tools: &Path) -> Result<Built> {
    let built = Built::read(tools)?;
    let (list, hash) = (sources::tools(tools)?, sources::hash(tools)?);
    if built.sources != hash {
        bail!(
            "the sources in tools/ are not those that tools/built was made from: run `cargo xtask guests` and commit tools/built"
        );
    }
    let names: Vec<&String> = list.iter().map(|tool| &tool.name).collect();
    if names != built.components.keys().collect::<Vec<_>>() {
        bail!(
            "tools/built/manifest.toml does not list the tools of tools/: run `cargo xtask guests` and commit tools/built"
        );
    }
    built.check_files(tools)?;
    println!("tools/built agrees with its manifest and the sources ({} tools)", names.len());
    Ok(built)
}

fn rebuild_check(tools: &Path) -> Result<()> {
    let built = check(tools)?;
    let toolchain = Toolchain::get()?;
    let list = sources::tools(tools)?;
    let raw = build::anew(&toolchain, tools, &list, &built.sources)?;
    let components = embed_all(&list, raw)?;
    let (compiler, libc) = (Compiler::of(&toolchain), Libc::of(&toolchain));
    if (&compiler, &libc.sha256) != (&built.compiler, &built.libc.sha256) {
        println!(
            "the tools build; bytes are not compared, because tools/built was made with another toolchain ({})",
            toolchain.describe()
        );
        return Ok(());
    }
    let different: Vec<&str> = built.different(&components);
    if !different.is_empty() {
        bail!(
            "the same toolchain gives other bytes for {}: tools/built was not made from these sources",
            different.join(", ")
        );
    }
    println!("a fresh build gives the same bytes");
    Ok(())
}

fn embed_all(tools: &[Tool], raw: BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut components = BTreeMap::new();
    for tool in tools {
        let Some(wasm) = raw.get(&tool.name) else { bail!("the build gave no component for {}", tool.name) };
        components.insert(tool.name.clone(), embed::embed(tool, wasm)?);
    }
    Ok(components)
}
