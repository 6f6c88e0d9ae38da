//! The key that the file of secrets is encrypted with, in the formats of `age`: whoever has key and file can read them with that tool.
//!
//! What always holds: a key is made once and never replaced, since that would make what it encrypted unreadable.
//!
//! What does not: `age` encrypts from a buffer of up to 64 KiB of its own that it does not overwrite. It does when it decrypts.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use age::{DecryptError, Decryptor};
use zeroize::Zeroizing;

use crate::error::SecretError;
use crate::folder::Folder;

/// The name of the key's file.
pub(crate) const KEY_FILE: &str = "secrets.key";

/// A secret key of one user's.
pub(crate) struct Key {
    identity: Identity,
    path: PathBuf,
}

impl Key {
    /// The key in the folder at `config_dir`, which has to be there to read `encrypted`.
    pub(crate) fn load(config_dir: &Path, encrypted: &Path) -> Result<Self, SecretError> {
        let found = Folder::open(config_dir)?.map_or(Ok(None), |folder| Self::find(&folder))?;
        found.ok_or_else(|| SecretError::Key {
            path: encrypted.to_owned(),
            key: config_dir.join(KEY_FILE),
            reason: "its key is gone",
        })
    }

    /// The key in the folder at `config_dir`, made first if there is none. Processes that make it at the same time agree on one.
    pub(crate) fn load_or_make(config_dir: &Path) -> Result<Self, SecretError> {
        let folder = Folder::open_or_make(config_dir)?;
        if let Some(key) = Self::find(&folder)? {
            return Ok(key);
        }
        let text = Identity::generate().to_string();
        let line = Zeroizing::new([text.expose_secret().as_bytes(), b"\n"].concat());
        folder.claim(KEY_FILE, &line)?;
        Self::find(&folder)?.ok_or_else(|| SecretError::io(&folder.path(KEY_FILE), rustix::io::Errno::NOENT))
    }

    fn find(folder: &Folder) -> Result<Option<Self>, SecretError> {
        let Some(bytes) = folder.read(KEY_FILE)? else { return Ok(None) };
        let path = folder.path(KEY_FILE);
        // As `age-keygen` writes it, comments may stand above.
        let is_key = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let line = std::str::from_utf8(&bytes).ok().and_then(|text| text.lines().map(str::trim).find(is_key));
        match line.map(Identity::from_str) {
            Some(Ok(identity)) => Ok(Some(Self { identity, path })),
            Some(Err(_)) | None => Err(SecretError::Damaged { path, reason: "it is no key of age" }),
        }
    }

    pub(crate) fn encrypt(&self, path: &Path, plain: &[u8]) -> Result<Vec<u8>, SecretError> {
        age::encrypt(&self.identity.to_public(), plain)
            .map_err(|error| SecretError::io(path, std::io::Error::other(error.to_string())))
    }

    /// What `encrypted`, the bytes of the file at `path`, says.
    pub(crate) fn decrypt(&self, path: &Path, encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let torn = || SecretError::Damaged { path: path.to_owned(), reason: "it is damaged, or no file of secrets" };
        let decryptor = Decryptor::new_buffered(encrypted).map_err(|_| torn())?;
        let mut reader = decryptor.decrypt(std::iter::once(&self.identity as &dyn age::Identity)).map_err(|error| {
            if matches!(error, DecryptError::NoMatchingKeys) {
                let (path, key) = (path.to_owned(), self.path.clone());
                return SecretError::Key { path, key, reason: "it was encrypted with another key" };
            }
            torn()
        })?;
        // Room for all of it at once: a buffer that moves leaves a copy behind. What is decrypted is shorter than what is encrypted.
        let mut plain = Zeroizing::new(Vec::with_capacity(encrypted.len()));
        reader.read_to_end(&mut plain).map_err(|_| torn())?;
        Ok(plain)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
