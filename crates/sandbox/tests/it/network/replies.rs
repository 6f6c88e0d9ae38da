//! Answers of name servers: mixed, many, cut short, wrong, late and none (N11).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use caplet_testkit::lab::canary::Canary;
use caplet_testkit::lab::dns::{Dns, Rcode, Reply};
use caplet_testkit::lab::namespace::{METADATA, PRIVATE, PUBLIC, PUBLIC_V6, isolated};

use super::names::{Guarded, ask};
use super::probe::{block_on, get};

const RULES: &[&str] = &["fetch:http://*:*/**", "fetch:http://*.test:*/**"];

fn to<T: Into<IpAddr>>(addresses: impl IntoIterator<Item = T>) -> Reply {
    Reply::addresses(addresses)
}

fn alias(name: &str) -> Reply {
    Reply::Alias(name.to_owned())
}

/// Answers of which one is public: it alone is dialled.
fn with_a_public_address() -> Vec<(&'static str, Reply)> {
    let [metadata, private, public, public_v6] =
        [METADATA.into(), PRIVATE.into(), PUBLIC.into(), IpAddr::from(PUBLIC_V6)];
    vec![
        ("plain", to([public])),
        ("v6", to([public_v6])),
        ("both", to([public, public_v6])),
        ("private-last", to([public, private])),
        ("private-first", to([metadata, private, public])),
        ("loopback-v6", to([public, Ipv6Addr::LOCALHOST.into()])),
        ("loopback-v4", to([public_v6, Ipv4Addr::LOCALHOST.into()])),
        ("unspecified", to([Ipv4Addr::UNSPECIFIED.into(), public, Ipv6Addr::UNSPECIFIED.into()])),
        ("same", to([public; 40])),
        ("many", Reply::many(40, PUBLIC)),
        ("alias", alias("plain.test")),
        ("aliases", alias("alias.test")),
        ("truncated", to([public]).truncated()),
        ("late", to([public]).after(Duration::from_millis(300))),
        ("mixed-alias", alias("private-first.test")),
    ]
}

/// Answers that lead to nothing public, in every form that the protocol has.
fn without_a_public_address() -> Vec<(&'static str, Reply)> {
    let v6 = |text: &str| to([text.parse::<Ipv6Addr>().unwrap()]);
    vec![
        ("metadata", to([METADATA])),
        ("private", to([PRIVATE])),
        ("loopback", to([Ipv4Addr::LOCALHOST])),
        ("loopback-6", v6("::1")),
        ("zero", to([Ipv4Addr::UNSPECIFIED])),
        ("zero-6", v6("::")),
        ("mapped", v6("::ffff:169.254.169.254")),
        ("mapped-loopback", v6("::ffff:127.0.0.1")),
        ("compatible", v6("::169.254.169.254")),
        ("nat64", v6("64:ff9b::a9fe:a9fe")),
        ("6to4", v6("2002:a9fe:a9fe::")),
        ("isatap", v6("2606:4700::5efe:a9fe:a9fe")),
        ("unique-local", v6("fd00::1")),
        ("link-local", v6("fe80::1")),
        ("broadcast", to([Ipv4Addr::BROADCAST])),
        ("multicast", to([Ipv4Addr::new(239, 255, 255, 250)])),
        ("all", to(Guarded::ADDRESSES)),
        ("hundred", Reply::many(100, METADATA)),
        ("alias-private", alias("private.test")),
        ("alias-localhost", alias("localhost")),
        ("truncated-private", to([PRIVATE]).truncated()),
        ("late-private", to([PRIVATE]).after(Duration::from_millis(300))),
    ]
}

/// Answers that are none.
fn failures() -> Vec<(&'static str, Reply)> {
    vec![
        ("servfail", Reply::Failure(Rcode::ServFail)),
        ("refused", Reply::Failure(Rcode::Refused)),
        ("nothing", Reply::Failure(Rcode::NxDomain)),
        ("malformed", Reply::Failure(Rcode::FormErr)),
        ("empty", to::<IpAddr>([])),
        ("loop", alias("pool.test")),
        ("pool", alias("loop.test")),
        ("itself", alias("itself.test")),
        ("dangling", alias("missing.test")),
        ("out-of-the-names", alias("-..test")),
    ]
}

