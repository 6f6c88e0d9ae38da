//! What Caplet costs over the bare engine, and over other ways to run a tool: `cargo xtask bench`.
//!
//! Everything is measured in one run, what is compared with one another in turn, so that both see the same machine in the same
//! minute. Printed, and written to the file that `CAPLET_BENCH_REPORT` names: medians, 99th percentiles, and the ratios that count.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reports on standard output and stops at a fault"
)]

mod audit;
mod bare;
mod calls;
mod deterministic;
mod figures;
mod guests;
mod http;
mod interpreters;
mod kernels;
mod languages;
mod load;
mod mcp;
mod network;
mod ours;
mod page;
mod process;
mod recordings;
mod serve;
mod stores;
mod syscalls;

use figures::Report;

/// A part of the run, by name.
type Part = (&'static str, fn(&mut Report));

const PARTS: &[Part] = &[
    ("trivial", calls::trivial),
    ("file-read", calls::file_read),
    ("idle", interpreters::trivial_idle),
    // Before the interpreters: with their memory mapped, two threads of the bare engine are no faster than one here.
    ("throughput", load::throughput),
    ("interpreters", interpreters::interpreters),
    ("runaways", load::runaways),
    ("hostile", load::hostile),
    ("deadline", load::deadline),
    ("growth", load::growth),
    ("kernels", kernels::epochs),
    ("languages", languages::languages),
    ("fuel", load::fuel),
    ("deterministic", deterministic::deterministic),
    ("network", network::requests),
    ("stores-reads", stores::reads),
    ("stores-writes", stores::writes),
    ("stores-diff", stores::diff),
    ("stores-buckets", stores::buckets),
    ("audit-appends", audit::appends),
    ("audit-questions", audit::questions),
    ("recordings", recordings::recordings),
    ("syscalls", syscalls::mappings),
    ("processes", process::processes),
    ("mcp", serve::serve),
    ("http", http::http),
    ("servers", mcp::servers),
];

fn main() {
    if syscalls::is_traced() {
        return;
    }
    // Cargo passes `--bench`; words name the parts to run, or how their names begin: `stores` is `stores-reads` and the others.
    let only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut report = Report::default();
    for (name, part) in PARTS {
        let is_meant =
            |only: &String| name.strip_prefix(only).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        if only.is_empty() || only.iter().any(is_meant) {
            part(&mut report);
        }
    }
    report.print();
    if let Some(folder) = std::env::var_os("CAPLET_BENCH_REPORT") {
        page::write(&report, folder.as_ref());
    }
}
