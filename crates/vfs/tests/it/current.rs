//! The directories that a guest starts with, and what a relative path means in the current one.

use std::sync::Arc;

use caplet_policy::GuestPath;
use caplet_vfs::{EntryKind, FsError};

use crate::world::{CREATE, Guest, OPEN, READ, WRITE, World, code, config, guard, on_every_store};

on_every_store!(
    preopens_come_in_an_order_that_libraries_can_work_with,
    a_relative_path_is_found_in_the_current_directory,
    a_mount_below_the_current_directory_is_found_from_it,
    what_is_absolute_for_the_guest_is_absolute,
    the_choice_tells_nothing_about_what_is_denied,
    a_current_directory_that_cannot_be_reached_is_refused,
    beside_a_mounted_root,
);

/// A guest in `cwd`, of a store mounted at `at`.
fn guest(world: &World, at: &str, cwd: &str, rules: &[&str]) -> Guest {
    let (guard, journal) = guard(rules, &[]);
    let mut config = config(&[(at, &world.store)], guard);
    config.cwd = Some(GuestPath::parse(cwd).unwrap());
    config.preopen_cwd = true;
    let mut guest = Guest::from_config(config, journal);
    guest.base = guest.preopen(".");
    guest
}

fn preopens_come_in_an_order_that_libraries_can_work_with(world: &World) {
    let other = World::memory();
    let names = |mounts: &[&str], cwd: Option<&str>, preopen: bool| -> Vec<String> {
        let mounts: Vec<_> =
            mounts.iter().map(|at| (*at, if *at == "/b" { &other.store } else { &world.store })).collect();
        let mut config = config(&mounts, guard(&[], &[]).0);
        (config.cwd, config.preopen_cwd) = (cwd.map(|cwd| GuestPath::parse(cwd).unwrap()), preopen);
        caplet_vfs::Namespace::new(config).preopens().into_iter().map(|(_, name)| name).collect()
    };
    assert_eq!(names(&[], None, true), ["/"]);
    assert_eq!(names(&["/b", "/a/x"], None, true), ["/b", "/a/x", "/"]);
    assert_eq!(names(&["/b", "/a/x"], Some("/a/x"), true), ["/b", "/a/x", "/", "."]);
    assert_eq!(names(&["/b", "/a/x"], Some("/a/x/deeper"), true), ["/b", "/a/x", "/", "."]);
    assert_eq!(names(&["/b", "/a/x"], Some("/a/x"), false), ["/b", "/a/x", "/"]);
    assert_eq!(names(&["/b", "/a/x"], Some("/a"), true), ["/b", "/a/x", "/", "."], "on the way to a mount");
    assert_eq!(names(&["/b", "/a/x"], Some("/c"), true), ["/b", "/a/x", "/"], "under no mount");
    assert_eq!(names(&["/", "/b"], Some("/c"), true), ["/b", "/", "."], "the root once, and last");
    assert_eq!(names(&["/b", "/b"], None, true), ["/b", "/"]);
}

fn a_relative_path_is_found_in_the_current_directory(world: &World) {
    world.add(&[("p/file", "file"), ("p/sub/file", "sub"), ("q/file", "beside")]);
    let guest = guest(world, "/w", "/w/p", &["write:/w/**"]);
    for (path, answer) in [
        ("file", Ok("file")),
        ("./file", Ok("file")),
        ("sub/file", Ok("sub")),
        ("sub/../file", Ok("file")),
        ("missing", Err("noent")),
        ("../q/file", Err("perm")),
        ("sub/../../q/file", Err("perm")),
        ("..", Err("perm")),
    ] {
        assert_eq!(guest.read(path).as_deref().map_err(|code| *code), answer, "{path}");
    }
    assert_eq!(guest.names("."), ["file", "sub"]);
    assert_eq!(guest.list_open(&guest.base).unwrap().len(), 2);
    assert_eq!(guest.ns.stat(&guest.base).unwrap().kind, EntryKind::Directory);
    assert_eq!((guest.write("new", "1"), guest.mkdir("made"), guest.write("made/new", "2")), (Ok(()), Ok(()), Ok(())));
    assert_eq!(world.admin().names("p"), ["file", "made", "new", "sub"]);
    assert_eq!(
        (guest.rename("new", "sub/new"), guest.unlink("sub/new"), guest.unlink("made/new"), guest.rmdir("made")),
        (Ok(()), Ok(()), Ok(()), Ok(()))
    );
    assert_eq!(guest.ns.metadata_hash(&guest.base).unwrap(), world_hash(&guest, "w/p"));
    assert!(guest.ns.sync(&guest.base).is_ok());
}

