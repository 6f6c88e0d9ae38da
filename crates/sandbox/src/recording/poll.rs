//! Which of the things that a guest waits for are ready first: as it was noted.
//!
//! A guest that waits for a timer and a response at once does one thing or another by what comes first. So a replay waits for just what was
//! ready then, and answers as it was answered. Beyond what was noted it waits like any call.

use wasmtime::component::Resource;
use wasmtime_wasi_io::bindings::wasi::io::poll::HostPollable;
use wasmtime_wasi_io::poll::DynPollable;

use super::{Player, Tape};
use crate::state::CallState;

impl CallState {
    fn player(&self) -> Option<&Player> {
        match &self.tape {
            Some(Tape::Playing(player)) => Some(player),
            Some(Tape::Recording(_)) | None => None,
        }
    }

    /// The places of what was ready, once it is so again. Nothing where nothing was noted.
    pub(crate) async fn replayed_poll(&mut self, list: &[Resource<DynPollable>]) -> wasmtime::Result<Option<Vec<u32>>> {
        let Some(ready) = self.player().and_then(|player| player.poll(list.len())) else { return Ok(None) };
        // What was ready then has to be so before the guest uses it.
        for one in ready.iter().filter_map(|place| list.get(usize::try_from(*place).ok()?)) {
            HostPollable::block(&mut self.table, Resource::new_borrow(one.rep())).await?;
        }
        Ok(Some(ready))
    }

    /// Whether it was ready; if so, once it is again. Nothing where nothing was noted.
    pub(crate) async fn replayed_ready(&mut self, one: &Resource<DynPollable>) -> wasmtime::Result<Option<bool>> {
        let ready = self.player().and_then(Player::ready);
        if ready == Some(true) {
            HostPollable::block(&mut self.table, Resource::new_borrow(one.rep())).await?;
        }
        Ok(ready)
    }
}
