//! A call that a guest began.
#![expect(unreachable_pub, reason = "the generated bindings re-export this type")]

use std::sync::Arc;

use caplet_audit::{ErrorKind, Outcome, OutcomeKind};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use wasmtime_wasi_io::poll::Pollable;

use crate::bindings::tools::invoke::Error;
use crate::counts::{Counted, Counts};

/// A call that is under way, or has ended. To drop it ends the call.
#[derive(Debug)]
pub struct UnderWay {
    state: State,
    task: AbortHandle,
    /// Given back with the result, which the host holds until then.
    place: Option<Place>,
    /// What it was given of the caller's fuel; nothing where none is counted.
    fuel: Option<u64>,
}

#[derive(Debug)]
enum State {
    Running(oneshot::Receiver<Ended>),
    Ended(Ended),
    Taken,
}

/// How a call ended, as its caller hears of it.
#[derive(Debug)]
pub(super) struct Ended {
    answer: Result<String, Error>,
    /// What it used of its fuel, where that is known.
    fuel: Option<u64>,
}

impl UnderWay {
    pub(super) fn new(ended: oneshot::Receiver<Ended>, task: AbortHandle, place: Place, fuel: Option<u64>) -> Self {
        Self { state: State::Running(ended), task, place: Some(place), fuel }
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&mut self) {
        if let State::Running(ended) = &mut self.state {
            self.state = State::Ended(ended.await.unwrap_or_else(|_| Ended::lost()));
        }
    }

    /// The answer, once there is one, and only once.
    pub(super) fn take(&mut self) -> Option<Result<String, Error>> {
        if let State::Running(ended) = &mut self.state {
            match ended.try_recv() {
                Ok(ended) => self.state = State::Ended(ended),
                Err(oneshot::error::TryRecvError::Empty) => return None,
                Err(oneshot::error::TryRecvError::Closed) => self.state = State::Ended(Ended::lost()),
            }
        }
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Ended(Ended { answer, fuel }) => {
                self.place = None;
                // What it did not use is its caller's again. Of a call that was ended in its middle, all counts as used.
                self.fuel = self.fuel.map(|given| given.saturating_sub(fuel.unwrap_or(given)));
                Some(answer)
            }
            State::Running(_) | State::Taken => None,
        }
    }

    /// The fuel that came back, once.
    pub(super) fn take_fuel(&mut self) -> u64 {
        match self.state {
            State::Taken => self.fuel.take().unwrap_or(0),
            State::Running(_) | State::Ended(_) => 0,
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for UnderWay {
    async fn ready(&mut self) {
        self.ended().await;
    }
}

impl Ended {
    pub(super) fn new(name: &str, outcome: Outcome) -> Self {
        let fuel = outcome.usage.fuel;
        Self { answer: answer(name, outcome), fuel }
    }

    /// The host failed in the middle of it.
    fn lost() -> Self {
        Self { answer: Err(Error::Failed("the host could not carry out the call".to_owned())), fuel: None }
    }
}

/// What the caller hears: the output, or why there is none. What was denied to the tool, what stands in a configuration and where something
/// is on the host are the operator's, and in the record.
fn answer(name: &str, outcome: Outcome) -> Result<String, Error> {
    if outcome.is_ok() {
        return Ok(outcome.output.to_string());
    }
    let error = outcome.error.map(|error| (error.kind, error.message));
    let (kind, message) = error.unwrap_or((ErrorKind::ToolError, String::new()));
    Err(Error::Failed(match (outcome.outcome, kind) {
        (OutcomeKind::Error | OutcomeKind::Denied, _) => message,
        (OutcomeKind::Exit, _) => match outcome.output.as_str().filter(|output| !output.is_empty()) {
            Some(output) => format!("{output}\n{message}"),
            None => message,
        },
        (OutcomeKind::Refused, ErrorKind::InvalidArgs) => format!("{name} was not run: {message}"),
        (OutcomeKind::Trap, _) => format!("{name} crashed: {}", message.lines().next().unwrap_or_default()),
        (OutcomeKind::Limit, _) => format!("{name} was stopped: {message}"),
        _ => format!("{name} could not be run; the operator's audit log says why"),
    }))
}

/// A place among the calls that run at once.
#[derive(Debug)]
pub(super) struct Place(Arc<Counts>);

impl Place {
    /// One that was taken of `counts`.
    pub(super) fn taken(counts: &Arc<Counts>) -> Self {
        Self(Arc::clone(counts))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.give_back(Counted::CallsAtOnce);
    }
}
