//! Making and removing: `mkdir`, `rmdir`, `rm`, `touch`, `ln`, `mktemp`, `truncate`, `chmod`

use std::io::ErrorKind;
use std::path::Path;

use bstr::ByteSlice;

use super::{Call, Flags};
use crate::calendar::Moment;
use crate::fs;
use crate::stop::{Flow, failed};
use crate::syntax::ast::Text;

/// A size with a unit: `10`, `4k`, `2M`.
pub(super) fn size(text: &[u8]) -> Option<u64> {
    let shown = text.to_str_lossy();
    let digits = shown.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = match shown.get(digits.len()..)?.to_ascii_uppercase().as_str() {
        "" | "C" => 1,
        "K" | "KIB" => 1 << 10,
        "M" | "MIB" => 1 << 20,
        "G" | "GIB" => 1 << 30,
        "KB" => 1000,
        "MB" => 1_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Says that something could not be done with a path.
async fn refuse(call: &Call<'_>, what: &str, name: &[u8], error: &std::io::Error) -> i32 {
    let text = call.shell.refusal(name, error, true);
    let rest = text.get(name.to_str_lossy().len()..).unwrap_or_default();
    call.say(format!("{what} '{}'{rest}", name.to_str_lossy())).await;
    1
}

pub(super) async fn mkdir(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "pvm:", &[("parents", b'p'), ("verbose", b'v'), ("mode", b'm')])?;
    if flags.operands.is_empty() {
        return failed("missing operand");
    }
    let mut status = 0;
    for name in &flags.operands {
        let path = call.shell.path(name);
        if flags.has(b'p') && flags.has(b'v') {
            status |= mkdir_each(&call, name).await?;
            continue;
        }
        let made = if flags.has(b'p') { std::fs::create_dir_all(&path) } else { std::fs::create_dir(&path) };
        if let Err(error) = made {
            status = refuse(&call, "cannot create directory", name, &error).await;
        } else if flags.has(b'v') {
            call.shell
                .stdout()
                .write(format!("mkdir: created directory '{}'\n", name.to_str_lossy()).as_bytes())
                .await?;
        }
    }
    Ok(status)
}

/// Makes a directory and those above it, and says which.
async fn mkdir_each(call: &Call<'_>, name: &[u8]) -> Flow<i32> {
    let ends = (1..=name.len()).filter(|at| *at == name.len() || name.get(*at) == Some(&b'/'));
    for end in ends {
        let part = name.get(..end).unwrap_or_default();
        let path = call.shell.path(part);
        if fs::is_directory(&path) {
            continue;
        }
        if let Err(error) = std::fs::create_dir(&path) {
            return Ok(refuse(call, "cannot create directory", name, &error).await);
        }
        let line = format!("mkdir: created directory '{}'\n", part.to_str_lossy());
        call.shell.stdout().write(line.as_bytes()).await?;
    }
    Ok(0)
}

pub(super) async fn rmdir(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "pv", &[("parents", b'p'), ("ignore-fail-on-non-empty", 1)])?;
    let mut status = 0;
    for name in &flags.operands {
        let mut path = call.shell.path(name);
        loop {
            if let Err(error) = std::fs::remove_dir(&path) {
                if !flags.has(1) {
                    status = refuse(&call, "failed to remove", name, &error).await;
                }
                break;
            }
            let relative = name.iter().filter(|byte| **byte == b'/').count();
            if !flags.has(b'p')
                || relative == 0
                || !path.pop()
                || path == Path::new(call.shell.directory.to_str_lossy().as_ref())
            {
                break;
            }
        }
    }
    Ok(status)
}

