//! One hostile guest after the other, in a process of its own: each ends as it should and near its limit, calls beside it are
//! answered, and when it is gone the process holds no more threads, files and memory than before.

use std::process::Command;
use std::time::{Duration, Instant};

use caplet_audit::{ErrorKind, Outcome, OutcomeKind};
use serde_json::json;

use crate::attacks::leaks;
use crate::harness::{Call, SLEEPS, call, preview1};

/// Set in the process that has nothing else to do.
const ALONE: &str = "CAPLET_TEST_ALONE";

/// Memory that an allocator may keep for its own use, in KiB: far less than any of these guests takes.
const KEPT_KIB: u64 = 16 << 10;

const BENIGN: &str = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;

/// What a guest tries, and how that ends.
struct Attack {
    name: &'static str,
    guest: String,
    limit: &'static str,
    /// The directory that it has at `/w`.
    granted: bool,
    ends: (OutcomeKind, Option<ErrorKind>, Option<u32>),
}

fn attacks() -> Vec<Attack> {
    let limit = |kind| (OutcomeKind::Limit, Some(kind), None);
    let start = |body: &str| preview1("", body);
    let attack = |name, guest, limit, ends| Attack { name, guest, limit, granted: false, ends };
    let files = |name, guest, ends| Attack { name, guest, limit: "timeout=5s", granted: true, ends };
    // Opening goes on until it fails, and the exit code is the error number of the failure: a module's own table has 128 places,
    // so that is `nomem`.
    let opens = "(local $e i32) (loop $l (local.set $e (call $open (i32.const 3) (i32.const 1024) (i32.const 4) (i32.const 0) (i64.const 2)))
        (br_if $l (i32.eqz (local.get $e)))) (call $exit (local.get $e))";
    let opens_fifo =
        "(call $exit (call $open (i32.const 3) (i32.const 1024) (i32.const 4) (i32.const 0) (i64.const 2)))";
    let floods = "(i32.store (i32.const 8) (i32.const 1024)) (i32.store (i32.const 12) (i32.const 65536))
        (loop $l (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16))) (br $l))";
    let grows_tables = r#"(module (memory (export "memory") 1) (table $t 1 funcref)
        (func (export "_start") (loop $l (drop (table.grow $t (ref.null func) (i32.const 10000))) (br $l))))"#;
    let recurses = r#"(module (memory (export "memory") 1) (func $f (param i64) (result i64)
        (i64.add (call $f (i64.add (local.get 0) (i64.const 1))) (i64.const 1)))
        (func (export "_start") (drop (call $f (i64.const 0)))))"#;
    let fills = "(loop $l (drop (memory.grow (i32.const 64)))
        (memory.fill (i32.const 4096) (i32.const 7) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4096))) (br $l))";
    let holds_headers = "(loop $l (drop (call $new)) (br $l)) unreachable";
    let sleeps = "(drop (call $subscribe (i64.const 3600000000000))) (loop $l (br $l)) unreachable";
    vec![
        attack("traps", start("unreachable"), "timeout=5s", (OutcomeKind::Trap, Some(ErrorKind::Trap), None)),
        attack("loops", start("(loop $l (br $l))"), "timeout=300ms", limit(ErrorKind::Timeout)),
        attack("takes memory and writes to it", start(fills), "memory=64MiB", limit(ErrorKind::Memory)),
        attack("takes tables", grows_tables.to_owned(), "timeout=10s", limit(ErrorKind::Tables)),
        attack("floods its output", start(floods), "output=1MiB", limit(ErrorKind::Output)),
        attack("recurses", recurses.to_owned(), "timeout=10s", limit(ErrorKind::Stack)),
        attack("keeps handles", leaks(holds_headers), "handles=1000", limit(ErrorKind::Handles)),
        attack("sets timers and loops", leaks(sleeps), "timeout=300ms", limit(ErrorKind::Timeout)),
        attack("sleeps", SLEEPS.to_owned(), "timeout=300ms", limit(ErrorKind::Timeout)),
        files("keeps files open", preview1("file", opens), (OutcomeKind::Exit, None, Some(48))),
        files(
            "opens a pipe that nobody writes to",
            preview1("fifo", opens_fifo),
            (OutcomeKind::Denied, Some(ErrorKind::Denied), Some(63)),
        ),
    ]
}

