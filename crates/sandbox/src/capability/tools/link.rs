//! The functions of `caplet:tools/invoke`. They need the store, because fuel is there.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi_io::poll::{DynPollable, subscribe};

use super::{UnderWay, decide};
use crate::bindings::tools::invoke::Error;
use crate::determinism::Determinism;
use crate::state::CallState;

/// The interface.
const INVOKE: &str = "caplet:tools/invoke@0.1.0";

type Store<'a> = StoreContextMut<'a, CallState>;

/// Links the interface.
pub(in crate::capability) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    let mut invoke = linker.instance(INVOKE)?;
    invoke.resource("invocation", ResourceType::host::<UnderWay>(), dropped)?;
    invoke.func_wrap("[method]invocation.subscribe", subscribed)?;
    invoke.func_wrap("[method]invocation.get", taken)?;
    invoke.func_wrap("list", |store: Store<'_>, (): ()| Ok((store.data().tools.list(),)))?;
    invoke.func_wrap_async("start", |store, (name, arguments)| Box::new(started(store, name, arguments)))?;
    invoke.func_wrap_async("call", |store, (name, arguments)| Box::new(called(store, name, arguments)))
}

/// What of the caller's fuel a call is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fuel {
    /// All that is left: the caller waits.
    All,
    /// Half of what is left: the caller goes on.
    Half,
}

async fn started(
    mut store: Store<'_>,
    name: String,
    arguments: String,
) -> wasmtime::Result<(Result<Resource<UnderWay>, Error>,)> {
    Ok((match begin(&mut store, &name, arguments, Fuel::Half).await? {
        Ok(mut under_way) => {
            // Which of two calls ends first must not show.
            if store.data().determinism.is_some() {
                under_way.ended().await;
            }
            Ok(store.data_mut().table.push(under_way)?)
        }
        Err(error) => Err(error),
    },))
}

async fn called(mut store: Store<'_>, name: String, arguments: String) -> wasmtime::Result<(Result<String, Error>,)> {
    let mut under_way = match begin(&mut store, &name, arguments, Fuel::All).await? {
        Ok(under_way) => under_way,
        Err(error) => return Ok((Err(error),)),
    };
    under_way.ended().await;
    Ok((settle(&mut store, &mut under_way)?.unwrap_or_else(|| Err(Error::Failed("the call is over".to_owned()))),))
}

async fn begin(
    store: &mut Store<'_>,
    name: &str,
    arguments: String,
    fuel: Fuel,
) -> wasmtime::Result<Result<UnderWay, Error>> {
    let tools = &store.data().tools;
    let op = match tools.op(name) {
        Ok(op) => op,
        Err(error) => return Ok(Err(error)),
    };
    let permitted = match decide(tools.deciding(), op).await {
        Ok(permitted) => permitted,
        Err(error) => return Ok(Err(error)),
    };
    // Fuel is counted where a limit was set.
    let given = store.get_fuel().ok().map(|left| if fuel == Fuel::All { left } else { left / 2 });
    let state = store.data_mut();
    let repeats = state.determinism.as_mut().map(Determinism::next_call);
    let begun = state.tools.begin(permitted, arguments, given, repeats);
    if let (Ok(_), Some(given)) = (&begun, given) {
        let left = store.get_fuel()?;
        store.set_fuel(left.saturating_sub(given))?;
    }
    Ok(begun)
}

/// The answer, if there is one now, and with it the fuel that was not used.
fn settle(store: &mut Store<'_>, under_way: &mut UnderWay) -> wasmtime::Result<Option<Result<String, Error>>> {
    let answer = under_way.take();
    give_back(store, under_way.take_fuel())?;
    Ok(answer)
}

/// Gives the caller fuel that it had given away.
fn give_back(store: &mut Store<'_>, fuel: u64) -> wasmtime::Result<()> {
    if fuel == 0 {
        return Ok(());
    }
    let left = store.get_fuel()?;
    store.set_fuel(left.saturating_add(fuel))
}

fn taken(
    mut store: Store<'_>,
    (invocation,): (Resource<UnderWay>,),
) -> wasmtime::Result<(Option<Result<String, Error>>,)> {
    let under_way = store.data_mut().table.get_mut(&invocation)?;
    let answer = under_way.take();
    let back = under_way.take_fuel();
    give_back(&mut store, back)?;
    Ok((answer,))
}

fn subscribed(
    mut store: Store<'_>,
    (invocation,): (Resource<UnderWay>,),
) -> wasmtime::Result<(Resource<DynPollable>,)> {
    Ok((subscribe(&mut store.data_mut().table, invocation)?,))
}

fn dropped(mut store: Store<'_>, rep: u32) -> wasmtime::Result<()> {
    let mut under_way = store.data_mut().table.delete(Resource::<UnderWay>::new_own(rep))?;
    settle(&mut store, &mut under_way).map(drop)
}
