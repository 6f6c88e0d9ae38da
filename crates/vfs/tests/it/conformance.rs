//! What holds of every store: paths, links, rights, names.

use caplet_vfs::{DescriptorFlags, EntryKind, FsError, NewTime, OpenFlags, Timestamp};

use crate::world::{
    BOTH, CREATE, CREATE_NEW, CREATE_TRUNCATE, Code, OPEN, READ, TRUNCATE, WRITE, World, code, on_every_store,
};

on_every_store!(
    paths_that_climb_are_refused_whether_or_not_the_target_exists,
    absolute_paths_are_refused,
    links_lead_only_where_rules_allow,
    links_are_resolved_as_objects_and_not_as_text,
    a_link_that_is_not_followed_is_not_opened,
    a_slash_at_the_end_never_reaches_through_a_link,
    a_slash_at_the_end_means_a_directory,
    planted_links_lead_nowhere_new,
    a_file_is_not_created_through_a_link_that_leads_out,
    a_denied_subtree_stays_denied_when_something_above_is_moved,
    a_hard_link_needs_write_on_both_names,
    a_read_only_grant_changes_nothing,
    what_a_handle_was_opened_for_is_all_that_it_does,
    a_directory_handle_gives_no_rights,
    names_are_literal,
    prefixes_are_whole_names,
    equal_spellings_are_one_object,
    bytes_that_mean_something_elsewhere_are_plain_names,
    malformed_paths_have_their_own_errors,
    chains_and_bombs_of_links_end,
    nothing_tells_a_denied_name_from_a_missing_one,
    listings_show_only_what_could_be_reached,
    refusals_are_on_record_with_the_path_that_was_meant,
    opening,
    renaming,
    removing,
    hard_links,
    making_directories_and_links,
    metadata,
    times_out_of_range_are_refused,
    content,
    identities,
);

fn tree(world: &World) {
    world.add(&[
        ("pub/file", "public"),
        ("pub/deep/er/file", "deeper"),
        ("secret/file", "secret"),
        ("secret/inner/file", "secret"),
        ("top", "top"),
    ]);
}

const PUBLIC: [&str; 2] = ["write:/w/**", "!read:/w/secret/**"];

fn paths_that_climb_are_refused_whether_or_not_the_target_exists(world: &World) {
    tree(world);
    let guest = world.guest(&["write:/w/**"]);
    let climbing = [
        "..",
        "../",
        "../.",
        "../outside",
        "../missing",
        "pub/../../outside",
        "pub/../../missing",
        "pub/deep/../../../x",
        "missing/../../x",
        "top/../../x",
        "./../x",
        "pub/./..//../x",
        "../w/top",
    ];
    for path in climbing {
        assert_eq!(guest.read(path), Err("perm"), "{path}");
        assert_eq!(guest.stat(path).err(), Some("perm"), "{path}");
        assert_eq!(guest.write(path, "x"), Err("perm"), "{path}");
        assert_eq!(guest.mkdir(path), Err("perm"), "{path}");
        assert_eq!(guest.rename("top", path), Err("perm"), "{path}");
        assert_eq!(guest.symlink("x", path), Err("perm"), "{path}");
    }
    world.outside_is_unharmed();
    for path in ["pub/../top", "pub/deep/../../top", "./top", "pub/deep/er/../../../top"] {
        assert_eq!(guest.read(path).as_deref(), Ok("top"), "{path}");
    }
    // The same from a handle further down: its own parent is out of reach.
    let deep = guest.open_directory("pub/deep").unwrap();
    assert_eq!(guest.read_from(&deep, "../file", true), Err("perm"));
    assert_eq!(guest.read_from(&deep, "er/../er/file", true).as_deref(), Ok("deeper"));
}

fn absolute_paths_are_refused(world: &World) {
    tree(world);
    let guest = world.guest(&["write:/**"]);
    for path in ["/etc/passwd", "/top", "/w/top", "/", "//", "/../x"] {
        assert_eq!(guest.read(path), Err("perm"), "{path}");
        assert_eq!(guest.read_from(&guest.preopen("/"), path, true), Err("perm"), "{path}");
    }
    assert!(guest.denied().contains(&"read /etc/passwd".to_owned()), "{:?}", guest.denied());
    assert_eq!(guest.read_from(&guest.preopen("/"), "w/top", true).as_deref(), Ok("top"));
}

