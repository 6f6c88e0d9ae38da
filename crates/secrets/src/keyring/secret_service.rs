//! The Secret Service of Linux desktops, over the bus of the session. Values cross the bus encrypted.

use std::collections::HashMap;

use secret_service::blocking::{Collection, Item, SecretService};
use secret_service::{EncryptionType, Error};
use zeroize::Zeroizing;

use super::SERVICE;
use crate::error::SecretError;
use crate::name::SecretName;

pub(super) fn find() -> Result<(), SecretError> {
    let service = connect()?;
    collection(&service).map(|_| ())
}

pub(super) fn set(name: &SecretName, value: &Zeroizing<Vec<u8>>) -> Result<(), SecretError> {
    let service = connect()?;
    let collection = unlocked(&service)?;
    let label = format!("caplet secret {name}");
    collection.create_item(&label, attributes(name), value, true, "text/plain").map_err(|error| refused(&error))?;
    Ok(())
}

pub(super) fn get(name: &SecretName) -> Result<Option<Zeroizing<Vec<u8>>>, SecretError> {
    let service = connect()?;
    let collection = unlocked(&service)?;
    let Some(item) = items(&collection, name)?.into_iter().next() else { return Ok(None) };
    item.get_secret().map(|value| Some(Zeroizing::new(value))).map_err(|error| refused(&error))
}

pub(super) fn remove(name: &SecretName) -> Result<(), SecretError> {
    let service = connect()?;
    let collection = unlocked(&service)?;
    items(&collection, name)?.iter().try_for_each(Item::delete).map_err(|error| refused(&error))
}

fn connect<'a>() -> Result<SecretService<'a>, SecretError> {
    SecretService::connect(EncryptionType::Dh).map_err(|error| refused(&error))
}

/// The collection that a desktop unlocks when its user logs in.
fn collection<'a>(service: &'a SecretService<'a>) -> Result<Collection<'a>, SecretError> {
    service.get_default_collection().map_err(|error| refused(&error))
}

fn unlocked<'a>(service: &'a SecretService<'a>) -> Result<Collection<'a>, SecretError> {
    let collection = collection(service)?;
    if collection.is_locked().map_err(|error| refused(&error))? {
        collection.unlock().map_err(|error| refused(&error))?;
    }
    Ok(collection)
}

fn items<'a>(collection: &'a Collection<'a>, name: &SecretName) -> Result<Vec<Item<'a>>, SecretError> {
    collection.search_items(attributes(name)).map_err(|error| refused(&error))
}

/// What other clients of keyrings look for too: `secret-tool search service caplet`.
fn attributes(name: &SecretName) -> HashMap<&str, &str> {
    HashMap::from([("service", SERVICE), ("username", name.as_str())])
}

/// Only the kind of its errors is told: what a service puts into a message is not known.
fn refused(error: &Error) -> SecretError {
    let reason = match error {
        Error::Unavailable => "is not there",
        Error::Locked => "is locked",
        Error::NoResult => "has no collection to keep secrets in",
        Error::Prompt | Error::PromptDisconnected => "was not unlocked",
        _ => "refused, or cannot be reached over the session's bus",
    };
    SecretError::Keyring(reason.to_owned())
}
