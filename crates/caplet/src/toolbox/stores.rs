//! Stores and buckets of a toolbox: what is named once, and what tools make of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use caplet_policy::{GuestPath, parse_duration, parse_size};
use toml::Spanned;

use super::error::Fault;
use super::file::File;
use super::raw::{Named, RawBucket, RawStore};
use super::resolve::name;
use crate::buckets::{BucketOptions, BucketRequest, BucketStore};
use crate::builtin::nearest_of;
use crate::mount::{MountRequest, StoreName, StoreRequest, absolute};

/// The longest time to live that stores take.
const LONGEST_TTL: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// The shortest, since stores count in milliseconds.
const SHORTEST_TTL: Duration = Duration::from_millis(1);

/// `[stores]` and `[buckets]`.
pub(super) struct Shared {
    stores: BTreeMap<String, SharedStore>,
    buckets: BTreeMap<String, SharedBucket>,
}

struct SharedStore {
    store: StoreRequest,
    read_only: bool,
    quota: Option<u64>,
    span: Range<usize>,
}

struct SharedBucket {
    store: BucketStore,
    options: BucketOptions,
    span: Range<usize>,
}

impl Shared {
    pub(super) fn new(file: &File, raw_stores: Named<RawStore>, raw_buckets: Named<RawBucket>) -> Result<Self, Fault> {
        let mut stores: BTreeMap<String, SharedStore> = BTreeMap::new();
        for (key, raw) in raw_stores {
            let key = name(key, "a store")?.into_inner();
            let store = store(file, raw)?;
            let is_same = |other: &SharedStore| store.store.path().is_some() && other.store == store.store;
            if let Some((other, _)) = stores.iter().find(|(_, other)| is_same(other)) {
                let message = format!("the store {other:?} is the same, and might have another quota");
                return Err(Fault::new(store.span, message, "name it once, and mount it as often as you like"));
            }
            stores.insert(key, store);
        }
        let mut buckets = BTreeMap::new();
        for (key, raw) in raw_buckets {
            buckets.insert(name(key, "a bucket's store")?.into_inner(), bucket(file, raw)?);
        }
        Ok(Self { stores, buckets })
    }

    /// `GUEST = STORE` in `mounts`; with the place of its store.
    pub(super) fn mount(
        &self,
        file: &File,
        guest: &Spanned<String>,
        text: &Spanned<String>,
    ) -> Result<(MountRequest, Range<usize>), Fault> {
        if guest.get_ref().is_empty() {
            let help = "write an absolute path, such as \"/w\"";
            return Err(Fault::new(guest.span(), "the guest path is empty", help));
        }
        let at = absolute(guest.get_ref(), &file.folder).map_err(|reason| {
            Fault::new(
                guest.span(),
                format!("this is no guest path: {reason}"),
                "write an absolute path, such as \"/w\"",
            )
        })?;
        let asked = format!("the mount at {at} in {}", file.path.display());
        let trusted = Some(file.folder.clone());
        let request = |store, read_only| MountRequest { at, store, read_only, quota: None, name: None, asked, trusted };
        let Some(reference) = text.get_ref().strip_prefix('@') else {
            let (store, read_only) = files(file, text)?;
            return Ok((request(store, read_only), text.span()));
        };
        let (known, is_read_only) = match reference.strip_suffix(":ro") {
            Some(known) => (known, true),
            None => (reference, false),
        };
        let Some(shared) = self.stores.get(known) else {
            return Err(unknown(text, known, "stores", self.stores.keys()));
        };
        let mut request = request(shared.store.clone(), shared.read_only || is_read_only);
        request.quota = shared.quota;
        request.name = Some(store_name(file, known));
        Ok((request, shared.span.clone()))
    }

    /// `BUCKET = STORE` in `buckets`; with the place of its store.
    pub(super) fn bucket(
        &self,
        file: &File,
        bucket: &Spanned<String>,
        text: &Spanned<String>,
    ) -> Result<(BucketRequest, Range<usize>), Fault> {
        let name = bucket.get_ref();
        if name.is_empty() {
            return Err(Fault::new(bucket.span(), "the bucket has no name", "write the name that the tool says"));
        }
        let asked = format!("the bucket {name:?} in {}", file.path.display());
        let request = |store, options, named| BucketRequest { name: name.clone(), store, options, named, asked };
        let Some(known) = text.get_ref().strip_prefix('@') else {
            return Ok((request(keys(file, text)?, BucketOptions::default(), None), text.span()));
        };
        match self.buckets.get(known) {
            Some(SharedBucket { store, options, span }) => {
                Ok((request(store.clone(), *options, Some(store_name(file, known))), span.clone()))
            }
            None => Err(unknown(text, known, "buckets", self.buckets.keys())),
        }
    }
}

fn store_name(file: &File, name: &str) -> StoreName {
    StoreName { toolbox: Arc::clone(&file.path), name: name.into() }
}

fn unknown<'n>(text: &Spanned<String>, name: &str, table: &str, known: impl Iterator<Item = &'n String>) -> Fault {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let help = match nearest_of(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"@{near}\"?"),
        None if known.is_empty() => format!("write a table [{table}.NAME] with a store"),
        None => format!("there are: {}", known.join(", ")),
    };
    Fault::new(text.span(), format!("there is no [{table}.{name}]"), help)
}

