//! The tool chains that the tests of `caplet build` build tools with: componentize-js, componentize-py, Go and Zig out of the registries,
//! and a Rust toolchain that has the guests' target. `xtask/toolchains/` has the lists; unpacked, it is 1.1 GB.

use std::fs;

use anyhow::{Context as _, Result};

use crate::guests;
use crate::packages::Packages;

const TOOLCHAINS: Packages = Packages {
    name: "toolchains",
    requirements: include_str!("../../toolchains/requirements.txt"),
    package: include_str!("../../toolchains/package.json"),
    package_lock: include_str!("../../toolchains/package-lock.json"),
};

/// Fetches what is missing. Beside the packages, the file `rustc` says which compiler builds guests.
pub(super) fn fetch() -> Result<()> {
    let folder = TOOLCHAINS.fetch().context("cannot fetch tool chains")?;
    let rustc = guests::compiler()?;
    let named = rustc.to_str().with_context(|| format!("{} is not UTF-8", rustc.display()))?;
    fs::write(folder.join("rustc"), named).with_context(|| format!("cannot write to {}", folder.display()))
}
