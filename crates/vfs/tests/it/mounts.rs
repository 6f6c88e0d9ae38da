//! Several stores in one world: synthetic directories, nested mounts, and what does not cross from one to another.

use std::sync::Arc;

use caplet_vfs::{EntryKind, FileSystem, NewTime};

use crate::world::{CREATE, Code, Guest, WRITE, World, on_every_store};

on_every_store!(
    the_root_shows_what_leads_to_mounts,
    a_nested_mount_hides_what_is_below_it,
    nothing_climbs_from_a_nested_mount_into_the_store_above,
    what_leads_to_a_mount_stays_where_it_is,
    nothing_moves_from_one_mount_to_another,
    a_store_at_two_places_has_the_rights_of_each_place,
    a_name_on_the_way_to_a_mount_is_a_directory,
);

fn from_root(mounts: &[(&str, &Arc<dyn FileSystem>)], rules: &[&str]) -> Guest {
    let mut guest = Guest::new(mounts, rules);
    guest.base = guest.preopen("/");
    guest
}

fn the_root_shows_what_leads_to_mounts(world: &World) {
    world.add(&[("file", "1")]);
    let other = World::memory();
    other.add(&[("file", "2")]);
    let mounts = [("/a/b", &world.store), ("/c", &other.store), ("/a/d/e", &other.store)];
    let guest = from_root(&mounts, &["write:/**"]);
    assert_eq!(guest.names("."), ["a", "c"]);
    assert_eq!(guest.names("a"), ["b", "d"]);
    assert_eq!((guest.names("a/b"), guest.names("a/d")), (vec!["file".to_owned()], vec!["e".to_owned()]));
    assert_eq!((guest.read("a/b/file").as_deref(), guest.read("c/../a/d/e/file").as_deref()), (Ok("1"), Ok("2")));
    assert_eq!(guest.read("a/b/../d/e/../../b/file").as_deref(), Ok("1"), "from the root, every way is below it");
    assert_eq!(guest.stat("a").unwrap().kind, EntryKind::Directory);
    let failures: [(&str, Result<(), Code>, Code); 10] = [
        ("missing", guest.read("x").map(drop), "noent"),
        ("missing below", guest.read("a/x").map(drop), "noent"),
        ("create", guest.open("x", CREATE, WRITE).map(drop), "rofs"),
        ("mkdir", guest.mkdir("a/x"), "rofs"),
        ("mkdir over", guest.mkdir("a"), "exist"),
        ("symlink", guest.symlink("x", "x"), "rofs"),
        ("rmdir", guest.rmdir("a"), "busy"),
        ("unlink", guest.unlink("a"), "isdir"),
        ("rename", guest.rename("a", "x"), "busy"),
        ("set times", guest.verb(|ns, base| ns.set_times_at(base, "a", true, NewTime::Now, NewTime::Now)), "rofs"),
    ];
    for (what, answer, expected) in failures {
        assert_eq!(answer, Err(expected), "{what}");
    }
    let narrow = from_root(&mounts, &["read:/a/b/**"]);
    assert_eq!((narrow.names("."), narrow.names("a")), (vec!["a".to_owned()], vec!["b".to_owned()]));
    assert_eq!(narrow.list("c").err(), Some("perm"));
    assert_eq!(from_root(&mounts, &[]).list(".").err(), Some("perm"), "without a rule not even that");
    assert_ne!(
        guest.ns.metadata_hash_at(&guest.base, "a", true).unwrap(),
        guest.ns.metadata_hash_at(&guest.base, "a/d", true).unwrap()
    );
}

fn a_nested_mount_hides_what_is_below_it(world: &World) {
    world.add(&[("in/file", "hidden"), ("in/other/file", "hidden"), ("file", "outer")]);
    let inner = World::memory();
    inner.add(&[("file", "inner")]);
    let guest =
        from_root(&[("/w", &world.store), ("/w/in", &inner.store), ("/w/new/deep", &inner.store)], &["write:/**"]);
    assert_eq!(guest.names("w"), ["file", "in", "new"]);
    assert_eq!(guest.names("w/in"), ["file"]);
    assert_eq!(guest.read("w/in/file").as_deref(), Ok("inner"));
    assert_eq!(guest.read("w/in/other/file"), Err("noent"));
    assert_eq!(guest.read("w/new/deep/file").as_deref(), Ok("inner"));
    assert_eq!(guest.write("w/in/made", "x"), Ok(()));
    assert_eq!(inner.admin().names("."), ["file", "made"]);
    assert_eq!(world.admin().names("in"), ["file", "other"]);
}

