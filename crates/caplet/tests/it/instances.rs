//! Tools of which the toolbox says that they keep their instance: what is kept, for whom, and when it ends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use caplet::audit::{MemorySink, Outcome, OutcomeKind};
use caplet::{
    Answer, Approver, CallContext, Caplet, Catalog, Instances, LayerFiles, Layers, Question, SessionData, Toolbox,
    Trust,
};
use caplet_testkit::TOOLS_PROBE;
use serde_json::{Value, json};

use crate::LOOPS;
use crate::tools::Folder;

/// `next` counts up what the instance remembers; `crash` traps; `spin` never ends; `fail` is a tool's own error.
const COUNTER: &str = r#"(component
  (core module $m
    (global $count (mut i32) (i32.const 0))
    (func (export "next") (result i32) (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count))
    (func (export "crash") unreachable)
    (func (export "spin") (loop $l (br $l)))
    (func (export "fail") (result i32) (i32.const 1)))
  (core instance $i (instantiate $m))
  (func (export "next") (result u32) (canon lift (core func $i "next")))
  (func (export "crash") (canon lift (core func $i "crash")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "fail") (result (result)) (canon lift (core func $i "fail"))))"#;

struct World {
    folder: Folder,
    caplet: Caplet,
    sink: Arc<MemorySink>,
}

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        for (name, text) in [("counter.wat", COUNTER), ("loops.wat", LOOPS), ("probe.wat", TOOLS_PROBE)] {
            folder.write(name, text);
        }
        let sink = Arc::new(MemorySink::new());
        Self { folder, caplet: Caplet::builder().sink(sink.clone()).build().unwrap(), sink }
    }

    /// A catalog of these tools, each of which is the counter and has these keys.
    fn catalog(&self, names: &[&str], keys: &str) -> Catalog {
        let table = |name: &&str| format!("[tools.{name}]\nsource = \"./counter.wat\"\nsession = true\n{keys}\n");
        let toolbox = Toolbox::parse(&names.iter().map(table).collect::<String>(), self.folder.path("caplet.toml"));
        Catalog::new(&self.caplet, &toolbox.unwrap(), self.folder.root())
    }
}

/// What a client has of its own.
fn client() -> CallContext {
    CallContext::new().session(Arc::new(SessionData::new(1 << 20))).instances(Arc::new(Instances::new()))
}

async fn call(catalog: &Catalog, tool: &str, function: &str, context: &CallContext) -> Outcome {
    call_with(catalog, (tool, function), json!({}), context).await
}

async fn call_with(
    catalog: &Catalog,
    (tool, function): (&str, &str),
    arguments: Value,
    context: &CallContext,
) -> Outcome {
    let mut offers = catalog.offers();
    let offer = offers.find(|offer| offer.tool() == tool && offer.function() == function).unwrap();
    offer.call(arguments, context, std::future::pending()).await
}

async fn next(catalog: &Catalog, context: &CallContext) -> Value {
    call(catalog, "counter", "next", context).await.output
}

#[tokio::test]
async fn what_a_call_leaves_behind_is_its_clients_alone() {
    let world = World::new();
    let catalog = world.catalog(&["counter"], "");
    let (one, other) = (client(), client());
    assert_eq!((next(&catalog, &one).await, next(&catalog, &one).await), (json!(1), json!(2)));
    assert_eq!(next(&catalog, &other).await, json!(1), "another client has its own");
    assert_eq!(call(&catalog, "counter", "fail", &one).await.outcome, OutcomeKind::Error);
    assert_eq!(next(&catalog, &one).await, json!(3), "an error ends nothing");
    assert_eq!(world.sink.take().len(), 5, "every call is on record");
    // Who has no session has nothing kept, and hears of it.
    for context in [CallContext::new(), CallContext::new().session(Arc::new(SessionData::new(1)))] {
        for _ in 0..2 {
            let alone = call(&catalog, "counter", "next", &context).await;
            assert_eq!(alone.output, json!(1));
            assert!(alone.note.unwrap().contains("no session"));
        }
    }
}

#[tokio::test]
async fn without_the_key_nothing_is_kept() {
    let world = World::new();
    let text = "[tools.counter]\nsource = \"./counter.wat\"\n";
    let toolbox = Toolbox::parse(text, world.folder.path("caplet.toml")).unwrap();
    let catalog = Catalog::new(&world.caplet, &toolbox, world.folder.root());
    let one = client();
    for _ in 0..2 {
        let outcome = call(&catalog, "counter", "next", &one).await;
        assert_eq!((outcome.output, outcome.note), (json!(1), None));
    }
}

#[tokio::test]
async fn a_call_that_does_not_end_well_ends_the_instance_and_the_next_one_says_so() {
    let world = World::new();
    let catalog = world.catalog(&["counter"], "limits = { timeout = \"300ms\" }");
    let one = client();
    for function in ["crash", "spin"] {
        next(&catalog, &one).await;
        let ended = call(&catalog, "counter", function, &one).await;
        assert!(ended.note.as_ref().unwrap().contains("the next call begins with a fresh instance"), "{ended:?}");
        let fresh = call(&catalog, "counter", "next", &one).await;
        assert_eq!(fresh.output, json!(1));
        assert!(fresh.note.unwrap().contains("without what earlier calls left behind"), "{function}");
        assert_eq!(call(&catalog, "counter", "next", &one).await.note, None, "once is enough");
    }
    // To give up a call ends it too.
    let offer = catalog.offers().find(|offer| offer.function() == "spin").unwrap();
    let cancelled = offer.call(json!({}), &one, tokio::time::sleep(Duration::from_millis(50))).await;
    assert_eq!(cancelled.outcome, OutcomeKind::Limit);
    assert_eq!(next(&catalog, &one).await, json!(1));
}

