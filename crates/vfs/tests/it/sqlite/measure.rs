//! How fast a database is beside a directory of the host.

use std::time::{Duration, Instant};

use caplet_vfs::store::Access;
use caplet_vfs::{FileRef, FileSystem, HostStore, NodeRef, SqliteStore};

use super::{Permits, name};
use crate::world::QUOTA;

/// Prints how fast a store is beside a directory of the host. Run it by name, with `--ignored --nocapture`, and a release build
/// where the numbers are to count.
#[test]
#[ignore = "it measures, and decides nothing"]
fn measure() {
    let permits = Permits::new();
    let directory = tempfile::tempdir_in(".").unwrap();
    let timed = |what: &str, rounds: u32, act: &mut dyn FnMut()| {
        let began = Instant::now();
        for _ in 0..rounds {
            act();
        }
        let took = began.elapsed() / rounds;
        println!("{what:50} {took:?}");
        took
    };
    for block in [64 << 10, 1 << 20] {
        let content = vec![7; block];
        let mut took = [Duration::ZERO; 2];
        for round in 0..5 {
            std::fs::create_dir(directory.path().join(format!("{block}-{round}"))).unwrap();
            let host = HostStore::open(directory.path().join(format!("{block}-{round}"))).unwrap();
            let sqlite = SqliteStore::open(directory.path().join(format!("{block}-{round}.db")), QUOTA).unwrap();
            let stores: [(&str, &dyn FileSystem); 2] = [("host", &host), ("sqlite", &sqlite)];
            for (index, (what, store)) in stores.into_iter().enumerate() {
                let file: FileRef = store.root().unwrap().create_file(&permits.write, name("f")).unwrap();
                took[index] += timed(&format!("{what}: 64 MiB in {block}"), 1, &mut || {
                    for at in 0..(64 << 20) / block {
                        file.write_at(u64::try_from(at * block).unwrap(), &content).unwrap();
                    }
                    file.sync(&permits.write).unwrap();
                });
            }
            drop(sqlite);
        }
        println!("{block}: {:.0} % of host", 100.0 * took[0].as_secs_f64() / took[1].as_secs_f64());
    }
    let store = SqliteStore::open(directory.path().join("small.db"), QUOTA).unwrap();
    let root: NodeRef = store.root().unwrap();
    let mut number = 0;
    timed("create a file", 2000, &mut || {
        number += 1;
        root.create_file(&permits.write, name(&format!("file-{number}"))).unwrap();
    });
    let file = root.lookup(&permits.search, name("file-1")).unwrap();
    let open = file.open(Access::Both(&permits.read, &permits.write)).unwrap();
    timed("lookup", 5000, &mut || drop(root.lookup(&permits.search, name("file-1000")).unwrap()));
    timed("write 100 bytes", 2000, &mut || assert_eq!(open.write_at(0, &[1; 100]).unwrap(), 100));
    timed("append 100 bytes", 2000, &mut || assert_eq!(open.append(&[1; 100]).unwrap(), 100));
    timed("write 4 KiB within 192 KiB", 2000, &mut || assert_eq!(open.write_at(100_000, &[1; 4096]).unwrap(), 4096));
    timed("read 4 KiB", 5000, &mut || drop(open.read_at(4096, 4096).unwrap()));
    timed("size", 5000, &mut || assert!(open.size().unwrap() > 0));
    timed("sync", 20, &mut || open.sync(&permits.write).unwrap());
}
