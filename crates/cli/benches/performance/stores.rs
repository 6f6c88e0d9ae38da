//! What stands behind a mount or a bucket: stores beside a directory of the host, and buckets beside a call that asks nothing of one.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use caplet::audit::OutcomeKind;
use caplet::authority::{GuestPath, Journal, Layer, LayerKind, Policy};
use caplet::vfs::{DescriptorFlags, Mount, Namespace, NamespaceConfig, OpenFlags};
use caplet::{Caplet, Ceiling, Grant, Granted, SessionData, Source, open_overlay};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::figures::{Bound, Report, Samples};
use crate::guests;

/// How often a file is opened, read and closed in one call, so that the call itself does not count.
const READS: u32 = 1_000;

/// How many such calls on each store.
const ROWS: usize = 40;

/// How often a large file is written to each store.
const WRITES: usize = 7;

/// Files that an overlay has changes to.
const CHANGED: u32 = 10_000;

/// Values that are read in one call.
const GETS: u32 = 5_000;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A Caplet as the command line has it: with a place for what lasts.
fn caplet(state: &Path) -> Caplet {
    Caplet::builder().state(state.to_owned()).build().unwrap()
}

fn granted(caplet: &Caplet, text: &str, mount: Option<&str>, bucket: Option<&str>, rule: &str) -> Granted {
    let source = Source::Bytes { name: "guest".to_owned(), bytes: text.as_bytes().to_vec() };
    let tool = caplet.load(&source).unwrap();
    let mut grant = Grant::new("/").unwrap();
    grant.ceiling(Ceiling::Open).session(Arc::new(SessionData::new(1 << 30)));
    grant.allow(rule).unwrap();
    for limit in ["timeout=5m", "kv-ops=1000000"] {
        grant.limit(limit).unwrap();
    }
    mount.map(|mount| grant.mount(mount).map(drop)).transpose().unwrap();
    bucket.map(|bucket| grant.bucket(bucket).map(drop)).transpose().unwrap();
    caplet.grant(&tool, grant).unwrap()
}

fn on_files(caplet: &Caplet, text: &str, mount: &str) -> Granted {
    granted(caplet, text, Some(mount), None, "write:/w/**")
}

/// One call, which must end well.
fn call(runtime: &Runtime, granted: &Granted, arguments: Value) -> Value {
    let outcome = runtime.block_on(granted.call(None, arguments));
    assert_eq!(outcome.outcome, OutcomeKind::Ok, "{outcome:?}");
    outcome.output
}

/// A file of 4 KiB is opened, read and closed, in each store in turn.
pub(crate) fn reads(report: &mut Report) {
    let runtime = &runtime();
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let caplet = caplet(&base.join("state"));
    for name in ["plain", "touched"] {
        fs::create_dir_all(base.join(name).join("d")).unwrap();
        fs::write(base.join(name).join("d/text"), "0123456789abcde\n".repeat(256)).unwrap();
    }
    let base = base.to_str().unwrap();
    // Where the file is not there yet, the guest makes it first.
    let guest = guests::files(&format!("(call $make) (call $reads (i32.const {READS}))"));
    // A change to a file beside the one that is read, and one that goes.
    let touched = format!("/w=overlay:{base}/touched");
    let change = guests::files("(call $touch)");
    call(runtime, &on_files(&caplet, &change, &touched), json!({}));
    let mounts = [
        ("host", format!("/w=host:{base}/plain")),
        ("memory", "/w=memory".to_owned()),
        ("session", "/w=session".to_owned()),
        ("overlay, a directory without changes", format!("/w=overlay:{base}/plain")),
        ("overlay, a directory with changes", touched),
        ("sqlite", format!("/w=sqlite:{base}/files.db")),
    ];
    let granted: Vec<Granted> = mounts.iter().map(|(_, mount)| on_files(&caplet, &guest, mount)).collect();
    let mut samples = vec![Samples::new(); mounts.len()];
    for row in 0..ROWS + ROWS / 10 {
        for (granted, samples) in granted.iter().zip(&mut samples) {
            let started = Instant::now();
            call(runtime, granted, json!({}));
            let took = started.elapsed() / READS;
            if row >= ROWS / 10 {
                samples.add(took);
            }
        }
    }
    let host = samples.first().map_or(f64::NAN, Samples::p50);
    for ((store, _), samples) in mounts.iter().zip(&samples) {
        report.time(&format!("open, read, close of 4 KiB: {store}"), samples);
        // A database is not held to it: each of its steps is a transaction.
        if !matches!(*store, "host" | "sqlite") {
            let figure = format!("open, read, close of 4 KiB over host: {store}");
            report.figure(&figure, samples.p50() / host, Bound::AtMost(1.5));
        }
    }
}

