//! What holds of an overlay whatever is done to it.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::differential::{Op, op, run};
use crate::overlay::{Aside, Opened, upper};
use crate::world::World;

/// What is there before anything changes, with names that the operations use.
pub(crate) const CONTENT: [(&str, &str); 12] = [
    ("a/a", "aa"),
    ("a/b/c", "abc"),
    ("a/b/d", "abd"),
    ("a/b/a/a", "deep"),
    ("a/d", "-> b"),
    ("b/a", "ba"),
    ("b/b/", ""),
    ("b/c", "-> ../a/a"),
    ("c", "c"),
    ("d/a/b", "dab"),
    ("d/c", "-> nowhere"),
    ("d/d", "dd"),
];

pub(crate) fn memory() -> World {
    let world = World::memory();
    for (path, content) in CONTENT {
        match content.strip_prefix("-> ") {
            Some(target) => world.link(path, target),
            None => world.add(&[(path, content)]),
        }
    }
    world
}

pub(crate) fn shown(opened: &Opened) -> BTreeMap<String, String> {
    World::of(&opened.store).snapshot()
}

/// What a directory of the host has, in the words of [`World::snapshot`].
pub(crate) fn on_host(aside: &Aside) -> BTreeMap<String, String> {
    let store: std::sync::Arc<dyn caplet_vfs::FileSystem> =
        std::sync::Arc::new(caplet_vfs::HostStore::open(aside.lower()).unwrap());
    World::of(&store).snapshot()
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 1..30)
}

