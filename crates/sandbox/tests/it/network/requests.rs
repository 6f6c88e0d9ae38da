//! Requests over loopback: granted and not, over every protocol.

use caplet_testkit::lab::http::{Http, pages};

use super::probe::get;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_granted_request_is_sent_as_it_was_decided_on() {
    let server = Http::on("127.0.0.1:0", pages::routes([("/a/b", pages::text(200, "hello"))])).unwrap();
    let url = format!("http://{}", server.address());
    let answer =
        get(&format!("{url}/a/./c/../b?q=%61")).header("x-one", "1").allow(&format!("fetch:{url}/a/**")).send().await;
    assert_eq!((answer.status(), answer.body(), answer.error()), (200, "hello", ""), "{answer:?}");
    let requests = server.requests();
    let head = String::from_utf8_lossy(&requests[0].raw).into_owned();
    assert!(head.starts_with("GET /a/b?q=%61 HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains(&format!("host: {}\r\n", server.address())), "{head}");
    assert!(head.contains("x-one: 1\r\n"), "{head}");
    assert_eq!(answer.0.usage.http_requests, 1);
    assert_eq!(answer.0.usage.http_received_bytes, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_granted_is_never_dialled() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    let url = format!("http://{}", server.address());
    let cases = [
        ("nothing is granted", "GET", "/a", None),
        ("another path", "GET", "/b", Some(format!("fetch:{url}/a"))),
        ("another method", "POST", "/a", Some(format!("fetch:{url}/a"))),
        ("another spelling of the method", "get", "/a", Some(format!("fetch:{url}/a"))),
        ("another scheme", "GET", "/a", Some(format!("fetch:https://{}/a", server.address()))),
        ("another port", "GET", "/a", Some("fetch:http://127.0.0.1:1/a".to_owned())),
        ("every public host", "GET", "/a", Some("fetch:http://*:*/**".to_owned())),
        ("a tunnel", "CONNECT", "/a", Some(format!("fetch:ANY {url}/**"))),
        ("a trace", "TRACE", "/a", Some(format!("fetch:ANY {url}/**"))),
    ];
    for (what, method, path, rule) in cases {
        let mut request = get(&format!("{url}{path}")).method(method);
        if let Some(rule) = rule {
            request = request.allow(&rule);
        }
        let answer = request.send().await;
        assert_eq!(answer.error(), "HTTP-request-denied", "{what}: {answer:?}");
        assert_eq!(answer.denied(), [format!("{method} {url}{path}")], "{what}");
    }
    assert_eq!(server.accepts(), 0);
}
