//! What is in a store, found by the same way as a guest's: a namespace, with the right to read everything, and to change nothing
//! unless it was opened for that.

use std::io;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use caplet::audit::ErrorKind;
use caplet::authority::{GuestPath, Journal, Layer, LayerKind, Policy, Rule};
use caplet::vfs::{
    Descriptor, DescriptorFlags, EntryKind, FileStat, FsError, MAX_READ_BYTES, Mount, Namespace, NamespaceConfig,
    OpenFlags, SqliteStore,
};
use serde::Serialize;

use super::{file_of, unusable};
use crate::failure::{Failure, Stop};

/// An open store.
pub(super) struct Inside {
    store: String,
    pub(super) namespace: Namespace,
    pub(super) top: Descriptor,
}

/// What a store may hold, as behind a mount.
const QUOTA: u64 = 1 << 30;

/// How everything is opened.
const READ: DescriptorFlags = DescriptorFlags { read: true, write: false, mutate_directory: false };

impl Inside {
    pub(super) fn open(store: &str) -> Result<Self, Failure> {
        let opened = SqliteStore::open_existing(file_of(store)?).map_err(|error| unusable(store, &error))?;
        Self::of(store, opened, "read:/**")
    }

    /// Opens it to be changed. It is made where there is none.
    pub(super) fn open_to_write(store: &str) -> Result<Self, Failure> {
        let opened = SqliteStore::open(file_of(store)?, QUOTA).map_err(|error| unusable(store, &error))?;
        Self::of(store, opened, "write:/**")
    }

    fn of(store: &str, opened: SqliteStore, rule: &str) -> Result<Self, Failure> {
        // The same way in as a guest's.
        let broken = |error: String| Failure::new(ErrorKind::Host, error);
        let all = Rule::parse_grant(rule, &GuestPath::root()).map_err(|error| broken(error.to_string()))?;
        let mut layer = Layer::new(LayerKind::Operator);
        layer.add_allow(all);
        let namespace = Namespace::new(NamespaceConfig {
            mounts: vec![Mount::new(GuestPath::root(), Arc::new(opened))],
            guard: Policy::new(layer).guard(&Arc::new(Journal::new())),
            cwd: None,
            preopen_cwd: false,
            write_quota: QUOTA,
            time_resolution: Some(Duration::from_nanos(1)),
        });
        let top = namespace.preopens().pop().ok_or_else(|| broken("the store has no top".to_owned()))?.0;
        Ok(Self { store: store.to_owned(), namespace, top })
    }

    pub(super) fn lines(&self, path: &str, full: bool) -> Result<Vec<Line>, Failure> {
        let failed = |error: FsError| self.failed(path, &error);
        let relative = relative(path);
        // What a link at the end leads to is asked for with a slash, as elsewhere.
        let stat = self.namespace.stat_at(&self.top, &relative, false).map_err(failed)?;
        if stat.kind != EntryKind::Directory {
            return Ok(vec![self.line(&self.top, &relative, Some(stat)).map_err(failed)?]);
        }
        let open = OpenFlags { directory: true, ..OpenFlags::default() };
        let directory = self.namespace.open_at(&self.top, &relative, true, open, READ).map_err(failed)?;
        let entries = self.namespace.list(&directory).map_err(failed)?;
        let line = |entry: Result<caplet::vfs::Entry, FsError>| {
            let entry = entry?;
            if full {
                return self.line(&directory, &entry.name, None);
            }
            Ok(Line { name: entry.name, kind: word(entry.kind), size: 0, modified: None, target: None })
        };
        entries.map(line).collect::<Result<_, _>>().map_err(failed)
    }

    fn line(&self, base: &Descriptor, name: &str, stat: Option<FileStat>) -> Result<Line, FsError> {
        let stat = stat.map_or_else(|| self.namespace.stat_at(base, name, false), Ok)?;
        // A link that leads out is shown without its target.
        let target = || self.namespace.read_link_at(base, name).ok();
        let since = |time: caplet::vfs::Timestamp| Duration::new(time.seconds, time.nanoseconds);
        let modified = stat.modified.and_then(|time| UNIX_EPOCH.checked_add(since(time)));
        Ok(Line {
            name: name.to_owned(),
            kind: word(stat.kind),
            size: stat.size,
            modified: modified.and_then(shown_time),
            target: if stat.kind == EntryKind::Link { target() } else { None },
        })
    }

    /// The file, opened to read.
    pub(super) fn file(&self, path: &str) -> Result<Descriptor, Failure> {
        let opened = self.namespace.open_at(&self.top, &relative(path), true, OpenFlags::default(), READ);
        let file = opened.map_err(|error| self.failed(path, &error))?;
        match file.kind() {
            EntryKind::File => Ok(file),
            EntryKind::Directory | EntryKind::Link => Err(self.failed(path, &FsError::IsDirectory)),
        }
    }

    pub(super) fn read(
        &self,
        file: &Descriptor,
        path: &str,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Stop> {
        let mut offset = 0;
        loop {
            let read = self.namespace.read_at(file, offset, MAX_READ_BYTES);
            let bytes = read.map_err(|error| self.failed(path, &error))?;
            if bytes.is_empty() {
                return Ok(());
            }
            take(&bytes)?;
            offset = offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
    }

    pub(super) fn failed(&self, path: &str, error: &FsError) -> Failure {
        let store = &self.store;
        match error {
            FsError::NotPermitted(_) => {
                let why = format!("{path} in {store}: it leads out of the file system");
                Failure::new(ErrorKind::InvalidArgs, why)
            }
            FsError::Exists => {
                let failure = Failure::new(ErrorKind::InvalidArgs, format!("{path} in {store}: {error}"));
                failure.with_hint("name another file, or replace this one with --force")
            }
            FsError::Quota => {
                let why = format!("{path} in {store}: it would hold more than {QUOTA} bytes");
                Failure::new(ErrorKind::InvalidArgs, why)
            }
            FsError::Io => {
                let why = format!("{path} in {store} cannot be used: {error}");
                Failure::new(ErrorKind::Host, why).with_hint(format!("look for damage with `caplet fs check {store}`"))
            }
            FsError::Busy | FsError::NoMemory | FsError::NoSpace | FsError::Access => {
                Failure::new(ErrorKind::Host, format!("{path} in {store}: {error}"))
            }
            error => Failure::new(ErrorKind::InvalidArgs, format!("{path} in {store}: {error}")),
        }
    }
}

/// A time that a calendar has; files can have others.
fn shown_time(time: std::time::SystemTime) -> Option<String> {
    // The year 9999 is the last one that can be written so.
    let last = UNIX_EPOCH.checked_add(Duration::from_secs(253_402_300_799))?;
    (time <= last).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

/// A path from the top, as a namespace takes it.
pub(super) fn relative(path: &str) -> String {
    let trimmed = path.trim_start_matches('/');
    if trimmed.is_empty() { ".".to_owned() } else { trimmed.to_owned() }
}

fn word(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "file",
        EntryKind::Directory => "directory",
        EntryKind::Link => "link",
    }
}

/// One line of a listing.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
}
