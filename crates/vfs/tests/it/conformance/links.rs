//! Symbolic and hard links, found and planted.

use caplet_vfs::EntryKind;

use super::{PUBLIC, tree};
use crate::world::{CREATE, CREATE_NEW, CREATE_TRUNCATE, WRITE, World, code, on_every_store};

on_every_store!(
    links_lead_only_where_rules_allow,
    links_are_resolved_as_objects_and_not_as_text,
    a_link_that_is_not_followed_is_not_opened,
    a_slash_at_the_end_never_reaches_through_a_link,
    planted_links_lead_nowhere_new,
    a_file_is_not_created_through_a_link_that_leads_out,
    chains_and_bombs_of_links_end,
    hard_links,
);

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
    let letters: Vec<char> = ('a'..='z').collect();
    for pair in letters.windows(2) {
        world.link(&pair[0].to_string(), &format!("{next}/../{next}", next = pair[1]));
    }
    assert_eq!(guest.read("a"), Err("loop"));
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
