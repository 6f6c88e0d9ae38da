//! The cache on disk: what was put is got, whole, and nothing else ever is, whatever is done to the folder.

mod entries;
mod folder;
mod keep;
mod shared;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use caplet_sandbox::Cache;
use tempfile::TempDir;

const ROOM: u64 = 64 << 20;
/// What comes after an entry's bytes: a magic, a length and a MAC.
const TRAILER: u64 = 16 + 8 + 32;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What is done to a file, to see it refused.
type Change = fn(&Path);

fn world() -> (TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(&folder.path().join("a/cache"), ROOM).unwrap();
    (folder, cache)
}

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ seed).collect()
}

fn got(cache: &Cache, name: &str) -> Option<Vec<u8>> {
    cache.get(name).unwrap().map(|entry| entry.read().unwrap())
}

fn refusal(cache: &Cache, name: &str) -> String {
    cache.get(name).expect_err("it is not used").to_string()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn names(cache: &Cache) -> Vec<String> {
    let listed = fs::read_dir(cache.folder()).unwrap();
    let mut names: Vec<_> = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn age(path: &Path, age: Duration) {
    File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

/// Changes the file of an entry with no regard for its mode.
fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut whole = fs::read(path).unwrap();
    change(&mut whole);
    set_mode(path, 0o600);
    fs::write(path, whole).unwrap();
    set_mode(path, 0o400);
}
