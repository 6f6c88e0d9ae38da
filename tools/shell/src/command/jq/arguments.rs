//! The options of `jq` that take names and values.

use bstr::ByteSlice;
use jaq_json::{Map, Val, read};

use super::ALL_MAX;
use crate::command::Call;
use crate::stop::{Flow, Stop, misused};

/// What the arguments give: what is left of them, and the variables of the filter.
pub(super) struct Given {
    pub(super) rest: Vec<Vec<u8>>,
    /// Each with its `$`.
    pub(super) names: Vec<String>,
    pub(super) values: Vec<Val>,
    pub(super) indent: Option<usize>,
}

fn text(bytes: &[u8]) -> Val {
    Val::utf8_str(bytes.to_vec())
}

fn json(bytes: &[u8], option: &str) -> Flow<Val> {
    let value = read::parse_single(bytes);
    value.map_err(|error| Stop::Failed(format!("invalid JSON text passed to {option}: {error}"), 2))
}

async fn contents(call: &Call<'_>, name: &[u8]) -> Flow<Vec<u8>> {
    match call.open(name).await {
        Some(mut reader) => reader.all(ALL_MAX).await,
        None => Err(Stop::Failed(format!("error: could not open {}", name.to_str_lossy()), 2)),
    }
}

/// Takes `--arg` and its kin off the arguments.
pub(super) async fn given(call: &Call<'_>) -> Flow<Given> {
    let mut all = Given { rest: Vec::new(), names: Vec::new(), values: Vec::new(), indent: None };
    let mut positional: Vec<Val> = Vec::new();
    // After `--args` and `--jsonargs` operands are values; the first one is the filter all the same.
    let (mut kind, mut filter) = (b"".as_slice(), false);
    let mut arguments = call.arguments.iter();
    while let Some(argument) = arguments.next() {
        let option = argument.to_str_lossy();
        let mut two = || match (arguments.next(), arguments.next()) {
            (Some(name), Some(value)) => Ok((name.to_str_lossy().into_owned(), value.clone())),
            _ => misused(format!("{option} takes two parameters")),
        };
        let (name, value) = match argument.as_slice() {
            b"--arg" => two().map(|(name, value)| (name, text(&value)))?,
            b"--argjson" => {
                let (name, value) = two()?;
                (name, json(&value, "--argjson")?)
            }
            b"--rawfile" => {
                let (name, file) = two()?;
                (name, text(&contents(call, &file).await?))
            }
            b"--slurpfile" => {
                let (name, file) = two()?;
                let bytes = contents(call, &file).await?;
                let values: Result<Val, _> = read::parse_many(&bytes).collect();
                (name, values.map_err(|error| Stop::Failed(format!("{}: {error}", file.to_str_lossy()), 2))?)
            }
            b"--indent" => {
                let count =
                    arguments.next().and_then(|text| text.to_str().ok()?.parse().ok()).filter(|count| *count < 8);
                all.indent =
                    Some(count.ok_or_else(|| Stop::Failed("--indent takes a number from 0 to 7".to_owned(), 2))?);
                continue;
            }
            b"--args" | b"--jsonargs" => {
                kind = argument;
                continue;
            }
            b"--stream" | b"--seq" | b"-L" => {
                return misused(format!("{option} is not available in the sandbox"));
            }
            word if filter && !kind.is_empty() && !(word.starts_with(b"-") && word.len() > 1) => {
                positional.push(if kind == b"--args" { text(word) } else { json(word, "--jsonargs")? });
                continue;
            }
            word => {
                filter |= !word.starts_with(b"-");
                all.rest.push(word.to_vec());
                continue;
            }
        };
        all.names.push(format!("${name}"));
        all.values.push(value);
    }
    let named = all.names.iter().zip(&all.values);
    let named: Map =
        named.map(|(name, value)| (text(name.trim_start_matches('$').as_bytes()), value.clone())).collect();
    let environment: Map = call.shell.environment().iter().map(|(name, value)| (text(name), text(value))).collect();
    let arguments: Map = [(text(b"positional"), positional.into_iter().collect()), (text(b"named"), Val::obj(named))]
        .into_iter()
        .collect();
    for (name, value) in [("$ENV", Val::obj(environment)), ("$ARGS", Val::obj(arguments))] {
        all.names.push(name.to_owned());
        all.values.push(value);
    }
    Ok(all)
}
