//! Mounts that are there to read only, whatever the rules say.

use std::sync::Arc;

use caplet_policy::GuestPath;
use caplet_vfs::{FileSystem, Mount};

use super::rights::mutations;
use super::tree;
use crate::world::{Guest, World, config, guard, on_every_store};

on_every_store!(
    nothing_is_changed_through_a_read_only_mount,
    a_mount_below_a_read_only_one_has_its_own_word,
    nothing_moves_into_a_read_only_mount_or_out_of_it,
);

/// A guest that may write everywhere, with the stores at these places; a place that starts with `!` is there to read only.
fn guest(mounts: &[(&str, &Arc<dyn FileSystem>)]) -> Guest {
    let (guard, journal) = guard(&["write:/**"], &[]);
    let mut config = config(&[], guard);
    for (at, store) in mounts {
        let mount = |at| Mount::new(GuestPath::parse(at).unwrap(), Arc::clone(store));
        config.mounts.push(at.strip_prefix('!').map_or_else(|| mount(at), |at| mount(at).read_only()));
    }
    Guest::from_config(config, journal)
}

fn nothing_is_changed_through_a_read_only_mount(world: &World) {
    tree(world);
    world.link("l", "top");
    let (before, stat) = (world.snapshot(), world.admin().stat("top").unwrap());
    let reader = guest(&[("!/w", &world.store)]);
    for (what, answer) in mutations(&reader) {
        assert_eq!(answer, Some("perm"), "{what}");
    }
    let denied = reader.journal.summary().denied;
    assert!(!denied.is_empty() && denied.iter().all(|entry| entry.hint.contains("mounted read-only")), "{denied:?}");
    assert_eq!(world.snapshot(), before);
    let after = world.admin().stat("top").unwrap();
    assert_eq!((after.modified, after.size, after.links), (stat.modified, stat.size, stat.links));
    assert_eq!((reader.read("l").as_deref(), reader.names("pub")), (Ok("top"), world.admin().names("pub")));
    // The twin: the same store, the same rules, and no such word.
    let writer = guest(&[("/w", &world.store)]);
    assert_eq!(writer.write("top", "changed"), Ok(()));
    assert_eq!(reader.read("top").as_deref(), Ok("changed"));
}

fn a_mount_below_a_read_only_one_has_its_own_word(world: &World) {
    tree(world);
    let other = World::memory();
    other.add(&[("file", "inner")]);
    let nested = guest(&[("!/w", &world.store), ("/w/in", &other.store)]);
    assert_eq!((nested.write("in/file", "x"), nested.write("top", "x")), (Ok(()), Err("perm")));
    assert_eq!((nested.mkdir("in/d"), nested.mkdir("d")), (Ok(()), Err("perm")));
    let reverse = guest(&[("/w", &other.store), ("!/w/in", &world.store)]);
    assert_eq!((reverse.write("file", "y"), reverse.write("in/top", "y")), (Ok(()), Err("perm")));
    assert_eq!(world.admin().read("top").as_deref(), Ok("top"));
}

fn nothing_moves_into_a_read_only_mount_or_out_of_it(world: &World) {
    tree(world);
    let before = world.snapshot();
    // The same store at two places: there is no other device to blame.
    let mut both = guest(&[("!/ro", &world.store), ("/rw", &world.store)]);
    both.base = both.preopen("/");
    for (old, new) in [("ro/top", "rw/x"), ("rw/top", "ro/x"), ("ro/pub", "rw/x"), ("ro/top", "ro/x")] {
        assert_eq!(both.rename(old, new), Err("perm"), "{old} {new}");
        assert_eq!(both.hard_link(old, new), Err("perm"), "{old} {new}");
    }
    assert_eq!(both.symlink("top", "ro/x"), Err("perm"));
    assert_eq!(world.snapshot(), before);
    assert_eq!(both.rename("rw/top", "rw/x"), Ok(()));
}