fn links_lead_only_where_rules_allow(world: &World) {
    tree(world);
    for (name, target) in [
        ("to-file", "pub/file"),
        ("to-dir", "pub/deep"),
        ("to-link", "to-file"),
        ("winding", "./pub//deep/../../pub/./file"),
        ("to-secret", "secret/file"),
        ("to-secret-dir", "secret"),
        ("out", "../outside"),
        ("out-dir", ".."),
        ("far-out", "pub/../../outside"),
        ("back-in", "../w/top"),
        ("absolute", "/etc/passwd"),
        ("absolute-in", "/w/top"),
        ("through-proc", "/proc/self/root/etc/passwd"),
        ("dangling", "nowhere"),
    ] {
        world.link(name, target);
    }
    let guest = world.guest(&PUBLIC);
    for (path, answer) in [
        ("to-file", Ok("public")),
        ("to-dir/er/file", Ok("deeper")),
        ("to-link", Ok("public")),
        ("winding", Ok("public")),
        ("to-secret", Err("perm")),
        ("to-secret-dir/file", Err("perm")),
        ("to-secret-dir/missing", Err("perm")),
        ("out", Err("perm")),
        ("out-dir/outside", Err("perm")),
        ("out-dir/w/top", Err("perm")),
        ("far-out", Err("perm")),
        ("back-in", Err("perm")),
        ("absolute", Err("perm")),
        ("absolute-in", Err("perm")),
        ("through-proc", Err("perm")),
        ("dangling", Err("noent")),
        ("to-file/x", Err("notdir")),
    ] {
        assert_eq!(guest.read(path).as_deref().map_err(|code| *code), answer, "{path}");
    }
    assert!(guest.denied().contains(&"read /w/secret/file".to_owned()), "{:?}", guest.denied());
    assert_eq!(world.guest(&["read:/w/**"]).read("to-secret").as_deref(), Ok("secret"), "the twin that is granted");
    // What leads where is told only of links that say nothing about the host.
    let target = |path| guest.ns.read_link_at(&guest.base, path).map_err(|error| code(&error));
    assert_eq!(target("to-secret").as_deref(), Ok("secret/file"));
    assert_eq!(target("out").as_deref(), Ok("../outside"));
    assert_eq!(target("absolute"), Err("perm"));
    assert_eq!(target("top"), Err("inval"));
    assert_eq!(target("pub"), Err("inval"));
    assert_eq!(target("missing"), Err("noent"));
    assert_eq!(target("secret/file"), Err("perm"));
}

/// `..` after a link goes to the parent of where the link led.
fn links_are_resolved_as_objects_and_not_as_text(world: &World) {
    tree(world);
    world.link("l", "pub/deep/er");
    let guest = world.guest(&["read:/w/**"]);
    assert_eq!(guest.read("l/../../file").as_deref(), Ok("public"));
    assert_eq!(guest.read("l/../er/file").as_deref(), Ok("deeper"));
    assert_eq!(guest.read("l/../top"), Err("noent"), "not the text, which would be top");
}

fn a_link_that_is_not_followed_is_not_opened(world: &World) {
    tree(world);
    world.link("l", "pub/file");
    world.link("out", "../outside");
    let guest = world.guest(&["write:/w/**"]);
    for path in ["l", "out"] {
        assert_eq!(guest.read_from(&guest.base, path, false), Err("loop"), "{path}");
        let stat = guest.ns.stat_at(&guest.base, path, false).unwrap();
        assert_eq!(stat.kind, EntryKind::Link, "{path}");
        assert!(guest.ns.open_at(&guest.base, path, false, CREATE, WRITE).is_err_and(|e| code(&e) == "loop"), "{path}");
        assert_eq!(guest.open(path, CREATE_NEW, WRITE).err(), Some("exist"), "{path}");
    }
    assert_eq!(guest.stat("l").unwrap().kind, EntryKind::File);
    // In the middle of a path every link is followed.
    world.link("d", "pub");
    assert_eq!(guest.read_from(&guest.base, "d/file", false).as_deref(), Ok("public"));
}

fn a_slash_at_the_end_never_reaches_through_a_link(world: &World) {
    tree(world);
    world.link("out", "..");
    world.link("slashed", "../");
    world.link("gone", "../created");
    world.link("in", "pub");
    world.link("in-gone", "pub/created");
    let before = world.snapshot();
    let guest = world.guest(&["write:/w/**"]);
    for link in ["out", "slashed", "gone"] {
        for slash in ["/", "//", "/.", "/./"] {
            let path = format!("{link}{slash}");
            for (what, answer) in [
                ("open", guest.read(&path).err()),
                ("open without following", guest.read_from(&guest.base, &path, false).err()),
                ("open a directory", guest.open_directory(&path).err()),
                ("create", guest.open(&path, CREATE, WRITE).err()),
                ("stat", guest.stat(&path).err()),
                ("mkdir", guest.mkdir(&path).err()),
            ] {
                assert_eq!(answer, Some("perm"), "{what} {path}");
            }
            for (what, answer) in [
                ("unlink", guest.unlink(&path).err()),
                ("rmdir", guest.rmdir(&path).err()),
                ("rename from", guest.rename(&path, "x").err()),
                ("rename to", guest.rename("pub", &path).err()),
                ("link from", guest.hard_link(&path, "x").err()),
                ("link to", guest.hard_link("top", &path).err()),
                ("symlink", guest.symlink("x", &path).err()),
            ] {
                assert!(matches!(answer, Some("perm" | "notdir" | "noent" | "exist")), "{what} {path}: {answer:?}");
            }
        }
    }
    assert_eq!(guest.mkdir("in-gone/"), Err("noent"));
    assert_eq!(guest.open("in-gone/", CREATE, WRITE).err(), Some("noent"));
    assert_eq!(world.snapshot(), before);
    world.outside_is_unharmed();
    assert_eq!(guest.list("in/").unwrap(), guest.list("pub").unwrap(), "the twin that stays inside");
}

