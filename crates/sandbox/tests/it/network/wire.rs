//! The request on the wire: the bytes that were decided on, and no other request beside it.

use caplet_testkit::lab::http::{Http, Request, pages};

use super::probe::{Answer, raw};

/// What is refused before anything is sent, whatever is granted.
const REFUSED: &[&str] =
    &["HTTP-request-URI-invalid", "method refused", "authority refused", "path refused", "header refused"];

/// A server that says hello, and its authority.
fn server() -> (Http, String) {
    let server = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    let authority = server.address().to_string();
    (server, authority)
}

fn is_refused(answer: &Answer, what: &str) {
    assert!(REFUSED.contains(&answer.error()), "{what}: {answer:?}");
    assert_eq!(answer.0.usage.http_requests, 0, "{what}");
}

fn sent(server: &Http, answer: &Answer, what: &str) -> Request {
    assert_eq!((answer.status(), answer.body()), (200, "hello"), "{what}: {answer:?}");
    let mut requests = server.take_requests();
    assert_eq!(requests.len(), 1, "{what}");
    requests.remove(0)
}

/// N18: a control character, or a blank where none may be, is refused in every part of a request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_characters_get_into_no_part_of_a_request() {
    let (server, authority) = server();
    let rules = [format!("fetch:ANY http://{authority}/**"), "fetch:ANY http://*:*/**".to_owned()];
    let whole = |authority: &str, path: &str| rules.iter().fold(raw("http", authority, path), |r, rule| r.allow(rule));
    for bad in ["\0", "\r", "\n", "\r\n", "\x01", "\x0b", "\x1f", "\x7f", "\t", " ", "\u{85}", "\u{2028}", "\u{202e}"] {
        for authority in [
            format!("{authority}{bad}.ok.test"),
            format!("{bad}{authority}"),
            format!("{authority}{bad}"),
            format!("127.0.0.1{bad}:80"),
            format!("ok.test{bad}"),
        ] {
            is_refused(&whole(&authority, "/").send().await, &format!("authority {authority:?}"));
        }
        if bad.is_ascii() {
            for path in [format!("/{bad}"), format!("/a{bad}b"), format!("/?{bad}"), format!("/a HTTP/1.1{bad}x: y")] {
                is_refused(&whole(&authority, &path).send().await, &format!("path {path:?}"));
            }
        }
        for method in [format!("GET{bad}"), format!("{bad}GET"), format!("GE{bad}T")] {
            is_refused(&whole(&authority, "/").method(&method).send().await, &format!("method {method:?}"));
        }
        for name in [format!("x{bad}"), format!("{bad}x"), format!("x{bad}y")] {
            is_refused(&whole(&authority, "/").header(&name, "1").send().await, &format!("header {name:?}"));
        }
        // A tab and a space may stand in a value, and so may all that is no ASCII.
        if bad.is_ascii() && !matches!(bad, "\t" | " ") {
            for value in [format!("1{bad}"), format!("{bad}1"), format!("1{bad}x: y")] {
                is_refused(&whole(&authority, "/").header("x", &value).send().await, &format!("value {value:?}"));
            }
        }
    }
    assert_eq!(server.accepts(), 0);
    let answer = whole(&authority, "/a").header("x", "1\t2 3").send().await;
    let request = sent(&server, &answer, "without any");
    assert_eq!(request.header("x"), [b"1\t2 3"]);
}

/// N20: a request's target is a path on the host that was decided on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_is_a_path_on_its_host() {
    let (server, authority) = server();
    let evil = Http::on("127.0.0.1:0", pages::text(200, "evil")).unwrap();
    let rule = format!("fetch:ANY http://{authority}/**");
    let port = authority.trim_start_matches("127.0.0.1");
    for path in [
        format!("http://{}/x", evil.address()),
        format!("http://{authority}/x"),
        format!("//{}/x", evil.address()),
        "//evil.test/x".to_owned(),
        "//".to_owned(),
        "/.//evil.test/x".to_owned(),
        "/a/..//evil.test/x".to_owned(),
        "/%2e//evil.test/x".to_owned(),
        format!("/\\{}/x", evil.address()),
        "\\\\evil.test/x".to_owned(),
        format!("@{}/x", evil.address()),
        format!("{port}@{}/x", evil.address()),
        ".evil.test/x".to_owned(),
        "1/x".to_owned(),
        "x".to_owned(),
        "*".to_owned(),
        "#x".to_owned(),
        "javascript:x".to_owned(),
        "/a\\b".to_owned(),
    ] {
        for method in ["GET", "OPTIONS"] {
            let answer = raw("http", &authority, &path).method(method).allow(&rule).send().await;
            is_refused(&answer, &format!("{method} {path:?}"));
        }
    }
    assert_eq!((server.accepts(), evil.accepts()), (0, 0));
    let twins =
        [("/", "/"), ("/?q", "/?q"), ("", "/"), ("?q", "/?q"), ("/a//b", "/a//b"), ("/a:b@c", "/a:b@c"), ("/*", "/*")];
    for (path, target) in twins {
        let answer = raw("http", &authority, path).allow(&rule).send().await;
        assert_eq!(sent(&server, &answer, path).target(), target.as_bytes(), "{path}");
    }
}

