//! Calls of other tools. Each begins at once, so that those of a `Promise.all` run together; those that the host has no place for yet
//! begin when one of those that run has ended.

use std::rc::Rc;

use rquickjs::{Ctx, Object, Persistent, Result, String as JsString, Value};

use crate::globals::add;
use crate::host::{Callable, Ended, ToolFailure};
use crate::state::{Operation, Settle, State, WaitingCall};
use crate::{failure, types};

pub(crate) fn add_to<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    let shared = Rc::clone(state);
    add(object, "list", move |ctx: Ctx<'js>| {
        let callables = shared.host.borrow_mut().callables();
        callables.iter().map(|callable| describe(&ctx, callable)).collect::<Result<Vec<_>>>()
    })?;
    let shared = Rc::clone(state);
    add(object, "types", move || types::declarations(&shared.host.borrow_mut().callables()))?;
    // The identifier that a tool's or function's name becomes.
    add(object, "identifier", |name: String| types::identifier(&name))?;
    let shared = Rc::clone(state);
    // Begins a call; the promise is for the output's JSON text.
    add(object, "start", move |ctx: Ctx<'js>, name: String, arguments: JsString<'js>| {
        let (promise, resolve, reject) = ctx.promise()?;
        let settle = Settle { resolve: Persistent::save(&ctx, resolve), reject: Persistent::save(&ctx, reject) };
        // Who came first is served first.
        let first = shared.waiting_calls.borrow().is_empty();
        let begun = if first { begin(&ctx, &shared, &name, &arguments)? } else { Begun::NoPlace };
        match begun {
            Begun::Yes(operation) => drop(shared.operations.borrow_mut().insert(operation, Operation::Tool(settle))),
            Begun::Refused(why) => settle.reject(&ctx, error(&ctx, &why)?)?,
            Begun::NoPlace => {
                let arguments = Persistent::save(&ctx, arguments);
                shared.waiting_calls.borrow_mut().push_back(WaitingCall { name, arguments, settle });
            }
        }
        Ok::<_, rquickjs::Error>(promise)
    })
}

/// What became of a call that should begin.
enum Begun {
    Yes(u64),
    Refused(ToolFailure),
    /// The host has no place for it. One of the calls that run will make one.
    NoPlace,
}

fn begin<'js>(ctx: &Ctx<'js>, state: &State, name: &str, arguments: &JsString<'js>) -> Result<Begun> {
    let arguments = crate::kinds::text(ctx, state, arguments)?;
    let operation = state.operation();
    let begun = state.host.borrow_mut().call(operation, name, &arguments);
    Ok(match begun {
        Ok(()) => Begun::Yes(operation),
        Err(ToolFailure::Limit(_)) if state.calls_tools() => Begun::NoPlace,
        Err(why) => Begun::Refused(why),
    })
}

/// Begins as many of the calls that wait as the host has places for now. While any waits, at least one runs: the last that ends finds
/// out whether there is a place at all.
pub(crate) fn begin_waiting(ctx: &Ctx<'_>, state: &State) -> Result<()> {
    loop {
        let Some(call) = state.waiting_calls.borrow_mut().pop_front() else { return Ok(()) };
        let arguments = call.arguments.clone().restore(ctx)?;
        match begin(ctx, state, &call.name, &arguments)? {
            Begun::Yes(operation) => {
                drop(state.operations.borrow_mut().insert(operation, Operation::Tool(call.settle)))
            }
            Begun::Refused(why) => call.settle.reject(ctx, error(ctx, &why)?)?,
            Begun::NoPlace => {
                state.waiting_calls.borrow_mut().push_front(call);
                return Ok(());
            }
        }
    }
}

fn describe<'js>(ctx: &Ctx<'js>, callable: &Callable) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    object.set("name", callable.name.as_str())?;
    object.set("description", callable.description.as_str())?;
    object.set("inputSchema", schema(ctx, Some(&callable.input_schema)))?;
    object.set("outputSchema", schema(ctx, callable.output_schema.as_ref()))?;
    Ok(object)
}

fn schema<'js>(ctx: &Ctx<'js>, text: Option<&String>) -> Value<'js> {
    match text.map(|text| ctx.json_parse(text.as_str())) {
        Some(Ok(schema)) => schema,
        Some(Err(_)) => {
            drop(ctx.catch());
            Value::new_null(ctx.clone())
        }
        None => Value::new_null(ctx.clone()),
    }
}

/// Tells the promise of a call how it ended.
pub(crate) fn ended(ctx: &Ctx<'_>, settle: Settle, ended: Ended) -> Result<()> {
    match ended {
        Ended::Tool(Ok(output)) => settle.resolve(ctx, JsString::from_str(ctx.clone(), &output)?.into_value()),
        Ended::Tool(Err(why)) => settle.reject(ctx, error(ctx, &why)?),
        Ended::Http(_) => Ok(()),
    }
}

fn error<'js>(ctx: &Ctx<'js>, why: &ToolFailure) -> Result<Value<'js>> {
    let (name, code, message) = match why {
        ToolFailure::Denied(message) => ("ToolDenied", "EACCES", message),
        ToolFailure::Limit(message) => ("ToolLimit", "ELIMIT", message),
        ToolFailure::Failed(message) => ("ToolError", "ETOOL", message),
    };
    failure::value(ctx, message, &[("name", name), ("code", code)])
}