#[tokio::test]
async fn another_configuration_is_another_instance() {
    let world = World::new();
    let one = client();
    let catalog = world.catalog(&["counter"], "");
    assert_eq!((next(&catalog, &one).await, next(&catalog, &one).await), (json!(1), json!(2)));
    let changed = world.catalog(&["counter"], "deny = [\"env:A\"]");
    let fresh = call(&changed, "counter", "next", &one).await;
    assert_eq!(fresh.output, json!(1));
    assert!(fresh.note.unwrap().contains("its configuration has changed"));
}

#[tokio::test]
async fn there_are_never_more_than_a_few() {
    let world = World::new();
    let names = ["a", "b", "c", "d", "e"];
    let catalog = world.catalog(&names, "");
    let one = client();
    for name in names {
        assert_eq!(call(&catalog, name, "next", &one).await.output, json!(1));
    }
    let first = call(&catalog, "a", "next", &one).await;
    assert_eq!(first.output, json!(1), "the fifth took its place");
    assert!(first.note.unwrap().contains("needed the room"));
    assert_eq!(call(&catalog, "e", "next", &one).await.output, json!(2));
    // Sixty-four of all clients together, and more when one of them goes.
    let mut others: Vec<CallContext> = (0..70).map(|_| client()).collect();
    let mut kept = 0;
    for other in &others {
        kept += usize::from(call(&catalog, "a", "next", other).await.note.is_none());
    }
    assert_eq!(kept, 60);
    let last = others.pop().unwrap();
    assert!(call(&catalog, "a", "next", &last).await.note.unwrap().contains("Too many instances"));
    drop(others);
    assert_eq!(call(&catalog, "a", "next", &last).await.note, None);
    assert_eq!(call(&catalog, "a", "next", &last).await.output, json!(2));
}

#[tokio::test]
async fn a_command_cannot_keep_its_instance() {
    let world = World::new();
    let text = "[tools.loops]\nsource = \"./loops.wat\"\nsession = true\n";
    let toolbox = Toolbox::parse(text, world.folder.path("caplet.toml")).unwrap();
    let catalog = Catalog::new(&world.caplet, &toolbox, world.folder.root());
    assert_eq!(catalog.offers().len(), 0);
    assert!(catalog.hidden()[0].error.message.contains("a command"), "{:?}", catalog.hidden());
}

#[tokio::test]
async fn a_project_can_turn_it_off_and_not_on() {
    let world = World::new();
    let one = client();
    let keeps = [("true", "false", json!(1)), ("true", "true", json!(2)), ("false", "true", json!(1))];
    for (users, projects, second) in keeps {
        let table = |value: &str| format!("[tools.counter]\nsource = \"../counter.wat\"\nsession = {value}\n");
        world.folder.write("user/caplet.toml", table(users));
        world.folder.write("project/caplet.toml", format!("[tools.counter]\nsession = {projects}\n"));
        let files = LayerFiles {
            user: Some(world.folder.path("user/caplet.toml")),
            project: Some(world.folder.path("project/caplet.toml")),
            explicit: None,
        };
        let layers = Layers::load(&files, &Trust::nothing()).unwrap();
        let told = layers.notices().iter().any(|notice| notice.key == "tools.counter.session");
        assert_eq!(told, (users, projects) == ("false", "true"), "{:?}", layers.notices());
        let catalog = Catalog::new(&world.caplet, layers.toolbox(), world.folder.root());
        assert_eq!(next(&catalog, &one).await, json!(1));
        assert_eq!(next(&catalog, &one).await, second, "{users} under {projects}");
    }
}

/// Says yes to everything, once.
#[derive(Debug, Default)]
struct Person(std::sync::Mutex<Vec<Question>>);

#[async_trait]
impl Approver for Person {
    fn name(&self) -> &str {
        "the test"
    }

    async fn ask(&self, question: &Question) -> Option<Answer> {
        self.0.lock().unwrap().push(question.clone());
        Some(Answer::Once)
    }
}

#[tokio::test]
async fn each_call_asks_its_own_people_and_finds_its_own_tools() {
    let world = World::new();
    let text = "[tools.probe]\nsource = \"./probe.wat\"\nceiling = \"open\"\nsession = true\nask = [\"call:counter.next\"]\n\
                [tools.counter]\nsource = \"./counter.wat\"\nsession = true\n";
    let toolbox = Toolbox::parse(text, world.folder.path("caplet.toml")).unwrap();
    let catalog = Catalog::new(&world.caplet, &toolbox, world.folder.root());
    let person = Arc::new(Person::default());
    let quiet = client();
    let asked = quiet.clone().approver(person.clone()).tools(catalog.clone());
    let calling = json!({"name": "counter.next", "arguments": "{}"});
    for times in 1..=2 {
        let outcome = call_with(&catalog, ("probe", "call"), calling.clone(), &asked).await;
        assert_eq!(outcome.output, json!("1"), "what is called by a tool has a fresh instance: {outcome:?}");
        assert_eq!(person.0.lock().unwrap().len(), times, "once is for one call");
        let nobody = call_with(&catalog, ("probe", "call"), calling.clone(), &quiet).await;
        assert_eq!(nobody.outcome, OutcomeKind::Denied, "nobody is asked for a call that has nobody: {nobody:?}");
    }
    let records = world.sink.take();
    let callers: Vec<_> = records.iter().filter(|record| !record.calls.is_empty()).collect();
    assert_eq!(callers.len(), 2);
    for caller in callers {
        let called = records.iter().find(|record| caller.calls.contains(&record.id)).unwrap();
        assert_eq!(called.caller.as_ref(), Some(&caller.id));
    }
}