/// Something that is done to the directory from outside.
fn edit(path: &std::path::Path, kind: u8, text: &str) {
    // Some of it cannot be done, where something else is in the way.
    let _ = match kind {
        0 => std::fs::write(path, text),
        1 => std::fs::remove_file(path).and_then(|()| std::os::unix::fs::symlink(text, path)),
        2 => std::fs::remove_file(path).and_then(|()| std::fs::create_dir(path)),
        _ => std::fs::create_dir_all(path).and_then(|()| std::fs::write(path.join("theirs"), text)),
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// An overlay cannot be told from a plain tree with the same content; the directory is never touched; what was changed is there
    /// when it is opened again, and takes what was counted; and applied, it is what the directory has.
    #[test]
    fn it_is_a_tree_like_any_other_and_applied_it_is_the_directory(upper in upper(), ops in ops()) {
        let (aside, plain) = (Aside::keeping(upper, &CONTENT), memory());
        let before = aside.below();
        let opened = aside.open();
        {
            let (guest, twin) = (opened.guest(), plain.admin());
            for op in &ops {
                prop_assert_eq!(run(&guest, op), run(&twin, op), "{:?}", op);
            }
        }
        prop_assert_eq!(shown(&opened), plain.snapshot());
        let used = opened.overlay.used_bytes();
        drop(opened);
        let opened = aside.open();
        prop_assert_eq!(opened.overlay.used_bytes(), used, "what was counted is what there is");
        prop_assert_eq!(shown(&opened), plain.snapshot(), "opened again");
        prop_assert_eq!(aside.below(), before, "the directory is as it was");
        let done = opened.commit();
        prop_assert!(done.conflicts.is_empty(), "{:?}", done.conflicts);
        prop_assert_eq!(on_host(&aside), plain.snapshot(), "applied");
        prop_assert_eq!(shown(&opened), plain.snapshot(), "and shown");
        prop_assert_eq!(opened.changes(), Vec::<String>::new());
        aside.outside_is_unharmed();
    }

    /// Applied piece by piece, in any order, it comes to the same.
    #[test]
    fn applied_in_any_choice_it_comes_to_the_same(upper in upper(), ops in ops(), seed in any::<u64>()) {
        let (aside, plain) = (Aside::keeping(upper, &CONTENT), memory());
        let opened = aside.open();
        {
            let (guest, twin) = (opened.guest(), plain.admin());
            for op in &ops {
                prop_assert_eq!(run(&guest, op), run(&twin, op), "{:?}", op);
            }
        }
        let mut seed = seed;
        loop {
            let changes = opened.overlay.changes().unwrap().list;
            if changes.is_empty() {
                break;
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let pick = usize::try_from(seed >> 33).unwrap() % changes.len();
            let done = opened.commit_only(&[&changes[pick].path]);
            prop_assert!(done.conflicts.is_empty(), "{:?}", done.conflicts);
            prop_assert!(!done.applied.is_empty());
            prop_assert_eq!(shown(&opened), plain.snapshot(), "applying changes nothing that is shown");
        }
        prop_assert_eq!(on_host(&aside), plain.snapshot());
    }

    /// What somebody else does to the directory in the meantime is never lost: it is a conflict, and then nothing is applied; or it
    /// is there afterwards, where it was or where its directory was moved to.
    #[test]
    fn what_others_do_meanwhile_is_never_lost(upper in upper(), ops in ops(), edits in vec((0..4u8, "[abcd](/[abcd]){0,2}"), 1..6)) {
        let aside = Aside::keeping(upper, &CONTENT);
        let opened = aside.open();
        {
            let guest = opened.guest();
            for op in &ops {
                drop(run(&guest, op));
            }
        }
        for (number, (kind, path)) in edits.iter().enumerate() {
            edit(&aside.lower().join(path), *kind, &format!("theirs {number}"));
        }
        let (before, seen) = (aside.below(), shown(&opened));
        let theirs = |aside: &Aside| -> Vec<String> {
            let mut found: Vec<String> = aside.content().into_values().filter(|text| text.contains("theirs")).collect();
            found.sort();
            found
        };
        let made = theirs(&aside);
        let changes = opened.overlay.changes().unwrap();
        let done = opened.commit();
        prop_assert_eq!(changes.summary().conflicts > 0, !done.conflicts.is_empty());
        if done.conflicts.is_empty() {
            prop_assert_eq!(theirs(&aside), made);
            prop_assert_eq!(on_host(&aside), shown(&opened));
            prop_assert!(opened.changes().is_empty());
        } else {
            prop_assert_eq!(aside.below(), before);
            prop_assert_eq!(shown(&opened), seen);
            // Settled in favour of the others, the rest can be applied.
            let mut conflicts = done.conflicts;
            while let Some(change) = conflicts.pop() {
                match opened.overlay.discard(caplet_vfs::overlay::Choice::Paths(&[change.path])) {
                    Ok(_) | Err(caplet_vfs::overlay::OverlayError::NoChange(_)) => {}
                    Err(caplet_vfs::overlay::OverlayError::Whole(path)) => drop(opened.discard_only(&[&path])),
                    Err(error) => prop_assert!(false, "{}", error),
                }
                if conflicts.is_empty() {
                    conflicts = opened.commit().conflicts;
                }
            }
            prop_assert_eq!(theirs(&aside), made);
        }
        aside.outside_is_unharmed();
    }

    /// Dropped, all of it or piece by piece, the directory shows as it is.
    #[test]
    fn dropped_it_shows_the_directory(upper in upper(), ops in ops(), seed in any::<u64>(), at_once in any::<bool>()) {
        let aside = Aside::keeping(upper, &CONTENT);
        let (before, original) = (aside.below(), on_host(&aside));
        let opened = aside.open();
        let empty = opened.overlay.used_bytes();
        {
            let guest = opened.guest();
            for op in &ops {
                drop(run(&guest, op));
            }
        }
        if at_once {
            opened.overlay.discard(caplet_vfs::overlay::Choice::All).unwrap();
            prop_assert_eq!(opened.overlay.used_bytes(), empty);
        }
        let mut seed = seed;
        loop {
            let changes = opened.overlay.changes().unwrap().list;
            if changes.is_empty() {
                break;
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let pick = usize::try_from(seed >> 33).unwrap() % changes.len();
            match opened.overlay.discard(caplet_vfs::overlay::Choice::Paths(&[changes[pick].path.clone()])) {
                Ok(dropped) => prop_assert!(!dropped.is_empty()),
                Err(caplet_vfs::overlay::OverlayError::Whole(path)) => {
                    opened.discard_only(&[&path]);
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
        prop_assert_eq!(shown(&opened), original);
        prop_assert_eq!(aside.below(), before);
    }
}
