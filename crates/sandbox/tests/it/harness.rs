//! Makes a component from text, a policy from rules, and a call from both.

use std::path::Path;
use std::sync::Arc;

use caplet_audit::Outcome;
use caplet_component::{Caps, inspect};
use caplet_policy::{GuestPath, Layer, LayerKind, LimitSet, Limits, Policy, Rule};
use caplet_sandbox::{Invocation, Prepared, Sandbox, SandboxConfig};
use caplet_vfs::{HostStore, MemoryStore, Mount};
use serde_json::Value;

/// A call in the making.
pub struct Call {
    prepared: Prepared,
    pub invocation: Invocation,
    allow: Vec<String>,
    deny: Vec<String>,
    ask: Vec<String>,
}

/// One sandbox for the whole test process, as a server would have.
pub fn sandbox() -> Sandbox {
    static SANDBOX: std::sync::OnceLock<Sandbox> = std::sync::OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::new(&SandboxConfig::default()).unwrap()).clone()
}

/// A call of the component or module in `text`.
pub fn call(text: &str) -> Call {
    let component = inspect(text.as_bytes(), &Caps::default()).unwrap_or_else(|error| panic!("{error}"));
    call_bytes(component)
}

pub fn call_bytes(component: caplet_component::Component) -> Call {
    Call::of(sandbox().prepare(Arc::new(component)))
}

impl Call {
    /// A call of a tool that was called before.
    pub fn of(prepared: Prepared) -> Self {
        let policy = Policy::new(Layer::open(LayerKind::Manifest));
        Self {
            prepared,
            invocation: Invocation::new("guest", policy),
            allow: Vec::new(),
            deny: Vec::new(),
            ask: Vec::new(),
        }
    }

    /// What is called, for calls of the same.
    pub fn prepared(&self) -> Prepared {
        self.prepared.clone()
    }

    pub fn allow(mut self, rule: &str) -> Self {
        self.allow.push(rule.to_owned());
        self
    }

    pub fn deny(mut self, rule: &str) -> Self {
        self.deny.push(rule.to_owned());
        self
    }

    pub fn ask(mut self, rule: &str) -> Self {
        self.ask.push(rule.to_owned());
        self
    }

    pub fn limit(mut self, assignment: &str) -> Self {
        let mut set = LimitSet::default();
        set.assign(assignment).unwrap();
        let wanted = Limits::default().overridden_by(&set);
        // Several limits of one call add up.
        self.invocation.limits = self.invocation.limits.meet(&wanted);
        if assignment.starts_with("fuel") {
            self.invocation.limits.fuel = wanted.fuel;
        }
        self
    }

    pub fn mount_host(mut self, at: &str, directory: &Path) -> Self {
        let store = HostStore::open(directory).unwrap();
        self.invocation.mounts.push(Mount::new(GuestPath::parse(at).unwrap(), Arc::new(store)));
        self
    }

    pub fn mount_memory(mut self, at: &str) -> Self {
        let store = MemoryStore::new(1 << 20);
        self.invocation.mounts.push(Mount::new(GuestPath::parse(at).unwrap(), Arc::new(store)));
        self
    }

    pub fn function(mut self, name: &str) -> Self {
        self.invocation.function = Some(name.to_owned());
        self
    }

    pub fn arguments(mut self, arguments: Value) -> Self {
        self.invocation.arguments = arguments;
        self
    }

    pub async fn run(mut self) -> Outcome {
        let root = GuestPath::root();
        let mut operator = Layer::new(LayerKind::Operator);
        for rule in &self.allow {
            operator.add_allow(Rule::parse_grant(rule, &root).unwrap());
        }
        for rule in &self.deny {
            operator.add_deny(Rule::parse_grant(rule, &root).unwrap());
        }
        for rule in &self.ask {
            operator.add_ask(Rule::parse_grant(rule, &root).unwrap()).unwrap();
        }
        self.invocation.policy = self.invocation.policy.attenuate(operator);
        self.prepared.call(self.invocation).await
    }
}

/// The preview1 imports, memory and helpers that text modules here start with.
///
/// Memory: bytes 0..64 are scratch (0 = result of an open, 8 = iovec, 16 = counts); strings of the guest start at 1024.
pub fn preview1(data: &str, body: &str) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink" (func $path_symlink (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_link" (func $path_link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename" (func $path_rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file" (func $path_unlink (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory" (func $path_mkdir (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 1024) "{data}")
  ;; Opens a name relative to a directory; gives the errno, and leaves the descriptor at 0.
  (func $open (param $dir i32) (param $name i32) (param $len i32) (param $oflags i32) (param $rights i64) (result i32)
    (call $path_open (local.get $dir) (i32.const 1) (local.get $name) (local.get $len) (local.get $oflags)
      (local.get $rights) (local.get $rights) (i32.const 0) (i32.const 0)))
  ;; Reads up to 4,096 bytes of the descriptor at 0 into 8192 and copies them to standard output.
  (func $cat
    (i32.store (i32.const 8) (i32.const 8192)) (i32.store (i32.const 12) (i32.const 4096))
    (drop (call $fd_read (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
    (i32.store (i32.const 12) (i32.load (i32.const 16)))
    (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16))))
  ;; Exits with a code when it is not zero.
  (func $must (param $errno i32)
    (if (local.get $errno) (then (call $exit (local.get $errno)))))
  (func (export "_start") {body})
)"#
    )
}

/// Rights to read a file.
pub const READ: &str = "(i64.const 0x2)";
/// Rights to write a file.
pub const WRITE: &str = "(i64.const 0x40)";

/// Waits for a clock an hour away.
pub const SLEEPS: &str = r#"(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i64.store (i32.const 2048) (i64.const 1))
    (i32.store8 (i32.const 2056) (i32.const 0))
    (i32.store (i32.const 2064) (i32.const 1))
    (i64.store (i32.const 2072) (i64.const 3600000000000))
    (drop (call $poll (i32.const 2048) (i32.const 3072) (i32.const 1) (i32.const 0)))))"#;
