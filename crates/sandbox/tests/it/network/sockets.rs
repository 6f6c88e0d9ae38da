//! Sockets and lookups of a guest's own (N33): refused whatever the rules for requests are, and nobody hears of it.

use std::io;

use caplet_audit::OutcomeKind;
use caplet_testkit::lab::dns::{Dns, Reply};
use caplet_testkit::lab::http::{Http, pages};
use caplet_testkit::lab::namespace::{PUBLIC, isolated};
use serde_json::json;

use super::names::{Guarded, ask};
use super::probe::block_on;
use crate::harness::{call, preview1};

const RULES: &[&str] = &["fetch:ANY http://*:*/**", "fetch:ANY http://ok.test:*/**", "fetch:ANY http://0.0.0.0/0:*/**"];

/// The places of the codes in the standard's list, from 1.
const ACCESS_DENIED: u32 = 2;
const PERMANENT_RESOLVER_FAILURE: u32 = 21;

#[test]
fn rules_for_requests_open_no_socket_and_no_lookup() -> io::Result<()> {
    isolated(|_lab| {
        let guarded = Guarded::new()?;
        let public = Http::on((PUBLIC, 80), pages::text(200, "public"))?;
        let dns = Dns::on("127.0.0.1:53")?;
        dns.set("ok.test", Reply::addresses([PUBLIC]));
        block_on(async {
            for name in ["ok.test", "localhost", "127.0.0.1", "93.184.215.14", "::1", "", "secret.ok.test"] {
                let probe = RULES.iter().fold(call(caplet_testkit::SOCKETS_PROBE), |call, rule| call.allow(rule));
                let outcome = probe.arguments(json!({ "name": name })).run().await;
                let [denied, unresolved] = [ACCESS_DENIED, PERMANENT_RESOLVER_FAILURE];
                assert_eq!(outcome.output, json!([denied, denied, denied, denied, unresolved]), "{name}: {outcome:?}");
                let refused: Vec<&str> = outcome.decisions.denied.iter().map(|entry| entry.op.as_str()).collect();
                assert!(refused.iter().any(|op| op.contains("resolve the name")), "{name}: {refused:?}");
                assert!(refused.contains(&"create a TCP socket") && refused.contains(&"create a UDP socket"));
            }
            assert_eq!((dns.queries().len(), public.accepts(), guarded.hits()), (0, 0, 0));
            // The rules are good for what they say.
            assert_eq!(ask("http://ok.test/", RULES).await.body(), "public");
        });
        Ok(())
    })
}

/// Preview1 has functions for sockets that it was given, and a module is given none. An error is as good an answer as a trap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preview1_has_no_socket_to_begin_with() {
    let imports = r#"(module
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv" (func $recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_shutdown" (func $shutdown (param i32 i32) (result i32)))"#;
    let functions = [
        "call $accept (local.get $fd) (i32.const 0) (i32.const 0)",
        "call $recv (local.get $fd) (i32.const 8) (i32.const 1) (i32.const 0) (i32.const 16) (i32.const 20)",
        "call $send (local.get $fd) (i32.const 8) (i32.const 1) (i32.const 0) (i32.const 16)",
        "call $shutdown (local.get $fd) (i32.const 3)",
    ];
    for function in functions {
        for descriptor in 0..8 {
            // A function that works ends the module with 99.
            let body = format!(
                "(local $fd i32) (local.set $fd (i32.const {descriptor}))
                (i32.store (i32.const 8) (i32.const 8192)) (i32.store (i32.const 12) (i32.const 8))
                (call $exit (select (i32.const 99) (i32.const 7) (i32.eqz ({function}))))"
            );
            let text = preview1("", &body).replacen("(module", imports, 1);
            let module = RULES.iter().fold(call(&text), |call, rule| call.allow(rule));
            let outcome = module.run().await;
            let is_refused = outcome.exit_code == Some(7) || outcome.outcome == OutcomeKind::Trap;
            assert!(is_refused, "{function} of {descriptor}: {outcome:?}");
        }
    }
}