fn store(file: &File, raw: RawStore) -> Result<SharedStore, Fault> {
    let RawStore { store: text, quota } = raw;
    if text.get_ref().starts_with('@') {
        let help = "write a store: host:DIR, overlay:DIR, sqlite:FILE, memory or session";
        return Err(Fault::new(text.span(), "a store cannot be another name for a store", help));
    }
    let (store, read_only) = files(file, &text)?;
    let quota = match (&store, quota) {
        (StoreRequest::Host(_), Some(quota)) => {
            let help = "leave it out, or write overlay: or sqlite:; the limit file-writes bounds what a call writes";
            return Err(Fault::new(quota.span(), "a directory of the host has no quota", help));
        }
        (_, quota) => quota.map(|quota| size(&quota)).transpose()?,
    };
    Ok(SharedStore { store, read_only, quota, span: text.span() })
}

/// A store of files. `:ro` behind it makes it one to read only, also behind a bare directory.
fn files(file: &File, text: &Spanned<String>) -> Result<(StoreRequest, bool), Fault> {
    let help = "write host:DIR, overlay:DIR, sqlite:FILE, memory or session, with :ro behind it to read only";
    if text.get_ref().is_empty() {
        return Err(Fault::new(text.span(), "the store is empty", help));
    }
    if text.get_ref().contains("://") {
        return Err(Fault::new(text.span(), "a server holds no files", help));
    }
    let parse = |text: &str| StoreRequest::parse(text, &file.folder);
    let parsed = match text.get_ref().strip_suffix(":ro") {
        Some(bare) if !bare.contains(':') => parse(bare).map(|(store, _)| (store, true)),
        _ => parse(text.get_ref()),
    };
    parsed.map_err(|reason| Fault::new(text.span(), reason, help))
}

fn bucket(file: &File, raw: RawBucket) -> Result<SharedBucket, Fault> {
    let RawBucket { store: text, ttl, quota } = raw;
    if text.get_ref().starts_with('@') {
        let help = "write a store: memory, session, sqlite:FILE, redis://… or nats://…";
        return Err(Fault::new(text.span(), "a store cannot be another name for a store", help));
    }
    let store = keys(file, &text)?;
    let quota = match (&store, quota) {
        (BucketStore::Redis(_) | BucketStore::Nats(_), Some(quota)) => {
            return Err(Fault::new(quota.span(), "a server has its own quota", "set it there, and leave this out"));
        }
        (_, quota) => quota.map(|quota| size(&quota)).transpose()?,
    };
    let ttl = ttl.map(|ttl| time_to_live(&ttl)).transpose()?;
    Ok(SharedBucket { store, options: BucketOptions { ttl, quota }, span: text.span() })
}

/// A store of buckets. What is wrong with its text is told without the text: a URL may have a password in it.
fn keys(file: &File, text: &Spanned<String>) -> Result<BucketStore, Fault> {
    let help = "write it as with --bucket, such as sqlite:./notes.db or redis://localhost";
    BucketStore::parse(text.get_ref(), &file.folder).map_err(|reason| Fault::new(text.span(), reason, help))
}

fn size(text: &Spanned<String>) -> Result<u64, Fault> {
    let help = "write a number and a unit, such as \"64MiB\"";
    match parse_size(text.get_ref()) {
        Ok(0) => Err(Fault::new(text.span(), "nothing fits into a quota of zero", help)),
        size => size.map_err(|reason| Fault::new(text.span(), reason, help)),
    }
}

fn time_to_live(text: &Spanned<String>) -> Result<Duration, Fault> {
    let help = "write a number and a unit, such as \"7d\" or \"12h\"";
    let ttl = parse_duration(text.get_ref()).map_err(|reason| Fault::new(text.span(), reason, help))?;
    if ttl < SHORTEST_TTL {
        return Err(Fault::new(text.span(), "a time to live is at least 1ms", help));
    }
    if ttl > LONGEST_TTL {
        return Err(Fault::new(text.span(), "a time to live is at most 100 years", help));
    }
    Ok(ttl)
}

/// That the place on the host where a mount's store is to be exists, told while it is known where it was written.
pub(super) fn must_have_a_place(mount: &MountRequest, span: &Range<usize>) -> Result<(), Fault> {
    match &mount.store {
        StoreRequest::Host(folder) | StoreRequest::Overlay(folder) => must_be_a_directory(folder, span),
        StoreRequest::Sqlite(file) => must_be_a_directory(file.parent().unwrap_or(file), span),
        StoreRequest::Memory | StoreRequest::Session => Ok(()),
    }
}

/// The same for a bucket.
pub(super) fn bucket_must_have_a_place(bucket: &BucketRequest, span: &Range<usize>) -> Result<(), Fault> {
    match bucket.store.database() {
        Some(file) => must_be_a_directory(file.parent().unwrap_or(file), span),
        None => Ok(()),
    }
}

fn must_be_a_directory(path: &Path, span: &Range<usize>) -> Result<(), Fault> {
    let shown = absolute(&path.to_string_lossy(), &GuestPath::root());
    let shown = shown.map_or_else(|_| path.display().to_string(), |path| path.to_string());
    let help = "make the directory, or name another one; a relative path is taken from the folder of this file";
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Fault::new(span.clone(), format!("{shown} is not a directory"), help)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Fault::new(span.clone(), format!("there is no directory {shown}"), help))
        }
        Err(error) => Err(Fault::new(span.clone(), format!("{shown}: {error}"), help)),
    }
}
