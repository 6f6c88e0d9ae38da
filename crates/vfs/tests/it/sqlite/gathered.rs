//! Writes that go on where the last one ended: what is gathered of them is refused, shown, kept and lost as if it were not, but for
//! other processes, and for a process that is killed.

use std::process::Child;
use std::time::{Duration, Instant};

use caplet_vfs::store::Access;
use caplet_vfs::{FileRef, FileSystem, FsError, NodeRef, SqliteStore};

use super::processes::{lines, say, start};
use super::{Permits, guest, name, sound, store};
use crate::world::{BOTH, CREATE, OPEN, QUOTA};

const PIECE: usize = 4096;

/// The piece of this number.
fn piece(number: u64) -> [u8; PIECE] {
    [b'a' + u8::try_from(number % 26).unwrap(); PIECE]
}

fn offset(number: u64) -> u64 {
    number * u64::try_from(PIECE).unwrap()
}

fn create(store: &SqliteStore, file: &str) -> FileRef {
    store.root().unwrap().create_file(&Permits::new().write, name(file)).unwrap()
}

#[test]
fn this_process_sees_every_write_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let store = SqliteStore::open(&path, QUOTA).unwrap();
    let permits = Permits::new();
    let file = create(&store, "f");
    let root: NodeRef = store.root().unwrap();
    let again = || root.lookup(&permits.search, name("f")).unwrap();
    let reader = again().open(Access::Read(&permits.read)).unwrap();
    for number in 0..600 {
        let written = match file.write_at_once(offset(number), &piece(number)) {
            Some(written) => written,
            None if number % 3 == 0 => file.append(&piece(number)),
            None => file.write_at(offset(number), &piece(number)),
        };
        assert_eq!(written.unwrap(), PIECE);
        let size = offset(number + 1);
        match number % 97 {
            10 => assert_eq!(file.size().unwrap(), size),
            20 => assert_eq!(reader.stat().unwrap().size, size),
            30 => assert_eq!(reader.read_at(offset(number - 1), PIECE).unwrap(), piece(number - 1)),
            40 => assert_eq!(again().stat(caplet_vfs::store::Known::Read(&permits.read)).unwrap().size, size),
            50 => assert_eq!(file.write_at(3, b"xy").unwrap(), 2),
            60 => drop(create(&store, &format!("beside {number}"))),
            70 => file.sync(&permits.write).unwrap(),
            _ => {}
        }
    }
    assert_eq!(file.write_at(3, b"aa").unwrap(), 2);
    for number in 0..600 {
        assert_eq!(reader.read_at(offset(number), PIECE).unwrap(), piece(number), "{number}");
    }
    file.set_size(10).unwrap();
    assert_eq!(reader.read_at(0, PIECE).unwrap(), [b'a'; 10]);
    drop((file, reader, root, store));
    sound(&path);
}

#[test]
fn what_the_quota_has_no_room_for_is_refused_at_once() {
    const ROOM: u64 = 300_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let store = SqliteStore::open(&path, ROOM).unwrap();
    let file = create(&store, "f");
    let room = (ROOM - 1024 - 1) / 4096;
    for number in 0..room {
        assert_eq!(file.write_at(offset(number), &piece(number)).unwrap(), PIECE, "{number}");
    }
    for _ in 0..3 {
        assert!(matches!(file.write_at(offset(room), &piece(room)), Err(FsError::Quota)));
        assert!(matches!(file.append(&piece(room)), Err(FsError::Quota)));
    }
    assert_eq!(file.size().unwrap(), offset(room));
    // Another store of the same file, with more room, goes on with what the first began.
    let wide = SqliteStore::open(&path, QUOTA).unwrap();
    let permits = Permits::new();
    let node = wide.root().unwrap().lookup(&permits.search, name("f")).unwrap();
    let wide_file = node.open(Access::Both(&permits.read, &permits.write)).unwrap();
    for number in room..room + 5 {
        assert_eq!(wide_file.write_at(offset(number), &piece(number)).unwrap(), PIECE);
    }
    assert!(matches!(file.append(b"x"), Err(FsError::Quota)));
    for end in [u64::MAX, (1 << 63) - 10] {
        assert!(file.write_at(end, &[0; 100]).is_err());
    }
    drop((file, wide_file, node, store, wide));
    assert_eq!(sound(&path).used, offset(room + 5) + 1024 + 1);
}

/// How large others see the file.
fn seen_by_others(path: &std::path::Path) -> u64 {
    let store = SqliteStore::open_existing(path).unwrap();
    let permits = Permits::new();
    let node = store.root().unwrap().lookup(&permits.search, name("f")).unwrap();
    node.stat(caplet_vfs::store::Known::Read(&permits.read)).unwrap().size
}

#[test]
fn others_see_it_when_the_file_is_closed_and_soon_when_it_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.db");
    let store = store(&path);
    let mut written = 0;
    for _ in 0..20 {
        let guest = guest(&store);
        let file = guest.open("f", CREATE, BOTH).unwrap();
        for _ in 0..7 {
            assert_eq!(guest.ns.append(&file, &piece(written)).unwrap(), PIECE);
            written += 1;
        }
        drop(file);
        assert_eq!(seen_by_others(&path), offset(written), "it was closed");
    }
    let guest = guest(&store);
    let file = guest.open("f", OPEN, BOTH).unwrap();
    for _ in 0..7 {
        guest.ns.append(&file, &piece(written)).unwrap();
        written += 1;
    }
    let until = Instant::now() + Duration::from_secs(20);
    while seen_by_others(&path) != offset(written) {
        assert!(Instant::now() < until, "nobody ends what lingers");
        std::thread::yield_now();
    }
}

/// Writes one piece after the other until it is killed.
pub(super) fn write_forever(path: &std::path::Path, from: u64) {
    let store = store(path);
    let guest = guest(&store);
    let file = guest.open("f", CREATE, BOTH).unwrap();
    for number in from.. {
        // What one call may write is bounded, and what is kept, too.
        let at = offset(number % 8192);
        let written = guest.ns.write_at_once(&file, at, &piece(number));
        assert_eq!(written.unwrap_or_else(|| guest.ns.write_at(&file, at, &piece(number))).unwrap(), PIECE);
        if number % 50 == 49 {
            guest.ns.sync(&file).unwrap();
            say(number);
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_that_was_synced_and_leaves_whole_pieces() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..20u32 {
        let path = directory.path().join(format!("{round}.db"));
        let mut child: Child = start("write 0", &path);
        let mut said = lines(&mut child);
        let mut synced: Option<u64> = None;
        for _ in 0..=(round * 5) % 12 {
            synced = Some(said.next().unwrap().parse().unwrap());
        }
        let until = Instant::now() + Duration::from_micros(u64::from(round * 331 % 3000));
        while Instant::now() < until {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let synced: u64 = said.last().map(|last| last.parse().unwrap()).or(synced).unwrap();
        sound(&path);
        let store = store(&path);
        let content = guest(&store).read("f").unwrap().into_bytes();
        let pieces: Vec<&[u8]> = content.chunks(PIECE).collect();
        assert!(pieces.len() > usize::try_from(synced).unwrap(), "round {round}: {} of {synced}", pieces.len());
        for (number, found) in (0..).zip(&pieces) {
            assert_eq!(*found, piece(number), "round {round}, piece {number}");
        }
        assert!(pieces.len() < 8192, "one round over the file is enough");
    }
}
