//! `eval`, `source`, `command`, `exec`, `trap` and others that run commands.

use std::rc::Rc;

use bstr::ByteSlice;

use crate::shell::Shell;
use crate::stop::{Flow, Stop, failed, misused};
use crate::syntax::ast::Text;

pub(super) async fn eval(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let text = bstr::join(" ", arguments);
    shell.status = 0;
    deeper(shell, &text).await?;
    Ok(shell.status)
}

/// Runs text in this shell, one level deeper.
async fn deeper(shell: &mut Shell, text: &[u8]) -> Flow<()> {
    let depth = shell.deeper()?;
    let line = shell.line;
    let outcome = match crate::syntax::parse(text, line) {
        Ok(script) => shell.run(&script).await,
        Err(problem) => {
            shell.complain(&problem.message).await;
            shell.status = 2;
            Ok(())
        }
    };
    shell.depth = depth;
    shell.line = line;
    outcome
}

pub(super) async fn source(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let [name, rest @ ..] = arguments else { return misused("filename argument required") };
    let stream = match shell.open_to_read(name) {
        Ok(stream) => stream,
        Err(error) => return failed(shell.refusal(name, &error, false)),
    };
    let mut text = Text::new();
    loop {
        let piece = stream.read().await?;
        if piece.is_empty() {
            break;
        }
        text.extend_from_slice(&piece);
        if text.len() > 16 << 20 {
            return failed(format!("{}: File too large", name.to_str_lossy()));
        }
    }
    drop(stream);
    let before =
        if rest.is_empty() { None } else { Some(std::mem::replace(&mut shell.arguments, Rc::new(rest.to_vec()))) };
    shell.sourced += 1;
    shell.status = 0;
    let outcome = deeper(shell, &text).await;
    shell.sourced -= 1;
    if let Some(before) = before {
        shell.arguments = before;
    }
    match outcome {
        Err(Stop::Return(status)) => Ok(status),
        Err(other) => Err(other),
        Ok(()) => Ok(shell.status),
    }
}

/// Runs a builtin or a command, but no function.
pub(super) async fn command(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let mut rest = arguments;
    while let Some((first, more)) = rest.split_first() {
        match first.as_slice() {
            b"-v" => return super::which::describe(shell, more, false).await,
            b"-V" => return super::which::describe(shell, more, true).await,
            b"-p" | b"--" => rest = more,
            _ => break,
        }
    }
    if rest.is_empty() {
        return Ok(0);
    }
    run_without_functions(shell, rest.to_vec()).await
}

async fn run_without_functions(shell: &mut Shell, arguments: Vec<Text>) -> Flow<i32> {
    let hidden = arguments.first().and_then(|name| {
        let function = shell.functions.get(name).cloned()?;
        Rc::make_mut(&mut shell.functions).remove(name);
        Some((name.clone(), function))
    });
    let outcome = shell.dispatch(arguments, &[]).await;
    if let Some((name, function)) = hidden {
        Rc::make_mut(&mut shell.functions).insert(name, function);
    }
    outcome?;
    Ok(shell.status)
}

pub(super) async fn builtin(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    match arguments.first() {
        None => Ok(0),
        Some(name) if super::is_builtin(name) => run_without_functions(shell, arguments.to_vec()).await,
        Some(name) => failed(format!("{}: not a shell builtin", name.to_str_lossy())),
    }
}

/// There is no process to replace: the command runs, and then the shell ends.
pub(super) async fn exec(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    if arguments.is_empty() {
        return Ok(0);
    }
    shell.dispatch(arguments.to_vec(), &[]).await?;
    Err(Stop::Exit(shell.status))
}

/// The names of signals that scripts trap; of these only `EXIT`, `ERR` and `RETURN` ever happen here.
fn signal(name: &[u8]) -> Option<Text> {
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix(b"SIG").unwrap_or(&upper);
    let known = match short {
        b"0" | b"EXIT" => &b"EXIT"[..],
        b"1" | b"HUP" => b"SIGHUP",
        b"2" | b"INT" => b"SIGINT",
        b"3" | b"QUIT" => b"SIGQUIT",
        b"13" | b"PIPE" => b"SIGPIPE",
        b"15" | b"TERM" => b"SIGTERM",
        b"USR1" => b"SIGUSR1",
        b"USR2" => b"SIGUSR2",
        b"ERR" => b"ERR",
        b"DEBUG" => b"DEBUG",
        b"RETURN" => b"RETURN",
        _ => return None,
    };
    Some(known.to_vec())
}

pub(super) async fn trap(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let arguments = match arguments.split_first() {
        Some((first, rest)) if first == b"--" => rest,
        _ => arguments,
    };
    let (action, names) = match arguments {
        [] => return list(shell, &[]).await,
        [flag, names @ ..] if flag == b"-p" => return list(shell, names).await,
        [name] => (None, std::slice::from_ref(name)),
        [action, names @ ..] => (Some(action).filter(|action| action.as_slice() != b"-"), names),
    };
    for name in names {
        let Some(signal) = signal(name) else {
            return failed(format!("{}: invalid signal specification", name.to_str_lossy()));
        };
        if signal == b"DEBUG" {
            return failed("DEBUG traps are not available in the sandbox");
        }
        let traps = Rc::make_mut(&mut shell.traps);
        match action {
            Some(action) => traps.insert(signal, action.clone()),
            None => traps.remove(&signal),
        };
    }
    Ok(0)
}

/// Writes the traps of these names, or of all.
async fn list(shell: &Shell, names: &[Text]) -> Flow<i32> {
    let wanted: Vec<Text> = names.iter().filter_map(|name| signal(name)).collect();
    for (name, action) in shell.traps.iter() {
        if !names.is_empty() && !wanted.contains(name) {
            continue;
        }
        let line = format!("trap -- {} {}\n", crate::text::single_quoted(action).to_str_lossy(), name.to_str_lossy());
        shell.stdout().write(line.as_bytes()).await?;
    }
    Ok(0)
}

/// What ran in the background has ended already.
pub(super) fn wait(shell: &Shell, arguments: &[Text]) -> Flow<i32> {
    match (arguments.first(), shell.background) {
        (Some(id), Some((known, status))) if *id == known.to_string().into_bytes() => Ok(status),
        _ => Ok(0),
    }
}

pub(super) async fn caller(shell: &Shell) -> Flow<i32> {
    if shell.calls.is_empty() {
        return Ok(1);
    }
    let line = format!("{} {}\n", shell.line, shell.name.to_str_lossy());
    shell.stdout().write(line.as_bytes()).await?;
    Ok(0)
}
