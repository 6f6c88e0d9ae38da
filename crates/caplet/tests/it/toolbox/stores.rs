//! Stores and buckets that tools share.

use std::sync::Arc;

use caplet::{Grant, SessionData};
use serde_json::{Value, json};

use super::{World, call, call_in, caplet};

#[tokio::test]
async fn one_name_is_one_store() {
    let world = World::new(&[("repo/a.txt", "a")]);
    let table = [("sqlite:./files.db", true), ("overlay:./repo", true), ("session", true), ("memory", false)];
    for (store, is_kept) in table {
        world.write(
            "caplet.toml",
            &format!(
                "[stores.work]\nstore = \"{store}\"\n[stores.other]\nstore = \"session\"\n\
                 [tools.one]\nsource = \"file-write\"\nallow = [\"write:/**\"]\nmounts = {{ \"/one\" = \"@work\" }}\n\
                 [tools.two]\nsource = \"file-read\"\nallow = [\"read:/**\"]\nmounts = {{ \"/two\" = \"@work:ro\", \"/other\" = \"@other\" }}\n"
            ),
        );
        let (toolbox, caplet) = (world.toolbox(), caplet());
        let session = Arc::new(SessionData::new(1 << 20));
        let share = |grant: &mut Grant| {
            grant.session(Arc::clone(&session));
        };
        let write = json!({"path": "/one/note.txt", "content": "shared"});
        // Kept until the other has read it: without a state folder, an overlay ends with its last grant.
        let configured = toolbox.tool("one").unwrap();
        let mut grant = configured.grant("/").unwrap();
        share(&mut grant);
        let writer = caplet.grant(&caplet.load(configured.source()).unwrap(), grant).unwrap();
        assert!(writer.call(None, write).await.is_ok(), "{store}");
        let path = |at: &str| json!({ "path": format!("{at}/note.txt") });
        let read = call_in(&caplet, &toolbox, "two", None, path("/two"), share).await;
        assert_eq!(read.output.to_string().contains("shared"), is_kept, "{store}: {read:?}");
        let other = call_in(&caplet, &toolbox, "two", None, path("/other"), share).await;
        assert!(!other.is_ok(), "another name is another store: {other:?}");
        let elsewhere = call(&caplet, &toolbox, "two", path("/two")).await;
        assert_eq!(elsewhere.is_ok(), is_kept && store != "session", "{store}: another session: {elsewhere:?}");
    }
}

#[tokio::test]
async fn quotas_of_stores_hold() {
    let world = World::new(&[("repo/a.txt", "a")]);
    for store in ["memory", "session", "sqlite:./files.db", "overlay:./repo"] {
        world.write(
            "caplet.toml",
            &format!(
                "[stores.small]\nstore = \"{store}\"\nquota = \"16KiB\"\n\
                 [tools.file-write]\nallow = [\"write:/w/**\"]\nmounts = {{ \"/w\" = \"@small\" }}\n"
            ),
        );
        let (toolbox, caplet) = (world.toolbox(), caplet());
        let content = |length: usize| json!({"path": "/w/f", "content": "x".repeat(length)});
        let fits = call(&caplet, &toolbox, "file-write", content(4 << 10)).await;
        assert!(fits.is_ok(), "{store}: {fits:?}");
        let full = call(&caplet, &toolbox, "file-write", content(20 << 10)).await;
        assert!(!full.is_ok(), "{store}: {full:?}");
    }
}

#[tokio::test]
async fn an_overlay_is_not_open_with_two_quotas() {
    let world = World::new(&[("repo/a.txt", "a")]);
    world.write(
        "caplet.toml",
        "[stores.small]\nstore = \"overlay:./repo\"\nquota = \"16KiB\"\n[tools.file-read]\nmounts = { \"/w\" = \"@small\" }\n\
         [tools.file-glob]\nmounts = { \"/w\" = \"overlay:./repo\" }\n",
    );
    let (toolbox, caplet) = (world.toolbox(), caplet());
    let grant = |name: &str| {
        let tool = toolbox.tool(name).unwrap();
        caplet.grant(&caplet.load(tool.source()).unwrap(), tool.grant("/").unwrap())
    };
    let _open = grant("file-read").unwrap();
    let error = grant("file-glob").unwrap_err().to_string();
    assert!(error.contains("in use with another quota"), "{error}");
}

#[tokio::test]
async fn buckets_have_their_time_and_their_quota() {
    let world = World::new(&[]);
    for store in ["memory", "session", "sqlite:./notes.db"] {
        world.write(
            "caplet.toml",
            &format!(
                "[buckets.short]\nstore = \"{store}\"\nttl = \"1ms\"\nquota = \"4KiB\"\n\
                 [tools.memory]\nallow = [\"kv:memory\"]\nbuckets = {{ memory = \"@short\" }}\n"
            ),
        );
        let (toolbox, caplet) = (world.toolbox(), caplet());
        let session = Arc::new(SessionData::new(1 << 20));
        let share = |grant: &mut Grant| {
            grant.session(Arc::clone(&session));
        };
        let put = |length: usize| json!({"name": "n", "text": "x".repeat(length)});
        let call = async |function: &str, arguments: Value| {
            call_in(&caplet, &toolbox, "memory", Some(function), arguments, share).await
        };
        let fits = call("put", put(100)).await;
        assert!(fits.is_ok(), "{store}: {fits:?}");
        let full = call("put", put(8 << 10)).await;
        assert!(!full.is_ok(), "{store}: {full:?}");
        // A call takes longer than a millisecond from put to get, and if it does not, the next one does.
        let mut left = call("get", json!({"name": "n"})).await;
        for _ in 0..1_000 {
            if !left.is_ok() {
                break;
            }
            left = call("get", json!({"name": "n"})).await;
        }
        assert!(!left.is_ok(), "{store}: {left:?}");
    }
}
