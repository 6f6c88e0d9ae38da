//! Databases that look like ours and say what cannot be. Nothing panics, nothing goes on forever, and a check finds each.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use caplet_vfs::store::{Access, Entity, Known, Move};
use caplet_vfs::{EntryKind, FileSystem, FsError, NewTime, NodeRef, SqliteStore};
use rusqlite::Connection;

use super::{Permits, name, sound};
use crate::world::{Guest, QUOTA};

/// Identities of the objects in [`made`].
struct Ids {
    a: u64,
    b: u64,
    c: u64,
    f: u64,
    l: u64,
}

/// A tree: `a/b/c`, the file `f` and the link `l`.
fn made(path: &Path) -> Ids {
    let store: Arc<dyn FileSystem> = Arc::new(SqliteStore::open(path, QUOTA).unwrap());
    let guest = Guest::new(&[("/w", &store)], &["write:/**"]);
    for directory in ["a", "a/b", "a/b/c"] {
        guest.mkdir(directory).unwrap();
    }
    guest.write("f", &"content".repeat(20_000)).unwrap();
    guest.symlink("f", "l").unwrap();
    let permits = Permits::new();
    let find = |path: &str| {
        let root = store.root().unwrap();
        path.split('/').fold(root, |node, part| node.lookup(&permits.search, name(part)).unwrap()).id().1
    };
    Ids { a: find("a"), b: find("a/b"), c: find("a/b/c"), f: find("f"), l: find("l") }
}