pub(super) async fn rm(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(
        call.arguments,
        "rRfivdI",
        &[
            ("recursive", b'r'),
            ("force", b'f'),
            ("verbose", b'v'),
            ("dir", b'd'),
            ("no-preserve-root", 1),
            ("preserve-root", 2),
        ],
    )?;
    if flags.operands.is_empty() && !flags.has(b'f') {
        return failed("missing operand");
    }
    let recursive = flags.has(b'r') || flags.has(b'R');
    let mut status = 0;
    for name in &flags.operands {
        let path = call.shell.path(name);
        if path == Path::new("/") || matches!(name.as_slice(), b"." | b".." | b"./" | b"../") {
            call.say(format!("refusing to remove '{}'", name.to_str_lossy())).await;
            status = 1;
            continue;
        }
        let facts = std::fs::symlink_metadata(&path);
        let directory = facts.as_ref().is_ok_and(std::fs::Metadata::is_dir);
        let outcome = match facts {
            Err(error) => Err(error),
            Ok(facts) if facts.is_dir() && recursive => std::fs::remove_dir_all(&path),
            Ok(facts) if facts.is_dir() && flags.has(b'd') => std::fs::remove_dir(&path),
            Ok(facts) if facts.is_dir() => Err(ErrorKind::IsADirectory.into()),
            Ok(_) => std::fs::remove_file(&path),
        };
        match outcome {
            Ok(()) if flags.has(b'v') => {
                let what = if directory { "removed directory" } else { "removed" };
                call.shell.stdout().write(format!("{what} '{}'\n", name.to_str_lossy()).as_bytes()).await?;
            }
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && flags.has(b'f') => {}
            Err(error) => status = refuse(&call, "cannot remove", name, &error).await,
        }
    }
    Ok(status)
}

pub(super) async fn touch(call: Call<'_>) -> Flow<i32> {
    let flags =
        Flags::parse(call.arguments, "acmd:t:r:h", &[("no-create", b'c'), ("date", b'd'), ("reference", b'r')])?;
    if flags.operands.is_empty() {
        return failed("missing file operand");
    }
    let now = fs::now();
    let time = if let Some(text) = flags.value(b'd') {
        let now = Moment::new(i64::try_from(now.as_secs()).unwrap_or(0), 0);
        let Some(moment) = Moment::parse(&text.to_str_lossy(), now) else {
            return failed(format!("invalid date format '{}'", text.to_str_lossy()));
        };
        std::time::Duration::from_secs(u64::try_from(moment.seconds).unwrap_or(0))
    } else if let Some(text) = flags.value(b't') {
        let Some(moment) = stamp(&text.to_str_lossy()) else { return failed("invalid date format") };
        std::time::Duration::from_secs(moment)
    } else if let Some(name) = flags.value(b'r') {
        match std::fs::metadata(call.shell.path(name)) {
            Ok(facts) => fs::changed(&facts),
            Err(error) => {
                return failed(format!("failed to get attributes of {}", call.shell.refusal(name, &error, false)));
            }
        }
    } else {
        now
    };
    let mut status = 0;
    for name in &flags.operands {
        let path = call.shell.path(name);
        if flags.has(b'c') && !path.exists() {
            continue;
        }
        let made = if fs::is_directory(&path) {
            std::fs::File::open(&path)
        } else {
            std::fs::OpenOptions::new().create(true).append(true).open(&path)
        };
        let set = made.and_then(|file| {
            file.set_modified(std::time::UNIX_EPOCH + time).or_else(|error| {
                // A store without settable times has made the file all the same.
                if error.kind() == ErrorKind::Unsupported { Ok(()) } else { Err(error) }
            })
        });
        if let Err(error) = set {
            status = refuse(&call, "cannot touch", name, &error).await;
        }
    }
    Ok(status)
}

/// `[[CC]YY]MMDDhhmm[.ss]`, with the year.
fn stamp(text: &str) -> Option<u64> {
    let (digits, seconds) = text.split_once('.').unwrap_or((text, "0"));
    let digits = match digits.len() {
        12 => digits.to_owned(),
        10 => format!("20{digits}"),
        _ => return None,
    };
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<i64>().ok();
    let civil = crate::calendar::Civil {
        year: part(0, 4)?,
        month: part(4, 6)?,
        day: part(6, 8)?,
        hour: part(8, 10)?,
        minute: part(10, 12)?,
        second: seconds.parse().ok()?,
    };
    u64::try_from(civil.seconds()).ok()
}

