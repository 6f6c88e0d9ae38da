//! Calls side by side, given up, and logged.

use std::sync::Arc;

use caplet::authority::Allowance;
use caplet_mcp::{End, Settings};
use serde_json::json;

use crate::guests;
use crate::world::{World, text};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_calls_at_once_are_each_answered_once() {
    let world = World::new();
    let mut client = world.client().await;
    let mut expected = std::collections::BTreeMap::new();
    for number in 0..200 {
        let params = json!({"name": "add", "arguments": {"a": number, "b": 1}});
        expected.insert(client.request("tools/call", params).await, number + 1);
    }
    while !expected.is_empty() {
        let answer = client.next().await;
        let sum = expected.remove(&answer["id"].as_i64().unwrap()).expect("an answer comes once");
        assert_eq!(answer["result"]["structuredContent"], json!({"result": sum}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_stops_at_once_and_nothing_is_said_of_it_afterwards() {
    let world = World::new();
    let mut client = world.client().await;
    for tool in ["spin", "sleep"] {
        let id = client.begin(tool).await;
        client.notify("notifications/cancelled", json!({"requestId": id, "reason": "enough"})).await;
        let record = world.record().await;
        assert_eq!((record.tool.as_str(), record.outcome.as_str()), (tool, "limit"));
        assert_eq!(record.error.unwrap().kind.as_str(), "cancelled");
        // More than one period of progress.
        let slow = client.request("tools/call", json!({"name": "add", "arguments": {"a": 1, "b": 2}})).await;
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        let (_, before) = client.answer(slow).await;
        let late = before.iter().filter(|said| said.to_string().contains(&format!("\"id\":{id}"))).count();
        assert_eq!(late, 0, "{before:?}");
        assert_eq!(client.ask("ping", json!({})).await, json!({}));
        world.record().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_grows_and_ends_before_the_answer() {
    let world = World::with(&[], "[tools.brief]\nsource = \"./spin.wat\"\nlimits = { timeout = \"900ms\" }\n");
    let mut client = world.client().await;
    let meta = json!({"progressToken": 7});
    let id = client.request("tools/call", json!({"name": "brief", "arguments": {}, "_meta": meta})).await;
    let (answer, before) = client.answer(id).await;
    assert_eq!(answer["result"]["isError"], json!(true));
    let progress: Vec<f64> = before.iter().map(|said| said["params"]["progress"].as_f64().unwrap()).collect();
    assert!(progress.len() >= 2 && progress.is_sorted_by(|a, b| a < b), "{before:?}");
    // Seconds: four times in each at most, however long the call took to be stopped.
    assert!(
        progress.windows(2).map(|two| two[1] - two[0]).sum::<f64>() * 4.0 + 1.5 >= progress.len() as f64,
        "{before:?}"
    );
    assert!(before.iter().all(|said| said["params"]["progressToken"] == json!(7)));
    assert_eq!(client.ask("ping", json!({})).await, json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_used_once_so_no_answer_goes_astray() {
    let world = World::new();
    let mut client = world.client().await;
    let id = client.begin("sleep").await;
    for method in ["ping", "tools/list"] {
        client.send(&json!({"jsonrpc": "2.0", "id": id, "method": method})).await;
        loop {
            let said = client.next().await;
            if said["method"] != "notifications/progress" {
                assert_eq!((&said["error"]["code"], said.get("id")), (&json!(-32600), None), "{said}");
                break;
            }
        }
    }
    client.notify("notifications/cancelled", json!({"requestId": id})).await;
    world.record().await;
    client.send(&json!({"jsonrpc": "2.0", "id": id, "method": "ping"})).await;
    assert_eq!(client.next().await["error"]["code"], -32600);
    // An id is used again after its answer, as some clients do.
    for _ in 0..2 {
        client.send(&json!({"jsonrpc": "2.0", "id": "same", "method": "ping"})).await;
        assert_eq!(client.next().await["result"], json!({}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_may_run_wait_and_can_be_given_up() {
    let world = World::new();
    let mut settings = Settings::default();
    settings.calls = 1;
    let mut client = world.client_with(settings).await;
    let running = client.begin("sleep").await;
    let waiting = client.request("tools/call", json!({"name": "trap", "arguments": {}})).await;
    let last = client.request("tools/call", json!({"name": "add", "arguments": {"a": 1, "b": 2}})).await;
    client.notify("notifications/cancelled", json!({"requestId": waiting})).await;
    client.notify("notifications/cancelled", json!({"requestId": running})).await;
    let (answer, _) = client.answer(last).await;
    assert_eq!(answer["result"]["structuredContent"], json!({"result": 3}));
    assert_eq!(world.record().await.tool, "sleep");
    assert_eq!(world.record().await.tool, "add", "what never ran leaves no record");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_told_to_who_called_as_it_wants_them() {
    let world = World::new();
    let (mut client, mut other) = (world.client().await, world.client().await);
    let denied = json!({"name": "file-read", "arguments": {"path": "/etc/passwd"}});
    let mut logs = async |level: Option<&str>| {
        if let Some(level) = level {
            client.ask("logging/setLevel", json!({"level": level})).await;
        }
        let id = client.request("tools/call", denied.clone()).await;
        let (_, before) = client.answer(id).await;
        before.iter().map(|said| said["params"]["level"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(logs(None).await, ["warning"]);
    assert_eq!(logs(Some("info")).await, ["warning", "info"]);
    assert_eq!(logs(Some("error")).await, [] as [&str; 0]);
    let id = other.request("ping", json!({})).await;
    assert_eq!(other.answer(id).await.1, [] as [serde_json::Value; 0]);
    assert_eq!(client.ask_in_vain("logging/setLevel", json!({"level": "loud"})).await["code"], -32602);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_s_looping_and_trapping_tools_are_no_matter_of_another_s() {
    // A server that takes a request and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let tools = format!(
        "[tools.web-fetch]\nallow = [\"fetch:{url}**\"]\n[tools.memory]\nallow = [\"kv:memory\"]\n\
         buckets = {{ memory = \"session\" }}\n"
    );
    let world = World::with(&[], &tools);
    let (mut busy, mut calm) = (world.client().await, world.client().await);
    assert_ne!(busy.call("memory_put", json!({"name": "mine", "text": "x"})).await["isError"], true);
    busy.request("tools/call", json!({"name": "web-fetch", "arguments": {"url": url}})).await;
    let waiting = tokio::task::spawn_blocking(move || silent.accept().unwrap()).await.unwrap();
    let seen = calm.call("memory_list", json!({})).await;
    assert!(!seen.to_string().contains("mine"), "a session is its client's: {seen}");
    let spinning = busy.begin("spin").await;
    busy.request("tools/call", json!({"name": "sleep", "arguments": {}})).await;
    let trap = busy.request("tools/call", json!({"name": "trap", "arguments": {}})).await;
    let started = std::time::Instant::now();
    for number in 0..20 {
        let result = calm.call("add", json!({"a": number, "b": 1})).await;
        assert_eq!(result["structuredContent"], json!({"result": number + 1}));
    }
    assert!(
        started.elapsed() < std::time::Duration::from_secs(20),
        "it waits for the other's: {:?}",
        started.elapsed()
    );
    // The id of another's call is no handle on it.
    calm.notify("notifications/cancelled", json!({"requestId": spinning})).await;
    assert_eq!(calm.ask("ping", json!({})).await, json!({}));
    assert_eq!(busy.answer(trap).await.0["result"]["isError"], true);
    let ended = std::time::Instant::now();
    busy.close().await;
    busy.go_deaf();
    assert_eq!(busy.end().await, End::Stopped);
    assert!(ended.elapsed() < std::time::Duration::from_secs(3), "{:?}", ended.elapsed());
    let mut cancelled = Vec::new();
    while cancelled.len() < 3 {
        let record = world.record().await;
        if record.error.as_ref().is_some_and(|error| error.kind.as_str() == "cancelled") {
            cancelled.push(record.tool);
        }
    }
    cancelled.sort();
    assert_eq!(cancelled, ["sleep", "spin", "web-fetch"]);
    drop(waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sessions_hold_is_bounded_for_all_of_them_together() {
    let long = guests::floods(1000);
    let tools = "[tools.long]\nsource = \"./long.wat\"\n[tools.memory]\nallow = [\"kv:memory\"]\n\
                 buckets = { memory = \"session\" }\n";
    let world = World::with(&[("long.wat", long.as_bytes())], tools);
    let whole = Arc::new(Allowance::new(150_000));
    let server = world.server(Settings::default()).within(Arc::clone(&whole));
    let (mut one, mut other) = (world.client_of(&server).await, world.client_of(&server).await);
    let note = |name: &str| json!({"name": name, "text": "x".repeat(40_000)});
    assert_ne!(one.call("memory_put", note("a")).await["isError"], true);
    assert_ne!(other.call("memory_put", note("b")).await["isError"], true);
    assert_ne!(one.call("memory_put", note("c")).await["isError"], true);
    let refused = other.call("memory_put", note("d")).await;
    assert_eq!(refused["isError"], true, "{refused}");
    // A result is held as well. There is no room for it, though this session has none yet.
    let cut = other.call("long", json!({})).await;
    assert!(text(&cut).contains("left out"), "{cut}");
    one.close().await;
    assert_eq!(one.end().await, End::Closed);
    while other.call("memory_put", note("d")).await["isError"] == true {}
    other.close().await;
    assert_eq!(other.end().await, End::Closed);
    drop(server);
    assert_eq!(whole.taken(), 0);
}

#[tokio::test]
async fn a_record_says_where_in_its_caller_s_trace_a_call_belongs() {
    let world = World::new();
    let mut client = world.client().await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (said, kept) in [(json!(parent), Some(parent)), (json!("00-x-y-01"), None), (json!(7), None)] {
        let params = json!({"name": "add", "arguments": {"a": 1, "b": 1}, "_meta": {"traceparent": said}});
        client.ask("tools/call", params).await;
        assert_eq!(world.record().await.trace.as_ref().map(|trace| trace.as_str()), kept);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_kept_for_its_client() {
    let counter = r#"(component
      (core module $m (global $n (mut i32) (i32.const 0))
        (func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
        (func (export "crash") unreachable))
      (core instance $i (instantiate $m))
      (func (export "next") (result u32) (canon lift (core func $i "next")))
      (func (export "crash") (canon lift (core func $i "crash"))))"#;
    let tools = "[tools.counter]\nsource = \"./counter.wat\"\nsession = true\n";
    let world = World::with(&[("counter.wat", counter.as_bytes())], tools);
    let (mut one, mut other) = (world.client().await, world.client().await);
    let next = json!({"name": "counter_next", "arguments": {}});
    for (client, expected) in [(0, 1), (0, 2), (1, 1), (0, 3), (1, 2)] {
        let client = if client == 0 { &mut one } else { &mut other };
        let answer = client.ask("tools/call", next.clone()).await;
        assert_eq!(answer["structuredContent"], json!({"result": expected}), "{answer}");
    }
    one.ask("tools/call", json!({"name": "counter_crash", "arguments": {}})).await;
    let answer = one.ask("tools/call", next).await;
    assert_eq!(answer["structuredContent"], json!({"result": 1}));
    let told = answer["content"].as_array().unwrap().last().unwrap();
    assert!(told["text"].as_str().unwrap().contains("fresh instance"), "{answer}");
    assert_eq!(told["_meta"], json!({"caplet/source": "caplet"}));
}

#[tokio::test]
async fn a_record_says_who_called() {
    let world = World::new();
    let (mut one, mut other) = (world.client().await, world.client().await);
    let mut sessions = Vec::new();
    for client in [&mut one, &mut other] {
        client.call("add", json!({"a": 1, "b": 1})).await;
        let who = world.record().await.who.clone().unwrap();
        assert!(who.client.is_some() && who.version.is_some(), "{who:?}");
        sessions.push(who.session.unwrap());
    }
    assert_ne!(sessions[0], sessions[1]);
}
