//! Quotas, huge directories, deep trees, and time.

use std::sync::Arc;
use std::time::Duration;

use caplet_policy::Allowance;
use caplet_vfs::{FileSystem, FsError, MemoryStore, NewTime, SqliteStore, Timestamp};

use crate::world::{BOTH, CREATE, CREATE_NEW, Guest, OPEN, WRITE, World, code, config, guard, on_every_store};

on_every_store!(
    what_a_call_writes_is_counted_by_logical_size,
    entries_cost_too,
    what_was_not_written_is_not_counted,
    each_mount_has_a_quota_of_its_own,
    time_is_as_coarse_as_the_clock,
    time_that_stands_still_stands_still_for_files,
    a_directory_of_many_names_is_read_in_pieces,
    deep_trees_are_reached_by_handles,
    a_long_path_goes_down_and_up_again,
);

const MIB: u64 = 1 << 20;

fn limited(world: &World, quota: u64) -> Guest {
    let (guard, journal) = guard(&["write:/w/**"], &[]);
    let mut config = config(&[("/w", &world.store)], guard);
    config.write_quota = quota;
    Guest::from_config(config, journal)
}

fn what_a_call_writes_is_counted_by_logical_size(world: &World) {
    world.add(&[("full", &"x".repeat(1000))]);
    type Act = fn(&Guest, &caplet_vfs::Descriptor) -> Result<(), FsError>;
    let attacks: [(&str, Act); 9] = [
        ("set-size 1 TiB", |guest, file| guest.ns.set_size(file, 1 << 40)),
        ("set-size 2^63 - 1", |guest, file| guest.ns.set_size(file, (1 << 63) - 1)),
        ("set-size 2^64 - 1", |guest, file| guest.ns.set_size(file, u64::MAX)),
        ("write at 2^40", |guest, file| guest.ns.write_at(file, 1 << 40, b"x").map(drop)),
        ("write at 2^63 - 1", |guest, file| guest.ns.write_at(file, (1 << 63) - 1, b"x").map(drop)),
        ("write at 2^64 - 1", |guest, file| guest.ns.write_at(file, u64::MAX, b"xx").map(drop)),
        ("write just beyond", |guest, file| guest.ns.write_at(file, MIB, b"x").map(drop)),
        ("one large write", |guest, file| guest.ns.write_at(file, 0, &vec![0; 2 << 20]).map(drop)),
        ("many appends", |guest, file| (0..300).try_for_each(|_| guest.ns.append(file, &[0; 4096]).map(drop))),
    ];
    for (what, attack) in attacks {
        let guest = limited(world, MIB);
        let file = guest.open("new", CREATE, BOTH).unwrap();
        assert!(!guest.ns.exceeded(), "{what}");
        assert_eq!(attack(&guest, &file).map_err(|error| code(&error)), Err("dquot"), "{what}");
        assert!(guest.ns.exceeded(), "{what}");
        assert!(guest.ns.stat(&file).unwrap().size <= MIB, "{what}");
        guest.ns.set_size(&file, 0).unwrap();
    }
    // Overwriting the same bytes is writing, too, and cutting and growing again.
    let guest = limited(world, MIB);
    let file = guest.open("full", OPEN, WRITE).unwrap();
    let again = (0..2000).find_map(|_| guest.ns.write_at(&file, 0, &[1; 1000]).err());
    assert_eq!(again.map(|error| code(&error)), Some("dquot"));
    let guest = limited(world, MIB);
    let saw = (0..2000).find_map(|_| guest.ns.set_size(&file, 0).and_then(|()| guest.ns.set_size(&file, 1000)).err());
    assert_eq!(saw.map(|error| code(&error)), Some("dquot"));
    let twin = limited(world, MIB);
    let file = twin.open("twin", CREATE, BOTH).unwrap();
    assert!(twin.ns.set_size(&file, MIB / 2).is_ok() && twin.ns.write_at(&file, 3 * MIB / 4, b"x").is_ok());
    assert!(!twin.ns.exceeded());
}

