//! Which rules recorded calls needed.

use caplet::Toolbox;
use caplet::authority::{Decisions, DeniedEntry};

use super::decisions;

const TOOLBOX: &str = r#"
[tools.t]
source = "file-read"
allow = [
    "read:/w/src/**",
    "read:/w/{src,docs}/**",
    "write:/w/out",
    "fetch:http://intranet/**",
    "fetch:http://10.0.0.0/8/**",
    "fetch:http://192.168.0.0/16/**",
    "env:HOME",
]
deny = ["read:/w/src/secret/**", "fetch:https://evil.example"]
ask = ["read:/q/**", "read:/never/**"]
"#;

fn denied(decisions: Decisions, op: &str) -> Decisions {
    let entry = DeniedEntry {
        capability: String::new(),
        op: op.to_owned(),
        layer: "operator".to_owned(),
        rule: String::new(),
        hint: String::new(),
        answered: None,
        count: 1,
    };
    Decisions { denied: vec![entry], ..decisions }
}

#[test]
fn a_rule_is_needed_by_the_ops_that_it_decides() {
    let toolbox = Toolbox::parse(TOOLBOX, "/w/caplet.toml").unwrap();
    let mut needs = toolbox.tool("t").unwrap().needs();
    assert!(needs.rules().all(|rule| rule.is_unused() != Some(false)), "nothing is known yet");
    needs.add(&decisions(["search /w", "read /w/src/a"]));
    needs.add(&denied(decisions(["read /w/src/a"]), "read /w/src/secret/key"));
    // The address needs the rule that names it beside the one for the name.
    needs.add(&decisions(["GET http://intranet/x", "GET http://intranet/x at 10.1.2.3"]));
    needs.add(&denied(decisions([]), "read /q/a"));
    needs.add(&decisions(["what a later release writes"]));
    assert_eq!((needs.calls(), needs.missing()), (5, 1));
    let uses: Vec<_> = needs.rules().map(|rule| (rule.rule.to_string(), rule.calls, rule.is_unused())).collect();
    let expected = [
        ("read:/w/src/**", 2, Some(false)),
        ("read:/w/{src,docs}/**", 2, Some(false)),
        // It would permit a look into /w, which the others do as well.
        ("write:/w/out", 0, Some(true)),
        ("fetch:http://intranet/**", 1, Some(false)),
        ("fetch:http://10.0.0.0/8/**", 1, Some(false)),
        ("fetch:http://192.168.0.0/16/**", 0, Some(true)),
        ("env:HOME", 0, None),
        ("read:/w/src/secret/**", 1, Some(false)),
        ("fetch:https://evil.example/**", 0, Some(true)),
        ("read:/q/**", 1, Some(false)),
        ("read:/never/**", 0, Some(true)),
    ];
    let expected: Vec<_> = expected.map(|(rule, calls, unused)| (rule.to_owned(), calls, unused)).into();
    assert_eq!(uses, expected);
}
