//! What happens when Caplet itself is at fault: one line, exit code 6, no backtrace and no core file.
//!
//! A core file would hold what the process knew, secrets included, so none is written.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::HOST_FAILED;

/// Where the latest panic was. The library turns a panic under a call into that call's outcome, so it is told only when it got here.
static LATEST: Mutex<Option<String>> = Mutex::new(None);

/// Runs `work`; a panic in it becomes a line on standard error.
pub(crate) fn contain(work: impl FnOnce() -> ExitCode) -> ExitCode {
    // A system that refuses has its own limit, which then holds.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    panic::set_hook(Box::new(|info| {
        *LATEST.lock().unwrap_or_else(PoisonError::into_inner) = Some(info.to_string().replace('\n', " "));
    }));
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let what = LATEST.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        tell(&format!("error: this is a fault in caplet, please report it: {what}"));
        ExitCode::from(HOST_FAILED)
    })
}

#[expect(clippy::print_stderr, reason = "the usual way out may be what broke")]
fn tell(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    #[test]
    fn a_fault_ends_with_its_own_code() {
        let ended = super::contain(|| panic!("as if by a mistake"));
        assert_eq!(format!("{ended:?}"), format!("{:?}", ExitCode::from(crate::HOST_FAILED)));
    }
}
