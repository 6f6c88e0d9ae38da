//! The Rust toolchain for guests: the running one if it has the target, else a private one made from packages.
//!
//! The private one lives in the cache folder, is made whole or not at all, installs nothing and leaves the user's own alone.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::build::cargo_home;
use super::packages;
use super::sources::sha256;
use crate::{repository, run};

/// The target of all guests.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// A toolchain that can build guests.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    pub(crate) rustc: PathBuf,
    /// The compiler's release, such as `1.96.0`.
    pub(crate) release: String,
    /// The commit that the compiler was built from.
    pub(crate) commit: String,
    /// Where the libc is from.
    pub(crate) libc_from: String,
    pub(crate) libc_sha256: String,
}

impl Toolchain {
    /// Finds one, or makes one.
    pub(crate) fn get() -> Result<Self> {
        if let Some(installed) = installed()? {
            return Ok(installed);
        }
        let prefix = private()?;
        let libc = packages::LIBC_PACKAGE;
        describe(prefix.join("bin/rustc"), &prefix.join("lib/rustlib").join(TARGET), libc)
    }

    /// The toolchain in a few words.
    pub(crate) fn describe(&self) -> String {
        format!("rustc {} {}, libc of {}", self.release, self.commit.get(..9).unwrap_or(&self.commit), self.libc_from)
    }
}

fn installed() -> Result<Option<Toolchain>> {
    let rustc = PathBuf::from(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let sysroot = run::output(Command::new(&rustc).args(["--print", "sysroot"]))?;
    let target = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET);
    if !target.join("lib/self-contained/libc.a").is_file() {
        return Ok(None);
    }
    describe(rustc, &target, "the installed target").map(Some)
}

fn describe(rustc: PathBuf, target: &Path, libc_from: &str) -> Result<Toolchain> {
    let version = run::output(Command::new(&rustc).arg("-vV"))?;
    let field = |name: &str| {
        let value = version.lines().find_map(|line| line.strip_prefix(name));
        value.map(|value| value.trim().to_owned()).with_context(|| format!("`{} -vV` names no {name}", rustc.display()))
    };
    let (release, commit) = (field("release:")?, field("commit-hash:")?);
    let libc = target.join("lib/self-contained/libc.a");
    let bytes = std::fs::read(&libc).with_context(|| format!("cannot read {}", libc.display()))?;
    Ok(Toolchain { rustc, release, commit, libc_from: libc_from.to_owned(), libc_sha256: sha256(&bytes) })
}

/// The folder of the private toolchain, made if need be. One process makes it at a time; the others wait for it.
fn private() -> Result<PathBuf> {
    let cache = repository::cache()?;
    let prefix = cache.join("guest-toolchain");
    let lock = File::create(cache.join("guest-toolchain.lock"))?;
    lock.lock().context("cannot lock the guest toolchain's folder")?;
    if !is_complete(&prefix) {
        if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
            bail!("this toolchain has no {TARGET}: run `rustup target add {TARGET}`");
        }
        eprintln!(
            "this toolchain has no {TARGET} (`rustup target add {TARGET}` is the quick way); making a private one in {} …",
            prefix.display()
        );
        remove_leftovers(&cache)?;
        let work = tempfile::Builder::new().prefix("guest-toolchain.").tempdir_in(&cache)?;
        make(work.path(), &prefix).context("cannot make a toolchain for guests")?;
    }
    Ok(prefix)
}

/// What a run that was killed has left. This process holds the lock, so nobody is using it.
fn remove_leftovers(cache: &Path) -> Result<()> {
    for entry in std::fs::read_dir(cache)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("guest-toolchain.") && path.is_dir() {
            std::fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

fn is_complete(prefix: &Path) -> bool {
    prefix.join("lib/rustlib").join(TARGET).join("complete").is_file()
}

/// Everything is made under `work` and moved to `prefix` last.
fn make(work: &Path, prefix: &Path) -> Result<()> {
    let made = work.join("prefix");
    packages::unpack(&work.join("packages"), &made)?;
    // The compiler finds its sysroot by its own place, so the script names the final place through its own.
    write_wrapper(&made)?;
    build_std(work, &made)?;
    if prefix.exists() {
        std::fs::remove_dir_all(prefix)?;
    }
    std::fs::rename(&made, prefix).with_context(|| format!("cannot move the toolchain to {}", prefix.display()))
}

/// The compiler's libraries are not where it was linked to look for them.
fn write_wrapper(made: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let file = made.join("bin/rustc");
    let script = "#!/bin/sh\nhere=$(dirname -- \"$(readlink -f -- \"$0\")\")\n\
        LD_LIBRARY_PATH=\"$here/../lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\" exec \"$here/rustc.bin\" \"$@\"\n";
    std::fs::write(&file, script)?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Builds the standard library for the target with the compiler itself; the two have to be of one version.
fn build_std(work: &Path, made: &Path) -> Result<()> {
    eprintln!("building the standard library for {TARGET} …");
    let libraries = made.join("lib/rustlib").join(TARGET).join("lib");
    std::fs::create_dir_all(libraries.join("self-contained"))?;
    for file in packages::LIBC_FILES {
        std::fs::copy(made.join("wasi-libc").join(file), libraries.join("self-contained").join(file))?;
    }
    let project = work.join("std");
    std::fs::create_dir_all(project.join("src"))?;
    std::fs::write(project.join("src/lib.rs"), "")?;
    let manifest = "[package]\nname = \"stdbuild\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[profile.release]\nopt-level = 3\ndebug = 0\n[workspace]\n";
    std::fs::write(project.join("Cargo.toml"), manifest)?;
    let rustc = made.join("bin/rustc");
    let commit = describe(rustc.clone(), &made.join("lib/rustlib").join(TARGET), "")?.commit;
    let mut flags = OsString::from("-Cembed-bitcode=yes");
    let vendor = cargo_home()?.join("registry/src");
    for (from, to) in [(made.join("lib/rustlib/src/rust"), String::new()), (vendor, "/vendor".to_owned())] {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(from);
        flags.push(format!("=/rustc/{commit}{to}"));
    }
    let mut command = run::cargo();
    command.current_dir(&project).args([
        "build",
        "--quiet",
        "--release",
        "--target",
        TARGET,
        "-Zbuild-std=std,panic_abort",
    ]);
    command
        .env("RUSTC", &rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env_remove("CARGO_TARGET_DIR");
    run::run(&mut command)?;
    let dependencies = project.join("target").join(TARGET).join("release/deps");
    for entry in std::fs::read_dir(dependencies)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name.ends_with(".rlib") && !name.starts_with("libstdbuild") {
            std::fs::copy(&path, libraries.join(name))?;
        }
    }
    std::fs::write(made.join("lib/rustlib").join(TARGET).join("complete"), "")?;
    Ok(())
}