fn a_slash_at_the_end_means_a_directory(world: &World) {
    tree(world);
    let before = world.snapshot();
    let guest = world.guest(&["write:/w/**"]);
    for (what, answer, expected) in [
        ("open a file", guest.read("top/").err(), "notdir"),
        ("open a file", guest.read("top/.").err(), "notdir"),
        ("create", guest.open("new/", CREATE, WRITE).err(), "noent"),
        ("create over a file", guest.open("top/", CREATE, WRITE).err(), "notdir"),
        ("stat a file", guest.stat("top/").err(), "notdir"),
        ("rename a file", guest.rename("top", "new/").err(), "notdir"),
        ("rename a file", guest.rename("top/", "new").err(), "notdir"),
        ("link", guest.hard_link("top", "new/").err(), "noent"),
        ("link", guest.hard_link("top/", "new").err(), "notdir"),
        ("symlink", guest.symlink("x", "new/").err(), "noent"),
        ("unlink a file", guest.unlink("top/").err(), "notdir"),
        ("unlink a directory", guest.unlink("pub/").err(), "isdir"),
        ("mkdir beyond", guest.mkdir("new/.").err(), "noent"),
    ] {
        assert_eq!(answer, Some(expected), "{what}");
    }
    assert_eq!(world.snapshot(), before);
    assert_eq!(guest.mkdir("made/"), Ok(()));
    assert_eq!(guest.rename("made/", "moved/"), Ok(()));
    assert_eq!(guest.rmdir("moved/"), Ok(()));
    assert_eq!(world.snapshot(), before);
}

fn planted_links_lead_nowhere_new(world: &World) {
    tree(world);
    let guest = world.guest(&PUBLIC);
    assert_eq!(guest.symlink("/etc/passwd", "l"), Err("perm"), "an absolute target");
    for (number, target) in ["../outside", "secret/file", "pub/../secret/file", "../w/secret/file"].iter().enumerate() {
        let path = format!("l{number}");
        assert_eq!(guest.symlink(target, &path), Ok(()), "{target}");
        assert_eq!(guest.read(&path), Err("perm"), "{target}");
        assert_eq!(guest.write(&path, "x"), Err("perm"), "{target}");
        // A second name for a link is no second chance.
        assert_eq!(guest.hard_link(&path, &format!("pub/{path}")), Ok(()), "{target}");
        assert_ne!(guest.read(&format!("pub/{path}")).as_deref(), Ok("secret"), "{target}");
    }
    // A link that means something else after a move.
    assert_eq!(guest.symlink("../secret/file", "pub/deep/l"), Ok(()));
    assert_eq!(guest.read("pub/deep/l"), Err("noent"));
    assert_eq!(guest.rename("pub/deep/l", "pub/l"), Ok(()));
    assert_eq!(guest.read("pub/l"), Err("perm"));
    assert_eq!(guest.symlink("file", "pub/ok"), Ok(()));
    assert_eq!(guest.read("pub/ok").as_deref(), Ok("public"), "the twin that stays inside");
    world.outside_is_unharmed();
}

fn a_file_is_not_created_through_a_link_that_leads_out(world: &World) {
    tree(world);
    world.link("out", "../created");
    world.link("deep-out", "pub/../../created");
    world.link("absolute", "/tmp/caplet-test-created");
    world.link("to-secret", "secret/created");
    world.link("in", "pub/created");
    let guest = world.guest(&PUBLIC);
    for path in ["out", "deep-out", "absolute", "to-secret"] {
        for open in [CREATE, CREATE_TRUNCATE] {
            assert_eq!(guest.open(path, open, WRITE).err(), Some("perm"), "{path}");
        }
        assert_eq!(guest.open(path, CREATE_NEW, WRITE).err(), Some("exist"), "{path}");
    }
    assert_eq!(guest.write("in", "x"), Ok(()), "the twin that stays inside");
    assert_eq!(guest.read("pub/created").as_deref(), Ok("x"));
    assert!(!world.snapshot().contains_key("secret/created"));
    world.outside_is_unharmed();
}

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

