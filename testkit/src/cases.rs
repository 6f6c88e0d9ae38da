//! Cases as data: what a built-in tool does, in `tools/TOOL/cases/*.toml`.
//!
//! In: a folder of TOML files. Out: [`Case`]s, and for what was observed of one the list of [deviations](Case::deviations). This
//! module starts nothing; a runner makes the files, calls the tool and gives what it saw.
//!
//! # The format
//!
//! Each file has any number of `[[case]]` tables:
//!
//! ```toml
//! [[case]]
//! name = "a file that is not granted is refused"     # required, unique in its file
//! files = [                                           # the tree before, below /w; directories are made as needed
//!     { path = "/w/docs/a.txt", text = "hello\n" },   # exactly one of text, base64, link, directory
//!     { path = "/w/secret.txt", text = "key", times = 2 },
//! ]
//! allow = ["read:/w/docs/**"]                         # what the operator grants; nothing if left out
//! input = { path = "secret.txt" }                     # the tool's input
//!
//! [case.expect]
//! outcome = "denied"                                  # required: as in `caplet run --json`
//! contains = ["not granted", "read:/w/secret.txt"]    # texts that the output or the error's message contains
//! denied = ["read /w/secret.txt"]                     # all ops that are refused on the way; none if left out
//! files = [{ path = "/w/secret.txt", text = "key" }]  # what is there afterwards
//! ```
//!
//! The whole tree lies below `/w`, one mount (`host:` of an empty directory, or any other store), and `/w` is the current
//! directory unless `cwd` says otherwise. Everything else of a call has its default. Every key is listed in [`Case`],
//! [`FileSpec`] and [`Expected`]; an unknown key is an error.

mod expected;
mod files;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use expected::{Expected, Observed};
pub use files::{Content, FileSpec};

/// One call of one tool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// What the case shows, as a sentence; unique in its file.
    pub name: String,
    /// The tool's function, where it has several.
    pub function: Option<String>,
    /// The files before the call.
    #[serde(default)]
    pub files: Vec<FileSpec>,
    /// The guest's current directory.
    #[serde(default = "default_cwd")]
    pub cwd: String,
    /// Rules granted, as `--allow` takes them.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Rules refused, as `--deny` takes them.
    #[serde(default)]
    pub deny: Vec<String>,
    /// Limits, as `--limit` takes them: `file-writes=1KiB`.
    #[serde(default)]
    pub limits: Vec<String>,
    /// The tool's input, an object.
    pub input: serde_json::Value,
    /// What has to come of it.
    pub expect: Expected,
}

/// Where the files of a case lie.
pub const MOUNT: &str = "/w";

fn default_cwd() -> String {
    MOUNT.to_owned()
}

/// Why cases cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// The folder or a file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not in the format.
    #[error("{path} is no file of cases: {message}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

/// Reads all cases of a tool, by file and in the order of each file. The name of a case is prefixed with its file's.
///
/// # Errors
/// The folder cannot be read, or a file in it is not in the format.
pub fn read_folder(folder: &Path) -> Result<Vec<Case>, CaseError> {
    let failed = |source| CaseError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        cases.extend(read_file(&path)?);
    }
    Ok(cases)
}

fn read_file(path: &Path) -> Result<Vec<Case>, CaseError> {
    let text = std::fs::read_to_string(path).map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
    let format = |message: String| CaseError::Format { path: path.to_owned(), message };
    let mut file: File = toml::from_str(&text).map_err(|error| format(error.to_string()))?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    for index in 0..file.case.len() {
        let (before, rest) = file.case.split_at_mut(index);
        let Some(case) = rest.first_mut() else { continue };
        case.name = format!("{stem}: {}", case.name);
        if before.iter().any(|other| other.name == case.name) {
            return Err(format(format!("two cases are named `{}`", case.name)));
        }
        case.check().map_err(|problem| format(format!("case `{}`: {problem}", case.name)))?;
    }
    Ok(file.case)
}

impl Case {
    /// What types cannot say: paths lie below the mount, and every file has one kind of content.
    fn check(&self) -> Result<(), String> {
        if !self.input.is_object() {
            return Err("input is not an object".to_owned());
        }
        for file in self.files.iter().chain(&self.expect.files) {
            if !file.path.starts_with("/w/") {
                return Err(format!("{} does not lie below {MOUNT}", file.path));
            }
            file.content()?;
        }
        Ok(())
    }

    /// Where what was observed is not what is expected; empty if all is as it should be.
    #[must_use]
    pub fn deviations(&self, observed: &Observed<'_>) -> Vec<String> {
        self.expect.deviations(observed)
    }
}