fn entries_cost_too(world: &World) {
    let long = "n".repeat(240);
    type Make = fn(&Guest, &str) -> Result<(), &'static str>;
    let attacks: [(&str, Make); 4] = [
        ("files", |guest, name| guest.open(name, CREATE_NEW, WRITE).map(drop)),
        ("directories", |guest, name| guest.mkdir(name)),
        ("links", |guest, name| guest.symlink("a/rather/long/target/of/a/link", name)),
        ("hard links", |guest, name| guest.hard_link("file", name)),
    ];
    world.add(&[("file", "x")]);
    for (what, make) in attacks {
        let guest = limited(world, MIB);
        let stopped = (0..2000).find(|number| make(&guest, &format!("{what}{number}{long}")) == Err("dquot"));
        assert!(stopped.is_some_and(|stopped| (700..1024).contains(&stopped)), "{what}: {stopped:?}");
        assert!(guest.ns.exceeded(), "{what}");
    }
}

fn what_was_not_written_is_not_counted(world: &World) {
    world.add(&[("file", "x"), ("d/", "")]);
    let guest = limited(world, 3000);
    for _ in 0..100 {
        assert_eq!(guest.mkdir("d"), Err("exist"));
        assert_eq!(guest.symlink("x", "file"), Err("exist"));
        assert_eq!(guest.rename("file", "file2"), Ok(()));
        assert_eq!(guest.rename("file2", "file"), Ok(()));
    }
    assert_eq!(guest.mkdir("e"), Ok(()));
    assert!(!guest.ns.exceeded());
}

fn each_mount_has_a_quota_of_its_own(world: &World) {
    let other = World::memory();
    let (guard, journal) = guard(&["write:/**"], &[]);
    let mut config = config(&[("/w", &world.store), ("/x", &other.store)], guard);
    config.write_quota = 5000;
    let mut guest = Guest::from_config(config, journal);
    guest.base = guest.preopen("/");
    assert_eq!(guest.write("w/f", &"x".repeat(3000)), Ok(()));
    assert_eq!(guest.write("x/f", &"x".repeat(3000)), Ok(()));
    assert_eq!(guest.write("w/f", &"x".repeat(3000)), Err("dquot"));
}

/// A store's own quota: it holds for all calls together, and room comes back.
#[test]
fn a_store_never_holds_more_than_its_quota() {
    let directory = tempfile::tempdir().unwrap();
    let database = |quota| SqliteStore::open(directory.path().join("f.db"), quota).unwrap();
    holds_no_more(Arc::new(MemoryStore::new(100_000)), Arc::new(MemoryStore::new(0)));
    holds_no_more(Arc::new(database(100_000)), Arc::new(database(0)));
}

/// Stores that have an allowance together: neither takes what the other has, and one that is gone leaves everything to the other.
#[test]
fn stores_in_memory_can_share_what_they_hold() {
    let whole = Arc::new(Allowance::new(100_000));
    let store = || -> Arc<dyn FileSystem> {
        Arc::new(MemoryStore::within(Allowance::new(80_000).part_of(Some(Arc::clone(&whole)))))
    };
    let (one, other) = (store(), store());
    let guest = |store: &Arc<dyn FileSystem>| Guest::new(&[("/w", store)], &["write:/w/**"]);
    let (first, second) = (guest(&one), guest(&other));
    assert_eq!(first.write("a", &"x".repeat(85_000)), Err("dquot"), "its own quota holds");
    assert_eq!(first.mkdir("d"), Ok(()));
    assert_eq!(first.symlink("a", "d/link"), Ok(()));
    assert_eq!(first.write("d/a", &"x".repeat(60_000)), Ok(()));
    assert_eq!(second.write("b", &"x".repeat(40_000)), Err("dquot"));
    assert_eq!(second.write("c", &"x".repeat(20_000)), Ok(()));
    drop(first);
    drop(one);
    assert_eq!(second.write("d", &"x".repeat(50_000)), Ok(()));
    drop(second);
    drop(other);
    assert_eq!(whole.taken(), 0);
}

