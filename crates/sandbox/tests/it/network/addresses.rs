//! Addresses that are not public, in every spelling: never dialled unless a rule names them, and then exactly there.
//!
//! Canaries stand on the addresses themselves, in a network of the test's own. Each spelling is asked for twice: under rules for
//! everything that is public, where no canary may hear of it, and under a rule for the address, where the canary answers.

use std::io;
use std::net::IpAddr;

use caplet_testkit::lab::canary::Canary;
use caplet_testkit::lab::namespace::{
    DOCUMENTATION, METADATA, PRIVATE, PRIVATE_V6, PUBLIC, PUBLIC_V6, SHARED, isolated,
};

use super::probe::{Answer, block_on, get, raw};

/// All that is public, by every method and on every port.
const EVERYTHING_PUBLIC: [&str; 3] =
    ["fetch:ANY http://*:*/**", "fetch:ANY https://*:*/**", "fetch:http://*.localhost:*/**"];

/// Spellings of one address: the canonical URL, and what a guest writes for it.
const SPELLINGS: &[(&str, &[&str])] = &[
    (
        "http://169.254.169.254/",
        &[
            "169.254.169.254",
            "169.254.169.254.",
            "169.254.169.254:80",
            "169.254.169.254:080",
            "2852039166",
            "0xa9fea9fe",
            "0XA9FEA9FE",
            "025177524776",
            "0251.0376.0251.0376",
            "00000251.0376.0251.0376",
            "0xa9.0xfe.0xa9.0xfe",
            "0xa9.254.0251.254",
            "169.254.43518",
            "169.16689662",
            "169.0xfea9fe",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[::FFFF:A9FE:A9FE]",
            "[0:0:0:0:0:ffff:a9fe:a9fe]",
            "[0000:0000:0000:0000:0000:ffff:169.254.169.254]",
        ],
    ),
    (
        "http://127.0.0.1/",
        &[
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "127.000.000.001",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
        ],
    ),
    ("http://10.1.2.3/", &["10.1.2.3", "167838211", "0xa010203", "012.1.2.3", "10.66051", "[::ffff:10.1.2.3]"]),
    ("http://100.64.0.1/", &["100.64.0.1", "0144.0100.0.1", "1681915905", "[::ffff:100.64.0.1]"]),
    ("http://203.0.113.10/", &["203.0.113.10", "0xcb.0.0x71.0xa", "[::ffff:cb00:710a]"]),
    ("http://[::1]/", &["[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::0.0.0.1]", "[::1]:80"]),
    ("http://[fd00::1]/", &["[fd00::1]", "[FD00::0:1]", "[fd00:0000:0000:0000:0000:0000:0000:0001]"]),
];

/// What reaches this machine on Linux without being written as its address.
const UNSPECIFIED: &[(&str, &str)] = &[
    ("0.0.0.0", "http://0.0.0.0/"),
    ("0", "http://0.0.0.0/"),
    ("0x0", "http://0.0.0.0/"),
    ("00000.0", "http://0.0.0.0/"),
    ("0.0.0.1", "http://0.0.0.1/"),
    ("[::]", "http://[::]/"),
    ("[0::0]", "http://[::]/"),
    ("[::ffff:0.0.0.0]", "http://0.0.0.0/"),
    ("localhost", "http://localhost/"),
    ("LOCALHOST", "http://localhost/"),
    ("localhost.", "http://localhost/"),
    ("LocalHost.:80", "http://localhost/"),
    ("x.localhost", "http://x.localhost/"),
];

/// Forms of IPv6 address that carry 169.254.169.254, or lead to it in some network.
const CARRIERS: &[&str] = &[
    "[::169.254.169.254]",
    "[::a9fe:a9fe]",
    "[::ffff:0:169.254.169.254]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:a9fe:a9fe::]",
    "[2001::5601:5601]",
    "[2001:0:808:808:0:0:5601:5601]",
    "[2606:4700::5efe:169.254.169.254]",
    "[2606:4700::200:5efe:a9fe:a9fe]",
    "[fe80::a9fe:a9fe]",
    "[fe80::5efe:169.254.169.254]",
    "[fd00:ec2::254]",
];

/// One address or two of every class, with the ends of its range where they are easily missed.
const CLASSES: &[&str] = &[
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "127.0.0.0",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.255",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[fc00::]",
    "[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[100::1]",
    "[5f00::1]",
    "[3fff::1]",
    "[4000::1]",
];

/// What is no host at all, by whatever is wrong with it.
const NO_HOSTS: &[&str] = &[
    "[fe80::1%25lo]",
    "[fe80::1%lo]",
    "[::1%25lo]",
    "[::1%1]",
    "[::ffff:169.254.169.254%25eth0]",
    "256.256.256.256",
    "127.0.0.1.5",
    "0x100000000",
    "4294967296",
    "08.0.0.1",
    "1.2.3.4..",
    "[::ffff:127.0.0.0x1]",
    "[::ffff:0177.0.0.1]",
    "[::1",
    "::1",
    "[::1]]",
    "[v1.a]",
    "[127.0.0.1]",
    "[]",
    "169。254。169。254",
    "①⑥⑨.254.169.254",
    "ⓛocalhost",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "127.0.0.1%00.test",
];

/// A canary at each address that a request may not get to, and one at public addresses: they answer with where they are.
fn canaries() -> io::Result<(Vec<Canary>, Vec<Canary>)> {
    let on = |addresses: &[IpAddr]| -> io::Result<Vec<Canary>> {
        addresses.iter().map(|address| Canary::answering((*address, 80), &address.to_string())).collect()
    };
    let loopback = ["127.0.0.1", "::1"].map(|text| text.parse().unwrap());
    let special = [METADATA, PRIVATE, SHARED, DOCUMENTATION].map(IpAddr::V4);
    let guarded = on(&[&special[..], &loopback[..], &[PRIVATE_V6.into()]].concat())?;
    Ok((guarded, on(&[PUBLIC.into(), PUBLIC_V6.into()])?))
}