fn nothing_climbs_from_a_nested_mount_into_the_store_above(world: &World) {
    world.add(&[("in/file", "hidden"), ("secret", "secret"), ("file", "outer")]);
    let inner = World::memory();
    inner.add(&[("d/file", "inner")]);
    for (name, target) in
        [("up", "../secret"), ("up2", "d/../../secret"), ("d/up", "../../secret"), ("up3", ".."), ("ok", "d/file")]
    {
        inner.link(name, target);
    }
    world.link("down", "in/d/file");
    world.link("down-and-up", "in/d/../../file");
    world.link("down-to-link", "in/up");
    let guest = from_root(&[("/w", &world.store), ("/w/in", &inner.store)], &["read:/**"]);
    for path in ["w/in/up", "w/in/up2", "w/in/d/up", "w/in/up3/secret", "w/in/d/../up", "w/down-to-link"] {
        assert_eq!(guest.read(path), Err("perm"), "{path}");
    }
    assert_eq!(guest.read("w/in/ok").as_deref(), Ok("inner"));
    assert_eq!(guest.read("w/down").as_deref(), Ok("inner"));
    assert_eq!(guest.read("w/down-and-up").as_deref(), Ok("outer"), "a link may come back to where it started");
    assert_eq!(guest.read("w/in/../file").as_deref(), Ok("outer"), "and so may the guest itself");
    let nested = guest.preopen("/w/in");
    assert_eq!(guest.read_from(&nested, "../file", true), Err("perm"));
    assert_eq!(guest.read_from(&nested, "d/file", true).as_deref(), Ok("inner"));
}

fn what_leads_to_a_mount_stays_where_it_is(world: &World) {
    world.add(&[("a/b/x", ""), ("a/file", "f"), ("c/", ""), ("e/", "")]);
    let inner = World::memory();
    let guest = Guest::new(&[("/w", &world.store), ("/w/a/b", &inner.store), ("/w/c", &inner.store)], &["write:/**"]);
    for (what, answer, expected) in [
        ("rename a mount", guest.rename("c", "x"), "busy"),
        ("rename what leads to it", guest.rename("a", "x"), "busy"),
        ("rename onto it", guest.rename("e", "c"), "busy"),
        ("rename a file onto it", guest.rename("a/file", "c"), "isdir"),
        ("remove it", guest.rmdir("c"), "busy"),
        ("remove what leads to it", guest.rmdir("a/b"), "busy"),
        ("unlink it", guest.unlink("c"), "isdir"),
        ("link it", guest.hard_link("c", "x"), "perm"),
        ("make it", guest.mkdir("c"), "exist"),
    ] {
        assert_eq!(answer, Err(expected), "{what}");
    }
    assert_eq!(guest.rename("e", "a/e"), Ok(()), "the twin: beside it everything moves");
}

fn nothing_moves_from_one_mount_to_another(world: &World) {
    world.add(&[("file", "1"), ("d/", "")]);
    let other = World::memory();
    other.add(&[("file2", "2")]);
    let guest = from_root(&[("/a", &world.store), ("/b", &other.store)], &["write:/**"]);
    assert_eq!(guest.rename("a/file", "b/x"), Err("xdev"));
    assert_eq!(guest.rename("a/file", "b/file2"), Err("xdev"));
    assert_eq!(guest.rename("a/d", "b/x"), Err("xdev"));
    assert_eq!(guest.hard_link("a/file", "b/x"), Err("xdev"));
    assert_eq!(
        (world.admin().names("."), other.admin().names(".")),
        (vec!["d".to_owned(), "file".to_owned()], vec!["file2".to_owned()])
    );
    // Refused comes before that.
    let reader = from_root(&[("/a", &world.store), ("/b", &other.store)], &["write:/b/**", "read:/a/**"]);
    assert_eq!((reader.rename("a/file", "b/x"), reader.hard_link("a/file", "b/x")), (Err("perm"), Err("perm")));
}

fn a_store_at_two_places_has_the_rights_of_each_place(world: &World) {
    world.add(&[("file", "1"), ("d/file", "2")]);
    let guest = from_root(&[("/ro", &world.store), ("/rw", &world.store)], &["read:/ro/**", "write:/rw/**"]);
    let (ro, rw) = (guest.preopen("/ro"), guest.preopen("/rw"));
    assert_eq!(guest.write("ro/file", "x"), Err("perm"));
    assert!(guest.ns.create_directory_at(&ro, "x").is_err());
    assert_eq!(guest.rename("ro/file", "rw/x"), Err("perm"));
    assert_eq!(guest.hard_link("ro/file", "rw/x"), Err("perm"));
    assert_eq!(guest.read_from(&ro, "../rw/file", true), Err("perm"));
    assert_eq!(guest.write("rw/file", "changed"), Ok(()));
    assert_eq!(guest.read("ro/file").as_deref(), Ok("changed"), "it is one store");
    assert!(guest.ns.create_directory_at(&rw, "x").is_ok());
}

fn a_name_on_the_way_to_a_mount_is_a_directory(world: &World) {
    world.add(&[("file", "f")]);
    world.link("l", "elsewhere");
    let inner = World::memory();
    inner.add(&[("x", "inner")]);
    let mounts = [("/w", &world.store), ("/w/l", &inner.store), ("/w/file/deep", &inner.store)];
    let guest = Guest::new(&mounts, &["write:/**"]);
    assert_eq!((guest.read("l/x").as_deref(), guest.read("file/deep/x").as_deref()), (Ok("inner"), Ok("inner")));
    assert!(guest.list(".").unwrap().iter().all(|(kind, _)| *kind == EntryKind::Directory));
    assert_eq!(guest.names("."), ["file", "l"]);
    assert_eq!((guest.unlink("l"), guest.unlink("file")), (Err("isdir"), Err("isdir")));
    assert_eq!(world.admin().ns.read_link_at(&world.admin().base, "l").unwrap(), "elsewhere");
}
