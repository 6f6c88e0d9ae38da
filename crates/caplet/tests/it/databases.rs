//! Files of databases that are in use, beside mounts that would show them.

use std::sync::atomic::{AtomicBool, Ordering};

use caplet::{Caplet, Grant, Source};
use rustix::fs::{CWD, RenameFlags, renameat_with};
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

/// What is looked at is what is opened: who swaps the directory for a link meanwhile gets one of the two checked, never the other one
/// unchecked.
#[test]
fn a_mount_that_is_swapped_meanwhile_shows_no_private_folder() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("state")).unwrap();
    std::fs::write(at("state/canary"), "private").unwrap();
    std::fs::create_dir_all(at("docs")).unwrap();
    std::fs::write(at("docs/plain"), "plain").unwrap();
    std::os::unix::fs::symlink("state", at("link")).unwrap();
    let caplet = Caplet::builder().state(at("state")).build().unwrap();
    let glob = caplet.load(&Source::parse("file-glob").unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stop = AtomicBool::new(false);
    let (mut shown, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, at("docs"), CWD, at("link"), RenameFlags::EXCHANGE).unwrap();
            }
        });
        for _ in 0..400 {
            let mut grant = Grant::new(folder.path()).unwrap();
            grant.mount("/h=docs").unwrap().allow("read:/h/**").unwrap();
            match caplet.grant(&glob, grant) {
                Err(_) => refused += 1,
                Ok(granted) => {
                    let call = granted.call(None, json!({"pattern": "**", "path": "/h"}));
                    let outcome = runtime.block_on(call);
                    assert!(!outcome.output.to_string().contains("canary"), "{outcome:?}");
                    shown += 1;
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(shown > 0 && refused > 0, "{shown} shown, {refused} refused");
}
