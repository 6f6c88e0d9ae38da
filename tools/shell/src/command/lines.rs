//! `cat`, `tee`, `tac`, `rev`, `nl`

use super::{Call, Flags, Reader, or_stdin};
use crate::stop::Flow;
use crate::text::characters;

/// What `tac` keeps in memory.
const ALL_MAX: usize = 128 << 20;

pub(super) async fn cat(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("number", b'n'),
        ("number-nonblank", b'b'),
        ("squeeze-blank", b's'),
        ("show-all", b'A'),
        ("show-ends", b'E'),
        ("show-tabs", b'T'),
    ];
    let flags = Flags::parse(call.arguments, "nbsAETvetu", &long)?;
    let plain = flags.last(b"nbsAETvet").is_none();
    let mut status = 0;
    let mut number = 0_u64;
    let mut blank = false;
    let mut out = call.writer();
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else {
            status = 1;
            continue;
        };
        if plain {
            let stream = call.shell.stdout();
            loop {
                let piece = reader.piece().await?;
                if piece.is_empty() {
                    break;
                }
                stream.write(&piece).await?;
            }
            continue;
        }
        while let Some(line) = reader.line(b'\n').await? {
            let was = std::mem::replace(&mut blank, line.is_empty());
            if flags.has(b's') && was && blank {
                continue;
            }
            if flags.has(b'b') && !blank || flags.has(b'n') && !flags.has(b'b') {
                number += 1;
                out.put(format!("{number:6}\t").as_bytes());
            }
            let line = line.to_vec();
            visible(out.buffer(), &line, &flags);
            if flags.has(b'E') || flags.has(b'A') || flags.has(b'e') {
                out.put(b"$");
            }
            if reader.delimited {
                out.put(b"\n");
            }
            out.step().await?;
        }
    }
    out.flush().await?;
    Ok(status)
}

fn visible(out: &mut Vec<u8>, line: &[u8], flags: &Flags) {
    let all = flags.has(b'A');
    let tabs = all || flags.has(b'T') || flags.has(b't');
    let marks = all || flags.has(b'v') || flags.has(b'e') || flags.has(b't');
    for byte in line {
        match byte {
            b'\t' if tabs => out.extend_from_slice(b"^I"),
            b'\t' => out.push(b'\t'),
            _ if !marks => out.push(*byte),
            128.. => {
                out.extend_from_slice(b"M-");
                caret(out, byte & 127);
            }
            byte => caret(out, *byte),
        }
    }
}

fn caret(out: &mut Vec<u8>, byte: u8) {
    match byte {
        0..32 => out.extend([b'^', byte + 64]),
        127 => out.extend_from_slice(b"^?"),
        _ => out.push(byte),
    }
}

pub(super) async fn tee(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "aip", &[("append", b'a')])?;
    let mut status = 0;
    let mut streams = vec![call.shell.stdout()];
    for name in &flags.operands {
        match call.shell.open_to_write(name, flags.has(b'a')) {
            Ok(stream) => streams.push(stream),
            Err(error) => {
                call.say(call.shell.refusal(name, &error, true)).await;
                status = 1;
            }
        }
    }
    let mut reader = Reader::new(call.shell.stdin());
    loop {
        let piece = reader.piece().await?;
        if piece.is_empty() {
            return Ok(status);
        }
        for stream in &streams {
            stream.write(&piece).await?;
        }
    }
}

pub(super) async fn tac(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "s:", &[("separator", b's')])?;
    let end_mark = flags.value(b's').and_then(|text| text.first().copied()).unwrap_or(b'\n');
    let mut out = call.writer();
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else { return Ok(1) };
        let text = reader.all(ALL_MAX).await?;
        let mut end = text.len();
        for at in memchr::memrchr_iter(end_mark, text.get(..text.len().saturating_sub(1)).unwrap_or_default()) {
            out.put(text.get(at + 1..end).unwrap_or_default());
            out.step().await?;
            end = at + 1;
        }
        out.put(text.get(..end).unwrap_or_default());
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn rev(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "", &[])?;
    let mut out = call.writer();
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else { return Ok(1) };
        while let Some(line) = reader.line(b'\n').await? {
            let mut all: Vec<&[u8]> = characters(line).collect();
            all.reverse();
            out.buffer().extend(all.concat());
            if reader.delimited {
                out.put(b"\n");
            }
            out.step().await?;
        }
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn nl(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "b:w:s:v:n:i:", &[("body-numbering", b'b')])?;
    let all = flags.value(b'b').is_some_and(|style| style == b"a");
    let width = flags.number(b'w')?.unwrap_or(6);
    let separator = flags.value(b's').cloned().unwrap_or_else(|| b"\t".to_vec());
    let mut number = flags.number(b'v')?.unwrap_or(1);
    let step = flags.number(b'i')?.unwrap_or(1);
    let layout = flags.value(b'n').cloned().unwrap_or_else(|| b"rn".to_vec());
    let mut out = call.writer();
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else { return Ok(1) };
        while let Some(line) = reader.line(b'\n').await? {
            if line.is_empty() && !all {
                out.put(" ".repeat(width + separator.len()).as_bytes());
            } else {
                let text = match layout.as_slice() {
                    b"ln" => format!("{number:<width$}"),
                    b"rz" => format!("{number:0>width$}"),
                    _ => format!("{number:>width$}"),
                };
                out.put(text.as_bytes());
                out.put(&separator);
                out.put(line);
                number += step;
            }
            out.line(b"").await?;
        }
    }
    out.flush().await?;
    Ok(0)
}
