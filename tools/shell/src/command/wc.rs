//! `wc`

use bstr::ByteSlice;

use super::{Call, Flags, or_stdin};
use crate::stop::Flow;

#[derive(Clone, Copy, Default)]
struct Counts {
    lines: u64,
    words: u64,
    characters: u64,
    bytes: u64,
    longest: u64,
}

pub(super) async fn wc(call: Call<'_>) -> Flow<i32> {
    let long = [("lines", b'l'), ("words", b'w'), ("chars", b'm'), ("bytes", b'c'), ("max-line-length", b'L')];
    let flags = Flags::parse(call.arguments, "lwmcL", &long)?;
    let all = flags.last(b"lwmcL").is_none();
    let wanted = |letter: u8| flags.has(letter) || all && b"lwc".contains(&letter);
    let mut rows = Vec::new();
    let mut status = 0;
    let mut total = Counts::default();
    let words = wanted(b'w') || wanted(b'm') || wanted(b'L');
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else {
            status = 1;
            continue;
        };
        let mut counts = Counts::default();
        let (mut inside, mut width) = (false, 0_u64);
        loop {
            let piece = reader.piece().await?;
            if piece.is_empty() {
                break;
            }
            counts.bytes += piece.len() as u64;
            counts.lines += memchr::memchr_iter(b'\n', &piece).count() as u64;
            if words {
                count_words(&piece, &mut counts, &mut inside, &mut width);
            }
        }
        counts.longest = counts.longest.max(width);
        total.lines += counts.lines;
        total.words += counts.words;
        total.characters += counts.characters;
        total.bytes += counts.bytes;
        total.longest = total.longest.max(counts.longest);
        rows.push((counts, if flags.operands.is_empty() { None } else { Some(name) }));
    }
    if rows.len() + usize::try_from(status).unwrap_or(0) > 1 {
        rows.push((total, Some(b"total".to_vec())));
    }
    let columns = b"lwmcL".iter().filter(|letter| wanted(**letter)).count();
    let width = if columns == 1 && rows.len() == 1 {
        1
    } else if flags.operands.is_empty() {
        7
    } else {
        total.bytes.to_string().len()
    };
    let mut out = call.writer();
    for (counts, name) in rows {
        let values = [
            (b'l', counts.lines),
            (b'w', counts.words),
            (b'm', counts.characters),
            (b'c', counts.bytes),
            (b'L', counts.longest),
        ];
        let shown: Vec<String> =
            values.iter().filter(|(letter, _)| wanted(*letter)).map(|(_, value)| format!("{value:width$}")).collect();
        out.put(shown.join(" ").as_bytes());
        if let Some(name) = name {
            out.put(b" ");
            out.put(&name);
        }
        out.line(b"").await?;
    }
    out.flush().await?;
    Ok(status)
}

fn count_words(piece: &[u8], counts: &mut Counts, inside: &mut bool, width: &mut u64) {
    for byte in piece.as_bytes() {
        // A byte that continues a character is none of its own.
        let starts = byte & 0xc0 != 0x80;
        counts.characters += u64::from(starts);
        let space = byte.is_ascii_whitespace() || *byte == 11;
        if *byte == b'\n' {
            counts.longest = counts.longest.max(*width);
            *width = 0;
        } else if *byte == b'\t' {
            *width += 8 - *width % 8;
        } else {
            *width += u64::from(starts);
        }
        if space {
            *inside = false;
        } else if !*inside {
            *inside = true;
            counts.words += 1;
        }
    }
}
