//! The globals that the language itself does not have. Each is made when it is first read: most programs need two or three.

use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::function::IntoJsFunc;
use rquickjs::object::{Accessor, Property};
use rquickjs::{Ctx, Function, Object, Persistent, Result, Value};

use crate::kinds::Intrinsics;
use crate::native;
use crate::state::State;

/// A group of globals and modules that are made together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Chunk {
    Assert,
    Buffer,
    Clone,
    Console,
    Crypto,
    Events,
    Fetch,
    Files,
    Path,
    Process,
    Text,
    Timers,
    Tools,
    Url,
    Util,
}

/// The globals by chunk; each is a property of what the chunk exports.
const GLOBALS: [(&str, Chunk); 33] = [
    ("AbortController", Chunk::Events),
    ("AbortSignal", Chunk::Events),
    ("Buffer", Chunk::Buffer),
    ("Event", Chunk::Events),
    ("EventTarget", Chunk::Events),
    ("Headers", Chunk::Fetch),
    ("Request", Chunk::Fetch),
    ("Response", Chunk::Fetch),
    ("TextDecoder", Chunk::Text),
    ("TextEncoder", Chunk::Text),
    ("URL", Chunk::Url),
    ("URLSearchParams", Chunk::Url),
    ("atob", Chunk::Text),
    ("btoa", Chunk::Text),
    ("clearImmediate", Chunk::Timers),
    ("clearInterval", Chunk::Timers),
    ("clearTimeout", Chunk::Timers),
    ("console", Chunk::Console),
    ("crypto", Chunk::Crypto),
    ("fetch", Chunk::Fetch),
    ("fs", Chunk::Files),
    ("global", Chunk::Process),
    ("path", Chunk::Path),
    ("process", Chunk::Process),
    ("queueMicrotask", Chunk::Timers),
    ("require", Chunk::Process),
    ("self", Chunk::Process),
    ("setImmediate", Chunk::Timers),
    ("setInterval", Chunk::Timers),
    ("setTimeout", Chunk::Timers),
    ("structuredClone", Chunk::Clone),
    ("tools", Chunk::Tools),
    ("util", Chunk::Util),
];

/// Defines all globals in a new context.
pub(crate) fn define(ctx: &Ctx<'_>, state: &Rc<State>) -> Result<()> {
    state.intrinsics.replace(Some(Intrinsics::take(ctx)?));
    for (name, chunk) in GLOBALS {
        let state = Rc::clone(state);
        let get = move |ctx: Ctx<'_>| first_use(&ctx, &state, name, chunk).map(|value| Persistent::save(&ctx, value));
        let set = move |ctx: Ctx<'_>, value: Persistent<Value<'static>>| {
            let value = value.restore(&ctx)?;
            ctx.globals().prop(name, Property::from(value).configurable().writable())
        };
        ctx.globals().prop(name, Accessor::new(get, set).configurable())?;
    }
    Ok(())
}

/// Makes a global and puts it in the place of the getter.
fn first_use<'js>(ctx: &Ctx<'js>, state: &Rc<State>, name: &str, chunk: Chunk) -> Result<Value<'js>> {
    let value: Value<'js> = exports(ctx, state, chunk)?.get(name)?;
    ctx.globals().prop(name, Property::from(value.clone()).configurable().writable())?;
    Ok(value)
}

/// What a chunk exports; it is made once in a session.
pub(crate) fn exports<'js>(ctx: &Ctx<'js>, state: &Rc<State>, chunk: Chunk) -> Result<Object<'js>> {
    let known = state.chunks.borrow().get(&chunk).cloned();
    if let Some(known) = known {
        return known.restore(ctx);
    }
    let natives = natives(ctx, state, chunk)?;
    let exports = match chunk.source() {
        None => natives,
        Some((name, source)) => {
            let shared = Rc::clone(state);
            add(&natives, "use", move |ctx: Ctx<'js>, name: String| match Chunk::named(&name) {
                Some(chunk) => exports_object(&ctx, &shared, chunk),
                None => Object::new(ctx),
            })?;
            let mut options = EvalOptions::default();
            options.filename = Some(format!("caplet:{name}"));
            let make: Function<'js> = ctx.eval_with_options(source, options)?;
            make.call((natives,))?
        }
    };
    state.chunks.borrow_mut().insert(chunk, Persistent::save(ctx, exports.clone()));
    Ok(exports)
}

/// The same under another name: a closure's type must not contain itself.
fn exports_object<'js>(ctx: &Ctx<'js>, state: &Rc<State>, chunk: Chunk) -> Result<Object<'js>> {
    exports(ctx, state, chunk)
}

/// Adds a function to an object.
pub(crate) fn add<'js, P, F>(object: &Object<'js>, name: &str, function: F) -> Result<()>
where
    F: IntoJsFunc<'js, P> + 'js,
{
    object.set(name, Function::new(object.ctx().clone(), function)?.with_name(name)?)
}

fn natives<'js>(ctx: &Ctx<'js>, state: &Rc<State>, chunk: Chunk) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    match chunk {
        Chunk::Console => native::console::add_to(&object, state)?,
        Chunk::Crypto => native::crypto::add_to(&object, state)?,
        Chunk::Fetch => native::fetch::add_to(&object, state)?,
        Chunk::Files => native::files::add_to(&object, state)?,
        Chunk::Process => native::process::add_to(&object, state)?,
        Chunk::Text | Chunk::Buffer => native::text::add_to(&object, state)?,
        Chunk::Timers => native::timers::add_to(&object, state)?,
        Chunk::Tools => native::tools::add_to(&object, state)?,
        Chunk::Url => native::url::add_to(&object)?,
        Chunk::Util => native::console::add_inspect(&object, state)?,
        Chunk::Assert | Chunk::Clone | Chunk::Events | Chunk::Path => {}
    }
    Ok(object)
}

impl Chunk {
    /// Its name and program, a function of the natives; `None` where the natives are all.
    fn source(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Assert => ("assert", include_str!("js/assert.js")),
            Self::Buffer => ("buffer", include_str!("js/buffer.js")),
            Self::Clone => ("clone", include_str!("js/clone.js")),
            Self::Console => return None,
            Self::Crypto => ("crypto", include_str!("js/crypto.js")),
            Self::Events => ("events", include_str!("js/events.js")),
            Self::Fetch => ("fetch", include_str!("js/fetch.js")),
            Self::Files => ("fs", include_str!("js/fs.js")),
            Self::Path => ("path", include_str!("js/path.js")),
            Self::Process => ("process", include_str!("js/process.js")),
            Self::Text => ("text", include_str!("js/text.js")),
            Self::Timers => ("timers", include_str!("js/timers.js")),
            Self::Tools => ("tools", include_str!("js/tools.js")),
            Self::Url => ("url", include_str!("js/url.js")),
            Self::Util => ("util", include_str!("js/util.js")),
        })
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "assert" => Self::Assert,
            "buffer" => Self::Buffer,
            "clone" => Self::Clone,
            "console" => Self::Console,
            "crypto" => Self::Crypto,
            "events" => Self::Events,
            "fetch" => Self::Fetch,
            "fs" => Self::Files,
            "path" => Self::Path,
            "process" => Self::Process,
            "text" => Self::Text,
            "timers" => Self::Timers,
            "tools" => Self::Tools,
            "url" => Self::Url,
            "util" => Self::Util,
            _ => return None,
        })
    }
}
