//! `jq`, by jaq.

use bstr::ByteSlice;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::{Val, read, write};

use super::{Call, Flags, or_stdin};
use crate::stop::{Flow, Stop, misused};
use crate::task;

/// What is read at once.
const ALL_MAX: usize = 64 << 20;
/// How many values one input may give.
const VALUES_MAX: u64 = 10_000_000;

pub(super) async fn jq(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("raw-output", b'r'),
        ("raw-input", b'R'),
        ("compact-output", b'c'),
        ("null-input", b'n'),
        ("slurp", b's'),
        ("exit-status", b'e'),
        ("sort-keys", b'S'),
        ("join-output", b'j'),
        ("tab", 1),
        ("monochrome-output", b'M'),
    ];
    let (arguments, names, values) = variables(call.arguments)?;
    let mut flags = Flags::parse(&arguments, "rRcnseSjMa", &long)?;
    if flags.operands.is_empty() {
        return misused("usage: jq [OPTIONS] FILTER [FILES]");
    }
    let code = flags.operands.remove(0).to_str_lossy().into_owned();
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let wrong = || Stop::Failed(format!("error: the filter `{code}` is not valid"), 3);
    let modules = Loader::new(defs).load(&arena, File { code: code.as_str(), path: () }).map_err(|_| wrong())?;
    let globals = names.iter().map(String::as_str);
    let filter = Compiler::default().with_funs(funs).with_global_vars(globals).compile(modules).map_err(|_| wrong())?;
    let (inputs, mut status) = inputs(&call, &flags).await?;
    let printer = write::Pp {
        indent: if flags.has(b'c') { None } else { Some(if flags.has(1) { "\t" } else { "  " }.to_owned()) },
        sort_keys: flags.has(b'S'),
        sep_space: !flags.has(b'c'),
        ..write::Pp::default()
    };
    let mut out = call.writer();
    let mut last = true;
    for input in inputs {
        let context = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new(values.iter().cloned()));
        let mut count = 0;
        for value in filter.id.run((context, input)).map(unwrap_valr) {
            task::breathe().await;
            count += 1;
            if count > VALUES_MAX {
                return Err(Stop::Failed(format!("error: more than {VALUES_MAX} values"), 5));
            }
            let value = match value {
                Ok(value) => value,
                Err(error) => {
                    out.flush().await?;
                    call.say(format!("error (at <stdin>): {error}")).await;
                    status = 5;
                    break;
                }
            };
            last = !matches!(value, Val::Null | Val::Bool(false));
            match &value {
                Val::TStr(text) if flags.has(b'r') || flags.has(b'j') => out.put(text),
                other => {
                    let written = write::write(out.buffer(), &printer, 0, other);
                    written.map_err(|error| Stop::Io(error.to_string()))?;
                }
            }
            if !flags.has(b'j') {
                out.put(b"\n");
            }
            out.step().await?;
        }
    }
    out.flush().await?;
    Ok(if status == 0 && flags.has(b'e') && !last { 1 } else { status })
}

type Given = (Vec<Vec<u8>>, Vec<String>, Vec<Val>);

/// Takes `--arg` and `--argjson` off the arguments.
fn variables(all: &[Vec<u8>]) -> Flow<Given> {
    let (mut rest, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let mut arguments = all.iter();
    while let Some(argument) = arguments.next() {
        if argument != b"--arg" && argument != b"--argjson" {
            rest.push(argument.clone());
            continue;
        }
        let (Some(name), Some(text)) = (arguments.next(), arguments.next()) else {
            return misused(format!("{} takes two parameters", argument.to_str_lossy()));
        };
        let value = if argument == b"--arg" {
            Val::utf8_str(text.clone())
        } else {
            read::parse_single(text)
                .map_err(|error| Stop::Failed(format!("invalid JSON text passed to --argjson: {error}"), 2))?
        };
        names.push(format!("${}", name.to_str_lossy()));
        values.push(value);
    }
    Ok((rest, names, values))
}

/// The values to filter, and 2 if not all could be read.
async fn inputs(call: &Call<'_>, flags: &Flags) -> Flow<(Vec<Val>, i32)> {
    if flags.has(b'n') {
        return Ok((vec![Val::Null], 0));
    }
    let mut text = Vec::new();
    let mut status = 0;
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else {
            status = 2;
            continue;
        };
        text.extend(reader.all(ALL_MAX).await?);
    }
    if flags.has(b'R') {
        if flags.has(b's') {
            return Ok((vec![Val::utf8_str(text)], status));
        }
        return Ok((text.lines().map(|line| Val::utf8_str(line.to_vec())).collect(), status));
    }
    let mut values = Vec::new();
    for value in read::parse_many(&text) {
        match value {
            Ok(value) => values.push(value),
            Err(error) => {
                call.say(format!("error (at <stdin>): {error}")).await;
                status = 2;
                break;
            }
        }
    }
    if flags.has(b's') {
        return Ok((vec![values.into_iter().collect::<Val>()], status));
    }
    Ok((values, status))
}
