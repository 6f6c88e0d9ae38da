//! `set` and `shopt`

use std::rc::Rc;

use bstr::ByteSlice;

use crate::shell::Shell;
use crate::stop::{Flow, misused};
use crate::syntax::ast::Text;
use crate::variable::Value;

use crate::shell::{ALL, INERT};

pub(super) async fn set(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    if arguments.is_empty() {
        return list(shell).await;
    }
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (on, letters) = match argument.as_slice() {
            b"--" => {
                shell.arguments = Rc::new(rest.cloned().collect());
                return Ok(0);
            }
            b"-" => continue,
            [b'-', letters @ ..] => (true, letters),
            [b'+', letters @ ..] if !letters.is_empty() => (false, letters),
            _ => {
                let mut all = vec![argument.clone()];
                all.extend(rest.cloned());
                shell.arguments = Rc::new(all);
                return Ok(0);
            }
        };
        for letter in letters {
            if *letter == b'o' {
                let Some(name) = rest.next() else { return options(shell).await };
                put(shell, name, on, false)?;
            } else if let Some(entry) = ALL.iter().find(|entry| entry.letter == Some(*letter)) {
                shell.options.put(entry.name, on);
            } else if !b"hBHmbvkptTP".contains(letter) {
                return misused(format!("-{}: invalid option", char::from(*letter)));
            }
        }
    }
    Ok(0)
}

fn put(shell: &mut Shell, name: &[u8], on: bool, shopt: bool) -> Flow<()> {
    let known = name.to_str_lossy();
    if let Some(entry) = ALL.iter().find(|entry| entry.name == known && entry.shopt == shopt) {
        shell.options.put(entry.name, on);
        return Ok(());
    }
    if INERT.contains(&known.as_ref()) {
        return Ok(());
    }
    Err(crate::stop::Stop::Failed(format!("{known}: invalid {}option name", if shopt { "shell " } else { "" }), 1))
}

async fn options(shell: &Shell) -> Flow<i32> {
    let mut out = String::new();
    let ours = ALL.iter().filter(|entry| !entry.shopt).map(|entry| (entry.name, shell.options.has(entry.name)));
    let mut all: Vec<(&str, bool)> = ours.chain([("braceexpand", true), ("hashall", true)]).collect();
    all.sort_unstable();
    for (name, on) in all {
        out.push_str(&format!("{name:15}\t{}\n", if on { "on" } else { "off" }));
    }
    shell.stdout().write(out.as_bytes()).await?;
    Ok(0)
}

async fn list(shell: &Shell) -> Flow<i32> {
    let mut names: Vec<&Text> = shell.variables.keys().collect();
    names.sort_unstable();
    let mut out = Text::new();
    for name in names {
        let Some(variable) = shell.variables.get(name) else { continue };
        if let Value::Text(text) = &variable.value {
            out.extend_from_slice(name);
            out.push(b'=');
            let plain = text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:,+%@=".contains(byte));
            out.extend(if plain { text.clone() } else { crate::text::single_quoted(text) });
            out.push(b'\n');
        }
    }
    shell.stdout().write(&out).await?;
    Ok(0)
}

pub(super) async fn shopt(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let (mut wish, mut quiet, mut set_options) = (None, false, false);
    let mut names = Vec::new();
    for argument in arguments {
        match argument.as_slice() {
            b"-s" => wish = Some(true),
            b"-u" => wish = Some(false),
            b"-q" => quiet = true,
            b"-p" => {}
            b"-o" => set_options = true,
            name => names.push(name),
        }
    }
    let mut status = 0;
    for name in names {
        match wish {
            Some(on) => put(shell, name, on, !set_options)?,
            None => {
                let name = name.to_str_lossy();
                let on = shell.options.has(&name) || name == "extglob";
                status |= i32::from(!on);
                if !quiet {
                    let line = format!("{name:15}\t{}\n", if on { "on" } else { "off" });
                    shell.stdout().write(line.as_bytes()).await?;
                }
            }
        }
    }
    Ok(status)
}
