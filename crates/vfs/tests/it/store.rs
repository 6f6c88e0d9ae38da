//! The primitives of a store, used directly: an object that lost its name is not acted on by that name.

use caplet_policy::{GuestPath, Search, Write, WriteTree};
use caplet_vfs::store::{Entity, Move};
use caplet_vfs::{EntryKind, FsError, Name, NodeRef};

use crate::world::{World, code, guard, on_every_store};

on_every_store!(what_lost_its_name_is_not_acted_on_by_name, primitives_refuse_what_they_are_not_for);

fn name(text: &str) -> Name<'_> {
    Name::parse(text).unwrap()
}

fn failure(result: Result<(), FsError>) -> &'static str {
    result.map_err(|error| code(&error)).unwrap_err()
}

fn what_lost_its_name_is_not_acted_on_by_name(world: &World) {
    let guard = guard(&["write:/**"], &[]).0;
    let search = guard.check(Search(GuestPath::root())).unwrap();
    let write = guard.check(Write(GuestPath::root())).unwrap();
    let tree = guard.check(WriteTree(GuestPath::root())).unwrap();
    world.add(&[("file", "1"), ("other", "2"), ("d/inner", "3"), ("e/", "")]);
    let root = world.store.root().unwrap();
    let found = |text: &str| root.lookup(&search, name(text)).unwrap();
    let (file, directory) = (found("file"), found("e"));
    let admin = world.admin();
    // The names go to other objects, a file's to a directory among them.
    admin.rename("file", "moved").unwrap();
    admin.rename("d", "file").unwrap();
    admin.rename("e", "e2").unwrap();
    admin.mkdir("e").unwrap();
    let source = Entity { parent: root.as_ref(), name: name("file"), node: file.as_ref() };
    assert_eq!(failure(root.move_here(Move::File(&write, &write), source, name("taken"))), "busy");
    let source = Entity { parent: root.as_ref(), name: name("e"), node: directory.as_ref() };
    assert_eq!(failure(root.move_here(Move::Tree(&tree, &tree), source, name("taken"))), "busy");
    assert_eq!(failure(root.remove_file(&write, name("file"), file.as_ref())), "busy");
    assert_eq!(failure(root.remove_directory(&write, name("e"), directory.as_ref())), "busy");
    assert_eq!(failure(root.remove_file(&write, name("gone"), file.as_ref())), "noent");
    assert_eq!(admin.names("."), ["e", "e2", "file", "moved", "other"]);
    assert!(root.remove_file(&write, name("moved"), file.as_ref()).is_ok(), "the twin");
}

fn primitives_refuse_what_they_are_not_for(world: &World) {
    let guard = guard(&["write:/**"], &[]).0;
    let search = guard.check(Search(GuestPath::root())).unwrap();
    let write = guard.check(Write(GuestPath::root())).unwrap();
    world.add(&[("file", "1"), ("d/", "")]);
    let root = world.store.root().unwrap();
    let file: NodeRef = root.lookup(&search, name("file")).unwrap();
    assert_eq!((file.kind(), root.kind()), (EntryKind::File, EntryKind::Directory));
    for result in [
        file.lookup(&search, name("x")).map(drop),
        file.list(&search).map(drop),
        file.create_file(&write, name("x")).map(drop),
        file.create_directory(&write, name("x")),
        file.create_link(&write, name("x"), "y"),
        file.remove_file(&write, name("x"), root.as_ref()),
        file.remove_directory(&write, name("x"), root.as_ref()),
        file.sync(&write),
    ] {
        assert_eq!(failure(result), "notdir");
    }
    // An object of another store is on another device.
    let other = World::memory();
    other.add(&[("file", "1")]);
    let foreign = other.store.root().unwrap();
    let theirs = foreign.lookup(&search, name("file")).unwrap();
    let source = Entity { parent: foreign.as_ref(), name: name("file"), node: theirs.as_ref() };
    assert_eq!(failure(root.move_here(Move::File(&write, &write), source, name("x"))), "xdev");
    assert_eq!(failure(root.add_name([&write, &write], source, name("x"))), "xdev");
    assert_eq!(failure(root.remove_file(&write, name("file"), theirs.as_ref())), "xdev");
}
