//! Grants: what their text means, and which mounts they bring.

use std::fs;
use std::os::unix::fs::symlink;

use caplet::{Caplet, Grant};

use crate::{ADDS, source};

/// Whether a call under the grant would have something mounted at `path`, by what `explain` notes.
fn is_mounted(grant: &Grant, path: &str) -> bool {
    let caplet = Caplet::builder().build().unwrap();
    let tool = caplet.load(&source(ADDS)).unwrap();
    caplet
        .explain(&tool, None, grant, &format!("read {path}"))
        .unwrap()
        .notes
        .iter()
        .all(|note| !note.starts_with("nothing is mounted"))
}

#[test]
fn a_rule_brings_the_directory_before_its_first_wildcard() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().canonicalize().unwrap();
    fs::create_dir_all(base.join("docs/deep")).unwrap();
    fs::write(base.join("docs/a.txt"), "").unwrap();
    let at = |name: &str| base.join(name).to_str().unwrap().to_owned();
    let table: [(&str, &[&str], &[&str]); 9] = [
        ("read:docs/**", &["docs", "docs/x"], &["", "other"]),
        ("read:./docs/**", &["docs"], &[""]),
        ("read:docs/*.txt", &["docs", "docs/deep"], &[""]),
        ("read:docs/a.txt", &["docs", "docs/a.txt"], &[""]),
        ("read:docs/d*p/x", &["docs"], &[""]),
        ("write:docs/new.txt", &["docs"], &[""]),
        ("write:docs/new/**", &["docs"], &[""]),
        ("read:nowhere/deep/**", &[], &["nowhere", "nowhere/deep", ""]),
        ("read:**", &["", "docs"], &[]),
    ];
    for (rule, mounted, not) in table {
        let mut grant = Grant::new(&base).unwrap();
        grant.allow(rule).unwrap();
        for name in mounted {
            assert!(is_mounted(&grant, at(name).trim_end_matches('/')), "{rule} brings {name:?}");
        }
        for name in not {
            assert!(!is_mounted(&grant, at(name).trim_end_matches('/')), "{rule} does not bring {name:?}");
        }
    }
}

#[test]
fn a_mount_is_taken_instead_and_a_denial_brings_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut grant = Grant::new(root.path().canonicalize().unwrap()).unwrap();
    grant.mount("/w=memory").unwrap().allow("read:/w/**").unwrap().allow("read:/**").unwrap();
    assert!(is_mounted(&grant, "/w/x"));
    assert!(!is_mounted(&grant, "/etc/passwd"), "beside mounts, a rule on everything does not bring the host's root");
    let mut grant = Grant::new("/").unwrap();
    grant.deny("read:/etc/**").unwrap();
    assert!(!is_mounted(&grant, "/etc/passwd"));
}

#[test]
fn links_below_the_current_directory_are_not_followed_for_a_rule() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().canonicalize().unwrap();
    fs::create_dir_all(base.join("real/project")).unwrap();
    fs::create_dir(base.join("other")).unwrap();
    symlink("real", base.join("alias")).unwrap();
    symlink("../../other", base.join("real/project/docs")).unwrap();
    let caplet = Caplet::builder().build().unwrap();
    let tool = caplet.load(&source(ADDS)).unwrap();
    let opens = |cwd: &str, rule: &str| {
        let mut grant = Grant::new(base.join(cwd)).unwrap();
        grant.allow(rule).unwrap();
        caplet.grant(&tool, grant).map(|_| ())
    };
    // The current directory itself may be reached through a link: the person is in it.
    assert!(opens("alias/project", "read:**").is_ok());
    assert!(opens("real/project", "read:**").is_ok());
    let error = opens("real/project", "read:docs/**").unwrap_err();
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert!(error.hint().unwrap().contains("--mount"), "{error:?}");
}

#[test]
fn current_directories_that_no_guest_could_have_are_refused() {
    for cwd in ["", "relative", "/a/../b", "/a//b"] {
        assert!(Grant::new(cwd).is_err(), "{cwd:?}");
    }
}

#[test]
fn a_bucket_that_cannot_be_used_is_refused_before_anything_runs() {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().canonicalize().unwrap();
    fs::write(base.join("text"), "no database, however long it may be; ".repeat(50)).unwrap();
    fs::create_dir(base.join("folder")).unwrap();
    symlink("new.db", base.join("link")).unwrap();
    let caplet = Caplet::builder().build().unwrap();
    let tool = caplet.load(&source(ADDS)).unwrap();
    let granted = |store: &str| {
        let mut grant = Grant::new(&base).unwrap();
        grant.bucket(&format!("b={store}"))?;
        caplet.grant(&tool, grant).map(|_| ())
    };
    for (store, reason) in [
        ("sqlite:nowhere/b.db", "there is no directory"),
        ("sqlite:text/b.db", "there is no directory"),
        ("sqlite:text", "is not a key-value store"),
        ("sqlite:folder", "is not a file"),
        ("sqlite:link", "is a link"),
        ("sqlite:b.db:ro", "cannot be one to read only"),
        ("memory:ro", "cannot be one to read only"),
        ("session:ro", "cannot be one to read only"),
    ] {
        let error = granted(store).unwrap_err();
        assert_eq!(error.kind(), caplet::audit::ErrorKind::InvalidConfig, "{store}");
        assert!(error.to_string().contains(reason), "{store}: {error}");
    }
    for store in ["memory", "session", "sqlite:b.db"] {
        granted(store).unwrap();
    }
    let mut names: Vec<_> = fs::read_dir(&base).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["folder", "link", "text"], "nothing is made before it is asked for");
}
