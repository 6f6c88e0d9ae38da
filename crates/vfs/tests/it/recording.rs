//! What is noted of a store, as a store: the same ops get the same answers, whatever the store was, and nothing else is asked of it.

use std::sync::Arc;

use caplet_vfs::recording::{Room, Tree, Unknown};
use caplet_vfs::{FileSystem, FsError, RecordingStore, ReplayStore};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::differential::{Op, op, run};
use crate::world::{Code, Guest, World, code};

/// What an op gave, and all that is told of the names that it is about.
fn answer(guest: &Guest, op: &Op) -> (Result<String, Code>, Vec<String>) {
    let paths: Vec<&String> = match op {
        Op::Rename(one, other) | Op::Link(one, other) => vec![one, other],
        Op::Symlink(_, path)
        | Op::Read(path)
        | Op::Write(path, ..)
        | Op::Append(path, _)
        | Op::Create(path)
        | Op::CreateNew(path)
        | Op::Truncate(path)
        | Op::SetSize(path, _)
        | Op::Mkdir(path)
        | Op::Rmdir(path)
        | Op::Unlink(path)
        | Op::ReadLink(path)
        | Op::Stat(path, _)
        | Op::List(path) => vec![path],
    };
    let given = run(guest, op);
    let told = paths.into_iter().map(|path| {
        let stat = guest.ns.stat_at(&guest.base, path, false).map_err(|error: FsError| code(&error));
        let hash = guest.ns.metadata_hash_at(&guest.base, path, true).map_err(|error| code(&error));
        format!("{stat:?} {hash:?}")
    });
    (given, told.collect())
}

/// The tree as it is kept and read again.
fn kept(mut tree: Tree) -> Tree {
    let contents: Vec<Vec<u8>> = tree.contents().map(std::mem::take).collect();
    let text = serde_json::to_string(&tree).unwrap();
    let mut again: Tree = serde_json::from_str(&text).unwrap();
    assert!(again.is_sound());
    let mut contents = contents.into_iter();
    again.contents().for_each(|content| *content = contents.next().unwrap());
    assert_eq!(contents.next(), None);
    again
}

/// A guest of the store that `world` is, and what is noted of what it sees.
fn recorded(world: &World, rules: &[&str]) -> (Guest, Arc<RecordingStore>, Arc<Room>) {
    let room = Arc::new(Room::new(1 << 30));
    let store = Arc::new(RecordingStore::new(Arc::clone(&world.store), &room));
    (Guest::new(&[("/w", &(Arc::clone(&store) as Arc<dyn FileSystem>))], rules), store, room)
}

/// A guest of nothing but the notes.
fn replayed(tree: Tree, rules: &[&str]) -> (Guest, Arc<Unknown>) {
    let unknown = Arc::<Unknown>::default();
    let store = Arc::new(ReplayStore::new(kept(tree), &unknown));
    (Guest::new(&[("/w", &(store as Arc<dyn FileSystem>))], rules), unknown)
}

const RULES: [&[&str]; 3] = [&["write:/w/**"], &["write:/w/**", "!read:/w/a/**"], &["write:/w/[ab]/**", "read:/w/**"]];

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same ops in a replay give the same answers, and the same metadata and identities, and ask for nothing that is not known.
    #[test]
    fn a_replay_answers_as_the_store_did(
        before in vec(op(), 0..30),
        ops in vec(op(), 1..40),
        rules in 0..RULES.len(),
        kind in 0..3,
    ) {
        let world = match kind { 0 => World::host(), 1 => World::memory(), _ => World::sqlite() };
        let admin = world.admin();
        before.iter().for_each(|op| drop(run(&admin, op)));
        let rules = RULES[rules];
        let (guest, store, room) = recorded(&world, rules);
        let answers: Vec<_> = ops.iter().map(|op| answer(&guest, op)).collect();
        prop_assert!(!room.is_full());
        let snapshot = world.snapshot();
        let (again, unknown) = replayed(store.take(), rules);
        for (op, expected) in ops.iter().zip(&answers) {
            prop_assert_eq!(&answer(&again, op), expected, "{:?} of {:?}", op, ops);
        }
        prop_assert_eq!(unknown.list(), Vec::<String>::new());
        prop_assert_eq!(guest.denied(), again.denied());
        prop_assert_eq!(world.snapshot(), snapshot);
    }

    /// Whatever else is asked for, there is an answer, and what is not known is told and never made up.
    #[test]
    fn other_ops_get_what_is_known_or_are_told(
        before in vec(op(), 0..30),
        ops in vec(op(), 0..20),
        others in vec(op(), 1..40),
    ) {
        let world = World::memory();
        let admin = world.admin();
        before.iter().for_each(|op| drop(run(&admin, op)));
        let (guest, store, _) = recorded(&world, RULES[0]);
        ops.iter().for_each(|op| drop(run(&guest, op)));
        let (again, _) = replayed(store.take(), RULES[0]);
        others.iter().for_each(|op| drop(answer(&again, op)));
    }
}

#[test]
fn a_file_is_known_as_far_as_it_was_read() {
    let world = World::memory();
    world.add(&[("f", "0123456789"), ("g", "other")]);
    let (guest, store, _) = recorded(&world, &["write:/w/**"]);
    let file = guest.open("f", crate::world::OPEN, crate::world::BOTH).unwrap();
    assert_eq!(guest.ns.read_at(&file, 2, 3).unwrap(), b"234");
    assert_eq!(guest.ns.write_at(&file, 3, b"xyz").unwrap(), 3);
    assert_eq!(guest.ns.read_at(&file, 0, 7).unwrap(), b"012xyz6");
    let (again, unknown) = replayed(store.take(), &["write:/w/**"]);
    let file = again.open("f", crate::world::OPEN, crate::world::BOTH).unwrap();
    assert_eq!(again.ns.read_at(&file, 0, 7).unwrap(), b"01234", "what was there before it was written to");
    assert!(again.ns.read_at(&file, 5, 1).is_err(), "and what was never read");
    assert_eq!(again.ns.read_at(&file, 6, 1).unwrap(), b"6");
    assert_eq!(unknown.list(), ["read /w/f"]);
    assert_eq!(again.read("g"), Err(code(&FsError::NoEntry)));
    assert_eq!(unknown.list(), ["read /w/f", "find /w/g"]);
}

#[test]
fn a_store_that_nobody_looked_at_is_a_store() {
    let world = World::memory();
    let store = RecordingStore::new(Arc::clone(&world.store), &Arc::new(Room::new(1 << 20)));
    let (again, _) = replayed(store.take(), &["write:/w/**"]);
    assert!(again.ns.stat_at(&again.base, "f", true).is_err());
}

#[test]
fn notes_end_where_there_is_no_room() {
    let world = World::memory();
    world.add(&[("f", &"x".repeat(10_000)), ("g", "small")]);
    let room = Arc::new(Room::new(5_000));
    let store = Arc::new(RecordingStore::new(Arc::clone(&world.store), &room));
    let guest = Guest::new(&[("/w", &(Arc::clone(&store) as Arc<dyn FileSystem>))], &["write:/w/**"]);
    assert_eq!(guest.read("f").unwrap().len(), 10_000, "the call goes on");
    assert!(room.is_full());
    assert_eq!(guest.read("g").unwrap(), "small");
    assert!(kept(store.take()).is_sound());
}
