//! What is set is kept, privately and encrypted.

use std::fs;
use std::time::{Duration, SystemTime};

use caplet_secrets::{SecretError, SecretValue};
use tempfile::TempDir;

use crate::home::{CANARY, Home, at, files, mode, named, unfinished, value};

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
