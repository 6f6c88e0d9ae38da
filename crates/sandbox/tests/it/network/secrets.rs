//! Credentials: the granted server gets them, and nobody else.

use std::sync::Arc;

use caplet_secrets::{SecretError, SecretName, SecretSource, SecretValue};
use caplet_testkit::lab::http::{Http, Request as Received, Script, pages};

use super::probe::{Answer, Request, get};

const VALUE: &str = "s3cr3t-v4lue-0815";
const PAIR: &str = "user:p4ssword-4711";

/// `TOKEN` and `PAIR`.
#[derive(Debug)]
struct Two;

impl SecretSource for Two {
    fn secret(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        match name.as_str() {
            "TOKEN" => SecretValue::new(VALUE.as_bytes()),
            "PAIR" => SecretValue::new(PAIR.as_bytes()),
            _ => Err(SecretError::Unknown(name.clone())),
        }
    }
}

fn with_secrets(mut request: Request) -> Request {
    request.call.invocation.secrets = Some(Arc::new(Two));
    request
}

/// What a server got, as text.
fn head(server: &Http, index: usize) -> String {
    String::from_utf8_lossy(&server.requests()[index].raw).into_owned()
}

/// Everything that a call leaves behind, as text.
fn everything(answer: &Answer) -> String {
    format!("{:?} {}", answer.0, serde_json::to_string(&answer.0).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_placement_puts_it_where_it_belongs() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "fine")).unwrap();
    let url = format!("http://{}", server.address());
    let cases = [
        ("TOKEN", "", "/a", format!("authorization: Bearer {VALUE}\r\n")),
        ("TOKEN", ":bearer", "/a", format!("authorization: Bearer {VALUE}\r\n")),
        ("PAIR", ":basic", "/a", "authorization: Basic dXNlcjpwNHNzd29yZC00NzEx\r\n".to_owned()),
        ("TOKEN", ":header:X-Api-Key", "/a", format!("x-api-key: {VALUE}\r\n")),
        ("TOKEN", ":query:key", "/a", format!("GET /a?key={VALUE} HTTP/1.1\r\n")),
        ("TOKEN", ":query:key", "/a?b=1&key=mine&c=2", format!("GET /a?b=1&c=2&key={VALUE} HTTP/1.1\r\n")),
    ];
    for (index, (name, placement, path, expected)) in cases.into_iter().enumerate() {
        let answer = with_secrets(get(&format!("{url}{path}")))
            .header("x-api-key", "mine")
            .header("authorization", "Basic mine")
            .header("range", "bytes=0-3")
            .allow(&format!("fetch:{url}/**"))
            .allow(&format!("secret:{name}{placement}@{url}/**"))
            .send()
            .await;
        assert_eq!((answer.status(), answer.body()), (200, "fine"), "{placement}: {answer:?}");
        let head = head(&server, index);
        assert!(head.contains(&expected), "{placement}: {head}");
        let name = expected.split(':').next().unwrap_or_default();
        assert_eq!(head.matches(&format!("\r\n{name}: ")).count(), usize::from(!expected.starts_with("GET")), "{head}");
        assert!(!head.contains("range:"), "{head}");
        assert!(!everything(&answer).contains(VALUE) && !everything(&answer).contains("p4ssword"), "{answer:?}");
        let permitted: Vec<_> =
            answer.0.decisions.permitted_ops.iter().map(|entry| entry.capability.as_str()).collect();
        assert!(permitted.contains(&"caplet:secrets"), "{permitted:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_placeholder_is_filled_where_a_rule_permits_it() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "fine")).unwrap();
    let url = format!("http://{}", server.address());
    let send = |rule: String, header: &'static str, value: &'static str| {
        let request = with_secrets(get(&format!("{url}/a"))).header(header, value);
        request.allow(&format!("fetch:{url}/**")).allow(&rule).send()
    };
    let filled = send(format!("secret:TOKEN@{url}/**"), "x-key", "a {{secret:TOKEN}} b").await;
    assert_eq!(filled.status(), 200, "{filled:?}");
    assert!(head(&server, 0).contains(&format!("x-key: a {VALUE} b\r\n")), "{}", head(&server, 0));
    assert!(!head(&server, 0).contains("authorization"), "the guest said where it goes");
    let filled = send(format!("secret:TOKEN:bearer@{url}/**"), "authorization", "Bearer {{secret:TOKEN}}").await;
    assert_eq!(filled.status(), 200, "{filled:?}");
    let refused = [
        ("another header", format!("secret:TOKEN:bearer@{url}/**"), "x-key", "{{secret:TOKEN}}"),
        ("another secret", format!("secret:TOKEN@{url}/**"), "x-key", "{{secret:PAIR}}"),
        ("another path", format!("secret:TOKEN@{url}/b/**"), "x-key", "{{secret:TOKEN}}"),
        ("one that is not set", format!("secret:NONE@{url}/**"), "x-key", "{{secret:NONE}}"),
        ("half a placeholder", format!("secret:TOKEN@{url}/**"), "x-key", "{{secret:TOKEN"),
    ];
    for (what, rule, header, value) in refused {
        let answer = send(rule, header, value).await;
        assert_eq!(answer.error(), "HTTP-request-denied", "{what}: {answer:?}");
    }
    assert_eq!(server.requests().len(), 2, "nothing of the refused ones went out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_nowhere_else() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "fine")).unwrap();
    let other = Http::on("127.0.0.1:0", pages::text(200, "fine")).unwrap();
    let (url, elsewhere) = (format!("http://{}", server.address()), format!("http://{}", other.address()));
    let cases = [
        ("another path", format!("{url}/b"), format!("secret:TOKEN@{url}/a/**")),
        ("another port", format!("{elsewhere}/a"), format!("secret:TOKEN@{url}/**")),
        ("another scheme", format!("{url}/a"), format!("secret:TOKEN@https://{}/**", server.address())),
    ];
    for (what, target, rule) in cases {
        let request =
            with_secrets(get(&target)).allow(&format!("fetch:{url}/**")).allow(&format!("fetch:{elsewhere}/**"));
        let answer = request.allow(&rule).send().await;
        assert_eq!(answer.status(), 200, "{what}: {answer:?}");
    }
    for received in server.requests().iter().chain(&other.requests()) {
        let raw = String::from_utf8_lossy(&received.raw);
        assert!(!raw.contains(VALUE) && !raw.contains("authorization"), "{raw}");
    }
    let missing = with_secrets(get(&format!("{url}/a"))).allow(&format!("fetch:{url}/**"));
    let answer = missing.allow(&format!("secret:NONE@{url}/**")).send().await;
    assert_eq!(answer.error(), "HTTP-request-denied", "{answer:?}");
    assert!(answer.0.decisions.denied[0].hint.contains("caplet secret set NONE"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_gives_back_is_masked() {
    // Echoes the credential in a header, and cut into small pieces in the body.
    let site = |request: &Received| {
        let raw = String::from_utf8_lossy(&request.raw).into_owned();
        let credential =
            raw.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default().to_owned();
        let body = format!("<{credential}> {} {}", hex(VALUE), "x".repeat(50));
        let mut script = Script::new()
            .send(format!("HTTP/1.1 200 OK\r\nx-echo: {credential}\r\ncontent-length: {}\r\n\r\n", body.len()));
        for piece in body.as_bytes().chunks(3) {
            script = script.send(piece.to_vec());
        }
        script
    };
    let server = Http::on("127.0.0.1:0", site).unwrap();
    let url = format!("http://{}", server.address());
    let request = with_secrets(get(&format!("{url}/a"))).allow(&format!("fetch:{url}/**"));
    let answer = request.allow(&format!("secret:TOKEN@{url}/**")).send().await;
    let expected = format!("<Bearer [secret:TOKEN]> [secret:TOKEN] {}", "x".repeat(50));
    assert_eq!((answer.status(), answer.body()), (200, expected.as_str()), "{answer:?}");
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_mask_cannot_look_into_is_refused() {
    let packed = Script::new().send("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx");
    let server = Http::on("127.0.0.1:0", move |_: &Received| packed.clone()).unwrap();
    let url = format!("http://{}", server.address());
    let plain = with_secrets(get(&url)).allow(&format!("fetch:{url}/**")).send().await;
    assert_eq!(plain.status(), 200, "without a secret it is data: {plain:?}");
    let request = with_secrets(get(&url)).allow(&format!("fetch:{url}/**"));
    let answer = request.allow(&format!("secret:TOKEN@{url}/**")).send().await;
    assert_eq!(answer.error(), "HTTP-response-content-coding", "{answer:?}");
    let traced = with_secrets(get(&url)).method("TRACE").allow(&format!("fetch:TRACE {url}/**"));
    let answer = traced.allow(&format!("secret:TOKEN@{url}/**")).send().await;
    assert_eq!(answer.error(), "HTTP-request-denied", "{answer:?}");
    assert_eq!(server.requests().len(), 2);
}
