//! Requests over loopback: granted and not, over every protocol.

use caplet_audit::ErrorKind;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_holds_requests_back_and_refuses_none() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    let url = format!("http://{}", server.address());
    // Two at once, and then one every half a second.
    let paced = get(&url).times(4).allow(&format!("fetch:2/s {url}/**")).send().await;
    assert_eq!((paced.status(), server.requests().len()), (200, 4), "{paced:?}");
    assert!(paced.0.usage.wall_us >= 900_000, "{paced:?}");
    // A rule without a rate imposes none, and neither does one that does not match.
    let free = get(&url).times(50).allow(&format!("fetch:1/h {url}/**")).allow(&format!("fetch:{url}/**"));
    let free = free.allow(&format!("fetch:1/h {url}/other")).limit("timeout=20s").send().await;
    assert_eq!((free.status(), server.requests().len()), (200, 54), "{free:?}");
    // The deadline bounds the wait.
    let late = get(&url).times(2).allow(&format!("fetch:1/h {url}/**")).limit("timeout=300ms").send().await;
    assert_eq!(late.0.error.as_ref().map(|error| error.kind), Some(ErrorKind::Timeout), "{late:?}");
    assert_eq!(server.requests().len(), 55);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_wins_and_only_for_what_it_names() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    let url = format!("http://{}", server.address());
    for (denied, path, status) in [("/private/**", "/private/a", 0), ("/private/**", "/open", 200), ("/**", "/open", 0)]
    {
        let request = get(&format!("{url}{path}")).allow(&format!("fetch:{url}/**"));
        let answer = request.deny(&format!("fetch:{url}{denied}")).send().await;
        assert_eq!(answer.status(), status, "{denied} {path}: {answer:?}");
    }
    assert_eq!(server.accepts(), 1);
}
