//! `sed`

mod parse;
mod run;

use bstr::ByteSlice;

use super::{Call, Flags, Reader, Writer};
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;
use parse::Program;
use run::Machine;

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) async fn sed(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("quiet", b'n'),
        ("silent", b'n'),
        ("expression", b'e'),
        ("file", b'f'),
        ("in-place", b'i'),
        ("regexp-extended", b'E'),
        ("separate", b's'),
        ("null-data", b'z'),
    ];
    let mut flags = Flags::parse(call.arguments, "ne:f:i?Ersuz", &long)?;
    let mut script = Text::new();
    for text in flags.values(b'e') {
        script.extend_from_slice(text);
        script.push(b'\n');
    }
    for name in flags.values(b'f') {
        let Some(mut reader) = call.open(name).await else { return Ok(1) };
        script.extend(reader.all(1 << 20).await?);
        script.push(b'\n');
    }
    if !flags.has(b'e') && !flags.has(b'f') {
        if flags.operands.is_empty() {
            return crate::stop::failed("usage: sed [OPTION]... {script} [input-file]...");
        }
        script = flags.operands.remove(0);
    }
    let extended = flags.has(b'E') || flags.has(b'r');
    let program =
        Program::parse(&script, extended).map_err(|error| Stop::Failed(format!("-e expression #1: {error}"), 1))?;
    let quiet = flags.has(b'n') || script.starts_with(b"#n\n");
    let in_place = flags.has(b'i');
    let backup = flags.value(b'i').cloned().unwrap_or_default();
    let delimiter = if flags.has(b'z') { 0 } else { b'\n' };
    let files = super::or_stdin(&flags.operands);
    let mut status = 0;
    if !in_place {
        let mut readers = Vec::new();
        for name in files {
            match open(&call, &name).await {
                Some(reader) => readers.push(reader),
                None => status = 2,
            }
        }
        let mut machine = Machine::new(&program, quiet, delimiter, call.writer(), call.shell);
        let code = if flags.has(b's') {
            let mut code = None;
            for reader in readers {
                machine.restart();
                code = machine.run(vec![reader]).await?;
                if code.is_some() {
                    break;
                }
            }
            code
        } else {
            machine.run(readers).await?
        };
        machine.finish().await?;
        return Ok(code.unwrap_or(status));
    }
    for name in files {
        let Some(reader) = open(&call, &name).await else {
            status = 4;
            continue;
        };
        let kept = crate::stream::Kept::all();
        let writer = Writer::new(crate::stream::Stream::kept(&kept));
        let mut machine = Machine::new(&program, quiet, delimiter, writer, call.shell);
        let code = machine.run(vec![reader]).await?;
        machine.finish().await?;
        drop(machine);
        let path = call.shell.path(&name);
        if !backup.is_empty() {
            let other =
                if backup.contains(&b'*') { backup.replace("*", &name) } else { [name.as_slice(), &backup].concat() };
            if let Err(error) = std::fs::copy(&path, call.shell.path(&other)) {
                return Err(Stop::Failed(format!("cannot rename: {}", call.shell.refusal(&other, &error, true)), 4));
            }
        }
        if let Err(error) = std::fs::write(&path, kept.take().0) {
            return Err(Stop::Failed(format!("couldn't edit {}", call.shell.refusal(&name, &error, true)), 4));
        }
        if code.is_some() {
            return Ok(code.unwrap_or(0));
        }
    }
    Ok(status)
}

async fn open(call: &Call<'_>, name: &[u8]) -> Option<Reader> {
    if name == b"-" {
        return Some(Reader::new(call.shell.stdin()));
    }
    match call.shell.open_to_read(name) {
        Ok(stream) => Some(Reader::new(stream)),
        Err(error) if error.kind() == std::io::ErrorKind::IsADirectory => {
            call.say(format!("couldn't edit {}: not a regular file", name.to_str_lossy())).await;
            None
        }
        Err(error) => {
            call.say(format!("can't read {}", call.shell.refusal(name, &error, false))).await;
            None
        }
    }
}
