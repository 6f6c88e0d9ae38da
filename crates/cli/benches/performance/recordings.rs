//! What it costs to record a call that reads many files, and how long its replay takes.

use std::fs;
use std::sync::Arc;

use caplet::audit::{MemorySink, OutcomeKind};
use caplet::sandbox::Cache;
use caplet::{Caplet, Grant, Source, recordings_in};
use serde_json::json;

use crate::figures::{Bound, Report, Samples};

/// Files that the call reads, some 20 MB in all.
const FILES: usize = 1_500;

/// How often it is called in each way.
const ROUNDS: usize = 15;

/// `file-grep` over a tree, with and without a recording, and its replay.
pub(crate) fn recordings(report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let (tree, state) = (home.join("tree"), home.join("state"));
    for number in 0..FILES {
        let below = tree.join(format!("d{}", number % 50));
        fs::create_dir_all(&below).unwrap();
        let line = format!("line {number} of some text that is like any other, and of no use\n");
        fs::write(below.join(format!("{number}.txt")), line.repeat(200)).unwrap();
    }
    // With a cache, as a process that makes one call has one: a replay loads the component anew each time.
    let cache = Cache::open(&home.join("cache"), 1 << 30).unwrap();
    let caplet = Caplet::builder().sink(Arc::new(MemorySink::new())).cache(cache).state(state.clone()).build().unwrap();
    let tool = caplet.load(&Source::parse("file-grep").unwrap()).unwrap();
    let granted = |record: bool| {
        let mut grant = Grant::new(&home).unwrap();
        grant.allow("read:tree/**").unwrap();
        grant.limit("timeout=5m").unwrap().record(record);
        caplet.grant(&tool, grant).unwrap()
    };
    let (plain, recorded) = (granted(false), granted(true));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let arguments = json!({"pattern": "line 1[0-9]+7 of", "path": "tree", "output": "count"});
    let mut samples = [Samples::new(), Samples::new(), Samples::new()];
    for round in 0..=ROUNDS {
        let mut took = Vec::new();
        let mut id = String::new();
        for granted in [&plain, &recorded] {
            let started = std::time::Instant::now();
            let outcome = runtime.block_on(granted.call(None, arguments.clone()));
            took.push(started.elapsed());
            assert_eq!(outcome.outcome, OutcomeKind::Ok, "{outcome:?}");
            assert_eq!(outcome.note, None);
            id = outcome.record.unwrap();
        }
        let started = std::time::Instant::now();
        let (recording, _) = recordings_in(&state).open(&id).unwrap();
        let replayed = runtime.block_on(caplet.replay(recording, None)).unwrap();
        took.push(started.elapsed());
        assert!(replayed.identical, "{:?}", replayed.divergence);
        // The first one compiles, and writes the component.
        if round > 0 {
            samples.iter_mut().zip(took).for_each(|(samples, took)| samples.add(took));
        }
    }
    let [plain, recorded, replayed] = samples;
    report.time("file-grep over 1,500 files, 20 MB", &plain);
    report.time("the same, recorded", &recorded);
    report.time("its replay, with reading and checking the recording", &replayed);
    report.figure("recorded over not recorded", recorded.p50() / plain.p50(), Bound::AtMost(1.5));
    report.figure("replayed over recorded", replayed.p50() / recorded.p50(), Bound::AtMost(1.0));
}
