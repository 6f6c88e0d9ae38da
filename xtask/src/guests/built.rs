//! `tools/built`: the components, and the manifest that says what they were made from.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::build::Compilers;
use super::c::CCompiler;
use super::sources::sha256;
use super::toolchain::Toolchain;

const MANIFEST: &str = "manifest.toml";
const LIST: &str = "list.rs";
const HEADER: &str = "Written by `cargo xtask guests`; not to be edited.";

/// The manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Built {
    /// The hash over all sources.
    pub(crate) sources: String,
    pub(crate) compiler: Compiler,
    pub(crate) libc: Libc,
    /// There where a tool has C in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) c_compiler: Option<CRelease>,
    /// What was made, by tool.
    pub(crate) components: BTreeMap<String, Made>,
}

/// The compiler that made the components.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compiler {
    release: String,
    commit: String,
}

/// The libc that is linked into them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Libc {
    from: String,
    pub(crate) sha256: String,
}

/// The compiler of the C in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CRelease {
    name: String,
    release: String,
}

/// One component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Made {
    bytes: u64,
    sha256: String,
}

impl Compiler {
    pub(crate) fn of(toolchain: &Toolchain) -> Self {
        Self { release: toolchain.release.clone(), commit: toolchain.commit.clone() }
    }
}

impl Libc {
    pub(crate) fn of(toolchain: &Toolchain) -> Self {
        Self { from: toolchain.libc_from.clone(), sha256: toolchain.libc_sha256.clone() }
    }
}

impl CRelease {
    pub(crate) fn of(compiler: &CCompiler) -> Self {
        Self { name: "clang".to_owned(), release: compiler.release().to_owned() }
    }
}

impl Made {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: sha256(bytes) }
    }
}

impl Built {
    /// Reads the manifest.
    pub(crate) fn read(tools: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(tools.join("built").join(MANIFEST));
        let text = text.context("cannot read tools/built/manifest.toml: run `cargo xtask guests`")?;
        toml::from_str(&text).context("tools/built/manifest.toml is damaged: run `cargo xtask guests`")
    }

    /// Compares each component with its entry.
    pub(crate) fn check_files(&self, tools: &Path) -> Result<()> {
        for (name, made) in &self.components {
            let file = tools.join("built").join(format!("{name}.wasm"));
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            if Made::of(&bytes) != *made {
                bail!("tools/built/{name}.wasm is not the file that its manifest names: run `cargo xtask guests`");
            }
        }
        let list =
            std::fs::read_to_string(tools.join("built").join(LIST)).context("cannot read tools/built/list.rs")?;
        if list != list_text(self.components.keys()) {
            bail!("tools/built/list.rs is not what `cargo xtask guests` writes");
        }
        Ok(())
    }

    /// The tools whose component is another than the manifest names.
    pub(crate) fn different<'a>(&'a self, components: &BTreeMap<String, Vec<u8>>) -> Vec<&'a str> {
        let differs =
            |(name, made): &(&String, &Made)| components.get(*name).is_none_or(|bytes| Made::of(bytes) != **made);
        self.components.iter().filter(differs).map(|(name, _)| name.as_str()).collect()
    }
}

/// Writes components, list and manifest, the manifest last, and removes components of tools that are gone.
pub(crate) fn write(
    tools: &Path,
    sources: &str,
    compilers: Compilers<'_>,
    components: &BTreeMap<String, Vec<u8>>,
) -> Result<()> {
    let folder = tools.join("built");
    std::fs::create_dir_all(&folder)?;
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            std::fs::remove_file(path)?;
        }
    }
    for (name, bytes) in components {
        std::fs::write(folder.join(format!("{name}.wasm")), bytes)?;
    }
    std::fs::write(folder.join(LIST), list_text(components.keys()))?;
    let built = Built {
        sources: sources.to_owned(),
        compiler: Compiler::of(compilers.rust),
        libc: Libc::of(compilers.rust),
        c_compiler: compilers.c.map(CRelease::of),
        components: components.iter().map(|(name, bytes)| (name.clone(), Made::of(bytes))).collect(),
    };
    std::fs::write(folder.join(MANIFEST), format!("# {HEADER}\n{}", toml::to_string(&built)?))?;
    Ok(())
}

/// An expression of type `&[(&str, &[u8])]` for `include!`: each tool's name and component.
fn list_text<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let entries: String =
        names.map(|name| format!("    (\"{name}\", include_bytes!(\"{name}.wasm\").as_slice()),\n")).collect();
    format!("// {HEADER}\n&[\n{entries}]\n")
}
