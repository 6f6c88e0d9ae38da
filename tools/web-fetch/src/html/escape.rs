//! Text as Markdown: only what Markdown would take for markup is escaped, because every escape is noise for a reader.

/// Where text stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// Inside a link's text, where brackets must not end it.
    pub(crate) link: bool,
    /// Inside a table, where a bar ends the cell.
    pub(crate) table: bool,
}

/// Appends a word (text without white space) to `out`. `after` is what follows it, if that is known.
pub(crate) fn word(word: &str, after: Option<char>, place: Place, out: &mut String) {
    if !word.bytes().any(is_special) {
        out.push_str(word);
        return;
    }
    let mut previous = out.chars().next_back().unwrap_or(' ');
    let mut rest = word.chars();
    while let Some(char) = rest.next() {
        let next = rest.clone().next().or(after);
        if needs_escape(char, previous, next, rest.as_str(), place) {
            out.push('\\');
        }
        out.push(char);
        previous = char;
    }
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'\\' | b'`' | b'*' | b'_' | b'[' | b']' | b'<' | b'&' | b'~' | b'|')
}

fn needs_escape(char: char, previous: char, next: Option<char>, rest: &str, place: Place) -> bool {
    match char {
        '`' => true,
        '\\' => next.is_none_or(|next| next.is_ascii_punctuation()),
        // Where emphasis cannot begin it cannot end.
        '*' => next.is_none_or(|next| !next.is_whitespace()),
        '_' => !previous.is_alphanumeric() && next.is_none_or(|next| !next.is_whitespace()),
        '[' => place.link,
        ']' => place.link || matches!(next, Some('(' | '[' | ':')),
        '<' => next.is_none_or(|next| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?')),
        '&' => is_entity(rest),
        '~' => previous == '~' || next == Some('~'),
        '|' => place.table,
        _ => false,
    }
}

/// Whether this, after a `&`, would be read as a character reference.
fn is_entity(rest: &str) -> bool {
    let name = rest.split(';').next().unwrap_or_default();
    name.len() < rest.len()
        && name.len() <= 32
        && name.starts_with(|first: char| first == '#' || first.is_ascii_alphabetic())
        && name.chars().skip(1).all(|char| char.is_ascii_alphanumeric())
}

/// Where in a line a backslash is needed so that its start is no heading, list or quote.
pub(crate) fn line_start(line: &str) -> Option<usize> {
    let blank_after = |at: usize| line.get(at..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    match line.as_bytes().first()? {
        b'#' => {
            let level = line.bytes().take_while(|byte| *byte == b'#').count();
            (level <= 6 && blank_after(level)).then_some(0)
        }
        b'>' => Some(0),
        b'+' => blank_after(1).then_some(0),
        b'*' => (line == "*" || line.starts_with("* ")).then_some(0),
        b'-' => (blank_after(1) || line.bytes().all(|byte| matches!(byte, b'-' | b' '))).then_some(0),
        b'=' => line.bytes().all(|byte| byte == b'=').then_some(0),
        b'0'..=b'9' => {
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let marks = matches!(line.as_bytes().get(digits), Some(b'.' | b')'));
            (digits <= 9 && marks && blank_after(digits + 1)).then_some(digits)
        }
        _ => None,
    }
}

/// A code span that holds `code`, whatever ticks are in it.
pub(crate) fn code_span(code: &str) -> String {
    let ticks = "`".repeat(longest_run(code, '`') + 1);
    let pad = if code.starts_with('`') || code.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{code}{pad}{ticks}")
}

/// The fence for a block of `code`.
pub(crate) fn fence(code: &str) -> String {
    "`".repeat(longest_run(code, '`').saturating_add(1).max(3))
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for char in text.chars() {
        run = if char == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// A link's destination as it stands between the parentheses.
pub(crate) fn destination(url: &str) -> String {
    let mut depth = 0_i32;
    let mut balanced = true;
    for char in url.chars() {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            ' ' | '<' | '>' => balanced = false,
            _ => {}
        }
        balanced &= depth >= 0;
    }
    // A bar would end a cell of a table.
    let url = url.replace('|', "%7C");
    if balanced && depth == 0 { url } else { format!("<{}>", url.replace(['<', '>'], "")) }
}
