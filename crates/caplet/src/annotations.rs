//! What a client may be told of what a tool does. It follows from the policy, and not from what the author says.
//!
//! What always holds: a tool that could change something is never called one that only reads. Where a proof is given up, the tool counts
//! as one that could; and what a person is asked about counts as given, since the answer may be yes.

use caplet_policy::proof::{self, Budget};
use caplet_policy::{
    Allow, AnyOp, Class, FilesystemRule, FilesystemSection, GuestPath, HttpRule, HttpSection, KeyValueRule,
    KeyValueSection, Layer, LayerKind, Mode, Policy, Rule, Rules, Section,
};
use serde::Serialize;

use crate::grant::Grant;

/// What a client may be told of what a tool does, as MCP means these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Annotations {
    /// It can change nothing: no file, no key, nothing on the network, and it can call no other tool.
    pub read_only: bool,
    /// It can destroy something: what it may write it may also overwrite or remove, so this is whatever can change something.
    pub destructive: bool,
    /// To call it again with the same arguments changes nothing more: so it is with whatever can change nothing. Of others it is not known.
    pub idempotent: bool,
    /// It can reach the network, or another tool, which might.
    pub open_world: bool,
}

/// Methods that only read (RFC 9110, section 9.2.1). The fourth, TRACE, is never permitted.
const SAFE: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

impl Annotations {
    /// What `policy` lets happen, with the mounts of `grant`.
    pub(crate) fn of(policy: &Policy, grant: &Grant) -> Self {
        let calls = permits_some(policy, Class::Tools);
        let sends = permits_some(policy, Class::Http);
        let changes = calls || writes_files(policy, grant) || writes_keys(policy) || (sends && sends_changes(policy));
        Self { read_only: !changes, destructive: changes, idempotent: !changes, open_world: sends || calls }
    }
}

impl Annotations {
    /// What is said of a tool of which nothing is known.
    pub(crate) fn of_unknown() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}

/// Whether `policy` permits anything of `class`, or would if a person said yes.
fn permits_some(policy: &Policy, class: Class) -> bool {
    policy.grants_class(class)
        && (examples(policy, class).any(|op| policy.may_permit(&op))
            || !proof::is_empty(policy, class).unwrap_or(false))
}

/// Whether every layer of `policy` has a rule that allows or asks and that `changes` says yes to, or no bounds. Where one has none, nothing can be changed; that is
/// seen without a proof.
fn every_layer<S: Section>(policy: &Policy, changes: impl Fn(&S::Rule) -> bool) -> bool {
    policy.layers().iter().map(|layer| layer.section::<S>()).all(|rules| match rules.allow() {
        Allow::Everything => true,
        Allow::Rules(allowed) => allowed.iter().chain(rules.asked()).any(&changes),
    })
}

/// The rules that permit, and those that a person is asked by.
fn given<S: Section>(rules: &Rules<S>) -> impl Iterator<Item = &S::Rule> {
    rules.allowed().iter().chain(rules.asked())
}

/// Whether a request could be sent with a method that does more than read.
fn sends_changes(policy: &Policy) -> bool {
    if !every_layer::<HttpSection>(policy, |rule| !rule.only_reads()) {
        return false;
    }
    let is_change = |op: &AnyOp| matches!(op, AnyOp::Http(op) if !SAFE.contains(&op.method()));
    if examples(policy, Class::Http).any(|op| is_change(&op) && policy.may_permit(&op)) {
        return true;
    }
    let mut reads = Layer::open(LayerKind::Host);
    for scheme in ["http", "https"] {
        // If this did not parse, less would be taken away, and more counted as a change.
        if let Ok(rule) = HttpRule::new(Some(&SAFE), &format!("{scheme}://*:*")) {
            reads.add_deny(rule.into());
        }
    }
    !proof::is_empty(&policy.attenuate(reads), Class::Http).unwrap_or(false)
}

/// Whether a key could be set or removed.
fn writes_keys(policy: &Policy) -> bool {
    if !every_layer::<KeyValueSection>(policy, |rule| rule.mode() == Mode::ReadWrite) {
        return false;
    }
    let mut buckets: Vec<&str> = Vec::new();
    for layer in policy.layers() {
        buckets.extend(given(layer.keyvalue()).map(KeyValueRule::bucket));
    }
    // No layer names a bucket, so every one is permitted.
    if buckets.is_empty() {
        return true;
    }
    let (mut written, mut read) = (Layer::new(LayerKind::Host), Layer::new(LayerKind::Host));
    for bucket in buckets {
        for (layer, mode) in [(&mut written, Mode::ReadWrite), (&mut read, Mode::ReadOnly)] {
            match KeyValueRule::new(bucket, None, mode) {
                Ok(rule) => layer.add_allow(rule.into()),
                Err(_) => return true,
            }
        }
    }
    permits_more(policy, written, read, Class::KeyValue)
}