fn hits(canaries: &[Canary]) -> u64 {
    canaries.iter().map(Canary::hits).sum()
}

async fn ask(authority: &str, rules: &[&str]) -> Answer {
    let request = raw("http", authority, "/");
    rules.iter().fold(request, |request, rule| request.allow(rule)).send().await
}

/// It was refused by the policy, as the one URL that it is.
fn is_prohibited(answer: &Answer, url: &str, what: &str) {
    assert!(["HTTP-request-denied", "destination-IP-prohibited"].contains(&answer.error()), "{what}: {answer:?}");
    assert_eq!(answer.denied(), [format!("GET {url}")], "{what}");
    assert_eq!(answer.0.usage.http_requests, 0, "{what}");
}

/// N06, N07, N08: nothing that is not public is dialled under rules for all that is.
#[test]
fn no_spelling_of_a_special_address_gets_anywhere() -> io::Result<()> {
    isolated(|_lab| {
        let (guarded, public) = canaries()?;
        block_on(async {
            for (url, spellings) in SPELLINGS {
                for spelling in *spellings {
                    is_prohibited(&ask(spelling, &EVERYTHING_PUBLIC).await, url, spelling);
                }
            }
            for (spelling, url) in UNSPECIFIED {
                is_prohibited(&ask(spelling, &EVERYTHING_PUBLIC).await, url, spelling);
            }
            for address in CLASSES.iter().chain(CARRIERS) {
                let answer = ask(address, &EVERYTHING_PUBLIC).await;
                assert_eq!(answer.denied().len(), 1, "{address}: {answer:?}");
                is_prohibited(&answer, answer.denied()[0].trim_start_matches("GET "), address);
            }
            assert_eq!((hits(&guarded), hits(&public)), (0, 0));
            // The same rules open what is public.
            for (address, body) in [("93.184.215.14", "93.184.215.14"), ("[2606:2800::1]", "2606:2800::1")] {
                let answer = ask(address, &EVERYTHING_PUBLIC).await;
                assert_eq!((answer.status(), answer.body()), (200, body), "{answer:?}");
            }
            assert_eq!((hits(&guarded), hits(&public)), (0, 2));
        });
        Ok(())
    })
}

/// N06, N09: a rule for the address opens every spelling of it, and it leads to that address alone.
#[test]
fn a_rule_that_names_an_address_opens_it_however_it_is_written() -> io::Result<()> {
    isolated(|_lab| {
        let (guarded, _public) = canaries()?;
        block_on(async {
            let mut asked = 0;
            for (url, spellings) in SPELLINGS {
                let address = url.trim_start_matches("http://").trim_end_matches('/').trim_matches(['[', ']']);
                for spelling in *spellings {
                    let answer = ask(spelling, &[&format!("fetch:{url}**")]).await;
                    assert_eq!((answer.status(), answer.body()), (200, address), "{spelling}: {answer:?}");
                    asked += 1;
                    assert_eq!(hits(&guarded), asked, "{spelling}");
                }
            }
        });
        Ok(())
    })
}

/// N07, N17: what is no host is no request, also for who may ask for anything.
#[test]
fn what_is_no_host_is_refused_before_anything_else() -> io::Result<()> {
    isolated(|_lab| {
        let (guarded, public) = canaries()?;
        block_on(async {
            for authority in NO_HOSTS {
                let rules = ["fetch:http://*:*/**", "fetch:http://0.0.0.0/0:*/**", "fetch:http://[::/0]:*/**"];
                let answer = ask(authority, &rules).await;
                let refused = ["authority refused", "HTTP-request-URI-invalid"].contains(&answer.error());
                assert!(refused, "{authority}: {answer:?}");
                assert_eq!(answer.0.usage.http_requests, 0, "{authority}");
            }
        });
        assert_eq!((hits(&guarded), hits(&public)), (0, 0));
        Ok(())
    })
}

/// N34: only `http` and `https` go out; any other scheme is no request, whatever is granted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_schemes_are_not_asked_for() {
    let canary = Canary::answering("127.0.0.1:0", "hello").unwrap();
    let authority = canary.address().to_string();
    let rules = [format!("fetch:ANY http://{authority}/**"), format!("fetch:ANY https://{authority}/**")];
    // The last of them is a scheme that the guest gives as one of its own.
    let schemes =
        ["ftp", "file", "data", "unix", "ws", "wss", "gopher", "javascript", "http+unix", "httpx", "h", "a:b", "HTTP"];
    for scheme in schemes {
        let request = raw(scheme, &authority, "/").allow(&rules[0]).allow(&rules[1]);
        let answer = request.send().await;
        let refusals = ["HTTP-protocol-error", "HTTP-request-denied", "HTTP-request-URI-invalid", "scheme refused"];
        assert!(refusals.contains(&answer.error()), "{scheme}: {answer:?}");
        assert_eq!(answer.0.usage.http_requests, 0, "{scheme}");
    }
    assert_eq!(canary.hits(), 0);
    let answer = raw("http", &authority, "/").allow(&rules[0]).send().await;
    assert_eq!((answer.status(), answer.body()), (200, "hello"), "{answer:?}");
    let answer = get(&format!("http://{authority}/")).send().await;
    assert_eq!(answer.error(), "HTTP-request-denied");
    assert_eq!(canary.accepts(), 1);
}
