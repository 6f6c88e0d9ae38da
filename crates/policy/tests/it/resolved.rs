//! Requests at the addresses that their hosts resolve to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use caplet_policy::address::{AddressClass, SPECIAL_RANGES, classify};
use caplet_policy::{AnyOp, HttpOp, HttpSection, Journal, Layer, LayerKind, Policy};
use proptest::prelude::*;

use crate::{check, generate, layer, policy};

#[test]
fn a_rule_for_a_name_opens_public_addresses_only() {
    for rule in ["fetch:http://x.org", "fetch:http://*", "fetch:http://*.org"] {
        check(
            &policy(&[rule], &[]),
            &[
                ("GET http://x.org/ at 8.8.8.8", true),
                ("GET http://x.org/ at ::ffff:8.8.8.8", true),
                ("GET http://x.org/ at 2606:4700::1", true),
                ("GET http://x.org/ at 64:ff9b::8.8.8.8", true),
                ("GET http://x.org/ at 127.0.0.1", false),
                ("GET http://x.org/ at 0.0.0.0", false),
                ("GET http://x.org/ at 10.1.2.3", false),
                ("GET http://x.org/ at 169.254.169.254", false),
                ("GET http://x.org/ at ::1", false),
                ("GET http://x.org/ at ::ffff:169.254.169.254", false),
                ("GET http://x.org/ at 64:ff9b::169.254.169.254", false),
                ("GET http://x.org/ at 2002:a9fe:a9fe::", false),
                ("GET http://x.org/ at 2001:0:a00:1::", false),
                ("GET http://x.org/ at fe80::1", false),
                ("GET http://x.org:81/ at 8.8.8.8", false),
                ("POST http://x.org/ at 8.8.8.8", false),
            ],
        );
    }
}

#[test]
fn a_private_address_needs_a_rule_of_its_own_for_the_same_request() {
    let rules = ["fetch:ANY http://intranet:*", "fetch:http://10.0.0.0/8:8080/a/**", "fetch:http://[fd00::1]:8080"];
    check(
        &policy(&rules, &["fetch:http://10.9.0.0/16:*"]),
        &[
            ("GET http://intranet:8080/a at 10.1.2.3", true),
            ("GET http://intranet:8080/a at ::ffff:10.1.2.3", true),
            ("GET http://intranet:8080/b at 10.1.2.3", false),
            ("POST http://intranet:8080/a at 10.1.2.3", false),
            ("GET http://intranet:81/a at 10.1.2.3", false),
            ("GET http://intranet:8080/a at 10.9.2.3", false),
            ("GET http://intranet:8080/a at 192.168.0.1", false),
            ("GET http://intranet:8080/a at 64:ff9b::a01:203", false),
            ("GET http://intranet:8080/b at fd00::1", true),
            ("GET http://intranet:8080/b at fd00::2", false),
            ("GET http://intranet:8080/b at 8.8.8.8", true),
        ],
    );
}

/// A name that may be looked up is a message to whoever answers, so a rule for addresses lets no name out.
#[test]
fn a_rule_for_addresses_permits_no_name() {
    check(
        &policy(&["fetch:http://10.0.0.0/8", "fetch:http://0.0.0.0/0", "fetch:http://8.8.8.8"], &[]),
        &[
            ("GET http://intranet/", false),
            ("GET http://intranet/ at 10.1.2.3", false),
            ("GET http://dns.google/ at 8.8.8.8", false),
            ("GET http://10.1.2.3/ at 10.1.2.3", true),
        ],
    );
}

#[test]
fn a_denied_address_shuts_every_name_that_leads_there() {
    check(
        &policy(&["fetch:ANY http://*"], &["fetch:http://8.8.0.0/16", "fetch:POST http://[2606::/16]"]),
        &[
            ("GET http://x.org/ at 8.8.8.8", false),
            ("PUT http://x.org/ at ::ffff:8.8.8.8", false),
            ("GET http://x.org/ at 64:ff9b::8.8.8.8", false),
            ("GET http://x.org/ at 8.9.8.8", true),
            ("GET http://x.org/ at 2606::1", true),
            ("POST http://x.org/ at 2606::1", false),
        ],
    );
    let mut open = Layer::open(LayerKind::Operator);
    open.add_deny(crate::rule("fetch:http://10.0.0.0/8:*"));
    check(&Policy::new(open), &[("GET http://x.org/ at 10.0.0.1", false), ("GET http://x.org/ at 192.168.0.1", true)]);
}

