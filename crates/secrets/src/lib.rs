//! Secrets: credentials that the host puts into requests and that nothing else ever sees.
//!
//! In: names and values that a person set. Out: a value for the host that adds it to a request, and text in which every value is
//! masked. What always holds: a value is in memory only while it is used and is overwritten after; it reaches the disk encrypted and in
//! no other form; no message, error or debug output holds one. Which request gets which secret is decided elsewhere.

mod crypt;
mod error;
mod file;
mod folder;
mod index;
mod keyring;
mod mask;
mod name;
mod table;
mod value;
mod vault;

pub use error::SecretError;
pub use mask::{MaskStream, Masker};
pub use name::SecretName;
pub use value::SecretValue;
pub use vault::{Backend, Listed, Vault, VaultConfig};

/// Where a host gets the value of a secret from.
pub trait SecretSource: std::fmt::Debug + Send + Sync {
    /// The value of the secret `name`. It may wait, for a disk or for a person who unlocks a keyring.
    ///
    /// # Errors
    ///
    /// [`SecretError::Unknown`] when there is none of that name; any other when it cannot be read.
    fn secret(&self, name: &SecretName) -> Result<SecretValue, SecretError>;
}

impl SecretSource for Vault {
    fn secret(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        self.get(name)
    }
}
