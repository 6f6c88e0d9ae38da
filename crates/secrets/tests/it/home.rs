//! A user's folders, and what tests look at in them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use caplet_secrets::{Backend, SecretError, SecretName, SecretValue, Vault, VaultConfig};
use tempfile::TempDir;

pub(crate) const CANARY: &str = "canary-7f3a9c51e2";

pub(crate) struct Home {
    _folder: TempDir,
    pub(crate) config: PathBuf,
    pub(crate) state: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (config, state) = (folder.path().join("config/caplet"), folder.path().join("state/caplet"));
        Self { _folder: folder, config, state }
    }

    /// A home with one secret.
    pub(crate) fn begun() -> Self {
        let home = Self::new();
        home.set("TOKEN", CANARY).unwrap();
        home
    }

    pub(crate) fn vault(&self) -> Vault {
        at(&self.config, &self.state)
    }

    pub(crate) fn set(&self, name: &str, text: &str) -> Result<bool, SecretError> {
        self.vault().set(&named(name), &value(text))
    }

    pub(crate) fn get(&self, name: &str) -> Result<String, SecretError> {
        self.vault().get(&named(name)).map(|value| String::from_utf8(value.expose().to_vec()).unwrap())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.vault().list().unwrap().into_iter().map(|listed| listed.name.to_string()).collect()
    }

    pub(crate) fn secrets(&self) -> PathBuf {
        self.state.join("secrets.age")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.config.join("secrets.key")
    }
}

pub(crate) fn at(config: &Path, state: &Path) -> Vault {
    let (config_dir, state_dir) = (config.to_owned(), state.to_owned());
    Vault::open(&VaultConfig { config_dir, state_dir, backend: Backend::File })
}

pub(crate) fn named(name: &str) -> SecretName {
    name.parse().unwrap()
}

pub(crate) fn value(text: &str) -> SecretValue {
    SecretValue::new(text.as_bytes()).unwrap()
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

pub(crate) fn unfinished(folder: &Path) -> usize {
    files(folder).iter().filter(|path| path.to_string_lossy().contains("/.secrets-new-")).count()
}
