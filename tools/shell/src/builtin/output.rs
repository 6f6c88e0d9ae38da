//! `echo`

use crate::escape::{self, Style};
use crate::shell::Shell;
use crate::stop::Flow;
use crate::syntax::ast::Text;

pub(super) async fn echo(shell: &Shell, arguments: &[Text]) -> Flow<i32> {
    let (mut newline, mut escapes, mut first) = (true, false, 0);
    for argument in arguments {
        let Some(flags) = argument.strip_prefix(b"-").filter(|flags| !flags.is_empty()) else { break };
        if !flags.iter().all(|flag| b"neE".contains(flag)) {
            break;
        }
        for flag in flags {
            match flag {
                b'n' => newline = false,
                b'e' => escapes = true,
                _ => escapes = false,
            }
        }
        first += 1;
    }
    let mut line = bstr::join(" ", arguments.get(first..).unwrap_or_default());
    if escapes {
        let (text, stopped) = escape::expand(&line, Style::Echo);
        line = text;
        newline &= !stopped;
    }
    if newline {
        line.push(b'\n');
    }
    shell.stdout().write(&line).await?;
    Ok(0)
}

/// `umask`: there are no permission bits, so that it only answers.
pub(super) async fn umask(shell: &Shell, arguments: &[Text]) -> Flow<i32> {
    let symbolic = arguments.iter().any(|argument| argument == b"-S");
    if symbolic || arguments.is_empty() {
        shell.stdout().write(if symbolic { b"u=rwx,g=rx,o=rx\n" } else { b"0022\n" }).await?;
    }
    Ok(0)
}