fn holds_no_more(store: Arc<dyn FileSystem>, small: Arc<dyn FileSystem>) {
    let guest = || Guest::new(&[("/w", &store)], &["write:/w/**"]);
    assert_eq!(guest().write("a", &"x".repeat(60_000)), Ok(()));
    let second = guest();
    assert_eq!(second.write("b", &"x".repeat(60_000)), Err("dquot"));
    assert!(second.ns.exceeded(), "the call hit a limit, and its outcome can say so");
    assert_eq!(second.unlink("a"), Ok(()));
    assert_eq!(second.write("b", &"x".repeat(60_000)), Ok(()));
    // A file without a name takes room as long as it is open.
    let held = second.open("b", OPEN, BOTH).unwrap();
    assert_eq!(second.unlink("b"), Ok(()));
    assert_eq!(guest().write("c", &"x".repeat(60_000)), Err("dquot"));
    drop(held);
    assert_eq!(guest().write("c", &"x".repeat(60_000)), Ok(()));
    for round in 0..50 {
        let guest = guest();
        assert_eq!(guest.mkdir("d"), Ok(()), "{round}");
        assert_eq!(guest.symlink(&"t".repeat(2000), "d/l"), Ok(()), "{round}");
        assert_eq!(guest.hard_link("c", "d/c"), Ok(()), "{round}");
        assert_eq!(guest.rename("d/c", &"long".repeat(60)), Ok(()), "{round}");
        assert_eq!(guest.rename(&"long".repeat(60), "d/l"), Ok(()), "{round}");
        assert_eq!((guest.unlink("d/l"), guest.rmdir("d")), (Ok(()), Ok(())), "{round}");
    }
    assert_eq!(Guest::new(&[("/w", &small)], &["write:/w/**"]).mkdir("e"), Err("dquot"));
}

fn time_is_as_coarse_as_the_clock(world: &World) {
    world.add(&[("f", "f")]);
    let at = NewTime::At(Timestamp { seconds: 1_234_567_891, nanoseconds: 987_654_321 });
    let admin = world.admin();
    admin.verb(|ns, base| ns.set_times_at(base, "f", true, at, at)).unwrap();
    for (resolution, seconds, nanoseconds) in [
        (Duration::from_nanos(1), 1_234_567_891, 987_654_321),
        (Duration::from_micros(1), 1_234_567_891, 987_654_000),
        (Duration::from_millis(100), 1_234_567_891, 900_000_000),
        (Duration::from_secs(1), 1_234_567_891, 0),
        (Duration::from_secs(60), 1_234_567_860, 0),
        (Duration::ZERO, 1_234_567_891, 987_654_321),
        (Duration::MAX, 0, 0),
    ] {
        let (guard, journal) = guard(&["read:/w/**"], &[]);
        let mut config = config(&[("/w", &world.store)], guard);
        config.time_resolution = Some(resolution);
        let guest = Guest::from_config(config, journal);
        let seen = guest.stat("f").unwrap();
        assert_eq!(seen.modified, Some(Timestamp { seconds, nanoseconds }), "{resolution:?}");
        assert_eq!(seen.accessed, seen.modified, "{resolution:?}");
        let open = guest.open("f", OPEN, crate::world::READ).unwrap();
        assert_eq!(guest.ns.stat(&open).unwrap(), seen);
    }
}

fn time_that_stands_still_stands_still_for_files(world: &World) {
    let (guard, journal) = guard(&["write:/w/**"], &[]);
    let mut config = config(&[("/w", &world.store)], guard);
    config.time_resolution = None;
    let guest = Guest::from_config(config, journal);
    let future = NewTime::At(Timestamp { seconds: 9_000_000_000, nanoseconds: 5 });
    guest.write("a", "x").unwrap();
    let first = guest.stat("a").unwrap();
    guest.verb(|ns, base| ns.set_times_at(base, "a", true, future, future)).unwrap();
    let second = guest.stat("a").unwrap();
    assert_eq!((second.modified, second.accessed), (first.modified, first.modified));
    assert!(second.changed <= first.modified);
    assert_eq!(first.modified.unwrap().nanoseconds, 0);
}