/// Whether a file could be written in a store that takes it.
fn writes_files(policy: &Policy, grant: &Grant) -> bool {
    if !every_layer::<FilesystemSection>(policy, |rule| rule.mode() == Mode::ReadWrite) {
        return false;
    }
    let mut read = Layer::new(LayerKind::Host);
    read.add_allow(FilesystemRule::below(&GuestPath::root(), Mode::ReadOnly).into());
    permits_more(policy, writable(grant), read, Class::Filesystem)
}

/// The places that take what is written to them: mounts that are not there to be read only, and what rules bring by themselves.
fn writable(grant: &Grant) -> Layer {
    let mut places = Layer::new(LayerKind::Host);
    for mount in grant.mounts.iter().filter(|mount| !mount.read_only) {
        places.add_allow(below(&mount.at));
    }
    let is_mounted = |path: &GuestPath| grant.mounts.iter().any(|mount| path.starts_with(&mount.at));
    for prefix in grant.prefixes.iter().filter(|prefix| !is_mounted(&prefix.path)) {
        // Beside mounts, a rule on everything speaks of what is mounted.
        if grant.mounts.is_empty() || !prefix.path.is_root() || prefix.whole {
            places.add_allow(below(&prefix.path));
        }
    }
    for mount in grant.mounts.iter().filter(|mount| mount.read_only) {
        // One that is mounted below it takes what is written there.
        if !grant.mounts.iter().any(|inner| !inner.read_only && inner.at.starts_with(&mount.at)) {
            places.add_deny(below(&mount.at));
        }
    }
    places
}

/// Whether `policy` permits something within `written`, a layer that is about `class` alone, that `read` does not.
fn permits_more(policy: &Policy, written: Layer, read: Layer, class: Class) -> bool {
    let (policy, read) = (policy.attenuate(written), Policy::new(read));
    examples(&policy, class).any(|op| policy.may_permit(&op) && !read.permits(&op))
        || proof::widenings_within(read.layers(), policy.layers(), &Budget::default())
            .map_or(true, |found| !found.is_empty())
}

/// Ops that the rules of `policy` may be about, as a guess: to decide on one is quicker than a proof.
fn examples(policy: &Policy, class: Class) -> impl Iterator<Item = AnyOp> {
    let texts = policy.layers().iter().rev().flat_map(move |layer| match class {
        Class::Filesystem => given(layer.filesystem()).map(ToString::to_string).collect(),
        Class::Http => given(layer.http()).map(ToString::to_string).collect(),
        Class::KeyValue => given(layer.keyvalue()).map(ToString::to_string).collect(),
        Class::Tools => given(layer.tools()).map(ToString::to_string).collect(),
        _ => Vec::new(),
    });
    texts.flat_map(|rule| example(&rule)).filter_map(|op| op.parse().ok())
}

/// The text of ops that `rule`, in its short form, may permit.
fn example(rule: &str) -> Vec<String> {
    let Some((kind, rest)) = rule.split_once(':') else { return Vec::new() };
    let filled = rest.trim_end_matches(":ro").replace("**", "x").replace(['*', '?'], "x");
    match kind {
        "write" => vec![format!("write {filled}")],
        "call" => vec![format!("call {filled}")],
        "kv" if filled.contains('/') => vec![format!("kv-write {filled}")],
        "kv" => vec![format!("kv-write {filled}/x")],
        "fetch" => requests(&filled.replace(":x/", "/")),
        _ => Vec::new(),
    }
}

/// A request for each method of what stands behind `fetch:`.
fn requests(rest: &str) -> Vec<String> {
    let mut words: Vec<&str> = rest.split(' ').collect();
    let Some(url) = words.pop() else { return Vec::new() };
    let methods = words.pop().filter(|word| !word.contains('/')).unwrap_or("GET");
    let methods = methods.split(',').map(|method| if method == "ANY" { "POST" } else { method });
    methods.map(|method| format!("{method} {url}")).collect()
}

/// The rule on what is at `path` and below it.
fn below(path: &GuestPath) -> Rule {
    FilesystemRule::below(path, Mode::ReadWrite).into()
}
