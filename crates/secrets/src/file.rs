//! Secrets in an encrypted file, for hosts that have no keyring.
//!
//! What always holds: changes are made one after the other, whatever the processes; a reader sees the file before or after a change and
//! never between; a file that cannot be read is never written over.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::crypt::{KEY_FILE, Key};
use crate::error::SecretError;
use crate::folder::{Folder, Lock};
use crate::name::SecretName;
use crate::table::{Entry, Table};
use crate::value::SecretValue;
use crate::vault::{Listed, seconds, since_1970};

/// The encrypted file.
pub(crate) const SECRETS_FILE: &str = "secrets.age";

/// What is locked while the file is changed. It is never replaced, as the file is.
pub(crate) const LOCK_FILE: &str = "secrets.lock";

/// Secrets in a file in the state folder, with their key in the configuration folder.
#[derive(Debug)]
pub(crate) struct FileVault {
    pub(crate) config_dir: PathBuf,
    pub(crate) state_dir: PathBuf,
}

impl FileVault {
    /// Whether the file is there, in whatever state.
    pub(crate) fn is_begun(&self) -> Result<bool, SecretError> {
        match self.state_dir.join(SECRETS_FILE).symlink_metadata() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(SecretError::io(&self.state_dir.join(SECRETS_FILE), error)),
        }
    }

    pub(crate) fn set(&self, name: &SecretName, value: &SecretValue) -> Result<bool, SecretError> {
        let (folder, lock) = self.lock()?;
        let mut table = self.read(&folder)?.unwrap_or_default();
        // The table overwrites what it holds, so it gets a value of its own.
        let entry = Entry { set_at: seconds(SystemTime::now()), value: SecretValue::new(value.expose())? };
        let is_new = table.0.insert(name.clone(), entry).is_none();
        self.write(&folder, &lock, &table)?;
        Ok(is_new)
    }

    pub(crate) fn get(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        let table = Folder::open(&self.state_dir)?.map_or(Ok(None), |folder| self.read(&folder))?;
        let entry = table.and_then(|mut table| table.0.remove(name));
        entry.map(|entry| entry.value).ok_or_else(|| SecretError::Unknown(name.clone()))
    }

    pub(crate) fn list(&self) -> Result<Vec<Listed>, SecretError> {
        let table = Folder::open(&self.state_dir)?.map_or(Ok(None), |folder| self.read(&folder))?.unwrap_or_default();
        let listed = |(name, entry): (SecretName, Entry)| Listed { name, set_at: since_1970(entry.set_at) };
        Ok(table.0.into_iter().map(listed).collect())
    }

    pub(crate) fn remove(&self, name: &SecretName) -> Result<(), SecretError> {
        let unknown = || SecretError::Unknown(name.clone());
        if !self.is_begun()? {
            return Err(unknown());
        }
        let (folder, lock) = self.lock()?;
        let mut table = self.read(&folder)?.ok_or_else(unknown)?;
        table.0.remove(name).ok_or_else(unknown)?;
        if table.0.is_empty() {
            // Where secrets are kept is chosen anew with the next one.
            return folder.remove(&lock, SECRETS_FILE);
        }
        self.write(&folder, &lock, &table)
    }

    fn lock(&self) -> Result<(Folder, Lock), SecretError> {
        let folder = Folder::open_or_make(&self.state_dir)?;
        let lock = folder.lock(LOCK_FILE)?;
        Ok((folder, lock))
    }

    /// What the file holds, if there is one.
    fn read(&self, folder: &Folder) -> Result<Option<Table>, SecretError> {
        let Some(encrypted) = folder.read(SECRETS_FILE)? else { return Ok(None) };
        let path = folder.path(SECRETS_FILE);
        let key = Key::load(&self.config_dir, &path)?;
        let plain = key.decrypt(&path, &encrypted)?;
        Table::parse(&plain).map(Some).map_err(|reason| SecretError::Damaged { path, reason })
    }

    fn write(&self, folder: &Folder, lock: &Lock, table: &Table) -> Result<(), SecretError> {
        let key = Key::load_or_make(&self.config_dir)?;
        let encrypted = key.encrypt(&folder.path(SECRETS_FILE), &table.text())?;
        folder.replace(lock, SECRETS_FILE, &encrypted)
    }

    /// What a person is told about where secrets are.
    pub(crate) fn place(&self) -> String {
        let (secrets, key) = (self.state_dir.join(SECRETS_FILE), self.config_dir.join(KEY_FILE));
        format!("{}, encrypted with {}", secrets.display(), key.display())
    }
}
