//! Patterns over URLs: where three paths below a prefix were asked for, the prefix.
//!
//! What always holds: scheme, host, port and method are ones that were seen together; only the path of a pattern has a wildcard.

use std::collections::{BTreeMap, BTreeSet};

use caplet_policy::address::{AddressClass, classify};
use caplet_policy::{AnyOp, Host};

use super::bounds::Bounds;
use super::propose::{Pattern, rule};
use super::shape::{Names, Shape};
use super::telling;

/// The literal rule for one URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal {
    /// What stands before the method: `fetch:`, or a secret's name and place.
    head: String,
    /// The one method; nothing for a secret.
    method: String,
    /// Scheme, host and port.
    origin: String,
    /// The path, as a glob that matches it alone.
    path: String,
}

impl Literal {
    /// That of `op`, if it is about a URL and a rule can be written for it.
    pub(super) fn of(op: &AnyOp) -> Option<Self> {
        if !matches!(op, AnyOp::Http(_) | AnyOp::Secrets(_)) {
            return None;
        }
        let text = op.narrowest_rule()?.to_string();
        let scheme_end = text.find("://")?;
        let before = text.get(..scheme_end)?;
        let scheme = before.rfind(|c: char| !c.is_ascii_lowercase()).map_or(0, |at| at + 1);
        let path = scheme_end + 3 + text.get(scheme_end + 3..)?.find('/')?;
        let (head, method) = match text.get(..scheme)?.strip_prefix("fetch:") {
            Some(method) => ("fetch:".to_owned(), method.trim_end().to_owned()),
            None => (text.get(..scheme)?.to_owned(), String::new()),
        };
        Some(Self { head, method, origin: text.get(scheme..path)?.to_owned(), path: text.get(path..)?.to_owned() })
    }
}

/// Rules that differ in their methods alone, by what stands before the methods and by the URL: each is one, `fetch:GET,POST URL`.
type ByUrl = BTreeMap<(String, String), Together>;

/// What such rules have each of their own.
#[derive(Debug, Default)]
struct Together {
    methods: BTreeSet<String>,
    warning: Option<&'static str>,
    because: String,
}

impl Together {
    fn add(&mut self, method: String, warning: Option<&'static str>) {
        self.methods.insert(method);
        self.warning = self.warning.or(warning);
    }
}

fn text(head: &str, methods: &BTreeSet<String>, url: &str) -> String {
    let methods: Vec<&str> = methods.iter().map(String::as_str).filter(|method| !method.is_empty()).collect();
    let space = if methods.is_empty() { "" } else { " " };
    format!("{head}{}{space}{url}", methods.join(","))
}

fn rules(found: ByUrl) -> Vec<Pattern> {
    let one = |((head, url), Together { methods, warning, because }): ((String, String), Together)| {
        Some(Pattern { rule: rule(&text(&head, &methods, &url))?, deny: None, warning, because })
    };
    found.into_iter().filter_map(one).collect()
}

/// The patterns that the URLs which were asked for show.
pub(super) fn patterns(ops: &[&AnyOp], bounds: &Bounds) -> Vec<Pattern> {
    let mut asked: BTreeMap<(String, String, String), Origin> = BTreeMap::new();
    for op in ops.iter().filter(|op| !follows(op)) {
        let Some(Literal { head, method, origin, path }) = Literal::of(op) else { continue };
        let origin = asked.entry((head, origin, method)).or_default();
        origin.warning = origin.warning.or(warning(op));
        origin.names.add(path.split('/').skip(1), true);
    }
    let mut found = ByUrl::new();
    for ((head, origin, method), asked) in asked {
        asked.names.shapes(&mut |shape| {
            let (url, because) = url(&origin, shape);
            let alone = rule(&text(&head, &BTreeSet::from([method.clone()]), &url));
            let is_had = alone.is_some_and(|rule| bounds.covers(&rule));
            if is_had {
                let same = found.entry((head.clone(), url)).or_default();
                same.add(method.clone(), asked.warning);
                same.because = because;
            }
            is_had
        });
    }
    rules(found)
}

/// The literal rules for URLs that are left over.
pub(super) fn literals(ops: &[&AnyOp]) -> Vec<Pattern> {
    let mut found = ByUrl::new();
    for op in ops {
        let Some(Literal { head, method, origin, path }) = Literal::of(op) else { continue };
        found.entry((head, format!("{origin}{path}"))).or_default().add(method, warning(op));
    }
    rules(found)
}

/// Why `op` is to be looked at, if it is about a URL and is.
pub(super) fn warning(op: &AnyOp) -> Option<&'static str> {
    match op {
        AnyOp::Http(op) => telling::request(op),
        AnyOp::Secrets(op) => telling::secret(op),
        _ => None,
    }
}

/// Whether what permits the request permits this too: that it goes to a public address, or to the only one that it can go to.
fn follows(op: &AnyOp) -> bool {
    let AnyOp::Http(op) = op else { return false };
    let is_expected = |address| match op.host() {
        Host::Address(_) => true,
        Host::Name(name) => telling::is_local(name) || classify(address) == AddressClass::Public,
    };
    op.address().is_some_and(is_expected)
}

/// What was asked of one origin with one method.
#[derive(Debug, Default)]
struct Origin {
    names: Names,
    warning: Option<&'static str>,
}

/// The pattern of a shape, and what it rests on.
fn url(origin: &str, shape: &Shape) -> (String, String) {
    let prefix: String = shape.place.iter().map(|name| format!("/{name}")).collect();
    let tail = if shape.is_deep { "**" } else { "*" };
    let because =
        format!("several paths {} {origin}{prefix}/ were asked for", if shape.is_deep { "below" } else { "in" });
    (format!("{origin}{prefix}/{tail}"), because)
}
