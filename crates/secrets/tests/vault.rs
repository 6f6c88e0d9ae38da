//! The vault on real files, with several threads and processes, and with files as an attacker or an accident would leave them.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up has failed")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use caplet_secrets::{Backend, SecretError, SecretName, SecretValue, Vault, VaultConfig};

const CANARY: &str = "canary-7f3a9c51e2";

struct Home {
    _folder: TempDir,
    config: PathBuf,
    state: PathBuf,
}

impl Home {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (config, state) = (folder.path().join("config/caplet"), folder.path().join("state/caplet"));
        Self { _folder: folder, config, state }
    }

    /// A home with one secret.
    fn begun() -> Self {
        let home = Self::new();
        home.set("TOKEN", CANARY).unwrap();
        home
    }

    fn vault(&self) -> Vault {
        at(&self.config, &self.state)
    }

    fn set(&self, name: &str, text: &str) -> Result<bool, SecretError> {
        self.vault().set(&named(name), &value(text))
    }

    fn get(&self, name: &str) -> Result<String, SecretError> {
        self.vault().get(&named(name)).map(|value| String::from_utf8(value.expose().to_vec()).unwrap())
    }

    fn names(&self) -> Vec<String> {
        self.vault().list().unwrap().into_iter().map(|listed| listed.name.to_string()).collect()
    }

    fn secrets(&self) -> PathBuf {
        self.state.join("secrets.age")
    }

    fn key(&self) -> PathBuf {
        self.config.join("secrets.key")
    }
}

fn at(config: &Path, state: &Path) -> Vault {
    let (config_dir, state_dir) = (config.to_owned(), state.to_owned());
    Vault::open(&VaultConfig { config_dir, state_dir, backend: Backend::File })
}

fn named(name: &str) -> SecretName {
    name.parse().unwrap()
}

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.as_bytes()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn unfinished(folder: &Path) -> usize {
    files(folder).iter().filter(|path| path.to_string_lossy().contains("/.secrets-new-")).count()
}

#[test]
fn what_is_set_is_listed_got_and_removed() {
    let home = Home::new();
    let before = SystemTime::now() - Duration::from_secs(1);
    assert!(home.set("B", "first").unwrap(), "the name is new");
    assert!(home.set("A", "other").unwrap());
    assert!(!home.set("B", "second").unwrap(), "the name is not new");
    assert_eq!(home.names(), ["A", "B"]);
    assert!(home.vault().list().unwrap().iter().all(|listed| listed.set_at >= before));
    assert_eq!(home.get("B").unwrap(), "second");
    home.vault().remove(&named("B")).unwrap();
    assert!(matches!(home.get("B"), Err(SecretError::Unknown(_))));
    assert!(matches!(home.vault().remove(&named("B")), Err(SecretError::Unknown(_))));
    home.vault().remove(&named("A")).unwrap();
    assert!(home.names().is_empty() && !home.secrets().exists());
}

#[test]
fn to_look_makes_nothing() {
    let home = Home::new();
    assert!(home.names().is_empty());
    assert!(matches!(home.get("A"), Err(SecretError::Unknown(_))));
    assert!(matches!(home.vault().remove(&named("A")), Err(SecretError::Unknown(_))));
    assert!(!home.config.exists() && !home.state.exists());
}

#[test]
fn files_are_private_and_hold_no_plaintext() {
    let home = Home::begun();
    assert_eq!((mode(&home.config), mode(&home.state)), (0o700, 0o700));
    let all = [files(&home.config), files(&home.state)].concat();
    assert_eq!(all.len(), 3, "{all:?}");
    for file in all {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        let bytes = fs::read(&file).unwrap();
        for text in [CANARY, "TOKEN"] {
            assert!(!bytes.windows(text.len()).any(|part| part == text.as_bytes()), "{}", file.display());
        }
    }
}

#[test]
fn the_longest_value_and_many_names_are_kept() {
    let home = Home::new();
    let longest = "é".repeat(SecretValue::MAX_BYTES / 2);
    home.set("LONG", &longest).unwrap();
    (0..20).for_each(|number| assert!(home.set(&format!("N{number}"), "v").unwrap()));
    assert_eq!(home.get("LONG").unwrap(), longest);
    assert_eq!(home.names().len(), 21);
}

