//! What only a directory of the host has: devices, pipes, sockets, names that are not UTF-8, the kernel's file systems, modes.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use caplet_vfs::host::OpenError;
use caplet_vfs::{FileSystem as _, HostStore};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::world::{BOTH, CREATE, CREATE_NEW, OPEN, READ, TRUNCATE, WRITE, World};

fn mknod(path: &Path, kind: FileType, device: u64) -> bool {
    mknodat(CWD, path, kind, Mode::from_raw_mode(0o666), device).is_ok()
}

#[test]
fn devices_pipes_and_sockets_are_refused_at_once() {
    let world = World::host();
    let path = world.path().unwrap();
    world.add(&[("file", "file")]);
    assert!(mknod(&path.join("fifo"), FileType::Fifo, 0));
    let _listener = UnixListener::bind(path.join("socket")).unwrap();
    let mut special = vec!["fifo", "socket", "link-to-fifo", "link-to-fifo/"];
    symlink("fifo", path.join("link-to-fifo")).unwrap();
    // Only root can make these; the rest of the test does not need them.
    if mknod(&path.join("zero"), FileType::CharacterDevice, makedev(1, 5)) {
        special.push("zero");
    }
    if mknod(&path.join("loop"), FileType::BlockDevice, makedev(7, 200)) {
        special.push("loop");
    }
    let guest = world.guest(&["write:/w/**"]);
    let started = Instant::now();
    for name in &special {
        for (what, answer) in [
            ("read", guest.read(name).err()),
            ("write", guest.open(name, OPEN, WRITE).err()),
            ("both", guest.open(name, OPEN, BOTH).err()),
            ("create", guest.open(name, CREATE, WRITE).err()),
            ("truncate", guest.open(name, TRUNCATE, READ).err()),
            ("stat", guest.stat(name).err()),
            ("below", guest.read(&format!("{name}/x")).err()),
        ] {
            assert_eq!(answer, Some("perm"), "{what} {name}");
        }
        if !name.starts_with("link") {
            assert_eq!(guest.hard_link(name, "x"), Err("perm"), "{name}");
            assert_eq!(guest.rename(name, "x"), Err("perm"), "{name}");
            assert_eq!(guest.unlink(name), Err("perm"), "{name}");
            assert!(guest.denied().contains(&format!("read /w/{name}")), "{name}: {:?}", guest.denied());
        }
    }
    assert!(started.elapsed() < Duration::from_secs(5), "something blocked");
    assert_eq!(guest.names("."), ["file", "link-to-fifo"], "they do not show either");
    assert_eq!(guest.read("file").as_deref(), Ok("file"), "the twin");
    // Nor are they known where a file would not be.
    let denied = world.guest(&["read:/w/**", "!read:/w/{fifo,gone}"]);
    assert_eq!(
        (denied.stat("fifo").err(), denied.open_directory("fifo").err()),
        (denied.stat("gone").err(), denied.open_directory("gone").err())
    );
}

#[test]
fn the_kernels_own_file_systems_are_not_mounted() {
    let directory = tempfile::tempdir().unwrap();
    symlink("/proc/self", directory.path().join("l")).unwrap();
    for path in
        ["/proc", "/proc/self", "/proc/self/root/proc", "/proc/self/fd", "/sys", "/sys/kernel", "/dev", "/dev/."]
    {
        let opened = HostStore::open(path);
        assert!(matches!(opened, Err(OpenError::System { .. })), "{path}: {opened:?}");
    }
    let opened = HostStore::open(directory.path().join("l"));
    assert!(matches!(opened, Err(OpenError::System { .. })), "{opened:?}");
    let missing = HostStore::open(directory.path().join("missing")).unwrap_err();
    assert!(
        matches!(missing, OpenError::Missing(_)) && missing.to_string().starts_with("there is no directory"),
        "{missing}"
    );
    fs::write(directory.path().join("file"), "").unwrap();
    let file = HostStore::open(directory.path().join("file")).unwrap_err();
    assert!(matches!(file, OpenError::NotDirectory(_)), "{file}");
    // A link to a directory of files is fine: a person has named it.
    fs::create_dir(directory.path().join("d")).unwrap();
    symlink("d", directory.path().join("to-d")).unwrap();
    let store = HostStore::open(directory.path().join("to-d")).unwrap();
    assert!(store.describe().starts_with("host directory ") && !store.may_block());
}

#[test]
fn a_directory_that_nobody_named_is_not_opened_through_links() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path();
    fs::create_dir_all(base.join("real/deep/er")).unwrap();
    fs::write(base.join("real/file"), "").unwrap();
    symlink("real", base.join("l")).unwrap();
    symlink("er", base.join("real/deep/l")).unwrap();
    let open = |path: &str| HostStore::open_without_links(base.join(path), base);
    assert!(open("real/deep/er").is_ok() && open("").is_ok());
    for (path, link) in [("l", "l"), ("l/deep", "l"), ("real/deep/l", "real/deep/l"), ("real/deep/l/x", "real/deep/l")]
    {
        let opened = open(path).unwrap_err();
        assert!(matches!(&opened, OpenError::Link(at) if *at == base.join(link)), "{path}: {opened}");
    }
    assert!(matches!(open("missing"), Err(OpenError::Missing(_))));
    assert!(matches!(open("real/file"), Err(OpenError::NotDirectory(_))));
    assert!(matches!(HostStore::open_without_links("/proc/self", base), Err(OpenError::Link(_))));
    assert!(matches!(HostStore::open_without_links("/proc/sys", base), Err(OpenError::System { .. })));
    // What is trusted may itself be reached through a link.
    assert!(HostStore::open_without_links(base.join("l/deep"), base.join("l")).is_ok());
}

