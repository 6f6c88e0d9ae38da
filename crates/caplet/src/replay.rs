//! Runs a recorded call again, and compares.
//!
//! In: a recording, and perhaps another version of the tool. Out: [`Replayed`]: whether it came out the same, and if not, where it first
//! went another way. What always holds: nothing of the world is touched: no file, no network, no store, no log; the policy is that of the
//! recorded call.

use caplet_audit::Outcome;
use caplet_audit::recording::{Recording, RecordingError, RecordingFacts};
use caplet_policy::{Decisions, DeniedEntry, PermittedEntry};
use caplet_sandbox::{Ended, Player};
use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use crate::caplet::{Caplet, Tool};
use crate::error::Error;
use crate::source::Source;

/// Lines around a change that are shown with it.
const CONTEXT_LINES: usize = 3;

/// The longest output of which the differences are shown, in bytes: comparing takes time that grows with the square of it.
const MOST_COMPARED: usize = 1 << 20;

/// What came of a replay.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Replayed {
    /// What was replayed.
    pub recording: RecordingFacts,
    /// Whether everything that is compared came out the same: the ops in their order, how it ended, and the output.
    pub identical: bool,
    /// Where it first went another way, in words.
    pub divergence: Option<String>,
    /// What it asked for and did not in the recorded call.
    pub new_ops: Vec<NewOp>,
    /// What it asked for in the recorded call and does no more.
    pub gone_ops: Vec<String>,
    /// The outputs as a unified diff, where they differ.
    pub output_diff: Option<String>,
    /// How it ended now.
    pub outcome: Outcome,
}

/// Something that the recorded call did not ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NewOp {
    /// What was asked for.
    pub op: String,
    /// Whether the policy of the recorded call permits it; nothing where it was not decided on.
    pub permitted: Option<bool>,
    /// What would permit it, where it is denied.
    pub hint: Option<String>,
    /// Whether the recording holds the answer. Where it does not, the tool was told that there is none.
    pub known: bool,
}

impl Caplet {
    /// Runs the call of `recording` again: with the component that it has, or into `against`, another version of the tool.
    ///
    /// Must be called inside a tokio runtime with its timer enabled. No record is kept: nothing is done.
    ///
    /// # Errors
    ///
    /// When the recording holds what this release cannot use, or no tool.
    pub async fn replay(&self, recording: Recording, against: Option<&Tool>) -> Result<Replayed, Error> {
        let Recording { facts, world, pieces, component } = recording;
        let unusable = |reason: String| Error::from(RecordingError::Changed { id: facts.id.clone(), what: reason });
        let (player, invocation) = Player::begin(&world, pieces).map_err(|error| unusable(error.to_string()))?;
        let tool = match against {
            Some(tool) => tool.clone(),
            None => {
                self.load_within(&Source::Bytes { name: facts.tool.clone(), bytes: component }, &invocation.limits)?
            }
        };
        if against.is_none() && tool.digest().to_string() != facts.component {
            return Err(unusable("its component is another one".to_owned()));
        }
        let outcome = tool.prepared.call(invocation).await;
        let (then, now) = (player.ended(), Ended::from(&outcome));
        let unknown = player.unknown();
        let output_diff = output_diff(&then.output, &now.output);
        let divergence = divergence(then, &now, &unknown, &player.left());
        Ok(Replayed {
            recording: facts,
            identical: divergence.is_none(),
            divergence,
            new_ops: new_ops(&then.decisions, &now.decisions, &unknown),
            gone_ops: gone_ops(&then.decisions, &now.decisions),
            output_diff,
            outcome,
        })
    }
}

/// Where a replay first went another way.
fn divergence(then: &Ended, now: &Ended, unknown: &[String], left: &[String]) -> Option<String> {
    if let Some(first) = first_op(&then.decisions, &now.decisions) {
        return Some(first);
    }
    if let Some(first) = unknown.first() {
        return Some(format!("it asked for something that the recording does not hold: {first}"));
    }
    let message = |ended: &Ended| ended.error.as_ref().map_or("none".to_owned(), |error| error.message.clone());
    if then.outcome != now.outcome {
        let error = now.error.as_ref().map_or(String::new(), |_| format!(" ({})", message(now)));
        return Some(format!(
            "it ended with the outcome {}{error}, and in the recording with {}",
            now.outcome, then.outcome
        ));
    }
    if then.exit_code != now.exit_code {
        let code = |ended: &Ended| ended.exit_code.map_or("no code".to_owned(), |code| code.to_string());
        return Some(format!("it exited with {}, and in the recording with {}", code(now), code(then)));
    }
    if then.error != now.error {
        return Some(format!("its error is: {}; and in the recording: {}", message(now), message(then)));
    }
    if then.output != now.output {
        return Some(format!(
            "its output differs from byte {} on",
            first_byte(&text(&then.output), &text(&now.output))
        ));
    }
    if then.decisions != now.decisions {
        return Some("the rules that decided, or how often, are not the same".to_owned());
    }
    left.first().map(|first| format!("it ended without something that it did in the recording: {first}"))
}