/// N21: paths under a rule for `/a/**`: what goes out for it, if it does.
const PATHS: &[(&str, Result<&str, &str>)] = &[
    ("/a/b", Ok("/a/b")),
    ("/a/./b", Ok("/a/b")),
    ("/a/%2e/b", Ok("/a/b")),
    ("/a/x/../b", Ok("/a/b")),
    ("/a/x/%2E%2e/b", Ok("/a/b")),
    ("/c/../a/b", Ok("/a/b")),
    ("/%61/%62", Ok("/%61/%62")),
    ("/a//b", Ok("/a//b")),
    ("/a/b;c=../d", Ok("/a/b;c=../d")),
    ("/a/%zz%", Ok("/a/%zz%")),
    ("/a/%252e%252e%252fb", Ok("/a/%252e%252e%252fb")),
    ("/a/...", Ok("/a/...")),
    ("/a/..b", Ok("/a/..b")),
    ("/a/b?x=/../../c&y=%2e%2e", Ok("/a/b?x=/../../c&y=%2e%2e")),
    ("/a/b?x='y'", Ok("/a/b?x=%27y%27")),
    ("/a/b|c", Ok("/a/b|c")),
    ("/a/b\"c", Ok("/a/b%22c")),
    ("/b", Err("/b")),
    ("/A/b", Err("/A/b")),
    ("/ab", Err("/ab")),
    ("/a/../b", Err("/b")),
    ("/a/%2e%2e/b", Err("/b")),
    ("/a/.%2e/b", Err("/b")),
    ("/a/%2E./b", Err("/b")),
    ("/a/../../b", Err("/b")),
    ("/../b", Err("/b")),
    ("/x/a/b", Err("/x/a/b")),
    ("/a%2fb", Err("/a%2fb")),
    ("/%2fa/b", Err("/%2fa/b")),
    ("/b?/a/b", Err("/b?/a/b")),
    ("/b?x=/../a/b", Err("/b?x=/../a/b")),
    ("/a/..%2fb", Err("")),
    ("/a/..%2Fb", Err("")),
    ("/a/%2e%2e%2fb", Err("")),
    ("/a/%2e%2e%5cb", Err("")),
    ("/a/x%2f..%2f..%2fb", Err("")),
    ("/a/x%5c..%5c..%5cb", Err("")),
    ("/a/..;/b", Err("")),
    ("/a/..;x=y/b", Err("")),
    ("/a/%2e%2e;/b", Err("")),
    ("/a/.;/b", Err("")),
    ("/a/..\\b", Err("")),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_path_that_is_decided_on_is_the_path_that_is_sent() {
    let (server, authority) = server();
    let rule = format!("fetch:http://{authority}/a/**");
    for (path, expected) in PATHS {
        let answer = raw("http", &authority, path).allow(&rule).send().await;
        match expected {
            Ok(target) => assert_eq!(sent(&server, &answer, path).target(), target.as_bytes(), "{path}"),
            Err("") => is_refused(&answer, path),
            Err(denied) => {
                assert_eq!(answer.error(), "HTTP-request-denied", "{path}: {answer:?}");
                assert_eq!(answer.denied(), [format!("GET http://{authority}{denied}")]);
            }
        }
        assert!(server.take_requests().is_empty(), "{path}");
    }
}

/// N22: a method is what it is, letter by letter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_are_told_apart_by_every_letter() {
    let (server, authority) = server();
    let url = format!("http://{authority}/**");
    for (rule, method, is_sent) in [
        ("", "GET", true),
        ("", "HEAD", true),
        ("", "get", false),
        ("", "Get", false),
        ("", "POST", false),
        ("", "OPTIONS", false),
        ("", "GETS", false),
        ("", "G", false),
        ("POST ", "POST", true),
        ("POST ", "post", false),
        ("POST ", "GET", false),
        ("PURGE ", "PURGE", true),
        ("PURGE ", "purge", false),
        ("ANY ", "PURGE", true),
        ("ANY ", "ANY", true),
        ("ANY ", "TRACK", true),
        ("ANY ", "M-SEARCH", true),
        ("ANY ", "TRACE", false),
        ("ANY ", "CONNECT", false),
        ("TRACE ", "TRACE", true),
        ("TRACE ", "trace", false),
    ] {
        let what = format!("{rule}{method}");
        let answer = raw("http", &authority, "/").method(method).allow(&format!("fetch:{rule}{url}")).send().await;
        if is_sent {
            assert_eq!(answer.status(), 200, "{what}: {answer:?}");
            assert_eq!(server.take_requests()[0].method(), method.as_bytes(), "{what}");
        } else {
            assert_eq!(answer.error(), "HTTP-request-denied", "{what}: {answer:?}");
            assert_eq!(answer.denied(), [format!("{method} http://{authority}/")], "{what}");
        }
        assert!(server.take_requests().is_empty(), "{what}");
    }
    for method in ["", "GE T", "GET\t", "GET /x HTTP/1.1\r\nx: y\r\n\r\nGET", "GÉT", "G(T", "A/B"] {
        is_refused(
            &raw("http", &authority, "/").method(method).allow(&format!("fetch:ANY {url}")).send().await,
            method,
        );
    }
}

/// N23: who a request is for is the host's to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_header_is_the_host_that_was_decided_on() {
    let (server, authority) = server();
    let ask = || raw("http", &authority, "/").allow(&format!("fetch:http://{authority}/**"));
    for name in ["host", "Host", "HOST", ":authority", ":path", ":method", ":scheme", "", "x y", "x:"] {
        is_refused(&ask().header(name, "evil.test").send().await, name);
    }
    assert_eq!(server.accepts(), 0);
    let others = ["x-forwarded-host", "x-host", "forwarded", "x-original-url", "x-rewrite-url", "host-x"];
    let answer = others.iter().fold(ask(), |request, name| request.header(name, "evil.test")).send().await;
    let request = sent(&server, &answer, "data");
    assert_eq!(request.header("host"), [authority.as_bytes()]);
    assert!(others.iter().all(|name| request.header(name) == [b"evil.test"]));
    assert_eq!(request.line(), b"GET / HTTP/1.1");
}