pub(super) async fn link(call: Call<'_>) -> Flow<i32> {
    let [from, to] = call.arguments else { return failed("two operands are wanted") };
    match std::fs::hard_link(call.shell.path(from), call.shell.path(to)) {
        Ok(()) => Ok(0),
        Err(error) => Ok(refuse(&call, "cannot create link", to, &error).await),
    }
}

pub(super) async fn ln(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(
        call.arguments,
        "sfnvrT",
        &[
            ("symbolic", b's'),
            ("force", b'f'),
            ("relative", b'r'),
            ("no-dereference", b'n'),
            ("verbose", b'v'),
            ("no-target-directory", b'T'),
        ],
    )?;
    let (sources, target) = match flags.operands.as_slice() {
        [] => return failed("missing file operand"),
        [one] => (std::slice::from_ref(one), b".".to_vec()),
        [sources @ .., target] => (sources, target.clone()),
    };
    let into =
        fs::is_directory(&call.shell.path(&target)) && !(flags.has(b'n') && flags.has(b's') && sources.len() == 1);
    let mut status = 0;
    for source in sources {
        let name = source
            .trim_end_with(|letter| letter == '/')
            .rsplit_once_str("/")
            .map_or(source.as_slice(), |(_, name)| name);
        let link = if into { [target.as_slice(), b"/", name].concat() } else { target.clone() };
        let path = call.shell.path(&link);
        if flags.has(b'f') {
            drop(std::fs::remove_file(&path));
        }
        let relative = flags.has(b's') && flags.has(b'r');
        let source = if relative {
            let folder = path.parent().map(|parent| parent.to_string_lossy().into_owned()).unwrap_or_default();
            &super::paths::relative(folder.as_bytes(), &call.shell.absolute(source))
        } else {
            source
        };
        let made =
            if flags.has(b's') { symlink(source, &path) } else { std::fs::hard_link(call.shell.path(source), &path) };
        if let Err(error) = made {
            let what = if flags.has(b's') { "failed to create symbolic link" } else { "failed to create hard link" };
            status = refuse(&call, what, &link, &error).await;
        }
    }
    Ok(status)
}

#[expect(deprecated, reason = "what replaces it is not stable for this target")]
pub(super) fn symlink(source: &[u8], link: &Path) -> std::io::Result<()> {
    std::fs::soft_link(source.to_path_lossy(), link)
}

pub(super) async fn mktemp(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(
        call.arguments,
        "duqp:t\u{1}:\u{2}?",
        &[("directory", b'd'), ("tmpdir", 2), ("suffix", 1), ("dry-run", b'u'), ("quiet", b'q')],
    )?;
    let template = flags.operands.first().cloned();
    let wanted = flags.value(b'p').or(flags.value(2)).cloned().filter(|folder| !folder.is_empty());
    let below = flags.has(b't') || flags.has(b'p') || flags.has(2);
    let folder = match (&template, wanted.or(call.shell.value(b"TMPDIR"))) {
        (Some(_), _) if !below => Text::new(),
        (_, Some(folder)) => folder,
        _ => b"/tmp".to_vec(),
    };
    let template = template.unwrap_or_else(|| b"tmp.XXXXXXXXXX".to_vec());
    let marks = template.iter().rev().take_while(|byte| **byte == b'X').count();
    if marks < 3 {
        return failed(format!("too few X's in template '{}'", template.to_str_lossy()));
    }
    for _ in 0..100 {
        let mut name = if folder.is_empty() { Text::new() } else { [folder.as_slice(), b"/"].concat() };
        name.extend_from_slice(template.get(..template.len() - marks).unwrap_or_default());
        for _ in 0..marks {
            let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
            let at = usize::try_from(call.shell.random()).unwrap_or(0) % letters.len();
            name.extend(letters.get(at));
        }
        name.extend_from_slice(flags.value(1).map(Vec::as_slice).unwrap_or_default());
        let path = call.shell.path(&name);
        if folder == b"/tmp" && !fs::is_directory(Path::new("/tmp")) {
            drop(std::fs::create_dir_all("/tmp"));
        }
        let made = if flags.has(b'd') {
            std::fs::create_dir(&path)
        } else if flags.has(b'u') {
            Ok(())
        } else {
            std::fs::OpenOptions::new().write(true).create_new(true).open(&path).map(drop)
        };
        match made {
            Ok(()) => {
                name.push(b'\n');
                call.shell.stdout().write(&name).await?;
                return Ok(0);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return failed(format!(
                    "failed to create file via template {}",
                    call.shell.refusal(&name, &error, true)
                ));
            }
        }
    }
    failed("failed to create file via template")
}

