//! Recordings on disk: what was kept comes back, and what was changed is refused, whatever was changed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use caplet_audit::RecordId;
use caplet_audit::recording::{Recording, RecordingError, RecordingFacts, Recordings, now};

fn recording(component: &[u8]) -> Recording {
    let facts = RecordingFacts {
        id: RecordId::generate().to_string(),
        time: now(),
        tool: "tool".to_owned(),
        function: Some("run".to_owned()),
        component: format!("sha256:{}", sha256(component)),
        incomplete: None,
    };
    let pieces = vec![b"small".to_vec(), vec![7; 100_000], Vec::new(), vec![8; 32 << 10], b"last".to_vec()];
    Recording { facts, world: br#"{"some":"world"}"#.to_vec(), pieces, component: component.to_vec() }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn what_was_kept_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = Recordings::new(folder.path().join("recordings"));
    let first = recording(b"component");
    let kept = recordings.keep(&first).unwrap();
    let (read, digest) = recordings.open(&first.facts.id).unwrap();
    assert_eq!(
        (read.facts, read.world, read.pieces, read.component),
        (first.facts, first.world, first.pieces, first.component)
    );
    assert_eq!(digest, kept.digest);
    let before = files(folder.path()).len();
    let second = recording(b"component");
    assert!(recordings.has_component(&second.facts.component));
    recordings.keep(&Recording { component: Vec::new(), ..second.clone() }).unwrap();
    assert_eq!(files(folder.path()).len(), before + 1, "what both have is there once");
    assert_eq!(recordings.open(&second.facts.id).unwrap().0.component, b"component");
    for path in files(folder.path()) {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn any_change_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("recordings");
    let recordings = Recordings::new(&root);
    let (one, other) = (recording(b"component"), recording(b"another component"));
    let id = &one.facts.id;
    recordings.keep(&one).unwrap();
    let own = files(&root);
    recordings.keep(&other).unwrap();
    let refused = |what: &str| match recordings.open(id) {
        Err(RecordingError::Changed { id: named, .. } | RecordingError::Version { id: named, .. }) => {
            assert_eq!(&named, id)
        }
        Err(RecordingError::Io { id: named, .. }) => assert_eq!(&named, id),
        result => panic!("{what}: {result:?}"),
    };
    for path in &own {
        let content = fs::read(path).unwrap();
        for (place, bit) in (0..content.len()).flat_map(|place| [(place, 1), (place, 128)]) {
            let mut changed = content.clone();
            changed[place] ^= bit;
            fs::write(path, changed).unwrap();
            refused(&format!("bit {bit} of byte {place} of {}", path.display()));
        }
        for changed in [&content[..content.len() - 1], &content[1..], &[&content[..], b" "].concat(), b""] {
            fs::write(path, changed).unwrap();
            refused("another length");
        }
        // Another recording's file under this name.
        for theirs in files(&root).iter().filter(|theirs| !own.contains(theirs)) {
            fs::copy(theirs, path).unwrap();
            refused("swapped");
        }
        fs::remove_file(path).unwrap();
        if path.file_stem().and_then(|stem| stem.to_str()) == Some(id) {
            assert!(matches!(recordings.open(id), Err(RecordingError::Unknown { .. })));
        } else {
            refused("missing");
        }
        // A link to the very same content.
        let elsewhere = folder.path().join("elsewhere");
        fs::write(&elsewhere, &content).unwrap();
        symlink(&elsewhere, path).unwrap();
        refused("a link");
        fs::remove_file(path).unwrap();
        fs::write(path, &content).unwrap();
    }
    assert!(recordings.open(id).is_ok());
}

#[test]
fn ids_lead_nowhere_else_and_folders_are_the_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("recordings");
    let recordings = Recordings::new(&root);
    for id in
        ["", "..", "../x", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01arz3ndektsv4rrffq69g5fav", "01ARZ3NDEKTSV4RRFFQ69G5FAVV"]
    {
        assert!(matches!(recordings.open(id), Err(RecordingError::NoId(_))), "{id:?}");
        let mut wrong = recording(b"c");
        wrong.facts.id = id.to_owned();
        assert!(matches!(recordings.keep(&wrong), Err(RecordingError::NoId(_))), "{id:?}");
    }
    fs::create_dir(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(recordings.ready().unwrap_err().to_string().contains("0700"));
    fs::remove_dir(&root).unwrap();
    symlink(folder.path(), &root).unwrap();
    assert!(recordings.ready().is_err());
}
