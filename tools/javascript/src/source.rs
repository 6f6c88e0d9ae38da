//! What kind of program a text is, and where its value comes from.
//!
//! A text is a script if it can be one: then it has a value, that of its last expression, and may await. Import declarations at its
//! head are turned into awaited imports for that. What exports something is a module.

use rquickjs::context::EvalOptions;
use rquickjs::{Ctx, Function, Module, Object, Promise, Result, Value, module};

use crate::session::FILE;
use crate::state::State;

/// A program that has begun to run.
pub(crate) enum Program<'js> {
    /// The promise is kept with `{ value }`.
    Script(Promise<'js>),
    /// The promise is kept when the module has run.
    Module(Module<'js, module::Evaluated>, Promise<'js>),
}

impl<'js> Program<'js> {
    pub(crate) fn promise(&self) -> &Promise<'js> {
        match self {
            Self::Script(promise) | Self::Module(_, promise) => promise,
        }
    }
}

/// Compiles a program and runs it up to where it first waits.
pub(crate) fn compile<'js>(ctx: &Ctx<'js>, code: &str) -> Result<Program<'js>> {
    let head = imports_as_statements(code);
    match script(ctx, head.as_deref().unwrap_or(code)) {
        Ok(promise) => return Ok(Program::Script(promise)),
        Err(error) if !mentions_module_syntax(code) => return Err(error),
        Err(_) => {}
    }
    // What was thrown while the text was read as a script. If it is no module either, the module's error is the one to tell.
    drop(ctx.catch());
    let (module, promise) = Module::declare(ctx.clone(), FILE, code)?.eval()?;
    Ok(Program::Module(module, promise))
}

fn script<'js>(ctx: &Ctx<'js>, code: &str) -> Result<Promise<'js>> {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.promise = true;
    options.backtrace_barrier = true;
    options.filename = Some(FILE.to_owned());
    ctx.eval_with_options(code, options)
}

fn mentions_module_syntax(code: &str) -> bool {
    code.lines().any(|line| {
        let line = line.trim_start();
        ["import", "export"]
            .iter()
            .any(|word| line.strip_prefix(word).is_some_and(|rest| !rest.starts_with(is_part_of_name)))
    })
}

/// The function `main` of a script, if the script declares one and leaves it to the caller to call it.
pub(crate) fn main_of_script<'js>(ctx: &Ctx<'js>, code: &str, value: &Value<'js>) -> Result<Option<Function<'js>>> {
    if !value.is_undefined() && !value.is_function() || !declares_main(code) || calls_main(code) {
        return Ok(None);
    }
    let mut options = EvalOptions::default();
    options.strict = false;
    let main: Value<'js> = ctx.eval_with_options("typeof main === 'function' ? main : undefined", options)?;
    Ok(main.into_function())
}

fn declares_main(code: &str) -> bool {
    words(code, "main").any(|(before, after)| {
        let before = before.trim_end().trim_end_matches('*').trim_end();
        before.ends_with("function")
            || (["const", "let", "var"].iter().any(|word| before.ends_with(word))
                && after.trim_start().starts_with('='))
    })
}

fn calls_main(code: &str) -> bool {
    words(code, "main").any(|(before, after)| {
        let before = before.trim_end().trim_end_matches('*').trim_end();
        after.trim_start().starts_with('(') && !before.ends_with("function")
    })
}

/// The text before and after each place where `word` stands as a name of its own, not as a property's.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    code.match_indices(word).filter_map(move |(at, _)| {
        let (before, after) = (code.get(..at)?, code.get(at + word.len()..)?);
        let alone =
            !before.ends_with(|last| is_part_of_name(last) || last == '.') && !after.starts_with(is_part_of_name);
        alone.then_some((before, after))
    })
}

fn is_part_of_name(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '$')
}

/// What a module offers to be called, and its value if it offers nothing.
pub(crate) fn main_of_module<'js>(state: &State, exports: &Object<'js>) -> Result<(Option<Function<'js>>, Value<'js>)> {
    for name in ["default", "main"] {
        // Only what the module exports: a namespace inherits nothing.
        let value: Value<'js> = exports.get(name)?;
        if let Some(function) = value.as_function()
            && (!function.is_constructor() || !is_class(function))
        {
            return Ok((Some(function.clone()), value));
        }
        if !value.is_undefined() {
            return Ok((None, value));
        }
    }
    state.note("A module has no last expression: its value is that of `export default`, or what an exported `main(input)` returns.");
    Ok((None, Value::new_undefined(exports.ctx().clone())))
}

fn is_class(function: &Function<'_>) -> bool {
    let text: Result<rquickjs::Coerced<String>> = function.as_value().get();
    text.is_ok_and(|text| text.0.starts_with("class"))
}

/// The text with the import declarations at its head as `var … = await import(…)`, line for line; `None` if it has none there.
fn imports_as_statements(code: &str) -> Option<String> {
    let (mut out, mut at, mut found) = (String::new(), 0, false);
    loop {
        let rest = code.get(at..)?;
        let blank = blank(rest);
        out.push_str(rest.get(..blank)?);
        at += blank;
        let rest = code.get(at..)?;
        let Some((statement, length)) = declaration(rest) else { break };
        // Lines stay where they are.
        let lines = rest.get(..length)?.matches('\n').count();
        out.push_str(&statement);
        out.extend(std::iter::repeat_n('\n', lines));
        at += length;
        found = true;
    }
    out.push_str(code.get(at..)?);
    found.then_some(out)
}