/// 64 MiB are written from the first byte to the last, and synced.
pub(crate) fn writes(report: &mut Report) {
    let runtime = &runtime();
    for (what, piece) in [("64 KiB", 64 << 10), ("4 KiB", 4 << 10)] {
        let guest = guests::files(&format!("(call $writes (i32.const {piece}) (i32.const {}))", (64 << 20) / piece));
        let (mut host, mut sqlite) = (Samples::new(), Samples::new());
        for _ in 0..WRITES {
            // A new file each time: emptying an old one is not writing.
            let folder = tempfile::tempdir().unwrap();
            let base = folder.path().canonicalize().unwrap();
            fs::create_dir(base.join("plain")).unwrap();
            let caplet = caplet(&base.join("state"));
            for (store, samples) in [("host", &mut host), ("sqlite", &mut sqlite)] {
                let place = if store == "host" { "plain" } else { "files.db" };
                let granted = on_files(&caplet, &guest, &format!("/w={store}:{}", base.join(place).display()));
                runtime.block_on(granted.warm()).unwrap();
                let started = Instant::now();
                call(runtime, &granted, json!({}));
                samples.add(started.elapsed());
            }
        }
        report.time(&format!("64 MiB in pieces of {what}, synced: host"), &host);
        report.time(&format!("64 MiB in pieces of {what}, synced: sqlite"), &sqlite);
        let figure = format!("64 MiB in pieces of {what}, synced: speed of sqlite over host");
        report.figure(&figure, host.p50() / sqlite.p50(), Bound::AtLeast(0.25));
    }
}

/// What `caplet diff` does with an overlay in which ten thousand files have changed, beside reading them.
pub(crate) fn diff(report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let (state, lower) = (base.join("state"), base.join("lower"));
    for number in 0..CHANGED {
        let file = lower.join(of_number(number));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "one line\n".repeat(20)).unwrap();
    }
    change_all(&state, &lower);
    let mut beyond = Samples::new();
    let mut whole = Samples::new();
    for _ in 0..3 {
        let started = Instant::now();
        let read = read_all(&lower) + read_all(&state);
        assert!(read >= u64::from(CHANGED) * 2);
        let middle = Instant::now();
        let overlay = open_overlay(&state, &lower).unwrap().unwrap();
        let changes = overlay.changes().unwrap();
        let mut text = Vec::new();
        overlay.diff(&changes.list, &mut text).unwrap();
        assert_eq!(changes.summary().changed, usize::try_from(CHANGED).unwrap());
        assert_eq!(text.windows(11).filter(|bytes| bytes == b"diff --git ").count(), changes.list.len());
        let took = middle.elapsed();
        whole.add(took);
        beyond.add(took.saturating_sub(middle - started));
    }
    report.time("caplet diff of 10,000 changed files", &whole);
    report.figure(
        "diff of 10,000 changed files beyond reading them, in seconds",
        beyond.p50() / 1e6,
        Bound::AtMost(1.0),
    );
}

fn of_number(number: u32) -> String {
    format!("{}/{}", number / 100, number % 100)
}

/// Changes every file through the overlay that the folder of state has for `lower`.
fn change_all(state: &Path, lower: &Path) {
    let caplet = caplet(state);
    // A call that changes nothing makes the place for changes.
    let granted = on_files(&caplet, &guests::files(""), &format!("/w=overlay:{}", lower.display()));
    drop(granted);
    let overlay = open_overlay(state, lower).unwrap().unwrap();
    let namespace = Namespace::new(NamespaceConfig {
        mounts: vec![Mount::new(GuestPath::root(), Arc::new(overlay))],
        guard: Policy::new(Layer::open(LayerKind::Operator)).guard(&Arc::new(Journal::new())),
        cwd: None,
        preopen_cwd: false,
        write_quota: 1 << 30,
        time_resolution: None,
    });
    let (top, _) = namespace.preopens().pop().unwrap();
    let write = DescriptorFlags { write: true, ..DescriptorFlags::default() };
    let create = OpenFlags { create: true, ..OpenFlags::default() };
    for number in 0..CHANGED {
        // In the place of the old one: a file that is changed is copied and synced first, which takes a disk minutes.
        namespace.unlink_at(&top, &of_number(number)).unwrap();
        let file = namespace.open_at(&top, &of_number(number), true, create, write).unwrap();
        namespace.write_at(&file, 0, "one line\n".repeat(10).as_bytes()).unwrap();
        namespace.write_at(&file, 90, "two line\n".repeat(10).as_bytes()).unwrap();
    }
}

/// How many files are below a folder, each of which is read.
fn read_all(folder: &Path) -> u64 {
    let mut files = 0;
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                left.push(entry.path());
            } else if kind.is_file() {
                files += u64::from(!fs::read(entry.path()).unwrap().is_empty());
            }
        }
    }
    files
}

/// What a value of a bucket costs beyond the call that reads it.
pub(crate) fn buckets(report: &mut Report) {
    let runtime = &runtime();
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let caplet = caplet(&base.join("state"));
    let guest = caplet_testkit::keyvalue_probe("0.2.0-draft");
    let stores =
        [("memory", "b=memory".to_owned(), 5.0), ("sqlite", format!("b=sqlite:{}/b.db", base.display()), 50.0)];
    for (store, bucket, bound) in stores {
        let granted = granted(&caplet, &guest, None, Some(&bucket), "kv:b");
        // Open, set, get so often: the same call, so that nothing else differs.
        let of = |times: u32| {
            let steps = json!([[0, 0, 1, "b", "", 0], [2, 0, 1, "key", "", 1024], [1, 0, times, "key", "", 0]]);
            let started = Instant::now();
            call(runtime, &granted, json!({ "steps": steps, "must": true }));
            started.elapsed()
        };
        let mut samples = Samples::new();
        for row in 0..ROWS {
            let (few, many) = (of(1), of(GETS + 1));
            if row >= ROWS / 10 {
                samples.add(many.saturating_sub(few) / GETS);
            }
        }
        report.time(&format!("get of 1 KiB from a bucket: {store}"), &samples);
        let figure = format!("get of 1 KiB from a bucket in {store} beyond the call, in microseconds");
        report.figure(&figure, samples.p50(), Bound::AtMost(bound));
    }
}
