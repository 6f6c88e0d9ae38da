//! Deterministic calls: the same bytes, decisions, fuel and memory each time, whatever the host does meanwhile; and guests that try to find out
//! what the host does.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use caplet_audit::{ErrorKind, Outcome, OutcomeKind};
use caplet_sandbox::SessionLimits;
use serde_json::Value;

use crate::harness::{Call, SLEEPS, call};

/// A preview1 command that does `body`, and then prints what it noted with `$note` and `$note64`. Bytes 256.. are "dir/fileother".
fn notes(body: &str) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_readdir" (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_get" (func $stat (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_filestat_set_times" (func $set_times (param i32 i32 i32 i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
  (memory (export "memory") 16)
  (data (i32.const 256) "dir/fileother")
  (global $end (mut i32) (i32.const 131072))
  (func $must (param $errno i32) (if (local.get $errno) (then unreachable)))
  (func $note (param $at i32) (param $length i32)
    (memory.copy (global.get $end) (local.get $at) (local.get $length))
    (global.set $end (i32.add (global.get $end) (local.get $length))))
  (func $note64 (param $value i64) (i64.store (i32.const 64) (local.get $value)) (call $note (i32.const 64) (i32.const 8)))
  (func $clock (param $id i32) (result i64)
    (call $must (call $clock_time_get (local.get $id) (i64.const 1) (i32.const 128)))
    (i64.load (i32.const 128)))
  ;; The timer with this number, out of 48 bytes each.
  (func $timer (param $number i32) (param $nanoseconds i64) (local $at i32)
    (local.set $at (i32.add (i32.const 2048) (i32.mul (local.get $number) (i32.const 48))))
    (i64.store (local.get $at) (i64.extend_i32_u (local.get $number)))
    (i32.store offset=16 (local.get $at) (i32.const 1))
    (i64.store offset=24 (local.get $at) (local.get $nanoseconds)))
  ;; Waits for the first so many timers, and notes which came.
  (func $wait (param $timers i32) (local $event i32) (local $left i32)
    (call $must (call $poll_oneoff (i32.const 2048) (i32.const 4096) (local.get $timers) (i32.const 132)))
    (local.set $left (i32.load (i32.const 132)))
    (local.set $event (i32.const 4096))
    (call $note64 (i64.extend_i32_u (local.get $left)))
    (loop $next
      (call $note64 (i64.load (local.get $event)))
      (local.set $event (i32.add (local.get $event) (i32.const 32)))
      (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
  ;; All of the directory 3, and what is told of each name that does not start with a dot.
  (func $list (local $at i32) (local $end i32)
    (call $must (call $fd_readdir (i32.const 3) (i32.const 8192) (i32.const 32768) (i64.const 0) (i32.const 136)))
    (call $note (i32.const 8192) (i32.load (i32.const 136)))
    (local.set $at (i32.const 8192))
    (local.set $end (i32.add (i32.const 8192) (i32.load (i32.const 136))))
    (loop $next
      (if (i32.ne (i32.load8_u offset=24 (local.get $at)) (i32.const 46))
        (then (call $told (i32.add (local.get $at) (i32.const 24)) (i32.load offset=16 (local.get $at)))))
      (local.set $at (i32.add (local.get $at) (i32.add (i32.const 24) (i32.load offset=16 (local.get $at)))))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end)))))
  (func $told (param $name i32) (param $length i32)
    (call $must (call $stat (i32.const 3) (i32.const 0) (local.get $name) (local.get $length) (i32.const 160)))
    (call $note (i32.const 160) (i32.const 64)))
  ;; Writes five bytes to a name.
  (func $write (param $name i32) (param $length i32)
    (call $must (call $path_open (i32.const 3) (i32.const 0) (local.get $name) (local.get $length) (i32.const 1)
      (i64.const 0x40) (i64.const 0x40) (i32.const 0) (i32.const 140)))
    (i32.store (i32.const 0) (i32.const 256)) (i32.store (i32.const 4) (i32.const 5))
    (call $must (call $fd_write (i32.load (i32.const 140)) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    {body}
    (i32.store (i32.const 0) (i32.const 131072))
    (i32.store (i32.const 4) (i32.sub (global.get $end) (i32.const 131072)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    )
}

const CLOCKS: &str = "(call $note64 (call $clock (i32.const 0))) (call $note64 (call $clock (i32.const 1)))
    (call $note64 (call $clock (i32.const 1))) (call $note64 (call $clock (i32.const 0)))";

/// The second and the third come together, before the first.
const TIMERS: &str = "(call $timer (i32.const 0) (i64.const 50000000)) (call $timer (i32.const 1) (i64.const 10000000))
    (call $timer (i32.const 2) (i64.const 10000000)) (call $wait (i32.const 3)) (call $note64 (call $clock (i32.const 1)))
    (call $wait (i32.const 1)) (call $note64 (call $clock (i32.const 1)))";

const RANDOM: &str =
    "(call $must (call $random_get (i32.const 4096) (i32.const 32))) (call $note (i32.const 4096) (i32.const 32))";

/// NaNs from nothing, and one with bits of its own that goes through arithmetic, in scalars and vectors.
const NANS: &str = "(i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 516) (i32.const 0x7fa00001))
    (f32.store (i32.const 520) (f32.div (f32.load (i32.const 512)) (f32.load (i32.const 512))))
    (f32.store (i32.const 524) (f32.add (f32.load (i32.const 516)) (f32.const 1)))
    (f64.store (i32.const 528) (f64.sqrt (f64.promote_f32 (f32.load (i32.const 520)))))
    (f64.store (i32.const 536) (f64.sub (f64.const inf) (f64.const inf)))
    (v128.store (i32.const 544) (f32x4.mul (v128.load (i32.const 512)) (v128.load32_splat (i32.const 516))))
    (call $note (i32.const 520) (i32.const 40))";

/// A product whose last bits depend on whether it is rounded before the sum, a number that is in no range, and an index beyond a vector.
const RELAXED: &str = "(v128.store (i32.const 576) (f32x4.relaxed_madd
      (f32x4.splat (f32.const 1.00000011920928955)) (f32x4.splat (f32.const 1.00000011920928955)) (f32x4.splat (f32.const -1))))
    (v128.store (i32.const 592) (i32x4.relaxed_trunc_f32x4_s (f32x4.splat (f32.const 1e30))))
    (v128.store (i32.const 608) (i8x16.relaxed_swizzle (v128.load (i32.const 256)) (i8x16.splat (i32.const 131))))
    (call $note (i32.const 576) (i32.const 48))";

fn bytes(outcome: &Outcome) -> Vec<u8> {
    use base64::Engine as _;
    let text = outcome.output.as_str().unwrap_or_else(|| panic!("{outcome:?}"));
    match text.strip_prefix("data:application/octet-stream;base64,") {
        Some(encoded) => base64::engine::general_purpose::STANDARD.decode(encoded).unwrap(),
        None => text.as_bytes().to_vec(),
    }
}

fn words(outcome: &Outcome) -> Vec<u64> {
    let bytes = bytes(outcome);
    assert_eq!(bytes.len() % 8, 0, "{outcome:?}");
    bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect()
}

fn deterministic(text: &str, seed: u64) -> Call {
    let mut call = call(text);
    call.invocation.deterministic = Some(seed);
    call
}

/// All of an outcome that a program could compare.
fn whole(outcome: &Outcome) -> Value {
    serde_json::to_value(outcome).unwrap()
}

/// Keeps two cores busy until it is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn new() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..2 {
            let over = Arc::clone(&over);
            std::thread::spawn(move || while !over.load(Ordering::Relaxed) {});
        }
        Self(over)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn what_a_call_sees_of_time_and_chance_is_the_same_each_time() {
    let text = notes(&[CLOCKS, TIMERS, RANDOM, NANS, RELAXED].concat());
    let first = deterministic(&text, 7).run().await;
    assert_eq!(first.outcome, OutcomeKind::Ok, "{first:?}");
    assert_eq!((first.usage.wall_us, first.usage.cpu_us, first.deterministic), (0, 0, Some(7)));
    assert!(first.usage.fuel.is_some_and(|fuel| fuel > 0));
    let load = Load::new();
    for _ in 0..3 {
        assert_eq!(whole(&deterministic(&text, 7).run().await), whole(&first));
    }
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let elsewhere = threads.spawn(async move { deterministic(&text, 7).run().await }).await.unwrap();
    assert_eq!(whole(&elsewhere), whole(&first));
    threads.shutdown_background();
    drop(load);
    let other = deterministic(&notes(RANDOM), 8).run().await;
    assert_ne!(bytes(&other), bytes(&deterministic(&notes(RANDOM), 7).run().await));
    assert_eq!(
        bytes(&other),
        bytes(&deterministic(&notes(RANDOM), 7).allow("random:8").run().await),
        "the policy's seed"
    );
}

#[tokio::test]
async fn time_moves_by_looking_and_by_waiting_and_by_nothing_else() {
    const START: u64 = 946_684_800_000;
    const MS: u64 = 1_000_000;
    // What is computed in between takes no time.
    let spin = "(local $n i32) (loop $l (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 3000000))))";
    let outcome = deterministic(&notes(&[spin, CLOCKS, TIMERS].concat()), 0).run().await;
    let words = words(&outcome);
    // The monotonic clock begins one step after zero, which Go takes for a clock that does not work.
    assert_eq!(words[..4], [START * MS, 2 * MS, 3 * MS, (START + 3) * MS]);
    // Two timers come together, 10 ms later; then one alone, 50 ms after that.
    assert_eq!(words[4..7], [2, 1, 2], "{words:?}");
    assert!(words[7] >= 14 * MS && words[7] < 20 * MS, "{words:?}");
    assert_eq!(words[8..10], [1, 0]);
    assert!(words[10] >= words[7] + 50 * MS && words[10] < words[7] + 60 * MS, "{words:?}");
    for (rule, expected) in
        ["clock:frozen", "clock:1s"].map(|rule| (rule, [START * MS, 1000 * MS, 1000 * MS, START * MS]))
    {
        let mut call = deterministic(&notes(&[CLOCKS, TIMERS].concat()), 0).allow(rule);
        call.invocation.policy = caplet_policy::Policy::new(layer(rule));
        let outcome = call.run().await;
        assert_eq!(self::words(&outcome)[..7], [&expected[..], &[2, 1, 2]].concat(), "{rule}: {outcome:?}");
    }
}

/// A layer that permits everything, and of clocks what `rule` says.
fn layer(rule: &str) -> caplet_policy::Layer {
    use caplet_policy::{Class, GuestPath, Layer, LayerKind, Rule};
    let mut layer = Layer::open(LayerKind::Manifest);
    layer.restrict(Class::Clocks);
    layer.add_allow(Rule::parse_grant(rule, &GuestPath::root()).unwrap());
    layer
}

#[tokio::test]
async fn what_the_standard_leaves_open_is_settled() {
    let outcome = deterministic(&notes(&[NANS, RELAXED].concat()), 0).run().await;
    let bytes = bytes(&outcome);
    let nan32 = 0x7fc0_0000_u32.to_le_bytes();
    let nan64 = 0x7ff8_0000_0000_0000_u64.to_le_bytes();
    assert_eq!(bytes[..24], [&nan32[..], &nan32, &nan64, &nan64].concat(), "{bytes:x?}");
    assert_eq!(bytes[24..40], nan32.repeat(4), "{bytes:x?}");
    assert_eq!(bytes[56..72], i32::MAX.to_le_bytes().repeat(4), "out of range: the nearest number");
    assert_eq!(bytes[72..88], [0; 16], "beyond the vector: nothing");
}

/// Makes the same files in another order, at other times, with other links to them.
fn fill(folder: &Path, names: &[&str], age: Duration) {
    for name in names {
        let file = folder.join(name);
        fs::write(&file, name.repeat(3)).unwrap();
        let time = SystemTime::now() - age;
        fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    }
    fs::create_dir(folder.join("z")).unwrap();
}

#[tokio::test]
async fn a_directory_is_the_same_whoever_made_it_and_when() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(one.path(), &["c", "b", "é", "a", "B"], Duration::from_secs(1));
    fill(other.path(), &["a", "B", "b", "c", "é"], Duration::from_secs(10_000));
    let links = tempfile::tempdir().unwrap();
    fs::hard_link(other.path().join("a"), links.path().join("a")).unwrap();
    let listed = async |folder: &Path| {
        deterministic(&notes("(call $list)"), 0).mount_host("/w", folder).allow("read:/w/**").run().await
    };
    let (first, second) = (listed(one.path()).await, listed(other.path()).await);
    assert_eq!(first.outcome, OutcomeKind::Ok, "{first:?}");
    assert_eq!(whole(&first), whole(&second));
    // In the order of bytes, after `.` and `..`, which the guest's own library adds.
    let names: Vec<u8> = names(&bytes(&first)).into_iter().map(|name| name[0]).collect();
    assert_eq!(names, [b'.', b'.', b'B', b'a', b'b', b'c', b'z', 0xc3]);
    let told = bytes(&first).split_off(bytes(&first).len() - 6 * 64);
    assert!(!told.chunks_exact(8).any(is_of_today), "a time of the host");
}

/// The names in a listing of preview1, up to its end.
fn names(mut listing: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for _ in 0..8 {
        let length = usize::from(listing[16]);
        names.push(listing[24..24 + length].to_vec());
        listing = &listing[24 + length..];
    }
    names
}

/// Whether a word could be nanoseconds of yesterday, today or tomorrow.
fn is_of_today(word: &[u8]) -> bool {
    let now = u64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap();
    let time = u64::from_le_bytes(word.try_into().unwrap());
    now.abs_diff(time) < 86_400 * 1_000_000_000
}

#[tokio::test]
async fn what_a_call_does_to_files_is_told_in_its_own_time_by_every_store() {
    // Makes, writes, moves, sets times and removes; looks at what is told in between.
    let body = "(call $must (call $mkdir (i32.const 3) (i32.const 256) (i32.const 3))) (call $told (i32.const 256) (i32.const 3))
        (call $note64 (call $clock (i32.const 0)))
        (call $write (i32.const 256) (i32.const 8)) (call $told (i32.const 256) (i32.const 8))
        (call $note64 (call $clock (i32.const 0)))
        (call $write (i32.const 264) (i32.const 5)) (call $told (i32.const 264) (i32.const 5))
        (call $must (call $set_times (i32.const 3) (i32.const 0) (i32.const 264) (i32.const 5) (i64.const 1000000000000) (i64.const 0) (i32.const 9)))
        (call $told (i32.const 264) (i32.const 5))
        (call $must (call $rename (i32.const 3) (i32.const 264) (i32.const 5) (i32.const 3) (i32.const 264) (i32.const 3)))
        (call $told (i32.const 264) (i32.const 3))
        (call $write (i32.const 264) (i32.const 5)) (call $told (i32.const 264) (i32.const 5))
        (call $must (call $unlink (i32.const 3) (i32.const 264) (i32.const 3)))
        (call $write (i32.const 264) (i32.const 3)) (call $told (i32.const 264) (i32.const 3)) (call $told (i32.const 256) (i32.const 3))";
    let folder = tempfile::tempdir().unwrap();
    let text = notes(body);
    let on_host = deterministic(&text, 0).mount_host("/w", folder.path()).allow("write:/w/**").run().await;
    assert_eq!(on_host.outcome, OutcomeKind::Ok, "{on_host:?}");
    let in_memory = deterministic(&text, 0).mount_memory("/w").allow("write:/w/**").run().await;
    assert_eq!(whole(&on_host), whole(&in_memory));
    let words = words(&on_host);
    let stat = |at: usize| (words[at + 1], words[at + 4], words[at + 5], words[at + 6]);
    let start = 946_684_800_000_000_000;
    let (file, other, timed, moved, fresh) = (9, 18, 26, 34, 42);
    assert_eq!(stat(file).1, 5, "its size");
    assert_eq!(
        (stat(file).2, stat(file).3),
        (start + 1_000_000, start + 1_000_000),
        "written after one look at the clock"
    );
    assert_eq!(stat(timed).3, start + 2_000_000, "`now` is the call's");
    assert_eq!(stat(timed).2, 1_000_000_000_000, "what it set");
    assert_eq!(stat(moved), stat(timed), "it is told the same under another name");
    assert_eq!(stat(other).0, stat(moved).0, "and is the same object");
    assert_ne!(stat(fresh).0, stat(moved).0, "which another one under its old name is not");
    assert!(words.iter().all(|word| !is_of_today(&word.to_le_bytes())), "{words:?}");
}

#[tokio::test]
async fn a_call_ends_by_what_it_did() {
    let endless = "(loop $l (call $note64 (i64.const 1)) (global.set $end (i32.const 131072)) (br $l))";
    let ends = async || deterministic(&notes(endless), 0).limit("fuel=3000000").run().await;
    let first = ends().await;
    assert_eq!((first.outcome, first.error.as_ref().unwrap().kind), (OutcomeKind::Limit, ErrorKind::Fuel));
    let load = Load::new();
    assert_eq!(whole(&ends().await), whole(&first));
    drop(load);
    // An hour is more than a call may wait, in whichever time.
    let sleeps = deterministic(SLEEPS, 0).run().await;
    let error = sleeps.error.clone().unwrap();
    assert_eq!((sleeps.outcome, error.kind), (OutcomeKind::Limit, ErrorKind::Timeout));
    assert!(error.message.contains("virtual time"), "{}", error.message);
    assert_eq!(whole(&deterministic(SLEEPS, 0).run().await), whole(&sleeps));
    let mut patient = deterministic(SLEEPS, 0);
    patient.invocation.limits.timeout = Duration::from_secs(7200);
    assert_eq!(patient.run().await.outcome, OutcomeKind::Ok, "it takes no time");
}

#[tokio::test]
async fn fuel_stands_for_time_and_the_backstop_says_that_it_is_one() {
    let spins = "(loop $l (br $l))";
    let short = deterministic(&notes(spins), 0).limit("timeout=10ms").run().await;
    let fuel = short.usage.fuel.unwrap();
    assert_eq!(short.error.unwrap().kind, ErrorKind::Fuel);
    assert!((9_999_000..=10_000_000).contains(&fuel), "{fuel}");
    let starved = deterministic(&notes(spins), 0).limit("timeout=5ms").limit("fuel=1000000000000").run().await;
    let error = starved.error.unwrap();
    assert_eq!((starved.outcome, error.kind), (OutcomeKind::Limit, ErrorKind::Timeout));
    assert!(error.message.contains("backstop") && error.message.contains("not deterministic"), "{}", error.message);
}

#[tokio::test]
async fn a_guest_that_looks_for_the_time_of_the_host_finds_none() {
    // Spins between looks at a clock, counts how often it can ask for a timer before it is due, and waits for it.
    let body = "(local $n i32) (local $round i32)
        (loop $rounds
          (local.set $n (i32.const 0))
          (loop $l (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 200000))))
          (call $note64 (call $clock (i32.const 1)))
          (call $timer (i32.const 0) (i64.const 1)) (call $wait (i32.const 1))
          (call $write (i32.const 264) (i32.const 5)) (call $told (i32.const 264) (i32.const 5))
          (br_if $rounds (i32.lt_u (local.tee $round (i32.add (local.get $round) (i32.const 1))) (i32.const 20))))";
    let run = async || deterministic(&notes(body), 0).mount_memory("/w").allow("write:/w/**").run().await;
    let quiet = run().await;
    assert_eq!(quiet.outcome, OutcomeKind::Ok, "{quiet:?}");
    let load = Load::new();
    assert_eq!(whole(&run().await), whole(&quiet));
    drop(load);
    assert!(words(&quiet).iter().all(|word| !is_of_today(&word.to_le_bytes())));
}

#[tokio::test]
async fn a_kept_instance_and_a_person_are_refused() {
    let call = deterministic(&notes(CLOCKS), 0);
    let session = call.prepared().session(call.invocation, SessionLimits::default());
    let outcome = session.call(None, Value::Object(serde_json::Map::new()), None).await;
    assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Refused, ErrorKind::InvalidConfig));
    let asks =
        deterministic(&notes("(call $write (i32.const 264) (i32.const 5))"), 0).mount_memory("/w").ask("write:/w/**");
    let outcome = asks.run().await;
    assert_eq!(outcome.outcome, OutcomeKind::Denied, "{outcome:?}");
    let denied = outcome.decisions.denied.iter().find(|denied| denied.op == "write /w/other").unwrap();
    assert!(denied.hint.contains("a deterministic call asks nobody; --allow 'write:/w/other'"), "{}", denied.hint);
}
