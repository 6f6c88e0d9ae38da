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

/// Keys whose values are shown in a text that cannot be parsed.
const PLAIN: [&str; 11] = [
    "source",
    "allow",
    "deny",
    "mounts",
    "limits",
    "env-file",
    "config-file",
    "ceiling",
    "strict-imports",
    "quota",
    "ttl",
];

/// The place of `span` in `text`.
pub(super) fn excerpt(text: &str, span: &Range<usize>) -> Place {
    let start = text.floor_char_boundary(span.start);
    let before = text.get(..start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
    let line = line_start..line_end;
    let marked = start..text.ceil_char_boundary(span.end.min(line_end)).max(start);
    let hidden = hidden_values(text).unwrap_or_else(|| unparsed(text, &line).into_iter().collect());
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

/// Where the values are that must not be shown; `None` if the text does not parse.
fn hidden_values(text: &str) -> Option<Vec<Range<usize>>> {
    let table = DeTable::parse(text).ok()?;
    let mut hidden = Vec::new();
    hide_in(table.get_ref(), &mut Vec::new(), &mut hidden);
    Some(hidden)
}

fn hide_in<'t>(table: &'t DeTable<'_>, path: &mut Vec<&'t str>, hidden: &mut Vec<Range<usize>>) {
    for (key, value) in table.iter() {
        path.push(key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if path.len() < DEEPEST => hide_in(inner, path, hidden),
            found if is_plain(path) && !is_url(path, found) => {}
            _ => hidden.push(value.span()),
        }
        path.pop();
    }
}

fn is_plain(path: &[&str]) -> bool {
    matches!(
        path,
        ["stores" | "buckets", _, "store" | "quota" | "ttl"]
            | ["tools", _, "mounts" | "buckets" | "limits", _]
            | ["tools", _, "env" | "config", _, "file"]
            | ["tools", _, "source" | "allow" | "deny" | "ceiling" | "strict-imports" | "env-file" | "config-file"]
    )
}

/// Whether it is the URL of a server, which may have a password in it.
fn is_url(path: &[&str], value: &DeValue<'_>) -> bool {
    let is_store = matches!(path, [_, _, "store"] | [_, _, "mounts" | "buckets", _]);
    is_store && value.as_str().is_some_and(|text| text.contains("://"))
}

/// What of a line must not be shown where nobody can say what it is.
fn unparsed(text: &str, line: &Range<usize>) -> Option<Range<usize>> {
    let content = text.get(line.clone()).unwrap_or_default();
    let before = text.get(..line.start).unwrap_or_default();
    if before.contains("\"\"\"") || before.contains("'''") {
        // It may be the middle of a value.
        return Some(line.clone());
    }
    let key = content.trim_start().split([' ', '\t', '=']).next().unwrap_or_default();
    let value = content.find('=').map(|at| at + 1);
    let is_plain = PLAIN.contains(&key)
        && value.and_then(|at| content.get(at..)).is_none_or(|value| {
            // Another key may follow on the same line.
            !value.contains('=') && (matches!(key, "allow" | "deny") || !value.contains("://"))
        });
    if is_plain {
        return None;
    }
    let quote = content.find(['"', '\'']).filter(|_| !content.trim_start().starts_with('['));
    [value, quote].into_iter().flatten().min().map(|at| line.start + at..line.end)
}
