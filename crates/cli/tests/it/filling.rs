//! Guests that fill a store with bytes, sizes, objects and names: each ends at its limit, in every store, and the host has not grown.

use std::fs;

use crate::bin::World;
use crate::every_store::stores;

/// A guest that does one thing again and again until it is refused, and exits with the errno.
fn filling(step: &str) -> String {
    format!(
        r#"(module
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_pwrite" (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $set_size (param i32 i64) (result i32)))
          (import "wasi_snapshot_preview1" "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
          (memory (export "memory") 2)
          (global $n (mut i32) (i32.const 0))
          ;; A name of so many bytes at 1024, another one each time.
          (func $name (param $length i32) (local $at i32)
            (memory.fill (i32.const 1024) (i32.const 110) (local.get $length))
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (loop $l
              (i32.store8 (i32.add (i32.const 1024) (local.get $at))
                (i32.add (i32.const 97) (i32.and (i32.const 15)
                  (i32.shr_u (global.get $n) (i32.mul (local.get $at) (i32.const 4))))))
              (br_if $l (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (i32.const 8)))))
          (func $open (param $length i32) (result i32)
            (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (local.get $length) (i32.const 1)
              (i64.const 0x400044) (i64.const 0x400044) (i32.const 0) (i32.const 0)))
          (func $step (result i32) {step})
          (func (export "_start") (local $errno i32)
            (i32.store (i32.const 8) (i32.const 65536)) (i32.store (i32.const 12) (i32.const 65536))
            (call $name (i32.const 8))
            (if (call $open (i32.const 8)) (then unreachable))
            (loop $l (br_if $l (i32.eqz (local.tee $errno (call $step)))))
            (call $exit (local.get $errno))))"#
    )
}

/// Runs it, and gives the outcome and the most memory that the host's process had, in MiB.
fn watched(world: &World, words: &[&str]) -> (serde_json::Value, u64) {
    let mut child = world.command(words).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    (serde_json::from_slice(&output.stdout).unwrap(), most >> 10)
}

#[test]
fn a_guest_that_fills_a_store_ends_at_its_limit_and_the_host_does_not() {
    let world = World::new();
    let stores = stores(&world);
    for (what, step) in [
        ("bytes", "(call $fd_write (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16))"),
        ("a size", "(call $set_size (i32.load (i32.const 0)) (i64.const 0x10000000000))"),
        ("the largest size", "(call $set_size (i32.load (i32.const 0)) (i64.const 0x7fffffffffffffff))"),
        (
            "a byte far out",
            "(call $fd_pwrite (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i64.const 0x4000000000000000) (i32.const 16))",
        ),
        (
            "empty files",
            "(call $name (i32.const 8)) (call $open (i32.const 8)) (drop (call $fd_close (i32.load (i32.const 0))))",
        ),
        ("long names", "(call $name (i32.const 250)) (call $mkdir (i32.const 3) (i32.const 1024) (i32.const 250))"),
    ] {
        let guest = world.write(&format!("{what}.wat"), filling(step));
        for (store, mount) in &stores {
            let mount = format!("/w={mount}");
            let limits = ["--limit", "file-writes=2MiB", "--json"];
            let words = ["run", &guest, "--ceiling", "open", "--mount", &mount, "--allow", "write:/w/**"];
            let (outcome, memory_mib) = watched(&world, &[&words[..], &limits].concat());
            assert_eq!(outcome["error"]["kind"], "quota", "{what} in {store}: {outcome}");
            assert!(memory_mib < 300, "{what} in {store}: {memory_mib} MiB");
        }
    }
    world.run(&["fs", "check", "sqlite:./files.db"]).assert(0, &[]);
}
