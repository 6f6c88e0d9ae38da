//! What the components are made from: the list of tools and one hash over all files that can change a byte.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// One built-in tool.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    /// Its name, which is also its folder's and its package's.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Whether C is compiled into it: `[package.metadata.guest]` of its Cargo.toml says `c = true`.
    pub(crate) has_c: bool,
}

impl Tool {
    /// The file that cargo makes of it.
    pub(crate) fn artifact(&self) -> String {
        format!("{}.wasm", self.name.replace('-', "_"))
    }
}

/// The tools that cargo builds: every folder that has a manifest `agent-tool.toml` and a package, by name.
pub(crate) fn tools(root: &Path) -> Result<Vec<Tool>> {
    let tools = folders(root, |folder| !is_interpreter(folder))?;
    if tools.is_empty() {
        bail!("no folder in {} has an agent-tool.toml", root.display());
    }
    Ok(tools)
}

/// The other tools, which a package of another language makes.
pub(crate) fn interpreters(root: &Path) -> Result<Vec<Tool>> {
    folders(root, is_interpreter)
}

fn is_interpreter(folder: &Path) -> bool {
    folder.join("agent-tool.toml").is_file() && !folder.join("Cargo.toml").is_file()
}

fn folders(root: &Path, fits: fn(&Path) -> bool) -> Result<Vec<Tool>> {
    let mut tools = Vec::new();
    for folder in entries(root)? {
        if folder.join("agent-tool.toml").is_file()
            && fits(&folder)
            && let Some(name) = folder.file_name().and_then(|name| name.to_str())
        {
            tools.push(Tool {
                name: name.to_owned(),
                has_c: !is_interpreter(&folder) && has_c(&folder)?,
                folder: folder.clone(),
            });
        }
    }
    Ok(tools)
}

fn has_c(folder: &Path) -> Result<bool> {
    let file = folder.join("Cargo.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let manifest: toml::Table = text.parse().with_context(|| format!("{} is no manifest", file.display()))?;
    let mut value = manifest.get("package");
    for key in ["metadata", "guest", "c"] {
        value = value.and_then(|table| table.get(key));
    }
    Ok(value.and_then(toml::Value::as_bool) == Some(true))
}

/// The hash of all sources: of each file its path, length and bytes, in the order of their paths.
pub(crate) fn hash(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let bytes = std::fs::read(root.join(&file)).with_context(|| format!("cannot read {file}"))?;
        hash.update(format!("{file}\0{}\0", bytes.len()));
        hash.update(&bytes);
    }
    Ok(hex(&hash.finalize()))
}

/// SHA-256 as `sha256:HEX`.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Paths with `/`, relative to the root. Tests, cases and what was built are no sources; an interpreter's are a set of their own.
fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) -> Result<()> {
    for path in entries(folder)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "built" | "cases" | "target" | "tests" | "__pycache__")
                && !is_interpreter(&path)
            {
                collect(root, &path, files)?;
            }
        } else if is_source(&name) {
            let below =
                path.strip_prefix(root)?.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
            files.push(below.replace('\\', "/"));
        }
    }
    Ok(())
}

fn is_source(name: &str) -> bool {
    matches!(name, "Cargo.lock")
        || [".h", ".js", ".py", ".rs", ".toml", ".wit"].iter().any(|end| name.ends_with(end)) && name != "clippy.toml"
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = listing.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
