//! `console`, and `util.inspect`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use rquickjs::function::{Opt, Rest};
use rquickjs::{Coerced, Ctx, Object, Result, Value};

use crate::globals::add;
use crate::inspect;
use crate::state::State;

/// What `console` keeps between its calls.
#[derive(Debug, Default)]
struct Console {
    indent: Cell<usize>,
    counts: RefCell<HashMap<String, u32>>,
    times: RefCell<HashMap<String, Duration>>,
}

/// Levels of `console.group` that are indented, labels that are kept.
const MAX_INDENT: usize = 20;
const MAX_LABELS: usize = 1_000;

/// Adds `console` and its functions, as a property of itself, so that it is both a global and a module.
pub(crate) fn add_to<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    let console = Object::new(object.ctx().clone())?;
    let kept = Rc::new(Console::default());
    for (name, to_stderr) in [
        ("log", false),
        ("info", false),
        ("debug", false),
        ("dir", false),
        ("error", true),
        ("warn", true),
        ("trace", true),
    ] {
        let (state, kept) = (Rc::clone(state), Rc::clone(&kept));
        add(&console, name, move |ctx: Ctx<'js>, values: Rest<Value<'js>>| {
            let values = if name == "dir" { values.0.get(..1).unwrap_or_default() } else { &values.0 };
            print(&state, &kept, &inspect::line(&ctx, &state, values), to_stderr);
        })?;
    }
    add_table(&console, state, &kept)?;
    add_groups(&console, state, &kept)?;
    add_counts(&console, state, &kept)?;
    object.set("console", console)
}

/// Adds `inspect(value, depth)` and `format(...)`.
pub(crate) fn add_inspect<'js>(object: &Object<'js>, state: &Rc<State>) -> Result<()> {
    let shared = Rc::clone(state);
    add(object, "inspect", move |ctx: Ctx<'js>, value: Value<'js>, depth: Opt<u32>| {
        inspect::deep(&ctx, &shared, &value, depth.0.and_then(|depth| usize::try_from(depth).ok()).unwrap_or(2))
    })?;
    let shared = Rc::clone(state);
    add(object, "format", move |ctx: Ctx<'js>, values: Rest<Value<'js>>| inspect::line(&ctx, &shared, &values.0))
}

fn print(state: &State, kept: &Console, text: &str, to_stderr: bool) {
    let mut out = if to_stderr { state.stderr.borrow_mut() } else { state.stdout.borrow_mut() };
    let indent = "  ".repeat(kept.indent.get().min(MAX_INDENT));
    if indent.is_empty() {
        out.push(text);
    } else {
        out.push(&indent);
        out.push(&text.replace('\n', &format!("\n{indent}")));
    }
    out.push("\n");
}

fn add_groups<'js>(console: &Object<'js>, state: &Rc<State>, kept: &Rc<Console>) -> Result<()> {
    for name in ["group", "groupCollapsed"] {
        let (state, kept) = (Rc::clone(state), Rc::clone(kept));
        add(console, name, move |ctx: Ctx<'js>, values: Rest<Value<'js>>| {
            if !values.0.is_empty() {
                print(&state, &kept, &inspect::line(&ctx, &state, &values.0), false);
            }
            kept.indent.set(kept.indent.get().saturating_add(1));
        })?;
    }
    let ends = Rc::clone(kept);
    add(console, "groupEnd", move || ends.indent.set(ends.indent.get().saturating_sub(1)))?;
    let (shared, failing) = (Rc::clone(state), Rc::clone(kept));
    add(console, "assert", move |ctx: Ctx<'js>, values: Rest<Value<'js>>| {
        let Some((condition, rest)) = values.0.split_first() else { return Ok(()) };
        if !condition.get::<Coerced<bool>>()?.0 {
            let text = inspect::line(&ctx, &shared, rest);
            let colon = if text.is_empty() { "" } else { ": " };
            print(&shared, &failing, &format!("Assertion failed{colon}{text}"), true);
        }
        Ok::<_, rquickjs::Error>(())
    })
}

