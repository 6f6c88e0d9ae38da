//! Names and where they lead: a name is not looked up unless a rule permits it, and each address that comes back is decided on
//! before it is dialled, every time.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use caplet_testkit::lab::canary::Canary;
use caplet_testkit::lab::dns::{Dns, Reply};
use caplet_testkit::lab::http::{Http, pages};
use caplet_testkit::lab::namespace::{DOCUMENTATION, METADATA, PRIVATE, PRIVATE_V6, PUBLIC, SHARED, isolated};

use super::probe::{Answer, block_on, get};

/// How often each name is asked for that changes where it leads.
const TRIES: u32 = 200;

/// What a careless operator may grant.
const EVERYTHING_PUBLIC: &[&str] = &["fetch:ANY http://*:*/**", "fetch:http://*.test:*/**"];

/// Every special address of the lab, with a canary on it.
pub(super) struct Guarded(Vec<Canary>);

impl Guarded {
    pub(super) const ADDRESSES: [IpAddr; 7] = [
        IpAddr::V4(METADATA),
        IpAddr::V4(PRIVATE),
        IpAddr::V4(SHARED),
        IpAddr::V4(DOCUMENTATION),
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V6(PRIVATE_V6),
    ];

    pub(super) fn new() -> io::Result<Self> {
        let on = |address: IpAddr| Canary::answering((address, 80), &address.to_string());
        Ok(Self(Self::ADDRESSES.into_iter().map(on).collect::<io::Result<_>>()?))
    }

    /// How often any of them was reached.
    pub(super) fn hits(&self) -> u64 {
        self.0.iter().map(Canary::hits).sum()
    }
}

pub(super) async fn ask(url: &str, rules: &[&str]) -> Answer {
    rules.iter().fold(get(url), |request, rule| request.allow(rule)).send().await
}

fn names(dns: &Dns) -> BTreeSet<String> {
    dns.queries().into_iter().map(|query| query.name).collect()
}

/// N10: a name leads elsewhere whenever it is asked for.
#[test]
fn a_name_that_changes_its_mind_gets_nobody_anywhere_else() -> io::Result<()> {
    isolated(|_lab| {
        let guarded = Guarded::new()?;
        let public = Canary::answering((PUBLIC, 80), "public")?;
        let dns = Dns::on("127.0.0.1:53")?;
        let to = |address: IpAddr| Reply::addresses([address]);
        let turns = |other: &dyn Fn(usize) -> Reply| {
            let tries = usize::try_from(TRIES).unwrap();
            Reply::each((0..tries).map(|at| if at % 2 == 0 { to(PUBLIC.into()) } else { other(at) }))
        };
        let special = Guarded::ADDRESSES;
        let cases = [
            ("metadata.test", turns(&|_| to(METADATA.into())), TRIES / 2),
            ("any.test", turns(&|at| to(special[at % special.len()])), TRIES / 2),
            ("once.test", Reply::each([to(PUBLIC.into()), to(METADATA.into())]), 1),
            ("both.test", turns(&|_| Reply::addresses([METADATA, PUBLIC])), TRIES),
            ("none.test", Reply::each([to(METADATA.into()), to(Ipv4Addr::LOCALHOST.into()), to(PRIVATE.into())]), 0),
        ];
        block_on(async {
            for (name, reply, permitted) in cases {
                dns.set(name, reply);
                let before = public.accepts();
                let request = get(&format!("http://{name}/")).times(TRIES).limit("timeout=90s");
                let request = EVERYTHING_PUBLIC.iter().fold(request, |request, rule| request.allow(rule));
                let answer = request.requests(TRIES.into()).send().await;
                assert_eq!(answer.0.usage.http_requests, u64::from(TRIES), "{name}: {answer:?}");
                assert_eq!(public.accepts() - before, u64::from(permitted), "{name}: {answer:?}");
                assert_eq!(guarded.hits(), 0, "{name}");
                assert!(dns.asked(name) >= usize::try_from(TRIES).unwrap(), "{name} is looked up each time");
            }
        });
        Ok(())
    })
}

