//! `jq`, by jaq.

mod arguments;
mod prelude;

use arguments::{Given, given};
use bstr::ByteSlice;
use jaq_core::data::{DataT, HasLut};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Lut, Vars, unwrap_valr};
use jaq_json::{Val, read, write};
use jaq_std::input::{HasInputs, Inputs, RcIter};
use prelude::PRELUDE;

use super::{Call, Flags, or_stdin};
use crate::stop::{Flow, Stop, misused};
use crate::task;

/// What is read at once.
const ALL_MAX: usize = 64 << 20;
/// How many values one input may give.
const VALUES_MAX: u64 = 10_000_000;
/// What filters work with: values, and the inputs that are left.
struct Work;

impl DataT for Work {
    type V<'a> = Val;
    type Data<'a> = Data<'a>;
}

#[derive(Clone)]
struct Data<'a> {
    lut: &'a Lut<Work>,
    inputs: Inputs<'a, Val>,
}

impl<'a> HasLut<'a, Work> for Data<'a> {
    fn lut(&self) -> &'a Lut<Work> {
        self.lut
    }
}

impl<'a> HasInputs<'a, Val> for Data<'a> {
    fn inputs(&self) -> Inputs<'a, Val> {
        self.inputs
    }
}

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
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
        ("ascii-output", b'a'),
        ("monochrome-output", b'M'),
        ("color-output", b'C'),
        ("from-file", b'f'),
        ("tab", 1),
        ("unbuffered", 2),
    ];
    let Given { rest, names, values, indent } = given(&call).await?;
    let mut flags = Flags::parse(&rest, "rRcnseSjMaCf", &long)?;
    if flags.operands.is_empty() {
        return misused("usage: jq [OPTIONS] FILTER [FILES]");
    }
    let mut code = flags.operands.remove(0);
    if flags.has(b'f') {
        let Some(mut reader) = call.open(&code).await else { return Ok(2) };
        code = reader.all(1 << 20).await?;
    }
    let code = code.to_str_lossy().into_owned();
    let whole = format!("{PRELUDE}{code}\n");
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let funs = funs.chain(jaq_std::input::funs().into_vec().into_iter().map(jaq_core::native::run));
    let arena = Arena::default();
    let wrong = || Stop::Failed(format!("error: the filter `{}` is not valid", code.trim()), 3);
    let modules = Loader::new(defs).load(&arena, File { code: whole.as_str(), path: () }).map_err(|_| wrong())?;
    let globals = names.iter().map(String::as_str);
    let filter = Compiler::<_, Work>::default()
        .with_funs(funs)
        .with_global_vars(globals)
        .compile(modules)
        .map_err(|_| wrong())?;
    let (inputs, mut status) = inputs(&call, &flags).await?;
    let space = match indent {
        Some(0) => None,
        Some(count) => Some(" ".repeat(count)),
        None if flags.has(b'c') => None,
        None => Some(if flags.has(1) { "\t" } else { "  " }.to_owned()),
    };
    let printer =
        write::Pp { sep_space: space.is_some(), indent: space, sort_keys: flags.has(b'S'), ..write::Pp::default() };
    let mut out = call.writer();
    let mut last = None;
    let source = RcIter::new(inputs.into_iter().map(Ok));
    let source: Inputs<'_, Val> = &source;
    let mut null = flags.has(b'n').then_some(Val::Null);
    loop {
        let input = if flags.has(b'n') { null.take() } else { (&mut { source }).next().and_then(Result::ok) };
        let Some(input) = input else { break };
        let data = Data { lut: &filter.lut, inputs: source };
        let context = Ctx::<Work>::new(data, Vars::new(values.iter().cloned()));
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
            last = Some(!matches!(value, Val::Null | Val::Bool(false)));
            match &value {
                Val::TStr(text) if flags.has(b'r') || flags.has(b'j') => out.put(text),
                other => {
                    let mut text = Vec::new();
                    let written = write::write(&mut text, &printer, 0, other);
                    written.map_err(|error| Stop::Io(error.to_string()))?;
                    out.put(&if flags.has(b'a') { ascii(&text) } else { text });
                }
            }
            if !flags.has(b'j') {
                out.put(b"\n");
            }
            out.step().await?;
        }
    }
    out.flush().await?;
    Ok(match last {
        Some(false) if status == 0 && flags.has(b'e') => 1,
        None if status == 0 && flags.has(b'e') => 4,
        _ => status,
    })
}

/// JSON with what is not ASCII as `\uXXXX`.
fn ascii(text: &[u8]) -> Vec<u8> {
    let mut out = String::with_capacity(text.len());
    for letter in text.to_str_lossy().chars() {
        if letter.is_ascii() {
            out.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out.into_bytes()
}

/// The values to filter, and 2 if not all could be read.
async fn inputs(call: &Call<'_>, flags: &Flags) -> Flow<(Vec<Val>, i32)> {
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
    if nests_too_deep(&text) {
        call.say("error (at <stdin>): Exceeds depth limit for parsing").await;
        return Ok((values, 2));
    }
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

/// Whether JSON nests deeper than what its parser, which calls itself for each level, is given.
fn nests_too_deep(text: &[u8]) -> bool {
    const DEPTH_MAX: usize = 1000;
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}