#[test]
fn localhost_is_this_machine_and_nothing_else() {
    let names = policy(&["fetch:http://localhost:*", "fetch:http://dev.localhost", "fetch:http://x.org"], &[]);
    check(
        &names,
        &[
            ("GET http://localhost:8080/ at 127.0.0.1", true),
            ("GET http://localhost:8080/ at ::1", true),
            ("GET http://localhost/ at ::ffff:127.9.9.9", true),
            ("GET http://dev.localhost/ at 127.0.0.1", true),
            ("GET http://a.localhost/ at 127.0.0.1", false),
            ("GET http://localhost/ at 10.1.2.3", false),
            ("GET http://localhost/ at 8.8.8.8", false),
            ("GET http://localhost/ at 64:ff9b::127.0.0.1", false),
            ("GET http://localhost/ at 0.0.0.0", false),
            ("GET http://x.org/ at 127.0.0.1", false),
        ],
    );
    check(
        &policy(&["fetch:http://localhost", "fetch:http://10.1.2.3", "fetch:http://8.8.8.8"], &["fetch:http://[::1]"]),
        &[
            ("GET http://localhost/ at 127.0.0.1", true),
            ("GET http://localhost/ at 10.1.2.3", false),
            ("GET http://localhost/ at 8.8.8.8", false),
            ("GET http://localhost/ at ::1", false),
        ],
    );
}

#[test]
fn a_literal_address_is_where_its_request_goes() {
    check(
        &policy(&["fetch:http://0.0.0.0/0"], &[]),
        &[("GET http://10.1.2.3/ at 10.1.2.3", true), ("GET http://10.1.2.3/ at 10.1.2.4", false)],
    );
    let open = Policy::new(Layer::open(LayerKind::Manifest));
    check(&open, &[("GET http://8.8.8.8/ at 10.1.2.4", false), ("GET http://8.8.8.8/ at 8.8.8.8", true)]);
}

#[test]
fn every_layer_names_the_address() {
    let ceiling = Policy::new(layer(LayerKind::Manifest, &["fetch:https://*", "fetch:https://10.0.0.0/8"], &[]));
    let with = |allow: &[&str]| ceiling.attenuate(layer(LayerKind::Operator, allow, &[]));
    check(&with(&["fetch:https://intranet"]), &[("GET https://intranet/ at 10.1.2.3", false)]);
    check(&with(&["fetch:https://10.0.0.0/8"]), &[("GET https://intranet/ at 10.1.2.3", false)]);
    let both = with(&["fetch:https://intranet", "fetch:https://10.1.0.0/16"]);
    check(&both, &[("GET https://intranet/ at 10.1.2.3", true), ("GET https://intranet/ at 10.2.2.3", false)]);
    let narrow = Policy::new(layer(LayerKind::Manifest, &["fetch:https://*"], &[]));
    let narrow = narrow.attenuate(layer(LayerKind::Operator, &["fetch:https://*", "fetch:https://10.0.0.0/8"], &[]));
    check(&narrow, &[("GET https://intranet/ at 10.1.2.3", false)]);
}

#[test]
fn a_connection_is_decided_on_record_and_explained() {
    let ceiling = layer(LayerKind::Manifest, &["fetch:http://*:*", "fetch:http://0.0.0.0/0:*"], &[]);
    let operator = layer(LayerKind::Operator, &["fetch:http://x.org:8080/**"], &[]);
    let policy = Policy::new(ceiling).attenuate(operator);
    let journal = Arc::new(Journal::new());
    let guard = policy.guard::<HttpSection>(&journal);
    let request = guard.check(HttpOp::new("GET", "http://x.org:8080/x?q=1").expect("a request")).expect("permitted");

    let public = guard.connect(&request, "::ffff:8.8.8.8".parse().expect("an address")).expect("public");
    assert_eq!((public.op().address().to_string(), public.op().port()), ("8.8.8.8".to_owned(), 8080));
    assert_eq!(&public.op().request(), request.op());

    let denied = guard.connect(&request, "10.1.2.3".parse().expect("an address")).expect_err("private");
    assert_eq!(denied.layer(), LayerKind::Operator);
    assert_eq!(denied.rule(), "no rule that names the address");
    assert_eq!(denied.hint(), "--allow 'fetch:http://10.1.2.3:8080/x'");
    assert_eq!(denied.op(), "GET http://x.org:8080/x?q=1 at 10.1.2.3");

    let explanation = policy.explain(&denied.op().parse::<AnyOp>().expect("an op"));
    assert_eq!(
        explanation.to_string(),
        "GET http://x.org:8080/x?q=1 at 10.1.2.3: denied\n  manifest permits: fetch:http://0.0.0.0/0:*/**\n  \
         operator denies: no rule that names the address\n  --allow 'fetch:http://10.1.2.3:8080/x'\n"
    );
    let decisions = journal.summary();
    assert_eq!((decisions.permitted, decisions.denied.len()), (2, 1));
    assert_eq!(decisions.permitted_ops[1].op, "GET http://x.org:8080/x?q=1 at 8.8.8.8");
    assert_eq!(decisions.denied[0].hint, "--allow 'fetch:http://10.1.2.3:8080/x'");

    // Where the name itself is not permitted, the hint is about the name.
    let explanation = policy.explain(&crate::op("GET http://y.org/ at 10.1.2.3"));
    assert_eq!(explanation.hint.as_deref(), Some("--allow 'fetch:http://y.org/'"));
}

