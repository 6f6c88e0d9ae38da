//! `cut`, `paste`, `fold`, `expand`, `split`

use bstr::ByteSlice;

use super::{Call, Flags, Writer, or_stdin};
use crate::escape::{self, Style};
use crate::stop::{Flow, Stop, failed};
use crate::syntax::ast::Text;
use crate::text::characters;

/// Parses `1,3-5,7-`; ranges are sorted and joined.
fn ranges(text: &[u8]) -> Flow<Vec<(usize, usize)>> {
    let bad = || Stop::Failed(format!("invalid field range: '{}'", text.to_str_lossy()), 1);
    let mut all = Vec::new();
    for piece in text.to_str_lossy().split([',', ' ']) {
        let number =
            |text: &str, missing: usize| if text.is_empty() { Ok(missing) } else { text.parse().map_err(|_| bad()) };
        let (from, to) = match piece.split_once('-') {
            Some(("", "")) => return Err(bad()),
            Some((from, to)) => (number(from, 1)?, number(to, usize::MAX)?),
            None => (number(piece, 0)?, number(piece, 0)?),
        };
        if from == 0 || to < from {
            return Err(Stop::Failed("fields and positions are numbered from 1".to_owned(), 1));
        }
        all.push((from, to));
    }
    all.sort_unstable();
    let mut joined: Vec<(usize, usize)> = Vec::new();
    for (from, to) in all {
        match joined.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    Ok(joined)
}

fn complement(list: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let mut next = 1;
    for (from, to) in list {
        if *from > next {
            out.push((next, from - 1));
        }
        next = to.saturating_add(1);
    }
    if next < usize::MAX {
        out.push((next, usize::MAX));
    }
    out
}

pub(super) async fn cut(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("fields", b'f'),
        ("delimiter", b'd'),
        ("characters", b'c'),
        ("bytes", b'b'),
        ("only-delimited", b's'),
        ("output-delimiter", b'o'),
        ("complement", b'C'),
    ];
    let flags = Flags::parse(call.arguments, "f:d:c:b:snzo:C", &long)?;
    let Some(kind) = flags.last(b"fcb") else {
        return failed("you must specify a list of bytes, characters, or fields");
    };
    let mut list = ranges(flags.value(kind).map_or(&b""[..], Vec::as_slice))?;
    if flags.has(b'C') {
        list = complement(&list);
    }
    let delimiter = flags.value(b'd').cloned().unwrap_or_else(|| b"\t".to_vec());
    let [delimiter] = delimiter.as_slice() else { return failed("the delimiter must be a single character") };
    let between = flags.value(b'o').cloned();
    let mut out = call.writer();
    let mut status = 0;
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else {
            status = 1;
            continue;
        };
        while let Some(line) = reader.line(if flags.has(b'z') { 0 } else { b'\n' }).await? {
            if kind == b'f' {
                if !cut_fields(line, *delimiter, &list, between.as_deref(), flags.has(b's'), &mut out) {
                    continue;
                }
            } else {
                for (at, (from, to)) in list.iter().enumerate() {
                    if let Some(between) = between.as_ref().filter(|_| at > 0) {
                        out.put(between);
                    }
                    out.put(line.get(from - 1..(*to).min(line.len())).unwrap_or_default());
                }
            }
            out.line(b"").await?;
        }
    }
    out.flush().await?;
    Ok(status)
}

/// Puts the fields of a line; false if the line is left out.
fn cut_fields(
    line: &[u8],
    delimiter: u8,
    list: &[(usize, usize)],
    between: Option<&[u8]>,
    only: bool,
    out: &mut Writer,
) -> bool {
    if memchr::memchr(delimiter, line).is_none() {
        if !only {
            out.put(line);
        }
        return !only;
    }
    let mut wanted = list.iter();
    let mut range = wanted.next();
    let mut first = true;
    for (number, field) in (1..).zip(line.split(|byte| *byte == delimiter)) {
        while range.is_some_and(|range| range.1 < number) {
            range = wanted.next();
        }
        let Some((from, _)) = range else { break };
        if number < *from {
            continue;
        }
        if !first {
            out.put(between.unwrap_or(&[delimiter]));
        }
        first = false;
        out.put(field);
    }
    true
}

