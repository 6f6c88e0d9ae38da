//! Addresses that a check for private ones was made to tell apart.

use std::net::IpAddr;

use caplet_policy::HttpOp;
use caplet_policy::address::{AddressClass, classify};

use super::{corpus, everything_public, op, permits, strings};

/// What the list calls public and is not, and which document says so.
const MISTAKES: &[(&str, &str)] = &[
    ("226.84.185.150", "RFC 5771: multicast"),
    ("227.202.96.196", "RFC 5771: multicast"),
    ("2001:2:ffff:ffff:ffff:ffff:ffff:ffff", "RFC 2928: protocol assignments"),
    ("2001:10::", "RFC 2928: protocol assignments"),
    ("2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "RFC 2928: protocol assignments"),
    ("101::", "RFC 4291, section 4: not given out"),
    ("101::ffff:ffff:ffff:ffff", "RFC 4291, section 4: not given out"),
    ("fb00::", "RFC 4291, section 4: not given out"),
    ("fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "RFC 4291, section 4: not given out"),
    ("fec0::", "RFC 3879: the site's own"),
];

/// What the list calls private and is as public as the address that it carries (RFC 6052, section 3.1).
const CARRYING_PUBLIC: &[&str] = &["64:ff9b::16.10.11.1"];

/// How an address stands in a URL.
fn url(address: &str) -> String {
    if address.contains(':') { format!("http://[{address}]/") } else { format!("http://{address}/") }
}

#[test]
fn private_addresses() {
    let Some(script) = corpus("private-ip.js") else { return };
    let [public, private, invalid] =
        ["const pub_ips", "const priv_ips", "const invalid_ips"].map(|start| strings(&script, start));
    assert!(public.len() >= 30 && private.len() >= 135 && invalid.len() >= 3);
    let policy = everything_public();
    let mut classified = 0;
    for text in &private {
        let carries_public = CARRYING_PUBLIC.contains(&text.as_str());
        let is_permitted = op(&url(text)).is_some_and(|op| permits(&policy, op));
        assert_eq!(is_permitted, carries_public, "{text}");
        if let Ok(address) = text.parse::<IpAddr>() {
            assert_eq!(classify(address) == AddressClass::Public, carries_public, "{text}");
            classified += 1;
        }
    }
    for text in &public {
        let is_permitted = op(&url(text)).is_some_and(|op| permits(&policy, op));
        assert_eq!(is_permitted, MISTAKES.iter().all(|(known, _)| known != text), "{text}");
    }
    for text in &invalid {
        assert!(HttpOp::new("GET", &url(text)).is_err(), "{text} is no address");
    }
    assert!(classified >= 120, "{classified}");
}
