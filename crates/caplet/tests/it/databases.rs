//! Files of databases that are in use, beside mounts that would show them.

use caplet::{Caplet, Grant, Source};
use serde_json::json;

#[tokio::test]
async fn a_database_of_one_tool_is_hidden_from_another() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plain.txt"), "plain").unwrap();
    let caplet = Caplet::builder().build().unwrap();
    let grant = |allow: &str| {
        let mut grant = Grant::new(folder.path()).unwrap();
        grant.allow(allow).unwrap();
        grant
    };
    let mut notes = grant("kv:memory");
    notes.bucket("memory=sqlite:notes.db").unwrap();
    let memory = caplet.load(&Source::parse("memory").unwrap()).unwrap();
    let notes = caplet.grant(&memory, notes).unwrap();
    let put = notes.call(Some("put"), json!({"name": "n", "text": "kept"})).await;
    assert!(put.is_ok(), "{put:?}");
    assert!(folder.path().join("notes.db").exists());
    let mut files = grant("read:/host/**");
    files.mount("/host=.").unwrap();
    let glob = caplet.load(&Source::parse("file-glob").unwrap()).unwrap();
    let shown = caplet.grant(&glob, files).unwrap().call(None, json!({"pattern": "**", "path": "/host"})).await;
    let text = shown.output.to_string();
    assert!(shown.is_ok() && text.contains("plain.txt") && !text.contains("notes.db"), "{shown:?}");
}
