//! `basename`, `dirname`, `realpath`, `readlink`

use bstr::ByteSlice;

use super::{Call, Flags};
use crate::fs;
use crate::stop::{Flow, failed};
use crate::syntax::ast::Text;

fn base(path: &[u8]) -> Text {
    let trimmed = path.trim_end_with(|letter| letter == '/');
    if trimmed.is_empty() {
        return if path.is_empty() { Text::new() } else { b"/".to_vec() };
    }
    trimmed.rsplit_once_str("/").map_or(trimmed, |(_, name)| name).to_vec()
}

pub(super) async fn basename(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "+as:z", &[("multiple", b'a'), ("suffix", b's')])?;
    let Some(first) = flags.operands.first() else { return failed("missing operand") };
    let mut out = call.writer();
    let many = flags.has(b'a') || flags.has(b's');
    let suffix = flags.value(b's').or(flags.operands.get(1).filter(|_| !many)).cloned().unwrap_or_default();
    let names = if many { flags.operands.clone() } else { vec![first.clone()] };
    for name in names {
        let name = base(&name);
        let short = name.strip_suffix(suffix.as_slice()).filter(|short| !short.is_empty()).unwrap_or(&name);
        out.line(short).await?;
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn dirname(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "z", &[])?;
    if flags.operands.is_empty() {
        return failed("missing operand");
    }
    let mut out = call.writer();
    for name in &flags.operands {
        let trimmed = name.trim_end_with(|letter| letter == '/');
        let parent = match trimmed.rsplit_once_str("/") {
            Some((parent, _)) => {
                let parent = parent.trim_end_with(|letter| letter == '/');
                if parent.is_empty() { b"/" } else { parent }
            }
            None if trimmed.is_empty() && !name.is_empty() => b"/",
            None => b".",
        };
        out.line(parent).await?;
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn realpath(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(
        call.arguments,
        "emsqzR:L",
        &[
            ("canonicalize-existing", b'e'),
            ("canonicalize-missing", b'm'),
            ("no-symlinks", b's'),
            ("relative-to", b'R'),
        ],
    )?;
    let mut status = 0;
    let mut out = call.writer();
    for name in &flags.operands {
        match resolve(&call, name, flags.has(b'm'), flags.has(b's'), flags.has(b'e')) {
            Ok(path) => {
                let path = match flags.value(b'R') {
                    Some(from) => relative(&call.shell.absolute(from), &path),
                    None => path,
                };
                out.line(&path).await?;
            }
            Err(message) => {
                call.say(message).await;
                status = 1;
            }
        }
    }
    out.flush().await?;
    Ok(status)
}

/// Follows links as far as names exist; the last name need not.
fn resolve(call: &Call<'_>, name: &[u8], missing: bool, textual: bool, existing: bool) -> Result<Text, String> {
    let path = call.shell.path(name);
    let textual_path = call.shell.absolute(name);
    if textual {
        return Ok(textual_path);
    }
    match std::fs::canonicalize(&path) {
        Ok(real) => Ok(real.to_string_lossy().into_owned().into_bytes()),
        Err(_) if missing => Ok(textual_path),
        Err(error) => {
            let parent = path.parent().map(fs::is_directory).unwrap_or(false);
            if parent && !existing { Ok(textual_path) } else { Err(call.shell.refusal(name, &error, false)) }
        }
    }
}

pub(super) fn relative(from: &[u8], to: &[u8]) -> Text {
    let split = |path: &[u8]| -> Vec<Text> {
        path.split(|byte| *byte == b'/').filter(|piece| !piece.is_empty()).map(<[u8]>::to_vec).collect()
    };
    let (from, to) = (split(from), split(to));
    let same = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
    let up = std::iter::repeat_n(b"..".to_vec(), from.len() - same);
    let all: Vec<Text> = up.chain(to.into_iter().skip(same)).collect();
    if all.is_empty() { b".".to_vec() } else { bstr::join("/", all) }
}

pub(super) async fn readlink(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "femnqsvz", &[("canonicalize", b'f')])?;
    let mut status = 0;
    let mut out = call.writer();
    for name in &flags.operands {
        let found = if flags.has(b'f') || flags.has(b'e') || flags.has(b'm') {
            resolve(&call, name, flags.has(b'm'), false, flags.has(b'e')).ok()
        } else {
            std::fs::read_link(call.shell.path(name)).ok().map(|path| path.to_string_lossy().into_owned().into_bytes())
        };
        match found {
            Some(path) if flags.has(b'n') => out.put(&path),
            Some(path) => out.line(&path).await?,
            None => status = 1,
        }
    }
    out.flush().await?;
    Ok(status)
}
