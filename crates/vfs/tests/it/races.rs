//! Names that change while a guest uses them. Each race runs a bounded number of rounds; what must never happen is checked in
//! every one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::world::{CREATE_TRUNCATE, Code, Guest, WRITE, World, on_every_store};

on_every_store!(
    a_link_that_is_swapped_never_leads_to_denied_bytes,
    a_directory_that_is_swapped_never_leads_to_denied_bytes,
    a_file_that_is_swapped_with_a_link_is_never_written_through,
    what_guests_move_about_stays_within_their_rules,
    a_removal_never_takes_a_denied_file,
    many_guests_at_once_keep_the_tree_whole,
    one_namespace_serves_many_threads,
);

const ROUNDS: usize = 1500;

/// Whether it succeeds does not matter; what it leads to does.
fn attempt<T>(_: Result<T, Code>) {}

/// Runs `attack` in a loop while `act` runs its rounds.
fn against(attack: impl Fn() + Send + Sync, mut act: impl FnMut(usize)) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                attack();
            }
        });
        // Whatever happens in a round, the other side must end.
        let rounds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (0..ROUNDS).for_each(&mut act)));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = rounds {
            std::panic::resume_unwind(panic);
        }
    });
}

const RULES: [&str; 2] = ["write:/w/**", "!read:/w/secret/**"];

fn tree(world: &World) {
    world.add(&[("pub/file", "public"), ("pub/d/file", "public"), ("secret/file", "secret"), ("spare/", "")]);
}

fn a_link_that_is_swapped_never_leads_to_denied_bytes(world: &World) {
    tree(world);
    let admin = world.admin();
    let mut targets = ["pub/file", "secret/file", "../outside", "nowhere"].iter().cycle();
    world.link("l", "pub/file");
    let guest = world.guest(&RULES);
    let next = std::sync::Mutex::new(&mut targets);
    let (mut read, mut refused) = (0, 0);
    let attack = || {
        let target = *next.lock().unwrap().next().unwrap();
        world.link("new", target);
        admin.rename("new", "l").unwrap();
    };
    against(attack, |_| match guest.read("l") {
        Ok(content) => {
            assert_eq!(content, "public");
            read += 1;
        }
        Err(code) => {
            assert!(matches!(code, "perm" | "noent"), "{code}");
            refused += 1;
        }
    });
    assert!(read + refused == ROUNDS);
    world.outside_is_unharmed();
    admin.unlink("l").unwrap();
    world.link("l", "pub/file");
    assert_eq!(guest.read("l").as_deref(), Ok("public"), "the twin");
}

/// `pub/d` is in turn a directory and a link to the secrets, and things are created in it meanwhile.
fn a_directory_that_is_swapped_never_leads_to_denied_bytes(world: &World) {
    tree(world);
    world.link("evil", "secret");
    let admin = world.admin();
    let guest = world.guest(&RULES);
    let attack = || {
        admin.rename("pub/d", "spare/d").unwrap();
        admin.rename("evil", "pub/d").unwrap();
        admin.rename("pub/d", "evil").unwrap();
        admin.rename("spare/d", "pub/d").unwrap();
    };
    against(attack, |round| {
        if let Ok(content) = guest.read("pub/d/file") {
            assert_eq!(content, "public");
        }
        attempt(guest.write("pub/d/file", "public"));
        attempt(guest.mkdir(&format!("pub/d/made{round}")));
        attempt(guest.rename("pub/d/file", "pub/d/other"));
        attempt(guest.rename("pub/d/other", "pub/d/file"));
        attempt(guest.symlink("../secret/file", "pub/d/l"));
        if let Ok(content) = guest.read("pub/d/l") {
            assert_ne!(content, "secret");
        }
        attempt(guest.unlink("pub/d/l"));
        attempt(guest.list("pub/d").map(|entries| assert!(entries.iter().all(|(_, name)| name != "only-in-secret"))));
    });
    let secrets = admin.list("secret").unwrap();
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    assert_eq!(admin.read("secret/file").as_deref(), Ok("secret"));
    world.outside_is_unharmed();
}

fn a_file_that_is_swapped_with_a_link_is_never_written_through(world: &World) {
    tree(world);
    let admin = world.admin();
    let guest = world.guest(&RULES);
    let turn = AtomicBool::new(false);
    let attack = || {
        if turn.fetch_xor(true, Ordering::Relaxed) {
            world.link("new", "secret/file");
        } else {
            attempt(admin.open("new", CREATE_TRUNCATE, WRITE));
        }
        admin.rename("new", "pub/file").unwrap();
    };
    against(attack, |_| {
        attempt(guest.write("pub/file", "guest was here"));
        attempt(guest.open("pub/file", crate::world::TRUNCATE, WRITE));
        assert_eq!(admin.read("secret/file").as_deref(), Ok("secret"));
    });
}

