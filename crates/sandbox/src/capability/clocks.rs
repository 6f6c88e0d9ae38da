//! `wasi:clocks`: time as coarse as the policy says, or standing still.
//!
//! Every place where a guest can see time reads it from here: the two clocks, and the times of files by way of the same
//! resolution. A guest that is given 10 ms never sees a step that is finer.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use caplet_policy::ClockSetting;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::recording::{Tape, Taped};

/// Gives `wasi` the clocks that `setting` allows.
pub(crate) fn configure(wasi: &mut WasiCtxBuilder, setting: ClockSetting, tape: Option<&Tape>) {
    wasi.wall_clock(Taped::new(WallClock { setting, started: SystemTime::now() }, tape));
    wasi.monotonic_clock(Taped::new(MonotonicClock { setting, started: Instant::now() }, tape));
}

/// The finest step of time that a guest sees under `setting`; a frozen clock has none.
pub(crate) fn resolution(setting: ClockSetting) -> Option<Duration> {
    match setting {
        ClockSetting::Resolution(resolution) => Some(resolution.max(Duration::from_nanos(1))),
        ClockSetting::Frozen => None,
    }
}

/// `elapsed` rounded down to a whole number of steps.
fn coarsen(elapsed: Duration, step: Duration) -> Duration {
    let whole_steps = elapsed.as_nanos() / step.as_nanos().max(1);
    let nanos = whole_steps * step.as_nanos();
    Duration::new(
        u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX),
        u32::try_from(nanos % 1_000_000_000).unwrap_or(0),
    )
}

struct WallClock {
    setting: ClockSetting,
    started: SystemTime,
}

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        resolution(self.setting).unwrap_or(Duration::from_secs(1))
    }

    fn now(&self) -> Duration {
        let (now, step) = match resolution(self.setting) {
            Some(step) => (SystemTime::now(), step),
            // A frozen clock stands at the second in which the call began.
            None => (self.started, Duration::from_secs(1)),
        };
        coarsen(now.duration_since(UNIX_EPOCH).unwrap_or_default(), step)
    }
}

struct MonotonicClock {
    setting: ClockSetting,
    started: Instant,
}

impl HostMonotonicClock for MonotonicClock {
    fn resolution(&self) -> u64 {
        nanos(resolution(self.setting).unwrap_or(Duration::from_secs(1)))
    }

    fn now(&self) -> u64 {
        resolution(self.setting).map_or(0, |step| nanos(coarsen(self.started.elapsed(), step)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
