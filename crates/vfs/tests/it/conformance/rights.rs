//! What rules permit, and that nothing gets around them or tells of what they refuse.

use caplet_vfs::{DescriptorFlags, EntryKind, FsError, NewTime, OpenFlags};

use super::tree;
use crate::world::{BOTH, CREATE, CREATE_NEW, Code, Guest, OPEN, READ, TRUNCATE, WRITE, World, code, on_every_store};

on_every_store!(
    a_denied_subtree_stays_denied_when_something_above_is_moved,
    a_hard_link_needs_write_on_both_names,
    a_read_only_grant_changes_nothing,
    what_a_handle_was_opened_for_is_all_that_it_does,
    a_directory_handle_gives_no_rights,
    nothing_tells_a_denied_name_from_a_missing_one,
    listings_show_only_what_could_be_reached,
    refusals_are_on_record_with_the_path_that_was_meant,
);

fn a_denied_subtree_stays_denied_when_something_above_is_moved(world: &World) {
    world.add(&[("a/secret/file", "secret"), ("a/file", "public"), ("b/file", "other"), ("empty/", "")]);
    let before = world.snapshot();
    for rules in [
        ["write:/w/**", "!read:/w/a/secret/**"],
        ["write:/w/**", "!read:/w/*/secret/**"],
        ["write:/w/**", "!read:/w/**/secret/**"],
        ["write:/w/**", "!write:/w/a/secret/file"],
    ] {
        let guest = world.guest(&rules);
        for (old, new) in [("a", "moved"), ("a", "empty"), ("a/", "moved"), ("a/.", "moved"), ("pub/../a", "moved")] {
            let answer = guest.rename(old, new);
            assert!(matches!(answer, Err("perm" | "noent")), "{rules:?} {old} -> {new}: {answer:?}");
        }
        assert_eq!(guest.hard_link("a", "moved"), Err("perm"), "{rules:?}");
        assert_eq!(guest.rename("empty", "a"), Err("perm"), "{rules:?}: nothing is put in its place");
        assert_eq!(world.snapshot(), before, "{rules:?}");
    }
    // A name from which the denied one would be made is no more use.
    let guest = world.guest(&["write:/w/**", "!read:/w/a/secret/**", "!read:/w/new/secret/**"]);
    assert_eq!(guest.rename("b", "new"), Err("perm"));
    assert!(guest.denied().contains(&"write-tree /w/new".to_owned()), "{:?}", guest.denied());
    let twin = world.guest(&["write:/w/**"]);
    assert_eq!(twin.rename("a", "moved"), Ok(()));
    assert_eq!(twin.read("moved/secret/file").as_deref(), Ok("secret"));
    let twin = world.guest(&["write:/w/**", "!read:/w/moved/**"]);
    assert_eq!(twin.rename("b", "b2"), Ok(()), "what no deny rule could reach is moved freely");
}

fn a_hard_link_needs_write_on_both_names(world: &World) {
    tree(world);
    let before = world.snapshot();
    for (rules, old, new) in [
        (["write:/w/**", "!read:/w/secret/**"], "secret/file", "pub/x"),
        (["write:/w/**", "!write:/w/top"], "top", "pub/x"),
        (["write:/w/pub/**", "read:/w/**"], "top", "pub/x"),
        (["write:/w/pub/**", "read:/w/**"], "pub/file", "x"),
    ] {
        let guest = world.guest(&rules);
        assert_eq!(guest.hard_link(old, new), Err("perm"), "{rules:?} {old} {new}");
        assert_eq!(guest.rename(old, new), Err("perm"), "{rules:?} {old} {new}");
        assert_eq!(world.snapshot(), before, "{rules:?} {old} {new}");
    }
    let twin = world.guest(&["write:/w/**"]);
    assert_eq!(twin.hard_link("top", "pub/x"), Ok(()));
    assert_eq!(twin.write("pub/x", "both"), Ok(()));
    assert_eq!(twin.read("top").as_deref(), Ok("both"));
}

