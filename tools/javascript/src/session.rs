//! One engine and the runs in it. What a program leaves in the globals is there for the next one.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use rquickjs::{CatchResultExt, Context, Ctx, Object, Result, Runtime, Value};

use crate::failure::{self, Thrown};
use crate::host::Host;
use crate::modules;
use crate::source::{self, Program};
use crate::state::{Rejection, SharedHost, State, Stop};
use crate::{Output, Request, globals, json, turns};

/// Bytes of the engine's heap. The manifest allows the instance 256 MiB: there is room for a copy of all of it on its way out or in,
/// so that the engine's own error comes before the host's limit.
const HEAP: usize = 112 * 1024 * 1024;
/// Bytes of C stack that the engine may use before it throws a `RangeError`. `agent-tool.toml` allows the machine stack below it more
/// than a call of this depth was ever seen to take.
const STACK: usize = 256 * 1024;
/// The file name that the program has in traces.
pub(crate) const FILE: &str = "script.js";

/// An engine with its globals.
pub struct Session {
    context: Context,
    runtime: Runtime,
    state: Rc<State>,
    /// Whether a program was stopped with work left to do, which the engine would go on with.
    spent: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.state.clear();
    }
}

impl Session {
    /// Makes an engine. Relative paths are taken from `cwd`, an absolute path.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(host: Box<dyn Host>, cwd: &str) -> std::result::Result<Self, String> {
        Self::start(Rc::new(RefCell::new(host)), cwd.to_owned())
    }

    fn start(host: SharedHost, cwd: String) -> std::result::Result<Self, String> {
        let state = Rc::new(State::new(host, cwd));
        let broken = |error: rquickjs::Error| format!("the engine cannot be started: {error}");
        let runtime = Runtime::new().map_err(broken)?;
        runtime.set_memory_limit(HEAP);
        runtime.set_max_stack_size(STACK);
        let watch = Rc::clone(&state);
        runtime.set_interrupt_handler(Some(Box::new(move || watch.stopped().is_some())));
        runtime.set_host_promise_rejection_tracker(Some(Box::new(tracker(Rc::clone(&state)))));
        modules::install(&runtime, &state);
        let context = Context::full(&runtime).map_err(broken)?;
        context.with(|ctx| globals::define(&ctx, &state)).map_err(broken)?;
        Ok(Self { context, runtime, state, spent: false })
    }

    /// Runs a program until nothing of it is left to do.
    ///
    /// # Errors
    /// What went wrong, with the trace and what was printed before.
    pub fn run(&mut self, request: &Request) -> std::result::Result<Output, String> {
        if self.spent {
            *self = Self::start(Rc::clone(&self.state.host), self.state.cwd.clone())?;
            self.state.note("An earlier program was stopped before it ended, so what it left in the globals is gone.");
        }
        let start = Instant::now();
        self.state.deadline.set(request.timeout.and_then(|timeout| start.checked_add(timeout)));
        let result = self.context.with(|ctx| {
            let result = self.in_context(&ctx, request);
            // What was thrown and not looked at is not the next run's.
            drop(ctx.catch());
            result
        });
        self.spent = self.state.stopped().is_some() && self.runtime.is_job_pending();
        self.state.settle_down();
        let (stdout, stderr) = self.state.take_output();
        let notes = self.state.take_notes();
        match result {
            Ok(value) => Ok(Output { value, stdout, stderr, notes }),
            Err(thrown) => Err(failure::report(&thrown, request, &stdout, &stderr, &notes)),
        }
    }

    fn in_context<'js>(&self, ctx: &Ctx<'js>, request: &Request) -> std::result::Result<String, Thrown> {
        let value = self.value(ctx, request);
        match self.state.stopped() {
            Some(Stop::Exit(0)) => {
                self.state.note("The program called process.exit(0), so it has no value.");
                Ok("null".to_owned())
            }
            Some(Stop::Exit(code)) => Err(Thrown::Exit(code)),
            Some(Stop::Timeout) => Err(Thrown::Timeout),
            None => value,
        }
    }

    fn value<'js>(&self, ctx: &Ctx<'js>, request: &Request) -> std::result::Result<String, Thrown> {
        if let Some(reason) = source::unreadable(&request.code) {
            return Err(Thrown::Error(reason));
        }
        self.set_input(ctx, request)?;
        let caught = |error: rquickjs::Error| failure::thrown(ctx, &self.state, Err::<(), _>(error).catch(ctx).err());
        let value = match source::compile(ctx, &request.code) {
            Ok(program) => self.outcome(ctx, program, request)?,
            Err(error) => return Err(caught(error)),
        };
        let text = json::text(ctx, &self.state, &value);
        turns::until_idle(ctx, &self.state)?;
        Ok(text)
    }

    /// The value that the program comes to.
    fn outcome<'js>(
        &self,
        ctx: &Ctx<'js>,
        program: Program<'js>,
        request: &Request,
    ) -> std::result::Result<Value<'js>, Thrown> {
        let caught = |error: rquickjs::Error| failure::thrown(ctx, &self.state, Err::<(), _>(error).catch(ctx).err());
        let settled = turns::settled(ctx, &self.state, program.promise().clone().into_value())?;
        let (entry, otherwise) = match program {
            Program::Script(_) => {
                let value =
                    settled.as_object().map_or(Ok(settled.clone()), |object| object.get("value")).map_err(caught)?;
                let value = turns::settled(ctx, &self.state, value)?;
                (source::main_of_script(ctx, &request.code, &value).map_err(caught)?, value)
            }
            Program::Module(module, _) => {
                let exports = module.namespace().map_err(caught)?;
                source::main_of_module(&self.state, &exports).map_err(caught)?
            }
        };
        let Some(main) = entry else { return turns::settled(ctx, &self.state, otherwise) };
        let input: Value<'js> = ctx.globals().get("input").map_err(caught)?;
        let value = main.call((input,)).map_err(caught)?;
        turns::settled(ctx, &self.state, value)
    }

    fn set_input<'js>(&self, ctx: &Ctx<'js>, request: &Request) -> std::result::Result<(), Thrown> {
        let globals: Object<'js> = ctx.globals();
        let set = match &request.input {
            None => globals.set("input", Value::new_undefined(ctx.clone())),
            Some(text) => match ctx.json_parse(text.as_str()) {
                Ok(value) => globals.set("input", value),
                Err(_) => {
                    drop(ctx.catch());
                    return Err(Thrown::Input);
                }
            },
        };
        set.map_err(|error| failure::thrown(ctx, &self.state, Err::<(), _>(error).catch(ctx).err()))
    }

    /// Lets the engine collect what is garbage; for a session that waits.
    pub fn tidy(&self) {
        self.runtime.run_gc();
    }
}

/// Keeps a list of the rejected promises that nothing handles.
fn tracker(state: Rc<State>) -> impl for<'a> Fn(Ctx<'a>, Value<'a>, Value<'a>, bool) + 'static {
    move |ctx, promise, reason, is_handled| {
        let mut rejections = state.rejections.borrow_mut();
        if is_handled {
            rejections.retain(|known| same(&ctx, known, &promise).is_ok_and(|same| !same));
        } else {
            rejections.push(Rejection {
                promise: rquickjs::Persistent::save(&ctx, promise),
                reason: rquickjs::Persistent::save(&ctx, reason),
            });
        }
    }
}

fn same<'js>(ctx: &Ctx<'js>, known: &Rejection, promise: &Value<'js>) -> Result<bool> {
    Ok(known.promise.clone().restore(ctx)? == *promise)
}
