//! How long one decision takes: `cargo bench -p caplet-policy`.
//!
//! A layer with 100 rules for files, a guard with its journal, and paths that the first rule, the last rule and no rule matches. Printed:
//! the median over batches, in nanoseconds a decision. The aim is below 2,000.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reports on standard output and stops at a fault"
)]

use std::sync::Arc;
use std::time::Instant;

use caplet_policy::{FilesystemSection, GuestPath, Journal, Layer, LayerKind, Policy, Read, Rule};

const RULES: usize = 100;
const BATCHES: usize = 200;
const BATCH: usize = 1_000;

fn main() {
    let root = GuestPath::root();
    let mut layer = Layer::new(LayerKind::Operator);
    for number in 0..RULES {
        layer.add_allow(Rule::parse_grant(&format!("read:/work/project-{number}/**/*.rs"), &root).unwrap());
    }
    let policy = Policy::new(layer);
    for (what, path) in [
        ("first rule", "/work/project-0/src/lib.rs"),
        ("last rule", "/work/project-99/src/deep/er/lib.rs"),
        ("no rule", "/work/other/src/lib.rs"),
    ] {
        println!("{what:12} {:6.0} ns", median(&policy, &GuestPath::parse(path).unwrap()));
    }
}

fn median(policy: &Policy, path: &GuestPath) -> f64 {
    let journal = Arc::new(Journal::new());
    let guard = policy.guard::<FilesystemSection>(&journal);
    let mut batches: Vec<u128> = (0..BATCHES)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..BATCH {
                let _ = std::hint::black_box(guard.check(Read(path.clone())));
            }
            started.elapsed().as_nanos()
        })
        .collect();
    batches.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let nanos = batches.get(BATCHES / 2).copied().unwrap_or(0) as f64 / BATCH as f64;
    nanos
}
