//! Which rules are proposed for which ops.

use caplet::audit::Usage;
use caplet::authority::{DeniedEntry, Limits, Policy};
use caplet::learn::{Evidence, Style, propose};

use super::{bounds, decisions, learn, op, texts, within};

#[track_caller]
fn assert_proposed(ops: &[&str], allow: &[&str], look_at: &[&str]) {
    let proposal = learn(&[ops], &bounds(), Style::Patterns);
    assert_eq!(texts(&proposal), (owned(allow), owned(look_at)), "{ops:?}");
    assert_eq!(proposal.unwritable, Vec::<String>::new(), "{ops:?}");
    let policy = Policy::new(proposal.layer());
    ops.iter().for_each(|text| assert!(policy.permits(&op(text)), "{text}: {proposal:?}"));
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn files_make_a_pattern_where_three_are_side_by_side() {
    for (ops, allow) in [
        (vec![], vec![]),
        (vec!["read /w/a"], vec!["read:/w/a"]),
        (vec!["search /w", "read /w/a", "read /w/b"], vec!["read:/w/a", "read:/w/b"]),
        (vec!["search /w", "read /w/a", "read /w/b", "read /w/c"], vec!["read:/w/*"]),
        (vec!["read /w/s/a.rs", "read /w/s/b.rs", "read /w/s/c.rs"], vec!["read:/w/s/*.rs"]),
        (vec!["read /w/s/a.rs", "read /w/s/b.rs", "read /w/s/c.md"], vec!["read:/w/s/*"]),
        // Three entries of one directory, at any depth below it.
        (vec!["read /w/s/a.rs", "read /w/s/x/b.rs", "read /w/s/y/z/c.rs"], vec!["read:/w/s/**/*.rs"]),
        (vec!["read /w/s/a.rs", "read /w/s/x/b.rs", "read /w/s/y/z/c"], vec!["read:/w/s/**"]),
        // A directory that was walked through counts as an entry, but shows no file.
        (
            vec!["search /w/s", "search /w/s/empty", "read /w/s/a.rs", "read /w/s/b.rs", "read /w/s/c.rs"],
            vec!["read:/w/s/**/*.rs"],
        ),
        (
            vec!["search /w/s", "search /w/s/x", "search /w/s/y", "read /w/s/a.rs"],
            vec!["read:/w/s/a.rs", "read:/w/s/x", "read:/w/s/y"],
        ),
        // Two directories of three each are two patterns, and not all that is above both.
        (
            vec!["read /w/s/a", "read /w/s/b", "read /w/s/c", "read /w/t/a", "read /w/t/b", "read /w/t/c"],
            vec!["read:/w/s/*", "read:/w/t/*"],
        ),
        // Not above what the operator named.
        (vec!["read /w/a", "read /other/b", "read /other/c"], vec!["read:/other/b", "read:/other/c", "read:/w/a"]),
        (vec!["search /w/empty"], vec!["read:/w/empty"]),
        (vec!["write /w/a"], vec!["write:/w/a"]),
        (vec!["read /w/a", "write /w/a"], vec!["write:/w/a"]),
        (
            vec!["write /w/out", "write /w/out/a", "write /w/out/b", "write /w/out/c", "read /w/out/a"],
            vec!["write:/w/out", "write:/w/out/*"],
        ),
        // Reading shows nothing about writing.
        (vec!["read /w/a", "read /w/b", "read /w/c", "write /w/d"], vec!["read:/w/*", "write:/w/d"]),
    ] {
        assert_proposed(&ops, &allow, &[]);
    }
}

#[test]
fn requests_make_a_pattern_below_a_prefix_and_never_another_host_or_method() {
    for (ops, allow) in [
        (vec!["GET https://x.org/a"], vec!["fetch:GET https://x.org/a"]),
        (vec!["GET https://x.org/a?q=1", "GET https://x.org/a?q=2"], vec!["fetch:GET https://x.org/a"]),
        (
            vec!["GET https://x.org/v/1", "GET https://x.org/v/2", "GET https://x.org/v/3"],
            vec!["fetch:GET https://x.org/v/*"],
        ),
        (
            vec!["GET https://x.org/v/1", "GET https://x.org/v/2/b", "GET https://x.org/v/3/c/d"],
            vec!["fetch:GET https://x.org/v/**"],
        ),
        (
            vec!["GET https://x.org/v/1", "GET https://x.org/v/2", "GET https://y.org/v/3"],
            vec!["fetch:GET https://x.org/v/1", "fetch:GET https://x.org/v/2", "fetch:GET https://y.org/v/3"],
        ),
        (
            vec!["GET https://x.org:1/v/1", "GET https://x.org:2/v/2", "GET https://x.org:3/v/3"],
            vec!["fetch:GET https://x.org:1/v/1", "fetch:GET https://x.org:2/v/2", "fetch:GET https://x.org:3/v/3"],
        ),
        (vec!["GET https://x.org/a", "POST https://x.org/a"], vec!["fetch:GET,POST https://x.org/a"]),
        (
            vec!["GET https://x.org/v/1", "GET https://x.org/v/2", "GET https://x.org/v/3", "POST https://x.org/v/1"],
            vec!["fetch:GET https://x.org/v/*", "fetch:POST https://x.org/v/1"],
        ),
        // Where a public name led to is no rule of its own.
        (vec!["GET https://x.org/a", "GET https://x.org/a at 8.8.8.8"], vec!["fetch:GET https://x.org/a"]),
    ] {
        assert_proposed(&ops, &allow, &[]);
    }
}

#[test]
fn other_classes_stay_literal_and_what_every_tool_has_needs_no_rule() {
    for (ops, allow) in [
        (vec!["clock 1ms", "random"], vec![]),
        (vec!["clock 1us"], vec!["clock:1us"]),
        (vec!["kv-read notes", "kv-read notes/a"], vec!["kv:notes/a:ro"]),
        (vec!["kv-read notes/a", "kv-write notes/a"], vec!["kv:notes/a"]),
        (
            vec!["kv-read notes/a", "kv-read notes/b", "kv-read notes/c"],
            vec!["kv:notes/a:ro", "kv:notes/b:ro", "kv:notes/c:ro"],
        ),
        (vec!["call a.f", "call b.g"], vec!["call:a.f", "call:b.g"]),
        (vec!["config mode"], vec!["config:mode=fast"]),
        (vec!["secret k:bearer@https://x.org/a"], vec!["secret:k:bearer@https://x.org/a"]),
    ] {
        assert_proposed(&ops, &allow, &[]);
    }
}

#[test]
fn hidden_files_credentials_and_private_addresses_stand_apart() {
    for (ops, allow, look_at) in [
        (vec!["read /w/.env"], vec![], vec!["read:/w/.env"]),
        (vec!["read /w/.git/config", "read /w/a"], vec!["read:/w/a"], vec!["read:/w/.git/config"]),
        (vec!["write /w/keys/id_rsa"], vec![], vec!["write:/w/keys/id_rsa"]),
        (vec!["read /w/server.key", "read /w/prod.env"], vec![], vec!["read:/w/prod.env", "read:/w/server.key"]),
        // Three of them are no pattern either.
        (vec!["read /w/.a", "read /w/.b", "read /w/.c"], vec![], vec!["read:/w/.a", "read:/w/.b", "read:/w/.c"]),
        // One of them takes the pattern away that would need a denial of it.
        (
            vec!["read /w/s/a", "read /w/s/b", "read /w/s/c", "read /w/s/.env"],
            vec!["read:/w/s/a", "read:/w/s/b", "read:/w/s/c"],
            vec!["read:/w/s/.env"],
        ),
        (vec!["GET http://localhost:8080/a"], vec![], vec!["fetch:GET http://localhost:8080/a"]),
        (vec!["GET http://10.1.2.3/a"], vec![], vec!["fetch:GET http://10.1.2.3/a"]),
        (vec!["GET http://169.254.169.254/latest"], vec![], vec!["fetch:GET http://169.254.169.254/latest"]),
        (vec!["GET https://x.org/a"], vec!["fetch:GET https://x.org/a"], vec![]),
    ] {
        assert_proposed(&ops, &allow, &look_at);
    }
}

#[test]
fn a_pattern_takes_hidden_names_and_credentials_away() {
    let ops = ["read /w/s/a.txt", "read /w/s/x/b.txt", "read /w/s/y/c"];
    let proposal = learn(&[&ops], &bounds(), Style::Patterns);
    assert_eq!(texts(&proposal).0, ["read:/w/s/**"]);
    let policy = Policy::new(proposal.layer());
    for path in ["d", "x/d", "new/d"] {
        assert!(policy.permits(&op(&format!("read /w/s/{path}"))), "{path}");
    }
    for path in
        [".env", "x/.git/config", "x/.ssh/key", "id_rsa", "x/id_ed25519", "x/a.pem", "credentials.json", "prod.env"]
    {
        assert!(!policy.permits(&op(&format!("read /w/s/{path}"))), "{path}");
    }
    // A directory that moves takes everything in it along, and the proposal says so.
    let moved = learn(&[&["write-tree /w/s", "write-tree /w/t"]], &bounds(), Style::Patterns);
    assert_eq!(texts(&moved).1, ["write:/w/s/**", "write:/w/t/**"]);
    assert!(moved.look_at.iter().all(|rule| rule.warning.as_ref().unwrap().contains("hidden")), "{moved:?}");
}

#[test]
fn names_that_the_operator_chose_are_not_looked_at() {
    let policy = Policy::new(super::layer(caplet::authority::LayerKind::Manifest, &["write:/**"], &[]));
    let root = caplet::authority::GuestPath::parse("/home/.cache/job").unwrap();
    let bounds = caplet::learn::Bounds::new(policy, vec![root]);
    let proposal = learn(&[&["read /home/.cache/job/a", "read /home/.cache/b"]], &bounds, Style::Patterns);
    assert_eq!(texts(&proposal), (owned(&["read:/home/.cache/job/a"]), owned(&["read:/home/.cache/b"])));
}

#[test]
fn exact_rules_have_no_wildcard() {
    let ops = [
        "read /w/a",
        "read /w/b",
        "read /w/c*",
        "search /w",
        "GET https://x.org/1",
        "GET https://x.org/2",
        "GET https://x.org/3",
    ];
    let proposal = learn(&[&ops], &bounds(), Style::Exact);
    let expected = [
        "read:/w/a",
        "read:/w/b",
        "read:/w/c\\*",
        "fetch:GET https://x.org/1",
        "fetch:GET https://x.org/2",
        "fetch:GET https://x.org/3",
    ];
    assert_eq!(texts(&proposal).0, expected);
    assert!(proposal.deny.is_empty());
}

#[test]
fn a_pattern_ends_where_the_ceiling_does() {
    let ops = ["read /w/s/a.rs", "read /w/s/b.rs", "read /w/s/c.rs", "read /w/s/x/d.md"];
    for (ceiling, denied, expected) in [
        (vec!["read:/w/**"], vec![], vec!["read:/w/s/**"]),
        (vec!["read:/w/s/*.rs", "read:/w/s/x/d.md"], vec![], vec!["read:/w/s/*.rs", "read:/w/s/x/d.md"]),
        (
            vec!["read:/w/s/{a,b,c}.rs", "read:/w/s/x/d.md"],
            vec![],
            vec!["read:/w/s/a.rs", "read:/w/s/b.rs", "read:/w/s/c.rs", "read:/w/s/x/d.md"],
        ),
        // What is denied anywhere below is not covered either.
        (vec!["read:/w/**"], vec!["read:/w/s/x/y/**"], vec!["read:/w/s/*.rs", "read:/w/s/x/d.md"]),
    ] {
        let proposal = learn(&[&ops], &within(&ceiling, &denied), Style::Patterns);
        assert_eq!(texts(&proposal).0, expected, "{ceiling:?}");
    }
}

#[test]
fn each_rule_says_what_it_rests_on_and_what_was_denied_is_listed() {
    let proposal =
        learn(&[&["read /w/a", "read /w/b"], &["read /w/b", "read /w/c", "search /w"]], &bounds(), Style::Patterns);
    let [rule] = &proposal.allow[..] else { panic!("{proposal:?}") };
    let rests: Vec<_> = rule.rests_on.iter().map(|rests| (rests.op.as_str(), rests.times, &rests.calls[..])).collect();
    assert_eq!(rests, [("read /w/a", 1, &[1][..]), ("read /w/b", 2, &[1, 2]), ("read /w/c", 1, &[2])]);
    assert!(rule.because.contains("/w"), "{rule:?}");
    assert_eq!(proposal.calls, 2);
    let toml: toml_edit::DocumentMut = proposal.toml("a tool", &[]).parse().unwrap();
    assert_eq!(toml["tools"]["a tool"]["allow"][0].as_str(), Some("read:/w/*"));
}

#[test]
fn what_no_rule_can_say_is_said_to_be_so() {
    let proposal = learn(&[&["read /w/a\u{202e}b", "read /w/c"]], &bounds(), Style::Patterns);
    assert_eq!(texts(&proposal).0, ["read:/w/c"]);
    assert_eq!(proposal.unwritable, ["read /w/a\u{202e}b"]);
    // A text that a record cut is none that was asked for.
    let cut = learn(&[&["GET https://x.org/very/long…"]], &bounds(), Style::Patterns);
    assert!(cut.is_empty() && cut.missing == 1, "{cut:?}");
}

#[test]
fn what_a_person_was_asked_about_is_not_allowed_without_asking() {
    let mut call = decisions(["read /w/a", "read /w/b"]);
    call.permitted_ops[1].rule = "ask read:/w/b".to_owned();
    call.permitted_ops[1].answered = Some("once, on the terminal".to_owned());
    let mut evidence = Evidence::new();
    evidence.add(&call);
    let proposal = propose(&evidence, &bounds(), Style::Patterns);
    assert_eq!(texts(&proposal).0, ["read:/w/a"]);
    assert_eq!(proposal.asked_about, ["read /w/b"]);
}

#[test]
fn what_overflows_is_said_and_what_was_denied_is_no_rule() {
    let mut call = decisions(["read /w/a"]);
    call.overflow = 7;
    call.denied.push(DeniedEntry {
        capability: "wasi:http".to_owned(),
        op: "GET https://x.org/".to_owned(),
        layer: "operator".to_owned(),
        rule: "no matching rule".to_owned(),
        hint: "--allow 'fetch:https://x.org/'".to_owned(),
        answered: None,
        count: 2,
    });
    let mut evidence = Evidence::new();
    evidence.add(&call);
    evidence.add(&call);
    let proposal = propose(&evidence, &bounds(), Style::Patterns);
    assert_eq!((texts(&proposal).0, proposal.missing), (owned(&["read:/w/a"]), 14));
    let [denied] = &proposal.not_granted[..] else { panic!("{proposal:?}") };
    assert_eq!((denied.op.as_str(), denied.times, &denied.calls[..]), ("GET https://x.org/", 4, &[1, 2][..]));
}

#[test]
fn a_name_that_leads_to_a_private_address_needs_both_and_the_address_is_to_be_looked_at() {
    let ops = ["GET http://intranet/a", "GET http://intranet/a at 10.1.2.3"];
    let proposal = learn(&[&ops], &bounds_for_intranet(), Style::Patterns);
    let expected = (owned(&["fetch:GET http://intranet/a"]), owned(&["fetch:GET http://10.1.2.3/a"]));
    assert_eq!(texts(&proposal), expected);
    let policy = Policy::new(proposal.layer());
    assert!(ops.iter().all(|text| policy.permits(&op(text))) && !policy.permits(&op("GET http://intranet/b")));
}

fn bounds_for_intranet() -> caplet::learn::Bounds {
    within(&["fetch:http://intranet/**", "fetch:http://10.0.0.0/8/**"], &[])
}

#[test]
fn a_limit_is_proposed_where_far_less_was_used() {
    let mut held = Limits::default();
    (held.memory, held.http_requests) = (256 << 20, 100);
    let enough = |memory: u64, requests: u64| {
        let mut evidence = Evidence::new();
        let usage = Usage { memory_peak_bytes: memory, http_requests: requests, ..Usage::default() };
        evidence.add_usage(&usage);
        evidence.add_usage(&Usage::default());
        let limits = propose(&evidence, &bounds().limits(held.clone()), Style::Patterns).limits;
        limits.iter().map(|limit| format!("{}={}", limit.key, limit.value)).collect::<Vec<_>>()
    };
    for (memory, requests, expected) in [
        (0, 0, vec![]),
        (1 << 20, 0, vec!["memory=16MiB"]),
        (9 << 20, 1, vec!["memory=64MiB", "http-requests=16"]),
        (33 << 20, 5, vec!["http-requests=32"]),
        (250 << 20, 90, vec![]),
    ] {
        assert_eq!(enough(memory, requests), expected, "{memory} {requests}");
    }
}
