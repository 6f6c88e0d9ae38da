//! A rule says `ask`: the person at the client is asked, where the client can do that, and nobody else is taken for them.

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
