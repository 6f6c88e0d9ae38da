//! Questions to the index: the answers are those of the log itself, whatever happens to either.

use std::fs;

use caplet_audit::OutcomeKind;
use caplet_audit::log::{Filter, Index, IndexError, Kept, Order, ReadError, Reader};

use super::read::{ids_of, time, world};
use super::{Change, World, append};

fn filters() -> Vec<Filter> {
    let sets: [fn(&mut Filter); 8] = [
        |_| {},
        |filter| filter.tool = Some("fetch".to_owned()),
        |filter| filter.outcome = Some(OutcomeKind::Refused),
        |filter| filter.denied = true,
        |filter| filter.host = Some("api.example.com".to_owned()),
        |filter| filter.path = Some("/work".to_owned()),
        |filter| filter.since = Some(time(15)),
        |filter| {
            filter.tool = Some("read".to_owned());
            filter.until = Some(time(9));
        },
    ];
    let filter = |set: fn(&mut Filter)| {
        let mut filter = Filter::default();
        set(&mut filter);
        filter
    };
    sets.map(filter).into()
}

fn must_agree(world: &World) {
    for filter in filters() {
        let answered = Index::open(&world.folder()).unwrap().last(&filter, 1_000).unwrap();
        let records = Reader::new(world.folder()).records(Order::OldestFirst, filter.clone()).unwrap();
        let read: Vec<Kept> = records.map(Result::unwrap).collect();
        assert_eq!(ids_of(&answered), ids_of(&read), "{filter:?}");
    }
}

#[test]
fn it_answers_as_the_log_does() {
    let (world, ids) = world();
    must_agree(&world);
    let index = Index::open(&world.folder()).unwrap();
    for id in &ids {
        assert_eq!(index.find(id).unwrap().unwrap().record.id, *id);
    }
    assert!(index.find("01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap().is_none());
    assert_eq!(ids_of(&index.last(&Filter::default(), 3).unwrap()), ids[17..]);
    // What comes later is known the next time.
    append(&world.log(), &["later"]);
    must_agree(&world);
    assert!(world.verify().is_sound(), "the index is no part of the log");
}

#[test]
fn it_is_made_anew_where_it_does_not_fit() {
    let spoil: [Change; 4] = [
        ("removed", |world| fs::remove_file(world.folder().join("index.sqlite")).unwrap()),
        ("no database", |world| fs::write(world.folder().join("index.sqlite"), "not a database, at all").unwrap()),
        ("cut", |world| {
            let path = world.folder().join("index.sqlite");
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("of another log", |world| {
            let (other, _) = self::world();
            world.put(&other.lines());
        }),
    ];
    for (name, spoil) in spoil {
        let (world, _) = world();
        must_agree(&world);
        for suffix in ["-wal", "-shm"] {
            assert!(!world.folder().join(format!("index.sqlite{suffix}")).exists(), "{name}");
        }
        spoil(&world);
        must_agree(&world);
    }
}

#[test]
fn what_was_changed_in_the_log_is_not_handed_out() {
    let (world, ids) = world();
    drop(Index::open(&world.folder()).unwrap());
    let mut lines = world.lines();
    let line = lines.iter_mut().flatten().find(|line| line.contains(&ids[3])).unwrap();
    *line = line.replace("\"tool\":\"read\"", "\"tool\":\"rEAD\"");
    world.put(&lines);
    let index = Index::open(&world.folder()).unwrap();
    assert!(matches!(index.find(&ids[3]).unwrap_err(), IndexError::Log(ReadError::Entry { .. })));
    assert_eq!(index.find(&ids[4]).unwrap().unwrap().record.id, ids[4]);
}

#[test]
fn without_a_log_there_is_no_index() {
    let world = World::new();
    assert!(matches!(Index::open(&world.folder()).unwrap_err(), IndexError::Log(ReadError::Missing(_))));
    assert!(!world.folder().exists());
}