/// Everything that changes something, tried on a world with [`tree`], and how it ended.
pub(super) fn mutations(guest: &Guest) -> Vec<(&'static str, Option<Code>)> {
    let (now, keep) = (NewTime::Now, NewTime::Keep);
    let file = guest.open("top", OPEN, READ).unwrap();
    let folder = guest.open_directory("pub").unwrap();
    let changed = |path: &str| guest.verb(|ns, base| ns.set_times_at(base, path, true, now, keep));
    vec![
        ("open to write", guest.open("top", OPEN, WRITE).err()),
        ("open to read and write", guest.open("top", OPEN, BOTH).err()),
        ("truncate without write", guest.open("top", TRUNCATE, READ).err()),
        ("truncate with nothing", guest.open("top", TRUNCATE, DescriptorFlags::default()).err()),
        ("create over", guest.open("top", CREATE, READ).err()),
        ("create", guest.open("new", CREATE, READ).err()),
        ("create new", guest.open("new", CREATE_NEW, READ).err()),
        ("write stream", guest.ns.check_writable(&file).err().map(|e| code(&e))),
        ("write", guest.ns.write_at(&file, 0, b"x").err().map(|e| code(&e))),
        ("write nothing", guest.ns.write_at(&file, 0, b"").err().map(|e| code(&e))),
        ("append", guest.ns.append(&file, b"x").err().map(|e| code(&e))),
        ("set-size", guest.ns.set_size(&file, 0).err().map(|e| code(&e))),
        ("set-times", guest.ns.set_times(&file, now, now).err().map(|e| code(&e))),
        ("set-times of a directory", guest.ns.set_times(&folder, now, now).err().map(|e| code(&e))),
        ("set-times-at", changed("top").err()),
        ("set-times-at of the base", changed(".").err()),
        ("sync", guest.ns.sync(&file).err().map(|e| code(&e))),
        ("sync of a directory", guest.ns.sync(&folder).err().map(|e| code(&e))),
        ("unlink", guest.unlink("top").err()),
        ("unlink missing", guest.unlink("missing").err()),
        ("rmdir", guest.rmdir("pub").err()),
        ("mkdir", guest.mkdir("new").err()),
        ("mkdir over", guest.mkdir("pub").err()),
        ("rename", guest.rename("top", "new").err()),
        ("rename a directory", guest.rename("pub", "new").err()),
        ("link", guest.hard_link("top", "new").err()),
        ("symlink", guest.symlink("top", "new").err()),
    ]
}

fn a_read_only_grant_changes_nothing(world: &World) {
    tree(world);
    let (before, stat) = (world.snapshot(), world.admin().stat("top").unwrap());
    let guest = world.guest(&["read:/w/**"]);
    for (what, answer) in mutations(&guest) {
        assert_eq!(answer, Some("perm"), "{what}");
    }
    assert_eq!(world.snapshot(), before);
    let after = world.admin().stat("top").unwrap();
    assert_eq!((after.modified, after.size, after.links), (stat.modified, stat.size, stat.links));
    assert_eq!(guest.read("top").as_deref(), Ok("top"), "the twin: it may be read");
}

