//! The command line's reference is what the binary itself says.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::bin::World;

/// Every verb, by the words that lead to it.
const VERBS: &[&[&str]] = &[
    &[],
    &["run"],
    &["inspect"],
    &["check"],
    &["pack"],
    &["new"],
    &["build"],
    &["explain"],
    &["learn"],
    &["policy", "diff"],
    &["tools"],
    &["serve"],
    &["init"],
    &["trust"],
    &["add"],
    &["remove"],
    &["approve"],
    &["secret", "set"],
    &["secret", "list"],
    &["secret", "rm"],
    &["token", "new"],
    &["token", "list"],
    &["token", "rm"],
    &["diff"],
    &["commit"],
    &["drop"],
    &["replay"],
    &["approvals"],
    &["approvals", "list"],
    &["approvals", "allow"],
    &["approvals", "deny"],
    &["approvals", "watch"],
    &["log"],
    &["log", "show"],
    &["audit"],
    &["audit", "verify"],
    &["audit", "export"],
    &["cache"],
    &["warm"],
    &["fs"],
    &["fs", "ls"],
    &["fs", "cat"],
    &["fs", "cp"],
    &["fs", "check"],
    &["mcp"],
    &["mcp", "install"],
    &["mcp", "uninstall"],
    &["mcp", "status"],
    &["doctor"],
    &["completions"],
    &["man"],
];

#[test]
fn the_reference_is_up_to_date() {
    let world = World::new();
    let overview = world.run(&["--help"]).stdout;
    let (_, commands) = overview.split_once("Commands:\n").unwrap();
    for command in commands.lines().take_while(|line| !line.trim().is_empty()) {
        let verb = command.split_whitespace().next().unwrap();
        assert!(verb == "help" || VERBS.iter().any(|known| known.first() == Some(&verb)), "{verb} is not in the list");
    }
    let mut page = String::from(
        "# The command line\n\nWhat `caplet --help` says, verb by verb. Written by a test; not to be edited.\n",
    );
    for &verb in VERBS {
        let help = world.run(&[verb, &["--help"]].concat()).stdout;
        let name = [&["caplet"], verb].concat().join(" ");
        let text: Vec<&str> = help.lines().map(str::trim_end).collect();
        write!(page, "\n## {name}\n\n```text\n{}\n```\n", text.join("\n")).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    if std::env::var_os("CAPLET_UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &page).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/reference/cli.md is out of date; run this test with CAPLET_UPDATE=1 and look at the difference"
    );
}
