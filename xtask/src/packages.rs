//! Folders of packages out of PyPI and npm, by their ordinary clients.
//!
//! Every package has a fixed version and a fixed digest, which those clients check. Nothing that a package would run when it is installed
//! is run. A folder is kept in the user's cache folder, under the digest of the lists, and is complete if it is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::repository;
use crate::run::output;

/// Lists of packages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packages {
    /// What the folder is called.
    pub(crate) name: &'static str,
    /// Packages of Python, for pip.
    pub(crate) requirements: &'static str,
    /// Packages of Node.js, for npm.
    pub(crate) package: &'static str,
    pub(crate) package_lock: &'static str,
}

impl Packages {
    /// Fetches them where they are missing. Gives the folder that holds them: in `python` and in `node_modules`.
    pub(crate) fn fetch(&self) -> Result<PathBuf> {
        let cache = repository::cache()?;
        let kept = cache.join(self.name);
        let wanted = self.wanted()?;
        if std::fs::read_to_string(kept.join("of")).is_ok_and(|of| of == wanted) {
            return Ok(kept);
        }
        let work = tempfile::Builder::new().prefix(&format!("{}-", self.name)).tempdir_in(&cache)?;
        self.python(work.path()).context("cannot fetch from PyPI")?;
        self.npm(work.path()).context("cannot fetch from npm")?;
        std::fs::write(work.path().join("of"), wanted)?;
        if kept.exists() {
            std::fs::remove_dir_all(&kept).with_context(|| format!("cannot remove {}", kept.display()))?;
        }
        let fresh = work.keep();
        std::fs::rename(&fresh, &kept)
            .with_context(|| format!("cannot move {} to {}", fresh.display(), kept.display()))?;
        Ok(kept)
    }

    /// What tells one fetch from another: the lists, and for which Python compiled packages were chosen.
    fn wanted(&self) -> Result<String> {
        let version = output(Command::new("python3").arg("--version"))?;
        let mut digest = Sha256::new();
        for text in [self.requirements, self.package, self.package_lock] {
            digest.update(Sha256::digest(text));
        }
        let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Ok(format!("{digest}\n{version}"))
    }

    fn python(&self, work: &Path) -> Result<()> {
        std::fs::write(work.join("requirements.txt"), self.requirements)?;
        // No package's own code runs: only what was built before is taken.
        let install = ["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:"];
        let place = ["--target", "python", "--requirement", "requirements.txt"];
        output(Command::new("python3").args(install).args(place).current_dir(work)).map(drop)
    }

    fn npm(&self, work: &Path) -> Result<()> {
        std::fs::write(work.join("package.json"), self.package)?;
        std::fs::write(work.join("package-lock.json"), self.package_lock)?;
        let install = ["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"];
        output(Command::new("npm").args(install).current_dir(work)).map(drop)
    }
}
