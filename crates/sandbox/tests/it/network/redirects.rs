//! Redirects: the tool sees them, or the host follows as many as the manifest asks for; each hop is decided on.

use caplet_testkit::lab::canary::Canary;
use caplet_testkit::lab::http::{Http, Request as Received, Script, pages};

use super::probe::{Request, get};

/// The five kinds.
const KINDS: [u16; 5] = [301, 302, 303, 307, 308];

fn following(mut request: Request, redirects: u8) -> Request {
    request.call.invocation.redirects = redirects;
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_sees_a_redirect_unless_its_manifest_asks_otherwise() {
    let canary = Canary::on("127.0.0.1:0").unwrap();
    let server = Http::on("127.0.0.1:0", pages::redirect(302, format!("http://{}/", canary.address()))).unwrap();
    let url = format!("http://{}", server.address());
    let answer = get(&url).allow(&format!("fetch:{url}/**")).send().await;
    assert_eq!((answer.status(), canary.hits()), (302, 0), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hop_outside_the_grant_is_never_dialled() {
    for kind in KINDS {
        let canary = Canary::on("127.0.0.1:0").unwrap();
        let (out, address) = (canary.address(), canary.address());
        let targets = [
            ("another port", format!("http://{out}/")),
            ("another host", format!("http://localhost:{}/", out.port())),
            ("another scheme", format!("https://{address}/")),
            ("a hidden user", format!("http://ok@{out}/")),
            ("no scheme", format!("//{out}/")),
            ("a file", "file:///etc/passwd".to_owned()),
        ];
        for (what, target) in targets {
            let server = Http::on("127.0.0.1:0", pages::redirect(kind, &target)).unwrap();
            let url = format!("http://{}", server.address());
            let answer = following(get(&format!("{url}/a")), 5).allow(&format!("fetch:{url}/a")).send().await;
            let expected = ["HTTP-request-denied", "HTTP-protocol-error"];
            assert!(expected.contains(&answer.error()), "{kind} to {what}: {answer:?}");
            if answer.error() == "HTTP-request-denied" {
                assert_eq!(answer.denied().len(), 1, "{kind} to {what}: {answer:?}");
            }
            assert_eq!(canary.hits(), 0, "{kind} to {what}");
        }
        let server = Http::on("127.0.0.1:0", pages::redirect(kind, "/b")).unwrap();
        let url = format!("http://{}", server.address());
        let answer = following(get(&format!("{url}/a")), 5).allow(&format!("fetch:{url}/a")).send().await;
        assert_eq!((answer.error(), answer.denied()), ("HTTP-request-denied", vec![format!("GET {url}/b").as_str()]));
        assert_eq!(server.requests().len(), 1, "{kind} to another path");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_change_as_the_fetch_standard_says() {
    let cases = [
        (301, "GET", "GET"),
        (301, "POST", "GET"),
        (301, "PUT", "PUT"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "DELETE", "DELETE"),
    ];
    for (kind, method, then) in cases {
        let server = Http::on(
            "127.0.0.1:0",
            pages::routes([("/a", pages::redirect(kind, "/b")), ("/b", pages::text(200, "there"))]),
        )
        .unwrap();
        let url = format!("http://{}", server.address());
        let answer = following(get(&format!("{url}/a")), 5)
            .method(method)
            .header("content-type", "text/plain")
            .allow(&format!("fetch:ANY {url}/**"))
            .send()
            .await;
        assert_eq!(answer.status(), 200, "{kind} {method}: {answer:?}");
        let second = String::from_utf8_lossy(&server.requests()[1].raw).into_owned();
        assert!(second.starts_with(&format!("{then} /b HTTP/1.1\r\n")), "{kind} {method}: {second}");
        assert_eq!(second.contains("content-type"), method == then, "{kind} {method}: {second}");
        assert_eq!(answer.0.usage.http_requests, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_sent_once() {
    for (kind, status, requests) in [(303, 200, 2), (307, 307, 1)] {
        let server = Http::on(
            "127.0.0.1:0",
            pages::routes([("/a", pages::redirect(kind, "/b")), ("/b", pages::text(200, "there"))]),
        )
        .unwrap();
        let url = format!("http://{}", server.address());
        let request = following(get(&format!("{url}/a")), 5).method("POST").body("some text");
        let answer = request.allow(&format!("fetch:ANY {url}/**")).send().await;
        assert_eq!((answer.status(), server.requests().len()), (status, requests), "{kind}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_who_asks_stays_with_its_origin() {
    let other = Http::on("127.0.0.1:0", pages::text(200, "there")).unwrap();
    let there = format!("http://{}", other.address());
    let server = Http::on("127.0.0.1:0", pages::redirect(302, format!("{there}/x"))).unwrap();
    let url = format!("http://{}", server.address());
    let answer = following(get(&url), 5)
        .header("authorization", "Bearer mine")
        .header("cookie", "a=b")
        .header("x-other", "kept")
        .allow(&format!("fetch:{url}/**"))
        .allow(&format!("fetch:{there}/**"))
        .send()
        .await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let second = String::from_utf8_lossy(&other.requests()[0].raw).into_owned();
    assert!(second.contains("x-other: kept") && !second.contains("mine") && !second.contains("a=b"), "{second}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hops_end() {
    let server = Http::on("127.0.0.1:0", pages::redirect(302, "/again")).unwrap();
    let url = format!("http://{}", server.address());
    let answer = following(get(&url), 10).allow(&format!("fetch:{url}/**")).send().await;
    assert_eq!((answer.error(), server.requests().len()), ("loop-detected", 11), "{answer:?}");
    let limited = following(get(&url), 10).allow(&format!("fetch:{url}/**")).limit("http-requests=3").send().await;
    assert_eq!(limited.error(), "connection-limit-reached", "{limited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_locations_are_no_way_round() {
    let canary = Canary::on("127.0.0.1:0").unwrap();
    let out = canary.address();
    let long = format!("/{}", "a".repeat(60_000));
    for location in ["", "http://", "http:///", "/\\evil", "http://[", "\u{e9}", long.as_str(), "javascript:alert(1)"] {
        let location = location.to_owned();
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let server = Http::on("127.0.0.1:0", move |_: &Received| Script::new().send(head.clone())).unwrap();
        let url = format!("http://{}/a", server.address());
        let answer = following(get(&url), 2).allow(&format!("fetch:{url}")).send().await;
        assert_ne!(answer.error(), "", "{location:?}: {answer:?}");
    }
    let two = format!("HTTP/1.1 302 Found\r\nlocation: /b\r\nlocation: http://{out}/\r\ncontent-length: 0\r\n\r\n");
    let server = Http::on("127.0.0.1:0", move |_: &Received| Script::new().send(two.clone())).unwrap();
    let url = format!("http://{}", server.address());
    let answer = following(get(&url), 2).allow(&format!("fetch:{url}/**")).send().await;
    assert_eq!((answer.error(), canary.hits()), ("HTTP-protocol-error", 0), "{answer:?}");
}
