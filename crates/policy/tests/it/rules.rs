//! The text of rules: canonical forms, and errors that name the place and the fix.

use caplet_policy::{GuestPath, Layer, LayerKind, Rule};
use proptest::prelude::*;

use crate::rule;

#[test]
fn canonical_forms() {
    for (text, canonical) in [
        ("read:/a/**", "read:/a/**"),
        ("write:a/./b", "write:/a/b"),
        ("fetch:https://x.org", "fetch:https://x.org/**"),
        ("fetch:https://x.org/", "fetch:https://x.org/"),
        ("fetch:https://x.org:443/a", "fetch:https://x.org/a"),
        ("fetch:http://x.org:443/a", "fetch:http://x.org:443/a"),
        ("fetch:POST,GET,POST https://X.org./a", "fetch:GET,POST https://x.org/a"),
        ("fetch:ANY https://*", "fetch:ANY https://*/**"),
        ("fetch:10/s https://x.org", "fetch:10/s https://x.org/**"),
        ("fetch:1000000/h PUT,GET https://x.org/a b", "fetch:1000000/h GET,PUT https://x.org/a b"),
        ("fetch:60/m ANY https://x.org/a", "fetch:60/m ANY https://x.org/a"),
        ("fetch:http://10.0.0.0/8", "fetch:http://10.0.0.0/8/**"),
        ("fetch:http://10.0.0.0/8:8080/a", "fetch:http://10.0.0.0/8:8080/a"),
        ("fetch:https://*:*", "fetch:https://*:*/**"),
        ("fetch:http://localhost:*/**", "fetch:http://localhost:*/**"),
        ("fetch:http://10.0.0.0/8:*/a", "fetch:http://10.0.0.0/8:*/a"),
        ("fetch:http://10.0.0.1:*/8", "fetch:http://10.0.0.1:*/8"),
        ("fetch:http://[::1]:*/", "fetch:http://[::1]:*/"),
        ("secret:k@https://x.org:*/a", "secret:k@https://x.org:*/a"),
        ("fetch:http://10.0.0.1/32", "fetch:http://10.0.0.1/**"),
        ("fetch:http://[10.0.0.0/8]/a", "fetch:http://10.0.0.0/8/a"),
        ("fetch:http://[::ffff:10.0.0.0/104]/a", "fetch:http://10.0.0.0/8/a"),
        ("fetch:http://[FD00::/8]/", "fetch:http://[fd00::/8]/"),
        ("fetch:http://10.0.0.0/\\8/x", "fetch:http://10.0.0.0/\\8/x"),
        ("fetch:http://[::1]:81/a%20b/%2f/%2A", "fetch:http://[::1]:81/a b/%2F/\\*"),
        ("kv:b", "kv:b"),
        ("kv:b/**", "kv:b"),
        ("kv:b/a/*:ro", "kv:b/a/*:ro"),
        ("kv:b:ro", "kv:b:ro"),
        ("kv:b/x\\:ro", "kv:b/x\\:ro"),
        ("kv:b/x\\\\:ro", "kv:b/x\\\\:ro"),
        ("env:A", "env:A"),
        ("env:A=b=c d", "env:A=b=c d"),
        ("env:A=", "env:A="),
        ("config:k=v", "config:k=v"),
        ("clock:1000us", "clock:1ms"),
        ("clock:frozen", "clock:frozen"),
        ("random", "random"),
        ("random:007", "random:7"),
        ("secret:*@https://x.org", "secret:*@https://x.org/**"),
        ("secret:*:bearer@https://x.org/", "secret:*:bearer@https://x.org/"),
        ("secret:k@https://x.org", "secret:k@https://x.org/**"),
        ("secret:k:bearer@https://x.org/", "secret:k:bearer@https://x.org/"),
        ("secret:k:basic@https://x.org/", "secret:k:basic@https://x.org/"),
        ("secret:k:header:X-Api-Key@https://x.org/", "secret:k:header:x-api-key@https://x.org/"),
        ("secret:k:query:api_Key@https://x.org/", "secret:k:query:api_Key@https://x.org/"),
        ("call:web-fetch", "call:web-fetch"),
        ("call:*", "call:*"),
        ("call:file-*", "call:file-*"),
        ("call:{b,a}[c]", "call:{b,a}[c]"),
        ("call:memory.get", "call:memory.get"),
        ("call:*.a:b/c@1.0.get", "call:*.a:b/c@1.0.get"),
    ] {
        assert_eq!(rule(text).to_string(), canonical);
        assert_eq!(rule(canonical), rule(text));
    }
}

