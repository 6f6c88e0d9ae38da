//! Secrets in the platform's keyring: the Secret Service on Linux, the Keychain on macOS.
//!
//! What always holds: a name is in the index before its value is in the keyring and until after it is gone from there, so no value is
//! ever left that `list` does not show; nothing waits for a keyring for longer than a minute.

#[cfg(all(feature = "keyring", target_os = "linux"))]
#[path = "secret_service.rs"]
mod platform;
#[cfg(all(feature = "keyring", target_os = "macos"))]
#[path = "keychain.rs"]
mod platform;
#[cfg(not(all(feature = "keyring", any(target_os = "linux", target_os = "macos"))))]
#[path = "none.rs"]
mod platform;

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use crate::error::SecretError;
use crate::file::LOCK_FILE;
use crate::folder::Folder;
use crate::index::{INDEX_FILE, Index};
use crate::name::SecretName;
use crate::value::SecretValue;
use crate::vault::{Listed, seconds, since_1970};

/// What all secrets of Caplet's have in common in the keyring.
#[cfg(feature = "keyring")]
const SERVICE: &str = "caplet";

/// How long a keyring may take: a person may have to unlock it.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// How long it may take to say that it is there.
const FIND_WAIT: Duration = Duration::from_secs(5);

/// Secrets in the keyring, with their names in a file in the state folder.
#[derive(Debug)]
pub(crate) struct KeyringVault {
    pub(crate) state_dir: PathBuf,
}

impl KeyringVault {
    /// Whether the index is there, in whatever state.
    pub(crate) fn is_begun(&self) -> Result<bool, SecretError> {
        match self.state_dir.join(INDEX_FILE).symlink_metadata() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(SecretError::io(&self.state_dir.join(INDEX_FILE), error)),
        }
    }

    /// Whether this session has a keyring that answers.
    pub(crate) fn is_there(&self) -> bool {
        matches!(within(FIND_WAIT, platform::find), Some(Ok(())))
    }

    pub(crate) fn set(&self, name: &SecretName, value: &SecretValue) -> Result<bool, SecretError> {
        let folder = Folder::open_or_make(&self.state_dir)?;
        let lock = folder.lock(LOCK_FILE)?;
        let mut index = Index::read(&folder)?.unwrap_or_default();
        let before = index.0.insert(name.clone(), seconds(SystemTime::now()));
        index.write(&folder, &lock)?;
        let (key, bytes) = (name.clone(), Zeroizing::new(value.expose().to_vec()));
        let set = within(ANSWER_WAIT, move || platform::set(&key, &bytes));
        // One that did not answer may yet take the value: then the name stays listed, and can be removed.
        if let Some(Err(_)) = set {
            match before {
                Some(set_at) => index.0.insert(name.clone(), set_at),
                None => index.0.remove(name),
            };
            index.write(&folder, &lock)?;
        }
        set.unwrap_or_else(no_answer).map(|()| before.is_none())
    }

    pub(crate) fn get(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        let unknown = || SecretError::Unknown(name.clone());
        // What another program put there under the same name was not set by `caplet secret set`.
        if !self.index()?.0.contains_key(name) {
            return Err(unknown());
        }
        let key = name.clone();
        let value = within(ANSWER_WAIT, move || platform::get(&key)).unwrap_or_else(no_answer)?.ok_or_else(unknown)?;
        SecretValue::new(&value)
    }

    pub(crate) fn list(&self) -> Result<Vec<Listed>, SecretError> {
        let listed = |(name, set_at)| Listed { name, set_at: since_1970(set_at) };
        Ok(self.index()?.0.into_iter().map(listed).collect())
    }

    pub(crate) fn remove(&self, name: &SecretName) -> Result<(), SecretError> {
        let unknown = || SecretError::Unknown(name.clone());
        let folder = Folder::open(&self.state_dir)?.ok_or_else(unknown)?;
        let lock = folder.lock(LOCK_FILE)?;
        let mut index = Index::read(&folder)?.ok_or_else(unknown)?;
        index.0.remove(name).ok_or_else(unknown)?;
        let key = name.clone();
        within(ANSWER_WAIT, move || platform::remove(&key)).unwrap_or_else(no_answer)?;
        index.write(&folder, &lock)
    }

    fn index(&self) -> Result<Index, SecretError> {
        let index = Folder::open(&self.state_dir)?.map_or(Ok(None), |folder| Index::read(&folder))?;
        Ok(index.unwrap_or_default())
    }
}

/// Asks the keyring on a thread of its own: it may take as long as it likes, and its client has a runtime of its own that must not run
/// inside another. Nothing is returned when it takes longer than `wait`.
fn within<T: Send + 'static>(
    wait: Duration,
    ask: impl FnOnce() -> Result<T, SecretError> + Send + 'static,
) -> Option<Result<T, SecretError>> {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        // Nobody waits for an answer that comes too late.
        let _ = sender.send(ask());
    });
    match thread {
        Ok(_) => receiver.recv_timeout(wait).ok(),
        Err(error) => Some(Err(SecretError::Keyring(format!("cannot be asked: {error}")))),
    }
}

fn no_answer<T>() -> Result<T, SecretError> {
    Err(SecretError::Keyring(format!("did not answer within {} seconds", ANSWER_WAIT.as_secs())))
}
