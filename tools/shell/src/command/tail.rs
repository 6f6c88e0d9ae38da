//! `head` and `tail`

use std::collections::VecDeque;

use bstr::ByteSlice;

use super::{Call, Flags, Reader, or_stdin};
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;

/// How many lines or bytes, and from which end.
struct Amount {
    count: u64,
    /// Counted from the other end than usual: `head -n -2`, `tail -n +3`.
    other: bool,
    bytes: bool,
}

/// `-5` for `-n 5`, as of old.
fn modern(arguments: &[Text]) -> Vec<Text> {
    let mut all = arguments.to_vec();
    if let Some(first) = all.first_mut() {
        let digits = first.get(1..).unwrap_or_default();
        let old = first.starts_with(b"-") && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        if old {
            *first = [b"-n", digits].concat();
        }
    }
    all
}

fn amount(flags: &Flags, mark: u8) -> Flow<Amount> {
    let bytes = flags.last(b"nc") == Some(b'c');
    let text = flags.value(if bytes { b'c' } else { b'n' }).cloned().unwrap_or_else(|| b"10".to_vec());
    let other = text.first() == Some(&mark);
    let shown = text.to_str_lossy();
    let digits = shown.trim_start_matches(['+', '-']);
    let (digits, unit) = match digits.as_bytes().last() {
        Some(b'k' | b'K') => (&digits[..digits.len() - 1], 1024),
        Some(b'M') => (&digits[..digits.len() - 1], 1 << 20),
        _ => (digits, 1),
    };
    let what = if bytes { "bytes" } else { "lines" };
    let count: u64 = digits.parse().map_err(|_| Stop::Failed(format!("invalid number of {what}: '{shown}'"), 1))?;
    Ok(Amount { count: count.saturating_mul(unit), other, bytes })
}

async fn each(call: Call<'_>, from_start: bool) -> Flow<i32> {
    let arguments = modern(call.arguments);
    let long = [("lines", b'n'), ("bytes", b'c'), ("quiet", b'q'), ("silent", b'q'), ("verbose", b'v')];
    let flags = Flags::parse(&arguments, "n:c:qvfFz", &long)?;
    if flags.has(b'f') || flags.has(b'F') {
        return crate::stop::failed("-f: nothing else runs in the sandbox that could make the file grow");
    }
    let amount = amount(&flags, if from_start { b'-' } else { b'+' })?;
    let names = or_stdin(&flags.operands);
    let titled = names.len() > 1 && !flags.has(b'q') || flags.has(b'v');
    let mut status = 0;
    let mut first = true;
    for name in &names {
        let Some(mut reader) = open(&call, name).await else {
            status = 1;
            continue;
        };
        let mut out = call.writer();
        if titled {
            let shown = if name == b"-" { "standard input".into() } else { name.to_str_lossy() };
            out.put(format!("{}==> {shown} <==\n", if first { "" } else { "\n" }).as_bytes());
        }
        first = false;
        match (from_start, amount.other) {
            (true, false) => start(&mut reader, &mut out, &amount).await?,
            (true, true) => all_but_last(&mut reader, &mut out, &amount).await?,
            (false, true) => from(&mut reader, &mut out, &amount).await?,
            (false, false) => last(&mut reader, &mut out, &amount).await?,
        }
        out.flush().await?;
    }
    Ok(status)
}

async fn open(call: &Call<'_>, name: &[u8]) -> Option<Reader> {
    if name == b"-" {
        return Some(Reader::new(call.shell.stdin()));
    }
    match call.shell.open_to_read(name) {
        Ok(stream) => Some(Reader::new(stream)),
        Err(error) => {
            let text = call.shell.refusal(name, &error, false);
            let rest = text.get(name.to_str_lossy().len()..).unwrap_or_default();
            call.say(format!("cannot open '{}' for reading{rest}", name.to_str_lossy())).await;
            None
        }
    }
}

pub(super) async fn head(call: Call<'_>) -> Flow<i32> {
    each(call, true).await
}

pub(super) async fn tail(call: Call<'_>) -> Flow<i32> {
    each(call, false).await
}

type Out = super::Writer;

async fn start(reader: &mut Reader, out: &mut Out, amount: &Amount) -> Flow<()> {
    let mut left = amount.count;
    while left > 0 {
        if amount.bytes {
            let piece = reader.piece().await?;
            if piece.is_empty() {
                break;
            }
            let keep = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            out.put(piece.get(..keep).unwrap_or_default());
            left -= keep as u64;
        } else {
            let Some(line) = reader.line(b'\n').await? else { break };
            out.put(line);
            if reader.delimited {
                out.put(b"\n");
            }
            left -= 1;
        }
        out.step().await?;
    }
    Ok(())
}

async fn all_but_last(reader: &mut Reader, out: &mut Out, amount: &Amount) -> Flow<()> {
    if amount.bytes {
        let all = reader.all(usize::MAX).await?;
        let keep = all.len().saturating_sub(usize::try_from(amount.count).unwrap_or(usize::MAX));
        out.put(all.get(..keep).unwrap_or_default());
        return Ok(());
    }
    let mut held: VecDeque<Vec<u8>> = VecDeque::new();
    while let Some(line) = reader.line(b'\n').await? {
        held.push_back(line.to_vec());
        if held.len() as u64 > amount.count
            && let Some(line) = held.pop_front()
        {
            out.line(&line).await?;
        }
    }
    Ok(())
}

async fn from(reader: &mut Reader, out: &mut Out, amount: &Amount) -> Flow<()> {
    let mut skip = amount.count.saturating_sub(1);
    while skip > 0 {
        if amount.bytes {
            let piece = reader.piece().await?;
            if piece.is_empty() {
                return Ok(());
            }
            let gone = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
            out.put(piece.get(gone..).unwrap_or_default());
            skip -= gone as u64;
        } else {
            if reader.line(b'\n').await?.is_none() {
                return Ok(());
            }
            skip -= 1;
        }
    }
    loop {
        out.step().await?;
        let piece = reader.piece().await?;
        if piece.is_empty() {
            return Ok(());
        }
        out.put(&piece);
    }
}

/// The last lines; never more in memory than they and one piece.
async fn last(reader: &mut Reader, out: &mut Out, amount: &Amount) -> Flow<()> {
    let mut kept: Vec<u8> = Vec::new();
    loop {
        let piece = reader.piece().await?;
        if piece.is_empty() {
            break;
        }
        kept.extend_from_slice(&piece);
        if kept.len() > 4 << 20 {
            kept.drain(..cut(&kept, amount));
        }
    }
    out.put(kept.get(cut(&kept, amount)..).unwrap_or_default());
    Ok(())
}

/// Where the last lines or bytes begin.
fn cut(kept: &[u8], amount: &Amount) -> usize {
    let count = usize::try_from(amount.count).unwrap_or(usize::MAX);
    if amount.bytes {
        return kept.len().saturating_sub(count);
    }
    if count == 0 {
        return kept.len();
    }
    let body = kept.strip_suffix(b"\n").unwrap_or(kept);
    memchr::memrchr_iter(b'\n', body).nth(count - 1).map_or(0, |at| at + 1)
}
