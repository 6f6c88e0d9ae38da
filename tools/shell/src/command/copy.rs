//! `cp` and `mv`

use std::io;
use std::path::Path;

use bstr::ByteSlice;

use super::{Call, Flags};
use crate::fs;
use crate::stop::{Flow, failed};
use crate::syntax::ast::Text;

/// How deep a tree is copied.
const DEPTH_MAX: usize = 200;

/// The sources, the target, and whether they go into it.
fn operands(call: &Call<'_>, flags: &Flags) -> Flow<(Vec<Text>, Text, bool)> {
    let mut all = flags.operands.clone();
    if let Some(folder) = flags.value(b't') {
        return Ok((all, folder.clone(), true));
    }
    let Some(target) = all.pop() else { return failed("missing file operand") };
    if all.is_empty() {
        return failed(format!("missing destination file operand after '{}'", target.to_str_lossy()));
    }
    let into = fs::is_directory(&call.shell.path(&target)) && !flags.has(b'T');
    if all.len() > 1 && !into {
        return failed(format!("target '{}': Not a directory", target.to_str_lossy()));
    }
    Ok((all, target, into))
}

fn destination(source: &[u8], target: &[u8], into: bool) -> Text {
    if !into {
        return target.to_vec();
    }
    let name = source.trim_end_with(|letter| letter == '/');
    let name = name.rsplit_once_str("/").map_or(name, |(_, name)| name);
    if name == b"." || name.is_empty() {
        return target.to_vec();
    }
    [target.strip_suffix(b"/").unwrap_or(target), b"/", name].concat()
}

async fn refuse(call: &Call<'_>, what: &str, name: &[u8], error: &io::Error, write: bool) -> i32 {
    let text = call.shell.refusal(name, error, write);
    let rest = text.get(name.to_str_lossy().len()..).unwrap_or_default();
    call.say(format!("{what} '{}'{rest}", name.to_str_lossy())).await;
    1
}

pub(super) async fn cp(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("recursive", b'r'),
        ("archive", b'a'),
        ("force", b'f'),
        ("no-clobber", b'n'),
        ("target-directory", b't'),
        ("verbose", b'v'),
        ("update", b'u'),
        ("no-target-directory", b'T'),
        ("preserve", b'p'),
    ];
    let flags = Flags::parse(call.arguments, "rRafnt:vupTLPdi", &long)?;
    let (sources, target, into) = operands(&call, &flags)?;
    let recursive = flags.has(b'r') || flags.has(b'R') || flags.has(b'a');
    let mut status = 0;
    for source in sources {
        let to = destination(&source, &target, into);
        let (from, path) = (call.shell.path(&source), call.shell.path(&to));
        let facts = match std::fs::metadata(&from) {
            Ok(facts) => facts,
            Err(error) => {
                status = refuse(&call, "cannot stat", &source, &error, false).await;
                continue;
            }
        };
        if facts.is_dir() && !recursive {
            call.say(format!("-r not specified; omitting directory '{}'", source.to_str_lossy())).await;
            status = 1;
            continue;
        }
        if from == path {
            call.say(format!("'{}' and '{}' are the same file", source.to_str_lossy(), to.to_str_lossy())).await;
            status = 1;
            continue;
        }
        if facts.is_dir() && path.starts_with(&from) {
            call.say(format!(
                "cannot copy a directory, '{}', into itself, '{}'",
                source.to_str_lossy(),
                to.to_str_lossy()
            ))
            .await;
            status = 1;
            continue;
        }
        let newer = || std::fs::metadata(&path).is_ok_and(|old| fs::changed(&old) >= fs::changed(&facts));
        if flags.has(b'n') && path.exists() || flags.has(b'u') && newer() {
            continue;
        }
        if let Err(error) = copy(&from, &path, flags.has(b'p') || flags.has(b'a'), 0) {
            status = refuse(&call, "cannot create regular file", &to, &error, true).await;
        } else if flags.has(b'v') {
            let line = format!("'{}' -> '{}'\n", source.to_str_lossy(), to.to_str_lossy());
            call.shell.stdout().write(line.as_bytes()).await?;
        }
    }
    Ok(status)
}