fn label(given: Opt<Coerced<String>>) -> String {
    given.0.map_or_else(|| "default".to_owned(), |text| text.0)
}

fn add_counts<'js>(console: &Object<'js>, state: &Rc<State>, kept: &Rc<Console>) -> Result<()> {
    let (shared, counting) = (Rc::clone(state), Rc::clone(kept));
    add(console, "count", move |name: Opt<Coerced<String>>| {
        let name = label(name);
        let mut counts = counting.counts.borrow_mut();
        if counts.len() >= MAX_LABELS {
            counts.clear();
        }
        let count = counts.entry(name.clone()).or_default();
        *count = count.saturating_add(1);
        print(&shared, &counting, &format!("{name}: {count}"), false);
    })?;
    let (shared, starting) = (Rc::clone(state), Rc::clone(kept));
    add(console, "time", move |name: Opt<Coerced<String>>| {
        let mut times = starting.times.borrow_mut();
        if times.len() >= MAX_LABELS {
            times.clear();
        }
        times.insert(label(name), shared.host.borrow_mut().now());
    })?;
    for name in ["timeEnd", "timeLog"] {
        let (shared, ending) = (Rc::clone(state), Rc::clone(kept));
        add(console, name, move |name: Opt<Coerced<String>>| {
            let name = label(name);
            let now = shared.host.borrow_mut().now();
            let Some(start) = ending.times.borrow().get(&name).copied() else { return };
            let millis = now.saturating_sub(start).as_secs_f64() * 1000.0;
            print(&shared, &ending, &format!("{name}: {millis:.3}ms"), false);
        })?;
    }
    Ok(())
}

/// `console.table`: rows of objects or arrays as a table; anything else as `log` prints it.
fn add_table<'js>(console: &Object<'js>, state: &Rc<State>, kept: &Rc<Console>) -> Result<()> {
    let (state, kept) = (Rc::clone(state), Rc::clone(kept));
    add(console, "table", move |ctx: Ctx<'js>, data: Value<'js>| {
        let text = match data.as_object() {
            Some(rows) => table(&ctx, &state, rows)?,
            None => inspect::line(&ctx, &state, &[data]),
        };
        print(&state, &kept, &text, false);
        Ok::<_, rquickjs::Error>(())
    })
}

/// Rows and columns of a table at most.
const MAX_ROWS: usize = 1_000;
const MAX_COLUMNS: usize = 50;

fn table<'js>(ctx: &Ctx<'js>, state: &State, rows: &Object<'js>) -> Result<String> {
    let mut columns = vec!["(index)".to_owned()];
    let mut lines: Vec<Vec<String>> = Vec::new();
    for entry in rows.props::<String, Value<'js>>().take(MAX_ROWS) {
        let (index, row) = entry?;
        let mut cells = vec![index];
        let members = match row.as_object() {
            Some(object) => object.props::<String, Value<'js>>().collect::<Result<Vec<_>>>()?,
            None => vec![("Values".to_owned(), row)],
        };
        for (name, value) in members {
            let at = columns.iter().position(|column| *column == name).unwrap_or_else(|| {
                columns.push(name);
                columns.len() - 1
            });
            if at < MAX_COLUMNS {
                cells.resize(cells.len().max(at + 1), String::new());
                if let Some(cell) = cells.get_mut(at) {
                    *cell = inspect::deep(ctx, state, &value, 0);
                }
            }
        }
        lines.push(cells);
    }
    columns.truncate(MAX_COLUMNS);
    lines.insert(0, columns.clone());
    let width =
        |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut out = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let cells: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(at, width)| format!("{:<width$}", line.get(at).map_or("", String::as_str)))
            .collect();
        out.push(format!("| {} |", cells.join(" | ")));
        if number == 0 {
            out.push(format!("|{}|", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|")));
        }
    }
    Ok(out.join("\n"))
}
