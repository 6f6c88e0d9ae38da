//! What a guest says about its own connection and the length of its body: refused before the wire, or true on the wire.

use caplet_testkit::lab::http::{Http, pages};

use super::probe::Client;
use crate::harness::sandbox;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_the_connection_are_refused() {
    let client = Client::of(&sandbox());
    let server = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    let url = server.url("/");
    let names = [
        "connection",
        "Connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "Transfer-Encoding",
        "upgrade",
        "http2-settings",
        "host",
        "HOST",
        "expect",
    ];
    for name in names {
        let request = client.get(&url).allow(&format!("fetch:{url}")).header(name, "x");
        let answer = request.send().await;
        assert_eq!(answer.error(), "header refused", "{name}: {answer:?}");
    }
    assert_eq!(server.accepts(), 0);
    let answer = client.get(&url).allow(&format!("fetch:{url}")).header("x-connection", "x").send().await;
    assert_eq!((answer.status(), answer.body()), (200, "hello"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_would_end_a_header_are_refused() {
    let client = Client::of(&sandbox());
    let server = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    let url = server.url("/");
    let cases = [
        ("x-a", "a\r\nx-evil: 1"),
        ("x-a", "a\nx-evil: 1"),
        ("x-a", "a\rx-evil: 1"),
        ("x-a", "a\0b"),
        ("x-a", "a\x7f"),
        ("x-a\r\nx-evil", "1"),
        ("x a", "1"),
        ("x-a:", "1"),
        ("", "1"),
        ("x-\u{e9}", "1"),
        (":path", "/evil"),
    ];
    for (name, value) in cases {
        let answer = client.get(&url).allow(&format!("fetch:{url}")).header(name, value).send().await;
        assert_eq!(answer.error(), "header refused", "{name:?} {value:?}: {answer:?}");
    }
    assert_eq!(server.accepts(), 0);
}

/// A length that is not that of the body is found before or while it is sent, and the next request has a connection of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_length_is_that_of_the_body() {
    let client = Client::of(&sandbox());
    let cases: [(&str, &[&str], &str, bool); 9] = [
        ("none said", &[], "hello", true),
        ("the same", &["5"], "hello", true),
        ("too short", &["3"], "hello", false),
        ("too long", &["9"], "hello", false),
        ("without a body", &["5"], "", false),
        ("of nothing", &["0"], "", true),
        ("two that differ", &["5", "3"], "hello", false),
        ("negative", &["-5"], "hello", false),
        ("a list", &["5, 5"], "hello", false),
    ];
    for (what, lengths, body, is_sent) in cases {
        let server = Http::on("127.0.0.1:0", pages::text(200, "page")).unwrap();
        let url = server.url("/");
        let mut request =
            client.get(&url).method("POST").allow(&format!("fetch:POST {url}")).body(body).limit("timeout=5s");
        for length in lengths {
            request = request.header("content-length", length);
        }
        let answer = request.send().await;
        let whole: Vec<_> = server.requests().into_iter().filter(|request| request.complete).collect();
        assert_eq!(answer.status(), if is_sent { 200 } else { 0 }, "{what}: {answer:?} {whole:?}");
        assert_eq!(whole.len(), usize::from(is_sent), "{what}: {answer:?} {whole:?}");
        if let Some(request) = whole.first() {
            assert_eq!(request.body(), body.as_bytes(), "{what}");
        }
        let benign =
            client.get(&url).method("POST").allow(&format!("fetch:POST {url}")).body("next").times(2).send().await;
        assert_eq!(benign.body(), "page", "after {what}: {benign:?}");
        let requests = server.requests();
        assert!(requests.iter().rev().take(2).all(|request| request.body() == b"next"), "after {what}: {requests:?}");
    }
}
