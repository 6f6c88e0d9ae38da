//! Where secrets are kept: in the platform's keyring where there is one, else in an encrypted file.
//!
//! What always holds: all secrets are in one place. It is chosen when the first is set, and kept until the last is removed, so that a
//! secret that was set on a desktop is not looked for elsewhere when the same user comes in by another way.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::error::SecretError;
use crate::file::FileVault;
use crate::keyring::KeyringVault;
use crate::name::SecretName;
use crate::value::SecretValue;

/// What to keep the first secret in. All that follow are kept where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// The keyring if there is one, else the encrypted file.
    #[default]
    Auto,
    /// The encrypted file.
    File,
    /// The platform's keyring.
    Keyring,
}

/// What a vault needs to know.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    /// Where the key of the encrypted file is: `$XDG_CONFIG_HOME/caplet`. Made when it is needed.
    pub config_dir: PathBuf,
    /// Where the encrypted file is, or the names of those in the keyring: `$XDG_STATE_HOME/caplet`. Made when it is needed.
    pub state_dir: PathBuf,
    /// What to keep the first secret in.
    pub backend: Backend,
}

/// A secret as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// What it is called.
    pub name: SecretName,
    /// When it was last set, to the second.
    pub set_at: SystemTime,
}

/// A user's secrets. Several processes can use the same at once.
///
/// Calls wait for files, and for a keyring perhaps for a person who unlocks it: up to a minute. Call them where a thread may wait.
#[derive(Debug)]
pub struct Vault {
    file: FileVault,
    keyring: KeyringVault,
    backend: Backend,
}

/// The place that was chosen.
enum Place<'a> {
    File(&'a FileVault),
    Keyring(&'a KeyringVault),
}

impl Vault {
    /// The vault in these folders. Nothing is read or made yet.
    #[must_use]
    pub fn open(config: &VaultConfig) -> Self {
        let VaultConfig { config_dir, state_dir, backend } = config.clone();
        let keyring = KeyringVault { state_dir: state_dir.clone() };
        Self { file: FileVault { config_dir, state_dir }, keyring, backend }
    }

    /// Sets a secret, in place of one of the same name. Tells whether the name is new.
    ///
    /// # Errors
    ///
    /// When it cannot be kept; then all secrets are as they were.
    pub fn set(&self, name: &SecretName, value: &SecretValue) -> Result<bool, SecretError> {
        match self.chosen(true)? {
            Place::File(file) => file.set(name, value),
            Place::Keyring(keyring) => keyring.set(name, value),
        }
    }

    /// The value of a secret. For the host alone: no verb and no tool gets it.
    ///
    /// # Errors
    ///
    /// [`SecretError::Unknown`] when there is none of that name; any other when it cannot be read.
    pub fn get(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        match self.chosen(false)? {
            Place::File(file) => file.get(name),
            Place::Keyring(keyring) => keyring.get(name),
        }
    }

    /// All secrets, by name.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, SecretError> {
        match self.chosen(false)? {
            Place::File(file) => file.list(),
            Place::Keyring(keyring) => keyring.list(),
        }
    }

    /// Removes a secret.
    ///
    /// # Errors
    ///
    /// [`SecretError::Unknown`] when there is none of that name; any other when it cannot be removed.
    pub fn remove(&self, name: &SecretName) -> Result<(), SecretError> {
        match self.chosen(false)? {
            Place::File(file) => file.remove(name),
            Place::Keyring(keyring) => keyring.remove(name),
        }
    }

    /// What a person is told about where secrets are kept.
    ///
    /// # Errors
    ///
    /// When that cannot be told.
    pub fn place(&self) -> Result<String, SecretError> {
        Ok(match self.chosen(false)? {
            Place::File(file) => file.place(),
            Place::Keyring(_) => "the keyring".to_owned(),
        })
    }

    /// Where secrets are. Only for the first one that is set is it asked whether there is a keyring.
    fn chosen(&self, is_set: bool) -> Result<Place<'_>, SecretError> {
        let is_keyring = if self.file.is_begun()? {
            false
        } else if self.keyring.is_begun()? {
            true
        } else {
            match self.backend {
                Backend::File => false,
                Backend::Keyring => true,
                Backend::Auto => is_set && self.keyring.is_there(),
            }
        };
        Ok(if is_keyring { Place::Keyring(&self.keyring) } else { Place::File(&self.file) })
    }
}

/// A time as it is stored.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A stored time. One that no clock shows is the beginning.
pub(crate) fn since_1970(seconds: u64) -> SystemTime {
    // Times that cannot be written as dates would make whoever prints them fail.
    const YEAR_9999: u64 = 253_402_300_799;
    SystemTime::UNIX_EPOCH + Duration::from_secs(if seconds > YEAR_9999 { 0 } else { seconds })
}
