//! The keyring of the session, and what happens where there is none.

use std::path::Path;
use std::process::Command;

use caplet_secrets::{Backend, SecretError, SecretName, SecretValue, Vault, VaultConfig};
use tempfile::TempDir;

const CANARY: &str = "canary-7f3a9c51e2 \"é\\";

fn at(folder: &Path, backend: Backend) -> Vault {
    Vault::open(&VaultConfig { config_dir: folder.join("config"), state_dir: folder.join("state"), backend })
}

fn named(name: &str) -> SecretName {
    name.parse().unwrap()
}

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.as_bytes()).unwrap()
}

/// Runs a test of this file in a process whose session has no bus.
fn without_a_bus(test: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored"]).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn without_a_keyring_secrets_are_in_the_file() {
    without_a_bus("keyring::in_a_session_without_a_bus");
}

#[test]
#[ignore = "runs in the process that another test starts"]
fn in_a_session_without_a_bus() {
    let folder = TempDir::new().unwrap();
    let vault = at(folder.path(), Backend::Auto);
    assert!(vault.set(&named("A"), &value(CANARY)).unwrap());
    assert!(folder.path().join("state/secrets.age").exists());
    assert_eq!(vault.get(&named("A")).unwrap().expose(), CANARY.as_bytes());
    let asked = at(&folder.path().join("other"), Backend::Keyring);
    let error = asked.set(&named("A"), &value(CANARY)).unwrap_err();
    assert!(matches!(error, SecretError::Keyring(_)), "{error}");
    assert!(asked.list().unwrap().is_empty());
}

#[test]
#[ignore = "needs a session with a keyring that is unlocked, and changes it"]
fn with_a_keyring_secrets_are_in_it() {
    let folder = TempDir::new().unwrap();
    let vault = at(folder.path(), Backend::Auto);
    let name = named(&format!("caplet-test-{}", std::process::id()));
    assert!(vault.set(&name, &value("first")).unwrap());
    assert!(!vault.set(&name, &value(CANARY)).unwrap());
    assert_eq!(vault.place().unwrap(), "the keyring");
    assert!(!folder.path().join("state/secrets.age").exists() && !folder.path().join("config").exists());
    assert_eq!(vault.get(&name).unwrap().expose(), CANARY.as_bytes());
    assert_eq!(vault.list().unwrap().len(), 1);
    let longest = "v".repeat(SecretValue::MAX_BYTES);
    vault.set(&named("LONG"), &value(&longest)).unwrap();
    assert_eq!(vault.get(&named("LONG")).unwrap().expose(), longest.as_bytes());
    vault.remove(&named("LONG")).unwrap();
    vault.remove(&name).unwrap();
    assert!(matches!(vault.get(&name), Err(SecretError::Unknown(_))));
    assert!(matches!(vault.remove(&name), Err(SecretError::Unknown(_))));
    assert!(vault.list().unwrap().is_empty());
    // Hosts call from a runtime, in which the keyring's own would not start.
    let other = at(folder.path(), Backend::Keyring);
    other.set(&name, &value(CANARY)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(async { other.get(&name) }).unwrap().expose(), CANARY.as_bytes());
    other.remove(&name).unwrap();
}
