//! A log that calls go on without: what it could not keep is told, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caplet_audit::{BestEffort, ErrorInfo, ErrorKind, MemorySink, Outcome, Record, Sink, SinkError};

/// Keeps two records out of three.
#[derive(Debug, Default)]
struct Failing {
    kept: MemorySink,
    count: AtomicU64,
}

impl Sink for Failing {
    fn ready(&self) -> Result<(), SinkError> {
        self.kept.ready()
    }

    fn append(&self, record: &Record) -> Result<(), SinkError> {
        if self.count.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            return Err(SinkError::Full { path: "log".into() });
        }
        self.kept.append(record)
    }
}

#[test]
fn of_calls_at_once_each_lost_record_is_told_once() {
    let failing = Arc::new(Failing::default());
    let sink = BestEffort::new(Arc::clone(&failing) as Arc<dyn Sink>);
    let outcome = Outcome::refused("t", None, ErrorInfo::new(ErrorKind::Denied, "no"));
    let lost = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let failed = sink.append(&Record::new(&outcome)).is_err();
                    lost.fetch_add(u64::from(failed), Ordering::Relaxed);
                }
            });
        }
    });
    // The last to be kept tells of what was lost until then.
    while sink.append(&Record::new(&outcome)).is_err() {
        lost.fetch_add(1, Ordering::Relaxed);
    }
    let told: u64 = failing.kept.take().iter().filter_map(|record| record.lost).sum();
    assert_eq!(told, lost.into_inner());
    assert!(sink.is_best_effort());
}
