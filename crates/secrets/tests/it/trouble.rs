//! Files and folders as an attacker or an accident would leave them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use caplet_secrets::SecretError;

use crate::home::{CANARY, Home, named};

/// What may be wrong with a file or folder, how it comes to be so, and what the error says.
type Trouble = (&'static str, fn(&Home), &'static str);

const TROUBLES: &[Trouble] = &[
    ("secrets readable by the group", |home| chmod(&home.secrets(), 0o640), "other users may use it"),
    ("secrets writable by all", |home| chmod(&home.secrets(), 0o602), "other users may use it"),
    ("key readable by all", |home| chmod(&home.key(), 0o604), "other users may use it"),
    ("state folder writable by the group", |home| chmod(&home.state, 0o770), "other users may change it"),
    ("configuration folder writable by all", |home| chmod(&home.config, 0o777), "other users may change it"),
    ("secrets are a link", |home| relink(&home.secrets()), "not a plain file"),
    ("key is a link", |home| relink(&home.key()), "not a plain file"),
    ("state folder is a link", |home| relink(&home.state), "a link, or not a folder"),
    ("secrets are a pipe", |home| pipe(&home.secrets()), "not a plain file"),
    ("key is a pipe", |home| pipe(&home.key()), "not a plain file"),
    ("secrets are a socket", |home| socket(&home.secrets()), "not a plain file"),
    ("secrets are a folder", |home| folder(&home.secrets()), "not a plain file"),
    ("key is a folder", |home| folder(&home.key()), "not a plain file"),
    ("secrets are torn", |home| cut(&home.secrets(), 40), "damaged"),
    ("secrets lack the last byte", |home| cut(&home.secrets(), 1), "damaged"),
    ("secrets are empty", |home| fs::write(home.secrets(), "").unwrap(), "damaged"),
    ("secrets are foreign", |home| fs::write(home.secrets(), "TOKEN=x").unwrap(), "damaged"),
    ("secrets are one bit off", |home| flip(&home.secrets()), "damaged"),
    ("secrets are too large", |home| grow(&home.secrets()), "larger than any file of secrets"),
    ("key is too large", |home| grow(&home.key()), "larger than any file of secrets"),
    ("key is gone", |home| fs::remove_file(home.key()).unwrap(), "its key is gone"),
    ("configuration folder is gone", |home| fs::remove_dir_all(&home.config).unwrap(), "its key is gone"),
    ("key is empty", |home| fs::write(home.key(), "").unwrap(), "no key of age"),
    ("key is torn", |home| cut(&home.key(), 9), "no key of age"),
    ("key is another's", |home| swap_key(home), "encrypted with another key"),
];

#[test]
fn what_is_wrong_is_said_at_once_and_nothing_is_lost() {
    for (what, trouble, message) in TROUBLES {
        let home = Home::begun();
        trouble(&home);
        let before = fs::symlink_metadata(home.secrets()).unwrap();
        let started = Instant::now();
        let errors = [
            home.get("TOKEN").unwrap_err(),
            home.vault().list().unwrap_err(),
            home.set("OTHER", "other-value").unwrap_err(),
            home.vault().remove(&named("TOKEN")).unwrap_err(),
        ];
        assert!(started.elapsed() < Duration::from_secs(5), "{what}");
        for error in errors {
            let text = format!("{error} {error:?} {:?}", error.hint());
            assert!(text.contains(message), "{what}: {text}");
            assert!(!text.contains(CANARY) && !text.contains("AGE-SECRET"), "{what}: {text}");
            assert!(error.hint().is_some() && !error.is_usage(), "{what}: {text}");
        }
        let after = fs::symlink_metadata(home.secrets()).unwrap();
        assert_eq!((before.ino(), before.len()), (after.ino(), after.len()), "{what}");
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn relink(path: &Path) {
    let moved = path.with_extension("moved");
    fs::rename(path, &moved).unwrap();
    symlink(moved, path).unwrap();
}

fn pipe(path: &Path) {
    fs::remove_file(path).unwrap();
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
}

fn socket(path: &Path) {
    fs::remove_file(path).unwrap();
    // Addresses of sockets are short.
    let short = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
    drop(std::os::unix::net::UnixListener::bind(short.path().join("s")).unwrap());
    if fs::rename(short.path().join("s"), path).is_err() {
        folder(path);
    }
}

fn folder(path: &Path) {
    let _ = fs::remove_file(path);
    fs::create_dir(path).unwrap();
    chmod(path, 0o700);
}

fn cut(path: &Path, bytes: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

fn grow(path: &Path) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len((16 << 20) + 1).unwrap();
}

fn swap_key(home: &Home) {
    fs::copy(Home::begun().key(), home.key()).unwrap();
}

#[test]
fn the_files_of_another_user_are_not_used() {
    for pick in [Home::secrets, Home::key, |home: &Home| home.state.clone(), |home: &Home| home.config.clone()] {
        let home = Home::begun();
        // Only root can give files away.
        if std::os::unix::fs::chown(pick(&home), Some(65_534), None).is_err() {
            return;
        }
        let error = home.get("TOKEN").unwrap_err();
        assert!(error.to_string().contains("belongs to another user"), "{error}");
    }
}

#[test]
fn a_bad_lock_is_told_of_and_not_waited_for() {
    for trouble in [pipe, folder, relink, |path: &Path| chmod(path, 0o666)] {
        let home = Home::begun();
        trouble(&home.state.join("secrets.lock"));
        let started = Instant::now();
        assert!(matches!(home.set("A", "v"), Err(SecretError::Unsafe { .. })));
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(home.get("TOKEN").unwrap(), CANARY, "readers need no lock");
    }
}
