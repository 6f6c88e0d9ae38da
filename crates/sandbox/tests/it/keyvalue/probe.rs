//! A script of operations on buckets, as raw as the standard lets a guest be, and what each came to.

use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use caplet_audit::{ErrorKind, Outcome, OutcomeKind};
use caplet_component::{Caps, inspect};
use caplet_keyvalue::{Error, MemoryStore, Store};
use caplet_sandbox::{BucketSource, Prepared};
use serde_json::{Value, json};

use crate::harness::{Call, sandbox};

/// The drafts of the interface.
pub const DRAFTS: [&str; 2] = ["0.2.0-draft", "0.2.0-draft2"];
/// The one with compare-and-swap.
pub const DRAFT_2: &str = DRAFTS[1];

fn probe(draft: &str) -> Prepared {
    static PROBES: [OnceLock<Prepared>; 2] = [OnceLock::new(), OnceLock::new()];
    let place = usize::from(draft == DRAFT_2);
    let make = || {
        let text = caplet_testkit::keyvalue_probe(draft);
        let component = inspect(text.as_bytes(), &Caps::default()).unwrap_or_else(|error| panic!("{error}"));
        sandbox().prepare(Arc::new(component))
    };
    PROBES[place].get_or_init(make).clone()
}

/// A store behind every bucket, that remembers which buckets it was asked for.
#[derive(Debug)]
pub struct Source {
    store: Arc<dyn Store>,
    asked: Mutex<Vec<String>>,
}

impl Source {
    pub fn of(store: impl Store + 'static) -> Arc<Self> {
        Arc::new(Self { store: Arc::new(store), asked: Mutex::default() })
    }

    pub fn memory() -> Arc<Self> {
        Self::of(MemoryStore::new(1 << 30))
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl BucketSource for Source {
    async fn store(&self, bucket: &str) -> Result<Arc<dyn Store>, Error> {
        self.asked.lock().unwrap().push(bucket.to_owned());
        Ok(Arc::clone(&self.store))
    }
}

/// The place of a step in its script, by which later ones use the handle that it gave.
pub type Step = usize;

/// A script in the making.
pub struct Script {
    steps: Vec<Value>,
    must: bool,
    draft: &'static str,
    pub call: Call,
}

/// A script for the draft, with this behind all buckets.
pub fn script(draft: &'static str, source: &Arc<Source>) -> Script {
    let mut script = without_source(draft);
    script.call.invocation.buckets = Some(Arc::clone(source) as Arc<dyn BucketSource>);
    script
}

pub fn without_source(draft: &'static str) -> Script {
    Script { steps: Vec::new(), must: false, draft, call: Call::of(probe(draft)) }
}

impl Script {
    pub fn allow(mut self, rule: &str) -> Self {
        self.call = self.call.allow(rule);
        self
    }

    pub fn deny(mut self, rule: &str) -> Self {
        self.call = self.call.deny(rule);
        self
    }

    pub fn limit(mut self, assignment: &str) -> Self {
        self.call = self.call.limit(assignment);
        self
    }

    /// A step that fails fails the guest, as in a tool that does not look at errors.
    pub fn must(mut self) -> Self {
        self.must = true;
        self
    }

    /// A step as the guest has it; see there.
    pub fn step(&mut self, op: u32, on: Step, name: &str, value: &str, number: i64) -> Step {
        self.steps.push(json!([op, on, 1, name, value, number]));
        self.steps.len() - 1
    }

    /// The last step so often.
    pub fn times(&mut self, times: u32) {
        self.steps.last_mut().unwrap()[2] = json!(times);
    }

    pub fn open(&mut self, bucket: &str) -> Step {
        self.step(0, 0, bucket, "", 0)
    }

    pub fn get(&mut self, on: Step, key: &str) -> Step {
        self.step(1, on, key, "", 0)
    }

    pub fn set(&mut self, on: Step, key: &str, value: &str) -> Step {
        self.step(2, on, key, value, 0)
    }

    /// Sets a value of so many zero bytes.
    pub fn fill(&mut self, on: Step, key: &str, bytes: i64) -> Step {
        self.step(2, on, key, "", bytes)
    }

    pub fn delete(&mut self, on: Step, key: &str) -> Step {
        self.step(3, on, key, "", 0)
    }

    pub fn exists(&mut self, on: Step, key: &str) -> Step {
        self.step(4, on, key, "", 0)
    }

    pub fn list(&mut self, on: Step) -> Step {
        self.step(5, on, "", "", -1)
    }

    /// Goes on with a listing from a cursor of this draft.
    pub fn list_from(&mut self, on: Step, cursor: &str) -> Step {
        // The second draft has the text, and needs some number that is not -1.
        self.step(5, on, "", cursor, cursor.parse().unwrap_or(0))
    }

    pub fn increment(&mut self, on: Step, key: &str, delta: i64) -> Step {
        self.step(6, on, key, "", delta)
    }

    pub fn get_many(&mut self, on: Step, keys: &[&str]) -> Step {
        self.step(7, on, &lines(keys), "", 0)
    }

    pub fn set_many(&mut self, on: Step, keys: &[&str], value: &str) -> Step {
        self.step(8, on, &lines(keys), value, 0)
    }

    pub fn delete_many(&mut self, on: Step, keys: &[&str]) -> Step {
        self.step(9, on, &lines(keys), "", 0)
    }

    pub fn look(&mut self, on: Step, key: &str) -> Step {
        self.step(10, on, key, "", 0)
    }

    pub fn current(&mut self, on: Step) -> Step {
        self.step(11, on, "", "", 0)
    }

    pub fn swap(&mut self, on: Step, value: &str) -> Step {
        self.step(12, on, "", value, 0)
    }

    pub fn drop_cas(&mut self, on: Step) -> Step {
        self.step(14, on, "", "", 0)
    }

    pub async fn run(self) -> Answer {
        let arguments = json!({ "steps": self.steps, "must": self.must });
        Answer { draft: self.draft, outcome: self.call.arguments(arguments).run().await }
    }
}

fn lines(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("{key}\n")).collect()
}

/// What a script came to.
#[derive(Debug)]
pub struct Answer {
    draft: &'static str,
    pub outcome: Outcome,
}

impl Answer {
    fn part(&self, step: Step, part: usize) -> &Value {
        let part = &self.outcome.output[step][part];
        assert!(!part.is_null(), "no answer to step {step}: {:?}", self.outcome);
        part
    }

