//! The event loop: jobs first, then the timer that is due, then whatever ends outside. It waits and never spins.

use rquickjs::{CatchResultExt, Ctx, Function, Value};

use crate::failure::{self, Thrown};
use crate::host::Ended;
use crate::native::fetch;
use crate::native::tools;
use crate::state::{Operation, State, Stop};

/// Jobs between two looks at the clock.
const JOBS: usize = 1_000;

/// Waits for `value` if it is a promise, or something with a `then`.
pub(crate) fn settled<'js>(ctx: &Ctx<'js>, state: &State, value: Value<'js>) -> Result<Value<'js>, Thrown> {
    let failed = |error| failure::thrown(ctx, state, Err::<(), _>(error).catch(ctx).err());
    let value = match value.as_object() {
        Some(object) if !value.is_promise() && is_thenable(ctx, object) => adopt(ctx, value).map_err(failed)?,
        _ => value,
    };
    let Some(promise) = value.clone().into_promise() else { return Ok(value) };
    // It is looked at below, so a rejection of it is handled.
    state.rejections.borrow_mut().retain(|known| known.promise.clone().restore(ctx).is_ok_and(|known| known != value));
    loop {
        jobs(ctx, state)?;
        if let Some(result) = promise.result::<Value<'js>>() {
            let result = result.map_err(failed)?;
            // Anything else that was rejected on the way counts as well.
            unhandled(ctx, state)?;
            return Ok(result);
        }
        unhandled(ctx, state)?;
        if !turn(ctx, state)? {
            return Err(Thrown::Deadlock);
        }
    }
}

/// Runs timers and waits for answers until there are none left.
pub(crate) fn until_idle(ctx: &Ctx<'_>, state: &State) -> Result<(), Thrown> {
    loop {
        jobs(ctx, state)?;
        unhandled(ctx, state)?;
        if !turn(ctx, state)? {
            return Ok(());
        }
    }
}

fn is_thenable<'js>(ctx: &Ctx<'js>, object: &rquickjs::Object<'js>) -> bool {
    let then = object.get::<_, Value<'js>>("then");
    if then.is_err() {
        drop(ctx.catch());
    }
    then.is_ok_and(|then| then.is_function())
}

fn adopt<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> rquickjs::Result<Value<'js>> {
    let (promise, resolve, _reject) = ctx.promise()?;
    resolve.call::<_, ()>((value,))?;
    Ok(promise.into_value())
}

fn jobs(ctx: &Ctx<'_>, state: &State) -> Result<(), Thrown> {
    let mut count = 0_usize;
    loop {
        if count.is_multiple_of(JOBS)
            && let Some(stop) = state.stopped()
        {
            return Err(Thrown::from(stop));
        }
        count += 1;
        if !ctx.execute_pending_job() {
            return Ok(());
        }
    }
}

impl From<Stop> for Thrown {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Exit(code) => Self::Exit(code),
            Stop::Timeout => Self::Timeout,
        }
    }
}

/// Fails if a promise was rejected and nothing handles it.
fn unhandled(ctx: &Ctx<'_>, state: &State) -> Result<(), Thrown> {
    let Some(first) = state.rejections.take().into_iter().next() else { return Ok(()) };
    match first.reason.restore(ctx) {
        Ok(reason) => Err(failure::of_value(ctx, state, &reason, "Unhandled rejection: ")),
        Err(error) => Err(failure::thrown(ctx, state, Err::<(), _>(error).catch(ctx).err())),
    }
}

/// Does one thing that the program waits for; false if there is nothing.
fn turn(ctx: &Ctx<'_>, state: &State) -> Result<bool, Thrown> {
    if let Some(stop) = state.stopped() {
        return Err(Thrown::from(stop));
    }
    let first = state.timers.borrow().first();
    // The clock is looked at once for all timers that are due.
    if first.is_some_and(|(due, _)| due > state.timers.borrow().now) {
        let now = state.host.borrow_mut().now();
        state.timers.borrow_mut().now = now;
    }
    let now = state.timers.borrow().now;
    if let Some((due, number)) = first
        && due <= now
    {
        state.timers.borrow_mut().remove(due, number);
        return fire(ctx, state, number).map(|()| true);
    }
    let busy = !state.operations.borrow().is_empty() || state.timers.borrow().keep_running();
    if !busy {
        return Ok(false);
    }
    let remaining = state.deadline.get().map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
    let until = first.map(|(due, _)| due.saturating_sub(now));
    let timeout = [remaining, until].into_iter().flatten().min();
    let ended = state.host.borrow_mut().wait(timeout);
    let failed = |error| failure::thrown(ctx, state, Err::<(), _>(error).catch(ctx).err());
    let places = ended.iter().any(|(_, ended)| matches!(ended, Ended::Tool(_)));
    for (number, ended) in ended {
        let Some(operation) = state.operations.borrow_mut().remove(&number) else { continue };
        let told = match operation {
            Operation::Fetch(exchange) => fetch::ended(ctx, state, *exchange, ended),
            Operation::Tool(settle) => tools::ended(ctx, settle, ended),
        };
        told.map_err(failed)?;
    }
    if places {
        tools::begin_waiting(ctx, state).map_err(failed)?;
    }
    Ok(true)
}

fn fire(ctx: &Ctx<'_>, state: &State, number: u64) -> Result<(), Thrown> {
    let Some(function) = state.timers.borrow().fire.clone() else { return Ok(()) };
    let called = function.restore(ctx).and_then(|fire: Function<'_>| {
        #[expect(clippy::cast_precision_loss, reason = "there are never 2^53 timers")]
        fire.call::<_, ()>((number as f64,))
    });
    called.catch(ctx).map_err(|error| failure::thrown(ctx, state, Some(error)))
}
