//! The builtins: what changes the shell itself.
//!
//! One line for each in [`start`], one file for each kind.

mod control;
mod declare;
mod directory;
mod getopts;
mod output;
mod printf;
mod read;
mod set;
mod special;
mod test;
mod which;

pub(crate) use declare::assignment;

use crate::shell::Shell;
use crate::stop::Flow;
use crate::syntax::ast::{Assign, Text};
use crate::task::Task;

/// The names of all builtins.
pub(crate) const NAMES: [&str; 48] = [
    ".",
    ":",
    "[",
    "alias",
    "bg",
    "break",
    "builtin",
    "caller",
    "cd",
    "command",
    "continue",
    "declare",
    "dirs",
    "disown",
    "echo",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fg",
    "getopts",
    "hash",
    "jobs",
    "kill",
    "let",
    "local",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "test",
    "trap",
    "true",
    "type",
    "typeset",
    "umask",
    "unset",
    "wait",
];

pub(crate) fn is_builtin(name: &[u8]) -> bool {
    NAMES.iter().any(|known| known.as_bytes() == name) || matches!(name, b"unalias" | b"ulimit" | b"times")
}

/// Begins a builtin; none if there is none of that name.
pub(crate) fn start<'a>(
    shell: &'a mut Shell,
    arguments: &'a [Text],
    declared: &'a [&'a Assign],
) -> Option<Task<'a, Flow<i32>>> {
    let (name, rest) = arguments.split_first()?;
    Some(match name.as_slice() {
        b":" | b"true" => Box::pin(async { Ok(0) }),
        b"false" => Box::pin(async { Ok(1) }),
        b"echo" => Box::pin(output::echo(shell, rest)),
        b"printf" => Box::pin(printf::printf(shell, rest)),
        b"test" => Box::pin(async move { test::test(shell, rest) }),
        b"[" => Box::pin(async move { test::bracket(shell, rest) }),
        b"cd" => Box::pin(directory::cd(shell, rest)),
        b"pwd" => Box::pin(directory::pwd(shell)),
        b"pushd" => Box::pin(directory::pushd(shell, rest)),
        b"popd" => Box::pin(directory::popd(shell, rest)),
        b"dirs" => Box::pin(directory::dirs(shell)),
        b"read" => Box::pin(read::read(shell, rest)),
        b"mapfile" | b"readarray" => Box::pin(read::mapfile(shell, rest)),
        b"getopts" => Box::pin(getopts::getopts(shell, rest)),
        b"declare" | b"typeset" | b"local" | b"export" | b"readonly" => {
            Box::pin(declare::declare(shell, name, rest, declared))
        }
        b"unset" => Box::pin(async move { declare::unset(shell, rest) }),
        b"set" => Box::pin(set::set(shell, rest)),
        b"shopt" => Box::pin(set::shopt(shell, rest)),
        b"break" | b"continue" => Box::pin(async move { control::leave(shell, name, rest) }),
        b"return" => Box::pin(async move { control::ret(shell, rest) }),
        b"exit" => Box::pin(async move { control::exit(shell, rest) }),
        b"shift" => Box::pin(async move { control::shift(shell, rest) }),
        b"let" => Box::pin(async move { control::let_(shell, rest) }),
        b"eval" => Box::pin(special::eval(shell, rest)),
        b"source" | b"." => Box::pin(special::source(shell, rest)),
        b"command" => Box::pin(special::command(shell, rest)),
        b"builtin" => Box::pin(special::builtin(shell, rest)),
        b"exec" => Box::pin(special::exec(shell, rest)),
        b"trap" => Box::pin(special::trap(shell, rest)),
        b"wait" => Box::pin(async move { special::wait(shell, rest) }),
        b"type" => Box::pin(which::type_(shell, rest)),
        b"umask" => Box::pin(output::umask(shell, rest)),
        b"hash" | b"alias" | b"unalias" | b"times" => Box::pin(async { Ok(0) }),
        b"caller" => Box::pin(special::caller(shell)),
        b"jobs" | b"disown" => Box::pin(async { Ok(0) }),
        b"fg" | b"bg" | b"kill" | b"ulimit" => Box::pin(async {
            Err(crate::stop::Stop::Failed("not available in the sandbox: there are no processes".to_owned(), 1))
        }),
        _ => return None,
    })
}