pub(super) async fn paste(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "d:sz", &[("delimiters", b'd'), ("serial", b's')])?;
    let list = flags.value(b'd').map_or_else(|| b"\t".to_vec(), |text| escape::expand(text, Style::Printf).0);
    let delimiters: Vec<&[u8]> = characters(&list).collect();
    let delimiter = |at: usize| {
        if delimiters.is_empty() {
            &b""[..]
        } else {
            delimiters.get(at % delimiters.len()).copied().unwrap_or_default()
        }
    };
    let mut readers = Vec::new();
    for name in or_stdin(&flags.operands) {
        let Some(reader) = call.open(&name).await else { return Ok(1) };
        readers.push(reader);
    }
    let mut out = call.writer();
    if flags.has(b's') {
        for mut reader in readers {
            let mut at = 0;
            while let Some(line) = reader.line(b'\n').await? {
                if at > 0 {
                    out.put(delimiter(at - 1));
                }
                out.put(line);
                at += 1;
                out.step().await?;
            }
            out.line(b"").await?;
        }
        out.flush().await?;
        return Ok(0);
    }
    // `-` twice reads its lines in turns.
    let dashes = or_stdin(&flags.operands);
    let first_dash = dashes.iter().position(|name| name == b"-");
    loop {
        let mut row = Text::new();
        let mut any = false;
        for at in 0..readers.len() {
            let source = if dashes.get(at).is_some_and(|name| name == b"-") { first_dash.unwrap_or(at) } else { at };
            if at > 0 {
                row.extend_from_slice(delimiter(at - 1));
            }
            if let Some(reader) = readers.get_mut(source)
                && let Some(line) = reader.line(b'\n').await?
            {
                any = true;
                row.extend_from_slice(line);
            }
        }
        if !any {
            break;
        }
        out.line(&row).await?;
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn fold(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "w:sb", &[("width", b'w'), ("spaces", b's')])?;
    let width = flags.number(b'w')?.unwrap_or(80).max(1);
    let mut out = call.writer();
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else { return Ok(1) };
        while let Some(line) = reader.line(b'\n').await? {
            let mut rest = line;
            while rest.len() > width {
                let window = rest.get(..width).unwrap_or(rest);
                let blank =
                    if flags.has(b's') { window.iter().rposition(|byte| matches!(byte, b' ' | b'\t')) } else { None };
                let (row, more) = rest.split_at(blank.map_or(width, |at| at + 1));
                out.put(row);
                out.put(b"\n");
                rest = more;
            }
            out.put(rest);
            if reader.delimited {
                out.put(b"\n");
            }
            out.step().await?;
        }
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn expand(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "t:i", &[("tabs", b't')])?;
    let stop = flags.number(b't')?.unwrap_or(8).max(1);
    let mut out = call.writer();
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else { return Ok(1) };
        while let Some(line) = reader.line(b'\n').await? {
            let mut column = 0;
            for byte in line {
                if *byte == b'\t' {
                    let fill = stop - column % stop;
                    out.put(&vec![b' '; fill]);
                    column += fill;
                } else {
                    out.buffer().push(*byte);
                    column += 1;
                }
            }
            out.line(b"").await?;
        }
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn split(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("lines", b'l'),
        ("bytes", b'b'),
        ("numeric-suffixes", b'd'),
        ("suffix-length", b'a'),
        ("additional-suffix", 1),
    ];
    let flags = Flags::parse(call.arguments, "l:b:da:\u{1}:", &long)?;
    let length = flags.number(b'a')?.unwrap_or(2);
    let source = flags.operands.first().cloned().unwrap_or_else(|| b"-".to_vec());
    let prefix = flags.operands.get(1).cloned().unwrap_or_else(|| b"x".to_vec());
    let Some(mut reader) = call.open(&source).await else { return Ok(1) };
    let bytes = match flags.value(b'b') {
        Some(text) => {
            Some(super::make::size(text).ok_or_else(|| Stop::Failed("invalid number of bytes".to_owned(), 1))?)
        }
        None => None,
    };
    let lines = flags.number(b'l')?.unwrap_or(1000).max(1);
    let mut pending: Vec<u8> = Vec::new();
    let mut number = 0;
    loop {
        let mut whole = std::mem::take(&mut pending);
        if let Some(size) = bytes {
            while (whole.len() as u64) < size {
                let piece = reader.piece().await?;
                if piece.is_empty() {
                    break;
                }
                whole.extend(piece);
            }
            pending = whole.split_off(usize::try_from(size).unwrap_or(usize::MAX).min(whole.len()));
        } else {
            for _ in 0..lines {
                let Some(line) = reader.line(b'\n').await? else { break };
                whole.extend_from_slice(line);
                if reader.delimited {
                    whole.push(b'\n');
                }
            }
        }
        if whole.is_empty() {
            return Ok(0);
        }
        let Some(suffix) = suffix(number, length, flags.has(b'd')) else {
            return failed("output file suffixes exhausted");
        };
        number += 1;
        let ending = flags.value(1).map(Vec::as_slice).unwrap_or_default();
        let name = [prefix.as_slice(), suffix.as_bytes(), ending].concat();
        match call.shell.open_to_write(&name, false) {
            Ok(stream) => stream.write(&whole).await?,
            Err(error) => return failed(call.shell.refusal(&name, &error, true)),
        }
    }
}

fn suffix(number: usize, length: usize, digits: bool) -> Option<String> {
    let base = if digits { 10 } else { 26 };
    let mut left = number;
    let mut out = Vec::new();
    for _ in 0..length {
        let digit = u8::try_from(left % base).ok()?;
        out.push(char::from(if digits { b'0' + digit } else { b'a' + digit }));
        left /= base;
    }
    out.reverse();
    (left == 0).then(|| out.into_iter().collect())
}
