//! `ls`, `du`, `stat`

use std::fs::Metadata;

use bstr::ByteSlice;

use super::{Call, Flags, Writer};
use crate::calendar::Moment;
use crate::fs::{self, Kind};
use crate::number::human;
use crate::stop::{Flow, failed};
use crate::syntax::ast::Text;
use crate::task::Task;

struct Entry {
    name: Text,
    facts: Option<Metadata>,
    link: Option<Text>,
}

fn moment(facts: &Metadata) -> Moment {
    let changed = fs::changed(facts);
    Moment::new(i64::try_from(changed.as_secs()).unwrap_or(0), changed.subsec_nanos())
}

fn mode_text(facts: &Metadata) -> String {
    let kind = if facts.is_dir() {
        'd'
    } else if facts.is_symlink() {
        'l'
    } else {
        '-'
    };
    let bits = fs::mode(facts);
    let letters: String = "rwxrwxrwx"
        .chars()
        .enumerate()
        .map(|(at, letter)| if bits >> (8 - at) & 1 == 1 { letter } else { '-' })
        .collect();
    format!("{kind}{letters}")
}

fn entry(call: &Call<'_>, shown: Text, path: &[u8], follow: bool) -> std::io::Result<Entry> {
    let path = call.shell.path(path);
    let facts = if follow {
        std::fs::metadata(&path).or_else(|_| std::fs::symlink_metadata(&path))
    } else {
        std::fs::symlink_metadata(&path)
    }?;
    let link = if facts.is_symlink() {
        std::fs::read_link(&path).ok().map(|to| to.to_string_lossy().into_owned().into_bytes())
    } else {
        None
    };
    Ok(Entry { name: shown, facts: Some(facts), link })
}

pub(super) async fn ls(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("all", b'a'),
        ("almost-all", b'A'),
        ("human-readable", b'h'),
        ("reverse", b'r'),
        ("recursive", b'R'),
        ("directory", b'd'),
        ("classify", b'F'),
        ("color", 1),
        ("group-directories-first", 2),
        ("full-time", 3),
        ("time-style", 4),
        ("sort", 5),
        ("inode", b'i'),
        ("size", b's'),
        ("numeric-uid-gid", b'n'),
        ("no-group", b'G'),
    ];
    let flags = Flags::parse(call.arguments, "alA1hrRtSdFgGnopsikBCmxXvUNQbqc\u{1}?\u{2}\u{3}\u{4}:\u{5}:", &long)?;
    let operands = if flags.operands.is_empty() { vec![b".".to_vec()] } else { flags.operands.clone() };
    let mut out = call.writer();
    let (mut files, mut folders, mut status) = (Vec::new(), Vec::new(), 0);
    for name in operands {
        // A long listing shows a link itself, and what it leads to where that is a directory's name with a slash.
        let follow = !flags.has(b'l') && !flags.has(b'd') || name.ends_with(b"/");
        match entry(&call, name.clone(), &name, follow) {
            Ok(found) if found.facts.as_ref().is_some_and(Metadata::is_dir) && !flags.has(b'd') => folders.push(name),
            Ok(found) => files.push(found),
            Err(error) => {
                let text = call.shell.refusal(&name, &error, false);
                let rest = text.get(name.to_str_lossy().len()..).unwrap_or_default().to_owned();
                call.say(format!("cannot access '{}'{rest}", name.to_str_lossy())).await;
                status = 2;
            }
        }
    }
    let titled = folders.len() + files.len() > 1 || flags.has(b'R') || status != 0 && !folders.is_empty();
    let some_files = !files.is_empty();
    order(&mut files, &flags);
    rows(&mut out, &files, &flags, false).await?;
    folders.sort();
    for (at, folder) in folders.iter().enumerate() {
        if at > 0 || some_files {
            out.put(b"\n");
        }
        status = status.max(folder_rows(&call, &mut out, folder, &flags, titled, 0).await?);
    }
    out.flush().await?;
    Ok(status)
}

