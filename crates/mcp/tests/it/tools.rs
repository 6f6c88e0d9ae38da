//! What clients are told of tools.

use caplet::component::{Caps, Docs, embed_docs};
use caplet_mcp::Settings;
use serde_json::{Value, json};

use crate::world::{World, text};

#[tokio::test]
async fn tools_are_told_as_their_policy_is() {
    let world = World::with(&[], "[tools.writer]\nsource = \"file-write\"\nallow = [\"write:docs/**\"]\n");
    let mut client = world.client().await;
    let listed = client.ask("tools/list", json!({})).await;
    let tools = listed["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["add", "caplet_limits", "file-read", "sleep", "spin", "trap", "two_one", "two_two", "writer"]);
    let tool = |name: &str| tools.iter().find(|tool| tool["name"] == name).unwrap();
    let hints = |name: &str| {
        let hints = &tool(name)["annotations"];
        let hint = |key: &str| hints[key].as_bool().unwrap();
        [hint("readOnlyHint"), hint("destructiveHint"), hint("openWorldHint")]
    };
    assert_eq!(hints("add"), [true, false, false]);
    assert_eq!(hints("caplet_limits"), [true, false, false]);
    assert_eq!(hints("writer")[..2], [false, true]);
    assert_eq!(tool("two_one")["title"], "two: one");
    for tool in tools {
        caplet_testkit::schema(&tool["inputSchema"]).unwrap();
        assert_eq!(tool["inputSchema"]["type"], "object");
        if let Some(schema) = tool.get("outputSchema") {
            caplet_testkit::schema(schema).unwrap();
            assert_eq!(schema["type"], "object");
        }
    }
    // Text is given as text alone.
    assert!(tool("file-read").get("outputSchema").is_none());
    let schema = caplet_testkit::schema(&tool("add")["outputSchema"]).unwrap();
    let result = client.call("add", json!({"a": 1, "b": 2})).await;
    assert!(schema.is_valid(&result["structuredContent"]), "{result}");
    assert_eq!(text(&result), "3");
}

#[tokio::test]
async fn pages_are_whole_and_in_order_and_go_on_when_the_list_changes() {
    let world = World::new();
    let mut settings = Settings::default();
    settings.page = 3;
    let mut client = world.client_with(settings).await;
    let (mut names, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let params = if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) };
        let page = client.ask("tools/list", params).await;
        let tools = page["tools"].as_array().unwrap();
        assert!(tools.len() <= 3);
        names.extend(tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()));
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
        // What was the last of the page is gone.
        world.offer("[tools.zebra]\nsource = \"./add.wat\"\n[tools.caplet]\nsource = \"./add.wat\"\n");
    }
    assert_eq!(names, ["add", "caplet_limits", "file-read", "zebra"]);
    assert_eq!(client.ask_in_vain("tools/list", json!({"cursor": "!"})).await["code"], -32602);
}

#[tokio::test]
async fn authors_cannot_hide_anything_in_a_description() {
    let docs = json!({"world": {"functions": {"f": "calm \u{202e}\u{200b}\u{1b}[2J\n second line"}}});
    let text = "(component (core module $m (func (export \"f\") (param i32))) (core instance $i (instantiate $m))
        (func (export \"f\") (param \"x\" u32) (canon lift (core func $i \"f\"))))";
    let docs: Docs = serde_json::from_value(docs).unwrap();
    let bytes = embed_docs(text.as_bytes(), &docs, &Caps::default()).unwrap();
    let world = World::with(&[("f.wasm", &bytes)], "[tools.f]\nsource = \"./f.wasm\"\n");
    let mut client = world.client().await;
    let listed = client.ask("tools/list", json!({})).await;
    let f = listed["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "f").unwrap();
    let shown = f["description"].as_str().unwrap();
    assert!(shown.contains("calm") && shown.contains("second line"), "{f}");
    assert!(!shown.contains(['\u{202e}', '\u{200b}', '\u{1b}']), "{shown}");
}

#[tokio::test]
async fn a_changed_list_is_told_and_calls_that_run_go_on() {
    let world = World::new();
    let mut client = world.client().await;
    let id = client.begin("sleep").await;
    world.offer("[tools.other]\nsource = \"./add.wat\"\n");
    loop {
        let told = client.next().await;
        if told["method"] == "notifications/tools/list_changed" {
            break;
        }
        assert_eq!(told["method"], "notifications/progress", "{told}");
    }
    let unknown = client.ask_in_vain("tools/call", json!({"name": "sleep", "arguments": {}})).await;
    assert_eq!(unknown["code"], -32602);
    let listed = client.ask("tools/list", json!({})).await;
    assert_eq!(listed["tools"].as_array().unwrap().len(), 2, "{listed}");
    client.notify("notifications/cancelled", json!({"requestId": id})).await;
    let record = world.record().await;
    assert_eq!((record.tool.as_str(), record.outcome.as_str()), ("sleep", "limit"));
}

#[tokio::test]
async fn an_agent_sees_what_tools_may_do_and_no_values() {
    let world = World::with(
        &[],
        "[tools.secretive]\nsource = \"./add.wat\"\nceiling = \"open\"\nsession = true\n\
         allow = [\"env:TOKEN=hunter2\", \"read:docs/**\"]\n",
    );
    let mut client = world.client().await;
    let all = client.call("caplet_limits", json!({})).await;
    let words = text(&all);
    assert!(words.contains("file-read may:") && words.contains("/docs/**"), "{words}");
    assert!(words.contains("two_one may compute"), "{words}");
    assert!(words.contains("env:TOKEN") && !all.to_string().contains("hunter2"), "{words}");
    let one = client.call("caplet_limits", json!({"tool": "file-read"})).await;
    assert_eq!(one["structuredContent"]["tools"].as_array().unwrap().len(), 1);
    let keeps = |shown: &Value| shown["structuredContent"]["tools"][0]["keeps_state"].clone();
    let secretive = client.call("caplet_limits", json!({"tool": "secretive"})).await;
    assert_eq!((keeps(&one), keeps(&secretive)), (json!(false), json!(true)));
    for wrong in [json!({"tool": "no"}), json!({"tool": 7}), json!({"allow": "read:/**"})] {
        assert_eq!(client.call("caplet_limits", wrong.clone()).await["isError"], json!(true), "{wrong}");
    }
}