impl Attack {
    fn call(&self, directory: &std::path::Path) -> Call {
        let call = call(&self.guest).limit(self.limit).allow("clock:1ms");
        if self.granted { call.mount_host("/w", directory).allow("read:/w/**") } else { call }
    }

    fn check(&self, outcome: &Outcome) {
        let kind = outcome.error.as_ref().map(|error| error.kind);
        let (ends, wanted, code) = self.ends;
        assert_eq!((outcome.outcome, outcome.exit_code), (ends, code), "{}: {outcome:?}", self.name);
        if wanted.is_some() {
            assert_eq!(kind, wanted, "{}: {outcome:?}", self.name);
        }
        if wanted == Some(ErrorKind::Timeout) {
            // 300 ms, half as much again, and a second for a machine that is busy.
            let wall = Duration::from_micros(outcome.usage.wall_us);
            assert!(
                (Duration::from_millis(300)..Duration::from_millis(1450)).contains(&wall),
                "{}: {wall:?}",
                self.name
            );
        }
    }
}

/// What this process holds.
#[derive(Debug)]
pub struct Held {
    threads: usize,
    files: usize,
    pub memory_kib: u64,
}

impl Held {
    pub fn now() -> Self {
        let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        Self {
            threads: count("/proc/self/task"),
            files: count("/proc/self/fd"),
            memory_kib: memory.trim().trim_end_matches(" kB").parse().unwrap(),
        }
    }

    fn is_within(&self, baseline: &Self) -> bool {
        self.threads <= baseline.threads
            && self.files <= baseline.files
            && self.memory_kib <= baseline.memory_kib + KEPT_KIB
    }
}

async fn benign_calls_are_answered(times: usize) {
    let tool = call(BENIGN).prepared();
    for _ in 0..times {
        let outcome = Call::of(tool.clone()).arguments(json!({"a": 2, "b": 40})).run().await;
        assert_eq!((outcome.outcome, outcome.output), (OutcomeKind::Ok, json!(42)));
    }
}

#[test]
fn every_hostile_guest_ends_as_it_should_and_leaves_nothing() {
    if std::env::var_os(ALONE).is_none() {
        let this = "hostile::every_hostile_guest_ends_as_it_should_and_leaves_nothing";
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", this, "--nocapture", "--test-threads=1"]).env(ALONE, "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "text").unwrap();
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(Duration::from_millis(50))
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // What is made once and kept is there after the first time around.
        let mut baseline = None;
        for (turn, attack) in (0..).zip(attacks().into_iter().chain(attacks())) {
            let hostile = tokio::spawn(attack.call(directory.path()).run());
            benign_calls_are_answered(20).await;
            attack.check(&hostile.await.unwrap());
            benign_calls_are_answered(1).await;
            if turn + 1 == attacks().len() {
                settle().await;
                baseline = Some(Held::now());
            } else if let Some(baseline) = &baseline {
                is_back_at(baseline, attack.name).await;
            }
        }
    });
}

/// Until threads that wait for more work have gone.
pub async fn settle() {
    let mut before = Held::now();
    let started = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = Held::now();
        if (now.threads, now.files) == (before.threads, before.files) || started.elapsed() > Duration::from_secs(10) {
            return;
        }
        before = now;
    }
}

pub async fn is_back_at(baseline: &Held, name: &str) {
    let started = Instant::now();
    loop {
        let now = Held::now();
        if now.is_within(baseline) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{name}: {now:?}, before it {baseline:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