/// N10: a connection that is used again leads where it led, and its address is decided on again.
#[test]
fn a_kept_connection_stays_where_it_is() -> io::Result<()> {
    isolated(|_lab| {
        let guarded = Guarded::new()?;
        let public = Http::on((PUBLIC, 80), pages::text(200, "public"))?;
        let dns = Dns::on("127.0.0.1:53")?;
        dns.set("a.test", Reply::each([Reply::addresses([PUBLIC]), Reply::addresses([METADATA])]));
        block_on(async {
            let request = get("http://a.test/").times(TRIES).requests(TRIES.into()).allow("fetch:http://a.test/**");
            let answer = request.send().await;
            assert_eq!((answer.status(), answer.body()), (200, "public"), "{answer:?}");
        });
        let requests = public.requests();
        assert_eq!(requests.len(), usize::try_from(TRIES).unwrap());
        assert!(requests.iter().all(|request| request.header("host") == [b"a.test"]));
        assert_eq!((public.accepts(), guarded.hits()), (1, 0));
        Ok(())
    })
}

/// N09: who grants a name has not granted what is behind it, and who grants a network no name.
#[test]
fn a_private_server_takes_a_rule_for_its_name_and_one_for_its_address() -> io::Result<()> {
    const PROHIBITED: &str = "destination-IP-prohibited";
    const DENIED: &str = "HTTP-request-denied";
    isolated(|_lab| {
        let server = Http::on((PRIVATE, 8080), pages::text(200, "private"))?;
        let beside = [Canary::on((PRIVATE, 8081))?, Canary::on((PRIVATE, 80))?, Canary::on(("127.0.0.1", 8080))?];
        let dns = Dns::on("127.0.0.1:53")?;
        dns.set("in.test", Reply::addresses([PRIVATE]));
        block_on(async {
            let cases: [(&str, &[&str], &str); 16] = [
                ("http://10.1.2.3:8080/", &["fetch:http://10.1.2.3:8080/**"], ""),
                ("http://10.1.2.3:8080/", &["fetch:http://10.0.0.0/8:8080/**"], ""),
                ("http://10.1.2.3:8081/", &["fetch:http://10.1.2.3:8080/**"], DENIED),
                ("http://10.1.2.3/", &["fetch:http://10.1.2.3:8080/**"], DENIED),
                ("http://127.0.0.1:8080/", &["fetch:http://10.1.2.3:8080/**"], DENIED),
                ("http://10.1.2.3:8080/", &["fetch:http://in.test:8080/**"], DENIED),
                ("http://10.1.2.3:8080/", &["fetch:http://*:*/**"], DENIED),
                ("http://in.test:8080/", &["fetch:http://10.0.0.0/8:*/**"], DENIED),
                ("http://in.test:8080/", &["fetch:http://in.test:8080/**"], PROHIBITED),
                ("http://in.test:8080/", &["fetch:http://*:*/**"], PROHIBITED),
                ("http://in.test:8080/", &["fetch:http://*.test:*/**"], PROHIBITED),
                ("http://in.test:8080/", &["fetch:http://in.test:8080", "fetch:http://10.1.2.3"], PROHIBITED),
                ("http://in.test:8080/", &["fetch:http://in.test:8080", "fetch:http://10.1.2.4:8080"], PROHIBITED),
                ("http://in.test:8080/", &["fetch:http://in.test:8080", "fetch:POST http://10.1.2.3:8080"], PROHIBITED),
                ("http://in.test:8080/", &["fetch:http://in.test:8080", "fetch:http://10.1.2.3:8080/x/**"], PROHIBITED),
                ("http://in.test:8080/", &["fetch:http://in.test:8080", "fetch:http://10.0.0.0/8:8080"], ""),
            ];
            for (url, rules, expected) in cases {
                let answer = ask(url, rules).await;
                let body = if expected.is_empty() { "private" } else { "" };
                assert_eq!((answer.error(), answer.body()), (expected, body), "{url} {rules:?}: {answer:?}");
                assert_eq!(answer.denied().len(), usize::from(!expected.is_empty()), "{url} {rules:?}");
            }
        });
        assert_eq!(server.requests().len(), 3);
        assert!(beside.iter().all(|canary| canary.hits() == 0));
        Ok(())
    })
}