pub(super) async fn truncate(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "s:c", &[("size", b's')])?;
    let text = flags.value(b's').cloned().unwrap_or_default();
    let sign = text.first().copied().filter(|byte| b"+-<>".contains(byte));
    let Some(length) = size(text.get(usize::from(sign.is_some())..).unwrap_or_default()).filter(|_| !text.is_empty())
    else {
        return failed("you must specify '--size', as a number of bytes");
    };
    let mut status = 0;
    for name in &flags.operands {
        if flags.has(b'c') && !fs::exists(&call.shell.path(name)) {
            continue;
        }
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(call.shell.path(name));
        let set = file.and_then(|file| {
            let now = file.metadata()?.len();
            file.set_len(match sign {
                Some(b'+') => now.saturating_add(length),
                Some(b'-') => now.saturating_sub(length),
                Some(b'<') => now.min(length),
                Some(_) => now.max(length),
                None => length,
            })
        });
        if let Err(error) = set {
            status = refuse(&call, "cannot open", name, &error).await;
        }
    }
    Ok(status)
}

/// The bits that a symbolic mode such as `u+x,g-w` makes of others; none if it is no mode.
pub(super) fn symbolic(text: &str, from: u32) -> Option<u32> {
    let mut mode = from;
    for clause in text.split(',') {
        let who_end = clause.find(|letter: char| !"ugoa".contains(letter))?;
        let (who, mut rest) = clause.split_at(who_end);
        let mask = |bits: u32| {
            let all = who.is_empty() || who.contains('a');
            let part = |letter: char, shift: u32| if all || who.contains(letter) { bits << shift } else { 0 };
            part('u', 6) | part('g', 3) | part('o', 0)
        };
        while let Some(operator) = rest.chars().next() {
            let after = rest.get(1..)?;
            let size = after.find(|letter: char| !"rwxXst".contains(letter)).unwrap_or(after.len());
            let (letters, more) = after.split_at(size);
            let bits = letters.chars().fold(0, |bits, letter| {
                bits | match letter {
                    'r' => 4,
                    'w' => 2,
                    'x' => 1,
                    _ => 0,
                }
            });
            mode = match operator {
                '+' => mode | mask(bits),
                '-' => mode & !mask(bits),
                '=' => mode & !mask(7) | mask(bits),
                _ => return None,
            };
            rest = more;
        }
    }
    Some(mode)
}

/// There are no permission bits: what exists is accepted, and nothing changes.
pub(super) async fn chmod(call: Call<'_>) -> Flow<i32> {
    let plain = |text: &&Text| !matches!(text.as_slice(), b"-R" | b"-v" | b"-f" | b"-c" | b"--recursive" | b"--");
    let mut names = call.arguments.iter().filter(plain);
    let Some(mode) = names.next() else { return failed("missing operand") };
    let shown = mode.to_str_lossy();
    let octal = u32::from_str_radix(&shown, 8).is_ok_and(|bits| bits <= 0o7777);
    if !octal && !shown.starts_with("--reference=") && symbolic(&shown, 0).is_none() {
        return failed(format!("invalid mode: '{shown}'"));
    }
    let mut status = 0;
    for name in names.cloned().collect::<Vec<_>>() {
        if let Err(error) = std::fs::metadata(call.shell.path(&name)) {
            status = refuse(&call, "cannot access", &name, &error).await;
        }
    }
    Ok(status)
}
