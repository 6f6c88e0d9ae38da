//! HTTP/2: a good server is asked over one connection, and hostile ones cost no more than their own request.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use caplet_audit::OutcomeKind;
use caplet_testkit::lab::h2::attacks::{self, Attack, EVIL, Ends};
use caplet_testkit::lab::h2::{H2, Response};
use caplet_testkit::lab::tls::Authority;

use super::alone::{Peak, alone};
use super::probe::{Answer, Client};
use super::tls::trusting;
use crate::hostile::Held;

/// How long a guest waits for any server here. What drips does so every second.
const PATIENCE: u64 = 500_000_000;

/// Memory that one hostile server may take in guest, gate and server together, in KiB.
const MEMORY_KIB: u64 = 48 << 10;

struct Lab {
    tls: Arc<rustls::ServerConfig>,
    client: Client,
}

impl Lab {
    fn new() -> Self {
        let authority = Authority::new().unwrap();
        let tls = authority.good(&["localhost"]).unwrap().config(&["h2"]).unwrap();
        Self { tls, client: Client::of(&trusting(&authority)) }
    }

    fn good(&self) -> H2 {
        let site = |_request: &_| Response::text(200, "hello").with("x-long", "a".repeat(12 << 10));
        H2::on("127.0.0.1:0", Some(Arc::clone(&self.tls)), site).unwrap()
    }

    async fn ask(&self, server: &H2, times: u32) -> Answer {
        let url = server.url_as("localhost", "/a?b=c");
        let request =
            self.client.get(&url).allow(&format!("fetch:ANY https://localhost:{}/**", server.address().port()));
        request.limit("http-response=64KiB").limit("timeout=5s").timeouts(PATIENCE).times(times).send().await
    }

    async fn attacked(&self, attack: &'static Attack) -> Answer {
        let server = H2::attacking("127.0.0.1:0", Some(Arc::clone(&self.tls)), attack).unwrap();
        let url = server.url_as("localhost", "/");
        let mut request = self.client.get(&url).allow(&format!("fetch:ANY {url}"));
        if attack.name == "no-window" {
            request = request.method("POST").body("upload");
        }
        let request = request.limit("http-response=64KiB").limit("timeout=5s").timeouts(PATIENCE);
        let answer = request.send().await;
        // The connection of a call ends with it.
        assert!(server.idle_within(Duration::from_secs(5)), "{}: {:?}", attack.name, server.failures());
        assert!(server.accepts() <= 3, "{}: {} connections", attack.name, server.accepts());
        answer
    }
}

fn check(attack: &Attack, answer: &Answer) {
    let failed = !answer.error().is_empty();
    let holds = match attack.ends {
        Ends::Malformed | Ends::Broken | Ends::Stalled | Ends::TooLarge | Ends::Bounded => failed,
        Ends::Ignorable => failed || answer.status() == 200,
        Ends::Usable => failed || !answer.body().contains(EVIL),
    };
    assert!(holds, "{} ({}), {:?}: {answer:?}", attack.name, attack.flaw, attack.ends);
    assert_eq!(answer.0.outcome, OutcomeKind::Ok, "{}: {answer:?}", attack.name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_server_is_asked_over_one_connection() {
    let lab = Lab::new();
    let server = lab.good();
    let answer = lab.ask(&server, 20).await;
    assert_eq!((answer.status(), answer.body(), answer.error()), (200, "hello", ""), "{answer:?}");
    let requests = server.requests();
    assert_eq!((requests.len(), server.accepts()), (20, 1));
    let authority = format!("localhost:{}", server.address().port());
    for request in requests {
        let wanted: [(&str, &[u8]); 4] =
            [(":method", b"GET"), (":scheme", b"https"), (":authority", authority.as_bytes()), (":path", b"/a?b=c")];
        assert!(wanted.iter().all(|(name, value)| request.header(name) == Some(*value)), "{request:?}");
        assert_eq!((request.server_name.as_deref(), request.header("host")), (Some("localhost"), None));
    }
}

#[test]
fn every_hostile_server_ends_as_it_should() {
    alone(|| async {
        let lab = Lab::new();
        let good = lab.good();
        let peak = Peak::watch();
        for attack in attacks::attacks() {
            // What else the machine does can only add, by letting frames wait for whoever reads them.
            let mut least = u64::MAX;
            for _ in 0..3 {
                let before = peak.take().min(Held::now().memory_kib);
                let started = Instant::now();
                let answer = lab.attacked(attack).await;
                let took = started.elapsed();
                least = least.min(peak.take() - before);
                eprintln!("{:26} {:?} {took:?} {least} KiB: {}", attack.name, attack.ends, answer.error());
                check(attack, &answer);
                assert!(took < Duration::from_secs(4), "{}: {took:?}", attack.name);
                if least < MEMORY_KIB {
                    break;
                }
            }
            assert!(least < MEMORY_KIB, "{}: {least} KiB", attack.name);
            let benign = lab.ask(&good, 2).await;
            assert_eq!((benign.status(), benign.body()), (200, "hello"), "after {}", attack.name);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_body_ends_at_the_limit() {
    let lab = Lab::new();
    let server =
        H2::on("127.0.0.1:0", Some(Arc::clone(&lab.tls)), |_request| Response::endless(b"0123456789abcdef")).unwrap();
    let answer = lab.ask(&server, 1).await;
    assert_eq!((answer.status(), answer.error()), (200, "HTTP-response-body-size"), "{answer:?}");
    assert!(answer.bytes().1 <= 64 << 10, "{answer:?}");
    assert!(server.idle_within(Duration::from_secs(5)));
}

/// A connection on which nothing comes any more is not used for the next request, or one lost packet would cost all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_went_silent_is_not_used_again() {
    let lab = Lab::new();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let site = move |request: &caplet_testkit::lab::h2::Request| {
        if request.connection == 0 {
            // Until the test lets go.
            held.lock().unwrap().recv().unwrap_err();
        }
        Response::text(200, "hello")
    };
    let server = H2::on("127.0.0.1:0", Some(Arc::clone(&lab.tls)), site).unwrap();
    let answer = lab.ask(&server, 2).await;
    drop(release);
    assert_eq!((answer.status(), answer.body()), (200, "hello"), "{answer:?}");
    assert_eq!(server.accepts(), 2);
}
