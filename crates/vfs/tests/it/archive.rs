//! The files of a store as a tar archive, read back by the system's `tar`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use caplet_vfs::{NewTime, Timestamp, write_tar};

use crate::world::{World, on_every_store};

on_every_store!(
    what_is_in_a_store_is_in_its_archive,
    names_of_every_kind_come_through,
    a_store_without_files_is_an_archive_without_entries,
);

/// Has the system's `tar` do something with the archive of the world.
fn tar(world: &World, at: &Path, words: &[&str]) -> String {
    let archive = at.join("archive.tar");
    let mut bytes = Vec::new();
    write_tar(world.store.as_ref(), &mut bytes).unwrap();
    fs::write(&archive, bytes).unwrap();
    let mut command = Command::new("tar");
    command.current_dir(at).env("LC_ALL", "C").env("TZ", "UTC").args(words).arg("-f").arg(&archive);
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Unpacks it, and gives what came of it, in the words of [`World::snapshot`].
fn unpacked(world: &World, at: &Path) -> BTreeMap<String, String> {
    let out = at.join("out");
    fs::create_dir(&out).unwrap();
    tar(world, at, &["-x", "-C", "out"]);
    let mut found = BTreeMap::new();
    let mut left = vec![out.clone()];
    while let Some(path) = left.pop() {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let stat = fs::symlink_metadata(&path).unwrap();
            let content = if stat.is_dir() {
                left.push(path.clone());
                "<directory>".to_owned()
            } else if stat.is_symlink() {
                format!("-> {:?}", Ok::<_, ()>(fs::read_link(&path).unwrap().to_str().unwrap().to_owned()))
            } else {
                String::from_utf8(fs::read(&path).unwrap()).unwrap()
            };
            let name = path.strip_prefix(&out).unwrap().as_os_str().as_bytes();
            found.insert(String::from_utf8(name.to_vec()).unwrap(), content);
        }
    }
    found
}

fn what_is_in_a_store_is_in_its_archive(world: &World) {
    let large = "0123456789\n".repeat(300_000);
    world.add(&[("a/b/c/file", "content"), ("a/empty/", ""), ("large", &large), ("nothing", ""), ("z", "last")]);
    let admin = world.admin();
    admin.hard_link("z", "a/second name").unwrap();
    let at = NewTime::At(Timestamp { seconds: 1_000_000_000, nanoseconds: 5 });
    admin.verb(|ns, base| ns.set_times_at(base, "z", true, at, at)).unwrap();
    for (name, target) in [("link", "a/b/c/file"), ("dangling", "no/where"), ("out", "../../outside")] {
        world.link(name, target);
    }
    let directory = tempfile::tempdir().unwrap();
    let mut expected = world.snapshot();
    // A guest is not told where a link leads that leads out; its owner is.
    expected.insert("out".to_owned(), r#"-> Ok("../../outside")"#.to_owned());
    assert_eq!(unpacked(world, directory.path()), expected);
    let stat = |name: &str| fs::symlink_metadata(directory.path().join("out").join(name)).unwrap();
    let umask = u32::try_from(umask()).unwrap();
    assert_eq!(stat("a").permissions().mode() & 0o7777, 0o755 & !umask);
    assert_eq!(stat("z").permissions().mode() & 0o7777, 0o644 & !umask, "nothing can be run, or lends rights");
    assert_eq!(stat("z").mtime(), 1_000_000_000);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(Duration::from_secs(stat("large").mtime().unsigned_abs()) + Duration::from_secs(600) > now);
    // Each directory comes before what is in it, and names in order, so that the same files make the same archive.
    let listed = tar(world, directory.path(), &["-t"]);
    let expected = "a/ a/b/ a/b/c/ a/b/c/file a/empty/ a/second\\ name dangling large link nothing out z";
    let listed: Vec<String> = listed.lines().map(|line| line.replace(' ', "\\ ")).collect();
    assert_eq!(listed.join(" "), expected);
}

/// What the process takes from the modes of new files.
fn umask() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    i64::from_str_radix(line.trim(), 8).unwrap()
}

fn names_of_every_kind_come_through(world: &World) {
    let long = "n".repeat(255);
    let deep = ["d".repeat(200), "e".repeat(200), "f".repeat(200)].join("/");
    let admin = world.admin();
    let names = [
        &long,
        "-rf",
        "--checkpoint-action=exec=touch pwned",
        "two\nlines",
        "tab\tand\u{1b}[31m",
        "back\\slash",
        "'quotes\"",
        "*",
        "...",
        " ",
        "\u{e9}\u{301}",
        "C:",
        "a:b",
        "{x}",
    ];
    for name in names {
        admin.write(name, name).unwrap();
    }
    for (end, _) in deep.match_indices('/').chain([(deep.len(), "")]) {
        admin.mkdir(&deep[..end]).unwrap();
    }
    admin.write(&format!("{deep}/{}", "g".repeat(200)), "deep").unwrap();
    world.link("long link", &"t/".repeat(200));
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(unpacked(world, directory.path()), world.snapshot());
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing beside it: {left:?}");
}

fn a_store_without_files_is_an_archive_without_entries(world: &World) {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(tar(world, directory.path(), &["-t"]), "");
}