/// N12: a name is looked up as it is, and only if a rule permits the request.
#[test]
fn names_are_not_completed_and_not_leaked() -> io::Result<()> {
    isolated(|lab| {
        let guarded = Guarded::new()?;
        let public = Http::on((PUBLIC, 80), pages::text(200, "public"))?;
        let dns = Dns::on("127.0.0.1:53")?;
        dns.set("*.corp.test", Reply::addresses([PUBLIC]));
        dns.set("ok.test", Reply::addresses([PUBLIC]));
        lab.set_resolver("nameserver 127.0.0.1\nsearch corp.test\noptions ndots:5 timeout:1 attempts:1\n")?;
        block_on(async {
            for (url, rules) in [
                ("http://secret.test/", &["fetch:http://ok.test"][..]),
                ("http://x.ok.test/", &["fetch:http://ok.test"]),
                ("http://ok.test/b", &["fetch:http://ok.test/a"]),
                ("http://ok.test:81/", &["fetch:http://ok.test"]),
                ("https://ok.test/", &["fetch:http://ok.test"]),
                ("http://ok.test/", &["fetch:POST http://ok.test"]),
                ("http://ok.test/", &["fetch:http://10.0.0.0/8", "fetch:http://0.0.0.0/0"]),
                ("http://localhost.ok.test/", &["fetch:http://localhost"]),
                ("http://ok.test/", &[]),
            ] {
                assert_eq!(ask(url, rules).await.error(), "HTTP-request-denied", "{url}");
            }
            let denied = get("http://ok.test/").allow("fetch:http://*").deny("fetch:http://ok.test").send().await;
            assert_eq!(denied.error(), "HTTP-request-denied");
            assert_eq!(dns.queries(), [], "what is denied is not looked up");

            for name in ["metadata", "missing.test"] {
                let answer = ask(&format!("http://{name}/"), &[&format!("fetch:http://{name}")]).await;
                assert_eq!(answer.error(), "DNS-error", "{name}: {answer:?}");
            }
            assert_eq!(names(&dns), ["metadata", "missing.test"].map(str::to_owned).into());
            assert_eq!(public.accepts(), 0);
            for name in ["metadata.corp.test", "ok.test"] {
                let answer = ask(&format!("http://{name}/"), &[&format!("fetch:http://{name}")]).await;
                assert_eq!(answer.body(), "public", "{name}: {answer:?}");
            }
        });
        assert_eq!(guarded.hits(), 0);
        Ok(())
    })
}

/// N12: what the machine's own table of hosts says is where a name leads, and decided on like any other answer.
#[test]
fn an_alias_of_this_machine_opens_nothing() -> io::Result<()> {
    isolated(|lab| {
        let guarded = Guarded::new()?;
        let public = Http::on((PUBLIC, 80), pages::text(200, "public"))?;
        let dns = Dns::on("127.0.0.1:53")?;
        lab.set_hosts(
            "127.0.0.1 intranet.test\n::1 six.test\n169.254.169.254 meta.test META2.test\n\
             93.184.215.14 public.test localhost x.localhost\n",
        )?;
        block_on(async {
            for name in ["intranet.test", "six.test", "meta.test", "meta2.test"] {
                let answer = ask(&format!("http://{name}/"), EVERYTHING_PUBLIC).await;
                assert_eq!(answer.error(), "destination-IP-prohibited", "{name}: {answer:?}");
            }
            assert_eq!(guarded.hits(), 0);
            let answer = ask("http://public.test/", EVERYTHING_PUBLIC).await;
            assert_eq!(answer.body(), "public", "{answer:?}");
            assert_eq!(public.accepts(), 1);
            // This machine is this machine, whatever the table says.
            for name in ["localhost", "x.localhost"] {
                let answer = ask(&format!("http://{name}/"), &[&format!("fetch:http://{name}")]).await;
                assert_eq!(answer.body(), "127.0.0.1", "{name}: {answer:?}");
            }
            assert_eq!((public.accepts(), guarded.hits()), (1, 2));
            let both = ["fetch:http://intranet.test", "fetch:http://127.0.0.1"];
            assert_eq!(ask("http://intranet.test/", &both).await.body(), "127.0.0.1");
        });
        assert_eq!(dns.asked("localhost") + dns.asked("x.localhost"), 0);
        Ok(())
    })
}
