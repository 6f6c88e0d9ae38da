//! What is built: a folder with a manifest, and the language that its files are in.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use caplet::component::Manifest;

use super::has;
use crate::command::check::{manifest_failure, read_manifest};
use crate::command::pack::MANIFEST;
use crate::failure::Failure;
use crate::host;
use crate::language::Language;

/// Which files tell a language. C has none of its own, so it is what a folder has that has none of these.
const MARKERS: &[(Language, &[&str])] = &[
    (Language::Rust, &["Cargo.toml"]),
    (Language::Js, &["package.json"]),
    (Language::Python, &["pyproject.toml", "app.py"]),
    (Language::Go, &["go.mod"]),
];

/// A tool's folder.
#[derive(Debug)]
pub(super) struct Project {
    pub(super) folder: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) language: Language,
}

impl Project {
    /// Looks at `folder`, which is written in `language` if that is said.
    pub(super) fn open(folder: &Path, language: Option<Language>) -> Result<Self, Failure> {
        let folder = host::current_dir()?.join(folder).components().collect::<PathBuf>();
        if !folder.is_dir() {
            return Err(Failure::new(ErrorKind::InvalidConfig, format!("there is no folder {}", folder.display())));
        }
        let path = folder.join(MANIFEST);
        if !path.exists() {
            let message = format!("{} has no {MANIFEST}, so it is not a tool's folder", folder.display());
            return Err(Failure::new(ErrorKind::InvalidManifest, message)
                .with_hint("start one with `caplet new`, or write the manifest of what is there"));
        }
        let text = read_manifest(&path)?;
        let manifest = Manifest::parse(&text).map_err(|error| manifest_failure(&path, &text, error))?;
        let language = match language {
            Some(language) => language,
            None => detect(&folder)?,
        };
        Ok(Self { folder, manifest, language })
    }

    /// The tool's name.
    pub(super) fn name(&self) -> &str {
        self.manifest.name()
    }

    /// The folder's C files, and those of `src`, from the folder.
    pub(super) fn c_files(&self) -> Vec<PathBuf> {
        c_files(&self.folder)
    }
}

fn detect(folder: &Path) -> Result<Language, Failure> {
    let found = |(language, files): &(Language, &[&'static str])| {
        files.iter().find(|file| has(folder, file)).map(|file| (*language, *file))
    };
    let found: Vec<(Language, &str)> = MARKERS.iter().filter_map(found).collect();
    match found.as_slice() {
        [(language, _)] => Ok(*language),
        [] if !c_files(folder).is_empty() => Ok(Language::C),
        [] => Err(Failure::new(
            ErrorKind::InvalidConfig,
            format!("{} has no file that tells its language", folder.display()),
        )
        .with_hint("it is told by Cargo.toml, package.json, pyproject.toml or app.py, go.mod, or C files; what another tool chain makes is packed with `caplet pack`")),
        several => {
            let files = several.iter().map(|(_, file)| *file).collect::<Vec<_>>().join(", ");
            let message = format!("{} has files of several languages: {files}", folder.display());
            let options = several.iter().map(|(language, _)| format!("--lang {}", language.as_str()));
            let hint = format!("say which is the tool's: {}", options.collect::<Vec<_>>().join(" or "));
            Err(Failure::new(ErrorKind::InvalidConfig, message).with_hint(hint))
        }
    }
}

fn c_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for below in ["", "src"] {
        let entries = fs::read_dir(folder.join(below)).into_iter().flatten().flatten();
        let names = entries.map(|entry| Path::new(below).join(entry.file_name()));
        files.extend(names.filter(|name| name.extension() == Some(OsStr::new("c"))));
    }
    files.sort();
    files
}

/// Where a tool chain puts what is not packed yet; removed when it was.
#[derive(Debug)]
pub(super) struct Raw(PathBuf);

impl Raw {
    pub(super) fn new(project: &Project) -> Self {
        Self(project.folder.join(format!(".{}.{}.wasm", project.name(), std::process::id())))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = fs::remove_file(&self.0);
    }
}
