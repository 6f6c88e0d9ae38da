//! The Keychain of macOS.

use keyring::{Entry, Error};
use zeroize::Zeroizing;

use super::SERVICE;
use crate::error::SecretError;
use crate::name::SecretName;

pub(super) fn find() -> Result<(), SecretError> {
    Entry::store_status().as_ref().map(|_| ()).map_err(refused)
}

pub(super) fn set(name: &SecretName, value: &Zeroizing<Vec<u8>>) -> Result<(), SecretError> {
    entry(name)?.set_secret(value).map_err(|error| refused(&error))
}

pub(super) fn get(name: &SecretName) -> Result<Option<Zeroizing<Vec<u8>>>, SecretError> {
    match entry(name)?.get_secret() {
        Ok(value) => Ok(Some(Zeroizing::new(value))),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(refused(&error)),
    }
}

pub(super) fn remove(name: &SecretName) -> Result<(), SecretError> {
    match entry(name)?.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(refused(&error)),
    }
}

fn entry(name: &SecretName) -> Result<Entry, SecretError> {
    Entry::new(SERVICE, name.as_str()).map_err(|error| refused(&error))
}

/// Some of its errors hold what was stored, so only their kind is told.
fn refused(error: &Error) -> SecretError {
    let reason = match error {
        Error::NoStorageAccess(_) => "is locked, or cannot be reached",
        Error::NoDefaultStore => "is not there",
        Error::TooLong(..) => "does not take a value as long as this",
        _ => "refused",
    };
    SecretError::Keyring(reason.to_owned())
}