    /// How a step ended: `ok`, or its error.
    pub fn told(&self, step: Step) -> String {
        match self.part(step, 0).as_u64().unwrap() {
            0 => "ok".to_owned(),
            1 => "no-such-store".to_owned(),
            2 => "access-denied".to_owned(),
            3 => format!("other: {}", self.part(step, 1).as_str().unwrap()),
            4 => "cas-failed".to_owned(),
            tag => panic!("{tag} is no end of a step"),
        }
    }

    /// The error or the text of a step.
    pub fn text(&self, step: Step) -> String {
        match self.told(step).as_str() {
            "ok" => self.part(step, 1).as_str().unwrap().to_owned(),
            error => error.to_owned(),
        }
    }

    /// The error or the number of a step.
    pub fn number(&self, step: Step) -> String {
        match self.told(step).as_str() {
            "ok" => self.part(step, 3).as_i64().unwrap().to_string(),
            error => error.to_owned(),
        }
    }

    pub fn lines(&self, step: Step) -> Vec<String> {
        self.text(step).lines().map(str::to_owned).collect()
    }

    /// The cursor of a listing, if it goes on.
    pub fn cursor(&self, step: Step) -> Option<String> {
        assert_eq!(self.told(step), "ok");
        let number = self.part(step, 3).as_i64().unwrap();
        let is_second = self.draft == DRAFT_2;
        (number != -1)
            .then(|| if is_second { self.part(step, 2).as_str().unwrap().to_owned() } else { number.to_string() })
    }

    /// How each step ended.
    pub fn all(&self) -> Vec<String> {
        (0..self.outcome.output.as_array().map_or(0, Vec::len)).map(|step| self.told(step)).collect()
    }

    /// The limit that the call ran into, by its kind.
    pub fn limit(&self) -> Option<ErrorKind> {
        self.outcome.error.as_ref().filter(|_| self.outcome.outcome == OutcomeKind::Limit).map(|error| error.kind)
    }

    /// The refused ops, each with its hint.
    pub fn denied(&self) -> Vec<(&str, &str)> {
        self.outcome.decisions.denied.iter().map(|entry| (entry.op.as_str(), entry.hint.as_str())).collect()
    }
}
