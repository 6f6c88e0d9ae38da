//! Tools that call tools: what they may, what is shared, what stays apart, and what is on record.

use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use caplet::audit::{ErrorKind, MemorySink, Outcome, OutcomeKind, Record};
use caplet::sandbox::SandboxConfig;
use caplet::{Answer, Approver, CallContext, Caplet, Catalog, Offer, Pins, Question, SessionData, Terms, Toolbox};
use caplet_testkit::TOOLS_PROBE;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::ADDS;
use crate::tools::{Folder, TWO};

/// Long enough for anything that is to happen at once, on a machine that is busy.
const SOON: Duration = Duration::from_secs(20);

/// A folder of tools, and where records go.
struct World {
    folder: Folder,
    caplet: Caplet,
    sink: Arc<MemorySink>,
}

/// A toolbox in which `probe` may call what `rules` say; the same component is there as `other` without any grant.
fn toolbox(rules: &str) -> String {
    format!(
        "[tools.probe]\nsource = \"./probe.wat\"\nceiling = \"open\"\n{rules}\n\
         [tools.other]\nsource = \"./probe.wat\"\nceiling = \"open\"\n\
         [tools.adds]\nsource = \"./adds.wat\"\n[tools.two]\nsource = \"./two.wat\"\n"
    )
}

impl World {
    fn new() -> Self {
        Self::with(SandboxConfig::default())
    }

    fn with(config: SandboxConfig) -> Self {
        let folder = Folder::new();
        for (name, text) in [("probe.wat", TOOLS_PROBE), ("adds.wat", ADDS), ("two.wat", TWO)] {
            folder.write(name, text);
        }
        let sink = Arc::new(MemorySink::new());
        let caplet = Caplet::builder().sink(sink.clone()).sandbox(config).build().unwrap();
        Self { folder, caplet, sink }
    }

    fn toolbox(&self, text: &str) -> Toolbox {
        Toolbox::parse(text, self.folder.path("caplet.toml")).unwrap()
    }

    fn catalog(&self, text: &str) -> Catalog {
        let catalog = Catalog::new(&self.caplet, &self.toolbox(text), self.folder.root());
        assert!(catalog.hidden().is_empty(), "{text}: {:?}", catalog.hidden());
        catalog
    }

    /// What comes of a call of `function` of `probe` in a catalog with these rules, and its records, the last one first.
    async fn probe(&self, rules: &str, function: &str, arguments: Value) -> (Outcome, Vec<Record>) {
        let catalog = self.catalog(&toolbox(rules));
        let outcome = call(&catalog, "probe", function, arguments).await;
        let mut records = self.sink.take();
        records.reverse();
        (outcome, records)
    }
}

fn offer(catalog: &Catalog, tool: &str, function: &str) -> Arc<Offer> {
    let is_meant = |offer: &&Arc<Offer>| offer.tool() == tool && offer.function() == function;
    Arc::clone(catalog.offers().find(is_meant).unwrap())
}

async fn call(catalog: &Catalog, tool: &str, function: &str, arguments: Value) -> Outcome {
    let context = CallContext::new().tools(catalog.clone());
    call_in(catalog, tool, function, arguments, &context).await
}

async fn call_in(catalog: &Catalog, tool: &str, function: &str, arguments: Value, context: &CallContext) -> Outcome {
    offer(catalog, tool, function).call(arguments, context, std::future::pending()).await
}

/// The arguments of `probe`'s functions that call.
fn calling(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments.to_string()})
}

