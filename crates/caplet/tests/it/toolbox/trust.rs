//! Trust in a project's file: in these bytes, at this place.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use caplet::{Layers, ProjectFile, Standing, Trust};

use super::World;

const THEIRS: &str = "[tools.theirs]\nsource = \"file-read\"\nallow = [\"read:/**\"]\n";

fn has_theirs(world: &World) -> bool {
    world.layers().toolbox().tool("theirs").is_some()
}

#[test]
fn trust_is_in_these_bytes_at_this_place_until_it_is_taken_back() {
    let world = World::new(&[("project/caplet.toml", THEIRS), ("copy/caplet.toml", THEIRS)]);
    assert!(!has_theirs(&world));
    world.trust_project();
    assert!(has_theirs(&world));
    // The same bytes elsewhere are another file.
    let mut files = world.files();
    files.project = Some(world.path("copy/caplet.toml"));
    assert!(Layers::load(&files, &world.trust()).unwrap().toolbox().tool("theirs").is_none());
    for change in [format!("{THEIRS} "), THEIRS.replace("/**", "/*"), format!("\n{THEIRS}")] {
        world.write("project/caplet.toml", &change);
        assert!(!has_theirs(&world), "{change}");
        assert_eq!(world.layers().project().unwrap().standing, Standing::Changed);
        world.write("project/caplet.toml", THEIRS);
        assert!(has_theirs(&world));
    }
    // A new version takes the place of the old one, which is not trusted any more.
    world.write("project/caplet.toml", &format!("{THEIRS}# new\n"));
    world.trust_project();
    assert!(has_theirs(&world));
    world.write("project/caplet.toml", THEIRS);
    assert!(!has_theirs(&world));
    assert_eq!(world.trust().list().unwrap().len(), 1);
    world.trust_project();
    assert!(world.trust().revoke(&world.path("project/caplet.toml")).unwrap());
    assert!(!world.trust().revoke(&world.path("project/caplet.toml")).unwrap());
    assert!(!has_theirs(&world) && world.trust().list().unwrap().is_empty());
}

#[test]
fn what_was_hashed_is_what_is_understood() {
    let world = World::new(&[("project/caplet.toml", "[tools.file-read]\n")]);
    let read = ProjectFile::read(world.path("project/caplet.toml")).unwrap().unwrap();
    // Changed between being read and being trusted.
    world.write("project/caplet.toml", THEIRS);
    world.trust().add(&read).unwrap();
    assert_eq!(read.as_trusted().unwrap().names().collect::<Vec<_>>(), ["file-read"]);
    assert!(!has_theirs(&world));
}

#[test]
fn the_list_is_private_and_one_that_is_not_is_not_used() {
    let world = World::new(&[("project/caplet.toml", THEIRS)]);
    world.trust_project();
    let list = world.path("state/trust.toml");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&list), mode(&world.path("state"))), (0o600, 0o700));
    assert!(!world.path("state/trust.new").exists());
    let good = fs::read_to_string(&list).unwrap();
    let refuse = |told: &str| {
        let error = Layers::load(&world.files(), &world.trust()).unwrap_err();
        assert!(error.to_string().contains(told) && error.to_string().contains("trust.toml"), "{error}");
        assert!(error.hint().unwrap().contains("caplet trust"));
    };
    for (text, told) in [
        ("version = 2\n".to_owned(), "another version"),
        ("trusted = []\n".to_owned(), "missing field `version`"),
        (format!("{good}all = true\n"), "unknown field `all`"),
        ("x".to_owned(), "key with no value"),
        (format!("#{}", "x".repeat(1 << 20)), "larger than any such list"),
    ] {
        fs::write(&list, text).unwrap();
        refuse(told);
    }
    fs::write(&list, &good).unwrap();
    assert!(has_theirs(&world));
    fs::set_permissions(&list, fs::Permissions::from_mode(0o620)).unwrap();
    refuse("nobody else may write");
    fs::remove_file(&list).unwrap();
    world.write("elsewhere.toml", &good);
    symlink(world.path("elsewhere.toml"), &list).unwrap();
    refuse("it is a symbolic link");
}

#[test]
fn nothing_is_trusted_without_a_list() {
    let world = World::new(&[("project/caplet.toml", THEIRS)]);
    let file = ProjectFile::read(world.path("project/caplet.toml")).unwrap().unwrap();
    assert_eq!(Trust::nothing().standing(&file).unwrap(), Standing::Unknown);
    assert!(Trust::nothing().add(&file).is_err());
    assert!(ProjectFile::read(world.path("project/none.toml")).unwrap().is_none());
    assert!(ProjectFile::read(world.path("project/caplet.toml/none")).unwrap().is_none());
}

#[test]
fn many_who_trust_at_once_lose_nothing() {
    const MANY: usize = 8;
    let world = World::new(&[]);
    for at in 0..MANY {
        world.write(&format!("p{at}/caplet.toml"), THEIRS);
    }
    std::thread::scope(|scope| {
        for at in 0..MANY {
            let (world, trust) = (&world, world.trust());
            scope.spawn(move || {
                let file = ProjectFile::read(world.path(&format!("p{at}/caplet.toml"))).unwrap().unwrap();
                trust.add(&file).unwrap();
            });
        }
    });
    assert_eq!(world.trust().list().unwrap().len(), MANY);
}