fn a_read_only_grant_changes_nothing(world: &World) {
    tree(world);
    let (before, stat) = (world.snapshot(), world.admin().stat("top").unwrap());
    let guest = world.guest(&["read:/w/**"]);
    let (now, keep) = (NewTime::Now, NewTime::Keep);
    let file = guest.open("top", OPEN, READ).unwrap();
    let folder = guest.open_directory("pub").unwrap();
    let changed = |path: &str| guest.verb(|ns, base| ns.set_times_at(base, path, true, now, keep));
    for (what, answer) in [
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
    ] {
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

fn names_are_literal(world: &World) {
    let strange = ["*", "[a]", "{x,y}", "**", "a\nb", "-rf", "?", "a\\b", " ", "~", "$HOME", "a b"];
    for name in strange {
        world.add(&[(&format!("pub/{name}"), name), (&format!("secret/{name}"), "secret")]);
    }
    world.add(&[("secret/a", "secret"), ("pub/a", "a"), ("pub/x", "x")]);
    let guest = world.guest(&["read:/w/pub/**"]);
    for name in strange {
        assert_eq!(guest.read(&format!("pub/{name}")).as_deref(), Ok(name));
        assert_eq!(guest.read(&format!("secret/{name}")), Err("perm"), "{name:?}");
        assert_eq!(guest.read(name), Err("perm"), "{name:?}");
    }
    for path in ["*/file", "pub/../*/a", "{pub,secret}/a", "**/a", "s[e]cret/a"] {
        assert!(guest.read(path).is_err(), "{path}");
    }
    let one = world.guest(&["read:/w/pub/\\*"]);
    assert_eq!(one.read("pub/*").as_deref(), Ok("*"));
    assert_eq!(one.read("pub/a"), Err("perm"));
}

fn prefixes_are_whole_names(world: &World) {
    world.add(&[("data/x", "1"), ("data2/x", "2"), ("data/a/b", "3"), ("data.x", "4"), ("data/.hidden", "5")]);
    let tests: [(&str, &str, Result<&str, Code>); 10] = [
        ("read:/w/data/**", "data/x", Ok("1")),
        ("read:/w/data/**", "data2/x", Err("perm")),
        ("read:/w/data/**", "data.x", Err("perm")),
        ("read:/w/data/**", "data/a/b", Ok("3")),
        ("read:/w/data/**", "data/.hidden", Ok("5")),
        ("read:/w/data/*", "data/x", Ok("1")),
        ("read:/w/data/*", "data/a/b", Err("perm")),
        ("read:/w/data/*", "data/.hidden", Ok("5")),
        ("read:/w/data", "data/x", Err("perm")),
        ("read:/w/data?/x", "data2/x", Ok("2")),
    ];
    for (rule, path, answer) in tests {
        let guest = world.guest(&[rule]);
        assert_eq!(guest.read(path).as_deref().map_err(|code| *code), answer, "{rule} {path}");
    }
    assert_eq!(world.guest(&["read:/w/data/**"]).names("data"), [".hidden", "a", "x"]);
}

fn equal_spellings_are_one_object(world: &World) {
    tree(world);
    world.link("l", "secret");
    let guest = world.guest(&PUBLIC);
    for path in [
        "secret/file",
        "secret//file",
        "./secret/file",
        "secret/./file",
        "pub/../secret/file",
        "secret/inner/../file",
        "l/file",
        "l//file",
        "pub/deep/../../secret/./file",
        "l/../secret/file",
    ] {
        assert_eq!(guest.read(path), Err("perm"), "{path}");
    }
    for path in ["pub/file", "pub//file", "./pub/file", "pub/./file", "pub/deep/../file", "pub/deep/er/../../file"] {
        assert_eq!(guest.read(path).as_deref(), Ok("public"), "{path}");
    }
    let recorded = guest.denied();
    assert!(
        recorded.iter().all(|op| op.starts_with("read /w/secret") || op.starts_with("search /w/secret")),
        "{recorded:?}"
    );
}

fn bytes_that_mean_something_elsewhere_are_plain_names(world: &World) {
    let names =
        ["a\\..\\b", "C:", "f.txt::$DATA", "COM\u{b9}", "nul", "dot.", "space ", ".ENV", ".e\u{301}nv", ".\u{e9}nv"];
    for name in names {
        world.add(&[(name, name)]);
    }
    world.add(&[(".env", "secret")]);
    let guest = world.guest(&["read:/w/**", "!read:/w/.env"]);
    for name in names {
        assert_eq!(guest.read(name).as_deref(), Ok(name), "{name:?}");
    }
    for name in [".env", "./.env", ".//.env", "COM\u{b9}/../.env"] {
        assert_ne!(guest.read(name).as_deref(), Ok("secret"), "{name:?}");
    }
    for missing in [".Env", ".env ", ".env.", ".e\u{200b}nv", "\u{ff0e}env"] {
        assert_eq!(guest.read(missing), Err("noent"), "{missing:?}");
    }
}

fn malformed_paths_have_their_own_errors(world: &World) {
    tree(world);
    let guest = world.guest(&["write:/w/**"]);
    let (long_name, long_path) = ("n".repeat(256), "p/".repeat(2500));
    let many = "a/".repeat(1001);
    let (fits, deep) = ("n".repeat(255), format!("{}top", "./".repeat(900)));
    for (path, expected) in [
        ("", "noent"),
        ("\0", "inval"),
        ("top\0", "inval"),
        (&long_name, "nametoolong"),
        (&long_path, "nametoolong"),
        (&many, "nametoolong"),
        (&format!("pub/{long_name}/x"), "nametoolong"),
    ] {
        for answer in [
            guest.read(path).err(),
            guest.write(path, "x").err(),
            guest.stat(path).err(),
            guest.mkdir(path).err(),
            guest.unlink(path).err(),
            guest.rmdir(path).err(),
            guest.rename(path, "x").err(),
            guest.rename("top", path).err(),
            guest.hard_link("top", path).err(),
            guest.symlink("x", path).err(),
            guest.ns.metadata_hash_at(&guest.base, path, true).err().map(|error| code(&error)),
        ] {
            assert_eq!(answer, Some(expected), "{} bytes", path.len());
        }
    }
    for (target, expected) in [("", "noent"), ("a\0b", "inval"), (long_path.as_str(), "nametoolong")] {
        assert_eq!(guest.symlink(target, "l"), Err(expected));
    }
    assert_eq!(guest.write(&fits, "x"), Ok(()));
    assert_eq!(guest.read(&deep).as_deref(), Ok("top"));
}

fn chains_and_bombs_of_links_end(world: &World) {
    tree(world);
    let guest = world.guest(&["write:/w/**"]);
    world.link("chain0", "top");
    for number in 1..60 {
        world.link(&format!("chain{number}"), &format!("chain{}", number - 1));
    }
    assert_eq!(guest.read("chain39").as_deref(), Ok("top"), "40 links");
    assert_eq!(guest.read("chain40"), Err("loop"), "41 links");
    assert_eq!(guest.write("chain59", "x"), Err("loop"));
    world.link("self", "self");
    world.link("ping", "pong");
    world.link("pong", "ping");
    world.link("under", "under/x");
    for path in ["self", "ping", "pong/x", "under", "under/../x"] {
        assert_eq!(guest.read(path), Err("loop"), "{path}");
    }
    // Each link doubles the names to go.
    world.add(&[("z/", "")]);
    for (name, next) in ('a'..'z').zip('b'..='z') {
        world.link(&name.to_string(), &format!("{next}/../{next}"));
    }
    assert_eq!(guest.read("a"), Err("loop"));
}

fn nothing_tells_a_denied_name_from_a_missing_one(world: &World) {
    tree(world);
    world.link("secret/link", "file");
    for rules in [
        &["write:/w/**", "!read:/w/secret/**"][..],
        &["write:/w/pub/**"],
        // Children are denied, and what is below them is not: their names must not show all the same.
        &["write:/w/**", "!read:/w/secret/*"],
        &["write:/w/**", "!read:/w/secret/{file,missing,link}"],
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
        for there in ["secret/file", "secret/link"] {
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
    let refused = guest.ns.open_at(&guest.base, "top", true, OPEN, READ);
    assert!(
        matches!(&refused, Err(FsError::NotPermitted(Some(denied))) if denied.hint.contains("read:/w/top")),
        "{refused:?}"
    );
    let guest = world.guest(&["read:/w/pub/**"]);
    assert_eq!(guest.read("pub/file").as_deref(), Ok("public"));
    assert_eq!(guest.names("pub"), ["deep", "file"]);
    assert_eq!(guest.denied(), Vec::<String>::new(), "what is left out of a listing is no refusal");
}

fn opening(world: &World) {
    tree(world);
    let guest = world.guest(&["write:/w/**"]);
    let directory = OpenFlags { directory: true, ..OPEN };
    for (what, answer, expected) in [
        ("a missing file", guest.open("missing", OPEN, READ).err(), "noent"),
        ("below a missing directory", guest.open("missing/x", CREATE, WRITE).err(), "noent"),
        ("below a file", guest.open("top/x", OPEN, READ).err(), "notdir"),
        ("a file as a directory", guest.open("top", directory, READ).err(), "notdir"),
        ("a missing directory", guest.open("missing", directory, READ).err(), "noent"),
        ("a directory to write", guest.open("pub", OPEN, WRITE).err(), "isdir"),
        ("a directory to cut", guest.open("pub", TRUNCATE, READ).err(), "isdir"),
        ("a directory to create", guest.open("pub", CREATE, READ).err(), "isdir"),
        ("a directory to create anew", guest.open("pub", CREATE_NEW, READ).err(), "exist"),
        ("a file to create anew", guest.open("top", CREATE_NEW, WRITE).err(), "exist"),
        ("the base to create", guest.open(".", CREATE, WRITE).err(), "isdir"),
        (
            "flags that exclude each other",
            guest.open("x", OpenFlags { directory: true, ..CREATE }, READ).err(),
            "inval",
        ),
        (
            "flags that exclude each other",
            guest.open("x", OpenFlags { directory: true, ..TRUNCATE }, READ).err(),
            "inval",
        ),
    ] {
        assert_eq!(answer, Some(expected), "{what}");
    }
    assert_eq!(guest.open("pub", directory, READ).unwrap().kind(), EntryKind::Directory);
    assert_eq!(guest.open("pub", OPEN, READ).unwrap().kind(), EntryKind::Directory);
    let plain = guest.open("top", OPEN, DescriptorFlags::default()).unwrap();
    assert_eq!(plain.flags(), READ, "without a direction a file is opened to read");
    let made = guest.open("made", CREATE_NEW, BOTH).unwrap();
    assert_eq!(guest.ns.write_at(&made, 0, b"made").ok(), Some(4));
    assert_eq!(guest.ns.read_at(&made, 0, 9).unwrap(), b"made");
    let appended = guest.open("made", CREATE, WRITE).unwrap();
    assert_eq!(guest.ns.append(&appended, b"!").ok(), Some(1));
    assert_eq!(guest.read("made").as_deref(), Ok("made!"));
    drop(guest.open("made", TRUNCATE, READ).unwrap());
    assert_eq!(guest.read("made").as_deref(), Ok(""));
    // A file that is open stays open without a name.
    assert_eq!(guest.unlink("made"), Ok(()));
    assert_eq!(guest.ns.append(&appended, b"gone").ok(), Some(4));
    assert_eq!(guest.ns.read_at(&made, 0, 9).unwrap(), b"gone");
}

fn renaming(world: &World) {
    world.add(&[("f", "f"), ("g", "g"), ("d/x", "x"), ("e/", ""), ("e2/", "")]);
    world.link("l", "f");
    let guest = world.guest(&["write:/w/**"]);
    for (old, new, expected) in [
        ("missing", "x", "noent"),
        ("missing", "f", "noent"),
        ("f", "missing/x", "noent"),
        ("f", "g/x", "notdir"),
        ("f", "d", "isdir"),
        ("d", "f", "notdir"),
        ("e", "d", "notempty"),
        ("d", "d/y", "inval"),
        ("d", "d/x/y", "notdir"),
        (".", "x", "busy"),
        ("d", ".", "busy"),
        ("d/..", "x", "busy"),
        ("d/x", "d", "isdir"),
    ] {
        assert_eq!(guest.rename(old, new), Err(expected), "{old} {new}");
    }
    for (old, new) in [
        ("f", "f"),
        ("d", "d"),
        ("l", "l"),
        ("f", "d/f"),
        ("d/f", "f"),
        ("g", "f"),
        ("e", "e2"),
        ("d", "e2"),
        ("l", "l2"),
    ] {
        assert_eq!(guest.rename(old, new), Ok(()), "{old} {new}");
    }
    assert_eq!(guest.names("."), ["e2", "f", "l2"]);
    assert_eq!((guest.read("f").as_deref(), guest.read("e2/x").as_deref()), (Ok("g"), Ok("x")));
    // Two names of one file: nothing is to be done.
    assert_eq!(guest.hard_link("f", "same"), Ok(()));
    assert_eq!(guest.rename("f", "same"), Ok(()));
    assert_eq!(guest.names("."), ["e2", "f", "l2", "same"]);
}

fn removing(world: &World) {
    world.add(&[("f", "f"), ("d/x", "x"), ("e/", "")]);
    world.link("l", "d");
    world.link("dangling", "nowhere");
    let guest = world.guest(&["write:/w/**"]);
    for (what, answer, expected) in [
        ("unlink missing", guest.unlink("missing").err(), "noent"),
        ("unlink a directory", guest.unlink("e").err(), "isdir"),
        ("unlink the base", guest.unlink(".").err(), "isdir"),
        ("rmdir missing", guest.rmdir("missing").err(), "noent"),
        ("rmdir a file", guest.rmdir("f").err(), "notdir"),
        ("rmdir a link", guest.rmdir("l").err(), "notdir"),
        ("rmdir a link with a slash", guest.rmdir("l/").err(), "notdir"),
        ("rmdir a full directory", guest.rmdir("d").err(), "notempty"),
        ("rmdir the base", guest.rmdir(".").err(), "inval"),
        ("rmdir by ..", guest.rmdir("d/..").err(), "inval"),
    ] {
        assert_eq!(answer, Some(expected), "{what}");
    }
    for path in ["l", "dangling", "f", "d/x"] {
        assert_eq!(guest.unlink(path), Ok(()), "{path}");
    }
    let held = guest.open_directory("d").unwrap();
    assert_eq!((guest.rmdir("d"), guest.rmdir("e")), (Ok(()), Ok(())));
    assert_eq!(guest.names("."), Vec::<String>::new());
    // A directory that is only held is of no use.
    let create = guest.ns.open_at(&held, "x", true, CREATE, WRITE);
    assert!(create.is_err_and(|error| code(&error) == "noent"));
    assert_eq!(guest.list_open(&held), Ok(Vec::new()));
}

fn hard_links(world: &World) {
    world.add(&[("f", "f"), ("d/", ""), ("g", "g")]);
    world.link("l", "f");
    let guest = world.guest(&["write:/w/**"]);
    for (old, new, expected) in [
        ("missing", "x", "noent"),
        ("f", "g", "exist"),
        ("f", "d", "exist"),
        ("f", "f", "exist"),
        ("d", "x", "perm"),
        (".", "x", "perm"),
        ("f", "missing/x", "noent"),
    ] {
        assert_eq!(guest.hard_link(old, new), Err(expected), "{old} {new}");
    }
    assert_eq!(guest.hard_link("f", "d/f"), Ok(()));
    assert_eq!((guest.stat("f").unwrap().links, guest.stat("d/f").unwrap().links), (2, 2));
    // A link itself, and what it leads to when it is followed.
    assert_eq!(guest.hard_link("l", "l2"), Ok(()));
    assert_eq!(guest.ns.stat_at(&guest.base, "l2", false).unwrap().kind, EntryKind::Link);
    assert_eq!(guest.verb(|ns, base| ns.link_at(base, "l", true, base, "f3")), Ok(()));
    assert_eq!(guest.ns.stat_at(&guest.base, "f3", false).unwrap().kind, EntryKind::File);
    assert_eq!(guest.stat("f").unwrap().links, 3);
    assert_eq!(guest.unlink("f"), Ok(()));
    assert_eq!((guest.read("f3").as_deref(), guest.stat("f3").unwrap().links), (Ok("f"), 2));
}

fn making_directories_and_links(world: &World) {
    world.add(&[("f", "f"), ("d/", "")]);
    world.link("l", "d");
    world.link("dangling", "nowhere");
    let guest = world.guest(&["write:/w/**"]);
    for path in ["f", "d", "l", "dangling", ".", "d/..", "d/.", "l/"] {
        assert_eq!(guest.mkdir(path), Err("exist"), "{path}");
        assert_eq!(guest.symlink("x", path), Err("exist"), "{path}");
    }
    assert_eq!((guest.mkdir("x/y"), guest.mkdir("f/y")), (Err("noent"), Err("notdir")));
    assert_eq!((guest.mkdir("d/y"), guest.mkdir("l/z")), (Ok(()), Ok(())));
    assert_eq!(guest.symlink("some where/else", "d/l"), Ok(()));
    assert_eq!(guest.ns.read_link_at(&guest.base, "d/l").unwrap(), "some where/else");
    assert_eq!(guest.ns.stat_at(&guest.base, "d/l", false).unwrap().size, 15);
    assert_eq!(guest.names("d"), ["l", "y", "z"]);
}

fn metadata(world: &World) {
    world.add(&[("f", "four"), ("d/a/", ""), ("d/b/", "")]);
    let guest = world.guest(&["write:/w/**"]);
    let file = guest.stat("f").unwrap();
    assert_eq!((file.kind, file.size, file.links), (EntryKind::File, 4, 1));
    for path in ["d", "d/", ".", "d/a/.."] {
        let folder = guest.stat(path).unwrap();
        assert_eq!((folder.kind, folder.size, folder.links), (EntryKind::Directory, 0, 1), "{path}");
    }
    let open = guest.open("f", OPEN, BOTH).unwrap();
    assert_eq!(guest.ns.stat(&open).unwrap(), file);
    let at = |seconds, nanoseconds| NewTime::At(Timestamp { seconds, nanoseconds });
    guest.ns.set_times(&open, at(5, 123_456_789), at(1_000_000_000, 999_999_999)).unwrap();
    let file = guest.stat("f").unwrap();
    assert_eq!(file.accessed, Some(Timestamp { seconds: 5, nanoseconds: 123_000_000 }), "in steps of 1 ms");
    assert_eq!(file.modified, Some(Timestamp { seconds: 1_000_000_000, nanoseconds: 999_000_000 }));
    guest.ns.set_times(&open, NewTime::Keep, NewTime::Keep).unwrap();
    assert_eq!(guest.stat("f").unwrap().modified, file.modified);
    assert_eq!(guest.verb(|ns, base| ns.set_times_at(base, "f", true, NewTime::Keep, NewTime::Now)), Ok(()));
    let file = guest.stat("f").unwrap();
    assert!(
        file.modified > Some(Timestamp { seconds: 1_700_000_000, nanoseconds: 0 })
            && file.accessed.unwrap().seconds == 5
    );
    assert_eq!(guest.verb(|ns, base| ns.set_times_at(base, "d", true, at(1, 0), at(2, 0))), Ok(()));
    assert_eq!(guest.stat("d").unwrap().modified, Some(Timestamp { seconds: 2, nanoseconds: 0 }));
    // Of a link itself, and of where it leads.
    world.link("l", "f");
    assert_eq!(guest.verb(|ns, base| ns.set_times_at(base, "l", false, at(7, 0), at(7, 0))), Ok(()));
    assert_ne!(guest.stat("f").unwrap().modified.unwrap().seconds, 7);
    assert_eq!(guest.verb(|ns, base| ns.set_times_at(base, "l", true, at(8, 0), at(8, 0))), Ok(()));
    assert_eq!(guest.stat("f").unwrap().modified.unwrap().seconds, 8);
    assert_eq!(guest.ns.stat_at(&guest.base, "l", false).unwrap().modified.unwrap().seconds, 7);
}

fn times_out_of_range_are_refused(world: &World) {
    world.add(&[("f", "f")]);
    let guest = world.guest(&["write:/w/**"]);
    let before = guest.stat("f").unwrap();
    let file = guest.open("f", OPEN, BOTH).unwrap();
    let at = |seconds, nanoseconds| NewTime::At(Timestamp { seconds, nanoseconds });
    for (time, expected) in [
        (at(0, 1_000_000_000), "inval"),
        (at(0, u32::MAX), "inval"),
        (at(u64::MAX, 0), "overflow"),
        (at(1 << 63, 0), "overflow"),
        (at(u64::MAX, u32::MAX), "inval"),
    ] {
        for (accessed, modified) in [(time, NewTime::Keep), (NewTime::Keep, time)] {
            let open = guest.ns.set_times(&file, accessed, modified).map_err(|error| code(&error));
            let named = guest.verb(|ns, base| ns.set_times_at(base, "f", true, accessed, modified));
            let folder = guest.verb(|ns, base| ns.set_times_at(base, ".", true, accessed, modified));
            assert_eq!((open, named, folder), (Err(expected), Err(expected), Err(expected)), "{time:?}");
        }
    }
    assert_eq!(guest.stat("f").unwrap(), before);
    assert!(guest.ns.set_times(&file, at(0, 0), at(4_000_000_000, 0)).is_ok());
}

fn content(world: &World) {
    let guest = world.guest(&["write:/w/**"]);
    let file = guest.open("f", CREATE, BOTH).unwrap();
    assert_eq!(guest.ns.read_at(&file, 0, 10).unwrap(), b"");
    assert_eq!(guest.ns.write_at(&file, 0, b"").ok(), Some(0));
    assert_eq!(guest.ns.write_at(&file, 100, b"").ok(), Some(0), "nothing written, nothing extended");
    assert_eq!(guest.ns.stat(&file).unwrap().size, 0);
    assert_eq!(guest.ns.write_at(&file, 70_000, b"end").ok(), Some(3));
    assert_eq!(guest.ns.stat(&file).unwrap().size, 70_003);
    assert_eq!(guest.ns.read_at(&file, 69_998, 10).unwrap(), b"\0\0end");
    assert_eq!(guest.ns.read_at(&file, 65_530, 4).unwrap(), [0; 4]);
    assert_eq!(guest.ns.read_at(&file, 70_003, 10).unwrap(), b"");
    assert_eq!(guest.ns.read_at(&file, 1 << 62, 10).unwrap(), b"");
    assert_eq!(guest.ns.read_at(&file, u64::MAX, 10).map_err(|error| code(&error)), Err("inval"));
    assert_eq!(guest.ns.read_at(&file, 0, 0).unwrap(), b"");
    guest.ns.set_size(&file, 70_001).unwrap();
    guest.ns.set_size(&file, 70_003).unwrap();
    assert_eq!(guest.ns.read_at(&file, 70_000, 10).unwrap(), b"e\0\0", "what was cut does not come back");
    assert_eq!(guest.ns.append(&file, b"more").ok(), Some(4));
    assert_eq!(guest.ns.read_at(&file, 70_000, 10).unwrap(), b"e\0\0more");
    guest.ns.set_size(&file, 0).unwrap();
    assert_eq!(guest.ns.append(&file, b"again").ok(), Some(5));
    assert_eq!(guest.read("f").as_deref(), Ok("again"));
    assert!(guest.ns.sync(&file).is_ok() && guest.ns.sync(&guest.base).is_ok());
    // A read is bounded, whatever is asked for.
    guest.ns.set_size(&file, 3 << 20).unwrap();
    for length in [1 << 20, usize::MAX] {
        assert_eq!(guest.ns.read_at(&file, 1, length).unwrap().len(), 1 << 20);
    }
}

fn identities(world: &World) {
    world.add(&[("f", "f"), ("g", "g"), ("d/", "")]);
    let guest = world.guest(&["write:/w/**"]);
    guest.hard_link("f", "d/f").unwrap();
    let hash = |path| guest.ns.metadata_hash_at(&guest.base, path, true).unwrap();
    let open = |path| guest.open(path, OPEN, READ).unwrap();
    assert_eq!(hash("f"), hash("d/f"));
    assert_eq!(hash("f"), guest.ns.metadata_hash(&open("f")).unwrap());
    assert_eq!(hash("d"), guest.ns.metadata_hash(&open("d")).unwrap());
    assert_ne!(hash("f"), hash("g"));
    assert_ne!(hash("f"), hash("d"));
    assert!(open("f").is_same(&open("d/f")) && open("d").is_same(&open("d/../d")));
    assert!(!open("f").is_same(&open("g")) && !open("f").is_same(&open("d")));
    // It is the same after a change and a move: it is what programs take for an inode number.
    let before = hash("f");
    guest.write("f", "other").unwrap();
    guest.rename("f", "h").unwrap();
    assert_eq!(hash("h"), before);
}