fn a_mount_below_the_current_directory_is_found_from_it(world: &World) {
    world.add(&[("p/file", "file"), ("secret", "secret")]);
    let guest = guest(world, "/w/sub", "/w", &["write:/w/sub/p/**"]);
    for (path, answer) in [
        ("sub/p/file", Ok("file")),
        ("./sub/p/file", Ok("file")),
        ("sub/p/missing", Err("noent")),
        ("sub/secret", Err("perm")),
        ("sub/../sub/p/file", Ok("file")),
        ("beside/file", Err("perm")),
        ("file", Err("perm")),
        ("../w/sub/p/file", Err("perm")),
        ("w/sub/p/file", Ok("file")),
    ] {
        assert_eq!(guest.read(path).as_deref().map_err(|code| *code), answer, "{path}");
    }
    assert_eq!(guest.names("."), ["sub"]);
    assert_eq!(guest.names("sub"), ["p"]);
    assert_eq!((guest.write("sub/p/new", "1"), guest.write("new", "1")), (Ok(()), Err("perm")));
    assert_eq!(world.admin().names("p"), ["file", "new"]);
}

fn world_hash(guest: &Guest, path: &str) -> (u64, u64) {
    guest.ns.metadata_hash_at(&guest.preopen("/"), path, true).unwrap()
}

fn what_is_absolute_for_the_guest_is_absolute(world: &World) {
    world.add(&[("p/file", "file"), ("p/etc/inside", "inside")]);
    let guest = guest(world, "/w", "/w/p", &["read:/w/**"]);
    // A library that was asked for /w/p/file looks for w/p/file in the last directory that it knows.
    assert_eq!(guest.read("w/p/file").as_deref(), Ok("file"));
    assert_eq!(guest.read("w").err(), Some("isdir"), "a directory is no content");
    assert_eq!(guest.names("w/p"), ["etc", "file"]);
    assert_eq!(guest.read("etc/inside").as_deref(), Ok("inside"), "its first name is in the current directory");
    assert_eq!(guest.read("usr/passwd"), Err("perm"));
    assert!(guest.denied().contains(&"read /usr/passwd".to_owned()), "{:?}", guest.denied());
    assert_eq!(guest.read("/w/p/file"), Err("perm"), "a path with a slash in front is none for a handle");
}

fn the_choice_tells_nothing_about_what_is_denied(world: &World) {
    world.add(&[("p/secret/file", "secret"), ("p/file", "file")]);
    for rules in
        [&["read:/**", "!read:/w/p/secret/**"][..], &["read:/w/p/file"], &["read:/w/p/file", "read:/secret/**"]]
    {
        let answer = |path: &str| {
            let guest = guest(world, "/w", "/w/p", rules);
            (guest.read(path).err(), guest.stat(path).err(), guest.names("."))
        };
        let there = answer("secret/file");
        world.admin().rename("p/secret", "elsewhere").unwrap();
        let gone = answer("secret/file");
        world.admin().rename("elsewhere", "p/secret").unwrap();
        assert_eq!(there, gone, "{rules:?}");
        assert_eq!(there.0, Some("perm"), "{rules:?}");
    }
}

fn a_current_directory_that_cannot_be_reached_is_refused(world: &World) {
    world.add(&[("p/file", "file"), ("plain", "file")]);
    world.link("l", "p");
    let missing = guest(world, "/w", "/w/gone", &["read:/w/**"]);
    assert_eq!(missing.read("file"), Err("noent"));
    assert_eq!(missing.ns.stat(&missing.base).err().map(|e| code(&e)), Some("noent"));
    assert_eq!(guest(world, "/w", "/w/plain", &["read:/w/**"]).read("file"), Err("notdir"));
    assert_eq!(guest(world, "/w", "/w/l", &["read:/w/**"]).read("file").as_deref(), Ok("file"));
    let denied = guest(world, "/w", "/w/p", &["read:/w/plain"]);
    assert_eq!(denied.read("file"), Err("perm"));
    assert_eq!(denied.denied(), ["read /w/p/file"]);
    assert!(matches!(denied.ns.list(&denied.base), Err(FsError::NotPermitted(_))));
}

fn beside_a_mounted_root(world: &World) {
    world.add(&[("work/file", "work"), ("work/src/file", "ours"), ("src/file", "root's"), ("etc/passwd", "root")]);
    let guest = guest(world, "/", "/work", &["write:/**", "!read:/etc/**"]);
    assert_eq!(guest.read("file").as_deref(), Ok("work"));
    assert_eq!(guest.read("work/file").as_deref(), Ok("work"), "a first name of the mounted root");
    assert_eq!(guest.read("src/file").as_deref(), Ok("root's"), "which comes first");
    assert_eq!(guest.read("etc/passwd"), Err("perm"));
    assert!(guest.open("made", CREATE, WRITE).is_ok() && guest.open("made", OPEN, READ).is_ok());
    assert_eq!(world.admin().names("work"), ["file", "made", "src"]);
    let root = Guest { base: guest.preopen("/"), ns: guest.ns.clone(), journal: Arc::clone(&guest.journal) };
    assert_eq!(root.read("work/file").as_deref(), Ok("work"));
    assert_eq!(root.names("."), ["src", "work"]);
}
