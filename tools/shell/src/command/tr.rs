//! `tr`

use super::{Call, Flags, Reader};
use crate::escape::{self, Escape, Style};
use crate::stop::{Flow, failed};

/// A set of bytes in its order.
fn set(text: &[u8], fill: Option<usize>) -> Vec<u8> {
    let mut units: Vec<(u8, bool)> = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        if *byte == b'\\' {
            let (sequence, taken) = escape::read(text.get(at..).unwrap_or_default(), Style::Printf);
            match (sequence, taken) {
                (Escape::Bytes(bytes), _) => units.extend(bytes.into_iter().map(|byte| (byte, true))),
                _ => {
                    units.extend(text.get(at).map(|byte| (*byte, true)));
                    at += 1;
                    continue;
                }
            }
            at += taken;
        } else {
            units.push((*byte, false));
        }
    }
    let mut out = Vec::new();
    let mut at = 0;
    let plain = |at: usize| units.get(at).filter(|unit| !unit.1).map(|unit| unit.0);
    while let Some((byte, _)) = units.get(at) {
        if plain(at) == Some(b'[') && plain(at + 1) == Some(b':') {
            let name: String = (at + 2..).map_while(plain).take_while(|byte| *byte != b':').map(char::from).collect();
            let end = at + 2 + name.len();
            if plain(end) == Some(b':')
                && plain(end + 1) == Some(b']')
                && crate::pattern::CLASS_NAMES.contains(&name.as_str())
            {
                let in_class = |byte: &u8| byte.is_ascii() && crate::pattern::in_class(&name, char::from(*byte));
                out.extend((0..=127_u8).filter(in_class));
                at = end + 2;
                continue;
            }
        }
        if plain(at) == Some(b'[') && plain(at + 2) == Some(b'*') {
            let digits: String = (at + 3..).map_while(plain).take_while(u8::is_ascii_digit).map(char::from).collect();
            if plain(at + 3 + digits.len()) == Some(b']') {
                let count = digits.parse().unwrap_or(0);
                let count = if count == 0 { fill.unwrap_or(0).saturating_sub(out.len()) } else { count };
                let byte = units.get(at + 1).map_or(0, |unit| unit.0);
                out.extend(std::iter::repeat_n(byte, count.min(1024)));
                at += 4 + digits.len();
                continue;
            }
        }
        if plain(at + 1) == Some(b'-')
            && let Some((last, _)) = units.get(at + 2)
        {
            out.extend(*byte..=*last);
            at += 3;
            continue;
        }
        out.push(*byte);
        at += 1;
    }
    out
}

pub(super) async fn tr(call: Call<'_>) -> Flow<i32> {
    let long = [("delete", b'd'), ("squeeze-repeats", b's'), ("complement", b'c'), ("truncate-set1", b't')];
    let flags = Flags::parse(call.arguments, "+dscCt", &long)?;
    let (delete, squeeze) = (flags.has(b'd'), flags.has(b's'));
    let (first, second) = match (flags.operands.as_slice(), delete, squeeze) {
        ([first], true, false) | ([first], false, true) => (first, None),
        ([first, second], true, true) | ([first, second], false, _) => (first, Some(second)),
        ([], ..) => return failed("missing operand"),
        ([first], ..) => return failed(format!("missing operand after '{}'", crate::text::shown(first))),
        _ => return failed("extra operand"),
    };
    let mut from = set(first, None);
    if flags.has(b'c') || flags.has(b'C') {
        from = (0..=255).filter(|byte| !from.contains(byte)).collect();
    }
    let to = second.map(|second| set(second, Some(from.len())));
    let mut map: Vec<u8> = (0..=255).collect();
    if let Some(to) = to.as_ref().filter(|_| !delete) {
        let Some(last) = to.last() else { return failed("when not truncating set1, string2 must be non-empty") };
        for (at, byte) in from.iter().enumerate() {
            if flags.has(b't') && at >= to.len() {
                break;
            }
            if let Some(slot) = map.get_mut(usize::from(*byte)) {
                *slot = *to.get(at).unwrap_or(last);
            }
        }
    }
    let mut gone = vec![false; 256];
    let mut once = vec![false; 256];
    if delete {
        mark(&mut gone, &from);
    }
    if squeeze {
        mark(&mut once, to.as_ref().unwrap_or(&from));
    }
    let mut reader = Reader::new(call.shell.stdin());
    let stream = call.shell.stdout();
    let mut last = None;
    loop {
        let mut piece = reader.piece().await?;
        if piece.is_empty() {
            return Ok(0);
        }
        if delete {
            piece.retain(|byte| !gone.get(usize::from(*byte)).copied().unwrap_or(false));
        } else {
            for byte in &mut piece {
                *byte = map.get(usize::from(*byte)).copied().unwrap_or(*byte);
            }
        }
        if squeeze {
            piece.retain(|byte| {
                let repeated = last == Some(*byte) && once.get(usize::from(*byte)).copied().unwrap_or(false);
                last = Some(*byte);
                !repeated
            });
        }
        stream.write(&piece).await?;
    }
}

fn mark(table: &mut [bool], bytes: &[u8]) {
    for byte in bytes {
        if let Some(slot) = table.get_mut(usize::from(*byte)) {
            *slot = true;
        }
    }
}
