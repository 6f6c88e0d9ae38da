//! Clocks whose readings are noted, or come from notes.

use std::time::Duration;

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

use super::Tape;

/// A clock before which a tape may stand.
pub(crate) struct Taped<C> {
    clock: C,
    tape: Option<Tape>,
}

impl<C> Taped<C> {
    pub(crate) fn new(clock: C, tape: Option<&Tape>) -> Self {
        Self { clock, tape: tape.cloned() }
    }
}

impl<C: HostWallClock> HostWallClock for Taped<C> {
    fn resolution(&self) -> Duration {
        self.clock.resolution()
    }

    fn now(&self) -> Duration {
        match &self.tape {
            None => self.clock.now(),
            Some(Tape::Recording(recorder)) => {
                let now = self.clock.now();
                recorder.wall(now);
                now
            }
            Some(Tape::Playing(player)) => player.wall(),
        }
    }
}

impl<C: HostMonotonicClock> HostMonotonicClock for Taped<C> {
    fn resolution(&self) -> u64 {
        self.clock.resolution()
    }

    fn now(&self) -> u64 {
        match &self.tape {
            None => self.clock.now(),
            Some(Tape::Recording(recorder)) => {
                let now = self.clock.now();
                recorder.monotonic(now);
                now
            }
            Some(Tape::Playing(player)) => player.monotonic(),
        }
    }
}
