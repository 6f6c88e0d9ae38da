//! The cases of the URL standard, and of one check for requests forged on a server's behalf.

use caplet_policy::HttpOp;

use super::{corpus, everything_public, op, permits, strings};

/// Whether a URL is of one kind.
type Is = fn(&str) -> bool;

/// What of the standard's `http` and `https` URLs is refused though it is one, by what is written in it; and how many cases there are.
const STRICTER: &[(&str, Is)] = &[
    ("a backslash", |url| url.contains('\\')),
    ("a user", |url| authority(url).contains('@')),
    ("a host that is no name of DNS", |url| {
        !authority(url).starts_with('[')
            && authority(url).contains(|c: char| !c.is_ascii_alphanumeric() && !".-_:".contains(c))
    }),
    ("a label that is empty", |url| authority(url).contains("..") || authority(url).starts_with('.')),
    ("a name that is too long", |url| authority(url).len() > 253),
    ("a label that is too long", |url| authority(url).split('.').any(|label| label.len() > 63)),
    ("port 0", |url| authority(url).ends_with(":0")),
    ("a path that climbs once it is decoded", |url| url.to_ascii_lowercase().contains("%2f..") || url.contains("..;")),
];

fn authority(url: &str) -> &str {
    url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default())
}

/// What of the canonical URL is ours: no fragment, and no dot at a host's end.
fn ours(href: &str) -> String {
    let url = href.split('#').next().unwrap_or_default();
    let host = authority(url).split(':').next().unwrap_or_default();
    host.strip_suffix('.').map_or_else(|| url.to_owned(), |plain| url.replacen(host, plain, 1))
}

#[test]
fn the_url_standard() {
    let Some(text) = corpus("urltestdata.json") else { return };
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let (mut failures, mut taken, mut refused, mut stricter) = (0, 0, 0, 0);
    for case in cases.iter().filter(|case| case.is_object()) {
        let input = case["input"].as_str().unwrap();
        if case["failure"] == true {
            assert!(HttpOp::new("GET", input).is_err(), "{input:?} is no URL");
            failures += 1;
            continue;
        }
        let href = case["href"].as_str().unwrap();
        match op(input) {
            Some(op) => {
                assert_eq!(op.url(), ours(href), "{input:?}");
                taken += 1;
            }
            None => refused += 1,
        }
        if !href.starts_with("http:") && !href.starts_with("https:") {
            assert!(HttpOp::new("GET", href).is_err(), "{href:?} is of another scheme");
        } else if op(href).is_none() {
            assert!(STRICTER.iter().any(|(_, is)| is(href)), "{href:?} is refused, and nothing says why");
            stricter += 1;
        }
    }
    assert!(failures >= 270 && taken >= 90 && refused >= 400, "{failures} {taken} {refused}");
    assert!(stricter <= 40, "{stricter}");
}

/// What the check lets pass and we do not, and why.
const NOT_ASKED_FOR: &[(&str, &str)] = &[
    ("http://foo.bar?q=Spaces should be encoded", "a URL has no space"),
    ("http://[64:ff9b:1::8.8.8.8]/", "RFC 8215: for local use, whatever it carries"),
    ("http://[64:ff9b:1::808:808]/", "RFC 8215: for local use, whatever it carries"),
];

/// Whether `url` is one of these, or has slashes too many: a browser skips them until it finds a host.
fn is_not_asked_for(url: &str) -> bool {
    let is_known = |known: &str| known.split_once("//").is_some_and(|(_, rest)| url.ends_with(rest));
    url.contains(":///") || NOT_ASKED_FOR.iter().any(|(known, _)| is_known(known))
}

#[test]
fn a_check_for_forged_requests() {
    let lists = ["ssrfcheck-should-not-pass.js", "ssrfcheck-should-pass.js", "ssrfcheck-valid-ips.js"].map(corpus);
    let [Some(bad), Some(good), Some(addresses)] = lists else { return };
    let policy = everything_public();
    let [bad, good, addresses] = [bad, good, addresses].map(|list| strings(&list, "module.exports"));
    let (mut unparsed, mut prohibited) = (0, 0);
    for text in &bad {
        // The check puts a scheme before what has none.
        for url in [text.clone(), format!("http://{text}"), format!("https://{text}")] {
            match op(&url) {
                Some(op) => {
                    assert!(!permits(&policy, op), "{url:?}");
                    prohibited += 1;
                }
                None => unparsed += 1,
            }
        }
    }
    assert!(bad.len() >= 210 && unparsed >= 300 && prohibited >= 150, "{} {unparsed} {prohibited}", bad.len());
    let mut permitted = 0;
    for text in good.iter().chain(&addresses) {
        let url = if text.contains("://") { text.clone() } else { format!("https://{text}") };
        let is_permitted = op(&url).is_some_and(|op| permits(&policy, op));
        assert_eq!(is_permitted, !is_not_asked_for(&url), "{url:?}");
        permitted += u32::from(is_permitted);
    }
    assert!(permitted >= 100, "{permitted}");
}
