//! Everything in a file that does not fit together. It reads and never writes, holds no more than one row at a time, and comes
//! to an end whatever the file says.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::SqliteError;
use super::content::CHUNK_BYTES;
use super::inode;
use super::open::{Purpose, open};
use super::schema::ROOT;
use super::tree::entry_cost;
use crate::{EntryKind, FsError, MAX_PATH_BYTES, Name};

/// How many findings are listed; more are counted.
pub const MAX_FINDINGS: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many files there are.
    pub files: u64,
    /// How many directories, with the one at the top.
    pub directories: u64,
    /// How many symbolic links.
    pub links: u64,
    /// What the quota counts, in bytes, by what is there.
    pub used: u64,
    /// Objects without a name: some process has them open, or was killed while it had. That is no damage.
    pub nameless: u64,
    /// What is wrong, one line each. Names in it are quoted.
    pub findings: Vec<String>,
    /// How many findings there are beyond [`MAX_FINDINGS`].
    pub more: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, what: impl FnOnce() -> String) {
        if self.findings.len() < MAX_FINDINGS { self.findings.push(what()) } else { self.more += 1 }
    }
}

pub(super) fn check(path: &Path) -> Result<Report, SqliteError> {
    let shared = open(path, Purpose::Inspect)?;
    let mut checked = Ok(Report::default());
    // Of one moment, whatever others write meanwhile.
    let read = shared.read(|connection| {
        checked = connection.unchecked_transaction().and_then(|moment| Check::default().run(&moment));
        Ok(())
    });
    match (read, checked) {
        (Ok(()), Ok(report)) => Ok(report),
        (Ok(()), Err(error)) => Err(SqliteError::new(path, &error)),
        (Err(_), _) => Err(SqliteError::Unusable { path: path.to_owned(), why: "it was closed".to_owned() }),
    }
}

#[derive(Default)]
struct Check {
    report: Report,
    /// What objects and names cost together. Planted sizes can be larger than any number that is stored.
    cost: u128,
    last: i64,
}