/// The first op in which the two rows differ.
fn first_op(then: &Decisions, now: &Decisions) -> Option<String> {
    let permitted = |entry: &PermittedEntry| (entry.op.clone(), entry.count);
    let denied = |entry: &DeniedEntry| (format!("{} (denied)", entry.op), entry.count);
    let row = |decisions: &Decisions| -> Vec<(String, u64)> {
        decisions.permitted_ops.iter().map(permitted).chain(decisions.denied.iter().map(denied)).collect()
    };
    let (then, now) = (row(then), row(now));
    let place = (0..then.len().max(now.len())).find(|place| then.get(*place) != now.get(*place))?;
    Some(match (then.get(place), now.get(place)) {
        (Some((op, before)), Some((other, after))) if op == other => {
            format!("it asked for {op} {after} times, and in the recording {before} times")
        }
        (Some((op, _)), Some((other, _))) => format!("it asked for {other}, where in the recording it asked for {op}"),
        (Some((op, _)), None) => format!("it did not ask for {op}, as in the recording"),
        (None, Some((op, _))) => format!("it asked for {op}, and in the recording for nothing more"),
        (None, None) => return None,
    })
}

fn new_ops(then: &Decisions, now: &Decisions, unknown: &[String]) -> Vec<NewOp> {
    let permits = |op: &str| then.permitted_ops.iter().any(|entry| entry.op == op);
    let denies = |op: &str| then.denied.iter().any(|entry| entry.op == op);
    let mut ops = Vec::new();
    for entry in now.permitted_ops.iter().filter(|entry| !permits(&entry.op)) {
        let known = !unknown.iter().any(|unknown| is_about(unknown, &entry.op));
        ops.push(NewOp { op: entry.op.clone(), permitted: Some(true), hint: None, known });
    }
    for entry in now.denied.iter().filter(|entry| !denies(&entry.op)) {
        ops.push(NewOp { op: entry.op.clone(), permitted: Some(false), hint: Some(entry.hint.clone()), known: true });
    }
    let listed = |unknown: &&String| !ops.iter().any(|new| is_about(unknown, &new.op));
    let others: Vec<NewOp> = unknown
        .iter()
        .filter(listed)
        .map(|op| NewOp { op: op.clone(), permitted: None, hint: None, known: false })
        .collect();
    ops.extend(others);
    ops
}

fn gone_ops(then: &Decisions, now: &Decisions) -> Vec<String> {
    let asked = |op: &str| {
        now.permitted_ops.iter().any(|entry| entry.op == op) || now.denied.iter().any(|entry| entry.op == op)
    };
    let ops = then.permitted_ops.iter().map(|entry| &entry.op).chain(then.denied.iter().map(|entry| &entry.op));
    ops.filter(|op| !asked(op)).cloned().collect()
}

/// Whether what is not known is what an op is about: they begin with different verbs.
fn is_about(unknown: &str, op: &str) -> bool {
    let object = |text: &str| text.split_once(' ').map_or(String::new(), |(_, object)| object.to_owned());
    let object_of_op = object(op);
    !object_of_op.is_empty() && (object(unknown) == object_of_op || unknown.ends_with(&format!(" {object_of_op}")))
}

/// The output as a person reads it.
fn text(output: &Value) -> String {
    match output {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => caplet_audit::text::json_pretty(other).unwrap_or_default(),
    }
}

fn first_byte(then: &str, now: &str) -> usize {
    then.bytes().zip(now.bytes()).take_while(|(one, other)| one == other).count()
}

fn output_diff(then: &Value, now: &Value) -> Option<String> {
    if then == now {
        return None;
    }
    let (then, now) = (text(then), text(now));
    if then.len().max(now.len()) > MOST_COMPARED {
        return Some(format!(
            "the outputs have {} and {} bytes, too many to show how they differ",
            then.len(),
            now.len()
        ));
    }
    let diff = TextDiff::from_lines(&then, &now);
    Some(diff.unified_diff().context_radius(CONTEXT_LINES).header("recorded", "replayed").to_string())
}
