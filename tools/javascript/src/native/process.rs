//! `process`, and `require` of built-in modules and files.

use std::rc::Rc;

use caplet_tool_common::GuestPath;
use rquickjs::function::Opt;
use rquickjs::{Ctx, Object, Result, Value};

use crate::failure;
use crate::globals::add;
use crate::modules;
use crate::state::{State, Stop};

pub(crate) fn add_to<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    object.set("cwd", state.cwd.as_str())?;
    let env = Object::new(object.ctx().clone())?;
    // Only what the operator has granted is there at all.
    #[cfg(target_family = "wasm")]
    for (name, value) in std::env::vars_os() {
        if let (Some(name), Some(value)) = (name.to_str(), value.to_str()) {
            env.set(name, value)?;
        }
    }
    object.set("env", env)?;
    let shared = Rc::clone(state);
    add(object, "exit", move |ctx: Ctx<'js>, code: Opt<f64>| {
        let code = code.0.filter(|code| code.is_finite()).unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, reason = "a code beyond 32 bits has no meaning")]
        shared.stop(Stop::Exit(code as i32));
        Err::<(), _>(failure::throw(&ctx, "process.exit", &[("name", "Exit")]))
    })?;
    for (name, to_stderr) in [("stdout", false), ("stderr", true)] {
        let shared = Rc::clone(state);
        add(object, name, move |text: String| {
            if to_stderr { &shared.stderr } else { &shared.stdout }.borrow_mut().push(&text);
        })?;
    }
    let shared = Rc::clone(state);
    add(object, "builtin", move |ctx: Ctx<'js>, name: String| match modules::builtin(&ctx, &shared, &name) {
        Some(exports) => exports.map(Object::into_value),
        None => Ok(Value::new_undefined(ctx.clone())),
    })?;
    add(object, "resolve", |ctx: Ctx<'js>, from: String, path: String| match GuestPath::resolve(&from, &path) {
        Ok(path) => Ok(path.to_string()),
        Err(problem) => Err(failure::throw(&ctx, &problem.to_string(), &[("code", "EINVAL")])),
    })
}
