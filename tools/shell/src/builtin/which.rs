//! What a name means: `type`, `command -v`, `which`.

use bstr::ByteSlice;

use crate::command;
use crate::shell::Shell;
use crate::stop::Flow;
use crate::syntax::ast::Text;

const KEYWORDS: [&[u8]; 18] = [
    b"if",
    b"then",
    b"else",
    b"elif",
    b"fi",
    b"for",
    b"while",
    b"until",
    b"do",
    b"done",
    b"case",
    b"esac",
    b"function",
    b"in",
    b"[[",
    b"]]",
    b"{",
    b"}",
];

/// What kind of thing a name is, in the words of `type -t`.
fn kind(shell: &Shell, name: &[u8]) -> Option<&'static str> {
    if KEYWORDS.contains(&name) {
        Some("keyword")
    } else if shell.functions.contains_key(name) {
        Some("function")
    } else if super::is_builtin(name) {
        Some("builtin")
    } else if command::is_known(name)
        || name.contains(&b'/') && std::fs::metadata(shell.path(name)).is_ok_and(|facts| facts.is_file())
    {
        Some("file")
    } else {
        None
    }
}

fn place(name: &[u8]) -> String {
    if name.contains(&b'/') { name.to_str_lossy().into_owned() } else { format!("/usr/bin/{}", name.to_str_lossy()) }
}

/// `command -v` and `command -V`
pub(super) async fn describe(shell: &Shell, names: &[Text], verbose: bool) -> Flow<i32> {
    let mut found = false;
    for name in names {
        let Some(kind) = kind(shell, name) else {
            if verbose {
                shell.complain(format!("command: {}: not found", name.to_str_lossy())).await;
            }
            continue;
        };
        found = true;
        let line = match (verbose, kind) {
            (true, _) => sentence(name, kind),
            (false, "file") => place(name),
            (false, _) => name.to_str_lossy().into_owned(),
        };
        shell.stdout().write(format!("{line}\n").as_bytes()).await?;
    }
    Ok(i32::from(!found))
}

fn sentence(name: &[u8], kind: &str) -> String {
    let shown = name.to_str_lossy();
    match kind {
        "keyword" => format!("{shown} is a shell keyword"),
        "function" => format!("{shown} is a function"),
        "builtin" => format!("{shown} is a shell builtin"),
        _ => format!("{shown} is {}", place(name)),
    }
}

pub(super) async fn type_(shell: &Shell, arguments: &[Text]) -> Flow<i32> {
    let (mut short, mut path, mut status) = (false, false, 0);
    for name in arguments {
        match name.as_slice() {
            b"-t" => short = true,
            b"-p" | b"-P" => path = true,
            b"-a" | b"-f" | b"--" => {}
            _ => match kind(shell, name) {
                None => {
                    status = 1;
                    if !short && !path {
                        shell.complain(format!("type: {}: not found", name.to_str_lossy())).await;
                    }
                }
                Some(kind) => {
                    let line = match (short, path) {
                        (true, _) => kind.to_owned(),
                        (_, true) if kind == "file" => place(name),
                        (_, true) => continue,
                        _ => sentence(name, kind),
                    };
                    shell.stdout().write(format!("{line}\n").as_bytes()).await?;
                }
            },
        }
    }
    Ok(status)
}