/// Two guests under the same rules: one moves things about, the other tries to profit.
fn what_guests_move_about_stays_within_their_rules(world: &World) {
    world.add(&[("a/pub/file", "public"), ("a/secret/file", "secret"), ("b/file", "public"), ("c/", "")]);
    let rules = ["write:/w/**", "!read:/w/*/secret/**"];
    let (mover, reader) = (world.guest(&rules), world.guest(&rules));
    let attack = || {
        for (old, new) in [
            ("a", "x"),
            ("a/secret", "c/s"),
            ("a/secret/file", "c/f"),
            ("b/file", "c/file"),
            ("c/file", "b/file"),
            ("a/pub", "c/pub"),
            ("c/pub", "a/pub"),
        ] {
            attempt(mover.rename(old, new));
            attempt(mover.hard_link(old, "c/hard"));
            attempt(mover.unlink("c/hard"));
        }
        for target in ["../a/secret/file", "../b/file"] {
            attempt(mover.symlink(target, "c/l"));
            attempt(mover.unlink("c/l"));
        }
    };
    against(attack, |_| {
        for path in [
            "a/secret/file",
            "x/secret/file",
            "c/s/file",
            "c/f",
            "c/hard",
            "c/l",
            "a/pub/file",
            "c/pub/file",
            "a/pub/../secret/file",
        ] {
            assert_ne!(reader.read(path).as_deref(), Ok("secret"), "{path}");
        }
        attempt(reader.rename("c/hard", "c/f"));
    });
    assert_eq!(world.admin().read("a/secret/file").as_deref(), Ok("secret"));
}

fn a_removal_never_takes_a_denied_file(world: &World) {
    tree(world);
    world.link("evil", "secret");
    let (admin, guest) = (world.admin(), world.guest(&RULES));
    let attack = || {
        attempt(admin.rename("pub/d", "spare/d"));
        attempt(admin.rename("evil", "pub/d"));
        attempt(admin.rename("pub/d", "evil"));
        attempt(admin.rename("spare/d", "pub/d"));
        attempt(admin.mkdir("pub/d"));
        attempt(admin.write("pub/d/file", "public"));
    };
    against(attack, |_| {
        attempt(guest.unlink("pub/d/file"));
        attempt(guest.rmdir("pub/d"));
        assert_eq!(admin.read("secret/file").as_deref(), Ok("secret"));
    });
}

/// Several calls on one store: none is confused by the others, and what is left is a tree.
fn many_guests_at_once_keep_the_tree_whole(world: &World) {
    world.add(&[("a/", ""), ("b/", ""), ("c/", "")]);
    thread::scope(|scope| {
        for seed in 0..4usize {
            let guest: Guest = world.guest(&["write:/w/**"]);
            scope.spawn(move || {
                let names = ["a", "b", "c", "a/x", "b/x", "c/x", "a/x/y", "b/x/y", "c/x/y"];
                let mut state = seed.wrapping_mul(7919) + 1;
                let mut pick = move || {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    names[(state >> 33) % names.len()]
                };
                for round in 0..600 {
                    match round % 6 {
                        0 => attempt(guest.mkdir(pick())),
                        1 | 2 => attempt(guest.rename(pick(), pick())),
                        3 => attempt(guest.write(pick(), "content")),
                        4 => attempt(guest.unlink(pick())),
                        _ => attempt(guest.list(pick())),
                    }
                }
            });
        }
    });
    for (path, content) in world.snapshot() {
        assert!(matches!(content.as_str(), "<directory>" | "content" | ""), "{path}: {content}");
    }
}

/// Deciding and acting on one handle, from many threads: the journal and the tokens are shared safely.
fn one_namespace_serves_many_threads(world: &World) {
    world.add(&[("pub/file", "public"), ("secret/file", "secret")]);
    let guest = Arc::new(world.guest(&RULES));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let guest = Arc::clone(&guest);
            thread::spawn(move || {
                for _ in 0..300 {
                    assert_eq!(guest.read("pub/file").as_deref(), Ok("public"));
                    assert_eq!(guest.read("secret/file"), Err("perm"));
                }
            })
        })
        .collect();
    readers.into_iter().for_each(|reader| reader.join().unwrap());
}