fn folder_rows<'a>(
    call: &'a Call<'_>,
    out: &'a mut Writer,
    folder: &'a [u8],
    flags: &'a Flags,
    titled: bool,
    depth: usize,
) -> Task<'a, Flow<i32>> {
    Box::pin(async move {
        if titled {
            out.put(folder);
            out.put(b":\n");
        }
        let names = match fs::list(&call.shell.path(folder)) {
            Ok(names) => names,
            Err(error) => {
                out.flush().await?;
                call.say(format!("cannot open directory {}", call.shell.refusal(folder, &error, false))).await;
                return Ok(2);
            }
        };
        let mut entries = Vec::new();
        let needs = flags.last(b"ltShsFgno").is_some() || flags.has(b'p') || flags.has(5) || flags.has(2);
        if flags.has(b'a') {
            for dot in [&b"."[..], b".."] {
                let path = [folder, b"/", dot].concat();
                entries.extend(entry(call, dot.to_vec(), &path, true));
            }
        }
        let mut inside = Vec::new();
        for (name, kind) in names {
            if name.starts_with(b".") && !flags.has(b'a') && !flags.has(b'A') {
                continue;
            }
            let path = [folder.strip_suffix(b"/").unwrap_or(folder), b"/", &name].concat();
            if kind == Kind::Directory {
                inside.push(path.clone());
            }
            entries.push(if needs {
                entry(call, name.clone(), &path, false).unwrap_or(Entry { name, facts: None, link: None })
            } else {
                Entry { name, facts: None, link: None }
            });
        }
        order(&mut entries, flags);
        rows(out, &entries, flags, true).await?;
        let mut status = 0;
        if flags.has(b'R') && depth < 100 {
            inside.sort();
            for path in inside {
                out.put(b"\n");
                status = status.max(folder_rows(call, out, &path, flags, true, depth + 1).await?);
            }
        }
        Ok(status)
    })
}

fn order(entries: &mut [Entry], flags: &Flags) {
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    let time = |entry: &Entry| entry.facts.as_ref().map(fs::changed);
    let size = |entry: &Entry| entry.facts.as_ref().map(Metadata::len);
    let named = flags.value(5).and_then(|word| match word.as_slice() {
        b"time" => Some(b't'),
        b"size" => Some(b'S'),
        b"version" => Some(b'v'),
        b"extension" => Some(b'X'),
        _ => None,
    });
    match named.or(flags.last(b"tSvX")) {
        Some(b'v') => entries.sort_by(|left, right| super::sort::version(&left.name, &right.name)),
        Some(b'X') => {
            let extension = |entry: &Entry| entry.name.rsplit_once_str(".").map(|(_, ending)| ending.to_vec());
            entries.sort_by_key(extension);
        }
        Some(b't') => entries.sort_by_key(|entry| std::cmp::Reverse(time(entry))),
        Some(_) => entries.sort_by_key(|entry| std::cmp::Reverse(size(entry))),
        None => {}
    }
    if flags.has(b'r') {
        entries.reverse();
    }
    if flags.has(2) {
        entries.sort_by_key(|entry| !entry.facts.as_ref().is_some_and(Metadata::is_dir));
    }
}

