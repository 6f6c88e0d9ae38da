//! Calls of other tools: noted, or as noted.

use std::sync::{Arc, Mutex};

use caplet_audit::{ErrorInfo, Outcome, OutcomeKind};
use caplet_policy::{Permitted, ToolOp};
use caplet_vfs::recording::Unknown;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::recorder::{Recorder, hex};
use crate::capability::tools::{Callable, Calling, FoundTool, ToolSource, Within};
use crate::engine::lock;

/// What a call saw of other tools.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolNotes {
    /// The functions that it was told of, if it asked.
    functions: Option<Vec<SeenFunction>>,
    /// The names that led to a tool.
    found: Vec<String>,
    /// Its calls, in the order in which they began.
    calls: Vec<SeenCall>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenFunction {
    tool: String,
    function: String,
    is_only: bool,
    description: String,
    input_schema: String,
    output_schema: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenCall {
    name: String,
    /// SHA-256 of the arguments' text.
    arguments: String,
    /// What came of it; nothing where the caller did not wait for that.
    ended: Option<SeenEnd>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenEnd {
    outcome: OutcomeKind,
    output: Value,
    error: Option<ErrorInfo>,
    exit_code: Option<u32>,
    fuel: Option<u64>,
}

/// Notes what is found of other tools.
#[derive(Debug)]
pub(super) struct NotingTools {
    pub(super) tools: Arc<dyn ToolSource>,
    pub(super) recorder: Arc<Recorder>,
}

impl ToolSource for NotingTools {
    fn functions(&self) -> Arc<[Callable]> {
        let functions = self.tools.functions();
        let texts = functions.iter().map(|one| one.description.len() + one.input_schema.len() + 256).sum();
        self.recorder.tool(texts, |notes| {
            notes.functions.get_or_insert_with(|| functions.iter().map(SeenFunction::from).collect());
        });
        functions
    }

    fn find(&self, permitted: &Permitted<ToolOp>) -> Option<Arc<dyn FoundTool>> {
        let (found, name) = (self.tools.find(permitted)?, permitted.op().name());
        self.recorder.tool(name.len(), |notes| {
            if !notes.found.contains(&name) {
                notes.found.push(name.clone());
            }
        });
        Some(Arc::new(NotingTool { found, name, recorder: Arc::clone(&self.recorder) }))
    }
}

#[derive(Debug)]
struct NotingTool {
    found: Arc<dyn FoundTool>,
    name: String,
    recorder: Arc<Recorder>,
}

impl FoundTool for NotingTool {
    fn call(&self, arguments: String, within: Within) -> Calling {
        let begun = SeenCall { name: self.name.clone(), arguments: digest(&arguments), ended: None };
        let number = self.recorder.tool(self.name.len(), |notes| {
            notes.calls.push(begun);
            notes.calls.len() - 1
        });
        let (calling, recorder) = (self.found.call(arguments, within), Arc::clone(&self.recorder));
        Box::pin(async move {
            let outcome = calling.await;
            let ended = SeenEnd::from(&outcome);
            recorder.tool(outcome.output.to_string().len(), |notes| {
                if let Some(call) = number.and_then(|number| notes.calls.get_mut(number)) {
                    call.ended = Some(ended);
                }
            });
            outcome
        })
    }
}

/// Other tools, as far as the recorded call knew them.
#[derive(Debug)]
pub(super) struct NotedTools {
    functions: Arc<[Callable]>,
    found: Vec<String>,
    calls: Arc<Mutex<Vec<SeenCall>>>,
    unknown: Arc<Unknown>,
    knows_functions: bool,
}

impl NotedTools {
    pub(super) fn new(notes: ToolNotes, unknown: &Arc<Unknown>) -> Self {
        let ToolNotes { functions, found, calls } = notes;
        let knows_functions = functions.is_some();
        let functions = functions.into_iter().flatten().map(Callable::from).collect();
        Self { functions, found, calls: Arc::new(Mutex::new(calls)), unknown: Arc::clone(unknown), knows_functions }
    }
}

impl ToolSource for NotedTools {
    fn functions(&self) -> Arc<[Callable]> {
        if !self.knows_functions {
            self.unknown.note("list the tools that can be called".to_owned());
        }
        Arc::clone(&self.functions)
    }

    fn find(&self, permitted: &Permitted<ToolOp>) -> Option<Arc<dyn FoundTool>> {
        let name = permitted.op().name();
        if !self.found.contains(&name) {
            self.unknown.note(format!("call {name}"));
            return None;
        }
        Some(Arc::new(NotedTool { name, calls: Arc::clone(&self.calls), unknown: Arc::clone(&self.unknown) }))
    }
}

#[derive(Debug)]
struct NotedTool {
    name: String,
    calls: Arc<Mutex<Vec<SeenCall>>>,
    unknown: Arc<Unknown>,
}

impl FoundTool for NotedTool {
    fn call(&self, arguments: String, _within: Within) -> Calling {
        let arguments = digest(&arguments);
        let mut calls = lock(&self.calls);
        let place = calls.iter().position(|call| call.name == self.name && call.arguments == arguments);
        let found = place.map(|place| calls.remove(place));
        drop(calls);
        let name = self.name.clone();
        if found.is_none() {
            self.unknown.note(format!("call {name}"));
        }
        Box::pin(async move {
            match found {
                Some(SeenCall { ended: Some(ended), .. }) => ended.outcome(name),
                // The recorded call did not wait for its end either.
                Some(SeenCall { ended: None, .. }) => std::future::pending().await,
                None => {
                    let error = ErrorInfo::new(caplet_audit::ErrorKind::ToolError, "the recording has no such call");
                    Outcome { outcome: OutcomeKind::Error, error: Some(error), ..Outcome::new(name, None) }
                }
            }
        })
    }
}

impl SeenEnd {
    fn outcome(self, tool: String) -> Outcome {
        let Self { outcome, output, error, exit_code, fuel } = self;
        let mut ended = Outcome { outcome, output, error, exit_code, ..Outcome::new(tool, None) };
        ended.usage.fuel = fuel;
        ended
    }
}

impl From<&Outcome> for SeenEnd {
    fn from(outcome: &Outcome) -> Self {
        Self {
            outcome: outcome.outcome,
            output: outcome.output.clone(),
            error: outcome.error.clone(),
            exit_code: outcome.exit_code,
            fuel: outcome.usage.fuel,
        }
    }
}

impl From<&Callable> for SeenFunction {
    fn from(callable: &Callable) -> Self {
        let Callable { tool, function, is_only, description, input_schema, output_schema } = callable.clone();
        Self { tool, function, is_only, description, input_schema, output_schema }
    }
}

impl From<SeenFunction> for Callable {
    fn from(seen: SeenFunction) -> Self {
        let SeenFunction { tool, function, is_only, description, input_schema, output_schema } = seen;
        Self { tool, function, is_only, description, input_schema, output_schema }
    }
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}
