//! Patterns over files: where three files of a directory were asked for, the directory.
//!
//! What always holds: a pattern lies at or below a directory that the operator named, and is never the root; the deny rule that comes with
//! it takes nothing that was asked for.

use caplet_policy::{AnyOp, FsOp, GuestPath, Layer, LayerKind, Policy, Rule, escape_glob};

use super::bounds::Bounds;
use super::propose::{Pattern, policy, rule};
use super::shape::{Names, Shape};
use super::telling::{TELLING, Telling};

/// The patterns that what was asked of files shows, those to write first, beside rules that there are already.
pub(super) fn patterns(ops: &[&AnyOp], known: &[Pattern], bounds: &Bounds, telling: &Telling) -> Vec<Pattern> {
    let files = Files::new(ops, bounds, telling);
    let mut patterns = files.shown("write", known, |op| matches!(op, FsOp::Write(_)));
    let known = [known, &patterns].concat();
    patterns.extend(files.shown("read", &known, |op| matches!(op, FsOp::Read(_) | FsOp::Search(_))));
    patterns
}

/// For each directory that was moved as a whole, all below it: the move needs every name there to be writable, hidden ones too.
pub(super) fn trees(ops: &[&AnyOp]) -> Vec<Pattern> {
    let moved = ops.iter().filter_map(|op| match op {
        AnyOp::Filesystem(FsOp::WriteTree(path)) => Some((path, op.narrowest_rule()?)),
        _ => None,
    });
    let mut outermost: Vec<(&GuestPath, Rule)> = Vec::new();
    for (path, rule) in moved {
        // They come in the order of their texts, so what is below comes later.
        if !outermost.iter().any(|(outer, _)| path.starts_with(outer)) {
            outermost.push((path, rule));
        }
    }
    let because = "a directory was moved as a whole, which takes every name below it";
    let warning = Some("it covers hidden files too, since a directory moves with all that is in it");
    let tree = |rule| Pattern { rule, deny: None, warning, because: because.to_owned() };
    outermost.into_iter().map(|(_, rule)| tree(rule)).collect()
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
