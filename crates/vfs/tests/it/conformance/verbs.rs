//! Each verb, where it is permitted: what it does, and how it fails.

use caplet_vfs::{DescriptorFlags, EntryKind, NewTime, OpenFlags, Timestamp};

use super::tree;
use crate::world::{BOTH, CREATE, CREATE_NEW, OPEN, READ, TRUNCATE, WRITE, World, code, on_every_store};

on_every_store!(
    opening,
    renaming,
    removing,
    making_directories_and_links,
    metadata,
    times_out_of_range_are_refused,
    content,
    identities,
);

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