fn what_a_handle_was_opened_for_is_all_that_it_does(world: &World) {
    tree(world);
    let guest = world.guest(&["write:/w/**"]);
    let reader = guest.open("top", OPEN, READ).unwrap();
    let writer = guest.open("top", OPEN, WRITE).unwrap();
    let folder = guest.open_directory("pub").unwrap();
    let failure = |result: Result<(), FsError>| result.map_err(|error| code(&error));
    for (what, answer, expected) in [
        ("write to a reader", failure(guest.ns.write_at(&reader, 0, b"x").map(drop)), "badf"),
        ("append to a reader", failure(guest.ns.append(&reader, b"x").map(drop)), "badf"),
        ("cut a reader", failure(guest.ns.set_size(&reader, 0)), "badf"),
        ("check a reader", failure(guest.ns.check_writable(&reader)), "badf"),
        ("read from a writer", failure(guest.ns.read_at(&writer, 0, 1).map(drop)), "badf"),
        ("check a writer", failure(guest.ns.check_readable(&writer)), "badf"),
        ("read from a directory", failure(guest.ns.read_at(&folder, 0, 1).map(drop)), "isdir"),
        ("write to a directory", failure(guest.ns.write_at(&folder, 0, b"x").map(drop)), "badf"),
        ("a directory is no file", failure(guest.ns.check_file(&folder)), "badf"),
        ("list a file", failure(guest.ns.list(&reader).map(drop)), "notdir"),
        ("open below a file", failure(guest.ns.stat_at(&reader, "x", true).map(drop)), "notdir"),
        ("open a file's own", failure(guest.ns.stat_at(&reader, ".", true).map(drop)), "notdir"),
    ] {
        assert_eq!(answer, Err(expected), "{what}");
    }
    assert_eq!(guest.read("top").as_deref(), Ok("top"));
    assert_eq!(guest.ns.write_at(&writer, 0, b"TOP").ok(), Some(3));
    assert_eq!(guest.ns.read_at(&reader, 0, 9).unwrap(), b"TOP");
}

fn a_directory_handle_gives_no_rights(world: &World) {
    tree(world);
    let mutate = DescriptorFlags { mutate_directory: true, ..READ };
    let directory = OpenFlags { directory: true, ..OPEN };
    let guest = world.guest(&["read:/w/**"]);
    let folder = guest.open("pub", directory, mutate).unwrap();
    let again = guest.ns.open_at(&folder, ".", true, directory, mutate).unwrap();
    for base in [&folder, &again] {
        let open = |flags| guest.ns.open_at(base, "file", true, OPEN, flags).map_err(|error| code(&error));
        assert_eq!(open(WRITE).err(), Some("perm"));
        assert_eq!(open(BOTH).err(), Some("perm"));
        assert!(open(READ).is_ok());
        assert_eq!(guest.ns.create_directory_at(base, "x").map_err(|e| code(&e)), Err("perm"));
        assert_eq!(guest.ns.unlink_at(base, "file").map_err(|e| code(&e)), Err("perm"));
    }
    // A handle that did not ask for changes, under rules that permit them: the rules decide, as for preview1 guests.
    let twin = world.guest(&["write:/w/**"]);
    let folder = twin.open_directory("pub").unwrap();
    assert!(twin.ns.create_directory_at(&folder, "x").is_ok());
    assert_eq!(twin.open("pub", OPEN, WRITE).err(), Some("isdir"));
    assert_eq!(twin.open(".", OPEN, BOTH).err(), Some("isdir"));
}

fn nothing_tells_a_denied_name_from_a_missing_one(world: &World) {
    tree(world);
    world.link("secret/link", "file");
    world.link("secret/link2", "inner/file");
    for rules in [
        &["write:/w/**", "!read:/w/secret/**"][..],
        &["write:/w/pub/**"],
        // Children are denied, and what is below them is not: their names must not show all the same.
        &["write:/w/**", "!read:/w/secret/*"],
        &["write:/w/**", "!read:/w/secret/{file,missing,link*}"],
    ] {
        let guest = world.guest(rules);
        let answers = |path: &str, below: &str| {
            let hash = guest.ns.metadata_hash_at(&guest.base, path, true).err().map(|error| code(&error));
            let target = guest.ns.read_link_at(&guest.base, path).err().map(|error| code(&error));
            [
                guest.read(path).err(),
                guest.read_from(&guest.base, path, false).err(),
                guest.stat(path).err(),
                guest.ns.stat_at(&guest.base, path, false).err().map(|error| code(&error)),
                guest.open_directory(path).err(),
                guest.open(path, CREATE, WRITE).err(),
                guest.open(path, CREATE_NEW, WRITE).err(),
                guest.open(path, TRUNCATE, READ).err(),
                hash,
                target,
                guest.mkdir(path).err(),
                guest.rmdir(path).err(),
                guest.unlink(path).err(),
                guest.rename(path, "pub/x").err(),
                guest.rename("pub/file", path).err(),
                guest.hard_link(path, "pub/x").err(),
                guest.hard_link("pub/file", path).err(),
                guest.symlink("x", path).err(),
                guest.verb(|ns, base| ns.set_times_at(base, path, true, NewTime::Now, NewTime::Now)).err(),
                guest.read(below).err(),
                guest.stat(below).err(),
                guest.mkdir(below).err(),
                guest.write(below, "x").err(),
            ]
        };
        let missing = answers("secret/missing", "secret/missing/x");
        assert!(missing.iter().all(Option::is_some), "{rules:?}: {missing:?}");
        for there in ["secret/file", "secret/link", "secret/link2"] {
            assert_eq!(answers(there, &format!("{there}/x")), missing, "{rules:?} {there}");
        }
    }
}