#[test]
fn more_than_fits_is_refused_and_nothing_is_lost() {
    let home = Home::begun();
    let line = |number| format!("N{number} 1 {}\n", "v".repeat(SecretValue::MAX_BYTES));
    let text = format!("caplet secrets 1\n{}", (0..255).map(line).collect::<String>());
    // As the tool would do it that the format is of.
    let key: age::x25519::Identity = fs::read_to_string(home.key()).unwrap().trim().parse().unwrap();
    fs::write(home.secrets(), age::encrypt(&key.to_public(), text.as_bytes()).unwrap()).unwrap();
    let error = home.set("ONE", &"v".repeat(SecretValue::MAX_BYTES)).unwrap_err();
    assert!(matches!(error, SecretError::Full { .. }), "{error}");
    assert_eq!(home.names().len(), 255);
    assert_eq!(unfinished(&home.state), 0);
}

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

#[test]
fn keys_as_age_makes_them_are_taken() {
    let home = Home::begun();
    let key = fs::read_to_string(home.key()).unwrap();
    fs::write(home.key(), format!("# created: today\n# public key: age1x\n\n{key}\n")).unwrap();
    assert_eq!(home.get("TOKEN").unwrap(), CANARY);
}

#[test]
fn one_folder_can_be_both() {
    let folder = TempDir::new().unwrap();
    let both = folder.path().join("caplet");
    at(&both, &both).set(&named("A"), &value("v")).unwrap();
    assert_eq!(at(&both, &both).list().unwrap().len(), 1);
}

#[test]
fn threads_that_set_at_once_lose_nothing() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let home = &home;
            scope.spawn(move || (0..5).for_each(|n| assert!(home.set(&format!("T{thread}.{n}"), "v").unwrap())));
        }
    });
    assert_eq!(home.names().len(), 40);
}

/// The same test program as another process, which sets secrets until it is done or killed.
fn child(home: &Home, prefix: &str, count: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "as_a_child", "--ignored"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("CHILD_CONFIG", &home.config).env("CHILD_STATE", &home.state);
    command.env("CHILD_PREFIX", prefix).env("CHILD_COUNT", count.to_string());
    command
}

#[test]
#[ignore = "runs in the processes that other tests start"]
fn as_a_child() {
    let env = |name: &str| std::env::var(name).unwrap();
    let vault = at(Path::new(&env("CHILD_CONFIG")), Path::new(&env("CHILD_STATE")));
    for number in 0..env("CHILD_COUNT").parse().unwrap() {
        vault.set(&named(&format!("{}{number}", env("CHILD_PREFIX"))), &value(CANARY)).unwrap();
    }
}

#[test]
fn processes_that_set_at_once_lose_nothing() {
    let home = Home::new();
    let children = ["a", "b", "c", "d"].map(|prefix| child(&home, prefix, 8).spawn().unwrap());
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(home.names().len(), 32);
    assert_eq!(unfinished(&home.state) + unfinished(&home.config), 0);
}

#[test]
fn processes_that_are_killed_leave_whole_files() {
    let home = Home::begun();
    for round in 0..12_u64 {
        let mut child = child(&home, &format!("r{round}."), 100_000).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + 7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(home.get("TOKEN").unwrap(), CANARY);
        for name in home.names() {
            assert_eq!(home.get(&name).unwrap(), CANARY);
        }
    }
}

#[test]
fn what_was_left_unfinished_is_ignored_and_cleaned() {
    let home = Home::begun();
    let left = home.state.join(".secrets-new-0123456789abcdef");
    fs::write(&left, "torn").unwrap();
    assert_eq!(home.get("TOKEN").unwrap(), CANARY);
    home.set("OTHER", "v").unwrap();
    assert!(!left.exists());
    assert_eq!(home.names(), ["OTHER", "TOKEN"]);
}

#[test]
fn a_full_disk_loses_nothing() {
    let home = Home::begun();
    // A limit on the size of files stands for a disk that is full.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" --exact as_a_child --ignored"]);
    command.arg(std::env::current_exe().unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("CHILD_CONFIG", &home.config).env("CHILD_STATE", &home.state);
    let status = command.env("CHILD_PREFIX", "x").env("CHILD_COUNT", "1").status().unwrap();
    assert!(!status.success());
    assert_eq!(home.names(), ["TOKEN"]);
    assert_eq!(unfinished(&home.state), 0);
}
