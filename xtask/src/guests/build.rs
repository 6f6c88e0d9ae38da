//! Compiles the guests: the same bytes from the same sources, compiler and libc, wherever they are.
//!
//! Each tool is compiled on its own, because cargo would otherwise compile a shared dependency with the features of all.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::c::CCompiler;
use super::sources::Tool;
use super::toolchain::{TARGET, Toolchain};
use crate::{repository, run};

type Components = BTreeMap<String, Vec<u8>>;

/// What compiles the guests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compilers<'a> {
    pub(crate) rust: &'a Toolchain,
    /// There where a guest has C in it.
    pub(crate) c: Option<&'a CCompiler>,
}

/// Builds in a folder that is kept, so that the next build is quick.
pub(crate) fn in_kept_folder(compilers: Compilers<'_>, workspace: &Path, tools: &[Tool]) -> Result<Components> {
    compile(compilers, workspace, tools, &repository::cache()?.join("guests").join("target"))
}

/// Builds in a fresh folder, unless this machine has already done so for the same sources and toolchain.
pub(crate) fn anew(compilers: Compilers<'_>, workspace: &Path, tools: &[Tool], sources: &str) -> Result<Components> {
    let folder = repository::cache()?.join("guests").join("fresh").join(key(compilers, sources));
    if let Some(known) = read_all(&folder, tools) {
        println!("using the fresh build in {}", folder.display());
        return Ok(known);
    }
    let parent = folder.parent().unwrap_or(&folder);
    std::fs::create_dir_all(parent)?;
    let work = tempfile::tempdir_in(parent)?;
    let components = compile(compilers, workspace, tools, &work.path().join("target"))?;
    let finished = work.path().join("finished");
    std::fs::create_dir(&finished)?;
    for tool in tools {
        std::fs::write(finished.join(tool.artifact()), components.get(&tool.name).map_or(&[][..], Vec::as_slice))?;
    }
    // Another run may have been first; its result is as good.
    drop(std::fs::remove_dir_all(&folder));
    drop(std::fs::rename(&finished, &folder));
    Ok(components)
}

fn key(compilers: Compilers<'_>, sources: &str) -> String {
    let short = |text: &str| text.trim_start_matches("sha256:").chars().take(16).collect::<String>();
    let c = compilers.c.map_or_else(String::new, |c| format!("-{}", c.release()));
    format!("{}-{}-{}{c}", short(sources), short(&compilers.rust.commit), short(&compilers.rust.libc_sha256))
}

fn read_all(folder: &Path, tools: &[Tool]) -> Option<Components> {
    tools.iter().map(|tool| Some((tool.name.clone(), std::fs::read(folder.join(tool.artifact())).ok()?))).collect()
}

fn compile(compilers: Compilers<'_>, workspace: &Path, tools: &[Tool], target: &Path) -> Result<Components> {
    let manifest = workspace.join("Cargo.toml");
    // The sources have to be there before their folders' names can be taken out of the result.
    run::run(base(&manifest, "fetch").args(["--quiet", "--target", TARGET]))?;
    let flags = flags(workspace)?;
    let mut components = BTreeMap::new();
    for tool in tools {
        let mut command = base(&manifest, "build");
        command.args(["--quiet", "--release", "--target", TARGET, "--package", &tool.name]);
        command
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_ENCODED_RUSTFLAGS", &flags)
            .env("RUSTC", &compilers.rust.rustc);
        command.env("CARGO_INCREMENTAL", "0");
        if let Some(c) = compilers.c.filter(|_| tool.has_c) {
            command.envs(c.variables(&tool.folder.join("c/stack.h"))?);
        }
        run::run(&mut command)?;
        let file = target.join(TARGET).join("release").join(tool.artifact());
        components.insert(
            tool.name.clone(),
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?,
        );
    }
    Ok(components)
}

fn base(manifest: &Path, verb: &str) -> Command {
    let mut command = run::cargo();
    command.arg(verb).arg("--locked").arg("--manifest-path").arg(manifest);
    command
}

/// Flags that take this machine's folders out of the components; cargo's way to pass flags with spaces in them.
fn flags(workspace: &Path) -> Result<OsString> {
    let mut from: Vec<(PathBuf, &str)> = vec![(workspace.to_path_buf(), "/tools")];
    let registry = cargo_home()?.join("registry").join("src");
    // The folder's name holds a hash of the registry's address, which a mirror changes.
    for entry in std::fs::read_dir(&registry).with_context(|| format!("cannot list {}", registry.display()))? {
        from.push((entry?.path(), "/registry"));
    }
    from.sort();
    let mut flags = OsString::new();
    for (path, to) in from {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(path);
        flags.push(format!("={to}"));
    }
    Ok(flags)
}

pub(super) fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(PathBuf::from(home));
    }
    Ok(PathBuf::from(std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?).join(".cargo"))
}
