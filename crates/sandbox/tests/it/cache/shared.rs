//! One folder, many threads and processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;

use caplet_sandbox::Cache;

use super::{ROOM, bytes, got, names};

/// The folder that another process is to work in.
const SHARED: &str = "CAPLET_TEST_SHARED_CACHE";

#[test]
fn a_race_for_the_key_has_one_winner() {
    for _ in 0..20 {
        let world = tempfile::tempdir().unwrap();
        let folder = world.path().join("cache");
        let start = Barrier::new(16);
        let caches: Vec<Cache> = thread::scope(|scope| {
            let open = || {
                start.wait();
                Cache::open(&folder, ROOM).unwrap()
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        caches[0].put("entry", b"x").unwrap();
        assert!(caches.iter().all(|cache| got(cache, "entry").as_deref() == Some(b"x")));
        assert_eq!(names(&caches[0]), ["entry", "key"]);
    }
}

/// Writes and reads one name many times. Every reading must be one writing, whole.
fn work_in(folder: &Path, worker: u8) {
    let cache = Cache::open(folder, ROOM).unwrap();
    for round in 0..200_usize {
        let seed = worker.wrapping_mul(31) ^ round as u8;
        // Now and then one that several threads hash.
        let length = if round % 20 == 0 { 3 << 20 } else { round * 37 };
        if round % 3 == 0 {
            cache.put("shared", &bytes(length, seed)).unwrap();
        }
        if round % 50 == 49 {
            cache.remove("shared").unwrap();
        }
        if let Some(read) = got(&cache, "shared") {
            let seed = read.first().copied().unwrap_or_default();
            assert!(read == bytes(read.len(), seed), "a reading that nobody wrote");
        }
    }
}

/// Not a test of its own: what the second process of the next one runs.
#[test]
fn second_process() {
    if let Some(folder) = std::env::var_os(SHARED) {
        work_in(Path::new(&folder), 9);
    }
}

#[test]
fn threads_and_processes_share_a_folder() {
    let world = tempfile::tempdir().unwrap();
    let folder: PathBuf = world.path().join("cache");
    let begin = || -> Child {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", "cache::shared::second_process"]).env(SHARED, &folder).spawn().unwrap()
    };
    let processes = [begin(), begin()];
    thread::scope(|scope| {
        for worker in 0..2 {
            let folder = &folder;
            scope.spawn(move || work_in(folder, worker));
        }
    });
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let left = names(&Cache::open(&folder, ROOM).unwrap());
    assert!(left == ["key"] || left == ["key", "shared"], "{left:?}");
}

#[test]
fn a_writer_may_be_killed_at_any_time() {
    let world = tempfile::tempdir().unwrap();
    let folder = world.path().join("cache");
    for round in 0..20_u32 {
        let mut program = Command::new(std::env::current_exe().unwrap());
        let program = program.args(["--exact", "cache::shared::second_process"]).env(SHARED, &folder);
        let mut writer = program.stdout(Stdio::null()).spawn().unwrap();
        // As many looks as make the moment another one each time: at the start, and in the midst of writing.
        for _ in 0..round * 40 {
            let _ = fs::read_dir(&folder).map(Iterator::count);
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        let cache = Cache::open(&folder, ROOM).unwrap();
        cache.get("shared").unwrap();
        cache.put("shared", b"x").unwrap();
        assert_eq!(got(&cache, "shared").unwrap(), b"x");
    }
}
