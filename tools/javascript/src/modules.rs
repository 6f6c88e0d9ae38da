//! Modules: files over the mounts, and the built-in ones that programs for Node.js ask for.

use std::rc::Rc;

use caplet_tool_common::{Access, GuestPath};
use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::{Ctx, Module, Object, Result, Runtime, Value, module::Declared};

use crate::failure;
use crate::globals::{self, Chunk};
use crate::native::files;
use crate::state::State;

/// Bytes of a module's file.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The built-in modules, without `node:`: whose export they are, and which; empty for all of them.
const BUILTIN: [(&str, Chunk, &str); 18] = [
    ("assert", Chunk::Assert, "assert"),
    ("assert/strict", Chunk::Assert, "assert"),
    ("buffer", Chunk::Buffer, ""),
    ("console", Chunk::Console, "console"),
    ("crypto", Chunk::Crypto, "node"),
    ("events", Chunk::Events, "EventEmitter"),
    ("fs", Chunk::Files, "fs"),
    ("fs/promises", Chunk::Files, "promises"),
    ("os", Chunk::Process, "os"),
    ("path", Chunk::Path, "path"),
    ("path/posix", Chunk::Path, "path"),
    ("perf_hooks", Chunk::Timers, "perf_hooks"),
    ("process", Chunk::Process, "process"),
    ("timers", Chunk::Timers, ""),
    ("timers/promises", Chunk::Timers, "promises"),
    ("tools", Chunk::Tools, "tools"),
    ("url", Chunk::Url, ""),
    ("util", Chunk::Util, "util"),
];

/// Lets a runtime find and load modules.
pub(crate) fn install(runtime: &Runtime, state: &Rc<State>) {
    runtime.set_loader(Modules { state: Rc::clone(state) }, Modules { state: Rc::clone(state) });
}

struct Modules {
    state: Rc<State>,
}

impl Resolver for Modules {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _attributes: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        let bare = name.strip_prefix("node:").unwrap_or(name);
        if BUILTIN.iter().any(|(builtin, ..)| *builtin == bare) {
            return Ok(format!("node:{bare}"));
        }
        let file = name.strip_prefix("file://").unwrap_or(name);
        if !(file.starts_with('/') || file.starts_with("./") || file.starts_with("../")) {
            let names: Vec<&str> = BUILTIN.iter().map(|(name, ..)| *name).collect();
            let message = format!(
                "Cannot find module '{name}': the sandbox has no packages. There are {}; and files by their path, such as \
                 './{name}.js'.",
                names.join(", ")
            );
            return Err(failure::throw(ctx, &message, &[("code", "ERR_MODULE_NOT_FOUND")]));
        }
        let parent = base.starts_with('/').then(|| base.rsplit_once('/').map_or("", |(parent, _)| parent));
        let from = parent.map_or(self.state.cwd.as_str(), |parent| if parent.is_empty() { "/" } else { parent });
        match GuestPath::resolve(from, file) {
            Ok(path) => Ok(path.to_string()),
            Err(problem) => Err(failure::throw(ctx, &problem.to_string(), &[("code", "ERR_INVALID_MODULE_SPECIFIER")])),
        }
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        attributes: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        if let Some(exports) = builtin(ctx, &self.state, name) {
            return declare_object(ctx, name, &exports?);
        }
        let kind = attributes.map(|attributes| attributes.get_type()).transpose()?.flatten();
        let path = GuestPath::resolve("/", name)
            .map_err(|problem| failure::throw(ctx, &problem.to_string(), &[("code", "EINVAL")]))?;
        let text = read(ctx, &path)?;
        if kind.as_deref() == Some("json") || name.ends_with(".json") {
            return declare_value(ctx, name, ctx.json_parse(text)?);
        }
        if kind.as_deref() == Some("text") {
            return declare_value(ctx, name, rquickjs::String::from_str(ctx.clone(), &text)?.into_value());
        }
        if let Some(reason) = crate::source::unreadable(&text) {
            return Err(failure::throw(ctx, &format!("{name}: {reason}"), &[]));
        }
        let module = Module::declare(ctx.clone(), name, text)?;
        let meta = module.meta()?;
        meta.set("url", format!("file://{path}"))?;
        meta.set("filename", path.as_str())?;
        meta.set("dirname", path.parent().map_or_else(|| "/".to_owned(), |parent| parent.to_string()))?;
        Ok(module)
    }
}

fn read(ctx: &Ctx<'_>, path: &GuestPath) -> Result<String> {
    let failed = |error: &std::io::Error| files::throw(ctx, Access::Read, "open", path, error);
    let size = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if size > MAX_FILE {
        return Err(failure::throw(ctx, &format!("{path} is too large for a module: it has {size} bytes"), &[]));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|_| failure::throw(ctx, &format!("{path} is not UTF-8, so it is no module"), &[]))
}

/// The object that a built-in module stands for.
pub(crate) fn builtin<'js>(ctx: &Ctx<'js>, state: &Rc<State>, name: &str) -> Option<Result<Object<'js>>> {
    let bare = name.strip_prefix("node:").unwrap_or(name);
    let (_, chunk, key) = BUILTIN.iter().find(|(builtin, ..)| *builtin == bare)?;
    let exports = globals::exports(ctx, state, *chunk);
    Some(if key.is_empty() { exports } else { exports.and_then(|exports| exports.get(*key)) })
}

/// A module that exports the properties of an object, and the object itself as its default.
fn declare_object<'js>(ctx: &Ctx<'js>, name: &str, object: &Object<'js>) -> Result<Module<'js, Declared>> {
    let is_name = |key: &String| {
        key != "default"
            && !key.starts_with(|first: char| first.is_ascii_digit())
            && key.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    let keys: Vec<String> = object.keys::<String>().filter_map(Result::ok).filter(is_name).collect();
    let names: Vec<String> = keys.iter().map(|key| format!("{key}: $_{key}")).collect();
    let exported: Vec<String> = keys.iter().map(|key| format!("$_{key} as {key}")).collect();
    let source = format!(
        "const $ = import.meta.value; export default $; const {{ {} }} = $; export {{ {} }};",
        names.join(", "),
        exported.join(", ")
    );
    declare(ctx, name, source, object.clone().into_value())
}

fn declare_value<'js>(ctx: &Ctx<'js>, name: &str, value: Value<'js>) -> Result<Module<'js, Declared>> {
    declare(ctx, name, "export default import.meta.value;".to_owned(), value)
}

fn declare<'js>(ctx: &Ctx<'js>, name: &str, source: String, value: Value<'js>) -> Result<Module<'js, Declared>> {
    let module = Module::declare(ctx.clone(), name, source)?;
    module.meta()?.set("value", value)?;
    Ok(module)
}
