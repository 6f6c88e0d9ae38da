//! What the database looks like. A file whose schema differs in one byte is not opened: views, triggers, expressions and
//! virtual tables of somebody else's making never run.
//!
//! - `inode`: one row for each object. `links` counts its names; an object without one lives as long as a handle of it.
//! - `entry`: one row for each name.
//! - `chunk`: content, in pieces of 64 KiB. A piece that is missing, or too short, goes on with zeros. What a piece holds beyond
//!   the size of its file is zeros.
//! - `meta`: one row. `used` is what the quota counts, `next` the next identity, `syncs` a number that changes so that there
//!   is something to sync.

use rusqlite::{Connection, TransactionBehavior};

/// "CaFS": marks the file as a file system of Caplet.
pub(super) const APPLICATION_ID: i64 = 0x4361_4653;

/// The format that is written, as `user_version`.
pub(super) const FORMAT: i64 = 1;

/// The identity of the directory at the top.
pub(super) const ROOT: i64 = 1;

/// Type, name, table and text of everything in the schema, by name.
const SCHEMA: [(&str, &str, &str, &str); 6] = [
    (
        "table",
        "chunk",
        "chunk",
        "CREATE TABLE chunk (id INTEGER PRIMARY KEY, inode INTEGER NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL) STRICT",
    ),
    ("index", "chunk_place", "chunk", "CREATE UNIQUE INDEX chunk_place ON chunk (inode, number)"),
    (
        "table",
        "entry",
        "entry",
        "CREATE TABLE entry (directory INTEGER NOT NULL, name TEXT NOT NULL, inode INTEGER NOT NULL, PRIMARY KEY (directory, name)) STRICT, WITHOUT ROWID",
    ),
    (
        "table",
        "inode",
        "inode",
        "CREATE TABLE inode (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, links INTEGER NOT NULL, size INTEGER NOT NULL, parent INTEGER, target TEXT, accessed INTEGER NOT NULL, accessed_nanos INTEGER NOT NULL, modified INTEGER NOT NULL, modified_nanos INTEGER NOT NULL, changed INTEGER NOT NULL, changed_nanos INTEGER NOT NULL) STRICT",
    ),
    ("index", "inode_nameless", "inode", "CREATE INDEX inode_nameless ON inode (changed) WHERE links = 0"),
    (
        "table",
        "meta",
        "meta",
        "CREATE TABLE meta (id INTEGER PRIMARY KEY, used INTEGER NOT NULL, next INTEGER NOT NULL, syncs INTEGER NOT NULL) STRICT",
    ),
];

/// What a database turned out to be.
pub(super) enum Made {
    /// Ours, in the format that we write.
    Ours,
    /// There is nothing in it.
    Empty,
    /// Another program's.
    Foreign,
    /// Ours, of a later format.
    Newer(i64),
    /// It says that it is ours, and is not.
    Altered,
}

/// Says what the database is, by all that it says of itself.
pub(super) fn identify(connection: &Connection) -> rusqlite::Result<Made> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, format) = (number("application_id")?, number("user_version")?);
    let mut listed =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name COLLATE BINARY")?;
    let mut rows = listed.query(())?;
    let mut wanted = SCHEMA.iter();
    let mut same = true;
    let mut is_empty = true;
    while let Some(row) = rows.next()? {
        is_empty = false;
        let found = |column| row.get_ref(column).ok().and_then(|value| value.as_str().ok());
        same &= wanted.next().is_some_and(|(kind, name, table, text)| {
            [found(0), found(1), found(2), found(3)] == [*kind, *name, *table, *text].map(Some)
        });
        if !same {
            break;
        }
    }
    Ok(match (application, format) {
        (0, 0) if is_empty => Made::Empty,
        (APPLICATION_ID, FORMAT) if same && wanted.next().is_none() => Made::Ours,
        (APPLICATION_ID, format) if format > FORMAT => Made::Newer(format),
        (APPLICATION_ID, _) => Made::Altered,
        _ => Made::Foreign,
    })
}

/// Makes the tables and the directory at the top, unless somebody was quicker. All of it appears at once.
pub(super) fn create(connection: &mut Connection, now: (i64, u32)) -> rusqlite::Result<()> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    if !matches!(identify(&change)?, Made::Empty) {
        return Ok(());
    }
    for (_, _, _, text) in SCHEMA {
        change.execute(text, ())?;
    }
    change.execute("INSERT INTO meta (id, used, next, syncs) VALUES (1, 0, ?1, 0)", [ROOT + 1])?;
    change.execute(
        "INSERT INTO inode (id, kind, links, size, accessed, accessed_nanos, modified, modified_nanos, changed, changed_nanos)
         VALUES (?1, 2, 1, 0, ?2, ?3, ?2, ?3, ?2, ?3)",
        (ROOT, now.0, now.1),
    )?;
    change.pragma_update(None, "application_id", APPLICATION_ID)?;
    change.pragma_update(None, "user_version", FORMAT)?;
    change.commit()
}