fn said(outcome: &Outcome) -> String {
    let error = outcome.error.as_ref().map(|error| error.message.clone());
    error.unwrap_or_else(|| outcome.output.as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_tool_calls_another_and_both_are_on_record() {
    let world = World::new();
    let (outcome, records) =
        world.probe("allow = [\"call:adds\"]", "call", calling("adds", json!({"a": 1, "b": 2}))).await;
    assert_eq!(outcome.output, json!("3"), "{outcome:?}");
    assert_eq!((outcome.usage.calls, outcome.usage.ops.get("caplet:tools")), (1, Some(&1)));
    let [caller, called] = &records[..] else { panic!("{records:?}") };
    assert_eq!((caller.tool.as_str(), called.tool.as_str()), ("probe", "adds"));
    assert_eq!(outcome.record.as_ref(), Some(&caller.id));
    assert_eq!((caller.caller.as_ref(), called.caller.as_ref()), (None, Some(&caller.id)));
    assert_eq!((&caller.calls, called.calls.len()), (&vec![called.id.clone()], 0));
    assert_eq!((called.outcome, called.function.as_deref()), (OutcomeKind::Ok, Some("add")));
    assert!(called.component.is_some() && called.policy.is_some() && called.arguments.is_some());
    let permitted = &caller.decisions.permitted_ops;
    assert_eq!((permitted.len(), permitted[0].op.as_str()), (1, "call adds"));
    assert_eq!(permitted[0].rule, "call:adds");
}

#[tokio::test]
async fn rules_speak_of_tools_and_of_single_functions() {
    let world = World::new();
    let cases = [
        ("[\"call:adds\"]", "[]", "adds", "3"),
        ("[\"call:adds\"]", "[]", "adds.add", "3"),
        ("[\"call:adds.add\"]", "[]", "adds.add", "3"),
        ("[\"call:*\"]", "[]", "adds", "3"),
        ("[\"call:a*\"]", "[]", "adds", "3"),
        ("[\"call:two\"]", "[]", "two.one", "1"),
        ("[\"call:two.one\"]", "[]", "two.one", "1"),
        ("[\"call:two.one\"]", "[]", "two.two", "denied: "),
        ("[\"call:two\"]", "[\"call:two.two\"]", "two.one", "1"),
        ("[\"call:two\"]", "[\"call:two.two\"]", "two.two", "denied: "),
        ("[\"call:adds.add\"]", "[]", "adds", "denied: "),
        ("[\"call:adds\"]", "[\"call:adds.add\"]", "adds", "denied: "),
        ("[\"call:*\"]", "[\"call:a*\"]", "adds.add", "denied: "),
        ("[]", "[]", "adds", "denied: "),
        // It has two functions, and this is none of them.
        ("[\"call:*\"]", "[]", "two", "denied: "),
        ("[\"call:*\"]", "[]", "two.three", "denied: "),
        ("[\"call:*\"]", "[]", "", "denied: "),
        ("[\"call:*\"]", "[]", "/etc/passwd", "denied: "),
    ];
    for (allow, deny, name, expected) in cases {
        let rules = format!("allow = {allow}\ndeny = {deny}");
        let arguments = if name.starts_with("two") { json!({}) } else { json!({"a": 1, "b": 2}) };
        let (outcome, records) = world.probe(&rules, "call", calling(name, arguments)).await;
        assert!(said(&outcome).starts_with(expected), "{name} under {rules}: {outcome:?}");
        let denied = expected.starts_with("denied");
        assert_eq!(outcome.decisions.denied.len(), usize::from(denied), "{name} under {rules}: {outcome:?}");
        assert_eq!(records.len(), 2 - usize::from(denied), "{name} under {rules}");
        assert_eq!(outcome.outcome, if denied { OutcomeKind::Denied } else { OutcomeKind::Ok });
    }
}

#[tokio::test]
async fn what_is_denied_tells_how_to_permit_it_and_not_whether_it_exists() {
    let world = World::new();
    let mut told = Vec::new();
    for name in ["adds", "nosuch"] {
        let (outcome, _) = world.probe("", "call", calling(name, json!({}))).await;
        let hint = format!("--allow 'call:{name}'");
        assert_eq!(outcome.decisions.denied[0].hint, hint);
        assert_eq!(
            (outcome.decisions.denied[0].op.as_str(), outcome.decisions.denied[0].count),
            (&*format!("call {name}"), 1)
        );
        assert_eq!(outcome.error.as_ref().unwrap().hint.as_ref(), Some(&hint));
        told.push(said(&outcome).replace(name, "NAME"));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], "denied: call NAME is not permitted: to permit it, the operator can add --allow 'call:NAME'");
}

#[tokio::test]
async fn what_agents_are_not_offered_is_not_found() {
    let world = World::new();
    let text = format!("{}[tools.hidden]\nsource = \"./adds.wat\"\nhidden = true\n", toolbox("allow = [\"call:*\"]"));
    // Nothing was approved, so of these only what comes with Caplet is offered; the probe is called by its own grant.
    let toolbox = world.toolbox(&text);
    let pinned = Terms::new(world.folder.root()).pins(Pins::of_toolbox(&toolbox));
    let unapproved = Catalog::with_built_in(&pinned, &world.caplet, &toolbox);
    let all = world.catalog(&text);
    let mut told = Vec::new();
    for (name, catalog) in [("hidden", &all), ("nosuch", &all), ("adds", &unapproved), ("nosuch", &unapproved)] {
        let context = CallContext::new().tools(catalog.clone());
        let outcome = call_in(&all, "probe", "call", calling(name, json!({})), &context).await;
        told.push(said(&outcome).replace(name, "NAME"));
        assert_eq!(outcome.decisions.denied[0].rule, "not available here", "{outcome:?}");
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("denied: call NAME is not permitted: no tool of this name"), "{told:?}");
    let without = call_in(&all, "probe", "call", calling("adds", json!({})), &CallContext::new()).await;
    assert!(said(&without).starts_with("denied: "), "where nothing can be called, nothing is found: {without:?}");
    let listed = call_in(&all, "probe", "names", json!({}), &CallContext::new().tools(unapproved)).await;
    assert!(said(&listed).contains("file-read ") && !said(&listed).contains("adds"), "{listed:?}");
}

#[tokio::test]
async fn a_tool_is_told_of_what_it_may_call_and_of_nothing_else() {
    let world = World::new();
    let cases = [
        ("", ""),
        ("allow = [\"call:adds\"]", "adds "),
        ("allow = [\"call:adds.add\"]", "adds.add "),
        ("allow = [\"call:two\"]", "two.one two.two "),
        ("allow = [\"call:{two,adds}\"]\ndeny = [\"call:two.two\"]", "adds two.one "),
        ("ask = [\"call:adds\"]", "adds "),
    ];
    for (rules, expected) in cases {
        let (outcome, _) = world.probe(rules, "names", json!({})).await;
        assert_eq!(said(&outcome), expected, "{rules}");
        assert_eq!(outcome.decisions.permitted, 0, "to be told is no decision");
    }
    let (outcome, _) = world.probe("allow = [\"call:adds\"]", "schema", json!({})).await;
    let schema: Value = serde_json::from_str(&said(&outcome)).unwrap();
    assert_eq!(schema["properties"]["a"]["type"], "integer", "{schema}");
}

#[tokio::test]
async fn a_call_that_ends_badly_fails_its_caller_no_more_than_that() {
    let world = World::new();
    let rules = "allow = [\"call:*\"]";
    let limits = "limits = { output = \"1MiB\" }\n";
    let cases = [
        ("", "probe.trap", json!({}), "failed: probe.trap crashed: wasm trap: wasm `unreachable`"),
        ("", "adds", json!({"a": "x"}), "failed: adds was not run: "),
        ("", "adds", json!([1]), "failed: adds was not run: "),
        ("", "other.call", calling("adds", json!({})), "failed: denied: call adds"),
        (limits, "other.flood", json!({"bytes": 2 << 20}), "failed: other.flood was stopped: "),
    ];
    for (limits, name, arguments, expected) in cases {
        let (outcome, records) = world.probe(&format!("{limits}{rules}"), "call", calling(name, arguments)).await;
        assert!(said(&outcome).starts_with(expected), "{name}: {outcome:?}");
        assert_eq!(outcome.outcome, OutcomeKind::Error, "{name}: {outcome:?}");
        assert_eq!(records[1].caller.as_ref(), Some(&records[0].id), "{name}");
        assert!(records[0].decisions.denied.is_empty(), "what was denied to the other is its own");
    }
    let text = json!({"name": "adds", "arguments": "{\"a\":1,\"a\":2,\"b\":3}"});
    let (outcome, records) = world.probe(rules, "call", text).await;
    assert!(said(&outcome).starts_with("failed: adds was not run: "), "{outcome:?}");
    assert_eq!((records[1].outcome, records[1].caller.as_ref()), (OutcomeKind::Refused, Some(&records[0].id)));
}

#[tokio::test]
async fn cycles_end_by_their_depth() {
    let world = World::new();
    for (limits, depth) in [("", 8), ("limits = { call-depth = 3 }\n", 3), ("limits = { call-depth = 0 }\n", 0)] {
        let rules = format!("{limits}allow = [\"call:probe.deep\"]");
        let (outcome, records) = world.probe(&rules, "deep", json!({"name": "probe.deep"})).await;
        assert_eq!(records.len(), depth + 1, "{limits}");
        assert_eq!(outcome.usage.calls, u64::try_from(depth).unwrap());
        let innermost = records.last().unwrap();
        let error = innermost.error.as_ref().unwrap();
        assert_eq!((innermost.outcome, error.kind), (OutcomeKind::Limit, ErrorKind::Quota), "{innermost:?}");
        assert!(error.hint.as_ref().unwrap().contains("--limit call-depth="), "{error:?}");
        for pair in records.windows(2) {
            assert_eq!(pair[1].caller.as_ref(), Some(&pair[0].id));
        }
    }
    // The called tool's own limit may be lower.
    let text = toolbox("allow = [\"call:*\"]")
        .replace("[tools.adds]", "allow = [\"call:*\"]\nlimits = { call-depth = 1 }\n[tools.adds]");
    let outcome = call(&world.catalog(&text), "probe", "deep", json!({"name": "other.deep"})).await;
    assert_eq!(world.sink.take().len(), 3, "{outcome:?}");
}

#[tokio::test]
async fn calls_are_bounded_in_number_and_at_once() {
    let world = World::new();
    let all = |name: &str, times: u32| json!({"name": name, "arguments": json!({"a": 1, "b": 2}).to_string(), "times": times});
    let cases = [
        ("", 16, "o".repeat(16)),
        ("", 20, format!("{}llll", "o".repeat(16))),
        ("limits = { calls-at-once = 2 }\n", 4, "ooll".to_owned()),
        ("limits = { calls = 3 }\n", 5, "oooll".to_owned()),
        ("limits = { calls = 0 }\n", 1, "l".to_owned()),
    ];
    for (limits, times, expected) in cases {
        let (outcome, records) =
            world.probe(&format!("{limits}allow = [\"call:adds\"]"), "all", all("adds", times)).await;
        assert_eq!(said(&outcome), expected, "{limits}{outcome:?}");
        assert_eq!(outcome.usage.calls, u64::try_from(records.len() - 1).unwrap());
    }
    // Those that the called ones make count as well: each of two makes two, and the third finds no more.
    let nested = json!({"name": "probe.all", "arguments": all("adds", 2).to_string(), "times": 3});
    let (outcome, records) = world.probe("limits = { calls = 6 }\nallow = [\"call:*\"]", "all", nested).await;
    assert!(records.len() <= 7, "{}", records.len());
    assert_eq!(outcome.usage.calls, 6, "{outcome:?}");
}

#[tokio::test]
async fn fuel_is_shared_exactly() {
    let world = World::new();
    let rules = |fuel: u64| format!("limits = {{ fuel = {fuel} }}\nallow = [\"call:*\"]");
    let count = |to: u32| calling("other.count", json!({"to": to}));
    let (few, _) = world.probe(&rules(10_000_000), "call", count(1_000)).await;
    let (many, records) = world.probe(&rules(10_000_000), "call", count(101_000)).await;
    let used = |outcome: &Outcome| outcome.usage.fuel.unwrap();
    let more = used(&many) - used(&few);
    assert!(more >= 100_000 * 4, "what the other one used counts: {more}");
    assert!(records[1].usage.fuel.unwrap() < used(&many), "and its own is a part of it");
    // With exactly as much as is needed it goes through, and with less it does not.
    let (again, _) = world.probe(&rules(used(&many)), "call", count(101_000)).await;
    assert_eq!((again.outcome, used(&again)), (OutcomeKind::Ok, used(&many)), "{again:?}");
    let (short, records) = world.probe(&rules(used(&many) - 100_000), "call", count(101_000)).await;
    assert_eq!(records[1].error.as_ref().unwrap().kind, ErrorKind::Fuel, "{short:?}");
    assert_eq!(short.error.unwrap().kind, ErrorKind::Fuel);
    // Begun side by side, they share what there is, and give back the rest.
    let all = json!({"name": "other.count", "arguments": "{\"to\":1000}", "times": 8});
    let (outcome, records) = world.probe(&rules(10_000_000), "all", all).await;
    let theirs: u64 = records[1..].iter().map(|record| record.usage.fuel.unwrap()).sum();
    assert_eq!(said(&outcome), "oooooooo", "{outcome:?}");
    assert!(used(&outcome) > theirs && used(&outcome) < theirs + 1_000_000, "{theirs} of {}", used(&outcome));
}

#[tokio::test]
async fn memory_is_shared() {
    let world = World::new();
    let hold = |own: u32, other: u32| {
        let other = json!({"pages": other, "name": "adds", "arguments": "{\"a\":1,\"b\":2}"});
        json!({"pages": own, "name": "probe.hold", "arguments": other.to_string()})
    };
    let rules = "limits = { memory = \"32MiB\" }\nallow = [\"call:*\"]";
    let (fits, _) = world.probe(rules, "hold", hold(200, 200)).await;
    assert_eq!(said(&fits), "\"3\"", "{fits:?}");
    let (outcome, records) = world.probe(rules, "hold", hold(300, 300)).await;
    assert!(said(&outcome).starts_with("failed: probe.hold was stopped: "), "{outcome:?}");
    assert_eq!(records[1].error.as_ref().unwrap().kind, ErrorKind::Memory);
    // One after the other they have all of it.
    let (outcome, _) = world.probe(rules, "hold", hold(0, 300)).await;
    assert_eq!(outcome.outcome, OutcomeKind::Ok, "{outcome:?}");
}

#[tokio::test]
async fn the_time_of_the_caller_is_the_time_of_the_called() {
    let world = World::new();
    let started = Instant::now();
    let rules = "limits = { timeout = \"300ms\" }\nallow = [\"call:*\"]";
    let (outcome, records) = world.probe(rules, "call", calling("other.spin", json!({}))).await;
    assert!(started.elapsed() < SOON);
    assert_eq!(outcome.error.as_ref().unwrap().kind, ErrorKind::Timeout, "{outcome:?}");
    let kind = records[1].error.as_ref().unwrap().kind;
    assert!(matches!(kind, ErrorKind::Timeout | ErrorKind::Cancelled), "{kind}");
    assert_eq!(records[1].caller.as_ref(), Some(&records[0].id));
    // The other way round, the called one's own limit ends it alone.
    let text =
        toolbox("allow = [\"call:*\"]").replace("[tools.adds]", "limits = { timeout = \"200ms\" }\n[tools.adds]");
    let outcome = call(&world.catalog(&text), "probe", "call", calling("other.spin", json!({}))).await;
    assert!(said(&outcome).starts_with("failed: other.spin was stopped: "), "{outcome:?}");
    assert_eq!(outcome.outcome, OutcomeKind::Error);
}

#[tokio::test]
async fn what_was_begun_ends_with_its_caller() {
    let world = World::new();
    for drops in [false, true] {
        let started = Instant::now();
        let arguments = json!({"name": "other.spin", "arguments": "{}", "drops": drops});
        let (outcome, records) = world.probe("allow = [\"call:*\"]", "leave", arguments).await;
        assert!(started.elapsed() < SOON, "it was waited for");
        assert_eq!(outcome.output, json!("left"), "{outcome:?}");
        let [caller, called] = &records[..] else { panic!("{records:?}") };
        assert_eq!((caller.tool.as_str(), called.tool.as_str()), ("probe", "other"));
        assert_eq!(called.error.as_ref().unwrap().kind, ErrorKind::Cancelled);
        assert_eq!((caller.calls.len(), called.caller.as_ref()), (1, Some(&caller.id)));
    }
}

#[tokio::test]
async fn to_give_up_a_call_ends_what_it_called() {
    let world = World::new();
    let catalog = world.catalog(&toolbox("allow = [\"call:*\"]"));
    let context = CallContext::new().tools(catalog.clone());
    let calling_other = |function: &str| calling("probe.call", calling(&format!("other.{function}"), json!({"to": 1})));
    // Compiled before, so that what is given up has surely begun.
    let ready = call_in(&catalog, "probe", "call", calling_other("count"), &context).await;
    assert_eq!(ready.outcome, OutcomeKind::Ok, "{ready:?}");
    drop(world.sink.take());
    let nested = calling("probe.call", calling("other.spin", json!({})));
    let offer = offer(&catalog, "probe", "call");
    let brief = Duration::from_millis(200);
    let outcome = offer.call(nested.clone(), &context, tokio::time::sleep(brief)).await;
    assert_eq!(outcome.error.unwrap().kind, ErrorKind::Cancelled);
    assert!(tokio::time::timeout(brief, offer.call(nested, &context, std::future::pending())).await.is_err());
    let mut records: Vec<Record> = Vec::new();
    let ended = async {
        let is_kept = |records: &[Record], id: &String| records.iter().any(|record| record.id == *id);
        let are_all = |records: &[Record]| {
            let roots = records.iter().filter(|record| record.caller.is_none()).count();
            roots == 2 && records.iter().flat_map(|record| &record.calls).all(|id| is_kept(records, id))
        };
        while !are_all(&records) {
            records.extend(world.sink.take());
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, ended).await.expect("every call leaves its record");
    assert!(records.iter().any(|record| record.caller.is_some()), "{records:?}");
    assert!(records.iter().all(|record| record.error.as_ref().unwrap().kind == ErrorKind::Cancelled), "{records:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_wait_do_not_keep_places_from_those_that_they_wait_for() {
    let world = World::with(SandboxConfig::default().calls(NonZero::new(2).unwrap()));
    let catalog = world.catalog(&toolbox("allow = [\"call:*\"]"));
    let nested = calling("probe.call", calling("probe.call", calling("adds", json!({"a": 1, "b": 2}))));
    let calls: Vec<_> = (0..48)
        .map(|_| {
            let (catalog, nested) = (catalog.clone(), nested.clone());
            tokio::spawn(async move { call(&catalog, "probe", "call", nested).await })
        })
        .collect();
    for call in calls {
        let outcome = tokio::time::timeout(SOON, call).await.expect("somebody always goes on").unwrap();
        assert_eq!(outcome.outcome, OutcomeKind::Ok, "{outcome:?}");
    }
    assert_eq!(world.sink.take().len(), 48 * 4);
}

#[tokio::test]
async fn no_authority_is_borrowed() {
    let world = World::new();
    world.folder.write("w/secret.txt", "from the file");
    let mounts = "mounts = { \"/w\" = \"./w\" }";
    let read = json!({"path": "/w/secret.txt"});
    // The called one reads what its own grant gives, and its caller cannot.
    let text =
        format!("{}[tools.file-read]\nallow = [\"read:/w/**\"]\n{mounts}\n", toolbox("allow = [\"call:file-read\"]"));
    let outcome = call(&world.catalog(&text), "probe", "call", calling("file-read", read.clone())).await;
    assert!(said(&outcome).contains("from the file"), "{outcome:?}");
    // A caller that may read it lends nothing to one that may not.
    let text =
        format!("{}[tools.file-read]\n", toolbox(&format!("allow = [\"call:file-read\", \"read:/w/**\"]\n{mounts}")));
    let outcome = call(&world.catalog(&text), "probe", "call", calling("file-read", read)).await;
    let failed = said(&outcome);
    assert!(failed.starts_with("failed: ") && !failed.contains("from the file"), "{outcome:?}");
    let records = world.sink.take();
    let called = records.iter().rev().find(|record| record.tool == "file-read").unwrap();
    assert!(!called.decisions.denied.is_empty(), "{called:?}");
    // Nor does a caller that may call hand that on.
    let text = toolbox("allow = [\"call:*\"]");
    let nested = calling("other.call", calling("adds", json!({"a": 1, "b": 2})));
    let outcome = call(&world.catalog(&text), "probe", "call", nested).await;
    assert!(said(&outcome).starts_with("failed: denied: call adds"), "{outcome:?}");
}

#[tokio::test]
async fn a_profile_holds_for_what_is_called_too() {
    let world = World::new();
    let text = format!(
        "{}[profiles.small]\ntools = [\"probe\", \"two\"]\ndeny = [\"call:two.two\"]\n",
        toolbox("allow = [\"call:*\"]")
    );
    let toolbox = world.toolbox(&text).profile("small").unwrap();
    let catalog = Catalog::with_built_in(&Terms::new(world.folder.root()), &world.caplet, &toolbox);
    for (name, expected) in [("two.one", "1"), ("two.two", "denied: "), ("adds", "denied: "), ("file-read", "denied: ")]
    {
        let outcome = call(&catalog, "probe", "call", calling(name, json!({}))).await;
        assert!(said(&outcome).starts_with(expected), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_session_is_shared_and_never_with_another() {
    let world = World::new();
    let session = "mounts = { \"/s\" = \"session\" }";
    let text = format!(
        "{}[tools.file-read]\nallow = [\"read:/s/**\"]\n{session}\n[tools.file-write]\nallow = [\"write:/s/**\"]\n{session}\n",
        toolbox("allow = [\"call:*\"]")
    );
    let catalog = world.catalog(&text);
    let sessions: Vec<CallContext> = (0..2)
        .map(|_| CallContext::new().session(Arc::new(SessionData::new(1 << 20))).tools(catalog.clone()))
        .collect();
    let write = calling("file-write", json!({"path": "/s/a", "content": "kept"}));
    let read = calling("file-read", json!({"path": "/s/a"}));
    let written = call_in(&catalog, "probe", "call", write, &sessions[0]).await;
    assert_eq!(written.outcome, OutcomeKind::Ok, "{written:?}");
    let own = call_in(&catalog, "probe", "call", read.clone(), &sessions[0]).await;
    assert!(said(&own).contains("kept"), "{own:?}");
    let others = call_in(&catalog, "probe", "call", read, &sessions[1]).await;
    assert!(said(&others).starts_with("failed: "), "{others:?}");
}

/// Says yes, and remembers what to.
#[derive(Debug, Default)]
struct Person {
    asked: std::sync::Mutex<Vec<Question>>,
    /// Waited for before each answer.
    patience: Option<Arc<Notify>>,
}

#[async_trait]
impl Approver for Person {
    fn name(&self) -> &str {
        "the test"
    }

    async fn ask(&self, question: &Question) -> Option<Answer> {
        self.asked.lock().unwrap().push(question.clone());
        if let Some(patience) = &self.patience {
            patience.notified().await;
        }
        Some(Answer::Once)
    }
}

#[tokio::test]
async fn a_person_sees_who_called() {
    let world = World::new();
    world.folder.write("w/a.txt", "asked for");
    let text = format!(
        "{}[tools.file-read]\nask = [\"read:/w/**\"]\nmounts = {{ \"/w\" = \"./w\" }}\n",
        toolbox("ask = [\"call:*\"]")
    );
    let catalog = world.catalog(&text);
    let person = Arc::new(Person::default());
    let context = CallContext::new().tools(catalog.clone()).approver(person.clone()).client("a client");
    let read = calling("file-read", json!({"path": "/w/a.txt"}));
    let outcome = call_in(&catalog, "probe", "call", calling("probe.call", read.clone()), &context).await;
    assert!(said(&outcome).contains("asked for"), "{outcome:?}");
    let asked: Vec<String> = person.asked.lock().unwrap().drain(..).map(|question| question.to_string()).collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[0].starts_with("probe (call), called by \"a client\", asks for: call \"probe.call\""), "{asked:?}");
    assert!(asked[1].starts_with("probe (call), called by probe, called by \"a client\", asks for: call"), "{asked:?}");
    let chain =
        "file-read (read), called by probe, called by probe, called by \"a client\", asks for: read \"/w/a.txt\"";
    assert!(asked[2].starts_with(chain), "{asked:?}");
    // Without anybody to ask it is a no, and a yes to one call is none to the next.
    let nobody = CallContext::new().tools(catalog.clone());
    let outcome = call_in(&catalog, "probe", "call", read.clone(), &nobody).await;
    assert!(said(&outcome).starts_with("denied: "), "{outcome:?}");
    let times = json!({"name": "file-read", "arguments": json!({"path": "/w/a.txt"}).to_string(), "times": 3});
    call_in(&catalog, "probe", "all", times, &context).await;
    let calls = person.asked.lock().unwrap().iter().filter(|question| question.action == "call").count();
    assert_eq!(calls, 3);
}

#[tokio::test]
async fn a_caller_waits_while_somebody_is_asked_for_what_it_called() {
    let world = World::new();
    world.folder.write("w/a.txt", "asked for");
    let text = format!(
        "{}[tools.file-read]\nask = [\"read:/w/**\"]\nmounts = {{ \"/w\" = \"./w\" }}\n",
        toolbox("limits = { timeout = \"500ms\" }\nallow = [\"call:*\"]")
    );
    let catalog = world.catalog(&text);
    let patience = Arc::new(Notify::new());
    let person = Arc::new(Person { patience: Some(Arc::clone(&patience)), ..Person::default() });
    let context = CallContext::new().tools(catalog.clone()).approver(person);
    // Compiled before, since that takes of the caller's time.
    call(&catalog, "file-read", "read", json!({"path": "/w/a.txt"})).await;
    let read = calling("file-read", json!({"path": "/w/a.txt"}));
    let answering = async {
        // Longer than the caller has time.
        tokio::time::sleep(Duration::from_millis(800)).await;
        patience.notify_one();
    };
    let (outcome, ()) = tokio::join!(call_in(&catalog, "probe", "call", read, &context), answering);
    assert!(said(&outcome).contains("asked for"), "{outcome:?}");
}

#[tokio::test]
async fn operations_on_buckets_count_for_the_caller() {
    let world = World::new();
    for (most, is_enough) in [(1, false), (100, true)] {
        let rules = format!("limits = {{ kv-ops = {most} }}\nallow = [\"call:memory\"]");
        let text = format!(
            "{}[tools.memory]\nallow = [\"kv:memory\"]\nbuckets = {{ memory = \"memory\" }}\n",
            toolbox(&rules)
        );
        let put = calling("memory.put", json!({"name": "a", "text": "b"}));
        let outcome = call(&world.catalog(&text), "probe", "call", put).await;
        assert_eq!(outcome.outcome == OutcomeKind::Ok, is_enough, "{outcome:?}");
        let called = world.sink.take().remove(0);
        let kind = called.error.as_ref().map(|error| error.kind);
        assert_eq!(kind, (!is_enough).then_some(ErrorKind::Quota), "{called:?}");
    }
}