/// An address that is not public: from the table, plain or inside another.
fn special_address() -> impl Strategy<Value = IpAddr> {
    let from_table =
        (proptest::sample::select(SPECIAL_RANGES), any::<u128>()).prop_map(|(range, noise)| match range.address {
            IpAddr::V4(first) => {
                let noise = u32::try_from(noise & u128::from(u32::MAX)).unwrap_or(0);
                let noise = noise.checked_shr(range.prefix.into()).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() | noise))
            }
            IpAddr::V6(first) => {
                let noise = noise.checked_shr(range.prefix.into()).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() | noise))
            }
        });
    (from_table, 0..8).prop_map(|(address, form)| {
        let IpAddr::V4(v4) = address else { return address };
        let bits = u128::from(v4.to_bits());
        let carried = match form {
            0 => 0xffff_u128 << 32 | bits,
            1 => bits,
            2 => 0x64_ff9b_u128 << 96 | bits,
            3 => 0x2002_u128 << 112 | bits << 80 | 1,
            4 => 0x2001_u128 << 112 | u128::from(!v4.to_bits()),
            5 => 0x2606_4700_u128 << 96 | 0x5efe_u128 << 32 | bits,
            _ => return address,
        };
        IpAddr::V6(Ipv6Addr::from_bits(carried))
    })
}

/// A policy in which no rule names an address, a network or a local name, and some layer has bounds.
fn policy_without_named_addresses() -> impl Strategy<Value = Policy> {
    generate::policy().prop_map(|policy| {
        let is_name = |text: &str| {
            let host = text.split("://").nth(1).unwrap_or_default();
            host.starts_with('*') || host.starts_with("a.b")
        };
        let bounded = layer(LayerKind::Operator, &["fetch:ANY http://*:*", "fetch:ANY https://*:*"], &[]);
        policy.layers().iter().fold(Policy::new(bounded), |kept, given| {
            let is_open = *given.http().allow() == caplet_policy::Allow::Everything;
            let mut next = if is_open { Layer::open(given.kind()) } else { Layer::new(given.kind()) };
            let named = given.http().allowed().iter().filter(|rule| is_name(&rule.to_string()));
            named.for_each(|rule| next.add_allow(rule.clone().into()));
            kept.attenuate(next)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Without a rule that names it, no address that is not public is ever dialled, whatever the request.
    #[test]
    fn what_no_rule_names_is_never_dialled(
        policy in policy_without_named_addresses(),
        requests in proptest::collection::vec((generate::url(), special_address()), 1..20),
    ) {
        let journal = Arc::new(Journal::new());
        let guard = policy.guard::<HttpSection>(&journal);
        for (url, address) in requests {
            prop_assert_ne!(classify(address), AddressClass::Public, "{}", address);
            let Ok(request) = guard.check(HttpOp::new("GET", &url).expect("a request")) else { continue };
            prop_assert!(guard.connect(&request, address).is_err(), "{url} at {address}");
        }
    }

    /// What may be dialled for a request could be asked for literally, or by its local name: the second decision opens nothing
    /// that the rules do not say. And no address opens a request: one that a person is asked about first leads on without another question.
    #[test]
    fn an_address_opens_nothing(policy in generate::policy(), ops in generate::ops()) {
        for op in &ops {
            let AnyOp::Http(asked) = op else { continue };
            let Some(address) = asked.address().filter(|_| policy.permits(op)) else { continue };
            prop_assert!(policy.may_permit(&asked.request().into()), "{}", policy.explain(op));
            let is_local = asked.host().to_string().ends_with("localhost");
            let is_open = policy.layers().iter().any(|layer| *layer.http().allow() == caplet_policy::Allow::Everything);
            if classify(address) != AddressClass::Public && !is_local && !is_open {
                let path = asked.url().splitn(4, '/').nth(3).unwrap_or_default();
                let host = match address { IpAddr::V4(v4) => v4.to_string(), IpAddr::V6(v6) => format!("[{v6}]") };
                let scheme = asked.url().split(':').next().unwrap_or_default();
                let literal = format!("{} {scheme}://{host}:{}/{path}", asked.method(), asked.port());
                // Who asks for an address literally has said which one. Behind a name, it is another question.
                let is_literal = asked.host().to_string().trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
                let literally = crate::op(&literal);
                let is_said = if is_literal { policy.may_permit(&literally) } else { policy.permits(&literally) };
                prop_assert!(is_said, "{literal}");
            }
        }
    }
}
