//! Hostile responses over HTTP/1.1: each ends with an error of the right kind or with a response that a guest can use, in time
//! and in memory that both have a bound, and the next request is none the worse for it.

use std::time::{Duration, Instant};

use caplet_audit::{ErrorKind, OutcomeKind};
use caplet_testkit::lab::http::hostile::{self, Case, EVIL, Ends};
use caplet_testkit::lab::http::{Http, Script, pages};

use super::alone::{Peak, alone};
use super::probe::{Answer, Client};
use crate::harness::sandbox;

/// How long a guest waits for any server here. What drips does so every second.
const PATIENCE: Duration = Duration::from_millis(500);

/// The longest body here.
const BODY: u64 = 64 << 10;

/// Memory that one hostile response may take in guest, gate and server together, in KiB. Endless ones would take more in a moment.
const MEMORY_KIB: u64 = 48 << 10;

/// What a case ends with; each of them has to be a case.
const CODES: &[(&str, &str)] = &[
    ("two-lengths", "HTTP-protocol-error"),
    ("length-and-chunked", "HTTP-protocol-error"),
    ("chunked-twice", "HTTP-response-transfer-coding"),
    ("chunked-not-last", "HTTP-response-transfer-coding"),
    ("chunked-unknown", "HTTP-protocol-error"),
    ("length-2-64", "HTTP-protocol-error"),
    ("header-flood", "HTTP-response-header-section-size"),
    ("header-endless", "HTTP-response-header-section-size"),
    ("header-line-1-mib", "HTTP-response-header-section-size"),
    ("header-line-endless", "HTTP-response-header-section-size"),
    ("status-line-endless", "HTTP-response-header-section-size"),
    ("status-other-protocol", "HTTP-protocol-error"),
    ("status-empty", "HTTP-response-incomplete"),
    ("upgrade-unasked", "HTTP-protocol-error"),
    ("header-nul", "HTTP-protocol-error"),
    ("header-bare-cr", "HTTP-protocol-error"),
    ("header-blank-name", "HTTP-protocol-error"),
    ("informational-flood", "connection-read-timeout"),
    ("early-hints-flood", "connection-read-timeout"),
    ("silent", "connection-read-timeout"),
    ("upload-unread", "connection-read-timeout"),
    ("head-drips", "connection-read-timeout"),
    ("informational-drips", "connection-read-timeout"),
    ("half-a-head", "connection-read-timeout"),
    ("body-drips", "connection-read-timeout"),
    ("half-open", "connection-read-timeout"),
    ("length-short", "HTTP-response-incomplete"),
    ("chunked-cut", "HTTP-response-incomplete"),
    ("reset-in-body", "connection-terminated"),
    ("chunk-size-2-64", "HTTP-protocol-error"),
    ("half-close", ""),
    ("header-latin-1", ""),
    // What came of it is no text, which the guest cannot return.
    ("body-gzip-bomb", "no answer"),
    ("body-endless", "HTTP-response-body-size"),
    ("body-1-tib", "HTTP-response-body-size"),
];

async fn ask(client: &Client, case: &Case, times: u32) -> Answer {
    let server = Http::hostile("127.0.0.1:0", None, case).unwrap();
    let url = server.url("/");
    let request = client
        .get(&url)
        .allow(&format!("fetch:ANY {url}"))
        .limit(&format!("http-response={BODY}"))
        .limit("timeout=5s")
        .times(times);
    let request = request.timeouts(u64::try_from(PATIENCE.as_nanos()).unwrap());
    let request = if case.name == "body-after-head" { request.method("HEAD") } else { request };
    let request = if case.name.starts_with("upload") {
        // More than the kernel takes for a server that does not read.
        request.method("POST").body(&"u".repeat(60 << 10)).header("x-long", "1")
    } else {
        request
    };
    let answer = request.send().await;
    // The connection of a call ends with it.
    assert!(server.idle_within(Duration::from_secs(5)), "{}: {:?}", case.name, server.failures());
    answer
}

fn check(case: &Case, answer: &Answer) {
    let word = answer.error();
    let holds = match case.ends {
        Ends::Malformed | Ends::Broken => !word.is_empty(),
        // The parser has no word of its own for trailers.
        Ends::TooLarge => {
            matches!(word, "HTTP-response-header-section-size" | "HTTP-response-body-size" | "HTTP-protocol-error")
        }
        Ends::Stalled | Ends::Bounded => matches!(word, "connection-read-timeout" | "HTTP-response-body-size"),
        Ends::Ignorable => !word.is_empty() || answer.status() == 200,
        Ends::Usable => !word.is_empty() || !answer.body().contains(EVIL),
    };
    assert!(holds, "{} ({}), {:?}: {word}: {answer:?}", case.name, case.flaw, case.ends);
    let is_answered = answer.0.outcome == OutcomeKind::Ok || answer.limit() == Some(ErrorKind::Quota);
    assert!(is_answered, "{}: {answer:?}", case.name);
    assert!(answer.bytes().1 <= BODY, "{}: {answer:?}", case.name);
    if let Some((_, wanted)) = CODES.iter().find(|(name, _)| *name == case.name) {
        assert_eq!(word, *wanted, "{} ({}): {answer:?}", case.name, case.flaw);
    }
}

