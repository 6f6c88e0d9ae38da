//! P08, P09: names of this server and origins of pages, on every route and before anything else; methods and media types.

use caplet_server::{Authentication, Server, ServerError, TokenFile};
use serde_json::json;
use tokio::sync::mpsc;

use crate::wire::Ask;
use crate::world::{World, call, initialize, profiles};

const ROUTES: [&str; 4] = ["POST /mcp", "GET /healthz", "GET /metrics", "GET /nothing"];

#[tokio::test]
async fn a_request_must_name_this_server() {
    let world = World::new().await;
    let port = world.address.port();
    let ok = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("[::1]:{port}"),
        "[0:0:0:0:0:0:0:1]".to_owned(),
        // A forwarded port: the name is what pages in a browser cannot choose.
        "localhost:1".to_owned(),
        "localhost".to_owned(),
    ];
    for host in ok {
        let reply = world.ask(&Ask::new("GET /healthz").with("host", &host)).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok\n"), "{host}");
    }
    let refused = [
        ("evil.example", 403),
        ("evil.example:80", 403),
        ("localhost.evil", 403),
        ("localhost.evil:80", 403),
        ("evil-localhost", 403),
        ("localhost.", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.2", 403),
        ("0.0.0.0", 403),
        ("[::]", 403),
        ("[::ffff:127.0.0.1]", 403),
        ("[::1].evil.example", 400),
        ("[::1]evil", 400),
        ("[::1", 400),
        ("::1", 400),
        ("127.1", 400),
        ("2130706433", 400),
        ("0x7f000001", 400),
        ("0177.0.0.1", 400),
        ("127.0.0.1@evil.example", 400),
        ("localhost:80:80", 400),
        ("localhost:99999", 400),
        ("localhost, evil.example", 400),
        ("loc\u{e4}lhost", 400),
        ("", 400),
    ];
    for route in ROUTES {
        for (host, status) in refused {
            let reply = world.ask(&Ask::new(route).with("host", host)).await;
            assert_eq!(reply.status, status, "{route} for {host:?}: {reply:?}");
            assert!(reply.json()["error"]["message"].is_string(), "{reply:?}");
        }
    }
}

#[tokio::test]
async fn the_target_counts_as_much_as_the_header() {
    let world = World::new().await;
    let address = world.address;
    let cases = [
        (Ask::new("GET http://evil.example/healthz"), 400),
        (Ask::new("GET http://evil.example/healthz").with("host", "evil.example"), 403),
        (Ask::new(&format!("GET http://{address}/healthz")).with("host", "evil.example"), 400),
        (Ask::new(&format!("GET http://{address}/healthz")), 200),
        (Ask::new("GET /healthz").also("host", address.to_string()).also("host", "evil.example"), 400),
        (Ask::new("GET /healthz").also("host", address.to_string()).also("host", address.to_string()), 400),
        (Ask::new("GET /healthz").also("no-host", ""), 400),
        (Ask { line: "GET /healthz HTTP/1.0".to_owned(), ..Ask::new("") }.also("no-host", ""), 400),
        (Ask { line: "GET /healthz HTTP/1.0".to_owned(), ..Ask::new("") }.with("host", "evil.example"), 403),
        (Ask::new("CONNECT evil.example:80"), 400),
    ];
    for (request, status) in cases {
        let reply = world.ask(&request).await;
        assert_eq!(reply.status, status, "{request:?}: {reply:?}");
    }
}

#[tokio::test]
async fn a_request_may_not_come_from_a_foreign_page() {
    let world = World::with(|builder| {
        builder.allow_origins(["https://app.example".parse().unwrap(), "vscode-webview://1a2b".parse().unwrap()])
    });
    let world = world.await;
    let own = world.address.to_string();
    let allowed = [
        format!("http://{own}"),
        "https://app.example".to_owned(),
        "https://app.example:443".to_owned(),
        "HTTPS://APP.EXAMPLE".to_owned(),
        "vscode-webview://1a2b".to_owned(),
    ];
    for origin in allowed {
        let reply = world.ask(&initialize().with("origin", &origin)).await;
        assert_eq!(reply.status, 200, "{origin}: {reply:?}");
        assert!(reply.header("access-control-allow-origin").is_none());
    }
    let foreign = [
        "null",
        "",
        "https://evil.example",
        "http://app.example",
        "https://app.example:444",
        "https://app.example.evil",
        "https://app.example@evil.example",
        "https://app.example/",
        "https://app.example https://evil.example",
        "http://127.0.0.1:1",
        "http://localhost",
        "file://",
        "app.example",
    ];
    for route in ROUTES {
        for origin in foreign {
            let reply = world.ask(&Ask::new(route).with("origin", origin)).await;
            assert_eq!(reply.status, 403, "{route} from {origin:?}: {reply:?}");
        }
        let twice = Ask::new(route).also("origin", "https://app.example").also("origin", "https://evil.example");
        assert_eq!(world.ask(&twice).await.status, 403);
        for site in ["cross-site", "same-site"] {
            assert_eq!(world.ask(&Ask::new(route).with("sec-fetch-site", site)).await.status, 403, "{site}");
        }
    }
}

