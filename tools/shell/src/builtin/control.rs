//! Leaving loops, functions and the shell; arguments.

use std::rc::Rc;

use bstr::ByteSlice;

use crate::shell::Shell;
use crate::stop::{Flow, Stop, failed, misused};
use crate::syntax::ast::Text;

fn number(text: &Text) -> Flow<i64> {
    let shown = text.to_str_lossy();
    shown.trim().parse().map_err(|_| Stop::Failed(format!("{shown}: numeric argument required"), 2))
}

/// `break` and `continue`
pub(super) fn leave(shell: &mut Shell, name: &[u8], arguments: &[Text]) -> Flow<i32> {
    let levels = match arguments.first() {
        Some(text) => usize::try_from(number(text)?).unwrap_or(0),
        None => 1,
    };
    if shell.loops == 0 {
        return Ok(0);
    }
    if levels == 0 {
        return failed("0: loop count out of range");
    }
    let levels = levels.min(shell.loops);
    shell.status = 0;
    Err(if name == b"break" { Stop::Break(levels) } else { Stop::Continue(levels) })
}

fn status(shell: &Shell, arguments: &[Text]) -> Flow<i32> {
    match arguments.first() {
        Some(text) => Ok(i32::try_from(number(text)?.rem_euclid(256)).unwrap_or(1)),
        None => Ok(shell.status),
    }
}

pub(super) fn ret(shell: &Shell, arguments: &[Text]) -> Flow<i32> {
    if shell.calls.is_empty() && shell.sourced == 0 {
        return misused("can only `return' from a function or sourced script");
    }
    Err(Stop::Return(status(shell, arguments)?))
}

pub(super) fn exit(shell: &Shell, arguments: &[Text]) -> Flow<i32> {
    Err(Stop::Exit(status(shell, arguments)?))
}

pub(super) fn shift(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let count = match arguments.first() {
        Some(text) => usize::try_from(number(text)?).unwrap_or(usize::MAX),
        None => 1,
    };
    if count > shell.arguments.len() {
        return Ok(1);
    }
    Rc::make_mut(&mut shell.arguments).drain(..count);
    Ok(0)
}

pub(super) fn let_(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let mut value = 0;
    for argument in arguments {
        value = shell.arithmetic(argument)?;
    }
    Ok(i32::from(value == 0))
}
