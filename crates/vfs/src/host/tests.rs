//! Where there is no procfs, objects are opened again by name; and directories that seem to fold names.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use caplet_policy::{
    FilesystemSection, Guard, GuestPath, Journal, Layer, LayerKind, Permitted, Policy, Read, Search, Write,
};

use super::HostStore;
use crate::store::{Access, Entity};
use crate::{FileSystem as _, FsError, Name, NodeRef};

struct Tokens {
    search: Permitted<Search>,
    read: Permitted<Read>,
    write: Permitted<Write>,
}

fn tokens() -> Tokens {
    let policy = Policy::new(Layer::open(LayerKind::Operator));
    let guard: Guard<FilesystemSection> = policy.guard(&Arc::new(Journal::new()));
    Tokens {
        search: guard.check(Search(GuestPath::root())).unwrap(),
        read: guard.check(Read(GuestPath::root())).unwrap(),
        write: guard.check(Write(GuestPath::root())).unwrap(),
    }
}

fn name(text: &str) -> Name<'_> {
    Name::parse(text).unwrap()
}

fn without_proc(path: &Path) -> NodeRef {
    HostStore::open_with(path, None).unwrap().root().unwrap()
}

#[test]
fn a_file_is_opened_by_name_and_only_if_it_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), "first").unwrap();
    fs::write(directory.path().join("g"), "second").unwrap();
    let (root, tokens) = (without_proc(directory.path()), tokens());
    let node = root.lookup(&tokens.search, name("f")).unwrap();
    let read = |node: &NodeRef| node.open(Access::Read(&tokens.read)).and_then(|file| file.read_at(0, 100));
    assert_eq!(read(&node).unwrap(), b"first");
    fs::rename(directory.path().join("g"), directory.path().join("f")).unwrap();
    assert!(matches!(read(&node), Err(FsError::Busy)));
    fs::remove_file(directory.path().join("f")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("f")).unwrap();
    assert!(matches!(read(&node), Err(FsError::Loop)));
    fs::remove_file(directory.path().join("f")).unwrap();
    assert!(matches!(read(&node), Err(FsError::NoEntry)));
}

#[test]
fn a_hard_link_is_made_by_name_and_only_of_the_same() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), "first").unwrap();
    let (root, tokens) = (without_proc(directory.path()), tokens());
    let node = root.lookup(&tokens.search, name("f")).unwrap();
    let link = |to: &str| {
        let source = Entity { parent: root.as_ref(), name: name("f"), node: node.as_ref() };
        root.add_name([&tokens.write, &tokens.write], source, name(to))
    };
    link("g").unwrap();
    assert_eq!(fs::read(directory.path().join("g")).unwrap(), b"first");
    fs::remove_file(directory.path().join("f")).unwrap();
    fs::write(directory.path().join("f"), "another").unwrap();
    assert!(matches!(link("h"), Err(FsError::Busy)));
    assert!(!directory.path().join("h").exists());
}

/// Two hard links that differ in case look like a directory that folds names. Then names are compared with the listing, and every
/// true name is still found.
#[test]
fn a_directory_that_seems_to_fold_is_compared_with_its_listing() {
    let directory = tempfile::tempdir().unwrap();
    for (file, content) in [("name", "1"), ("other", "2"), ("42", "3")] {
        fs::write(directory.path().join(file), content).unwrap();
    }
    fs::hard_link(directory.path().join("name"), directory.path().join("Name")).unwrap();
    let tokens = tokens();
    let root = HostStore::open(directory.path()).unwrap().root().unwrap();
    for found in ["name", "Name", "other", "42"] {
        assert!(root.lookup(&tokens.search, name(found)).is_ok(), "{found}");
    }
    for missing in ["NAME", "Other", "43"] {
        assert!(matches!(root.lookup(&tokens.search, name(missing)), Err(FsError::NoEntry)), "{missing}");
    }
    // A name without a letter to turn comes first.
    let root = HostStore::open(directory.path()).unwrap().root().unwrap();
    assert!(root.lookup(&tokens.search, name("42")).is_ok() && root.lookup(&tokens.search, name("other")).is_ok());
}
