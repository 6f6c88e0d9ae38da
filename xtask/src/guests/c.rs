//! The C compiler for guests that hold C, made of packages as the rest of the private toolchain is: Debian's clang, and the headers of
//! the libc that everything is linked with.
//!
//! It is made for every build of such a guest, also where Rust's target is installed: the bytes of the C part must not depend on
//! which compiler a machine happens to have.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::packages::{self, LIBC_PACKAGE};
use super::sources::sha256;
use super::toolchain::TARGET;
use crate::{repository, run};

/// The release of LLVM that the headers were tried with, and its package.
const LLVM: &str = "22";
const CLANG: &str = "clang-22";
/// What a script of this name in the folder does: the compiler's name decides what it is.
const COMPILER: &str = "bin/clang";
/// Names the header that the script below lets the compiler read first. A flag in `CFLAGS` could not have spaces in its path.
const HEADER_VARIABLE: &str = "CAPLET_GUEST_HEADER";
/// The headers, in the package's archive.
const HEADERS: &str = "include/wasm32-wasip1";

/// A C compiler that can build guests.
#[derive(Clone, Debug)]
pub(crate) struct CCompiler {
    folder: PathBuf,
    release: String,
}

impl CCompiler {
    /// Finds the one in the cache folder, or makes it. One process makes it at a time; the others wait for it.
    pub(crate) fn get() -> Result<Self> {
        let cache = repository::cache()?;
        let folder = cache.join("guest-c");
        let lock = File::create(cache.join("guest-c.lock"))?;
        lock.lock().context("cannot lock the C compiler's folder")?;
        if !folder.join("complete").is_file() {
            if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
                bail!("guests that hold C are built on x86-64 Linux only");
            }
            eprintln!("making a C compiler for guests in {} …", folder.display());
            let work = tempfile::Builder::new().prefix("guest-c.").tempdir_in(&cache)?;
            make(work.path(), &folder).context("cannot make a C compiler for guests")?;
        }
        Ok(Self { release: release(&folder)?, folder })
    }

    /// The compiler's release, such as `22.1.8`.
    pub(crate) fn release(&self) -> &str {
        &self.release
    }

    /// The variables that crates with C in them look at. `header`, if the guest has it, is read before each file of C.
    pub(crate) fn variables(&self, header: &Path) -> Result<Vec<(String, OsString)>> {
        let target = TARGET.replace('-', "_");
        let mut variables = vec![
            (format!("CC_{target}"), self.folder.join(COMPILER).into_os_string()),
            // Rust writes an index of its own into the archives that it takes over, so any `ar` does.
            (format!("AR_{target}"), "ar".into()),
            ("RQUICKJS_SYS_NO_WASI_SDK".to_owned(), "1".into()),
        ];
        if header.is_file() {
            variables.push((HEADER_VARIABLE.to_owned(), header.as_os_str().to_owned()));
            // Cargo compiles the C anew when this changes; it does not know of the header.
            let digest = sha256(&fs::read(header)?).replace(':', "_");
            variables.push((format!("CFLAGS_{target}"), format!("-DCAPLET_GUEST_HEADER_{digest}").into()));
        }
        Ok(variables)
    }
}

fn release(folder: &Path) -> Result<String> {
    let text = run::output(Command::new(folder.join(COMPILER)).arg("-dumpversion"))?;
    Ok(text.trim().to_owned())
}

/// Everything is made under `work` and moved to `folder` last.
fn make(work: &Path, folder: &Path) -> Result<()> {
    let (made, files) = (work.join("made"), work.join("files"));
    for folder in [&made.join("bin"), &made.join("lib"), &made.join("sysroot"), &files] {
        fs::create_dir_all(folder)?;
    }
    eprintln!("fetching clang {LLVM} (50 MB) and {LIBC_PACKAGE} (27 MB) …");
    let version = packages::version(CLANG)?;
    let names =
        [CLANG, "libclang-cpp22", "libclang-common-22-dev", "libllvm22"].map(|name| format!("{name}={version}"));
    packages::debian(&names.each_ref().map(String::as_str), work, &files)?;
    let llvm = files.join("usr/lib").join(format!("llvm-{LLVM}"));
    fs::rename(llvm.join("bin/clang"), made.join("bin/clang.bin")).context("the package holds no clang")?;
    fs::rename(llvm.join("lib/clang").join(LLVM), made.join("resources")).context("the package holds no headers")?;
    for entry in fs::read_dir(files.join("usr/lib/x86_64-linux-gnu"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_file() && (name.starts_with("libclang-cpp.so.") || name.starts_with("libLLVM.so.")) {
            fs::copy(&path, made.join("lib").join(name))?;
        }
    }
    packages::unpack_resources(work, &made.join("sysroot"), &[HEADERS])?;
    write_wrapper(&made)?;
    fs::write(made.join("complete"), "")?;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::rename(&made, folder).with_context(|| format!("cannot move the compiler to {}", folder.display()))
}

/// The compiler as crates call it. What comes after their own arguments counts: wasi-libc's name of the target, its headers, and two
/// macros. QuickJS leaves out its check of the stack where `__wasi__` is defined, and counts its memory only where it knows the libc
/// has `malloc_usable_size`; for both it is told that this is Linux. No other file of it looks at either name, and no header does.
fn write_wrapper(made: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let file = made.join(COMPILER);
    let script = "#!/bin/sh\nhere=$(dirname -- \"$(readlink -f -- \"$0\")\")/..\n\
        LD_LIBRARY_PATH=\"$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\" exec \"$here/bin/clang.bin\" \"$@\" \
        --target=wasm32-wasip1 --sysroot=\"$here/sysroot\" -resource-dir=\"$here/resources\" -U__wasi__ -D__linux__ \
        ${CAPLET_GUEST_HEADER:+-include \"$CAPLET_GUEST_HEADER\"}\n";
    fs::write(&file, script)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    let works = Command::new(&file).arg("--version").stdout(Stdio::null()).status();
    if works.is_ok_and(|status| status.success()) { Ok(()) } else { bail!("the compiler does not start") }
}