impl Check {
    fn run(mut self, connection: &Connection) -> rusqlite::Result<Report> {
        let steps: [fn(&mut Self, &Connection) -> rusqlite::Result<()>; 6] =
            [Self::pages, Self::objects, Self::names, Self::reachable, Self::chunks, Self::counters];
        for step in steps {
            match step(&mut self, connection) {
                Ok(()) => {}
                Err(error) if is_damage(&error) => {
                    self.report.find(|| format!("it cannot be read to the end: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.report)
    }

    /// SQLite's own check: pages, tables, indexes, kinds of values.
    fn pages(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut query = connection.prepare("PRAGMA integrity_check(100)")?;
        let mut rows = query.query(())?;
        while let Some(row) = rows.next()? {
            let line: String = row.get(0)?;
            if line != "ok" {
                self.report.find(|| format!("SQLite: {line}"));
            }
        }
        Ok(())
    }

    fn objects(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut query = connection.prepare(
            "SELECT inode.id, inode.kind, inode.links, inode.size, inode.parent, inode.target, inode.accessed,
                inode.accessed_nanos, inode.modified, inode.modified_nanos, inode.changed, inode.changed_nanos,
                coalesce(named.names, 0), named.directory
             FROM inode LEFT JOIN
                (SELECT inode AS id, count(*) AS names, max(directory) AS directory FROM entry GROUP BY inode) AS named
             ON named.id = inode.id",
        )?;
        let mut rows = query.query(())?;
        let mut has_root = false;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            self.last = self.last.max(id);
            match self.object(id, row) {
                Ok(kind) => has_root |= id == ROOT && kind == EntryKind::Directory,
                Err(why) => self.report.find(|| format!("object {id}: {why}")),
            }
        }
        if !has_root {
            self.report.find(|| "there is no directory at the top".to_owned());
        }
        Ok(())
    }

    fn object(&mut self, id: i64, row: &Row<'_>) -> Result<EntryKind, String> {
        let number = |column| row.get::<_, i64>(column).map_err(|error| error.to_string());
        let optional = |column| row.get::<_, Option<i64>>(column).map_err(|error| error.to_string());
        let (links, size, names) = (number(2)?, number(3)?, number(12)?);
        let (parent, directory) = (optional(4)?, optional(13)?);
        let target: Option<String> = row.get(5).map_err(|error| error.to_string())?;
        let kind = number(1)?;
        let kind = inode::kind(kind).map_err(|_| format!("there is no kind of object {kind}"))?;
        match kind {
            EntryKind::File => self.report.files += 1,
            EntryKind::Directory => self.report.directories += 1,
            EntryKind::Link => self.report.links += 1,
        }
        self.cost += u128::from(u64::try_from(size).map_err(|_| format!("its size is {size}"))?);
        let expected = if id == ROOT { 1 } else { names };
        if links != expected {
            return Err(format!("it has {names} names, and says {links}"));
        }
        if links == 0 {
            self.report.nameless += 1;
        }
        for first in [6, 8, 10] {
            inode::time(row, first).map_err(|_| "it has a time that is none".to_owned())?;
        }
        match (kind, target) {
            (EntryKind::Directory, _) if size != 0 => Err(format!("it is a directory, with a size of {size}")),
            (EntryKind::Directory, Some(_)) => Err("it is a directory, with a target".to_owned()),
            (EntryKind::Directory, None) if id == ROOT && parent.is_some() => {
                Err("it is the directory at the top, and says that it is in another".to_owned())
            }
            (EntryKind::Directory, None) => match names {
                0 => Ok(kind),
                1 if parent == directory => Ok(kind),
                1 => Err(format!("it is in directory {}, and says {}", shown(directory), shown(parent))),
                names => Err(format!("it is a directory with {names} names")),
            },
            (_, _) if parent.is_some() => Err("it is no directory, and says in which one it is".to_owned()),
            (EntryKind::File, Some(_)) => Err("it is a file, with a target".to_owned()),
            (EntryKind::Link, None) => Err("it is a link without a target".to_owned()),
            (EntryKind::Link, Some(target)) if !is_target(&target, size) => {
                Err(format!("its target of {} bytes is none, or its size of {size} is another", target.len()))
            }
            (EntryKind::File, None) | (EntryKind::Link, Some(_)) => Ok(kind),
        }
    }

    fn names(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut query = connection.prepare(
            "SELECT entry.directory, entry.name, entry.inode, directory.kind, directory.links, inode.kind FROM entry
             LEFT JOIN inode AS directory ON directory.id = entry.directory LEFT JOIN inode ON inode.id = entry.inode",
        )?;
        let mut rows = query.query(())?;
        while let Some(row) = rows.next()? {
            let (directory, name, id): (i64, Vec<u8>, i64) =
                (row.get(0)?, row.get_ref(1)?.as_bytes()?.to_vec(), row.get(2)?);
            let name = String::from_utf8_lossy(&name);
            self.cost += u128::from(entry_cost(&name));
            let is_name = matches!(name, std::borrow::Cow::Borrowed(name) if Name::parse(name).is_ok());
            let (kind, links): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
            let mut find = |why: &str| self.report.find(|| format!("entry {name:?} in directory {directory}: {why}"));
            if !is_name {
                find("nothing can be called so");
            }
            match (kind, links) {
                (Some(2), Some(1..)) => {}
                (Some(2), _) => find("the directory was removed"),
                (Some(_), _) => find("that is no directory"),
                (None, _) => find("there is no such directory"),
            }
            if row.get::<_, Option<i64>>(5)?.is_none() {
                find(&format!("there is no object {id}"));
            }
            if id == ROOT {
                find("it is the directory at the top");
            }
        }
        Ok(())
    }

    /// Whether all directories that have a name are found from the top. Those in a circle have names, but none leads there.
    fn reachable(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        // `UNION` goes nowhere twice, so this ends.
        let mut query = connection.prepare(
            "WITH RECURSIVE below (id) AS (VALUES (1) UNION SELECT inode.id FROM below
                JOIN entry ON entry.directory = below.id JOIN inode ON inode.id = entry.inode AND inode.kind = 2)
             SELECT id FROM inode WHERE kind = 2 AND links > 0 AND id NOT IN (SELECT id FROM below)",
        )?;
        let mut rows = query.query(())?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            self.report.find(|| format!("directory {id} cannot be reached from the top"));
        }
        Ok(())
    }

    fn chunks(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut query = connection.prepare(
            "SELECT chunk.id, chunk.inode, chunk.number, length(chunk.data), inode.kind, inode.size FROM chunk
             LEFT JOIN inode ON inode.id = chunk.inode",
        )?;
        let mut content = connection.prepare("SELECT data FROM chunk WHERE id = ?1")?;
        let mut rows = query.query(())?;
        while let Some(row) = rows.next()? {
            let (row_id, id, number, length): (i64, i64, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let (kind, size): (Option<i64>, Option<i64>) = (row.get(4)?, row.get(5)?);
            let chunk_bytes = i64::try_from(CHUNK_BYTES).unwrap_or(i64::MAX);
            // Negative where the chunk begins beyond the end.
            let left = number.checked_mul(chunk_bytes).map_or(-1, |at| size.unwrap_or(0).saturating_sub(at));
            let why = match kind {
                None => Some("there is no such object"),
                Some(kind) if kind != 1 => Some("that is no file"),
                Some(_) if number < 0 || left <= 0 => Some("it is beyond the end"),
                Some(_) if length > chunk_bytes => Some("it is too long"),
                Some(_) if length > left => {
                    let data: Option<Vec<u8>> = content.query_row([row_id], |row| row.get(0)).optional()?;
                    let end = usize::try_from(left).unwrap_or(usize::MAX);
                    let beyond = data.as_deref().and_then(|data| data.get(end..)).unwrap_or_default();
                    beyond.iter().any(|byte| *byte != 0).then_some("it goes on beyond the end")
                }
                Some(_) => None,
            };
            if let Some(why) = why {
                self.report.find(|| format!("chunk {number} of object {id}: {why}"));
            }
        }
        Ok(())
    }

    fn counters(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.report.used = u64::try_from(self.cost).unwrap_or(u64::MAX);
        let mut query = connection.prepare("SELECT used, next FROM meta WHERE id = 1")?;
        let found: Option<(i64, i64)> = query.query_row((), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((used, next)) = found else {
            self.report.find(|| "the counters are missing".to_owned());
            return Ok(());
        };
        let rows: i64 = connection.query_row("SELECT count(*) FROM meta", (), |row| row.get(0))?;
        if rows != 1 {
            self.report.find(|| format!("there are {rows} rows of counters, and not one"));
        }
        if next == i64::MAX {
            self.report.find(|| "there is no identity left for another object".to_owned());
        }
        let (cost, last) = (self.cost, self.last);
        if u128::try_from(used) != Ok(cost) {
            self.report.find(|| format!("the quota counts {used} bytes, and there are {cost}"));
        }
        if next <= last {
            self.report.find(|| format!("the next object would be {next}, and there is {last} already"));
        }
        Ok(())
    }
}

/// The number of a directory, for people.
fn shown(directory: Option<i64>) -> String {
    directory.map_or_else(|| "none".to_owned(), |directory| directory.to_string())
}

fn is_target(target: &str, size: i64) -> bool {
    i64::try_from(target.len()) == Ok(size) && target.len() <= MAX_PATH_BYTES && !target.contains('\0')
}

/// Whether it is the file that is wrong, rather than the host.
fn is_damage(error: &rusqlite::Error) -> bool {
    !matches!(FsError::from_sqlite(error), FsError::Busy | FsError::NoSpace | FsError::NoMemory | FsError::Access)
}
