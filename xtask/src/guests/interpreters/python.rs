//! `python`: CPython and this repository's Python around it, by `componentize-py`.
//!
//! The package carries CPython compiled to WebAssembly with its standard library. It imports the program while it builds and keeps the
//! interpreter's memory as it then is (the way of Wizer), so that a call finds everything imported. The program's own files are copied
//! to a fresh folder, which the interpreter knows by a name of its own: nothing of this machine goes in.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::super::sources::{Tool, sha256};
use super::{adapt, immortal};
use crate::{repository, run};

/// What is installed, for this platform: name, version, and the hashes of the packages that may be it.
pub(super) const PACKAGES: &[Package] = &[
    Package {
        name: "componentize-py",
        version: "0.25.1",
        sha256: "8623cd8cab8453cb0cd8bf03f3c7103420d06f2f3d360186a280a70a1ca5e89f",
    },
    Package {
        name: "tzdata",
        version: "2026.6",
        sha256: "0a10eec6e13ef16b627fabed9a5f2ba61a62b1c67f327305f4e7e412a70b4aec",
    },
];

/// A package of PyPI.
#[derive(Debug)]
pub(super) struct Package {
    name: &'static str,
    version: &'static str,
    sha256: &'static str,
}

impl std::fmt::Display for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}=={} sha256:{}", self.name, self.version, self.sha256)
    }
}

/// The component, as it is before its manifest is embedded.
pub(super) fn build(tool: &Tool) -> Result<Vec<u8>> {
    let packages = installed()?;
    let work = tempfile::tempdir()?;
    let program = work.path().join("program");
    copy(&tool.folder.join("src"), &program)?;
    copy(&packages.join("tzdata"), &program.join("tzdata"))?;
    let made = work.path().join("made.wasm");
    let mut command = Command::new("python3");
    command.current_dir(work.path()).args(["-I", "-c", ENTRY]).arg(&packages);
    command.args(["--quiet", "--world", "python", "--wit-path"]).arg(tool.folder.join("wit"));
    command.args(["componentize", "app", "--python-path", "program", "--output"]).arg(&made);
    // What changes the build, or where it looks for modules.
    for name in ["VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"] {
        command.env_remove(name);
    }
    run::run(command.env("PYTHONHASHSEED", "0").env("PYTHONDONTWRITEBYTECODE", "1"))?;
    let raw = std::fs::read(&made).context("componentize-py made no component")?;
    let mut component = adapt::adapt(&raw)?;
    immortal::make_immortal(&mut component)?;
    Ok(component)
}

/// Starts the package's program with the packages of a folder alone.
const ENTRY: &str =
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import componentize_py; sys.exit(componentize_py.script())";

/// The folder with the packages, installed if need be: whole or not at all, each by its hash.
fn installed() -> Result<std::path::PathBuf> {
    let lines: Vec<String> = PACKAGES
        .iter()
        .map(|package| format!("{}=={} --hash=sha256:{}\n", package.name, package.version, package.sha256))
        .collect();
    let requirements = lines.concat();
    let key = sha256(requirements.as_bytes());
    let parent = repository::cache()?.join("interpreters");
    let folder = parent.join(key.trim_start_matches("sha256:").get(..16).unwrap_or_default());
    if folder.is_dir() {
        return Ok(folder);
    }
    std::fs::create_dir_all(&parent)?;
    let work = tempfile::tempdir_in(&parent)?;
    let file = work.path().join("requirements.txt");
    std::fs::write(&file, &requirements)?;
    let packages = work.path().join("packages");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
    ]);
    pip.arg("--target").arg(&packages).arg("--requirement").arg(&file);
    run::output(&mut pip).context(
        "cannot install the packages of tools/python; it needs Python 3.10 or later with pip, on Linux x86-64",
    )?;
    // Another run may have been first; its result is as good.
    if std::fs::rename(&packages, &folder).is_err() && !folder.is_dir() {
        bail!("cannot make {}", folder.display());
    }
    Ok(folder)
}

/// Copies a folder, without what an interpreter has compiled of it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if name == "__pycache__" {
            continue;
        }
        if path.is_dir() { copy(&path, &to.join(name))? } else { std::fs::copy(&path, to.join(name)).map(drop)? }
    }
    Ok(())
}
