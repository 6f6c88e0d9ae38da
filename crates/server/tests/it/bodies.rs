//! P01, P02, P04: what is in a body, how much of it, and what headers say about it.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::wire::{Ask, exchange};
use crate::world::{World, call, initialize};

#[tokio::test]
async fn what_is_no_message_is_said_to_be_none() {
    let world = World::new().await;
    let session = world.session().await;
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let twice_named =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"profile","name":"big","arguments":{}}}"#;
    let cases = [
        ("{", -32700, Value::Null),
        ("\u{feff}{}", -32700, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,}", -32700, Value::Null),
        (deep.as_str(), -32700, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32700, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#, -32700, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/list"}"#, -32700, Value::Null),
        (twice_named, -32700, Value::Null),
        ("[]", -32600, Value::Null),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, Value::Null),
        ("null", -32600, Value::Null),
        ("\"ping\"", -32600, Value::Null),
        ("{}", -32600, Value::Null),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600, json!(1)),
        (r#"{"id":1,"method":"ping"}"#, -32600, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600, json!(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":1}"#, -32600, json!(1)),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"ping"}"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["a"]}"#, -32602, json!(1)),
        (r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":1}"#, -32602, json!("x")),
    ];
    for (body, code, id) in cases {
        for with_session in [true, false] {
            let mut request = Ask::post(body);
            if with_session {
                request = request.with("mcp-session-id", &session);
            }
            let reply = world.ask(&request).await;
            assert_eq!((reply.status, reply.code(), &reply.json()["id"]), (400, Some(code), &id), "{body}: {reply:?}");
        }
    }
    let mut latin = Ask::post("").with("connection", "close").with("content-length", "4").bytes(world.address);
    latin.extend_from_slice(b"\"\xff\xfe\"");
    let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    assert_eq!(exchange(&mut stream, &latin).await.code(), Some(-32700));
    let reply = world.ask(&Ask::post(call("after", "profile")).with("mcp-session-id", &session)).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "default"), "the session goes on");
}

#[tokio::test]
async fn methods_and_params_that_are_unknown_are_errors_of_the_request() {
    let world = World::new().await;
    let session = world.session().await;
    let cases = [
        (json!({ "jsonrpc": "2.0", "id": 7, "method": "nothing/like/it" }), -32601),
        (call(7, "no-such-tool"), -32602),
    ];
    for (message, code) in cases {
        let reply = world.ask(&Ask::post(&message).with("mcp-session-id", &session)).await;
        assert_eq!((reply.code(), &reply.json()["id"]), (Some(code), &json!(7)), "{message}: {reply:?}");
    }
}

#[tokio::test]
async fn a_body_is_read_up_to_its_bound() {
    let world = World::limited(|limits| limits.body_bytes = 1024).await;
    let fits = Ask::post(format!("{:1024}", initialize().body));
    assert_eq!(world.ask(&fits).await.status, 200);
    let over = Ask::post(format!("{:1025}", initialize().body));
    assert_eq!(world.ask(&over).await.status, 413);
    // What is announced is refused though nothing of it comes.
    let announced = Ask::post("").with("content-length", "104857600");
    assert_eq!(world.ask(&announced).await.status, 413);
    let mut stream = world.open(&Ask::post("").with("transfer-encoding", "chunked")).await;
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
    stream.write_all(chunk.as_bytes()).await.unwrap();
    stream.write_all(chunk.as_bytes()).await.unwrap();
    assert_eq!(exchange(&mut stream, chunk.as_bytes()).await.status, 413);
}

#[tokio::test]
async fn two_lengths_or_both_kinds_of_length_are_refused() {
    let world = World::new().await;
    let body = initialize().body;
    let length = body.len().to_string();
    let cases = [
        initialize().also("content-length", &length).also("content-length", "1"),
        initialize().also("content-length", "+5"),
        initialize().also("transfer-encoding", "chunked, identity"),
        initialize().also("transfer-encoding", "xchunked"),
    ];
    for request in cases {
        let reply = world.ask(&request).await;
        assert_eq!(reply.status, 400, "{request:?}: {reply:?}");
    }
}

fn modern(method: &str, params: Value) -> Value {
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({ "jsonrpc": "2.0", "id": 3, "method": method, "params": params })
}

#[tokio::test]
async fn headers_say_what_the_body_says() {
    let world = World::new().await;
    let call = modern("tools/call", json!({ "name": "profile", "arguments": {} }));
    let right = Ask::post(&call)
        .with("mcp-protocol-version", "2026-07-28")
        .with("mcp-method", "tools/call")
        .with("mcp-name", "profile");
    let reply = world.ask(&right).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "default"), "{reply:?}");
    assert_eq!(reply.header("mcp-session-id"), None);
    let wrong = [
        right.clone().with("mcp-protocol-version", "2025-11-25"),
        right.clone().with("mcp-method", "tools/list"),
        right.clone().with("mcp-name", "headers"),
        right.clone().also("mcp-name", "profile"),
        right.clone().also("mcp-method", "tools/list"),
        right.clone().also("mcp-protocol-version", "2025-11-25"),
        Ask::post(&call).with("mcp-protocol-version", "2026-07-28").with("mcp-method", "tools/call"),
        Ask::post(&call).with("mcp-protocol-version", "2026-07-28").with("mcp-name", "profile"),
        Ask::post(&call),
    ];
    for request in wrong {
        let reply = world.ask(&request).await;
        assert_eq!((reply.status, reply.code()), (400, Some(-32020)), "{request:?}: {reply:?}");
    }
    let encoded = right.clone().with("mcp-name", "=?base64?cHJvZmlsZQ==?=");
    assert_eq!(world.ask(&encoded).await.text(), "default");
}

#[tokio::test]
async fn an_unknown_version_is_answered_with_those_that_are_known() {
    let world = World::new().await;
    let session = world.session().await;
    let in_session = Ask::post(call(4, "profile")).with("mcp-session-id", &session);
    for version in ["1999-01-01", "2999-01-01", "latest", ""] {
        let reply = world.ask(&in_session.clone().with("mcp-protocol-version", version)).await;
        assert_eq!((reply.status, reply.code()), (400, Some(-32022)), "{version:?}: {reply:?}");
        let supported = &reply.json()["error"]["data"]["supported"];
        assert!(supported.as_array().unwrap().contains(&json!("2025-11-25")), "{reply:?}");
    }
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let reply = world.ask(&in_session.clone().with("mcp-protocol-version", version)).await;
        assert_eq!(reply.text(), "default", "{version}");
    }
    for (asked, given) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-11-25", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let reply = world.ask(&Ask::post(initialize().body.replace("2025-11-25", asked))).await;
        assert_eq!(reply.json()["result"]["protocolVersion"], given, "{asked}: {reply:?}");
    }
    let mismatch = initialize().with("mcp-protocol-version", "2025-06-18");
    assert_eq!(world.ask(&mismatch).await.status, 400);
}