#[test]
fn the_kernels_own_file_systems_are_not_entered_from_above() {
    let Ok(store) = HostStore::open("/") else { return };
    let world: std::sync::Arc<dyn caplet_vfs::FileSystem> = std::sync::Arc::new(store);
    let guest = crate::world::Guest::new(&[("/w", &world)], &["write:/w/**"]);
    for path in [
        "proc",
        "proc/self/environ",
        "proc/self/root/etc/passwd",
        "proc/1/fd",
        "sys",
        "sys/kernel/vmcoreinfo",
        "dev",
        "dev/zero",
        "dev/pts",
    ] {
        assert_eq!(guest.read(path), Err("perm"), "{path}");
        assert_eq!(guest.stat(path).err(), Some("perm"), "{path}");
    }
    assert!(guest.read("etc/hostname").is_ok() || guest.read("etc/passwd").is_ok(), "the twin");
}

#[test]
fn names_that_are_not_utf8_do_not_show_and_lead_nowhere() {
    let world = World::host();
    let path = world.path().unwrap();
    let strange = std::ffi::OsStr::from_bytes(b"stra\xffnge");
    fs::write(path.join(strange), "x").unwrap();
    symlink(strange, path.join("to-strange")).unwrap();
    world.add(&[("file", "file")]);
    let guest = world.guest(&["write:/w/**"]);
    assert_eq!(guest.names("."), ["file", "to-strange"]);
    assert_eq!(guest.read("to-strange"), Err("ilseq"));
    assert_eq!(guest.ns.read_link_at(&guest.base, "to-strange").err().map(|e| crate::world::code(&e)), Some("ilseq"));
    assert_eq!(guest.read("stra\u{fffd}nge"), Err("noent"));
}

#[test]
fn what_is_made_has_plain_modes() {
    let world = World::host();
    let path = world.path().unwrap();
    let guest = world.guest(&["write:/w/**"]);
    // A directory that hands down its group must not lead to more than that.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o2755)).unwrap();
    assert_eq!((guest.write("file", "x"), guest.mkdir("d"), guest.symlink("file", "l")), (Ok(()), Ok(()), Ok(())));
    let mode = |name: &str| fs::symlink_metadata(path.join(name)).unwrap().mode();
    assert_eq!(mode("file") & 0o7133, 0, "{:o}", mode("file"));
    assert_eq!(mode("d") & 0o5022, 0, "{:o}", mode("d"));
    assert_eq!(fs::metadata(path.join("file")).unwrap().permissions().mode() & 0o600, 0o600);
    // Whatever is there already stays as it is.
    fs::set_permissions(path.join("file"), fs::Permissions::from_mode(0o4755)).unwrap();
    assert_eq!(guest.open("file", CREATE_NEW, WRITE).err(), Some("exist"));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 3, "no temporary files");
}

#[test]
fn a_hard_link_that_is_there_already_is_a_name_like_any_other() {
    let world = World::host();
    let path = world.path().unwrap();
    fs::hard_link(path.parent().unwrap().join("outside"), path.join("name")).unwrap();
    let guest = world.guest(&["read:/w/**"]);
    assert_eq!(guest.read("name").as_deref(), Ok("outside"));
    assert_eq!(guest.write("name", "x"), Err("perm"), "the rules on its name decide");
    world.outside_is_unharmed();
}

#[test]
fn metadata_tells_nothing_about_the_host() {
    let world = World::host();
    let path = world.path().unwrap();
    world.add(&[("file", "file"), ("d/", "")]);
    let guest = world.guest(&["read:/w/**"]);
    let other = HostStore::open(&path).unwrap();
    let other: std::sync::Arc<dyn caplet_vfs::FileSystem> = std::sync::Arc::new(other);
    let twin = crate::world::Guest::new(&[("/w", &other)], &["read:/w/**"]);
    for name in ["file", "d", "."] {
        let (low, high) = guest.ns.metadata_hash_at(&guest.base, name, true).unwrap();
        let found = fs::metadata(path.join(name)).unwrap();
        for number in [low, high] {
            assert!(number != found.ino() && number != found.dev(), "{name}");
        }
        assert_eq!((low, high), guest.ns.metadata_hash_at(&guest.base, name, true).unwrap(), "{name}: stable");
        assert_ne!(
            (low, high),
            twin.ns.metadata_hash_at(&twin.base, name, true).unwrap(),
            "{name}: keyed for each store"
        );
    }
}

#[test]
fn a_handle_is_let_go_with_its_descriptor() {
    let world = World::host();
    world.add(&[("d/file", "x")]);
    let guest = world.guest(&["write:/w/**"]);
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    // Other tests of the same process may open and close meanwhile, so only a real leak is told from that.
    let before = open();
    for _ in 0..2000 {
        drop(guest.read("d/file"));
        drop(guest.read("d/missing"));
        drop(guest.read("d/file/x"));
        drop(guest.list("d"));
        assert_eq!((guest.rename("d/file", "d/file2"), guest.rename("d/file2", "d/file")), (Ok(()), Ok(())));
    }
    assert!(open() < before + 500);
}

#[test]
fn a_store_does_not_mind_when_its_directory_is_moved() {
    let world = World::host();
    world.add(&[("file", "x")]);
    let path = world.path().unwrap();
    let guest = world.guest(&["write:/w/**"]);
    fs::rename(&path, path.parent().unwrap().join("moved")).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("file"), "another").unwrap();
    assert_eq!(guest.read("file").as_deref(), Ok("x"), "it was opened once");
}
