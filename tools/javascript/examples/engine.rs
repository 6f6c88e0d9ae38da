//! The engine without a sandbox, for the benchmark: runs the script that it is given, natively.

use std::process::ExitCode;

use rquickjs::{Context, Runtime, Value};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else { return ExitCode::from(2) };
    let run = |source: Vec<u8>| -> rquickjs::Result<()> {
        let context = Context::full(&Runtime::new()?)?;
        context.with(|ctx| ctx.eval::<Value<'_>, _>(source).map(drop))
    };
    match std::fs::read(path).ok().map(run) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(_)) | None => ExitCode::FAILURE,
    }
}
