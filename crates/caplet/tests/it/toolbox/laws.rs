//! For any user's and any project's rules: what a call may do under both, it may do under the user's alone.

use std::sync::LazyLock;

use caplet::authority::{AnyOp, Limits, Policy};
use caplet::{Caplet, Layers, Source, Tool, Toolbox};
use proptest::prelude::*;

use super::{World, caplet};

/// Rules that meet each other: each case takes all of its rules from one of these.
const THEMES: [&[&str]; 6] = [
    &["read:/w/**", "read:/w/a", "read:/**", "write:/w/**", "write:/w/a"],
    &["fetch:https://a.x/**", "fetch:POST https://*.x/b", "fetch:ANY https://*/**", "secret:S@https://a.x/**"],
    &["kv:b", "kv:b/k*:ro", "kv:b/k*", "call:t"],
    &["env:A", "env:A=1", "env:A=2", "env:B=1", "env:B"],
    &["config:K=v", "config:K=w", "config:K", "config:L"],
    &["clock:1s", "clock:1us", "clock:frozen", "random", "random:7"],
];

const OPS: [&str; 26] = [
    "read /w/a",
    "read /w/b",
    "read /x",
    "write /w/a",
    "write /w/b",
    "search /w",
    "write-tree /w",
    "GET https://a.x/p",
    "POST https://a.x/b",
    "DELETE https://b.x/",
    "kv-read b/k",
    "kv-write b/k",
    "kv-read b/x",
    "env A",
    "env A=1",
    "env A=2",
    "env B",
    "config K",
    "config K=v",
    "config K=w",
    "clock 1us",
    "clock 1s",
    "clock frozen",
    "random 7",
    "secret S@https://a.x/p",
    "call t",
];

fn rules(theme: usize) -> impl Strategy<Value = Vec<&'static str>> + Clone {
    proptest::collection::vec(proptest::sample::select(THEMES[theme]), 0..4)
}

/// What a file says of one tool.
#[derive(Clone, Debug)]
struct Said {
    allow: Option<Vec<&'static str>>,
    deny: Vec<&'static str>,
    everywhere: Vec<&'static str>,
    function: Option<Vec<&'static str>>,
    timeout: u8,
}

fn said(theme: usize) -> impl Strategy<Value = Said> {
    let rules = rules(theme);
    // Denials are rarer: most of what they meet is gone.
    let deny = || prop_oneof![3 => Just(Vec::new()), 1 => rules.clone()];
    let allow = || proptest::option::of(rules.clone());
    let parts = (allow(), deny(), deny(), allow(), 1..60_u8);
    parts.prop_map(|(allow, deny, everywhere, function, timeout)| Said { allow, deny, everywhere, function, timeout })
}

/// What the user says, and what the project does.
fn both() -> impl Strategy<Value = (Said, Said)> {
    (0..THEMES.len()).prop_flat_map(|theme| (said(theme), said(theme)))
}

impl Said {
    fn text(&self, more: &str) -> String {
        let Self { allow, deny, everywhere, function, timeout } = self;
        let allow_line =
            |allow: &Option<Vec<&str>>| allow.as_ref().map(|allow| format!("allow = {allow:?}\n")).unwrap_or_default();
        format!(
            "[defaults]\ndeny = {everywhere:?}\n[tools.file-read]\n{more}{}deny = {deny:?}\nlimits = {{ timeout = \"{timeout}s\" }}\n\
             [tools.file-read.functions.read]\n{}",
            allow_line(allow),
            allow_line(function),
        )
    }
}

/// The tool, for all cases.
static LOADED: LazyLock<(Caplet, Tool)> = LazyLock::new(|| {
    let caplet = caplet();
    let tool = caplet.load(&Source::parse("file-read").unwrap()).unwrap();
    (caplet, tool)
});

fn policy(toolbox: &Toolbox) -> (Policy, Limits) {
    let (caplet, tool) = &*LOADED;
    let grant = toolbox.tool("file-read").unwrap().grant("/").unwrap();
    (caplet.policy(tool, Some("read"), &grant), grant.limits())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_layer_only_narrows((users, project) in both()) {
        let world = World::new(&[]);
        // Without a ceiling, so that the grant alone decides.
        world.write("home/caplet.toml", &users.text("ceiling = \"open\"\n"));
        world.write("project/caplet.toml", &project.text(""));
        let alone = Toolbox::read(world.path("home/caplet.toml")).unwrap();
        let layers = Layers::load(&world.files(), &world.trust()).unwrap();
        let ((users, most), (both, limits)) = (policy(&alone), policy(layers.toolbox()));
        for op in OPS {
            let op: AnyOp = op.parse().unwrap();
            prop_assert!(!both.permits(&op) || users.permits(&op), "{op} by {both:?}");
        }
        let (given, known) = (both.environment(), users.environment());
        prop_assert!(given.iter().all(|variable| known.contains(variable)), "{given:?} of {known:?}");
        let (given, known) = (both.config(), users.config());
        prop_assert!(given.iter().all(|key| known.contains(key)), "{given:?} of {known:?}");
        prop_assert_eq!(both.random(), users.random());
        prop_assert_eq!(limits.meet(&most), limits);
    }

    #[test]
    fn what_a_project_denies_is_denied((users, project) in both()) {
        let world = World::new(&[]);
        world.write("home/caplet.toml", &users.text("ceiling = \"open\"\n"));
        world.write("project/caplet.toml", &project.text(""));
        let (both, limits) = policy(world.layers().toolbox());
        // As the user's own word, where it can say all that it says.
        let deny = project.deny.iter().chain(&project.everywhere).filter(|rule| !rule.starts_with("random"));
        for rule in deny {
            let Some(path) = rule.strip_prefix("read:").filter(|path| !path.contains('*')) else { continue };
            let op: AnyOp = format!("read {path}").parse().unwrap();
            prop_assert!(!both.permits(&op), "{op}");
        }
        prop_assert!(limits.timeout.as_secs() <= u64::from(project.timeout));
        if project.allow.as_ref().is_some_and(Vec::is_empty) {
            let permitted = OPS.iter().filter(|op| {
                let op: AnyOp = op.parse().unwrap();
                both.permits(&op) && !matches!(op, AnyOp::Clocks(_) | AnyOp::Random(_))
            });
            prop_assert_eq!(permitted.count(), 0, "an empty list is nothing");
        }
    }
}
