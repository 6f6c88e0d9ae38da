//! Hosts: one name however it is written, no other name however alike, and no host where it is none.
//!
//! Every name below `test` leads to one server, so that what goes out is seen, and a name that was asked for by mistake is found.

use std::collections::BTreeSet;
use std::io;

use caplet_testkit::lab::dns::{Dns, Reply};
use caplet_testkit::lab::http::{Http, pages};
use caplet_testkit::lab::namespace::{PUBLIC, isolated};

use super::probe::{Answer, block_on, raw};
use Expected::{Denied, NoUrl, Sent};

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// It goes out, to the server that this `host` header names.
    Sent(&'static str),
    /// The policy refuses it, as this URL.
    Denied(&'static str),
    /// It is no URL, or the setter does not take it.
    NoUrl,
}

const RULES: &[&str] = &[
    "fetch:http://ok.test/**",
    "fetch:http://any.test:*/**",
    "fetch:http://*.below.test/**",
    "fetch:http://bücher.test/**",
    "fetch:http://faß.test/**",
    "fetch:http://ＷＩＤＥ。test/**",
    "fetch:http://apple.test/**",
];

/// N14: names.
const NAMES: &[(&str, Expected)] = &[
    ("ok.test", Sent("ok.test")),
    ("ok.test.", Sent("ok.test")),
    ("OK.Test", Sent("ok.test")),
    ("OK.TEST.:80", Sent("ok.test")),
    ("_dmarc.below.test", Sent("_dmarc.below.test")),
    ("o_k.test", Denied("http://o_k.test/")),
    ("ok.test..", NoUrl),
    ("ok..test", NoUrl),
    (".ok.test", NoUrl),
    (".", NoUrl),
    ("..", NoUrl),
    ("", NoUrl),
    ("ok.test,evil.test", NoUrl),
    ("ok.test;evil.test", NoUrl),
    ("ok!.test", NoUrl),
    ("ok$.test", NoUrl),
    ("(ok).test", NoUrl),
    ("*.below.test", NoUrl),
    ("*", NoUrl),
];

/// N15: suffixes. The apex is not below itself, and a rule for a name is about that name.
const SUFFIXES: &[(&str, Expected)] = &[
    ("a.below.test", Sent("a.below.test")),
    ("a.b.below.test", Sent("a.b.below.test")),
    ("A.Below.Test.", Sent("a.below.test")),
    ("below.test", Denied("http://below.test/")),
    ("evilbelow.test", Denied("http://evilbelow.test/")),
    ("a.evilbelow.test", Denied("http://a.evilbelow.test/")),
    ("below.test.evil.test", Denied("http://below.test.evil.test/")),
    ("a.below.test.evil.test", Denied("http://a.below.test.evil.test/")),
    ("a.ok.test", Denied("http://a.ok.test/")),
    ("test", Denied("http://test/")),
    (".below.test", NoUrl),
];

/// N16: international names. On the wire of the interface an authority is ASCII; rules are read to the same form.
const INTERNATIONAL: &[(&str, Expected)] = &[
    ("xn--bcher-kva.test", Sent("xn--bcher-kva.test")),
    ("XN--BCHER-KVA.test", Sent("xn--bcher-kva.test")),
    ("xn--fa-hia.test", Sent("xn--fa-hia.test")),
    ("wide.test", Sent("wide.test")),
    ("apple.test", Sent("apple.test")),
    ("fass.test", Denied("http://fass.test/")),
    ("xn--pple-43d.test", Denied("http://xn--pple-43d.test/")),
    ("bücher.test", NoUrl),
    ("ok。test", NoUrl),
    ("ⓞⓚ.test", NoUrl),
    ("xn--ok-.test", NoUrl),
    ("xn--.test", NoUrl),
    ("xn--a.test", NoUrl),
    ("xn--0.test", NoUrl),
    ("xn--\u{0}.test", NoUrl),
    ("%6fk.test", NoUrl),
    ("ok%2etest", NoUrl),
];

/// N17: what hides the host behind another one.
const USERS: &[(&str, Expected)] = &[
    ("ok.test@evil.test", NoUrl),
    ("evil.test@ok.test", NoUrl),
    ("a:b@ok.test", NoUrl),
    ("@ok.test", NoUrl),
    (":@ok.test", NoUrl),
    ("a@b@ok.test", NoUrl),
    ("ok.test:80@evil.test", NoUrl),
    ("ok.test\\@evil.test", NoUrl),
    ("ok.test\\.evil.test", NoUrl),
    ("ok.test%40evil.test", NoUrl),
    ("ok.test%2f.evil.test", NoUrl),
    ("ok.test/@evil.test", NoUrl),
    ("ok.test?@evil.test", NoUrl),
    ("ok.test#@evil.test", NoUrl),
    ("http://ok.test", NoUrl),
    ("ok.test evil.test", NoUrl),
];

/// N19: ports. A rule without one is about the scheme's own.
const PORTS: &[(&str, Expected)] = &[
    ("ok.test:80", Sent("ok.test")),
    ("ok.test:080", Sent("ok.test")),
    ("ok.test:00000080", Sent("ok.test")),
    ("any.test:8080", Sent("any.test:8080")),
    ("any.test", Sent("any.test")),
    ("ok.test:8080", Denied("http://ok.test:8080/")),
    ("ok.test:443", Denied("http://ok.test:443/")),
    ("any.test:0", NoUrl),
    ("any.test:65536", NoUrl),
    ("any.test:65616", NoUrl),
    ("any.test:4294967376", NoUrl),
    ("any.test:18446744073709551696", NoUrl),
    ("any.test:", NoUrl),
    ("any.test:+80", NoUrl),
    ("any.test:-80", NoUrl),
    ("any.test:8o", NoUrl),
    ("any.test:0x50", NoUrl),
    ("any.test:80:80", NoUrl),
    ("any.test::80", NoUrl),
    ("any.test:８０", NoUrl),
];

/// The servers behind every name.
struct World {
    dns: Dns,
    servers: [Http; 2],
}

impl World {
    fn new() -> io::Result<Self> {
        let dns = Dns::on("127.0.0.1:53")?;
        dns.set("*.test", Reply::addresses([PUBLIC]));
        dns.set("test", Reply::addresses([PUBLIC]));
        let on = |port: u16| Http::on((PUBLIC, port), pages::text(200, "hello"));
        Ok(Self { dns, servers: [on(80)?, on(8080)?] })
    }

    async fn ask(&self, scheme: &str, authority: &str, rules: &[&str]) -> Answer {
        let request = raw(scheme, authority, "/");
        rules.iter().fold(request, |request, rule| request.allow(rule)).send().await
    }

    async fn check(&self, authority: &str, rules: &[&str], expected: Expected) {
        let answer = self.ask("http", authority, rules).await;
        let arrived: Vec<_> = self.servers.iter().flat_map(Http::take_requests).collect();
        match expected {
            Sent(host) => {
                assert_eq!((answer.status(), answer.body()), (200, "hello"), "{authority}: {answer:?}");
                assert_eq!(arrived.len(), 1, "{authority}");
                assert_eq!(arrived[0].header("host"), [host.as_bytes()], "{authority}");
                assert_eq!(arrived[0].line(), b"GET / HTTP/1.1", "{authority}");
            }
            Denied(url) => {
                assert_eq!(answer.error(), "HTTP-request-denied", "{authority}: {answer:?}");
                assert_eq!(answer.denied(), [format!("GET {url}")], "{authority}");
            }
            NoUrl => {
                let refused = ["authority refused", "HTTP-request-URI-invalid"].contains(&answer.error());
                assert!(refused, "{authority}: {answer:?}");
            }
        }
        assert!(matches!(expected, Sent(_)) || arrived.is_empty(), "{authority}");
    }

    /// All names that were looked up.
    fn asked(&self) -> BTreeSet<String> {
        self.dns.queries().into_iter().map(|query| query.name).collect()
    }
}

/// N14–N17, N19: under rules for a few names, and, where it is no host, also under rules for everything.
#[test]
fn a_host_is_decided_on_in_the_one_form_that_is_looked_up_and_sent() -> io::Result<()> {
    isolated(|_lab| {
        let world = World::new()?;
        block_on(async {
            let mut names = BTreeSet::new();
            for (authority, expected) in [NAMES, SUFFIXES, INTERNATIONAL, USERS, PORTS].concat() {
                world.check(authority, RULES, expected).await;
                match expected {
                    Sent(host) => {
                        names.insert(host.split(':').next().unwrap_or_default().to_owned());
                    }
                    Denied(_) => {}
                    NoUrl => world.check(authority, &["fetch:http://*:*/**", "fetch:https://*:*/**"], NoUrl).await,
                }
            }
            assert_eq!(world.asked(), names, "only names that a rule permits are looked up");
        });
        Ok(())
    })
}

/// N14: the longest names there are, and names that are longer.
#[test]
fn a_name_has_253_bytes_in_labels_of_63() -> io::Result<()> {
    isolated(|_lab| {
        let world = World::new()?;
        let label = |length: usize| "a".repeat(length);
        let [long, short, tail] = [63, 52, 53].map(label);
        let longest: &'static str = format!("{long}.{long}.{long}.{}.below.test", label(50)).leak();
        assert_eq!(longest.len(), 253);
        block_on(async {
            world.check(longest, RULES, Sent(longest)).await;
            world.check(&format!("{longest}."), RULES, Sent(longest)).await;
            for authority in [
                format!("{long}.{long}.{long}.{}.below.test", label(51)),
                format!("{long}.{long}.{long}.{short}.{tail}.below.test"),
                format!("{}.below.test", label(64)),
                format!("{}.below.test", label(4000)),
            ] {
                world.check(&authority, RULES, NoUrl).await;
            }
        });
        assert_eq!(world.asked(), BTreeSet::from([longest.to_owned()]));
        Ok(())
    })
}

/// N19: the port of one scheme is not that of the other.
#[test]
fn each_scheme_has_a_port_of_its_own() -> io::Result<()> {
    isolated(|_lab| {
        let world = World::new()?;
        block_on(async {
            for (scheme, authority, denied) in [
                ("https", "ok.test", "https://ok.test/"),
                ("https", "ok.test:443", "https://ok.test/"),
                ("https", "ok.test:80", "https://ok.test:80/"),
                ("https", "any.test:8080", "https://any.test:8080/"),
                ("http", "ok.test:443", "http://ok.test:443/"),
            ] {
                let answer = world.ask(scheme, authority, RULES).await;
                assert_eq!(answer.error(), "HTTP-request-denied", "{scheme} {authority}: {answer:?}");
                assert_eq!(answer.denied(), [format!("GET {denied}")]);
            }
            assert_eq!(world.asked(), BTreeSet::new());
            // The twin: a rule with the port is one for the scheme.
            let answer = world.ask("http", "ok.test", &["fetch:http://ok.test:80"]).await;
            assert_eq!(answer.status(), 200, "{answer:?}");
        });
        Ok(())
    })
}