fn listings_show_only_what_could_be_reached(world: &World) {
    tree(world);
    world.link("l", "top");
    let names = |rules: &[&str], path: &str| world.guest(rules).names(path);
    assert_eq!(names(&["read:/w/**"], "."), ["l", "pub", "secret", "top"]);
    assert_eq!(names(&["read:/w/**", "!read:/w/secret/**"], "."), ["l", "pub", "top"]);
    assert_eq!(names(&["read:/w/**", "!read:/w/secret/*"], "."), ["l", "pub", "secret", "top"]);
    assert_eq!(names(&["read:/w/**", "!read:/w/secret/*"], "secret"), ["inner"]);
    assert_eq!(names(&["read:/w/pub/deep/**"], "."), ["pub"]);
    assert_eq!(names(&["read:/w/pub/deep/**"], "pub"), ["deep"]);
    assert_eq!(names(&["read:/w/*"], "."), ["l", "pub", "secret", "top"]);
    assert_eq!(names(&["read:/w/t*"], "."), ["top"]);
    assert_eq!(world.guest(&["read:/w/t*"]).list("pub").err(), Some("perm"));
    assert_eq!(world.guest(&["read:/x/**"]).list(".").err(), Some("perm"));
    let kinds = world.guest(&["read:/w/**"]).list(".").unwrap();
    assert_eq!(kinds.iter().filter(|(kind, _)| *kind == EntryKind::Directory).count(), 2);
    assert!(kinds.contains(&(EntryKind::Link, "l".to_owned())) && kinds.contains(&(EntryKind::File, "top".to_owned())));
}

fn refusals_are_on_record_with_the_path_that_was_meant(world: &World) {
    tree(world);
    let guest = world.guest(&["read:/w/pub/**"]);
    for (path, op) in [
        ("secret/file", "read /w/secret/file"),
        ("top", "read /w/top"),
        ("missing", "read /w/missing"),
        ("../outside", "read /outside"),
        ("pub/../../etc/passwd", "read /etc/passwd"),
        ("secret/../top", "search /w/secret"),
    ] {
        assert_eq!(guest.read(path), Err("perm"), "{path}");
        assert!(guest.denied().contains(&op.to_owned()), "{path}: {:?}", guest.denied());
    }
    let refused = guest.ns.open_at(&guest.base, "top", true, OPEN, READ).unwrap_err();
    assert!(matches!(refused, FsError::NotPermitted(Some(_))), "{refused:?}");
    assert!(refused.to_string().contains("read /w/top"), "{refused}");
    let guest = world.guest(&["read:/w/pub/**"]);
    assert_eq!(guest.read("pub/file").as_deref(), Ok("public"));
    assert_eq!(guest.names("pub"), ["deep", "file"]);
    assert_eq!(guest.denied(), Vec::<String>::new(), "what is left out of a listing is no refusal");
}
