//! Patterns as the shell matches them: `*`, `?`, `[…]`, and `?(…)`, `*(…)`, `+(…)`, `@(…)`, `!(…)`.
//!
//! A pattern is compiled once. Matching keeps the set of places that it has reached, so its time is bounded by the product of
//! both lengths, whatever the pattern.

use std::collections::BTreeSet;

use bstr::ByteSlice;

use crate::syntax::ast::Text;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    nodes: Vec<Node>,
    fold: bool,
}

#[derive(Clone, Debug)]
enum Node {
    Literal(Text),
    /// `?`
    One,
    /// `*`
    Any,
    Class(Class),
    Group(u8, Vec<Vec<Node>>),
}

#[derive(Clone, Debug)]
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
    names: Vec<&'static str>,
}

pub(crate) const CLASS_NAMES: [&str; 13] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
    "xdigit",
];

/// Whether the character belongs to a named class.
pub(crate) fn in_class(name: &str, letter: char) -> bool {
    match name {
        "alnum" => letter.is_alphanumeric(),
        "alpha" => letter.is_alphabetic(),
        "ascii" => letter.is_ascii(),
        "blank" => letter == ' ' || letter == '\t',
        "cntrl" => letter.is_control(),
        "digit" => letter.is_ascii_digit(),
        "graph" => !letter.is_control() && !letter.is_whitespace(),
        "lower" => letter.is_lowercase(),
        "print" => !letter.is_control(),
        "punct" => letter.is_ascii_punctuation(),
        "space" => letter.is_whitespace(),
        "upper" => letter.is_uppercase(),
        "xdigit" => letter.is_ascii_hexdigit(),
        _ => false,
    }
}

impl Pattern {
    /// Compiles a pattern in which a backslash takes the meaning from what follows.
    pub(crate) fn new(text: &[u8], fold: bool) -> Self {
        let mut at = 0;
        let nodes = compile(text, &mut at, 0, &mut BTreeSet::new());
        Self { nodes, fold }
    }

    /// Whether the whole text matches.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        if !self.fold {
            match self.nodes.as_slice() {
                [Node::Literal(literal)] => return literal == text,
                [Node::Any] => return true,
                [Node::Any, Node::Literal(end)] => return text.ends_with(end),
                [Node::Literal(start), Node::Any] => return text.starts_with(start),
                _ => {}
            }
        }
        self.ends(text, 0).contains(&text.len())
    }

    /// Whether the texts that every match contains are there, one after the other: false, and there is no match.
    pub(crate) fn may_match(&self, text: &[u8]) -> bool {
        let mut rest = text;
        self.fold
            || self.nodes.iter().all(|node| match node {
                Node::Literal(literal) => match rest.find(literal) {
                    Some(at) => {
                        rest = rest.get(at + literal.len()..).unwrap_or_default();
                        true
                    }
                    None => false,
                },
                _ => true,
            })
    }

    /// Where a match that begins at `from` can end.
    pub(crate) fn ends(&self, text: &[u8], from: usize) -> BTreeSet<usize> {
        run(&self.nodes, text, BTreeSet::from([from]), self.fold)
    }
}

/// The places after all nodes, from the places before.
fn run(nodes: &[Node], text: &[u8], mut places: BTreeSet<usize>, fold: bool) -> BTreeSet<usize> {
    for node in nodes {
        if places.is_empty() {
            break;
        }
        places = step(node, text, &places, fold);
    }
    places
}

fn step(node: &Node, text: &[u8], places: &BTreeSet<usize>, fold: bool) -> BTreeSet<usize> {
    match node {
        Node::Literal(literal) => places
            .iter()
            .filter(|place| {
                let piece = text.get(**place..**place + literal.len());
                piece.is_some_and(|piece| {
                    piece == literal.as_slice() || fold && crate::text::lower(piece) == crate::text::lower(literal)
                })
            })
            .map(|place| place + literal.len())
            .collect(),
        Node::One => places.iter().filter_map(|place| character(text, *place).map(|(_, end)| end)).collect(),
        Node::Any => places.first().map_or_else(BTreeSet::new, |first| (*first..=text.len()).collect()),
        Node::Class(class) => places
            .iter()
            .filter_map(|place| character(text, *place))
            .filter(|(letter, _)| class.has(*letter, fold))
            .map(|(_, end)| end)
            .collect(),
        Node::Group(kind, choices) => group(*kind, choices, text, places, fold),
    }
}

fn group(kind: u8, choices: &[Vec<Node>], text: &[u8], places: &BTreeSet<usize>, fold: bool) -> BTreeSet<usize> {
    let once = |from: &BTreeSet<usize>| -> BTreeSet<usize> {
        choices.iter().flat_map(|choice| run(choice, text, from.clone(), fold)).collect()
    };
    match kind {
        b'@' => once(places),
        b'?' => once(places).union(places).copied().collect(),
        b'!' => {
            let mut all = BTreeSet::new();
            for place in places {
                let not = once(&BTreeSet::from([*place]));
                all.extend((*place..=text.len()).filter(|end| !not.contains(end)));
            }
            all
        }
        _ => {
            let mut all = if kind == b'*' { places.clone() } else { BTreeSet::new() };
            let mut new = once(places);
            while !new.is_subset(&all) {
                let fresh: BTreeSet<usize> = new.difference(&all).copied().collect();
                all.extend(&fresh);
                new = once(&fresh);
            }
            all
        }
    }
}

