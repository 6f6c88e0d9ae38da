//! How often the kernel is asked to map memory in a call: found out by tracing this program as it makes few calls, and many.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::figures::{Bound, Report};
use crate::{guests, ours};

/// Says to a traced run how many calls to make.
const CALLS: &str = "CAPLET_BENCH_TRACED_CALLS";

/// Makes calls and nothing else, if this is a traced run.
pub(crate) fn is_traced() -> bool {
    let Some(calls) = std::env::var(CALLS).ok().and_then(|text| text.parse::<u32>().ok()) else { return false };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let caplet = ours::caplet_without_records();
    let granted = ours::granted_bytes(&caplet, "add", guests::ADD, &[]);
    for _ in 0..calls {
        runtime.block_on(ours::call(&granted, json!({"a": 2, "b": 40})));
    }
    true
}

/// Memory-mapping system calls of a steady call.
pub(crate) fn mappings(report: &mut Report) {
    const FEW: u32 = 1_000;
    const MANY: u32 = 11_000;
    match traced(FEW).zip(traced(MANY)) {
        Some((few, many)) => {
            let each = (many - few) / f64::from(MANY - FEW);
            // Now and then the allocator gives memory back; a call by itself asks for none.
            report.figure("memory-mapping system calls a call", each, Bound::AtMost(0.01));
        }
        None => report.note("memory-mapping system calls", "not measured: strace is not installed"),
    }
}

fn traced(calls: u32) -> Option<f64> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=mmap,munmap,mremap,mprotect,madvise,brk"]);
    command.arg(std::env::current_exe().ok()?).env(CALLS, calls.to_string());
    let output = command.stdout(Stdio::null()).output().ok()?;
    let lines = String::from_utf8_lossy(&output.stderr).lines().filter(|line| line.contains('(')).count();
    output.status.success().then_some(lines as f64)
}
