//! What the audit log costs: a record in it, a row of records, its verification, and questions to it.

use std::path::Path;
use std::time::{Instant, SystemTime};

use caplet::audit::log::{Filter, Index, Log, LogConfig, Trust, verify};
use caplet::audit::{MemorySink, Outcome, Record, Sink};
use caplet::authority::PermittedEntry;

use crate::figures::{Bound, Report, Samples, in_turn};

/// Records that are appended one by one.
const APPENDS: usize = 20_000;

/// Records that are questioned.
const MANY: u64 = 1_000_000;

/// How often each question is put.
const QUESTIONS: usize = 20;

/// A record as a small call leaves one: five decisions.
fn record(number: u64) -> Record {
    let mut outcome = Outcome::new(format!("tool-{}", number % 100), Some("run".to_owned()));
    outcome.decisions.permitted_ops = (0..5)
        .map(|file| PermittedEntry {
            capability: "wasi:filesystem".to_owned(),
            op: format!("read /work/src/file-{number}-{file}.rs"),
            layer: "operator".to_owned(),
            rule: "read:/work/**".to_owned(),
            answered: None,
            count: 1,
        })
        .collect();
    let mut record = Record::new(&outcome);
    record.component = Some(format!("sha256:{number:064x}").into());
    record
}

fn log(folder: &Path) -> Log {
    Log::new(LogConfig::new(folder.join("log"), folder.join("keys")))
}

/// A record in the log beside one that is only kept in memory.
pub(crate) fn appends(report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let (log, memory) = (log(folder.path()), MemorySink::new());
    let record = record(1);
    let append = |sink: &dyn Sink| {
        sink.ready().unwrap();
        sink.append(&record).unwrap();
    };
    let (logged, kept) = in_turn(APPENDS, || append(&log), || append(&memory));
    report.time("a record in the audit log", &logged);
    report.time("a record in memory", &kept);
    report.figure("a record in the audit log, in µs", logged.p50() - kept.p50(), Bound::AtMost(15.0));
    let started = Instant::now();
    for _ in 0..APPENDS {
        log.append(&record).unwrap();
    }
    let rate = APPENDS as f64 / started.elapsed().as_secs_f64();
    report.figure("records in a second", rate, Bound::AtLeast(20_000.0));
}

/// A long log: verified, and questioned.
pub(crate) fn questions(report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    (0..MANY).for_each(|number| log.append(&record(number)).unwrap());
    drop(log);
    let (place, keys) = (folder.path().join("log"), folder.path().join("keys"));
    let started = Instant::now();
    let verified = verify(&place, &Trust { keys: Some(keys), key: None }).unwrap();
    let rate = verified.bytes as f64 / started.elapsed().as_secs_f64() / 1e6;
    assert!(verified.is_sound(), "{verified:?}");
    report.figure("a log verified, in MB a second", rate, Bound::AtLeast(200.0));
    let started = Instant::now();
    let index = Index::open(&place).unwrap();
    report.count("an index of 1,000,000 records made", started.elapsed().as_secs_f64() * 1e3, "ms");
    let mut filter = Filter::default();
    filter.tool = Some("tool-42".to_owned());
    filter.until = Some(SystemTime::now());
    let mut samples = Samples::new();
    for _ in 0..QUESTIONS {
        let started = Instant::now();
        assert_eq!(index.last(&filter, 100).unwrap().len(), 100);
        samples.add(started.elapsed());
    }
    report.time("100 of 1,000,000 records by tool and time", &samples);
    report.figure("records by tool and time, in ms", samples.p99() / 1e3, Bound::AtMost(100.0));
}
