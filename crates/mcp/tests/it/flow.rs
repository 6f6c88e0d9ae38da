//! Clients that do not read, that go away, and that say goodbye early.

use std::time::Duration;

use caplet_mcp::{End, Settings};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_not_read_and_others_go_on() {
    let world = World::new();
    let mut settings = Settings::default();
    (settings.requests, settings.unread, settings.message) = (16, 4096, Some(1 << 16));
    let mut deaf = world.connect_with(settings, 4096);
    deaf.initialize("2025-11-25").await;
    let list = format!("{}\n", json!({"jsonrpc": "2.0", "id": "ID", "method": "tools/list"}));
    let mut sent = 0;
    // Some is taken, and then no more: bytes in pipes, a line ahead, and the requests that may be open.
    while timeout(Duration::from_millis(500), deaf.send_text(&list.replace("ID", &sent.to_string()))).await.is_ok() {
        sent += 1;
        assert!(sent < 10_000, "everything is read");
    }
    let mut other = world.client().await;
    assert_eq!(other.call("add", json!({"a": 1, "b": 1})).await["isError"], json!(false));
    // When it reads again, everything that it asked is answered.
    for _ in 0..sent {
        assert!(deaf.next().await["result"]["tools"].is_array());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_goodbye_is_still_answered_what_it_has_asked() {
    let world = World::new();
    world.offer("[tools.add]\nsource = \"./add.wat\"\n[tools.file-read]\nallow = [\"read:docs/**\"]\n[tools.slow]\nsource = \"./spin.wat\"\nlimits = { timeout = \"1s\" }\n");
    let mut client = world.client().await;
    let slow = client.request("tools/call", json!({"name": "slow", "arguments": {}})).await;
    let sum = client.request("tools/call", json!({"name": "add", "arguments": {"a": 2, "b": 3}})).await;
    let denied = client.request("tools/call", json!({"name": "file-read", "arguments": {"path": "/etc/shadow"}})).await;
    client.close().await;
    let mut ids = Vec::new();
    while let Some(said) = client.line().await {
        ids.extend(said["id"].as_i64());
    }
    ids.sort_unstable();
    assert_eq!(ids, [slow, sum, denied]);
    assert_eq!(client.end().await, End::Closed);
}

/// What asks nothing of the client, but news, is no reason to go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_when_its_client_says_goodbye() {
    let world = World::new();
    let mut client = world.connect();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let filter = json!({"notifications": {"toolsListChanged": true}, "_meta": meta});
    client.request("subscriptions/listen", filter).await;
    assert_eq!(client.next().await["method"], "notifications/subscriptions/acknowledged");
    client.close().await;
    while client.line().await.is_some() {}
    assert_eq!(client.end().await, End::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_gone_takes_its_calls_along() {
    let world = World::new();
    let mut client = world.client().await;
    client.begin("spin").await;
    let gone = std::time::Instant::now();
    client.close().await;
    client.go_deaf();
    let record = world.record().await;
    assert_eq!(record.error.unwrap().kind.as_str(), "cancelled");
    assert!(gone.elapsed() < Duration::from_secs(1), "{:?}", gone.elapsed());
    assert_eq!(client.end().await, End::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_stop_does() {
    let world = World::new();
    let server = world.server(Settings::default());
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let (read, write) = tokio::io::split(far);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let until = async {
        let _ = stopped.await;
    };
    let serving = tokio::spawn(async move { caplet_mcp::serve(&server, read, write, until).await });
    near.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").await.unwrap();
    stop.send(()).unwrap();
    assert_eq!(timeout(Duration::from_secs(20), serving).await.unwrap().unwrap(), End::Stopped);
}
