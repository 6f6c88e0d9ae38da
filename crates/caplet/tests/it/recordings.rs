//! Recordings as programs that embed the library make them.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use caplet::audit::recording::RecordingError;
use caplet::audit::{MemorySink, OutcomeKind};
use caplet::{Answer, Approver, CallContext, Caplet, Ceiling, Error, Grant, Question, Replayed, Source, recordings_in};

/// Prints the file `a` of its first directory, or exits with the error number.
const CAT: &str = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "a")
  (func (export "_start") (local $errno i32)
    (local.set $errno (call $open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 0)
      (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 0)))
    (if (local.get $errno) (then (call $exit (local.get $errno))))
    (i32.store (i32.const 8) (i32.const 8192)) (i32.store (i32.const 12) (i32.const 4096))
    (drop (call $fd_read (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
    (i32.store (i32.const 12) (i32.load (i32.const 16)))
    (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))))"#;

/// Prints its variables, as `NAME=VALUE` with a zero byte after each.
const ENVIRON: &str = r#"(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $get (i32.const 4096) (i32.const 8192)))
    (i32.store (i32.const 8) (i32.const 8192)) (i32.store (i32.const 12) (i32.load (i32.const 4)))
    (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))))"#;

struct World {
    root: tempfile::TempDir,
    caplet: Caplet,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("w")).unwrap();
        let sink = Arc::new(MemorySink::new());
        let caplet = Caplet::builder().sink(sink).state(root.path().join("state")).build().unwrap();
        Self { root, caplet }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    fn grant(&self) -> Grant {
        let mut grant = Grant::new("/").unwrap();
        grant.ceiling(Ceiling::Open).mount(&format!("/w={}", self.path("w").display())).unwrap();
        grant
    }

    async fn record(&self, text: &str, mut grant: Grant, context: &CallContext) -> caplet::audit::Outcome {
        let tool = self.caplet.load(&crate::source(text)).unwrap();
        grant.record(true);
        let granted = self.caplet.grant(&tool, grant).unwrap();
        granted.call_in(None, serde_json::json!({}), context, std::future::pending()).await
    }

    async fn replay(&self, id: &str) -> Replayed {
        let (recording, _) = recordings_in(&self.path("state")).open(id).unwrap();
        self.caplet.replay(recording, None).await.unwrap()
    }
}

#[derive(Debug)]
struct Says(bool);

#[async_trait]
impl Approver for Says {
    fn name(&self) -> &str {
        "the test"
    }

    async fn ask(&self, _question: &Question) -> Option<Answer> {
        Some(if self.0 { Answer::Once } else { Answer::No })
    }
}

#[tokio::test]
async fn what_people_answered_is_answered_again() {
    for says in [true, false] {
        let world = World::new();
        fs::write(world.path("w/a"), "the text").unwrap();
        let mut grant = world.grant();
        grant.ask("read:/w/a").unwrap();
        let context = CallContext::new().approver(Arc::new(Says(says)));
        let outcome = world.record(CAT, grant, &context).await;
        assert_eq!(outcome.outcome == OutcomeKind::Ok, says, "{outcome:?}");
        fs::remove_dir_all(world.path("w")).unwrap();
        let replayed = world.replay(outcome.record.as_ref().unwrap()).await;
        assert!(replayed.identical, "{:?}", replayed.divergence);
        assert_eq!(replayed.outcome.decisions, outcome.decisions);
    }
}

#[tokio::test]
async fn hidden_values_are_in_no_recording() {
    const CANARY: &str = "canary-51ab77e0";
    let world = World::new();
    let toolbox = "[tools.environ]\nsource = \"./environ.wat\"\nceiling = \"open\"\n\
                   env = { TOKEN = { file = \"./value\" } }\n";
    fs::write(world.path("environ.wat"), ENVIRON).unwrap();
    fs::write(world.path("value"), CANARY).unwrap();
    fs::write(world.path("caplet.toml"), toolbox).unwrap();
    let toolbox = caplet::Toolbox::read(world.path("caplet.toml")).unwrap();
    let configured = toolbox.tool("environ").unwrap();
    let tool = world.caplet.load(configured.source()).unwrap();
    let mut grant = configured.grant("/").unwrap();
    grant.record(true);
    let outcome = world.caplet.grant(&tool, grant).unwrap().call(None, serde_json::json!({})).await;
    assert!(outcome.output.as_str().unwrap().contains(CANARY), "the tool has it: {outcome:?}");
    let (recording, _) = recordings_in(&world.path("state")).open(outcome.record.as_ref().unwrap()).unwrap();
    let held = [recording.world.clone()].into_iter().chain(recording.pieces.clone());
    for part in held {
        assert!(!String::from_utf8_lossy(&part).contains(CANARY));
    }
    let replayed = world.caplet.replay(recording, None).await.unwrap();
    assert!(replayed.identical, "{:?}", replayed.divergence);
    assert!(replayed.outcome.output.as_str().unwrap().contains("[secret:TOKEN]"), "{:?}", replayed.outcome);
}

#[tokio::test]
async fn many_calls_at_once_have_recordings_of_their_own() {
    let world = World::new();
    fs::write(world.path("w/a"), "the text").unwrap();
    let tool = world.caplet.load(&crate::source(CAT)).unwrap();
    let mut grant = world.grant();
    grant.allow("read:/w/**").unwrap().record(true);
    let granted = Arc::new(world.caplet.grant(&tool, grant).unwrap());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let granted = Arc::clone(&granted);
            tokio::spawn(async move { granted.call(None, serde_json::json!({})).await })
        })
        .collect();
    let mut ids = Vec::new();
    for call in calls {
        ids.push(call.await.unwrap().record.unwrap());
    }
    fs::write(world.path("w/a"), "another text").unwrap();
    for id in &ids {
        let replayed = world.replay(id).await;
        assert!(replayed.identical, "{:?}", replayed.divergence);
        assert_eq!(replayed.outcome.output, "the text");
    }
}

#[tokio::test]
async fn a_recording_with_another_component_is_refused() {
    let world = World::new();
    fs::write(world.path("w/a"), "the text").unwrap();
    let mut grant = world.grant();
    grant.allow("read:/w/**").unwrap();
    let outcome = world.record(CAT, grant, &CallContext::new()).await;
    let (mut recording, _) = recordings_in(&world.path("state")).open(outcome.record.as_ref().unwrap()).unwrap();
    recording.component = ENVIRON.as_bytes().to_vec();
    let refused = world.caplet.replay(recording, None).await.unwrap_err();
    assert!(matches!(refused, Error::Recording(RecordingError::Changed { .. })), "{refused:?}");
}

#[test]
fn a_call_is_not_recorded_where_nothing_can_be_kept() {
    let caplet = Caplet::builder().build().unwrap();
    let tool = caplet.load(&Source::Bytes { name: "cat".to_owned(), bytes: CAT.as_bytes().to_vec() }).unwrap();
    let mut grant = Grant::new("/").unwrap();
    grant.record(true);
    let refused = caplet.grant(&tool, grant).unwrap_err();
    assert!(refused.to_string().contains("--record"), "{refused}");
}
