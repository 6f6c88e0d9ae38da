//! `awk`, as POSIX describes it: patterns, fields, arrays, functions, `printf`, `getline`.

mod lex;
mod parse;
mod run;
mod tree;
mod value;

use bstr::ByteSlice;

use super::{Call, Flags, Reader};
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;

pub(super) async fn awk(call: Call<'_>) -> Flow<i32> {
    let mut flags =
        Flags::parse(call.arguments, "+F:v:f:", &[("field-separator", b'F'), ("assign", b'v'), ("file", b'f')])?;
    let mut source = Text::new();
    for name in flags.values(b'f') {
        let Some(mut reader) = call.open(name).await else { return Ok(2) };
        source.extend(reader.all(4 << 20).await?);
        source.push(b'\n');
    }
    if !flags.has(b'f') {
        if flags.operands.is_empty() {
            return crate::stop::misused("usage: awk [-F fs][-v var=value][prog | -f progfile][file ...]");
        }
        source = flags.operands.remove(0);
    }
    let program = parse::parse(&source).map_err(|error| Stop::Failed(error, 2))?;
    let mut machine = run::Machine::new(&program, call.shell);
    if let Some(separator) = flags.value(b'F') {
        let separator = if separator == b"t" {
            b"\t".to_vec()
        } else {
            crate::escape::expand(separator, crate::escape::Style::Printf).0
        };
        machine.preset(b"FS", &separator);
    }
    for text in flags.values(b'v') {
        let Some((name, value)) = text.split_once_str("=") else {
            return Err(Stop::Failed(format!("improper assignment: -v {}", text.to_str_lossy()), 2));
        };
        machine.preset(name, &crate::escape::expand(value, crate::escape::Style::Printf).0);
    }
    machine.main(&flags.operands).await
}

/// Opens a file that the program reads.
fn open(shell: &crate::shell::Shell, name: &[u8]) -> Result<Reader, String> {
    if name == b"-" {
        return Ok(Reader::new(shell.stdin()));
    }
    shell.open_to_read(name).map(Reader::new).map_err(|error| shell.refusal(name, &error, false))
}
