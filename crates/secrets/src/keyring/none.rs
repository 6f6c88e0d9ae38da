//! No keyring: this Caplet was built without, or for a platform that has none.

use zeroize::Zeroizing;

use crate::error::SecretError;
use crate::name::SecretName;

pub(super) fn find() -> Result<(), SecretError> {
    Err(SecretError::Keyring("is not part of this caplet".to_owned()))
}

pub(super) fn set(_name: &SecretName, _value: &Zeroizing<Vec<u8>>) -> Result<(), SecretError> {
    find()
}

pub(super) fn get(_name: &SecretName) -> Result<Option<Zeroizing<Vec<u8>>>, SecretError> {
    find().map(|()| None)
}

pub(super) fn remove(_name: &SecretName) -> Result<(), SecretError> {
    find()
}