async fn rows(out: &mut Writer, entries: &[Entry], flags: &Flags, total: bool) -> Flow<()> {
    if !flags.last(b"lgno").is_some_and(|_| true) {
        for entry in entries {
            out.put(&entry.name);
            mark(out, entry, flags);
            out.line(b"").await?;
        }
        return Ok(());
    }
    let sizes: Vec<String> = entries
        .iter()
        .map(|entry| {
            entry.facts.as_ref().map_or_else(String::new, |facts| {
                if flags.has(b'h') { human(facts.len()) } else { facts.len().to_string() }
            })
        })
        .collect();
    if total {
        let blocks: u64 =
            entries.iter().filter_map(|entry| entry.facts.as_ref()).map(|facts| facts.len().div_ceil(4096) * 4).sum();
        let shown = if flags.has(b'h') { human(blocks * 1024) } else { blocks.to_string() };
        out.line(format!("total {shown}").as_bytes()).await?;
    }
    let width = sizes.iter().map(String::len).max().unwrap_or(0);
    let now = i64::try_from(fs::now().as_secs()).unwrap_or(0);
    for (entry, size) in entries.iter().zip(&sizes) {
        let Some(facts) = &entry.facts else {
            out.put(b"?????????? ? ? ? ? ? ");
            out.line(&entry.name).await?;
            continue;
        };
        let time = moment(facts);
        let recent = (now - 15_778_476..=now).contains(&time.seconds);
        let style = flags.value(4).map(|style| style.to_str_lossy().into_owned()).unwrap_or_default();
        let when = if let Some(layout) = style.strip_prefix('+') {
            layout
        } else if flags.has(3) || style == "full-iso" {
            "%Y-%m-%d %H:%M:%S.%N %z"
        } else if style == "long-iso" {
            "%Y-%m-%d %H:%M"
        } else if recent {
            "%b %e %H:%M"
        } else {
            "%b %e  %Y"
        };
        let row = format!("{} 1 root root {size:>width$} {} ", mode_text(facts), time.format(when));
        out.put(row.as_bytes());
        out.put(&entry.name);
        if let Some(link) = &entry.link {
            out.put(b" -> ");
            out.put(link);
        }
        mark(out, entry, flags);
        out.line(b"").await?;
    }
    Ok(())
}

fn mark(out: &mut Writer, entry: &Entry, flags: &Flags) {
    let Some(facts) = &entry.facts else { return };
    if facts.is_dir() && (flags.has(b'F') || flags.has(b'p')) {
        out.put(b"/");
    } else if facts.is_symlink() && flags.has(b'F') && !flags.has(b'l') {
        out.put(b"@");
    }
}

pub(super) async fn du(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("summarize", b's'),
        ("human-readable", b'h'),
        ("all", b'a'),
        ("total", b'c'),
        ("max-depth", b'd'),
        ("bytes", b'b'),
        ("apparent-size", b'A'),
    ];
    let flags = Flags::parse(call.arguments, "shacd:bkmA", &long)?;
    let depth = if flags.has(b's') { 0 } else { flags.number(b'd')?.unwrap_or(usize::MAX) };
    let operands = if flags.operands.is_empty() { vec![b".".to_vec()] } else { flags.operands.clone() };
    let mut out = call.writer();
    let (mut total, mut status) = (0, 0);
    for name in operands {
        if !fs::exists(&call.shell.path(&name)) {
            call.say(format!("cannot access '{}': No such file or directory", name.to_str_lossy())).await;
            status = 1;
            continue;
        }
        total += usage(&call, &mut out, &name, &flags, depth, 0).await?;
    }
    if flags.has(b'c') {
        put_size(&mut out, total, b"total", &flags).await?;
    }
    out.flush().await?;
    Ok(status)
}

async fn put_size(out: &mut Writer, bytes: u64, name: &[u8], flags: &Flags) -> Flow<()> {
    let shown = if flags.has(b'h') {
        human(bytes)
    } else if flags.has(b'b') {
        bytes.to_string()
    } else if flags.has(b'm') {
        bytes.div_ceil(1 << 20).to_string()
    } else {
        bytes.div_ceil(1024).to_string()
    };
    out.put(shown.as_bytes());
    out.put(b"\t");
    out.line(name).await
}