/// Servers that keep a client waiting, or hope that it takes anything.
fn stalls() -> Vec<(&'static str, Reply)> {
    vec![
        ("silence", Reply::Silence),
        ("silence-by-tcp", Reply::Silence.truncated()),
        ("noise", Reply::Custom(|_| vec![vec![], vec![0; 3], vec![0xff; 512]])),
        // The answer to another question: its number is not the one that was asked for.
        ("forged", Reply::Custom(|question| forged(question, |id| id ^ 1))),
        ("half", Reply::Custom(|question| vec![question[..question.len() / 2].to_vec()])),
        ("question", Reply::Custom(|question| vec![question.to_vec()])),
    ]
}

/// A response that leads to the metadata address, with the number of its question changed.
fn forged(question: &[u8], id: fn(u8) -> u8) -> Vec<Vec<u8>> {
    let mut message = question.to_vec();
    message[1] = id(message[1]);
    message[2] |= 0x84;
    message[7] = 1;
    // Additional records are left out.
    message[11] = 0;
    let end = 12 + message[12..].iter().position(|byte| *byte == 0).unwrap_or_default() + 5;
    message.truncate(end);
    message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
    message.extend(METADATA.octets());
    vec![message]
}

#[test]
fn of_mixed_answers_only_what_is_public_is_dialled() -> io::Result<()> {
    isolated(|_lab| {
        let guarded = Guarded::new()?;
        let public = [Canary::answering((PUBLIC, 80), "public")?, Canary::answering((PUBLIC_V6, 80), "public")?];
        let dns = Dns::on("127.0.0.1:53")?;
        for (name, reply) in [with_a_public_address(), without_a_public_address()].concat() {
            dns.set(&format!("{name}.test"), reply);
        }
        dns.set("localhost", to([Ipv4Addr::LOCALHOST]));
        block_on(async {
            for (name, _) in with_a_public_address() {
                let answer = ask(&format!("http://{name}.test/"), RULES).await;
                assert_eq!((answer.status(), answer.body()), (200, "public"), "{name}: {answer:?}");
                assert_eq!(guarded.hits(), 0, "{name}");
            }
            let reached = public.iter().map(Canary::accepts).sum::<u64>();
            for (name, _) in without_a_public_address() {
                let answer = ask(&format!("http://{name}.test/"), RULES).await;
                assert_eq!(answer.error(), "destination-IP-prohibited", "{name}: {answer:?}");
                assert!(!answer.denied().is_empty(), "{name}");
                assert_eq!(guarded.hits(), 0, "{name}");
            }
            assert_eq!(public.iter().map(Canary::accepts).sum::<u64>(), reached);
        });
        Ok(())
    })
}

#[test]
fn a_lookup_that_fails_ends_soon_and_dials_nothing() -> io::Result<()> {
    isolated(|lab| {
        let guarded = Guarded::new()?;
        let dns = Dns::on("127.0.0.1:53")?;
        for (name, reply) in [failures(), stalls()].concat() {
            dns.set(&format!("{name}.test"), reply);
        }
        block_on(async {
            for (name, _) in failures() {
                let answer = ask(&format!("http://{name}.test/"), RULES).await;
                assert_eq!(answer.error(), "DNS-error", "{name}: {answer:?}");
            }
            // The system is more patient than the call.
            lab.set_resolver("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n").unwrap();
            for (name, _) in stalls() {
                let start = Instant::now();
                let request = RULES.iter().fold(get(&format!("http://{name}.test/")), |get, rule| get.allow(rule));
                let answer = request.limit("http-connect=1s").send().await;
                assert!(["DNS-timeout", "DNS-error"].contains(&answer.error()), "{name}: {answer:?}");
                assert!(start.elapsed() < Duration::from_secs(4), "{name} took {:?}", start.elapsed());
            }
        });
        assert_eq!(guarded.hits(), 0);
        Ok(())
    })
}

/// Addresses that nobody answers on do not add up.
#[test]
fn many_dead_addresses_end_when_connecting_must() -> io::Result<()> {
    isolated(|_lab| {
        let dns = Dns::on("127.0.0.1:53")?;
        let dead = (1..=100).map(|last| Ipv4Addr::new(93, 184, 216, last));
        dns.set("dead.test", to(dead.clone()));
        dns.set("alive.test", to(dead.take(20).chain([PUBLIC])));
        let public = Canary::answering((PUBLIC, 80), "public")?;
        block_on(async {
            let start = Instant::now();
            let answer = ask("http://dead.test/", RULES).await;
            assert_eq!(answer.error(), "destination-IP-unroutable", "{answer:?}");
            assert_eq!(public.accepts(), 0);
            let answer = ask("http://alive.test/", RULES).await;
            assert_eq!(answer.body(), "public", "{answer:?}");
            assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
        });
        Ok(())
    })
}
