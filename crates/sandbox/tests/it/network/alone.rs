//! Runs a test in a process of its own, where nothing else uses memory, threads, files or the environment.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::hostile::Held;

/// Set in the process of its own.
const ALONE: &str = "CAPLET_TEST_NETWORK_ALONE";

/// Runs `body` in a process of its own. It is to be all that the test's function does: the test's name is that of the function
/// in which the closure is.
pub fn alone<F: FnOnce() -> R, R: Future<Output = ()>>(body: F) {
    alone_with::<F, R>(&[], body);
}

/// The same with these environment variables.
pub fn alone_with<F: FnOnce() -> R, R: Future<Output = ()>>(environment: &[(&str, &str)], body: F) {
    if std::env::var_os(ALONE).is_some() {
        runtime().block_on(body());
        return;
    }
    let closure = std::any::type_name::<F>();
    let (_, name) = closure.strip_suffix("::{{closure}}").and_then(|path| path.split_once("::")).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    let output = command.env(ALONE, "1").envs(environment.iter().copied()).output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{name}: {out}{errors}");
}

/// Threads that wait for more work go soon.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(Duration::from_millis(50))
        .enable_all()
        .build()
        .unwrap()
}

/// Watches the most memory that this process holds.
pub struct Peak {
    kib: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Peak {
    pub fn watch() -> Self {
        let (kib, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (seen, stopped) = (Arc::clone(&kib), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                seen.fetch_max(Held::now().memory_kib, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { kib, stop }
    }

    /// The most since this was last asked, in KiB.
    pub fn take(&self) -> u64 {
        let now = Held::now().memory_kib;
        self.kib.swap(now, Ordering::Relaxed).max(now)
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
