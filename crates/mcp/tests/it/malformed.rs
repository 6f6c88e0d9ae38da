//! What is no message, and what is one that should not be.

use caplet_mcp::Settings;
use serde_json::{Value, json};

use crate::world::World;

/// A line, the code of the error, and the id that it comes under. No code: there is no answer.
const LINES: &[(&str, Option<i64>, &str)] = &[
    ("{", Some(-32700), "null"),
    ("nonsense", Some(-32700), "null"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"ping"}}"#, Some(-32700), "null"),
    (r#"{"jsonrpc":"2.0","id":901,"id":902,"method":"ping"}"#, Some(-32700), "null"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"ping","params":{"a":NaN}}"#, Some(-32700), "null"),
    ("{\"jsonrpc\":\"2.0\",\"id\":901,\"method\":\"pi\u{1}ng\"}", Some(-32700), "null"),
    ("1", Some(-32600), "null"),
    ("\"ping\"", Some(-32600), "null"),
    ("null", Some(-32600), "null"),
    ("{}", Some(-32600), "null"),
    ("[]", Some(-32600), "null"),
    (r#"[{"jsonrpc":"2.0","id":901,"method":"ping"}]"#, Some(-32600), "null"),
    (r#"{"id":901,"method":"ping"}"#, Some(-32600), "901"),
    (r#"{"jsonrpc":"1.0","id":901,"method":"ping"}"#, Some(-32600), "901"),
    (r#"{"jsonrpc":2.0,"id":"x","method":"ping"}"#, Some(-32600), "\"x\""),
    (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Some(-32600), "null"),
    (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, Some(-32600), "null"),
    (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, Some(-32600), "null"),
    (r#"{"jsonrpc":"2.0","id":18446744073709551616,"method":"ping"}"#, Some(-32600), "null"),
    (r#"{"jsonrpc":"2.0","id":901}"#, Some(-32600), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":7}"#, Some(-32600), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"ping","result":{}}"#, Some(-32600), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"tools/call","params":[]}"#, Some(-32602), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"tools/call","params":"x"}"#, Some(-32602), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"tools/call"}"#, Some(-32602), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"tools/call","params":{"name":7}}"#, Some(-32602), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"tools/call","params":{"name":"add","arguments":[]}}"#, Some(-32602), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"resources/read","params":{}}"#, Some(-32602), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"tools/list","params":{"cursor":"%"}}"#, Some(-32602), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"no/such"}"#, Some(-32601), "901"),
    (r#"{"jsonrpc":"2.0","id":901,"method":"TOOLS/LIST"}"#, Some(-32601), "901"),
    (r#"{"jsonrpc":"2.0","method":"no/such"}"#, None, ""),
    (r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#, None, ""),
    (r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"nobody"}}"#, None, ""),
    (r#"{"jsonrpc":"2.0","id":5,"result":{}}"#, None, ""),
    (r#"{"jsonrpc":"2.0","id":5,"error":{"code":1,"message":"m"}}"#, None, ""),
    (r#"{"jsonrpc":"2.0","error":{"code":1,"message":"m"}}"#, None, ""),
    ("", None, ""),
    ("  \t", None, ""),
];

#[tokio::test]
async fn what_is_wrong_is_answered_with_its_code_and_its_id_and_the_session_goes_on() {
    let world = World::new();
    let mut client = world.client().await;
    for (number, (line, code, id)) in LINES.iter().enumerate() {
        client.send_text(&format!("{line}\n")).await;
        if let Some(code) = code {
            let answer = client.next().await;
            assert_eq!(answer["error"]["code"], json!(code), "{line}: {answer}");
            assert_eq!(answer["id"], serde_json::from_str::<Value>(id).unwrap(), "{line}: {answer}");
        }
        let id = format!("still there {number}");
        client.send(&json!({"jsonrpc": "2.0", "id": id, "method": "ping"})).await;
        assert_eq!(client.next().await, json!({"jsonrpc": "2.0", "id": id, "result": {}}), "{line}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_and_lines_that_have_other_ends() {
    let world = World::new();
    let mut client = world.client().await;
    client.send_text("\u{feff}{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"}\r\n").await;
    assert_eq!(client.next().await["id"], "a");
    client.send_text("{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"me").await;
    client.send_text("thod\":\"ping\"}\n").await;
    assert_eq!(client.next().await["id"], "b");
    client.send_text("{\"jsonrpc\":\"2.0\",\"id\":\"\\ud800\",\"method\":\"ping\"}\n").await;
    assert_eq!(client.next().await["error"]["code"], -32700);
    // The last line needs no end.
    client.send_text("{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"ping\"}").await;
    client.close().await;
    client.end().await;
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_and_left_out() {
    let world = World::new();
    let mut settings = Settings::default();
    settings.message = Some(10_000);
    let mut client = world.client_with(settings).await;
    for length in [10_000, 200_000, 3_000_000] {
        client.send_text(&format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"x\":\"{}\"}}\n", "x".repeat(length))).await;
        let answer = client.next().await;
        assert_eq!(answer["error"]["code"], -32600, "{answer}");
        assert!(answer["id"].is_null());
        assert_eq!(client.ask("ping", json!({})).await, json!({}));
    }
}

#[tokio::test]
async fn a_message_may_be_as_long_as_the_longest_arguments_need() {
    let world = World::new();
    let mut client = world.client().await;
    let toolbox =
        |limit: &str| format!("[tools.add]\nsource = \"./add.wat\"\nlimits = {{ arguments = \"{limit}\" }}\n");
    let long = json!({"name": "add", "arguments": {"a": "x".repeat(9 << 20)}});
    for (limit, is_read) in [("4MiB", false), ("10MiB", true), ("1KiB", false)] {
        world.offer(&toolbox(limit));
        let id = client.request("tools/call", long.clone()).await;
        let answer = loop {
            let said = client.next().await;
            if said["method"].is_null() {
                break said;
            }
        };
        // It does not fit the schema, which is found out by reading it.
        assert_eq!(
            (answer["id"] == json!(id), answer["result"]["isError"] == json!(true)),
            (is_read, is_read),
            "{limit}"
        );
        assert_eq!(answer["error"]["code"] == json!(-32600), !is_read, "{limit}");
    }
}

#[tokio::test]
async fn many_tiny_lines_are_many_answers() {
    let world = World::new();
    let mut client = world.client().await;
    for _ in 0..200 {
        client.send_text(&"{}\n".repeat(50)).await;
        for _ in 0..50 {
            assert_eq!(client.next().await["error"]["code"], -32600);
        }
    }
    assert_eq!(client.ask("ping", json!({})).await, json!({}));
}

#[tokio::test]
async fn the_one_revision_with_batches_has_them() {
    let world = World::new();
    let mut client = world.connect();
    client.initialize("2025-03-26").await;
    let ping = |id: i64| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    let call = json!({"jsonrpc": "2.0", "id": 11, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": 2}}});
    client.send(&json!([ping(10), call, 7, {"jsonrpc": "2.0", "method": "notifications/initialized"}])).await;
    let answers = client.next().await;
    let answers = answers.as_array().unwrap();
    let by_id = |id: Value| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert_eq!(by_id(json!(10))["result"], json!({}));
    assert_eq!(by_id(json!(11))["result"]["structuredContent"], json!({"result": 3}));
    assert_eq!(by_id(Value::Null)["error"]["code"], -32600);
    // Nothing to answer is no answer; too many are refused as one.
    client.send(&json!([{"jsonrpc": "2.0", "method": "notifications/initialized"}])).await;
    client.send(&Value::Array((0..100_000).map(ping).collect())).await;
    assert_eq!(client.next().await["error"]["code"], -32600);
    client.send(&json!([])).await;
    assert_eq!(client.next().await["error"]["code"], -32600);
}
