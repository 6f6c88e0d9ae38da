//! `column`, `unexpand`, `factor`

use bstr::ByteSlice;

use super::{Call, Flags, Reader, or_stdin};
use crate::stop::{Flow, failed, misused};
use crate::syntax::ast::Text;
use crate::text::length;

/// What `column` keeps in memory.
const ALL_MAX: usize = 64 << 20;

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) async fn column(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("table", b't'),
        ("separator", b's'),
        ("output-separator", b'o'),
        ("table-columns", b'N'),
        ("table-right", b'R'),
    ];
    let flags = Flags::parse(call.arguments, "ts:o:c:xN:R:e", &long)?;
    let mut rows: Vec<Vec<Text>> = Vec::new();
    let separators = flags.value(b's').cloned();
    let split = |line: &[u8]| -> Vec<Text> {
        match &separators {
            Some(marks) => line.split(|byte| marks.contains(byte)).map(<[u8]>::to_vec).collect(),
            None => line
                .split(|byte| matches!(byte, b' ' | b'\t'))
                .filter(|cell| !cell.is_empty())
                .map(<[u8]>::to_vec)
                .collect(),
        }
    };
    if let Some(names) = flags.value(b'N') {
        rows.push(names.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect());
    }
    let (mut status, mut size) = (0, 0);
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else {
            status = 1;
            continue;
        };
        while let Some(line) = reader.line(b'\n').await? {
            size += line.len();
            if size > ALL_MAX {
                return failed(format!("the input has more than {} MiB", ALL_MAX >> 20));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            rows.push(if flags.has(b't') { split(line) } else { vec![line.to_vec()] });
        }
    }
    if !flags.has(b't') {
        return fill(&call, rows.concat(), flags.number(b'c')?.unwrap_or(80)).await.map(|()| status);
    }
    let between = flags.value(b'o').cloned().unwrap_or_else(|| b"  ".to_vec());
    let right: Vec<usize> = flags
        .value(b'R')
        .map(|text| text.to_str_lossy().split(',').filter_map(|number| number.parse().ok()).collect())
        .unwrap_or_default();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| length(cell)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = call.writer();
    for row in &rows {
        let last = columns.saturating_sub(1);
        for (at, width) in widths.iter().enumerate() {
            let cell = row.get(at).map(Vec::as_slice).unwrap_or_default();
            let space = vec![b' '; width.saturating_sub(length(cell))];
            let flush_right = right.contains(&(at + 1));
            if flush_right {
                out.put(&space);
            }
            out.put(cell);
            if at < last {
                if !flush_right {
                    out.put(&space);
                }
                out.put(&between);
            }
        }
        out.line(b"").await?;
    }
    out.flush().await?;
    Ok(status)
}

/// Entries in columns, each from top to bottom, with tabs between them.
async fn fill(call: &Call<'_>, entries: Vec<Text>, width: usize) -> Flow<()> {
    let widest = entries.iter().map(|entry| length(entry)).max().unwrap_or(0);
    let room = (widest / 8 + 1) * 8;
    let columns = (width / room).max(1);
    let rows = entries.len().div_ceil(columns);
    let mut out = call.writer();
    for row in 0..rows {
        for at in (row..entries.len()).step_by(rows.max(1)) {
            let Some(entry) = entries.get(at) else { break };
            out.put(entry);
            if at + rows < entries.len() {
                out.put(&vec![b'\t'; (room - length(entry)).div_ceil(8)]);
            }
        }
        out.line(b"").await?;
    }
    out.flush().await
}

pub(super) async fn unexpand(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "at:", &[("all", b'a'), ("tabs", b't'), ("first-only", 1)])?;
    let stop = flags.number(b't')?.unwrap_or(8).max(1);
    let every = (flags.has(b'a') || flags.has(b't')) && !flags.has(1);
    let mut out = call.writer();
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else { return Ok(1) };
        while let Some(line) = reader.line(b'\n').await? {
            let (mut column, mut blanks, mut leading) = (0, 0, true);
            for byte in line {
                match byte {
                    b' ' if leading || every => {
                        blanks += 1;
                        column += 1;
                        // One blank before a stop stays one, except at the start of a line.
                        if column % stop == 0 && (blanks > 1 || leading) {
                            out.put(b"\t");
                            blanks = 0;
                        }
                    }
                    b'\t' => {
                        blanks = 0;
                        column = (column / stop + 1) * stop;
                        out.put(b"\t");
                    }
                    other => {
                        leading = false;
                        column += 1;
                        out.put(&vec![b' '; std::mem::take(&mut blanks)]);
                        out.put(&[*other]);
                    }
                }
            }
            out.put(&vec![b' '; blanks]);
            if reader.delimited {
                out.put(b"\n");
            }
            out.step().await?;
        }
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn factor(call: Call<'_>) -> Flow<i32> {
    let mut numbers: Vec<Text> = call.arguments.to_vec();
    if numbers.is_empty() {
        let text = Reader::new(call.shell.stdin()).all(1 << 20).await?;
        numbers = text.fields().map(<[u8]>::to_vec).collect();
    }
    let mut out = call.writer();
    let mut status = 0;
    for text in numbers {
        let Ok(number) = text.to_str_lossy().parse::<u64>() else {
            call.say(format!("'{}' is not a valid positive integer", text.to_str_lossy())).await;
            status = 1;
            continue;
        };
        if number > 1 << 53 {
            return misused("numbers above 2^53 are not available in the sandbox");
        }
        out.put(format!("{number}:").as_bytes());
        let (mut rest, mut by) = (number, 2);
        while by * by <= rest {
            while rest % by == 0 {
                out.put(format!(" {by}").as_bytes());
                rest /= by;
            }
            by += if by == 2 { 1 } else { 2 };
            crate::task::breathe().await;
        }
        if rest > 1 {
            out.put(format!(" {rest}").as_bytes());
        }
        out.line(b"").await?;
    }
    out.flush().await?;
    Ok(status)
}