#[test]
fn every_hostile_response_ends_as_it_should() {
    alone(|| async {
        assert!(CODES.iter().all(|(name, _)| hostile::case(name).is_some()));
        let client = Client::of(&sandbox());
        let good = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
        let peak = Peak::watch();
        for case in hostile::cases() {
            let before = peak.take().min(crate::hostile::Held::now().memory_kib);
            let started = Instant::now();
            let answer = ask(&client, &case, 1).await;
            let (took, most) = (started.elapsed(), peak.take());
            eprintln!(
                "{:28} {:?} {:?} {} KiB: {} {}",
                case.name,
                case.ends,
                took,
                most - before,
                answer.error(),
                answer.status()
            );
            check(&case, &answer);
            assert!(took < Duration::from_secs(4), "{}: {took:?}", case.name);
            assert!(most < before + MEMORY_KIB, "{}: {before} to {most} KiB", case.name);
            let benign = client.get(&good.url("/")).allow(&format!("fetch:{}", good.url("/"))).times(2).send().await;
            assert_eq!((benign.status(), benign.body()), (200, "hello"), "after {}", case.name);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_response_is_no_answer_to_the_next_request() {
    let client = Client::of(&sandbox());
    for name in
        ["response-split", "body-after-204", "body-after-304", "body-after-head", "half-close", "length-and-chunked"]
    {
        let case = hostile::case(name).unwrap();
        let answer = ask(&client, &case, 20).await;
        check(&case, &answer);
        assert_eq!(answer.0.usage.http_requests, 20, "{name}: {answer:?}");
        assert!(!answer.0.output.to_string().contains(EVIL), "{name}: {answer:?}");
    }
}

/// A guest that is patient has the time that its call has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_server_has_no_more_time_than_the_call() {
    let client = Client::of(&sandbox());
    for name in ["silent", "head-drips", "body-drips", "chunks-drip", "half-open", "informational-flood"] {
        let server = Http::hostile("127.0.0.1:0", None, &hostile::case(name).unwrap()).unwrap();
        let request = client.get(&server.url("/")).allow(&format!("fetch:{}", server.url("/"))).limit("timeout=400ms");
        let answer = request.send().await;
        assert_eq!(answer.limit(), Some(ErrorKind::Timeout), "{name}: {answer:?}");
        // Half as much again, and a second for a machine that is busy.
        assert!(answer.0.usage.wall_us < 1_600_000, "{name}: {answer:?}");
        assert!(server.idle_within(Duration::from_secs(5)), "{name}: the connection is left open");
    }
}

/// The runtime gives each task a measure of what it reads at a time. A call may be driven where there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_sends_without_end_does_not_outlast_the_call() {
    let client = Client::of(&sandbox());
    for name in ["informational-flood", "body-endless", "header-endless"] {
        let server = Http::hostile("127.0.0.1:0", None, &hostile::case(name).unwrap()).unwrap();
        let request = client.get(&server.url("/")).allow(&format!("fetch:{}", server.url("/"))).limit("timeout=400ms");
        let answer = tokio::task::unconstrained(request.send()).await;
        assert!(answer.0.usage.wall_us < 1_600_000, "{name}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_has_a_most_of_bytes_and_of_fields() {
    let client = Client::of(&sandbox());
    let head =
        |line: &str, times: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{}\r\nok", line.repeat(times));
    let cases = [
        ("63 KiB in one field", head(&format!("x-a: {}\r\n", "a".repeat(63 << 10)), 1), ""),
        (
            "65 KiB in one field",
            head(&format!("x-a: {}\r\n", "a".repeat(65 << 10)), 1),
            "HTTP-response-header-section-size",
        ),
        (
            "65 KiB in 65 fields",
            head(&format!("x-a: {}\r\n", "a".repeat(1 << 10)), 65),
            "HTTP-response-header-section-size",
        ),
        ("100 fields", head("x-a: a\r\n", 99), ""),
        ("101 fields", head("x-a: a\r\n", 100), "HTTP-response-header-section-size"),
    ];
    for (what, bytes, wanted) in cases {
        let server = Http::on("127.0.0.1:0", Script::new().send(bytes)).unwrap();
        let answer = client.get(&server.url("/")).allow(&format!("fetch:{}", server.url("/"))).send().await;
        assert_eq!(answer.error(), wanted, "{what}: {answer:?}");
        assert_eq!(answer.status(), if wanted.is_empty() { 200 } else { 0 }, "{what}: {answer:?}");
    }
}

/// What a browser would act on, a guest gets as it is, and nothing else happens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_header_of_a_response_makes_the_gate_do_anything() {
    let client = Client::of(&sandbox());
    let other = Http::on("127.0.0.1:0", pages::text(200, "other")).unwrap();
    let away = other.url("/away");
    let link = format!("<{away}>; rel=preload");
    let refresh = format!("0; url={away}");
    let service = format!("h2=\"{}\"; ma=60", other.address());
    let cases: [(u16, &str, &str); 7] = [
        (401, "www-authenticate", "Basic realm=\"lab\""),
        (407, "proxy-authenticate", "Basic realm=\"lab\""),
        (200, "refresh", &refresh),
        (200, "set-cookie", "lab=1; path=/"),
        (200, "link", &link),
        (200, "alt-svc", &service),
        (503, "retry-after", "0"),
    ];
    for (status, name, value) in cases {
        let page = pages::response(status, &[(name, value.as_bytes())], b"page");
        let server = Http::on("127.0.0.1:0", page).unwrap();
        let request = client.get(&server.url("/")).allow(&format!("fetch:{}", server.url("/")));
        let answer = request.allow(&format!("fetch:{away}")).times(2).send().await;
        assert_eq!((answer.status(), answer.body()), (u64::from(status), "page"), "{name}: {answer:?}");
        let requests = server.requests();
        assert_eq!(requests.len(), 2, "{name}");
        let names = ["authorization", "proxy-authorization", "cookie"];
        assert!(requests.iter().all(|request| names.iter().all(|name| request.header(name).is_empty())), "{name}");
    }
    assert_eq!(other.accepts(), 0);
}
