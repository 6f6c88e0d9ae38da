//! Calls that are recorded: what is noted of one is kept under the id of its record, so that [`Caplet::replay`](crate::Caplet::replay) can run
//! it again.
//!
//! What always holds: a call that is to be recorded does not run where no recording can be kept; its record has the recording's digest; what
//! the recording lacks is told with the outcome.

use std::path::Path;
use std::sync::Arc;

use caplet_audit::recording::{Recording, RecordingFacts, Recordings};
use caplet_audit::{ErrorKind, Outcome};
use caplet_component::Digest;
use caplet_policy::Rule;
use caplet_sandbox::{Invocation, Recorder};

use crate::caplet::{Caplet, Tool};
use crate::error::Error;
use crate::grant::Grant;

/// The folder of recordings in that of the state.
const FOLDER: &str = "recordings";

/// The recordings of the Caplet whose state is in the folder `state`.
#[must_use]
pub fn recordings_in(state: &Path) -> Recordings {
    Recordings::new(state.join(FOLDER))
}

/// The recordings for calls under `grant`, if they are to be recorded.
pub(crate) fn recordings(grant: &Grant, caplet: &Caplet) -> Result<Option<Recordings>, Error> {
    if !grant.record && !caplet.records_calls() {
        return Ok(None);
    }
    let refuse = |reason: String, hint: Option<String>| Error::Grant { asked: "--record".to_owned(), reason, hint };
    if grant.deterministic.is_some() {
        let reason = "a deterministic call sees nothing of the host that could be noted but its files".to_owned();
        return Err(refuse(
            reason,
            Some("leave out --record, and make the call again to repeat it; or leave out --deterministic".to_owned()),
        ));
    }
    let state =
        caplet.state.as_deref().ok_or_else(|| refuse("there is no folder to keep recordings in".to_owned(), None))?;
    let recordings = recordings_in(state);
    recordings.ready().map_err(|error| refuse(error.to_string(), error.hint().map(str::to_owned)))?;
    Ok(Some(recordings))
}

/// A call that is being recorded.
pub(crate) struct Recorded {
    recorder: Arc<Recorder>,
    recordings: Recordings,
    tool: Tool,
    /// The most that its component may be long, in bytes.
    most: u64,
}

impl Recorded {
    /// Records the call that `invocation` is about to make.
    pub(crate) fn begin(
        recordings: &Recordings,
        tool: &Tool,
        grant: &Grant,
        invocation: &mut Invocation,
    ) -> Result<Self, Error> {
        let recorder = Recorder::begin(invocation).map_err(|error| Error::Host(error.to_string()))?;
        let config = invocation.policy.config();
        for rule in &grant.values {
            let (name, values) = match rule {
                Rule::Environment(rule) => (rule.name(), &invocation.environment),
                Rule::Config(rule) => (rule.name(), &config),
                _ => continue,
            };
            if let Some((_, value)) = values.iter().find(|(known, _)| known == name) {
                recorder.hide(name, value);
            }
        }
        let (recordings, tool) = (recordings.clone(), tool.clone());
        Ok(Self { recorder, recordings, tool, most: invocation.limits.component })
    }

    /// Keeps what was noted under `id`. Gives the recording's digest, if it was kept; the outcome says what is wrong with it.
    pub(crate) async fn keep(self, id: String, outcome: &mut Outcome) -> Option<String> {
        if outcome.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Cancelled) {
            add_note(outcome, "A call that was cancelled is not recorded.");
            return None;
        }
        let ended = outcome.clone();
        // Packing and writing take a while, in which other calls are served.
        let written = tokio::task::spawn_blocking(move || self.write(&id, &ended)).await;
        match written.unwrap_or_else(|_| Err("the host failed".to_owned())) {
            Ok((digest, None)) => Some(digest),
            Ok((digest, Some(incomplete))) => {
                add_note(outcome, &format!("The recording is incomplete: {incomplete}."));
                Some(digest)
            }
            Err(reason) => {
                add_note(outcome, &format!("The recording could not be kept: {reason}."));
                None
            }
        }
    }

    fn write(&self, id: &str, outcome: &Outcome) -> Result<(String, Option<String>), String> {
        let digest = self.tool.digest().to_string();
        let component = match self.recordings.has_component(&digest) {
            true => Vec::new(),
            false => {
                let bytes = self.tool.source().read(self.most).map_err(|error| error.to_string())?;
                if Digest::of(&bytes) != *self.tool.digest() {
                    return Err("the tool's file was changed while it ran".to_owned());
                }
                bytes
            }
        };
        let finished = self.recorder.finish(outcome).map_err(|error| error.to_string())?;
        let facts = RecordingFacts {
            id: id.to_owned(),
            time: caplet_audit::recording::now(),
            tool: outcome.tool.clone(),
            function: outcome.function.clone(),
            component: digest,
            incomplete: finished.incomplete.clone(),
        };
        let recording = Recording { facts, world: finished.world, pieces: finished.pieces, component };
        let kept = self.recordings.keep(&recording).map_err(|error| error.to_string())?;
        Ok((kept.digest, finished.incomplete))
    }
}

fn add_note(outcome: &mut Outcome, note: &str) {
    outcome.note = Some(match outcome.note.take() {
        Some(before) => format!("{before} {note}"),
        None => note.to_owned(),
    });
}