#[tokio::test]
async fn foreign_names_are_refused_before_tokens_are_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::new(folder.path().join("tokens.toml"));
    file.add(caplet_server::NewToken { name: "t".to_owned(), ..Default::default() }).unwrap();
    let world = World::asking(Authentication::none().tokens(file).unwrap()).await;
    let reply = world.ask(&initialize().with("host", "evil.example")).await;
    assert_eq!((reply.status, reply.header("www-authenticate")), (403, None));
    let reply = world.ask(&initialize().with("origin", "https://evil.example")).await;
    assert_eq!((reply.status, reply.header("www-authenticate")), (403, None));
}

#[tokio::test]
async fn an_allowed_host_is_one_name_and_one_port() {
    let hosts = ["tools.example".parse().unwrap(), "other.example:8443".parse().unwrap()];
    let world = World::with(|builder| builder.allow_hosts(hosts)).await;
    let cases = [
        ("tools.example", 200),
        ("Tools.Example:81", 200),
        ("other.example:8443", 200),
        ("other.example", 403),
        ("other.example:443", 403),
        ("a.tools.example", 403),
    ];
    for (host, status) in cases {
        assert_eq!(world.ask(&Ask::new("GET /healthz").with("host", host)).await.status, status, "{host}");
    }
    for wrong in ["", "a b", "*", "https://tools.example", "tools.example/mcp", "127.1"] {
        assert!(wrong.parse::<caplet_server::AllowedHost>().is_err(), "{wrong:?}");
    }
    for wrong in ["", "null", "*", "tools.example", "https://tools.example/", "https://*.example"] {
        assert!(wrong.parse::<caplet_server::AllowedOrigin>().is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn only_messages_in_json_are_taken() {
    let world = World::new().await;
    let body = call(1, "profile").to_string();
    let post = |content_type: &str| Ask::post(&body).with("content-type", content_type);
    let cases = [
        (post("text/plain"), 415),
        (post("application/x-www-form-urlencoded"), 415),
        (post("multipart/form-data; boundary=x"), 415),
        (post("application/jsonp"), 415),
        (post("text/plain; application/json"), 415),
        (post("text/plain").also("content-type", "application/json"), 400),
        (post("application/json").with("accept", "text/html"), 406),
        (Ask::new("PUT /mcp"), 405),
        (Ask::new("PATCH /mcp"), 405),
        (Ask::new("HEAD /mcp"), 405),
        (Ask::new("TRACE /mcp"), 405),
        (Ask::new("GET /mcp").with("accept", "text/event-stream"), 400),
        (Ask::new("GET /mcp"), 406),
        (Ask::new("DELETE /mcp"), 400),
        (Ask::new("POST /healthz"), 405),
        (Ask::new("POST /metrics"), 405),
        (Ask::new("GET /mcp/"), 404),
        (Ask::new("GET /.well-known/oauth-protected-resource"), 404),
    ];
    for (request, status) in cases {
        let reply = world.ask(&request).await;
        assert_eq!(reply.status, status, "{request:?}: {reply:?}");
        if status == 405 && request.line.contains("/mcp") {
            assert_eq!(reply.header("allow"), Some("GET, POST, DELETE"));
        }
    }
}

#[tokio::test]
async fn a_preflight_is_not_answered() {
    let world = World::with(|builder| builder.allow_origins(["https://app.example".parse().unwrap()])).await;
    for (origin, status) in [("https://app.example", 405), ("https://evil.example", 403)] {
        let preflight = Ask::new("OPTIONS /mcp").with("origin", origin).with("access-control-request-method", "POST");
        let reply = world.ask(&preflight.with("access-control-request-headers", "content-type")).await;
        assert_eq!(reply.status, status);
        for header in ["access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers"] {
            assert_eq!(reply.header(header), None);
        }
    }
}

#[tokio::test]
async fn what_others_can_reach_asks_who_they_are() {
    let (events, _) = mpsc::unbounded_channel();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let refused =
            Server::builder(profiles(&events, &Default::default())).address(address.parse().unwrap()).bind().await;
        assert!(matches!(refused, Err(ServerError::NoAuthentication(_))), "{address}: {refused:?}");
    }
    let usual = format!("{:?}", Server::builder(profiles(&events, &Default::default())));
    assert!(usual.contains("127.0.0.1"), "{usual}");
}

/// What `mcp-ssrf-check` 0.2.1 sends that is about the transport, in its own shape.
#[tokio::test]
async fn what_the_public_checker_sends() {
    let world = World::new().await;
    let session = world.session().await;
    let list = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/list", "params": {} });
    assert_eq!(world.ask(&initialize()).await.status, 200);
    assert_eq!(world.ask(&initialize().with("host", "rebound-0a1b2c.invalid")).await.status, 403);
    assert_eq!(world.ask(&initialize().with("origin", "https://evil-0a1b2c.invalid")).await.status, 403);
    assert_eq!(world.ask(&initialize().with("origin", "null")).await.status, 403);
    let fabricated = Ask::post(&list).with("mcp-session-id", "mcp-ssrf-check-0a1b2c");
    assert_eq!(world.ask(&fabricated).await.status, 404);
    assert_eq!(world.ask(&Ask::new("DELETE /mcp").with("mcp-session-id", &session)).await.status, 202);
    assert_eq!(world.ask(&Ask::post(&list).with("mcp-session-id", &session)).await.status, 404);
}
