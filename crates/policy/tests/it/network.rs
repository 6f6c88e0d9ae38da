//! Hosts and addresses: all spellings are one, and what is not public needs a rule that names it.

use std::net::IpAddr;

use caplet_policy::address::{AddressClass, SPECIAL_RANGES, classify};
use caplet_policy::{AnyOp, HttpOp};

use crate::{check, policy};

#[test]
fn what_is_not_public() {
    for text in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "100::1",
        "5f00::1",
        "3fff::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2001::1",
        "2001:0:a00:1::",
        "2606:4700::5efe:10.0.0.1",
        "2606:4700::200:5efe:127.0.0.1",
        "4000::1",
        "200::1",
    ] {
        let address: IpAddr = text.parse().expect(text);
        assert_ne!(classify(address), AddressClass::Public, "{text}");
    }
}

#[test]
fn what_is_public() {
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.0.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2606:4700::5efe:8.8.8.8",
    ] {
        let address: IpAddr = text.parse().expect(text);
        assert_eq!(classify(address), AddressClass::Public, "{text}");
    }
}

#[test]
fn every_special_range_has_a_source() {
    for range in SPECIAL_RANGES {
        assert!(range.source.starts_with("RFC "), "{range:?}");
        assert!(classify(range.address) != AddressClass::Public, "{range:?}");
        assert!(range.contains(range.address));
    }
}

#[test]
fn only_a_rule_that_names_it_opens_what_is_not_public() {
    let loopback = [
        "GET http://127.0.0.1/",
        "GET http://127.1/",
        "GET http://2130706433/",
        "GET http://0x7f000001/",
        "GET http://0177.0.0.1/",
        "GET http://[::ffff:127.0.0.1]/",
        "GET http://[::ffff:7f00:1]/",
        "GET http://１２７.0.0.1/",
    ];
    for text in loopback {
        check(&policy(&["fetch:http://*", "fetch:http://*.org", "fetch:http://localhost"], &[]), &[(text, false)]);
        check(&policy(&["fetch:http://127.0.0.1"], &[]), &[(text, true)]);
        check(&policy(&["fetch:http://127.0.0.0/8"], &[]), &[(text, true)]);
        check(&policy(&["fetch:http://0.0.0.0/0"], &["fetch:http://127.0.0.1"]), &[(text, false)]);
    }
    check(
        &policy(&["fetch:http://localhost:8080/**"], &[]),
        &[
            ("GET http://localhost:8080/a", true),
            ("GET http://LOCALHOST.:8080/a", true),
            ("GET http://ⓛocalhost:8080/a", true),
            ("GET http://localhost/a", false),
            ("GET http://127.0.0.1:8080/a", false),
            ("GET http://a.localhost:8080/a", false),
        ],
    );
    check(&policy(&["fetch:http://*"], &[]), &[("GET http://localhost/", false), ("GET http://a.localhost/", false)]);
    check(
        &policy(&["fetch:http://[fd00::/8]/**", "fetch:http://[::1]:81"], &[]),
        &[
            ("GET http://[fd00::1]/", true),
            ("GET http://[::1]:81/", true),
            ("GET http://[::1]/", false),
            ("GET http://[fe80::1]/", false),
        ],
    );
}

/// A denied network also shuts the addresses that carry one of its own.
#[test]
fn a_denied_network_is_shut_in_every_form() {
    let policy = policy(&["fetch:http://0.0.0.0/0", "fetch:http://[::/0]"], &["fetch:http://10.0.0.0/8"]);
    for text in [
        "10.1.2.3",
        "[::ffff:10.1.2.3]",
        "[64:ff9b::10.1.2.3]",
        "[2002:a01:203::1]",
        "[2606::5efe:a01:203]",
        "[::10.1.2.3]",
    ] {
        check(&policy, &[(&format!("GET http://{text}/"), false)]);
    }
    check(&policy, &[("GET http://11.1.2.3/", true), ("GET http://[2606::1]/", true)]);
}

