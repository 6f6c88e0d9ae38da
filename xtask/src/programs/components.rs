//! `cargo xtask programs --components`: builds typed components in JavaScript and Python, for the benchmark and the tests.
//!
//! The builders come out of the registries, each of a fixed version; that of JavaScript brings 385 MB of packages.
//! Both work in a scratch folder of the cache, which is deleted afterwards. What they build differs from run to run, so
//! that a component is kept by its name alone: it is built where the file is missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::repository;
use crate::run::output;

/// `echo: func(text: string) -> string`.
const ECHO: &str = include_str!("../../programs/tool.wit");

/// `get: func(url: string) -> string`.
const GET: &str = include_str!("../../programs/fetch.wit");

/// One component to build.
struct Component {
    /// The name under which it is asked for.
    name: &'static str,
    /// Its world, which is called `tool`.
    wit: &'static str,
    /// Its source: the name that its builder expects, and the text.
    source: (&'static str, &'static str),
    /// Builds the component in a folder that holds the source and `tool.wit`, and says where it is.
    build: fn(&Path) -> Result<PathBuf>,
}

const COMPONENTS: &[Component] = &[
    Component { name: "js", wit: ECHO, source: ("tool.js", include_str!("../../programs/tool.js")), build: javascript },
    Component {
        name: "js-fetch",
        wit: GET,
        source: ("tool.js", include_str!("../../programs/fetch.js")),
        build: javascript,
    },
    Component { name: "py", wit: ECHO, source: ("app.py", include_str!("../../programs/app.py")), build: python },
];

/// Builds every component that the folder lacks.
pub(super) fn build(folder: &Path) -> Result<()> {
    for component in COMPONENTS {
        let kept = folder.join(format!("{}.wasm", component.name));
        if !kept.is_file() {
            build_one(component, &kept).with_context(|| format!("cannot build the component `{}`", component.name))?;
        }
    }
    Ok(())
}

fn build_one(component: &Component, kept: &Path) -> Result<()> {
    // Inside the cache: node_modules may be too large for a temporary folder in memory, and the last step is a rename.
    let work = tempfile::Builder::new().prefix("components-").tempdir_in(repository::cache()?)?;
    let (name, text) = component.source;
    std::fs::write(work.path().join(name), text)?;
    std::fs::write(work.path().join("tool.wit"), component.wit)?;
    let built = (component.build)(work.path())?;
    std::fs::rename(&built, kept).with_context(|| format!("cannot move {} to {}", built.display(), kept.display()))?;
    work.close().context("cannot delete the scratch folder")
}

/// By the interface of the package: its command line does not work with this version.
fn javascript(work: &Path) -> Result<PathBuf> {
    let install = ["install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"];
    let package = "@bytecodealliance/componentize-js@0.23.0";
    output(Command::new("npm").args(install).args(["--prefix", ".", package]).current_dir(work))?;
    let program = "const { componentize } = await import('@bytecodealliance/componentize-js'); \
        const options = { sourcePath: 'tool.js', witPath: 'tool.wit', worldName: 'tool' }; \
        const { component } = await componentize(options); \
        (await import('node:fs')).writeFileSync('built.wasm', component);";
    output(Command::new("node").args(["--input-type=module", "--eval", program]).current_dir(work))?;
    Ok(work.join("built.wasm"))
}

fn python(work: &Path) -> Result<PathBuf> {
    let packages = super::pypi("componentize-py", "0.25.1", work)?;
    let program = "import componentize_py; componentize_py.script()";
    output(
        Command::new("python3")
            .args(["-c", program, "-d", "tool.wit", "-w", "tool", "componentize", "app", "-o", "built.wasm"])
            .env("PYTHONPATH", packages)
            .current_dir(work),
    )?;
    Ok(work.join("built.wasm"))
}