fn plant(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Does everything with everything that is found within some steps; how it fails does not matter.
fn exercise(store: &dyn FileSystem) {
    let permits = Permits::new();
    let Ok(root) = store.root() else { return };
    let mut left: Vec<(NodeRef, u32)> = vec![(Arc::clone(&root), 0)];
    let mut steps = 0;
    while let Some((node, depth)) = left.pop() {
        steps += 1;
        drop(node.stat(Known::Search(&permits.search)));
        drop(node.read_link(Known::Search(&permits.search)));
        drop(node.set_times(&permits.write, NewTime::Now, NewTime::Keep));
        if let Ok(file) = node.open(Access::Both(&permits.read, &permits.write)) {
            for offset in [0, 70_000, 1 << 40, (1 << 63) - 1] {
                drop(file.read_at(offset, 100_000));
            }
            drop(file.write_at(65_530, b"over the edge of a chunk"));
            drop(file.append(b"x"));
            drop(file.set_size(10));
            drop(file.size());
        }
        let Ok(mut listing) = node.list(&permits.search) else { continue };
        let mut names = vec!["a".to_owned(), "b".to_owned(), "f".to_owned(), "l".to_owned()];
        while let Ok(Some(batch)) = listing.next_batch() {
            names.extend(batch.into_iter().map(|entry| entry.name));
        }
        for text in names {
            let Ok(child) = node.lookup(&permits.search, name(&text)) else { continue };
            let source = Entity { parent: node.as_ref(), name: name(&text), node: child.as_ref() };
            if child.kind() != EntryKind::Directory {
                drop(root.add_name([&permits.write, &permits.write], source, name("again")));
                drop(node.remove_file(&permits.write, name(&text), child.as_ref()));
            }
            if depth < 6 && steps < 200 {
                left.push((child, depth + 1));
            }
        }
        drop(node.create_directory(&permits.write, name("new")));
        drop(node.create_file(&permits.write, name("new file")));
        drop(node.create_link(&permits.write, name("new link"), "f"));
    }
}

/// Plants each in a database of its own, which is then checked and used.
fn plant_each(cases: impl Fn(Ids) -> Vec<(String, &'static str)>) {
    let directory = tempfile::tempdir().unwrap();
    let fresh = directory.path().join("fresh.db");
    let ids = made(&fresh);
    sound(&fresh);
    for (number, (sql, finding)) in cases(ids).into_iter().enumerate() {
        let path = directory.path().join(format!("{number}.db"));
        fs::copy(&fresh, &path).unwrap();
        plant(&path, &sql);
        let report = SqliteStore::check(&path).unwrap();
        assert!(report.findings.iter().any(|found| found.contains(finding)), "{sql}: {report:#?}");
        exercise(&SqliteStore::open(&path, QUOTA).unwrap());
        drop(SqliteStore::check(&path).unwrap());
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn directories_and_names_that_do_not_fit() {
    plant_each(|Ids { a, b, c, f, l }| {
        vec![
            (
                format!(
                    "UPDATE entry SET directory = {b} WHERE inode = {a}; UPDATE inode SET parent = {b} WHERE id = {a}"
                ),
                "cannot be reached from the top",
            ),
            (format!("INSERT INTO entry VALUES ({c}, 'up', {a})"), "it has 2 names, and says 1"),
            (
                format!("INSERT INTO entry VALUES ({c}, 'up', {a}); UPDATE inode SET links = 2 WHERE id = {a}"),
                "it is a directory with 2 names",
            ),
            (format!("INSERT INTO entry VALUES ({c}, 'top', 1)"), "it is the directory at the top"),
            (format!("UPDATE inode SET parent = {c} WHERE id = {a}"), "and says"),
            (format!("UPDATE inode SET parent = NULL WHERE id = {a}"), "and says none"),
            ("INSERT INTO entry VALUES (1, 'ghost', 4711)".to_owned(), "there is no object 4711"),
            ("INSERT INTO entry VALUES (4711, 'ghost', 4)".to_owned(), "there is no such directory"),
            (format!("INSERT INTO entry VALUES ({f}, 'below', {l})"), "that is no directory"),
            (format!("DELETE FROM entry WHERE inode = {f}"), "it has 0 names, and says 1"),
            (format!("DELETE FROM inode WHERE id = {b}"), "there is no such directory"),
            (format!("UPDATE inode SET links = 0 WHERE id = {a}"), "the directory was removed"),
            (format!("UPDATE inode SET links = -5 WHERE id = {f}"), "and says -5"),
            (format!("UPDATE inode SET links = 9223372036854775807 WHERE id = {f}"), "it has 1 names"),
        ]
    });
}

#[test]
fn objects_that_cannot_be() {
    plant_each(|Ids { a, f, l, .. }| {
        vec![
            (format!("UPDATE inode SET size = -1 WHERE id = {f}"), "its size is -1"),
            (format!("UPDATE inode SET size = 9223372036854775807 WHERE id = {f}"), "the quota counts"),
            (format!("UPDATE inode SET size = 5 WHERE id = {f}"), "it is beyond the end"),
            (format!("UPDATE inode SET size = 5 WHERE id = {a}"), "it is a directory, with a size of 5"),
            (format!("UPDATE inode SET size = 5 WHERE id = {l}"), "or its size of 5 is another"),
            (format!("UPDATE inode SET kind = 7 WHERE id = {f}"), "there is no kind of object 7"),
            (format!("UPDATE inode SET target = 't' WHERE id = {f}"), "it is a file, with a target"),
            (format!("UPDATE inode SET parent = 1 WHERE id = {f}"), "it is no directory, and says in which one it is"),
            (format!("UPDATE inode SET parent = {a} WHERE id = 1"), "it is the directory at the top, and says"),
            (format!("UPDATE inode SET kind = 1 WHERE id = {a}"), "that is no directory"),
            (format!("UPDATE inode SET kind = 2 WHERE id = {f}"), "that is no file"),
            (format!("UPDATE inode SET kind = 3 WHERE id = {f}"), "that is no file"),
            ("UPDATE inode SET kind = 1 WHERE id = 1".to_owned(), "there is no directory at the top"),
            ("DELETE FROM inode WHERE id = 1".to_owned(), "there is no directory at the top"),
            (format!("UPDATE inode SET target = NULL WHERE id = {l}"), "it is a link without a target"),
            (
                format!("UPDATE inode SET target = 'a' || char(0) || 'b', size = 3 WHERE id = {l}"),
                "its target of 3 bytes is none",
            ),
            (
                format!("UPDATE inode SET target = printf('%.*c', 9000, 'x'), size = 9000 WHERE id = {l}"),
                "its target of 9000 bytes is none",
            ),
            (format!("UPDATE inode SET modified = -1 WHERE id = {f}"), "it has a time that is none"),
            (format!("UPDATE inode SET changed_nanos = 1000000000 WHERE id = {f}"), "it has a time that is none"),
        ]
    });
}

#[test]
fn names_that_nothing_has() {
    plant_each(|Ids { f, .. }| {
        let long = "n".repeat(300);
        let named = |text: &str| {
            format!("INSERT INTO entry VALUES (1, {text}, {f}); UPDATE inode SET links = 2 WHERE id = {f}")
        };
        vec![
            (named("'x/y'"), "\"x/y\" in directory 1: nothing can be called so"),
            (named("'..'"), "nothing can be called so"),
            (named("'.'"), "nothing can be called so"),
            (named("''"), "nothing can be called so"),
            (named("'a' || char(0) || 'b'"), r#""a\0b" in directory 1: nothing can be called so"#),
            (named(&format!("'{long}'")), "nothing can be called so"),
            (named("CAST(x'80ff' AS TEXT)"), "nothing can be called so"),
        ]
    });
}

#[test]
fn content_and_counters_that_do_not_fit() {
    plant_each(|Ids { a, f, .. }| {
        vec![
            (format!("INSERT INTO chunk (inode, number, data) VALUES ({f}, 99, x'00')"), "it is beyond the end"),
            (format!("INSERT INTO chunk (inode, number, data) VALUES ({f}, -1, x'00')"), "it is beyond the end"),
            (
            format!("INSERT INTO chunk (inode, number, data) VALUES ({f}, 9223372036854775807, x'00')"),
            "it is beyond the end",
        ),
            ("INSERT INTO meta VALUES (2, 0, 1, 0)".to_owned(), "there are 2 rows of counters"),
            ("UPDATE meta SET next = 9223372036854775807".to_owned(), "there is no identity left"),
            (format!("INSERT INTO chunk (inode, number, data) VALUES ({a}, 0, x'00')"), "that is no file"),
            ("INSERT INTO chunk (inode, number, data) VALUES (4711, 0, x'00')".to_owned(), "there is no such object"),
            (format!("UPDATE chunk SET data = zeroblob(65537) WHERE inode = {f} AND number = 0"), "it is too long"),
            (format!("UPDATE chunk SET data = zeroblob(9000000) WHERE inode = {f} AND number = 0"), "it is too long"),
            (
            format!("UPDATE chunk SET data = CAST(data || x'01' AS BLOB) WHERE inode = {f} AND number = 2"),
            "it goes on beyond the end",
        ),
            ("UPDATE meta SET used = 0".to_owned(), "the quota counts 0 bytes"),
            ("UPDATE meta SET used = -1".to_owned(), "the quota counts -1 bytes"),
            ("UPDATE meta SET used = 9223372036854775807".to_owned(), "the quota counts"),
            ("UPDATE meta SET next = 2".to_owned(), "the next object would be 2"),
            (
            "UPDATE meta SET next = 9223372036854775807, syncs = 9223372036854775807; UPDATE meta SET used = used + 1"
                .to_owned(),
            "the quota counts",
        ),
            ("DELETE FROM meta".to_owned(), "the counters are missing"),
        ]
    });
}

/// A chain of directories that leads back into itself: moving something below it must not climb forever.
#[test]
fn a_circle_is_not_climbed_forever() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let Ids { a, c, .. } = made(&path);
    plant(&path, &format!("INSERT INTO entry VALUES ({c}, 'up', {a}); UPDATE inode SET parent = {c} WHERE id = {a}"));
    let permits = Permits::new();
    let store = SqliteStore::open(&path, QUOTA).unwrap();
    let root = store.root().unwrap();
    root.create_directory(&permits.write, name("moved")).unwrap();
    let moved = root.lookup(&permits.search, name("moved")).unwrap();
    let source = Entity { parent: root.as_ref(), name: name("moved"), node: moved.as_ref() };
    let guard = crate::world::guard(&["write:/**"], &[]).0;
    let tree = guard.check(caplet_policy::WriteTree(caplet_policy::GuestPath::root())).unwrap();
    let target = root.lookup(&permits.search, name("a")).unwrap();
    let answer = target.move_here(Move::Tree(&tree, &tree), source, name("x"));
    assert!(matches!(answer, Err(FsError::Io)), "{answer:?}");
    // A guest that goes around in it comes to the end of what a path may be.
    let mount: Arc<dyn FileSystem> = Arc::new(store);
    let guest = Guest::new(&[("/w", &mount)], &["write:/**"]);
    assert_eq!(guest.list(&format!("a/{}", "b/c/up/".repeat(100))).unwrap().len(), 1);
    assert_eq!(guest.list(&format!("a/{}", "b/c/up/".repeat(1000))), Err("nametoolong"));
}

/// Bytes of the file that were changed at random.
#[test]
fn a_corrupt_file_is_an_error_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let (fresh, path) = (directory.path().join("fresh.db"), directory.path().join("f.db"));
    made(&fresh);
    let whole = fs::read(&fresh).unwrap();
    let mut state = 1u64;
    let mut pick = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut refused, mut found) = (0, 0);
    for round in 0..120 {
        let mut bytes = whole.clone();
        for _ in 0..=round % 8 {
            // What matters most is at the beginning of pages.
            let at = pick(bytes.len() / 4096) * 4096 + pick(if round % 2 == 0 { 16 } else { 4096 });
            bytes[at] = u8::try_from(pick(256)).unwrap();
        }
        fs::write(&path, &bytes).unwrap();
        match SqliteStore::check(&path) {
            Ok(report) if report.is_sound() => {}
            Ok(_) => found += 1,
            Err(_) => refused += 1,
        }
        if let Ok(store) = SqliteStore::open(&path, QUOTA) {
            exercise(&store);
        }
        fs::remove_file(&path).unwrap();
        for ending in ["f.db-wal", "f.db-shm", "f.db-journal"] {
            drop(fs::remove_file(directory.path().join(ending)));
        }
    }
    assert!(refused > 5 && found > 20, "{refused} {found}");
}
