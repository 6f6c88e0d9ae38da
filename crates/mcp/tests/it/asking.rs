//! A rule says `ask`: the person at the client is asked, where the client can do that, and nobody else is taken for them.

use std::time::Duration;

use caplet_mcp::{End, Settings};
use serde_json::{Value, json};

use crate::world::{Client, World, text};

const ASKS: &str = "[tools.asks]\nsource = \"file-read\"\nask = [\"read:docs/**\"]\n";

/// A client with these capabilities.
async fn client(world: &World, capabilities: Value) -> Client {
    let mut client = world.connect();
    let itself = json!({"name": "evil\u{1b}[2J\u{202e} client", "version": "0"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": itself});
    client.ask("initialize", params).await;
    client.notify("notifications/initialized", json!({})).await;
    client
}

/// Reads `path`, and answers every question with `answer`. Gives the result and the questions.
async fn read(client: &mut Client, path: &str, answer: &Value) -> (Value, Vec<Value>) {
    let call = json!({"name": "asks", "arguments": {"path": path}});
    let id = client.request("tools/call", call).await;
    let mut asked = Vec::new();
    loop {
        let said = client.next().await;
        if said["method"] == "elicitation/create" {
            client.send(&json!({"jsonrpc": "2.0", "id": said["id"], "result": answer})).await;
            asked.push(said["params"].clone());
        } else if said["id"] == json!(id) && said["method"].is_null() {
            return (said["result"].clone(), asked);
        }
    }
}

fn accepted(answer: &str) -> Value {
    json!({"action": "accept", "content": {"answer": answer}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_person_at_the_client_says_what_a_tool_may() {
    let world = World::with(&[("docs/b.txt", b"other\n")], ASKS);
    let mut client = client(&world, json!({"elicitation": {}})).await;

    let (result, asked) = read(&mut client, "docs/a.txt", &accepted("once")).await;
    assert!(text(&result).contains("hello"), "{result}");
    assert_eq!(asked.len(), 1, "{asked:?}");
    let message = asked[0]["message"].as_str().unwrap();
    for part in ["permission", "asks", "read", "docs/a.txt", "evil\\u{1b}[2J\\u{202e} client"] {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert!(!message.chars().any(|c| c.is_control() || c == '\u{202e}'), "{message:?}");
    let choice = &asked[0]["requestedSchema"]["properties"]["answer"];
    assert_eq!(choice["default"], "no", "{choice}");
    assert!(!choice.to_string().contains("always"), "a client cannot write a grant: {choice}");

    // Once was for that call.
    let (_, asked) = read(&mut client, "docs/a.txt", &accepted("session")).await;
    assert_eq!(asked.len(), 1);
    let (result, asked) = read(&mut client, "docs/a.txt", &accepted("no")).await;
    assert!(text(&result).contains("hello") && asked.is_empty(), "the session has the answer: {result}");
    // For that file, and no other.
    let (result, asked) = read(&mut client, "docs/b.txt", &accepted("no")).await;
    assert!(result["isError"] == true && asked.len() == 1, "{result}");

    let record = world.record().await;
    assert_eq!(record.decisions.denied, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_no_clear_yes_is_a_no() {
    let world = World::with(&[], ASKS);
    let mut client = client(&world, json!({"elicitation": {"form": {}}})).await;
    for answer in [
        accepted("no"),
        accepted("always"),
        accepted("ONCE"),
        accepted(""),
        json!({"action": "accept"}),
        json!({"action": "accept", "content": {"answer": true}}),
        json!({"action": "accept", "content": {"yes": "once"}}),
        json!({"action": "decline", "content": {"answer": "once"}}),
        json!({"action": "cancel"}),
    ] {
        let (result, asked) = read(&mut client, "docs/a.txt", &answer).await;
        assert_eq!((result["isError"].clone(), asked.len()), (json!(true), 1), "{answer}: {result}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_cannot_ask_is_not_asked() {
    let world = World::with(&[], ASKS);
    for capabilities in [json!({}), json!({"elicitation": {"url": {}}}), json!({"sampling": {}})] {
        let mut client = client(&world, capabilities.clone()).await;
        let (result, asked) = read(&mut client, "docs/a.txt", &accepted("once")).await;
        assert_eq!((result["isError"].clone(), asked.len()), (json!(true), 0), "{capabilities}: {result}");
    }
}

/// What a request of the newest revision says of itself.
fn meta(capabilities: &Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "evil\u{1b}[2J\u{202e} client", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    })
}

/// A request that stands alone to read `path`, with `more` beside its arguments.
fn alone(path: &str, more: &Value) -> Value {
    let mut params = json!({"name": "asks", "arguments": {"path": path}, "_meta": meta(&json!({"elicitation": {}}))});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    params
}

/// Has `path` read until the question comes; gives the question and what it is answered under.
async fn until_asked(client: &mut Client, path: &str) -> (Value, Value) {
    let asked = client.ask("tools/call", alone(path, &json!({}))).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let requests = asked["inputRequests"].as_object().unwrap();
    assert_eq!(requests.len(), 1, "{asked}");
    (requests["permission-1"].clone(), asked["requestState"].clone())
}

/// What a client comes back with.
fn back(state: &Value, answer: &Value) -> Value {
    json!({"requestState": state, "inputResponses": {"permission-1": answer}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_requests_that_stand_alone_comes_back_with_the_answer() {
    let world = World::with(&[("docs/b.txt", b"other\n")], ASKS);
    let mut client = world.connect();

    let (question, state) = until_asked(&mut client, "docs/a.txt").await;
    assert_eq!(question["method"], "elicitation/create");
    let message = question["params"]["message"].as_str().unwrap();
    for part in ["permission", "asks", "read", "docs/a.txt", "evil\\u{1b}[2J\\u{202e} client"] {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert!(!message.chars().any(|c| c.is_control() || c == '\u{202e}'), "{message:?}");
    let choice = &question["params"]["requestedSchema"]["properties"]["answer"];
    assert_eq!(choice["default"], "no", "{choice}");
    assert!(!choice.to_string().contains("always"), "a client cannot write a grant: {choice}");
    assert_eq!(state.as_str().unwrap().len(), 43, "256 bits");
    let result = client.ask("tools/call", alone("docs/a.txt", &back(&state, &accepted("once")))).await;
    assert!(text(&result).contains("hello") && result["resultType"] == "complete", "{result}");

    // Once was for that call; the connection is the session.
    let (_, other) = until_asked(&mut client, "docs/a.txt").await;
    assert_ne!(state, other);
    client.ask("tools/call", alone("docs/a.txt", &back(&other, &accepted("session")))).await;
    let result = client.ask("tools/call", alone("docs/a.txt", &json!({}))).await;
    assert!(text(&result).contains("hello"), "the session has the answer: {result}");
    // For that file, and no other.
    until_asked(&mut client, "docs/b.txt").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_comes_back_with_no_clear_yes_has_said_no() {
    let world = World::with(&[], ASKS);
    let mut client = world.connect();
    for responses in [
        json!({}),
        json!({"permission-1": accepted("no")}),
        json!({"permission-1": accepted("always")}),
        json!({"permission-1": {"action": "decline", "content": {"answer": "once"}}}),
        json!({"permission-1": {"action": "accept"}}),
        json!({"permission-1": "once"}),
        json!({"permission-1": null}),
        json!({"permission-2": accepted("once")}),
    ] {
        let (_, state) = until_asked(&mut client, "docs/a.txt").await;
        let again = json!({"requestState": state, "inputResponses": responses});
        let result = client.ask("tools/call", alone("docs/a.txt", &again)).await;
        assert_eq!(result["isError"], json!(true), "{responses}: {result}");
    }
    let (_, state) = until_asked(&mut client, "docs/a.txt").await;
    let result = client.ask("tools/call", alone("docs/a.txt", &json!({"requestState": state}))).await;
    assert_eq!(result["isError"], json!(true), "{result}");
    for capabilities in [json!({}), json!({"elicitation": {"url": {}}})] {
        let call = json!({"name": "asks", "arguments": {"path": "docs/a.txt"}, "_meta": meta(&capabilities)});
        let result = client.ask("tools/call", call).await;
        assert_eq!((&result["resultType"], &result["isError"]), (&json!("complete"), &json!(true)), "{result}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_for_one_answer_to_one_request_of_one_client() {
    let world = World::with(&[("docs/b.txt", b"other\n")], ASKS);
    let (mut client, mut other) = (world.connect(), world.connect());
    let yes = accepted("once");
    let refused = async |client: &mut Client, params: Value| {
        let error = client.ask_in_vain("tools/call", params).await;
        assert_eq!(error["code"], -32602, "{error}");
    };
    let (_, state) = until_asked(&mut client, "docs/a.txt").await;
    // Somebody else has it; a guess; an answer to nothing.
    refused(&mut other, alone("docs/a.txt", &back(&state, &yes))).await;
    refused(&mut client, alone("docs/a.txt", &back(&json!(""), &yes))).await;
    refused(&mut client, alone("docs/a.txt", &back(&json!("A".repeat(43)), &yes))).await;
    refused(&mut client, alone("docs/a.txt", &json!({"inputResponses": {"permission-1": yes}}))).await;
    // It is there all the same, and once.
    let result = client.ask("tools/call", alone("docs/a.txt", &back(&state, &yes))).await;
    assert!(text(&result).contains("hello"), "{result}");
    refused(&mut client, alone("docs/a.txt", &back(&state, &yes))).await;
    assert_eq!(world.record().await.error, None);
    // A yes to one file is none to another: that ends the call.
    let (_, state) = until_asked(&mut client, "docs/a.txt").await;
    refused(&mut client, alone("docs/b.txt", &back(&state, &yes))).await;
    assert_eq!(world.record().await.error.unwrap().kind.as_str(), "cancelled");
    refused(&mut client, alone("docs/a.txt", &back(&state, &yes))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_comes_back_too_late_has_said_no() {
    let world = World::with(&[], ASKS);
    let mut settings = Settings::default();
    settings.approval_timeout = Duration::from_secs(1);
    let mut client = world.connect_with(settings, 1 << 16);
    let (_, state) = until_asked(&mut client, "docs/a.txt").await;
    // The call has ended by itself, and its outcome waits for as long again.
    let record = world.record().await;
    assert_eq!(record.decisions.denied.len(), 1, "{record:?}");
    let result = client.ask("tools/call", alone("docs/a.txt", &back(&state, &accepted("once")))).await;
    assert!(result["isError"] == true && text(&result).contains("nobody answered"), "{result}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_wait_for_their_client_are_few_and_end_with_it() {
    let world = World::with(&[], ASKS);
    let mut client = world.connect();
    // The same question is put once, whoever waits for its answer.
    for number in 0..64 {
        until_asked(&mut client, &format!("docs/{number}.txt")).await;
    }
    let result = client.ask("tools/call", alone("docs/a.txt", &json!({}))).await;
    assert_eq!(result["isError"], json!(true), "{result}");
    assert_eq!(world.record().await.decisions.denied.len(), 1);
    client.close().await;
    assert_eq!(client.end().await, End::Closed);
    for _ in 0..64 {
        assert_eq!(world.record().await.error.unwrap().kind.as_str(), "cancelled");
    }
}
