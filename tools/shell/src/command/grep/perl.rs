//! What of Perl's syntax (`-P`) can be matched in linear time.
//!
//! Beyond what the automaton has: `\d`, `\w`, `\s` are those of ASCII; `\K` and a look-behind at the start, and a look-ahead at the
//! end, become text around a group, which is then what is found.

/// The expression, and the group that is what is found: 0, or 1 where text is looked at around it.
pub(super) fn translate(pattern: &str) -> Result<(String, usize), String> {
    let (before, middle, after) = split(pattern)?;
    if before.is_empty() && after.is_empty() {
        return Ok((ascii(middle)?, 0));
    }
    Ok((format!("(?:{})(?<found_>{})(?:{})", ascii(before)?, ascii(middle)?, ascii(after)?), 1))
}

fn refuse(what: &str) -> String {
    format!("{what} is not available: expressions are matched in linear time in the sandbox")
}

/// What is looked at before, what is found, what is looked at after.
fn split(pattern: &str) -> Result<(&str, &str, &str), String> {
    let (mut before, mut rest, mut after) = ("", pattern, "");
    if let Some(inner) = rest.strip_prefix("(?<=") {
        let end = closing(inner).ok_or("missing closing parenthesis")?;
        (before, rest) = (inner.get(..end).unwrap_or_default(), inner.get(end + 1..).unwrap_or_default());
    } else if let Some(at) = find(rest, r"\K") {
        (before, rest) = (rest.get(..at).unwrap_or_default(), rest.get(at + 2..).unwrap_or_default());
    }
    if let Some(at) = find(rest, "(?=") {
        let inner = rest.get(at + 3..).unwrap_or_default();
        let end = closing(inner).ok_or("missing closing parenthesis")?;
        if end + 1 < inner.len() {
            return Err(refuse("a look-ahead in the middle"));
        }
        (rest, after) = (rest.get(..at).unwrap_or_default(), inner.get(..end).unwrap_or_default());
    }
    for (mark, name) in [
        ("(?=", "a second look-ahead"),
        ("(?!", "a negative look-ahead"),
        ("(?<=", "a look-behind in the middle"),
        ("(?<!", "a negative look-behind"),
        (r"\K", r"a second \K"),
    ] {
        if find(rest, mark).is_some() || find(before, mark).is_some() || find(after, mark).is_some() {
            return Err(refuse(name));
        }
    }
    // Parentheses around the place where it is split would be torn apart.
    if [before, rest, after].iter().any(|part| depth(part) != 0)
        || find_alternative(rest) && !(before.is_empty() && after.is_empty()) && pattern.contains(r"\K")
    {
        return Err(refuse(r"\K inside a group or an alternative"));
    }
    Ok((before, rest, after))
}

/// Where a text stands that is neither escaped nor in a bracket.
fn find(pattern: &str, wanted: &str) -> Option<usize> {
    let bytes = pattern.as_bytes();
    let (mut at, mut class) = (0, false);
    while at < bytes.len() {
        let rest = bytes.get(at..)?;
        if !class && rest.starts_with(wanted.as_bytes()) {
            return Some(at);
        }
        match rest.first()? {
            b'\\' => at += 1,
            b'[' => class = true,
            b']' => class = false,
            _ => {}
        }
        at += 1;
    }
    None
}

fn find_alternative(pattern: &str) -> bool {
    find(pattern, "|").is_some_and(|at| depth(pattern.get(..at).unwrap_or_default()) == 0)
}

/// How many parentheses are open at the end.
fn depth(pattern: &str) -> i32 {
    let count = |mark: &str| {
        let (mut rest, mut count) = (pattern, 0);
        while let Some(at) = find(rest, mark) {
            count += 1;
            rest = rest.get(at + 1..).unwrap_or_default();
        }
        count
    };
    count("(") - count(")")
}

/// Where the parenthesis is closed that was opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + find(text.get(from..)?, ")")?;
        if depth(text.get(..at)?) == 0 {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The classes of Perl as those of ASCII.
fn ascii(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len());
    let mut class = false;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '[' if class && letters.peek() != Some(&':') => out.push_str(r"\["),
            '[' => {
                // `[:alpha:]` inside stays as it is.
                if class {
                    out.push('[');
                    for letter in letters.by_ref() {
                        out.push(letter);
                        if letter == ']' {
                            break;
                        }
                    }
                    continue;
                }
                class = true;
                out.push('[');
                if letters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if letters.next_if_eq(&']').is_some() {
                    out.push_str(r"\]");
                }
            }
            ']' => {
                class = false;
                out.push(']');
            }
            '&' | '~' | '-' if class && letters.peek() == Some(&letter) => {
                // Twice they would mean an operation on sets.
                out.push('\\');
                out.push(letter);
            }
            '\\' => match letters.next() {
                Some('d') => out.push_str(if class { "0-9" } else { "[0-9]" }),
                Some('w') => out.push_str(if class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                Some('s') => out.push_str(if class { r" \t\n\r\f\v" } else { r"[ \t\n\r\f\v]" }),
                Some('h') => out.push_str(if class { r" \t" } else { r"[ \t]" }),
                Some('D') if !class => out.push_str("[^0-9]"),
                Some('W') if !class => out.push_str("[^0-9A-Za-z_]"),
                Some('S') if !class => out.push_str(r"[^ \t\n\r\f\v]"),
                Some('R') if !class => out.push_str(r"(?:\r\n|\n|\r)"),
                Some('b') if !class => out.push_str(r"(?-u:\b)"),
                Some('B') if !class => out.push_str(r"(?-u:\B)"),
                Some('Q') => {
                    let rest: String = letters.by_ref().collect();
                    let (literal, more) = rest.split_once(r"\E").unwrap_or((&rest, ""));
                    out.push_str(&crate::regex::escaped(literal.as_bytes()));
                    out.push_str(&ascii(more)?);
                    return Ok(out);
                }
                Some(digit @ '1'..='9') => return Err(refuse(&format!("the back-reference \\{digit}"))),
                Some(letter @ ('D' | 'W' | 'S')) => {
                    return Err(format!("\\{letter} inside brackets is not available in the sandbox"));
                }
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => return Err(r"\ at end of pattern".to_owned()),
            },
            other => out.push(other),
        }
    }
    Ok(out)
}