fn a_directory_of_many_names_is_read_in_pieces(world: &World) {
    let admin = world.admin();
    admin.mkdir("d").unwrap();
    for number in 0..3000 {
        admin.open(&format!("d/file-{number:05}"), CREATE_NEW, WRITE).unwrap();
    }
    let names = admin.names("d");
    assert_eq!(names.len(), 3000);
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "each once");
    // What is there all the time is seen, whatever happens to the rest.
    let folder = admin.open_directory("d").unwrap();
    let mut seen = Vec::new();
    for (number, entry) in admin.ns.list(&folder).unwrap().enumerate() {
        let name = entry.unwrap().name;
        if number % 10 == 0 && name.ends_with('1') {
            admin.unlink(&format!("d/{name}")).unwrap();
        }
        seen.push(name);
    }
    assert!(names.iter().filter(|name| !name.ends_with('1')).all(|name| seen.contains(name)));
}

fn deep_trees_are_reached_by_handles(world: &World) {
    let admin = world.admin();
    let mut here = admin.base.clone();
    let name = "d".repeat(200);
    let mut depth = 0;
    let end = loop {
        match admin.ns.create_directory_at(&here, &name) {
            Ok(()) => {}
            Err(error) => break error,
        }
        here = admin.ns.open_at(&here, &name, false, OPEN, crate::world::READ).unwrap();
        depth += 1;
        assert!(depth < 100, "the path of a handle is bounded");
    };
    assert_eq!((code(&end), depth), ("nametoolong", 20));
    assert!(admin.ns.stat(&here).is_ok());
    // A directory can be moved below a deep one again and again; the tree is deeper than any path then.
    let mut chain = String::new();
    for _ in 0..300 {
        chain.push_str("x/");
        admin.mkdir(&chain).unwrap();
    }
    for round in 0..10 {
        let root = format!("root{round}");
        admin.mkdir(&root).unwrap();
        admin.rename("x", &format!("{root}/x")).unwrap();
        admin.rename(&root, "x").unwrap();
    }
    assert!(admin.read(&format!("{}/{chain}none", "x/".repeat(10))).is_err());
}

fn a_long_path_goes_down_and_up_again(world: &World) {
    let admin = world.admin();
    let mut path = String::new();
    for number in 0..400 {
        path.push_str("d/");
        admin.mkdir(&path).unwrap();
        if number % 50 == 0 {
            admin.write(&format!("{path}f"), &number.to_string()).unwrap();
        }
    }
    world.link(&format!("{path}l"), &format!("{}f", "../".repeat(299)));
    for up in [1, 63, 64, 65, 199, 349, 398] {
        let depth = 400 - up;
        let answer = admin.read(&format!("{path}{}f", "../".repeat(up)));
        let expected = if (depth - 1) % 50 == 0 { Ok((depth - 1).to_string()) } else { Err("noent") };
        assert_eq!(answer, expected, "{up}");
    }
    assert_eq!(admin.read(&format!("{path}{}f", "../".repeat(401))), Err("perm"));
    assert_eq!(admin.read(&format!("{path}{}{}d/f", "../".repeat(300), "d/".repeat(50))).as_deref(), Ok("150"));
    assert_eq!(admin.read(&format!("{path}l")).as_deref(), Ok("100"));
    // While it goes, something of the way is replaced by a link.
    let guest = world.guest(&["read:/w/**", "!read:/w/secret/**"]);
    world.add(&[("secret/d/d/f", "secret")]);
    world.link("d2", "secret");
    admin.rename("d", "d3").unwrap();
    admin.rename("d2", "d").unwrap();
    assert_eq!(guest.read(&format!("{path}{}f", "../".repeat(398))), Err("perm"));
}

/// Letting go of a tree that is far deeper than the stack is.
#[test]
fn a_very_deep_tree_in_memory_is_let_go() {
    let store = MemoryStore::new(u64::MAX);
    let (guard, _) = guard(&["write:/**"], &[]);
    let token = guard.check(caplet_policy::Write(caplet_policy::GuestPath::root())).unwrap();
    let search = guard.check(caplet_policy::Search(caplet_policy::GuestPath::root())).unwrap();
    let name = caplet_vfs::Name::parse("d").unwrap();
    let mut node = store.root().unwrap();
    for _ in 0..200_000 {
        node.create_directory(&token, name).unwrap();
        node = node.lookup(&search, name).unwrap();
    }
    drop(node);
    drop(store);
}
