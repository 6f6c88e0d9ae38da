//! Which of the things that a guest waits for are ready first: noted, or as noted.
//!
//! A guest that waits for a timer and a response at once does one thing or another by what comes first. So a replay waits for just what was
//! ready then, and answers as it was answered. Beyond what was noted it waits like any call.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_io::bindings::wasi::io::poll::{Host, HostPollable};
use wasmtime_wasi_io::poll::DynPollable;

use super::Tape;
use crate::state::CallState;

/// The engine's version of the interface.
const POLL: &str = "wasi:io/poll@0.2.12";

type Store<'a> = StoreContextMut<'a, CallState>;

/// Puts the functions here in the place of the engine's own, which they call.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut interface = linker.instance(POLL)?;
    interface.func_wrap_async("poll", |store, (list,)| Box::new(poll(store, list)))?;
    interface.func_wrap_async("[method]pollable.ready", |store, (one,)| Box::new(ready(store, one)))?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn poll(mut store: Store<'_>, list: Vec<Resource<DynPollable>>) -> wasmtime::Result<(Vec<u32>,)> {
    let state = store.data_mut();
    if let Some(Tape::Playing(player)) = &state.tape
        && let Some(ready) = player.poll(list.len())
    {
        // What was ready then has to be so before the guest uses it.
        let meant = ready.iter().filter_map(|place| list.get(usize::try_from(*place).ok()?));
        for one in meant.map(Resource::rep).map(Resource::<DynPollable>::new_borrow).collect::<Vec<_>>() {
            HostPollable::block(&mut state.table, one).await?;
        }
        return Ok((ready,));
    }
    let ready = Host::poll(state, list).await?;
    if let Some(Tape::Recording(recorder)) = &state.tape {
        recorder.poll(&ready);
    }
    Ok((ready,))
}

async fn ready(mut store: Store<'_>, one: Resource<DynPollable>) -> wasmtime::Result<(bool,)> {
    let state = store.data_mut();
    if let Some(Tape::Playing(player)) = &state.tape
        && let Some(ready) = player.ready()
    {
        if ready {
            HostPollable::block(&mut state.table, one).await?;
        }
        return Ok((ready,));
    }
    let ready = HostPollable::ready(state, one).await?;
    if let Some(Tape::Recording(recorder)) = &state.tape {
        recorder.ready(ready);
    }
    Ok((ready,))
}
