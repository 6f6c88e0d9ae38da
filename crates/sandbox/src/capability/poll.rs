//! `wasi:io`: streams and polling over the resources of one call.
//!
//! Both are pure mechanism and come from the engine's own crate, but for polling in a deterministic call: there time is virtual, so that what
//! is ready is a matter of the call alone. Everything that a guest can wait for there is ready at once, comes at a moment of its own time, or
//! never does. What was ready first is noted in a call that is recorded, and comes as noted in a replay.

use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::clocks::WasiClocksView as _;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi_io::bindings::wasi::io::{error, poll, streams};
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::{Own, own};
use crate::determinism::{Determinism, stuck};
use crate::recording::Tape;
use crate::state::CallState;

/// Links the three interfaces.
pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    error::add_to_linker::<_, Table>(linker, table)?;
    poll::add_to_linker::<_, Own>(linker, own)?;
    streams::add_to_linker::<_, Table>(linker, table)
}

type Table = HasSelf<ResourceTable>;

fn table(state: &mut CallState) -> &mut ResourceTable {
    &mut state.table
}

/// A moment in virtual time. When it comes is known to [`Determinism`] alone, which is asked in its place.
#[derive(Debug)]
struct Moment;

#[wasmtime_wasi_io::async_trait]
impl Pollable for Moment {
    async fn ready(&mut self) {
        std::future::pending().await
    }
}

impl poll::Host for CallState {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        if let Some(ready) = self.replayed_poll(&pollables).await? {
            return Ok(ready);
        }
        let ready = self.poll_now(pollables).await?;
        if let Some(Tape::Recording(recorder)) = &self.tape {
            recorder.poll(&ready);
        }
        Ok(ready)
    }
}

/// The timers that are due. Where nothing else is ready, time goes on to the first of them.
fn due(determinism: &Determinism, timers: &[(u32, u64)], waits: bool) -> wasmtime::Result<Vec<u32>> {
    let first = timers.iter().map(|(_, moment)| *moment).min().unwrap_or(0);
    if waits {
        determinism.wait_until(first)?;
    }
    let now = determinism.look();
    Ok(timers.iter().filter(|(_, moment)| *moment <= now).map(|(index, _)| *index).collect())
}

impl poll::HostPollable for CallState {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        let Some(determinism) = &self.determinism else {
            return poll::HostPollable::block(&mut self.table, pollable).await;
        };
        if let Some(moment) = determinism.timer(pollable.rep()) {
            return Ok(determinism.wait_until(moment)?);
        }
        if self.is_ready_at_once(&pollable).await? { Ok(()) } else { Err(stuck().into()) }
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        if let Some(ready) = self.replayed_ready(&pollable).await? {
            return Ok(ready);
        }
        let ready = self.ready_now(pollable).await?;
        if let Some(Tape::Recording(recorder)) = &self.tape {
            recorder.ready(ready);
        }
        Ok(ready)
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        if let Some(determinism) = &mut self.determinism {
            determinism.forget(pollable.rep());
        }
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}

impl monotonic_clock::Host for CallState {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        monotonic_clock::Host::now(&mut self.clocks())
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        monotonic_clock::Host::resolution(&mut self.clocks())
    }

    fn subscribe_instant(&mut self, when: monotonic_clock::Instant) -> wasmtime::Result<Resource<DynPollable>> {
        match &self.determinism {
            Some(determinism) => {
                let moment = determinism.moment(when.saturating_sub(determinism.shown()));
                self.subscribe_moment(moment)
            }
            None => monotonic_clock::Host::subscribe_instant(&mut self.clocks(), when),
        }
    }

    fn subscribe_duration(&mut self, after: monotonic_clock::Duration) -> wasmtime::Result<Resource<DynPollable>> {
        match &self.determinism {
            Some(determinism) => {
                let moment = determinism.moment(after);
                self.subscribe_moment(moment)
            }
            None => monotonic_clock::Host::subscribe_duration(&mut self.clocks(), after),
        }
    }
}

impl CallState {
    async fn poll_now(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        // An empty list is refused there.
        if self.determinism.is_none() || pollables.is_empty() {
            return poll::Host::poll(&mut self.table, pollables).await;
        }
        let mut timers = Vec::new();
        let mut ready = Vec::new();
        for (index, pollable) in (0..).zip(&pollables) {
            match self.timer(pollable) {
                Some(moment) => timers.push((index, moment)),
                None if self.is_ready_at_once(pollable).await? => ready.push(index),
                None => {}
            }
        }
        if let Some(determinism) = self.determinism.as_ref().filter(|_| !timers.is_empty()) {
            ready.extend(due(determinism, &timers, ready.is_empty())?);
            ready.sort_unstable();
        }
        if ready.is_empty() { Err(stuck().into()) } else { Ok(ready) }
    }

    async fn ready_now(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        match (&self.determinism, self.timer(&pollable)) {
            (Some(determinism), Some(moment)) => Ok(moment <= determinism.look()),
            _ => poll::HostPollable::ready(&mut self.table, pollable).await,
        }
    }

    fn timer(&self, pollable: &Resource<DynPollable>) -> Option<u64> {
        self.determinism.as_ref()?.timer(pollable.rep())
    }

    async fn is_ready_at_once(&mut self, pollable: &Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(&mut self.table, Resource::new_borrow(pollable.rep())).await
    }

    fn subscribe_moment(&mut self, moment: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let own = self.table.push(Moment)?;
        let pollable = subscribe(&mut self.table, own)?;
        if let Some(determinism) = &mut self.determinism {
            determinism.set_timer(pollable.rep(), moment);
        }
        Ok(pollable)
    }
}
