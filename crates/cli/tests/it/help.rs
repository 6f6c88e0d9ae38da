//! Help, manual and completions.

use crate::bin::World;

const VERBS: &[&str] = &[
    "run",
    "inspect",
    "check",
    "pack",
    "new",
    "build",
    "explain",
    "policy",
    "tools",
    "serve",
    "init",
    "trust",
    "add",
    "remove",
    "approve",
    "secret",
    "token",
    "diff",
    "commit",
    "drop",
    "approvals",
    "cache",
    "warm",
    "fs",
    "mcp",
    "doctor",
    "completions",
    "man",
];

#[test]
fn every_verb_has_help_and_an_example() {
    let world = World::new();
    let overview = world.run(&["--help"]);
    overview.assert(0, &[]);
    for &verb in VERBS {
        assert!(overview.stdout.contains(&format!("  {verb} ")), "{verb} is not in: {}", overview.stdout);
        let long = world.run(&[verb, "--help"]);
        long.assert(0, &[]);
        assert!(long.stdout.contains("Usage: caplet"), "{}", long.stdout);
        if verb != "policy" {
            assert!(long.stdout.contains("Examples:"), "{verb}: {}", long.stdout);
        }
        world.run(&[verb, "-h"]).assert(0, &[]);
        let page = world.run(&["man", verb]);
        page.assert(0, &[]);
        assert!(page.stdout.contains(".TH"), "{}", page.stdout);
    }
    world.run(&["policy", "diff", "--help"]).assert(0, &[]);
    world.run(&["man", "nosuch"]).assert(2, &["there is no verb"]);
    assert!(world.run(&["--version"]).stdout.starts_with("caplet "));
}

#[test]
fn completions_name_the_verbs() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.run(&["completions", shell]);
        script.assert(0, &[]);
        for &verb in VERBS {
            assert!(script.stdout.contains(verb), "{verb} in {shell}");
        }
    }
}

#[test]
fn colour_is_only_where_it_is_wanted() {
    let world = World::new();
    let plain = world.run(&["run", "nosuch"]);
    assert!(!plain.stderr.contains('\u{1b}'), "{plain:?}");
    let coloured = world.run(&["run", "nosuch", "--color", "always"]);
    assert!(coloured.stderr.contains('\u{1b}'), "{coloured:?}");
    let never = world.run(&["run", "nosuch", "--color", "never"]);
    assert!(!never.stderr.contains('\u{1b}'), "{never:?}");
}