/// The character at a place, and where it ends.
fn character(text: &[u8], place: usize) -> Option<(char, usize)> {
    let rest = text.get(place..).filter(|rest| !rest.is_empty())?;
    let (letter, size) = bstr::decode_utf8(rest);
    Some((letter.unwrap_or(char::REPLACEMENT_CHARACTER), place + size.max(1)))
}

impl Class {
    fn has(&self, letter: char, fold: bool) -> bool {
        let one = |letter: char| {
            self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter))
                || self.names.iter().any(|name| in_class(name, letter))
        };
        let found = one(letter) || fold && (letter.to_lowercase().any(one) || letter.to_uppercase().any(one));
        found != self.negated
    }
}

/// `unclosed`: where groups begin that have no end, so that each is tried once.
fn compile(text: &[u8], at: &mut usize, depth: usize, unclosed: &mut BTreeSet<usize>) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let Some(byte) = text.get(*at) {
        let opens = text.get(*at + 1) == Some(&b'(') && b"?*+@!".contains(byte) && depth < 32;
        if opens && let Some(group) = compile_group(text, at, depth, unclosed) {
            nodes.push(group);
            continue;
        }
        if depth > 0 && (*byte == b'|' || *byte == b')') {
            break;
        }
        *at += 1;
        match byte {
            b'*' if matches!(nodes.last(), Some(Node::Any)) => {}
            b'*' => nodes.push(Node::Any),
            b'?' => nodes.push(Node::One),
            b'[' => match compile_class(text, at) {
                Some(class) => nodes.push(Node::Class(class)),
                None => literal(&mut nodes, b'['),
            },
            b'\\' if *at < text.len() => {
                literal(&mut nodes, text.get(*at).copied().unwrap_or(b'\\'));
                *at += 1;
            }
            other => literal(&mut nodes, *other),
        }
    }
    nodes
}

fn literal(nodes: &mut Vec<Node>, byte: u8) {
    if let Some(Node::Literal(text)) = nodes.last_mut() {
        text.push(byte);
    } else {
        nodes.push(Node::Literal(vec![byte]));
    }
}

/// `@(a|b)` and its like; none, with nothing taken, if it is not closed.
fn compile_group(text: &[u8], at: &mut usize, depth: usize, unclosed: &mut BTreeSet<usize>) -> Option<Node> {
    let start = *at;
    if unclosed.contains(&start) {
        return None;
    }
    let kind = *text.get(start)?;
    *at += 2;
    let mut choices = vec![compile(text, at, depth + 1, unclosed)];
    loop {
        match text.get(*at) {
            Some(b'|') => {
                *at += 1;
                choices.push(compile(text, at, depth + 1, unclosed));
            }
            Some(b')') => {
                *at += 1;
                return Some(Node::Group(kind, choices));
            }
            _ => {
                unclosed.insert(start);
                *at = start;
                return None;
            }
        }
    }
}

/// What follows a `[`; none, with nothing taken, if it is not closed.
fn compile_class(text: &[u8], at: &mut usize) -> Option<Class> {
    let mut here = *at;
    let negated = matches!(text.get(here), Some(b'!' | b'^'));
    here += usize::from(negated);
    let mut class = Class { negated, ranges: Vec::new(), names: Vec::new() };
    let mut first = true;
    loop {
        let rest = text.get(here..)?;
        match rest.first()? {
            b']' if !first => {
                *at = here + 1;
                return Some(class);
            }
            b'/' => return None,
            b'[' if rest.get(1) == Some(&b':') && rest.find(b":]").is_some() => {
                let end = rest.find(b":]")?;
                let name = rest.get(2..end)?;
                class.names.extend(CLASS_NAMES.iter().find(|known| known.as_bytes() == name));
                here += end + 2;
            }
            _ => {
                let (from, next) = class_letter(text, here)?;
                here = next;
                let ranged = text.get(here) == Some(&b'-') && text.get(here + 1).is_some_and(|byte| *byte != b']');
                if ranged {
                    let (to, next) = class_letter(text, here + 1)?;
                    class.ranges.push((from, to));
                    here = next;
                } else {
                    class.ranges.push((from, from));
                }
            }
        }
        first = false;
    }
}

fn class_letter(text: &[u8], place: usize) -> Option<(char, usize)> {
    let escaped = text.get(place) == Some(&b'\\') && place + 1 < text.len();
    character(text, place + usize::from(escaped))
}

/// Whether unquoted text has something in it that makes it a pattern.
pub(crate) fn is_active(text: &[u8]) -> bool {
    text.iter().enumerate().any(|(at, byte)| match byte {
        b'*' | b'?' => true,
        // Without its end it is none: the command `[` is no pattern.
        b'[' => text.get(at + 1..).is_some_and(|rest| rest.contains(&b']')),
        b'+' | b'@' | b'!' => text.get(at + 1) == Some(&b'('),
        _ => false,
    })
}

/// Appends text so that a pattern takes it literally.
pub(crate) fn escape_into(out: &mut Text, text: &[u8]) {
    for byte in text {
        if b"*?[]\\!@+()|-^".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
}

/// The text that an escaped pattern stands for.
pub(crate) fn unescape(text: &[u8]) -> Text {
    let mut out = Text::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.extend(bytes.next()),
            other => out.push(*other),
        }
    }
    out
}
