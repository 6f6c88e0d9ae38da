//! The line of a toolbox that an error is about, without what must not be shown.
//!
//! A toolbox may have secrets in it: values of variables and configuration keys, passwords in URLs. So a value is shown only under a key
//! that is known to have none; what is under any other key, a misspelt one too, is `…`. Where the text cannot be parsed, so that it is not
//! known which value is whose, a line shows no value unless it begins with such a key.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::error::Place;

/// How deep a toolbox is, as in `tools.NAME.env.NAME.file`. What is deeper is not shown.
const DEEPEST: usize = 5;

/// How much of a long line is shown on each side of a place, in bytes: more than a terminal is wide.
const CONTEXT: usize = 240;

/// How many `#` of one line are looked at.
const MOST_MARKS: usize = 16;

/// The longest key or header that is shown in a text that cannot be parsed, in bytes.
const LONGEST_KEY: usize = 80;

/// Keys whose values are shown in a text that cannot be parsed.
const PLAIN: [&str; 9] =
    ["source", "allow", "deny", "env-file", "config-file", "ceiling", "strict-imports", "quota", "ttl"];

/// The place of `span` in `text`.
pub(super) fn excerpt(text: &str, span: &Range<usize>) -> Place {
    let start = text.floor_char_boundary(span.start);
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
    let line = line_start..line_end;
    let marked = start..text.ceil_char_boundary(span.end.min(line_end)).max(start);
    let hidden = hidden_in(text, &line).unwrap_or_else(|| unparsed(text, &line).into_iter().collect());
    let (shown, marked) = mask(text, &around(text, &line, start), &marked, &hidden);
    Place {
        line: before.matches('\n').count() + 1,
        column: text.get(line_start..start).unwrap_or_default().chars().count() + 1,
        text: shown,
        marked,
    }
}

/// The part of a long line that is around `start`.
fn around(text: &str, line: &Range<usize>, start: usize) -> Range<usize> {
    let from = text.floor_char_boundary(start.saturating_sub(CONTEXT)).max(line.start);
    let to = text.ceil_char_boundary(start.saturating_add(CONTEXT)).min(line.end);
    from..to
}

/// The line without what is hidden, and where the marked part is in it.
fn mask(text: &str, line: &Range<usize>, marked: &Range<usize>, hidden: &[Range<usize>]) -> (String, Range<usize>) {
    let mut shown = String::new();
    let hidden: Vec<_> = hidden.iter().filter(|range| range.start < line.end && line.start < range.end).collect();
    let (mut from, mut to) = (None, None);
    let mut in_hidden = false;
    let part = text.get(line.clone()).unwrap_or_default().trim_end_matches('\r');
    for (at, character) in part.char_indices().map(|(at, character)| (line.start + at, character)) {
        let is_hidden = hidden.iter().any(|range| range.contains(&at));
        // What is hidden is one character, whatever its length.
        let mark = shown.len() - if is_hidden && in_hidden { '…'.len_utf8() } else { 0 };
        if from.is_none() && at >= marked.start {
            from = Some(mark);
        }
        match (is_hidden, in_hidden) {
            (true, true) => {}
            (true, false) => shown.push('…'),
            (false, _) => shown.push(character),
        }
        in_hidden = is_hidden;
        if at < marked.end {
            to = Some(shown.len());
        }
    }
    let from = from.unwrap_or(shown.len());
    let to = to.unwrap_or(from).max(from);
    (shown, from..to)
}

/// What of a line must not be shown: values, and a comment, which may have been a value; `None` if the text does not parse.
fn hidden_in(text: &str, line: &Range<usize>) -> Option<Vec<Range<usize>>> {
    let table = DeTable::parse(text).ok()?;
    let mut parts = Parts::default();
    parts.add(table.get_ref(), &mut Vec::new());
    let Parts { mut hidden, shown } = parts;
    let is_in = |at: &usize| hidden.iter().chain(&shown).any(|part| part.contains(at));
    let marks = text.get(line.clone()).unwrap_or_default().match_indices('#').map(|(at, _)| line.start + at);
    // A long line is not looked at for ever: what is far into it begins a comment, for all that is known.
    let comment = marks.enumerate().find(|(number, at)| *number >= MOST_MARKS || !is_in(at));
    hidden.extend(comment.map(|(_, at)| at..line.end));
    Some(hidden)
}

/// Where keys and values are.
#[derive(Default)]
struct Parts {
    hidden: Vec<Range<usize>>,
    shown: Vec<Range<usize>>,
}

impl Parts {
    fn add<'t>(&mut self, table: &'t DeTable<'_>, path: &mut Vec<&'t str>) {
        for (key, value) in table.iter() {
            self.shown.push(key.span());
            path.push(key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) if path.len() < DEEPEST => self.add(inner, path),
                found if is_plain(path) && !is_url(path, found) => self.shown.push(value.span()),
                _ => self.hidden.push(value.span()),
            }
            path.pop();
        }
    }
}

fn is_plain(path: &[&str]) -> bool {
    const OF_A_TOOL: [&str; 10] = [
        "source",
        "title",
        "description",
        "hidden",
        "allow",
        "deny",
        "ceiling",
        "strict-imports",
        "env-file",
        "config-file",
    ];
    const OF_A_FUNCTION: [&str; 6] = ["name", "title", "description", "hidden", "allow", "deny"];
    match path {
        ["tools", _, key] => OF_A_TOOL.contains(key),
        ["tools", _, "functions", _, key] => OF_A_FUNCTION.contains(key),
        _ => matches!(
            path,
            ["stores" | "buckets", _, "store" | "quota" | "ttl"]
                | ["tools", _, "mounts" | "buckets" | "limits", _]
                | ["tools", _, "env" | "config", _, "file"]
                | ["defaults", "deny" | "strict-imports"]
                | ["defaults", "limits", _]
                | ["profiles", _, "tools" | "deny"]
                | ["profiles", _, "limits", _]
        ),
    }
}

/// Whether it may be the URL of a server, however misspelt, which may have a password in it.
fn is_url(path: &[&str], value: &DeValue<'_>) -> bool {
    let Some(text) = value.as_str() else { return false };
    // A password stands before an `@`; one at the beginning is a name's.
    let may_have_password = text.contains("://") || text.rfind('@').is_some_and(|at| at > 0);
    match path {
        ["buckets", _, "store"] | ["tools", _, "buckets", _] => {
            may_have_password || !["memory", "session", "sqlite:", "@"].iter().any(|start| text.starts_with(start))
        }
        ["stores", _, "store"] | ["tools", _, "mounts", _] => may_have_password,
        _ => false,
    }
}

/// What of a line must not be shown where nobody can say what it is: all but a header, a key, and the value of a key that has no secret.
fn unparsed(text: &str, line: &Range<usize>) -> Option<Range<usize>> {
    let content = text.get(line.clone()).unwrap_or_default();
    let before = text.get(..line.start).unwrap_or_default();
    let is_word = |text: &str| {
        text.len() <= LONGEST_KEY
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.[] \t".contains(&byte))
    };
    if before.contains("\"\"\"") || before.contains("'''") {
        // It may be the middle of a value.
        return Some(line.clone());
    }
    let Some((key, value)) = content.split_once('=').filter(|(key, _)| is_word(key)) else {
        let is_header = content.starts_with('[') && is_word(content.trim_end());
        return (!is_header).then(|| line.clone());
    };
    let key_end = line.start + key.len() + 1;
    // Another key may follow on the same line, or a comment.
    let is_plain = PLAIN.contains(&key.trim()) && !value.contains(['=', '#']);
    (!is_plain).then_some(key_end..line.end)
}
