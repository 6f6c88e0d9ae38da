//! How paths are read: climbing, spelling, malformed ones, what a slash at the end means.

use super::{PUBLIC, tree};
use crate::world::{CREATE, Code, WRITE, World, code, on_every_store};

on_every_store!(
    paths_that_climb_are_refused_whether_or_not_the_target_exists,
    absolute_paths_are_refused,
    a_slash_at_the_end_means_a_directory,
    names_are_literal,
    prefixes_are_whole_names,
    equal_spellings_are_one_object,
    bytes_that_mean_something_elsewhere_are_plain_names,
    malformed_paths_have_their_own_errors,
);

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
