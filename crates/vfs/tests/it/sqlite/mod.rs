//! What only a database can do: last, be torn away, be shared, be planted.

mod files;
mod gathered;
mod measure;
mod planted;
mod processes;
mod quota;

use std::path::Path;
use std::sync::Arc;

use caplet_policy::{GuestPath, Permitted, Read, Search, Write};
use caplet_vfs::sqlite::Report;
use caplet_vfs::{FileSystem, Name, SqliteStore};

use crate::world::{Guest, QUOTA, guard};

/// Every permission, for a store that is used directly.
struct Permits {
    search: Permitted<Search>,
    write: Permitted<Write>,
    read: Permitted<Read>,
}

impl Permits {
    fn new() -> Self {
        let guard = guard(&["write:/**"], &[]).0;
        Self {
            search: guard.check(Search(GuestPath::root())).unwrap(),
            write: guard.check(Write(GuestPath::root())).unwrap(),
            read: guard.check(Read(GuestPath::root())).unwrap(),
        }
    }
}

fn name(text: &str) -> Name<'_> {
    Name::parse(text).unwrap()
}

/// The store in the file, as a mount.
fn store(path: &Path) -> Arc<dyn FileSystem> {
    Arc::new(SqliteStore::open(path, QUOTA).unwrap())
}

/// A guest without bounds.
fn guest(store: &Arc<dyn FileSystem>) -> Guest {
    Guest::new(&[("/w", store)], &["write:/**"])
}

/// What a check finds in a file that is sound.
#[track_caller]
fn sound(path: &Path) -> Report {
    let report = SqliteStore::check(path).unwrap();
    assert!(report.is_sound(), "{report:#?}");
    report
}
