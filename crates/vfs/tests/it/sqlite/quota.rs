//! What the quota counts, and numbers at the edge of what can be counted.

use std::sync::Arc;

use caplet_vfs::store::{Entity, Move};
use caplet_vfs::{FileSystem, FsError, SqliteStore};
use rusqlite::Connection;

use super::{Permits, guest, name, sound};
use crate::world::{BOTH, OPEN};

const MIB: u64 = 1 << 20;

/// The short name of a failure, or `ok`.
fn word<T>(answer: Result<T, FsError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(FsError::Quota) => "quota",
        Err(FsError::FileTooLarge) => "too large",
        Err(FsError::Invalid) => "invalid",
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn the_quota_holds_for_what_files_pretend_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let permits = Permits::new();
    let file = |quota: u64| {
        let store = SqliteStore::open(&path, quota).unwrap();
        let root = store.root().unwrap();
        let found = root.lookup(&permits.search, name("f"));
        found.map_or_else(
            |_| root.create_file(&permits.write, name("f")).unwrap(),
            |node| node.open(caplet_vfs::store::Access::Both(&permits.read, &permits.write)).unwrap(),
        )
    };
    let small = file(MIB);
    for (what, answer) in [
        ("1 TiB", small.set_size(1 << 40)),
        ("2^63 - 1", small.set_size((1 << 63) - 1)),
        ("2^64 - 1", small.set_size(u64::MAX)),
        ("write at 2^40", small.write_at(1 << 40, b"x").map(drop)),
        ("write at 2^63 - 2", small.write_at((1 << 63) - 2, b"x").map(drop)),
        ("write at 2^64 - 1", small.write_at(u64::MAX, b"xx").map(drop)),
        ("one write", small.write_at(0, &vec![0; 2 << 20]).map(drop)),
        ("many appends", (0..300).try_for_each(|_| small.append(&[0; 4096]).map(drop))),
    ] {
        assert_eq!(word(answer), "quota", "{what}");
        assert!(small.size().unwrap() <= MIB, "{what}");
        small.set_size(0).unwrap();
    }
    assert_eq!(sound(&path).used, 1024 + 1);
    let huge = file(u64::MAX);
    for (what, answer, expected) in [
        ("1 TiB", huge.set_size(1 << 40), "ok"),
        ("write far out", huge.write_at((1 << 62) + 5, b"far").map(drop), "ok"),
        ("write at 2^63 - 2", huge.write_at((1 << 63) - 2, b"xy").map(drop), "too large"),
        ("2^63", huge.set_size(1 << 63), "too large"),
        ("2^64 - 1", huge.set_size(u64::MAX), "quota"),
        ("write at 2^64 - 1", huge.write_at(u64::MAX, b"xx").map(drop), "quota"),
        ("append", huge.append(b"more").map(drop), "ok"),
        ("read beyond 2^63", huge.read_at(1 << 63, 1).map(drop), "invalid"),
    ] {
        assert_eq!(word(answer), expected, "{what}");
    }
    assert_eq!(huge.read_at((1 << 62) + 4, 100).unwrap(), b"\0farmore");
    assert_eq!(huge.read_at(1 << 40, usize::MAX).unwrap().len(), 1 << 20, "a read is of bounded size");
    assert!(huge.read_at((1 << 63) - 1, usize::MAX).unwrap().is_empty());
    sound(&path);
    huge.set_size(3).unwrap();
    assert_eq!(huge.read_at(0, 9).unwrap(), [0; 3]);
    assert_eq!(sound(&path).used, 1024 + 1 + 3);
}

#[test]
fn names_and_objects_count_and_room_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let store: Arc<dyn FileSystem> = Arc::new(SqliteStore::open(&path, MIB).unwrap());
    let admin = guest(&store);
    let long = "n".repeat(240);
    admin.mkdir("d").unwrap();
    type Make = fn(&crate::world::Guest, &str) -> Result<(), &'static str>;
    let bombs: [Make; 4] = [
        |guest, name| guest.write(name, ""),
        |guest, name| guest.mkdir(name),
        |guest, name| guest.symlink("target", name),
        |guest, name| guest.hard_link("one", name),
    ];
    admin.write("one", "").unwrap();
    for bomb in bombs {
        let made = (0..2000).take_while(|number| bomb(&admin, &format!("d/{long}{number:04}")) == Ok(())).count();
        assert!((700..1024).contains(&made), "{made}");
        let report = sound(&path);
        assert!(report.used <= MIB, "{report:?}");
        // At the limit things can still be moved, and a name can become shorter.
        admin.rename(&format!("d/{long}0000"), "d/short").unwrap();
        for name in admin.names("d") {
            let path = format!("d/{name}");
            admin.unlink(&path).or_else(|_| admin.rmdir(&path)).unwrap();
        }
        assert_eq!(sound(&path).used, 2 * 1024 + 4, "all came back");
    }
    // Another process's smaller quota, or a guest's own: what is there shrinks, and does not grow.
    admin.write("one", &"x".repeat(500_000)).unwrap();
    drop((admin, store));
    let store: Arc<dyn FileSystem> = Arc::new(SqliteStore::open(&path, 1000).unwrap());
    let admin = guest(&store);
    assert_eq!(admin.mkdir("more"), Err("dquot"));
    let file = admin.open("one", OPEN, BOTH).unwrap();
    assert_eq!(admin.verb(|ns, _| ns.append(&file, b"x").map(drop)), Err("dquot"));
    assert_eq!(admin.verb(|ns, _| ns.set_size(&file, 10)), Ok(()));
    assert_eq!(admin.verb(|ns, _| ns.write_at(&file, 0, b"0123456789").map(drop)), Ok(()));
    assert_eq!((admin.unlink("one"), admin.rmdir("d")), (Ok(()), Ok(())));
    drop((file, admin, store));
    assert_eq!(sound(&path).used, 0);
}

/// A row costs what is in it: what a guest stores takes no more on the disk than it counts for, but for a constant part.
#[test]
fn the_file_is_not_much_larger_than_what_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let store: Arc<dyn FileSystem> = Arc::new(SqliteStore::open(&path, 4 * MIB).unwrap());
    let admin = guest(&store);
    let file = "abcdefghij".repeat(10);
    let made = (0..).take_while(|number| admin.write(&format!("{number:0200}"), &file) == Ok(())).count();
    assert!(made > 3000, "{made}");
    drop((admin, store));
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size < 6 * MIB, "{size}");
    sound(&path);
}

/// What a handle is of is told by its identity, and no identity is given twice.
#[test]
fn an_identity_is_never_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let permits = Permits::new();
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..10 {
        let store = SqliteStore::open(&path, MIB).unwrap();
        let root = store.root().unwrap();
        let made = root.create_file(&permits.write, name("f")).unwrap();
        assert!(seen.insert(made.id().1), "{round}");
        let node = root.lookup(&permits.search, name("f")).unwrap();
        assert_eq!(node.id(), made.id());
        let source = Entity { parent: root.as_ref(), name: name("f"), node: node.as_ref() };
        root.move_here(Move::File(&permits.write, &permits.write), source, name("g")).unwrap();
        assert_eq!(root.lookup(&permits.search, name("g")).unwrap().id(), made.id(), "it moved, and is the same");
        root.remove_file(&permits.write, name("g"), node.as_ref()).unwrap();
    }
    let next: i64 = Connection::open(&path).unwrap().query_row("SELECT next FROM meta", (), |row| row.get(0)).unwrap();
    assert!(seen.iter().all(|id| i64::try_from(*id).unwrap() < next));
}
