//! A process that is killed while it changes an overlay, or applies its changes: real kills of real processes.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use caplet_vfs::overlay::Choice;
use caplet_vfs::{HostStore, OverlayStore};

use crate::overlay::{Aside, Opened, UNBOUNDED, Upper, store};
use crate::overlay_laws::shown;
use crate::world::{Guest, World};

/// Tells the child which part it plays, and where.
const PART: &str = "CAPLET_TEST_OVERLAY";
const FILES: usize = 200;

/// Where changes outlive a process.
const LASTING: [Upper; 2] = [Upper::Directory, Upper::Sqlite];

/// Starts this very program again, as the child of a test.
fn child(aside: &Aside, upper: Upper, part: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "overlay_kill::the_child", "--ignored", "--nocapture", "--test-threads", "1"])
        .env(PART, format!("{part}\n{upper:?}\n{}\n{}", aside.lower().display(), aside.upper().display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "only as the child of another test"]
fn the_child() {
    let told = std::env::var(PART).unwrap();
    let parts: Vec<&str> = told.split('\n').collect();
    let upper = LASTING.into_iter().find(|upper| format!("{upper:?}") == parts[1]).unwrap();
    let (lower, upper) = (Arc::new(HostStore::open(parts[2]).unwrap()), store(upper, Path::new(parts[3])));
    let overlay = Arc::new(OverlayStore::new(lower, upper, UNBOUNDED).unwrap());
    let opened = Opened { store: Arc::clone(&overlay) as Arc<dyn caplet_vfs::FileSystem>, overlay };
    println!("\nready");
    match parts[0] {
        "change" => {
            let guest = opened.guest();
            for number in 0.. {
                act(&guest, number);
                println!("did {number}");
                std::io::stdout().flush().unwrap();
            }
        }
        _ => drop(opened.overlay.commit(Choice::All).unwrap()),
    }
}

/// The operation of this number. Each changes one thing, and in turn each kind of thing; some fail, always the same ones.
fn act(guest: &Guest, number: usize) {
    let file = |at: usize| format!("d{}/f{}", at % 4, at % 7);
    let (one, other) = (file(number), file(number / 3 + 1));
    let _ = match number % 9 {
        0 | 1 => guest.unlink(&one),
        2 | 3 => guest.rename(&one, &other),
        4 => guest.rename(&format!("d{}", number % 4), &format!("e{}", number % 5)),
        5 => guest.rename(&format!("e{}", number % 5), &format!("d{}", number % 4)),
        6 => guest.hard_link(&one, &other),
        7 => guest.symlink(&format!("f{number}"), &other),
        _ => guest.mkdir(&format!("d{}/sub{}", number % 4, number % 11)),
    };
}

fn content() -> Vec<(String, String)> {
    let file = |number: usize| (format!("d{}/f{}", number % 4, number % 7), format!("content {number}"));
    (0..28).map(file).collect()
}

fn aside(upper: Upper) -> Aside {
    let content = content();
    let files: Vec<(&str, &str)> = content.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    Aside::keeping(upper, &files)
}

/// What there is after `count` operations.
fn after(count: usize) -> std::collections::BTreeMap<String, String> {
    let plain = World::memory();
    for (path, content) in content() {
        plain.add(&[(&path, &content)]);
    }
    let guest = plain.admin();
    (0..count).for_each(|number| act(&guest, number));
    plain.snapshot()
}

#[test]
fn killed_in_the_middle_of_changes_each_was_made_or_was_not() {
    for (acknowledged, upper) in [1, 7, 40, 90, 170].into_iter().flat_map(|count| LASTING.map(|upper| (count, upper))) {
        let aside = aside(upper);
        let before = aside.below();
        let mut process = child(&aside, upper, "change");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let did = |line: &String| line.strip_prefix("did ").map(|number| number.parse::<usize>().unwrap());
        let last = lines.by_ref().find_map(|line| did(&line).filter(|number| *number >= acknowledged)).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        let last = lines.filter_map(|line| did(&line)).last().unwrap_or(last);
        let opened = aside.open();
        let found = shown(&opened);
        let possible = [after(last + 1), after(last + 2)];
        assert!(possible.contains(&found), "{last}: {found:?}");
        assert_eq!(aside.below(), before);
        assert!(opened.commit().conflicts.is_empty());
        assert_eq!(shown(&opened), found);
        aside.outside_is_unharmed();
    }
}

#[test]
fn killed_in_the_middle_of_applying_it_goes_on() {
    for (applied, upper) in [1, 20, 150].into_iter().flat_map(|count| LASTING.map(|upper| (count, upper))) {
        let files: Vec<(String, String)> =
            (0..FILES).map(|number| (format!("d{}/f{number}", number % 3), number.to_string())).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        let aside = Aside::keeping(upper, &files);
        {
            let opened = aside.open();
            let guest = opened.guest();
            for (number, (path, _)) in files.iter().enumerate() {
                match number % 3 {
                    0 => guest.unlink(path).unwrap(),
                    1 => guest.write(path, "changed").unwrap(),
                    _ => guest.write(&format!("{path}-new"), "added").unwrap(),
                }
            }
            guest.rename("d2", "moved").unwrap();
        }
        let expected = shown(&aside.open());
        let before = aside.content();
        let mut process = child(&aside, upper, "commit");
        // As soon as that much has changed.
        while changed(&aside.lower(), &before) < applied && process.try_wait().unwrap().is_none() {}
        process.kill().unwrap();
        process.wait().unwrap();
        let opened = aside.open();
        assert_eq!(
            shown(&opened).len(),
            expected.len() + leftovers(&aside.lower()),
            "nothing that is shown has changed"
        );
        let done = opened.commit();
        assert!(done.conflicts.is_empty(), "{:?}", done.conflicts);
        assert_eq!(shown(&opened), expected);
        assert_eq!(
            shown(&Opened::new(&aside.lower(), Arc::new(caplet_vfs::MemoryStore::new(UNBOUNDED)), UNBOUNDED)),
            expected
        );
        assert_eq!(leftovers(&aside.lower()), 0, "nothing of what was cut short is left");
        aside.outside_is_unharmed();
    }
}

#[test]
fn what_a_killed_commit_prepared_goes_with_the_drop() {
    // Where the new `file` is prepared: its name says which file it is for.
    const PREPARED: &str = ".caplet~commit~3b9c358f36f0a31b6ad3e14f309c7cf1";
    for choice in [Choice::All, Choice::Paths(&["d/file".to_owned()])] {
        let aside = Aside::new(&[("d/file", "lower"), ("d/other", "lower")]);
        let opened = aside.open();
        opened.guest().write("d/file", "changed").unwrap();
        fs::write(aside.lower().join("d").join(PREPARED), "chan").unwrap();
        assert_eq!(opened.overlay.discard(choice).unwrap().len(), 1);
        assert_eq!(leftovers(&aside.lower()), 0, "{choice:?}");
        assert_eq!(fs::read_to_string(aside.lower().join("d/file")).unwrap(), "lower");
    }
}

/// How many files are not what they were.
fn changed(lower: &Path, before: &std::collections::BTreeMap<String, String>) -> usize {
    let same = |(path, content): &(&String, &String)| match fs::read_to_string(lower.join(path)) {
        Ok(found) => found == **content,
        Err(_) => lower.join(path).is_dir(),
    };
    before.iter().filter(|entry| !same(entry)).count()
}

/// How many files were being prepared in the directory.
fn leftovers(lower: &Path) -> usize {
    let mut found = 0;
    let mut left = vec![lower.to_owned()];
    while let Some(path) = left.pop() {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            found += usize::from(entry.file_name().to_string_lossy().starts_with(".caplet~commit~"));
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            }
        }
    }
    found
}
