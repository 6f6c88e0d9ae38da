//! The facts about a tool, remembered, so that a file is not read and checked again for every process.
//!
//! A file's facts are known by its place and by what the system says of it: device, inode, size, and both times of change. What always
//! holds: remembered facts are facts about bytes that were read whole and inspected; what runs is what was compiled from those same
//! bytes, and the record has their digest. A file that was changed in the same moment in which it was read could go unnoticed, so facts
//! are not remembered before its last change is older than that.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use caplet_component::{Caps, Component, Digest, EngineBytes, inspect};
use caplet_sandbox::Cache;
use rustix::fs::{Stat, stat};

use crate::error::Error;
use crate::source::Source;

/// What another build may see differently. Facts of another build are not looked at.
const BUILD: &str = env!("CARGO_PKG_VERSION");

/// How old a file's last change must be. File systems tell times apart by a hundredth of a second at the worst that is common, and by
/// two seconds on the oldest.
const SETTLED: Duration = Duration::from_secs(2);

/// What the system says of a file, and tells a changed one by.
type Identity = [u8; 48];

/// The component that `source` gives, from `cache` where its facts are remembered.
pub(crate) fn component(cache: Option<&Cache>, source: &Source, limit: u64) -> Result<Component, Error> {
    match (cache, source) {
        (None, _) => read(source, limit),
        (Some(cache), Source::Path(path)) => file(cache, source, path, limit),
        (Some(cache), Source::BuiltIn(tool)) => held(cache, source, &tool.key(), limit),
        (Some(cache), Source::Bytes { bytes, .. }) => held(cache, source, &blake3::hash(bytes).to_hex(), limit),
    }
}

/// Reads and inspects what `source` gives.
pub(crate) fn read(source: &Source, limit: u64) -> Result<Component, Error> {
    let bytes = source.read(limit)?;
    inspect(&bytes, &Caps::default().with_binary_bytes(limit))
        .map_err(|error| Error::Component { name: source.name(), source: Box::new(error) })
}

/// Bytes that are held are known by their own digest, `key`.
fn held(cache: &Cache, source: &Source, key: &str, limit: u64) -> Result<Component, Error> {
    let name = format!("bytes-{key}-{BUILD}.facts");
    if let Some(facts) = recall(cache, &name)
        && let Some(component) = restored(&facts, source, limit, None)
    {
        return Ok(component);
    }
    let component = read(source, limit)?;
    // Facts that cannot be kept are found again next time.
    let _ = cache.put(&name, &component.to_facts());
    Ok(component)
}

fn file(cache: &Cache, source: &Source, path: &Path, limit: u64) -> Result<Component, Error> {
    let Some((place, before)) = std::path::absolute(path).ok().zip(identify(path, limit)) else {
        return read(source, limit);
    };
    let name = format!("path-{}-{BUILD}.facts", blake3::hash(place.as_os_str().as_bytes()).to_hex());
    let remembered = recall(cache, &name);
    let facts = remembered.as_deref().and_then(|entry| entry.strip_prefix(before.as_slice()));
    if let Some(component) = facts.and_then(|facts| restored(facts, source, limit, Some((place, before)))) {
        return Ok(component);
    }
    let component = read(source, limit)?;
    if identify(path, limit) == Some(before) && is_settled(path) {
        let _ = cache.put(&name, &[before.as_slice(), &component.to_facts()].concat());
    }
    Ok(component)
}

/// The component that `facts` are about. Its bytes are read when they are needed after all.
fn restored(facts: &[u8], source: &Source, limit: u64, known: Option<(PathBuf, Identity)>) -> Option<Component> {
    let digest = Arc::new(OnceLock::new());
    let component = Component::from_facts(facts, again(source.clone(), limit, known, Arc::clone(&digest))).ok()?;
    // Nobody has asked for the bytes yet.
    digest.set(component.digest).ok()?;
    Some(component)
}

/// The bytes of the component with this digest: whatever the system says of a file, other bytes are not what was inspected.
fn again(source: Source, limit: u64, known: Option<(PathBuf, Identity)>, digest: Arc<OnceLock<Digest>>) -> EngineBytes {
    EngineBytes::on_demand(move || {
        let component = read(&source, limit).map_err(|error| error.to_string())?;
        let is_another = known.as_ref().is_some_and(|(path, before)| identify(path, limit) != Some(*before));
        if is_another || digest.get() != Some(&component.digest) {
            return Err(format!("{} was changed while it was loaded; run it again", source.name()));
        }
        component.engine_bytes.get()
    })
}

fn recall(cache: &Cache, name: &str) -> Option<Vec<u8>> {
    // What is wrong with an entry does not matter where the facts can be found again; a new one takes its place.
    cache.get(name).ok().flatten()?.read().ok()
}

/// What the system says of the file at `path`; nothing if it is none, or larger than `limit`.
fn identify(path: &Path, limit: u64) -> Option<Identity> {
    let found = stat(path).ok()?;
    let is_file = rustix::fs::FileType::from_raw_mode(found.st_mode).is_file();
    let size = u64::try_from(found.st_size).ok().filter(|size| is_file && *size <= limit)?;
    let [changed, modified] = times(&found)?;
    let mut identity = [0; 48];
    let parts = [found.st_dev, found.st_ino, size].map(u64::to_le_bytes);
    let times = [changed, modified].map(|time| time.as_nanos().to_le_bytes());
    let bytes = parts.iter().flatten().chain(times.iter().flat_map(|time| time.iter().take(12)));
    identity.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    Some(identity)
}

/// When the file's inode and its content last changed, since 1970.
fn times(found: &Stat) -> Option<[Duration; 2]> {
    let time = |seconds: i64, nanos: u64| Some(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?));
    Some([time(found.st_ctime, found.st_ctime_nsec)?, time(found.st_mtime, found.st_mtime_nsec)?])
}

fn is_settled(path: &Path) -> bool {
    let newest = stat(path).ok().and_then(|found| times(&found)).map(|[changed, modified]| changed.max(modified));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    newest.is_some_and(|newest| now.checked_sub(newest).is_some_and(|age| age > SETTLED))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only by a clock that was set back, or on a file system that keeps no times, does a file that was replaced look as before.
    #[test]
    fn bytes_that_do_not_hash_to_what_was_inspected_are_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tool.wat");
        let (source, limit) = (Source::Path(path.clone()), 1 << 20);
        std::fs::write(&path, "(module (func (export \"_start\")))").unwrap();
        let first = read(&source, limit).unwrap();
        let restored = |facts: &Component| restored(&facts.to_facts(), &source, limit, None).unwrap();
        assert_eq!(restored(&first).engine_bytes.get().unwrap(), first.engine_bytes.get().unwrap());
        let (kept, asked) = (restored(&first), restored(&first));
        let before = asked.engine_bytes.get().unwrap();
        std::fs::write(&path, "(module (func (export \"_start\") nop))").unwrap();
        assert!(kept.engine_bytes.get().unwrap_err().to_string().contains("was changed"));
        assert_eq!(asked.digest, first.digest);
        assert_eq!(before, first.engine_bytes.get().unwrap());
    }
}