#[test]
fn errors_name_the_place_and_the_fix() {
    for (text, offset, problem, fix) in [
        ("", 0, "no kind of rule", "starts with one of"),
        ("reed:/w", 0, "no kind of rule: `reed` at byte 0", "did you mean `read:`?"),
        ("wriet:/w", 0, "no kind of rule", "did you mean `write:`?"),
        ("fecth:https://x", 0, "no kind of rule", "did you mean `fetch:`?"),
        ("/w/**", 0, "no kind of rule", "starts with one of"),
        ("read", 4, "what it is about", "read:/path/**"),
        ("read:", 5, "empty", "write a pattern"),
        ("read:/a//b", 8, "empty segment", "single slashes"),
        ("read:/[a", 6, "not closed", "`]`"),
        ("fetch:x.org", 6, "does not start with", "https://example.com/path"),
        ("fetch:https://", 14, "host is empty", "write a name"),
        ("fetch:https:///a", 14, "host is empty", "write a name"),
        ("fetch:ftp://x.org", 6, "does not start with", "https://"),
        ("fetch:get https://x.org", 6, "capitals: `get`", "write `GET`"),
        ("fetch:GET,,POST https://x.org", 10, "no HTTP method", "commas"),
        ("fetch:GET,ANY https://x.org", 10, "stands alone", "`ANY`"),
        ("fetch:CONNECT https://x.org", 6, "never", "remove"),
        ("fetch:0/s https://x.org", 6, "from 1 to 1000000: `0/s`", "10/s"),
        ("fetch:1000001/s https://x.org", 6, "from 1 to 1000000", "10/s"),
        ("fetch:010/s https://x.org", 6, "from 1 to 1000000", "10/s"),
        ("fetch:+1/s https://x.org", 6, "from 1 to 1000000", "10/s"),
        ("fetch:/s https://x.org", 6, "from 1 to 1000000", "10/s"),
        ("fetch:10/d https://x.org", 6, "no rate: `10/d`", "1000/h"),
        ("fetch:10/ https://x.org", 6, "no rate", "1000/h"),
        ("fetch:10/s get https://x.org", 11, "capitals: `get`", "write `GET`"),
        ("fetch:GET 10/s https://x.org", 10, "does not start with", "https://"),
        ("fetch:10/s GET x.org", 15, "does not start with", "https://"),
        ("fetch:10/s", 6, "does not start with", "https://"),
        ("fetch:https://a@x.org/", 14, "no host", "write a name"),
        ("fetch:https://x.org:99999/", 20, "no port", "65535"),
        ("fetch:https://x.org:080/", 20, "no port", "65535"),
        ("fetch:https://x.org:*1/", 20, "no port", "`*` for every port"),
        ("fetch:https://x.org:8?/", 20, "no port", "`*` for every port"),
        ("fetch:https://x.org:/", 20, "no port", "`*` for every port"),
        ("fetch:https://x*.org/", 14, "whole labels", "*.DOMAIN"),
        ("fetch:https://*.1.2.3.4/", 14, "wildcard before an address", "network"),
        ("fetch:http://127.1/", 13, "not written plainly", "write `127.0.0.1`"),
        ("fetch:http://10.0.0.1/8/", 13, "bits set behind its prefix", "10.0.0.0/8"),
        ("fetch:http://10.0.0.0/33/", 13, "prefix is too long", "10.0.0.0/8"),
        ("fetch:http://[fd00::/200]/", 13, "prefix is too long", "[fd00::/8]"),
        ("fetch:https://%65x.org/", 14, "no host", "write a name"),
        ("fetch:https://x.org/a/../b", 19, "without `.`", "path that is meant"),
        ("fetch:https://x.org/s?q=*", 21, "query", "remove it"),
        ("fetch:https://x.org/a#b", 21, "fragment", "remove it"),
        ("kv:", 3, "bucket is empty", "bucket"),
        ("kv:a*", 4, "wildcards", "one rule for each"),
        ("kv:b/", 5, "empty", "pattern"),
        ("env:*", 4, "wildcards", "one rule for each"),
        ("env:A B", 5, "cannot contain", "alone"),
        ("env:=x", 4, "variable is empty", "name"),
        ("clock:5", 6, "no unit", "clock:1ms"),
        ("clock:0s", 6, "nothing", "clock:1ms"),
        ("random:-1", 7, "seed", "random:7"),
        ("random:", 7, "seed", "random:7"),
        ("secret:k", 7, "where the secret may go", "secret:NAME@"),
        ("secret:@https://x.org", 7, "secret is empty", "name"),
        ("secret:k:@https://x.org", 9, "no place for a secret", "`header:NAME`"),
        ("secret:k:Bearer@https://x.org", 9, "in a request: `Bearer`", "`bearer`"),
        ("secret:k:bearer:x@https://x.org", 9, "no place for a secret", "`bearer`"),
        ("secret:k:cookie:x@https://x.org", 9, "no place for a secret", "`query:KEY`"),
        ("secret:k:header:@https://x.org", 16, "no name of a header", "header:X-Api-Key"),
        ("secret:k:header:a b@https://x.org", 16, "no name of a header", "header:X-Api-Key"),
        ("secret:k:header:a:b@https://x.org", 16, "no name of a header", "header:X-Api-Key"),
        ("secret:k:header:Host@https://x.org", 16, "carries the request itself", "that the API reads"),
        ("secret:k:header:Content-Length@https://x.org", 16, "carries the request itself", "that the API reads"),
        ("secret:k:header:Transfer-Encoding@https://x.org", 16, "carries the request itself", "that the API reads"),
        ("secret:k:header:Proxy-Authorization@https://x.org", 16, "carries the request itself", "that the API reads"),
        ("secret:k:query:a=b@https://x.org", 15, "no key of a query", "query:api_key"),
        ("secret:k:query:@https://x.org", 15, "no key of a query", "query:api_key"),
        ("secret:k:bearer@x.org", 16, "does not start with", "https://"),
        ("secret:k:bearer", 7, "where the secret may go", "secret:NAME@"),
        ("call:", 5, "tool is empty", "name"),
        ("call:.get", 5, "tool is empty", "name"),
        ("call:memory.", 12, "function is empty", "name"),
        ("call:memory.g*", 13, "wildcards", "one rule for each"),
        ("call:a b", 6, "cannot contain", "alone"),
        ("call:a/b", 6, "no slash", "alone"),
        ("call:**", 5, "nothing to cross", "single `*`"),
        ("call:[", 5, "", ""),
        ("read:/a\u{202e}b", 7, "cannot be seen: `\\u{202e}`", "without it"),
        ("read:/a\nb", 7, "cannot be seen: `\\u{a}`", "without it"),
    ] {
        let error = Rule::parse_grant(text, &GuestPath::root()).expect_err(text);
        assert_eq!(error.offset(), offset, "{text:?}: {error}");
        assert!(error.to_string().contains(problem), "{text:?}: {error}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains(fix), "{text:?}: {hint}");
    }
}

#[test]
fn texts_that_are_no_op_say_what_is_meant() {
    for (text, fix) in [
        ("", "write one such as"),
        ("reed /x", "did you mean `read`?"),
        ("kv-raed b/k", "did you mean `kv-read`?"),
        ("GET example.com", "write one such as"),
        ("GET https://example.com/ at home", "at 192.0.2.1"),
        ("GET https://example.com/ at [::1]", "at 192.0.2.1"),
        ("read x", "write `read /path`"),
        ("secret k", "write `secret NAME@"),
        ("secret k:cookie@https://x.org/", "write `bearer`"),
        ("secret k:header:te@https://x.org/", "that the API reads"),
        ("kv-write b", "write `kv-write BUCKET/KEY`"),
        ("clock soon", "write `clock 1ms`"),
    ] {
        let error = text.parse::<caplet_policy::AnyOp>().expect_err(text);
        assert!(error.hint().is_some_and(|hint| hint.contains(fix)), "{text}: {error} {:?}", error.hint());
    }
}

#[test]
fn broad_rules_are_marked() {
    for text in [
        "read:/**",
        "write:/*",
        "read:/*/**",
        "fetch:https://*",
        "fetch:https://*.org",
        "fetch:https://*:*",
        "fetch:http://0.0.0.0/0",
        "fetch:http://[::/0]",
        "secret:k@https://*",
        "clock:1ns",
        "call:*",
        "call:*.get",
    ] {
        assert!(rule(text).is_broad(), "{text}");
    }
    for text in [
        "read:/a/**",
        "read:/",
        "read:/*/a",
        "fetch:https://*.x.org",
        "fetch:https://x.org:*",
        "fetch:http://localhost:*/**",
        "fetch:http://10.0.0.0/8",
        "fetch:http://[fd00::/32]",
        "env:A",
        "random",
        "clock:1us",
        "kv:b",
        "call:t",
        "call:t-*",
    ] {
        assert!(!rule(text).is_broad(), "{text}");
    }
}

/// A layer with more rules than can be compiled says so, permits nothing, and ends soon.
#[test]
fn too_many_rules_permit_nothing() {
    let started = std::time::Instant::now();
    let mut layer = Layer::new(LayerKind::Operator);
    for number in 0..100_000 {
        layer.add_allow(rule(&format!("read:/d{number}/**")));
    }
    let error = layer.compile().expect_err("too many");
    assert!(error.to_string().contains("wasi:filesystem"), "{error}");
    let policy = caplet_policy::Policy::new(layer);
    let explanation = policy.explain(&crate::op("read /d1/a"));
    assert!(!explanation.permitted(), "{explanation}");
    assert!(explanation.hint.is_some_and(|hint| hint.contains("too many rules")));
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// A thousand rules, each as costly as the parser takes, are read and compiled soon.
#[test]
fn costly_rules_are_read_soon() {
    let started = std::time::Instant::now();
    let mut layer = Layer::new(LayerKind::Operator);
    for number in 0..1000 {
        if let Ok(costly) = Rule::parse_grant(&format!("read:/d{number}/*a??????????/x"), &GuestPath::root()) {
            layer.add_allow(costly);
        }
        layer.add_allow(rule(&format!("read:/d{number}/*a???/x")));
    }
    // Whether they fit or not: the answer is never wider than the rules.
    let _ = layer.compile();
    crate::check(&caplet_policy::Policy::new(layer), &[("read /e/a", false), ("write /d1/abcd/x", false)]);
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

/// Rules that explode only together are compiled apart, and decide the same.
#[test]
fn rules_that_do_not_fit_together_decide_all_the_same() {
    let started = std::time::Instant::now();
    let allow: Vec<String> = (0..40).map(|number| format!("write:/w/**/*{number:02}*/**")).collect();
    let mut layer = Layer::new(LayerKind::Operator);
    allow.iter().for_each(|text| layer.add_allow(rule(text)));
    layer.add_deny(rule("read:/w/**/secret/**"));
    assert!(layer.compile().is_ok());
    crate::check(
        &caplet_policy::Policy::new(layer),
        &[
            ("write /w/a/x17y", true),
            ("write /w/a/x17y/deep/er", true),
            ("read /w/39", true),
            ("read /w/nn", false),
            ("read /w/00/secret", false),
            ("write /w/00/secret/a", false),
            ("search /w/nn", true),
            ("search /v", false),
            ("search /w/00/secret/x", false),
            ("write-tree /w/00", false),
        ],
    );
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// No text makes the parsers panic, and what parses reads the same again.
    #[test]
    fn any_text_is_read_or_refused(
        kind in proptest::sample::select(&["read:", "fetch:", "fetch:GET ", "fetch:9/s ", "fetch:9", "kv:", "env:", "clock:", "random:", "secret:k@", "secret:k:", "secret:k:header:", "call:", ""][..]),
        rest in "(https?://)?[-a1:/*?.@%2Fe\\[\\]{}=, é\u{202e}]{0,20}",
    ) {
        let text = format!("{kind}{rest}");
        match Rule::parse_grant(&text, &GuestPath::root()) {
            Ok(parsed) => {
                let again = Rule::parse_grant(&parsed.to_string(), &GuestPath::root());
                prop_assert_eq!(again.as_ref().map(ToString::to_string).ok(), Some(parsed.to_string()), "{}", text);
            }
            Err(error) => prop_assert!(text.is_char_boundary(error.offset().min(text.len())), "{}: {}", text, error),
        }
        let _ = rest.parse::<caplet_policy::AnyOp>();
        let _ = format!("GET {rest}").parse::<caplet_policy::AnyOp>();
    }
}
