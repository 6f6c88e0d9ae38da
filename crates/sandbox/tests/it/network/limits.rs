//! How many requests, how many at once, how many bytes and how long, and what is left when a call is over: nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caplet_audit::{ErrorKind, OutcomeKind};
use caplet_sandbox::Connections;
use caplet_testkit::lab;
use caplet_testkit::lab::http::{Http, Script, hostile, pages};

use super::alone::alone;
use super::probe::{Answer, Client, Request};
use crate::harness::sandbox;
use crate::hostile::{Held, is_back_at, settle};

fn client() -> Client {
    Client::of(&sandbox())
}

fn page() -> Http {
    Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap()
}

fn to(client: &Client, server: &Http) -> Request {
    client.get(&server.url("/")).allow(&format!("fetch:ANY {}", server.url("/"))).limit("timeout=10s")
}

fn is_good(answer: &Answer) -> bool {
    (answer.status(), answer.body(), answer.error()) == (200, "hello", "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_101st_request_of_a_call_is_not_sent() {
    let client = client();
    for (limit, times, sent, is_over) in [
        (None, 100, 100, false),
        (None, 101, 100, true),
        (Some("http-requests=3"), 3, 3, false),
        (Some("http-requests=3"), 4, 3, true),
        (Some("http-requests=0"), 1, 0, true),
    ] {
        let server = page();
        let mut request = to(&client, &server).times(times).must();
        if let Some(limit) = limit {
            request = request.limit(limit);
        }
        let answer = request.send().await;
        assert_eq!(answer.limit(), is_over.then_some(ErrorKind::Quota), "{limit:?} {times}: {answer:?}");
        assert_eq!((server.requests().len(), answer.0.usage.http_requests), (sent as usize, sent), "{limit:?} {times}");
        assert_eq!(server.accepts(), u64::from(sent > 0), "{limit:?} {times}: one connection serves them all");
        assert!(is_over || is_good(&answer), "{limit:?} {times}: {answer:?}");
    }
}

/// A tool that copes with its limits ends as it likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_is_told_that_it_has_sent_enough() {
    let server = page();
    let answer = to(&client(), &server).times(4).limit("http-requests=3").send().await;
    assert_eq!((answer.0.outcome, answer.error()), (OutcomeKind::Ok, "connection-limit-reached"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_more_than_may_be_under_way_waits() {
    let client = client();
    let silent = hostile::case("silent-after-request").unwrap();
    for (limit, ahead, arrive) in [
        (None, 15, 16),
        (None, 16, 16),
        (None, 30, 16),
        (Some("http-concurrency=1"), 0, 1),
        (Some("http-concurrency=1"), 3, 1),
    ] {
        let server = Http::hostile("127.0.0.1:0", None, &silent).unwrap();
        let mut request = to(&client, &server).ahead(ahead).limit("timeout=1s");
        if let Some(limit) = limit {
            request = request.limit(limit);
        }
        let answer = request.send().await;
        assert_eq!(answer.limit(), Some(ErrorKind::Timeout), "{limit:?} {ahead}: {answer:?}");
        assert_eq!((server.requests().len(), server.accepts()), (arrive, arrive as u64), "{limit:?} {ahead}");
        assert!(server.idle_within(Duration::from_secs(5)), "connections end with their call");
    }
    let server = page();
    let answer = to(&client, &server).times(5).limit("http-concurrency=1").send().await;
    assert!(is_good(&answer), "one after the other: {answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_have_a_most_of_bytes_both_ways() {
    let client = client();
    let body = |length: usize| "b".repeat(length);
    let chunked = |length: usize| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
        Script::new().send(head + &"1\r\nb\r\n".repeat(length) + "0\r\n\r\n")
    };
    let until_end = |length: usize| Script::new().send(format!("HTTP/1.1 200 OK\r\n\r\n{}", body(length))).close();
    for (length, is_over) in [(0, false), (1, false), (999, false), (1_000, false), (1_001, true), (100_000, true)] {
        let ways = [
            ("a length", pages::text(200, &body(length)), String::new()),
            ("chunks", chunked(length), String::new()),
            ("the end of the connection", until_end(length), String::new()),
            ("an upload", pages::text(200, "hello"), body(length)),
        ];
        for (what, script, upload) in ways {
            let server = Http::on("127.0.0.1:0", script).unwrap();
            let request = to(&client, &server).method("POST").body(&upload).limit("http-response=1000").must();
            let answer = request.send().await;
            assert_eq!(answer.limit(), is_over.then_some(ErrorKind::Quota), "{what}, {length}: {answer:?}");
            let (sent, received) = answer.bytes();
            assert!(sent <= 1_000 && received <= 1_000, "{what}, {length}: {answer:?}");
            if !is_over {
                let whole = if upload.is_empty() { (0, answer.body().len()) } else { (length, 5) };
                assert_eq!((sent as usize, received as usize), whole, "{what}, {length}");
                assert_eq!(server.requests()[0].body(), upload.as_bytes(), "{what}, {length}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_may_be_forbidden_and_a_head_is_none() {
    let client = client();
    for (method, script, is_over) in [
        ("HEAD", pages::text(200, "hello"), false),
        ("GET", pages::text(200, ""), false),
        ("GET", pages::text(200, "h"), true),
    ] {
        let server = Http::on("127.0.0.1:0", script).unwrap();
        let answer = to(&client, &server).method(method).limit("http-response=0").must().send().await;
        assert_eq!(answer.limit(), is_over.then_some(ErrorKind::Quota), "{method}: {answer:?}");
        assert!(is_over || answer.status() == 200, "{method}: {answer:?}");
    }
}

/// The least and the most that a guest can ask for are a time like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeouts_may_be_as_short_and_as_long_as_they_like() {
    let client = client();
    let most = i64::MAX as u64;
    for nanoseconds in [0, 1, 999_999, 1_000_000, most, most + 2, u64::MAX - 1, u64::MAX] {
        let server = page();
        let answer = to(&client, &server).timeouts(nanoseconds).send().await;
        let gave_up = ["connection-timeout", "connection-read-timeout", "connection-terminated"];
        let is_short = nanoseconds <= 1_000_000 && gave_up.contains(&answer.error());
        assert!(is_short || is_good(&answer), "{nanoseconds}: {answer:?}");
        assert_eq!(answer.0.outcome, OutcomeKind::Ok, "{nanoseconds}: {answer:?}");
        let silent = Http::hostile("127.0.0.1:0", None, &hostile::case("silent").unwrap()).unwrap();
        let answer = to(&client, &silent).timeouts(nanoseconds).limit("timeout=300ms").send().await;
        let wanted = (nanoseconds > 1_000_000).then_some(ErrorKind::Timeout);
        assert_eq!(answer.limit(), wanted, "{nanoseconds}: {answer:?}");
        assert!(wanted.is_some() || gave_up.contains(&answer.error()), "{nanoseconds}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_used_again_where_they_are_shared_and_nowhere_else() {
    let client = client();
    let server = page();
    let ask = async |connections: Option<&Arc<Connections>>| {
        let mut request = to(&client, &server);
        request.call.invocation.connections = connections.cloned();
        let answer = request.send().await;
        assert!(is_good(&answer), "{answer:?}");
        server.accepts()
    };
    let (one, other) = (Arc::new(Connections::default()), Arc::new(Connections::default()));
    assert_eq!((ask(Some(&one)).await, ask(Some(&one)).await), (1, 1), "calls that share it");
    assert_eq!((ask(Some(&other)).await, ask(Some(&other)).await), (2, 2), "those of another policy");
    assert_eq!((ask(None).await, ask(None).await), (3, 4), "calls by themselves");
    assert_eq!((ask(Some(&one)).await, ask(Some(&other)).await), (4, 4), "and all that again");
    drop((one, other));
    assert!(server.idle_within(Duration::from_secs(5)), "connections end with those who share them");
}

/// Another path of an origin that is served by a kept connection is decided on like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_opens_nothing() {
    let client = client();
    let server = page();
    let connections = Arc::new(Connections::default());
    assert!(is_good(&shared(to(&client, &server), &connections).await));
    for url in [server.url("/b"), server.url_as("localhost", "/"), server.url("/").replace("http:", "https:")] {
        let request = client.get(&url).allow(&format!("fetch:{}", server.url("/")));
        let answer = shared(request, &connections).await;
        assert_eq!(answer.error(), "HTTP-request-denied", "{url}: {answer:?}");
    }
    assert_eq!((server.requests().len(), server.accepts()), (1, 1));
}

async fn shared(mut request: Request, connections: &Arc<Connections>) -> Answer {
    request.call.invocation.connections = Some(Arc::clone(connections));
    request.send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_closes_what_was_kept_costs_nothing() {
    let client = client();
    let endings: [fn(Script) -> Script; 3] = [Script::close, Script::cut, Script::reset];
    for ending in endings {
        let script = ending(pages::text(200, "hello").pause(Duration::from_millis(50)));
        let server = Http::on("127.0.0.1:0", script).unwrap();
        let connections = Arc::new(Connections::default());
        for turn in 1..=3 {
            let answer = shared(to(&client, &server), &connections).await;
            assert!(is_good(&answer), "{turn}: {answer:?}");
            assert!(server.idle_within(Duration::from_secs(5)), "{turn}: a connection that has ended is kept");
        }
        assert_eq!(server.accepts(), 3);
    }
}

/// An embedder may call one tool from several runtimes; a connection is only moved by the one that it was opened on.
#[test]
fn a_connection_is_not_used_on_another_runtime() {
    let client = client();
    let server = page();
    let connections = Arc::new(Connections::default());
    let runtimes = [(); 2].map(|()| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
    for turn in 0..6 {
        let request = to(&client, &server).limit("timeout=5s");
        let answer = runtimes[turn % 2].block_on(shared(request, &connections));
        assert!(is_good(&answer), "{turn}: {answer:?}");
    }
    assert_eq!(server.accepts(), 2);
}

/// A server may close just as the next request is on its way. What changes nothing is then asked again; what may change something
/// is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_safe_request_without_a_body_is_sent_again() {
    let client = client();
    let endings: [fn(Script) -> Script; 2] = [Script::close, Script::cut];
    for ending in endings {
        let server = Http::on("127.0.0.1:0", ending(pages::text(200, "hello"))).unwrap();
        let answer = to(&client, &server).times(50).send().await;
        assert!(is_good(&answer), "{answer:?}");
    }
    for (method, body, is_repeated) in
        [("GET", "", true), ("GET", "b", false), ("POST", "", false), ("DELETE", "", false)]
    {
        let seen = Mutex::new(BTreeSet::new());
        let site = move |request: &lab::http::Request| match seen.lock().unwrap().insert(request.connection) {
            true => pages::text(200, "hello"),
            false => Script::new().cut(),
        };
        let server = Http::on("127.0.0.1:0", site).unwrap();
        let answer = to(&client, &server).method(method).body(body).times(2).send().await;
        let (arrived, made) = if is_repeated { (3, 2) } else { (2, 1) };
        assert_eq!(is_good(&answer), is_repeated, "{method}: {answer:?}");
        assert_eq!((server.requests().len(), server.accepts()), (arrived, made), "{method}: {answer:?}");
        assert_eq!(answer.0.usage.http_requests, 2, "{method}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_requests_are_cheap() {
    let server = page();
    let answer = client().get(&server.url("/")).times(1_000).limit("timeout=30s").send().await;
    assert_eq!((answer.0.outcome, answer.error()), (OutcomeKind::Ok, "HTTP-request-denied"), "{answer:?}");
    assert_eq!(answer.0.decisions.denied.iter().map(|entry| entry.count).collect::<Vec<_>>(), [1_000]);
    assert_eq!((server.accepts(), answer.0.usage.http_requests), (0, 0));
}

#[test]
fn nothing_is_left_of_a_call() {
    alone(|| async {
        let client = client();
        let mut baseline = None;
        for round in 0..3 {
            for name in ["silent", "half-open", "body-endless", "header-endless", "reset-in-body", "upload-unread"] {
                let server = Http::hostile("127.0.0.1:0", None, &hostile::case(name).unwrap()).unwrap();
                let request = to(&client, &server).method("POST").body("upload").limit("http-response=64KiB");
                request.ahead(20).limit("timeout=300ms").send().await;
            }
            let server = page();
            assert!(is_good(&to(&client, &server).times(20).send().await), "{round}");
            drop(server);
            match &baseline {
                None => {
                    settle().await;
                    baseline = Some(Held::now());
                }
                Some(baseline) => is_back_at(baseline, &format!("round {round}")).await,
            }
        }
    });
}
