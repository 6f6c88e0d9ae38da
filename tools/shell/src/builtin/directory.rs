//! The current directory and the stack of directories.

use bstr::ByteSlice;

use crate::shell::Shell;
use crate::stop::{Flow, failed};
use crate::syntax::ast::Text;

fn enter(shell: &mut Shell, name: &[u8]) -> Flow<()> {
    let path = shell.path(name);
    match std::fs::metadata(&path) {
        Ok(facts) if facts.is_dir() => {}
        Ok(_) => return failed(format!("{}: Not a directory", name.to_str_lossy())),
        Err(error) => return failed(shell.refusal(name, &error, false)),
    }
    let old = std::mem::take(&mut shell.directory);
    shell.directory = old.clone();
    let new = shell.absolute(name);
    shell.set(b"OLDPWD", old);
    shell.set(b"PWD", new.clone());
    shell.directory = new;
    Ok(())
}

pub(super) async fn cd(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let names: Vec<&Text> =
        arguments.iter().filter(|text| !matches!(text.as_slice(), b"-L" | b"-P" | b"--" | b"-e")).collect();
    match names.as_slice() {
        [] => {
            let Some(home) = shell.value(b"HOME") else { return failed("HOME not set") };
            enter(shell, &home)?;
        }
        [name] if name.as_slice() == b"-" => {
            let Some(old) = shell.value(b"OLDPWD") else { return failed("OLDPWD not set") };
            enter(shell, &old)?;
            return pwd(shell).await;
        }
        [name] => enter(shell, name)?,
        _ => return failed("too many arguments"),
    }
    Ok(0)
}

pub(super) async fn pwd(shell: &Shell) -> Flow<i32> {
    let mut line = shell.directory.clone();
    line.push(b'\n');
    shell.stdout().write(&line).await?;
    Ok(0)
}

pub(super) async fn dirs(shell: &mut Shell) -> Flow<i32> {
    let home = shell.value(b"HOME").unwrap_or_default();
    let all = std::iter::once(&shell.directory).chain(shell.directories.iter().rev());
    let short = all.map(|path| match path.strip_prefix(home.as_slice()) {
        Some(rest) if home.len() > 1 && (rest.is_empty() || rest.starts_with(b"/")) => [b"~", rest].concat(),
        _ => path.clone(),
    });
    let mut line = bstr::join(" ", short.collect::<Vec<_>>());
    line.push(b'\n');
    shell.stdout().write(&line).await?;
    Ok(0)
}

pub(super) async fn pushd(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let here = shell.directory.clone();
    match arguments.first() {
        Some(name) => {
            enter(shell, name)?;
            shell.directories.push(here);
        }
        None => {
            let Some(other) = shell.directories.pop() else { return failed("no other directory") };
            enter(shell, &other)?;
            shell.directories.push(here);
        }
    }
    dirs(shell).await
}

pub(super) async fn popd(shell: &mut Shell, _arguments: &[Text]) -> Flow<i32> {
    let Some(other) = shell.directories.pop() else { return failed("directory stack empty") };
    enter(shell, &other)?;
    dirs(shell).await
}
