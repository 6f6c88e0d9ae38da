//! Questions about whole directories, against brute force over a small universe of paths.

use caplet_policy::{AnyOp, FsOp, GuestPath, Layer, LayerKind, Policy, Rule};
use proptest::prelude::*;

/// Names that the patterns below tell apart.
const NAMES: [&str; 5] = ["a", "b", "c", "aa", "cc"];
/// One name more than the patterns below have segments, so that what they leave out at every depth that they name shows.
const DEPTH: usize = 4;

/// All paths of up to [`DEPTH`] names.
fn universe() -> Vec<GuestPath> {
    let mut level = vec![GuestPath::root()];
    let mut all = level.clone();
    for _ in 0..DEPTH {
        level = level.iter().flat_map(|path| NAMES.map(|name| path.join(name).expect("a path"))).collect();
        all.extend(level.iter().cloned());
    }
    all
}

fn permits(policy: &Policy, op: FsOp) -> bool {
    policy.permits(&AnyOp::Filesystem(op))
}

fn filesystem_layer() -> impl Strategy<Value = Layer> {
    let rule = || {
        let verb = proptest::sample::select(&["read", "write"][..]);
        let segment = proptest::sample::select(&["a", "b", "*", "?", "[!a]", "{a,b}", "a*", "**"][..]);
        let glob = proptest::collection::vec(segment, 1..DEPTH).prop_map(|segments| format!("/{}", segments.join("/")));
        (verb, glob).prop_map(|(verb, glob)| crate::rule(&format!("{verb}:{glob}")))
    };
    let rules = || proptest::collection::vec(rule(), 0..5);
    (rules(), proptest::collection::vec(rule(), 0..3), any::<bool>()).prop_map(
        |(allow, deny, open): (Vec<Rule>, Vec<Rule>, bool)| {
            let mut layer = if open { Layer::open(LayerKind::Call) } else { Layer::new(LayerKind::Call) };
            allow.into_iter().for_each(|rule| layer.add_allow(rule));
            deny.into_iter().for_each(|rule| layer.add_deny(rule));
            layer
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// A directory may be searched exactly when something at or below can be read, and moved exactly when all at and below can be
    /// written.
    #[test]
    fn directories_agree_with_brute_force(layer in filesystem_layer()) {
        let policy = Policy::new(layer);
        let universe = universe();
        for directory in universe.iter().filter(|path| path.components().count() <= 1) {
            let below: Vec<&GuestPath> = universe.iter().filter(|path| path.starts_with(directory)).collect();
            let some_readable = below.iter().any(|&path| permits(&policy, FsOp::Read(path.clone())));
            let all_writable = below.iter().all(|&path| permits(&policy, FsOp::Write(path.clone())));
            let search = permits(&policy, FsOp::Search(directory.clone()));
            let tree = permits(&policy, FsOp::WriteTree(directory.clone()));
            prop_assert_eq!(search, some_readable, "search {} under {:?}", directory, policy);
            prop_assert_eq!(tree, all_writable, "write-tree {} under {:?}", directory, policy);
        }
    }
}

#[test]
fn a_denied_subtree_is_never_part_of_a_move() {
    let policy = crate::policy(&["write:/w/**"], &["read:/w/a/*/key"]);
    crate::check(
        &policy,
        &[
            ("write-tree /w", false),
            ("write-tree /w/a", false),
            ("write-tree /w/a/x", false),
            ("write-tree /w/a/x/key", false),
            ("write-tree /w/a/x/other", true),
            ("write-tree /w/b", true),
        ],
    );
}

/// Rules that only together cover a directory cover it, and rules that leave one name out do not.
#[test]
fn rules_cover_together() {
    crate::check(
        &crate::policy(&["write:/w", "write:/w/[!a]*/**", "write:/w/a*/**"], &[]),
        &[("write-tree /w", true), ("search /", true)],
    );
    crate::check(
        &crate::policy(&["write:/w", "write:/w/[!a]*/**", "write:/w/a?*/**"], &[]),
        &[("write-tree /w", false)],
    );
    crate::check(
        &crate::policy(&["read:/w/**"], &["read:/w", "read:/w/**/?*"]),
        &[("search /w", false), ("search /", false)],
    );
}