/// The bytes of white space, comments and `"use strict"` at the beginning.
fn blank(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let skipped = if let Some(comment) = rest.strip_prefix("//") {
            2 + comment.find('\n').unwrap_or(comment.len())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map_or(rest.len(), |end| end + 4)
        } else {
            let space = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';').len();
            let directives = ["\"use strict\"", "'use strict'"];
            if space > 0 {
                space
            } else {
                directives.iter().find(|word| rest.starts_with(**word)).map_or(0, |word| word.len())
            }
        };
        if skipped == 0 {
            return at;
        }
        at += skipped;
    }
}

/// One import declaration at the beginning of `text`: what it becomes, and its length.
fn declaration(text: &str) -> Option<(String, usize)> {
    let mut rest = text.strip_prefix("import")?;
    if rest.starts_with(is_part_of_name) {
        return None;
    }
    let mut names = Vec::new();
    let clause_end = rest.find(['"', '\''])?;
    let clause = rest.get(..clause_end)?.trim();
    if !clause.is_empty() {
        names = bindings(clause.strip_suffix("from")?)?;
    }
    rest = rest.get(clause_end..)?;
    let quote = rest.chars().next()?;
    let end = 1 + rest.get(1..)?.find(quote)?;
    let specifier = rest.get(..=end)?;
    if specifier.contains(['\n', '\\']) {
        return None;
    }
    rest = rest.get(end + 1..)?;
    // Attributes stay what they are: the object after `with`.
    let mut options = String::new();
    if let Some(attributes) = rest.trim_start_matches([' ', '\t']).strip_prefix("with").map(str::trim_start)
        && attributes.starts_with('{')
    {
        let close = attributes.find('}')?;
        options = format!(", {{ with: {} }}", attributes.get(..=close)?.replace('\n', " "));
        rest = attributes.get(close + 1..)?;
    }
    rest = rest.trim_start_matches([' ', '\t']);
    if !(rest.is_empty() || rest.starts_with([';', '\n', '\r']) || rest.starts_with("//") || rest.starts_with("/*")) {
        return None;
    }
    let import = format!("await import({specifier}{options})");
    let statement = match names.as_slice() {
        [] => import,
        [(None, name)] => format!("var {name} = {import}"),
        [(None, name), others @ ..] => format!("var {name} = {import}, {} = {name}", pattern(others)),
        named => format!("var {} = {import}", pattern(named)),
    };
    Some((statement, text.len() - rest.len()))
}

/// What an import clause binds: exported name (`None`: the whole namespace, which then comes first) and local name.
fn bindings(clause: &str) -> Option<Vec<(Option<String>, String)>> {
    let mut found = Vec::new();
    let (before, named) = match clause.split_once('{') {
        Some((before, rest)) => (before, Some(rest.trim().strip_suffix('}')?)),
        None => (clause, None),
    };
    for part in before.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.strip_prefix('*') {
            Some(alias) => found.insert(0, (None, identifier(alias.trim().strip_prefix("as")?.trim())?)),
            None => found.push((Some("default".to_owned()), identifier(part)?)),
        }
    }
    for part in named.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let mut words = part.split_whitespace();
        let exported = identifier(words.next()?)?;
        let local = match words.next() {
            None => exported.clone(),
            Some("as") => identifier(words.next()?)?,
            Some(_) => return None,
        };
        if words.next().is_some() {
            return None;
        }
        found.push((Some(exported), local));
    }
    Some(found)
}

fn identifier(text: &str) -> Option<String> {
    (!text.is_empty() && text.chars().all(is_part_of_name)).then(|| text.to_owned())
}

/// A destructuring pattern. A name that is not exported is an error, as it is in a declaration.
fn pattern(names: &[(Option<String>, String)]) -> String {
    let part = |(exported, local): &(Option<String>, String)| {
        let exported = exported.as_deref().unwrap_or_default();
        format!(
            "{exported}: {local} = (() => {{ throw new SyntaxError(\"the module does not export `{exported}`\") }})()"
        )
    };
    format!("{{ {} }}", names.iter().map(part).collect::<Vec<_>>().join(", "))
}

/// The error for a text that the engine cannot even be given.
pub(crate) fn unreadable(code: &str) -> Option<String> {
    let at = code.find('\0')?;
    let line = code.get(..at)?.matches('\n').count() + 1;
    Some(format!("the code has a NUL character in line {line}"))
}

#[cfg(test)]
mod tests {
    use super::{calls_main, declares_main, imports_as_statements};

    #[test]
    fn imports_at_the_head_become_statements() {
        for (code, expected) in [
            ("import 'x'\n1", "await import('x')\n1"),
            ("import fs from \"fs\"; fs", "var { default: fs"),
            ("/* a */ import * as p from 'path'\np", "/* a */ var p = await import('path')\np"),
            ("import a, { b as c } from './m.js'", "var { default: a"),
            ("import d from './d.json' with { type: 'json' };d", ", { with: { type: 'json' } });d"),
        ] {
            let made = imports_as_statements(code).unwrap_or_default();
            assert!(made.contains(expected), "{code} became {made}");
        }
        let several = imports_as_statements("import {\n  a,\n  b\n} from 'm'\nthrow 1").unwrap_or_default();
        assert_eq!(several.lines().position(|line| line.starts_with("throw")), Some(4), "{several}");
        for code in ["import('x')", "const a = 1; import 'x'", "importing()", "import.meta", "export default 1", ""] {
            assert_eq!(imports_as_statements(code), None, "{code}");
        }
    }

    #[test]
    fn a_main_that_the_script_calls_is_not_called_again() {
        assert!(declares_main("async function main(input) {}") && !calls_main("async function main(input) {}"));
        assert!(declares_main("const main = async () => 1") && !calls_main("const main = async () => 1"));
        assert!(calls_main("function main() {}\nmain()") && calls_main("function main() {}\nawait main ()"));
        assert!(!declares_main("x.main = 1; domain(2); const mainly = 3"));
    }
}
