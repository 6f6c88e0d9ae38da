//! JSON with line ends and indents. Only white space changes: numbers, order and duplicate keys stay as they came.

use serde::de::IgnoredAny;

/// `text` put in order; `None` if it is no JSON, or if it would take more than `max` bytes.
pub(crate) fn pretty(text: &str, max: usize) -> Option<String> {
    // This also bounds the depth.
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len());
    let mut depth = 0_usize;
    let mut tokens = text.char_indices().peekable();
    while let Some((at, char)) = tokens.next() {
        if out.len() > max {
            return None;
        }
        match char {
            '"' => {
                let end = string_end(text, at);
                out.push_str(text.get(at..end).unwrap_or_default());
                while tokens.next_if(|(next, _)| *next < end).is_some() {}
            }
            '{' | '[' => {
                while tokens.next_if(|(_, next)| next.is_ascii_whitespace()).is_some() {}
                out.push(char);
                if let Some((_, close)) = tokens.next_if(|(_, next)| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(char);
            }
            ',' => {
                out.push(char);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ if char.is_ascii_whitespace() => {}
            _ => out.push(char),
        }
    }
    out.push('\n');
    Some(out)
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// The place after the string that begins at `start`.
fn string_end(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
