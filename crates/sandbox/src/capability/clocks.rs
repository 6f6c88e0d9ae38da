//! `wasi:clocks`: time as coarse as the policy says, or standing still.
//!
//! Every place where a guest can see time reads it from here: the two clocks, and the times of files by way of the same
//! resolution. A guest that is given 10 ms never sees a step that is finer. In a deterministic call the time is virtual.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use caplet_policy::ClockSetting;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::determinism::{START, VirtualTime};
use crate::recording::{Tape, Taped};

/// Gives `wasi` the clocks that `setting` allows: those of the host, `time` in a deterministic call, or what `tape` says.
pub(crate) fn configure(
    wasi: &mut WasiCtxBuilder,
    setting: ClockSetting,
    time: Option<&Arc<VirtualTime>>,
    tape: Option<&Tape>,
) {
    let source = || match time {
        Some(time) => Source::Virtual(Arc::clone(time)),
        None => Source::Host { wall: SystemTime::now(), monotonic: Instant::now() },
    };
    wasi.wall_clock(Taped::new(WallClock { setting, source: source() }, tape));
    wasi.monotonic_clock(Taped::new(MonotonicClock { setting, source: source() }, tape));
}

/// The finest step of time that a guest sees under `setting`; a frozen clock has none.
pub(crate) fn resolution(setting: ClockSetting) -> Option<Duration> {
    match setting {
        ClockSetting::Resolution(resolution) => Some(resolution.max(Duration::from_nanos(1))),
        ClockSetting::Frozen => None,
    }
}

/// The resolution that a frozen clock says it has.
const FROZEN: Duration = Duration::from_secs(1);

/// What the monotonic clock shows when `elapsed` has passed. It begins one step after zero, which the runtime of Go takes for a clock that
/// does not work.
pub(crate) fn monotonic(setting: ClockSetting, elapsed: Duration) -> u64 {
    let shown = resolution(setting).map_or(FROZEN, |step| coarsen(elapsed, step).saturating_add(step));
    nanos(shown)
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

/// Where the time comes from.
enum Source {
    /// The host, and when the call began there.
    Host { wall: SystemTime, monotonic: Instant },
    /// The call itself.
    Virtual(Arc<VirtualTime>),
}

impl Source {
    /// The time since 1970 when the call began.
    fn start(&self) -> Duration {
        match self {
            Self::Host { wall, .. } => wall.duration_since(UNIX_EPOCH).unwrap_or_default(),
            Self::Virtual(_) => START,
        }
    }

    /// The time since 1970.
    fn wall(&self) -> Duration {
        match self {
            Self::Host { .. } => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Self::Virtual(time) => START.saturating_add(time.look()),
        }
    }

    /// The time since the call began.
    fn elapsed(&self) -> Duration {
        match self {
            Self::Host { monotonic, .. } => monotonic.elapsed(),
            Self::Virtual(time) => time.look(),
        }
    }
}

struct WallClock {
    setting: ClockSetting,
    source: Source,
}

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        resolution(self.setting).unwrap_or(FROZEN)
    }

    fn now(&self) -> Duration {
        match resolution(self.setting) {
            Some(step) => coarsen(self.source.wall(), step),
            // A frozen clock stands at the second in which the call began.
            None => coarsen(self.source.start(), FROZEN),
        }
    }
}

struct MonotonicClock {
    setting: ClockSetting,
    source: Source,
}

impl HostMonotonicClock for MonotonicClock {
    fn resolution(&self) -> u64 {
        nanos(resolution(self.setting).unwrap_or(FROZEN))
    }

    fn now(&self) -> u64 {
        monotonic(self.setting, self.source.elapsed())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