fn usage<'a>(
    call: &'a Call<'_>,
    out: &'a mut Writer,
    name: &'a [u8],
    flags: &'a Flags,
    depth: usize,
    level: usize,
) -> Task<'a, Flow<u64>> {
    Box::pin(async move {
        let Ok(facts) = std::fs::symlink_metadata(call.shell.path(name)) else { return Ok(0) };
        let whole = flags.has(b'b') || flags.has(b'A');
        let mut size = if whole { facts.len() } else { facts.len().div_ceil(4096) * 4096 };
        if facts.is_dir() && level < 200 {
            let mut entries = fs::list(&call.shell.path(name)).unwrap_or_default();
            entries.sort();
            for (entry, _) in entries {
                let path = [name.strip_suffix(b"/").unwrap_or(name), b"/", &entry].concat();
                size += usage(call, out, &path, flags, depth, level + 1).await?;
            }
        }
        if level == 0 || level <= depth && (facts.is_dir() || flags.has(b'a')) {
            put_size(out, size, name, flags).await?;
        }
        Ok(size)
    })
}

pub(super) async fn stat(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "c:Lf\u{1}:", &[("format", b'c'), ("printf", 1), ("dereference", b'L')])?;
    if flags.operands.is_empty() {
        return failed("missing operand");
    }
    let mut out = call.writer();
    let mut status = 0;
    for name in &flags.operands {
        let path = call.shell.path(name);
        let facts = if flags.has(b'L') { std::fs::metadata(&path) } else { std::fs::symlink_metadata(&path) };
        let facts = match facts {
            Ok(facts) => facts,
            Err(error) => {
                let text = call.shell.refusal(name, &error, false);
                let rest = text.get(name.to_str_lossy().len()..).unwrap_or_default().to_owned();
                call.say(format!("cannot statx '{}'{rest}", name.to_str_lossy())).await;
                status = 1;
                continue;
            }
        };
        let usual = b"  File: %n\n  Size: %s\t%F\nAccess: (%a/%A)\nModify: %y".to_vec();
        let layout = flags.value(b'c').or(flags.value(1)).cloned().unwrap_or(usual);
        let layout = if flags.has(1) { crate::escape::expand(&layout, crate::escape::Style::Printf).0 } else { layout };
        let link = std::fs::read_link(&path).ok().filter(|_| facts.is_symlink());
        let link = link.map(|target| target.to_string_lossy().into_owned().into_bytes());
        out.put(&stat_text(&layout, name, &facts, link.as_deref()));
        if !flags.has(1) {
            out.put(b"\n");
        }
    }
    out.flush().await?;
    Ok(status)
}

fn stat_text(layout: &[u8], name: &[u8], facts: &Metadata, link: Option<&[u8]>) -> Text {
    let time = moment(facts);
    let mut out = Text::new();
    let mut bytes = layout.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let kind = if facts.is_dir() {
            "directory"
        } else if facts.is_symlink() {
            "symbolic link"
        } else if facts.len() == 0 {
            "regular empty file"
        } else {
            "regular file"
        };
        let text = match bytes.next() {
            Some(b'n') => name.to_str_lossy().into_owned(),
            Some(b'N') => match link {
                Some(link) => format!("'{}' -> '{}'", name.to_str_lossy(), link.to_str_lossy()),
                None => format!("'{}'", name.to_str_lossy()),
            },
            Some(b's') => facts.len().to_string(),
            Some(b'b') => facts.len().div_ceil(512).to_string(),
            Some(b'B') => "512".to_owned(),
            Some(b'F') => kind.to_owned(),
            Some(b'a') => format!("{:o}", fs::mode(facts)),
            Some(b'A') => mode_text(facts),
            Some(b'U' | b'G') => "root".to_owned(),
            Some(b'u' | b'g') => "0".to_owned(),
            Some(b'h') => "1".to_owned(),
            Some(b'Y' | b'X' | b'Z' | b'W') => time.seconds.to_string(),
            Some(b'y' | b'x' | b'z' | b'w') => time.format("%Y-%m-%d %H:%M:%S.%N %z"),
            Some(b'%') | None => "%".to_owned(),
            Some(other) => format!("%{}", char::from(*other)),
        };
        out.extend_from_slice(text.as_bytes());
    }
    out
}