#[test]
fn suffixes() {
    check(
        &policy(&["fetch:https://*.example.com"], &[]),
        &[
            ("GET https://a.example.com/", true),
            ("GET https://a.b.example.com/", true),
            ("GET https://A.Example.COM/", true),
            ("GET https://example.com/", false),
            ("GET https://evilexample.com/", false),
            ("GET https://example.com.evil.test/", false),
            ("GET https://a.example.com.evil.test/", false),
        ],
    );
}

#[test]
fn international_names_are_one_on_both_sides() {
    for text in ["fetch:https://bücher.example", "fetch:https://xn--bcher-kva.example", "fetch:https://BÜCHER.example"]
    {
        let rule = crate::rule(text);
        assert_eq!(rule.to_string(), "fetch:https://xn--bcher-kva.example/**");
        check(
            &policy(&[text], &[]),
            &[("GET https://bücher.example/", true), ("GET https://xn--bcher-kva.example./", true)],
        );
    }
}

#[test]
fn urls_that_cannot_be_asked_for() {
    for url in [
        "",
        "example.com",
        "//example.com/",
        "ftp://x.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http:/evil",
        "http:///x",
        "http://",
        "http://:80/",
        "http://x.org:/",
        "http://x.org:0/",
        "http://x.org:65536/",
        "http://a@x.org/",
        "http://a:b@x.org/",
        "http://ok\\@evil/",
        "http://x.org\\y",
        "http://x.org/a b",
        "http://x.org/\t",
        "http://x.org/\r\n",
        "http://x.org/\0",
        "http://%65xample.com/",
        "http://x..org/",
        "http://.org/",
        "http://x.org../",
        "http://1.2.3.4.5/",
        "http://0x100000000/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://x.org/..%2fy",
        "http://x.org/a/..;/b",
        "http://x.org/%2e%2e%5cy",
    ] {
        assert!(HttpOp::new("GET", url).is_err(), "{url} is taken");
    }
    let long_label = format!("http://{}.org/", "a".repeat(64));
    let long_name = format!("http://{}org/", "a.".repeat(126));
    let long_url = format!("http://x.org/{}", "a".repeat(9000));
    for url in [long_label, long_name, long_url] {
        assert!(HttpOp::new("GET", &url).is_err());
    }
    for method in ["", "GET\t", "GE T", "GÉT", "A/B", "GET\r\nX: y"] {
        assert!(HttpOp::new(method, "http://x.org/").is_err(), "{method:?} is taken");
    }
}

/// A percent sign that hides a character from readers stays one, in rules and in requests alike.
#[test]
fn hidden_characters_stay_encoded() {
    let rule = crate::rule("fetch:https://x.org/a%e2%80%aeb/**");
    assert_eq!(rule.to_string(), "fetch:https://x.org/a%E2%80%AEb/**");
    assert_eq!(crate::rule(&rule.to_string()), rule);
    check(
        &policy(&["fetch:https://x.org/a%e2%80%aeb"], &[]),
        &[("GET https://x.org/a\u{202e}b", true), ("GET https://x.org/ab", false)],
    );
}

#[test]
fn the_url_that_is_decided_on_is_the_one_to_send() {
    for (given, sent) in [
        ("HTTP://EXAMPLE.com:80", "http://example.com/"),
        ("https://example.com:443/a/./b/../c?q=%2e#frag", "https://example.com/a/c?q=%2e"),
        ("http://example.com.:8080/x", "http://example.com:8080/x"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://[::ffff:1.2.3.4]/", "http://1.2.3.4/"),
        ("http://x.org/%7Ea/é", "http://x.org/%7Ea/%C3%A9"),
    ] {
        let op = HttpOp::new("GET", given).unwrap_or_else(|error| panic!("{given}: {error}"));
        assert_eq!(op.url(), sent);
        assert_eq!(AnyOp::from(op).to_string(), format!("GET {sent}"));
    }
}