/// Copies a file or a tree.
pub(super) fn copy(from: &Path, to: &Path, times: bool, depth: usize) -> io::Result<()> {
    let facts = if depth == 0 { std::fs::metadata(from)? } else { std::fs::symlink_metadata(from)? };
    if facts.is_symlink() {
        // A link inside a tree is followed: what it leads to is what is wanted.
        let target = std::fs::metadata(from);
        if target.is_err() {
            return Ok(());
        }
    }
    if fs::is_directory(from) {
        if depth > DEPTH_MAX {
            return Err(io::Error::other("too many levels of directories"));
        }
        if !fs::is_directory(to) {
            std::fs::create_dir(to)?;
        }
        for (name, _) in fs::list(from)? {
            let name = name.to_path_lossy().into_owned();
            copy(&from.join(&name), &to.join(&name), times, depth + 1)?;
        }
        return Ok(());
    }
    let mut source = std::fs::File::open(from)?;
    let mut target = std::fs::File::create(to)?;
    io::copy(&mut source, &mut target)?;
    if times {
        // A store without settable times keeps the copy all the same.
        drop(target.set_modified(std::time::UNIX_EPOCH + fs::changed(&facts)));
    }
    Ok(())
}

pub(super) async fn mv(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("force", b'f'),
        ("no-clobber", b'n'),
        ("target-directory", b't'),
        ("verbose", b'v'),
        ("update", b'u'),
        ("no-target-directory", b'T'),
    ];
    let flags = Flags::parse(call.arguments, "fnt:vuTi", &long)?;
    let (sources, target, into) = operands(&call, &flags)?;
    let mut status = 0;
    for source in sources {
        let to = destination(&source, &target, into);
        let (from, path) = (call.shell.path(&source), call.shell.path(&to));
        if let Err(error) = std::fs::symlink_metadata(&from) {
            status = refuse(&call, "cannot stat", &source, &error, false).await;
            continue;
        }
        if flags.has(b'n') && path.exists() {
            continue;
        }
        if from == path {
            call.say(format!("'{}' and '{}' are the same file", source.to_str_lossy(), to.to_str_lossy())).await;
            status = 1;
            continue;
        }
        let moved = match std::fs::rename(&from, &path) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy(&from, &path, true, 0).and_then(|()| {
                if fs::is_directory(&from) { std::fs::remove_dir_all(&from) } else { std::fs::remove_file(&from) }
            }),
            other => other,
        };
        if let Err(error) = moved {
            let rest = call.shell.refusal(&to, &error, true);
            let rest = rest.get(to.to_str_lossy().len()..).unwrap_or_default().to_owned();
            call.say(format!("cannot move '{}' to '{}'{rest}", source.to_str_lossy(), to.to_str_lossy())).await;
            status = 1;
        } else if flags.has(b'v') {
            let line = format!("renamed '{}' -> '{}'\n", source.to_str_lossy(), to.to_str_lossy());
            call.shell.stdout().write(line.as_bytes()).await?;
        }
    }
    Ok(status)
}

/// `install`: as `cp`, or `mkdir -p` with `-d`. There are no permission bits or owners to set.
pub(super) async fn install(call: Call<'_>) -> Flow<i32> {
    let long = [("directory", b'd'), ("mode", b'm'), ("target-directory", b't'), ("verbose", b'v'), ("compare", b'C')];
    let flags = Flags::parse(call.arguments, "dDm:o:g:t:vpCTs", &long)?;
    let mut status = 0;
    if flags.has(b'd') {
        for name in &flags.operands {
            if let Err(error) = std::fs::create_dir_all(call.shell.path(name)) {
                status = refuse(&call, "cannot create directory", name, &error, true).await;
            }
        }
        return Ok(status);
    }
    if flags.has(b'D')
        && let Some(target) = flags.value(b't').cloned().or_else(|| {
            let target = flags.operands.last()?;
            Some(target.rsplit_once_str("/").map_or_else(|| b".".to_vec(), |(parent, _)| parent.to_vec()))
        })
    {
        drop(std::fs::create_dir_all(call.shell.path(&target)));
    }
    let (sources, target, into) = operands(&call, &flags)?;
    for source in sources {
        let to = destination(&source, &target, into);
        let from = call.shell.path(&source);
        if fs::is_directory(&from) {
            call.say(format!("omitting directory '{}'", source.to_str_lossy())).await;
            status = 1;
            continue;
        }
        if let Err(error) = copy(&from, &call.shell.path(&to), flags.has(b'p'), 0) {
            status = refuse(&call, "cannot create regular file", &to, &error, true).await;
        } else if flags.has(b'v') {
            let line = format!("'{}' -> '{}'\n", source.to_str_lossy(), to.to_str_lossy());
            call.shell.stdout().write(line.as_bytes()).await?;
        }
    }
    Ok(status)
}
