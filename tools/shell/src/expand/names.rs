//! File names that match a pattern.

use crate::fs::{self, Kind};
use crate::pattern::{self, Pattern};
use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;

/// How many names one pattern may match.
const MAX: usize = 1_000_000;
/// How deep `**` goes.
const DEPTH_MAX: usize = 64;

/// What one part of the path has to match.
enum Segment {
    Literal(Text),
    Pattern(Pattern, bool),
    /// `**`
    Any,
}

impl Shell {
    /// Appends the names that match, sorted; the text itself where none does.
    pub(super) fn file_names(&self, field: Text, out: &mut Vec<Text>) -> Flow<()> {
        let mut found = Vec::new();
        let absolute = field.first() == Some(&b'/');
        let mut segments: Vec<Segment> = Vec::new();
        for piece in split(&field) {
            let segment = if piece == b"**" && self.options.has("globstar") {
                if matches!(segments.last(), Some(Segment::Any)) {
                    continue;
                }
                Segment::Any
            } else if pattern::is_active(&without_escapes(&piece)) {
                let hidden = piece.first() == Some(&b'.') || self.options.has("dotglob");
                Segment::Pattern(Pattern::new(&piece, self.options.has("nocaseglob")), hidden)
            } else {
                Segment::Literal(pattern::unescape(&piece))
            };
            segments.push(segment);
        }
        if !segments.iter().any(|segment| matches!(segment, Segment::Pattern(..) | Segment::Any)) {
            // Nothing in it is a pattern after all, so that no directory is looked at.
            out.push(pattern::unescape(&field));
            return Ok(());
        }
        let start = if absolute { b"/".to_vec() } else { Text::new() };
        self.walk(&start, &segments, 0, &mut found)?;
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            let text = pattern::unescape(&field);
            if self.options.has("failglob") {
                return Err(Stop::Failed(format!("no match: {}", crate::text::shown(&text)), 1));
            }
            if !self.options.has("nullglob") {
                out.push(text);
            }
        }
        out.append(&mut found);
        Ok(())
    }

    fn walk(&self, base: &Text, segments: &[Segment], depth: usize, found: &mut Vec<Text>) -> Flow<()> {
        if found.len() > MAX {
            return Err(Stop::Limit(format!("a pattern matches more than {MAX} names")));
        }
        let Some((segment, rest)) = segments.split_first() else {
            found.push(base.clone());
            return Ok(());
        };
        match segment {
            Segment::Literal(name) if name.is_empty() && rest.is_empty() => {
                if !base.is_empty() && fs::is_directory(&self.path(base)) {
                    let mut path = base.clone();
                    path.push(b'/');
                    found.push(path);
                }
                Ok(())
            }
            Segment::Literal(name) => {
                let path = join(base, name);
                let there = if rest.is_empty() { fs::exists(&self.path(&path)) } else { true };
                if there { self.walk(&path, rest, depth, found) } else { Ok(()) }
            }
            Segment::Pattern(pattern, hidden) => {
                for (name, kind) in self.entries(base) {
                    let dotted = name.starts_with(b".");
                    if dotted && (!hidden || name == b"." || name == b"..") || !pattern.matches(&name) {
                        continue;
                    }
                    if rest.is_empty() || kind != Kind::File {
                        self.walk(&join(base, &name), rest, depth, found)?;
                    }
                }
                Ok(())
            }
            Segment::Any => {
                if rest.is_empty() {
                    if depth > 0 || !base.is_empty() {
                        let mut path = base.clone();
                        if depth == 0 {
                            path.push(b'/');
                        }
                        found.push(path);
                    }
                } else {
                    self.walk(base, rest, depth, found)?;
                }
                for (name, kind) in self.entries(base) {
                    if name.starts_with(b".") && !self.options.has("dotglob") {
                        continue;
                    }
                    let path = join(base, &name);
                    if kind == Kind::Directory && depth < DEPTH_MAX {
                        self.walk(&path, segments, depth + 1, found)?;
                    } else if rest.is_empty() {
                        found.push(path);
                    }
                }
                Ok(())
            }
        }
    }

    fn entries(&self, base: &[u8]) -> Vec<(Text, Kind)> {
        fs::list(&self.path(if base.is_empty() { b"." } else { base })).unwrap_or_default()
    }
}

/// The parts between slashes, without the empty ones but the last; a slash in brackets or quotes is none.
fn split(field: &[u8]) -> Vec<Text> {
    let mut pieces: Vec<Text> = field.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect();
    let last = pieces.len().saturating_sub(1);
    let mut at = 0;
    pieces.retain(|piece| {
        at += 1;
        !piece.is_empty() || at - 1 == last && last > 0
    });
    pieces
}

fn without_escapes(piece: &[u8]) -> Text {
    let mut out = Text::new();
    let mut bytes = piece.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
                out.push(b'_');
            }
            other => out.push(*other),
        }
    }
    out
}

fn join(base: &[u8], name: &[u8]) -> Text {
    let mut path = base.to_vec();
    if !path.is_empty() && path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
