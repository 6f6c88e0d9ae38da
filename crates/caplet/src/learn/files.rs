//! Patterns over files: where three files of a directory were asked for, the directory.
//!
//! What always holds: a pattern lies at or below a directory that the operator named, and is never the root; the deny rule that comes with
//! it takes nothing that was asked for.

use caplet_policy::{AnyOp, FsOp, GuestPath, Layer, LayerKind, Policy, Rule, escape_glob};

use super::bounds::Bounds;
use super::propose::{Pattern, policy, rule};
use super::shape::{Names, Shape};
use super::telling::{TELLING, Telling};

/// The patterns that what was asked of files shows, those to write first.
pub(super) fn patterns(ops: &[&AnyOp], bounds: &Bounds, telling: &Telling) -> Vec<Pattern> {
    let files = Files::new(ops, bounds, telling);
    let mut patterns = files.trees();
    let written = files.shown("write", &patterns, |op| matches!(op, FsOp::Write(_)));
    patterns.extend(written);
    let read = files.shown("read", &patterns, |op| matches!(op, FsOp::Read(_) | FsOp::Search(_)));
    patterns.extend(read);
    patterns
}

struct Files<'a> {
    ops: Vec<&'a FsOp>,
    bounds: &'a Bounds,
    telling: &'a Telling,
}

impl<'a> Files<'a> {
    fn new(ops: &[&'a AnyOp], bounds: &'a Bounds, telling: &'a Telling) -> Self {
        let files = ops.iter().filter_map(|op| match op {
            AnyOp::Filesystem(op) => Some(op),
            _ => None,
        });
        Self { ops: files.collect(), bounds, telling }
    }

    /// For each directory that was moved as a whole, all below it: the move needs every name there to be writable, hidden ones too.
    fn trees(&self) -> Vec<Pattern> {
        let moved = self.ops.iter().filter_map(|op| match op {
            FsOp::WriteTree(path) => Some(path),
            _ => None,
        });
        let tree = |path: &GuestPath| {
            let rule = AnyOp::Filesystem(FsOp::WriteTree(path.clone())).narrowest_rule()?;
            let because = "a directory was moved as a whole, which takes every name below it".to_owned();
            let warning = Some("it covers hidden files too, since a directory moves with all that is in it");
            Some(Pattern { rule, deny: None, warning, because })
        };
        let mut outermost: Vec<&GuestPath> = Vec::new();
        for path in moved {
            if !outermost.iter().any(|outer| path.starts_with(outer)) {
                outermost.push(path);
            }
        }
        outermost.into_iter().filter_map(tree).collect()
    }

    /// The patterns for ops of one kind that `known` leaves over.
    fn shown(&self, verb: &str, known: &[Pattern], is_meant: impl Fn(&FsOp) -> bool) -> Vec<Pattern> {
        let known = policy(known.iter().map(|pattern| &pattern.rule), []);
        let mut names = Names::default();
        for op in self.ops.iter().copied().filter(|op| is_meant(op)) {
            let is_plain = self.telling.path(op.path(), &self.bounds.roots).is_none();
            if is_plain && !known.permits(&AnyOp::Filesystem(op.clone())) && !self.is_written(verb, op) {
                names.add(op.path().components(), !matches!(op, FsOp::Search(_)));
            }
        }
        let mut found = Vec::new();
        names.shapes(&mut |shape| {
            let pattern = self.pattern(verb, shape);
            let is_accepted = pattern.is_some();
            found.extend(pattern);
            is_accepted
        });
        found
    }

    /// Whether what is read is written as well, so that the rule for that covers it.
    fn is_written(&self, verb: &str, op: &FsOp) -> bool {
        let is_same = |other: &&FsOp| matches!(other, FsOp::Write(path) if path == op.path());
        verb == "read" && self.ops.iter().any(is_same)
    }

    /// The pattern of `shape`, if it is one that can be had.
    fn pattern(&self, verb: &str, shape: &Shape) -> Option<Pattern> {
        let place = GuestPath::parse(&format!("/{}", shape.place.join("/"))).ok().filter(|place| !place.is_root())?;
        let is_named = self.bounds.roots.iter().any(|root| place.starts_with(root));
        // A directory with a name that no rule can have makes no pattern.
        let is_sayable = || AnyOp::Filesystem(FsOp::Read(place.clone())).narrowest_rule().is_some();
        if !is_named || !is_sayable() {
            return None;
        }
        let folder = escape_glob(place.as_str());
        let (allow, deny) = match (shape.is_deep, &shape.ending) {
            (false, None) => (format!("{folder}/*"), format!("{folder}/{TELLING}")),
            (false, Some(ending)) => (format!("{folder}/*.{ending}"), format!("{folder}/{TELLING}")),
            (true, None) => (format!("{folder}/**"), format!("{folder}/**/{TELLING}/**")),
            (true, Some(ending)) => (format!("{folder}/**/*.{ending}"), format!("{folder}/**/{TELLING}/**")),
        };
        let (rule, deny) = (rule(&format!("{verb}:{allow}"))?, rule(&format!("read:{deny}"))?);
        if self.takes_something(&deny) || !self.bounds.covers(&rule) {
            return None;
        }
        let done = if verb == "write" { "written" } else { "read" };
        let place = if shape.is_deep { format!("below {place}") } else { format!("in {place}") };
        let all = shape.ending.as_ref().map(|ending| format!(", all of them .{ending}")).unwrap_or_default();
        let because = format!("several files {place} were {done}{all}");
        Some(Pattern { rule, deny: Some(deny), warning: None, because })
    }

    /// Whether a deny rule takes something away that was asked for.
    fn takes_something(&self, deny: &Rule) -> bool {
        let mut layer = Layer::open(LayerKind::Operator);
        layer.add_deny(deny.clone());
        let policy = Policy::new(layer);
        self.ops.iter().any(|op| !policy.permits(&AnyOp::Filesystem((*op).clone())))
    }
}
