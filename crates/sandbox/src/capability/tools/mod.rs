//! `caplet:tools`: calls of other tools.
//!
//! What a guest names is decided on first, by the name alone; then it is looked for, so that a name that is not permitted and one that
//! does not exist answer alike. A call that was begun is a task of its own, in the caller's name: its time, fuel, memory, requests and
//! key-value operations count for the caller too, and it ends when the caller does.
//!
//! What always holds: the called tool has its own policy and nothing of the caller's; the caller hears the output and nothing else; the host
//! holds no more results than calls may run at once.

mod link;
mod source;
mod under_way;

use std::sync::Arc;

use caplet_audit::ErrorKind;
use caplet_policy::{Class, Denied, Guard, Journal, Permitted, ToolOp, ToolsSection};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::admission::MemoryBudget;
use crate::asking::{Asking, permit};
use crate::bindings::tools::invoke::{self, Error};
use crate::counts::{Counted, Counts, Full};
use crate::deadline::Deadline;
use crate::determinism::Repeats;
use crate::error::LimitHit;
use crate::invocation::Invocation;

pub(super) use link::link;
pub use source::{Callable, Calling, FoundTool, ToolSource, Within};
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use under_way::UnderWay;
use under_way::{Ended, Place};

/// What a record says of a name that is permitted and leads nowhere. A guest hears the same of what is hidden from it.
const NOT_FOUND: &str = "no tool of this name can be called here: one has to be in the toolbox, offered to agents and approved, or be \
                         built in; `caplet tools` lists them";

/// Functions that a guest is told of. More than anybody configures.
const MOST_LISTED: usize = 1_000;

/// Bytes of all that a guest is told of functions at once.
const MOST_LISTED_BYTES: usize = 4 << 20;

/// The one way to another tool.
pub(crate) struct ToolsGate {
    guard: Guard<ToolsSection>,
    asking: Option<Arc<Asking>>,
    journal: Arc<Journal>,
    /// None where nothing can be called, or no rule is about it.
    source: Option<Arc<dyn ToolSource>>,
    counts: Arc<Counts>,
    memory: Arc<MemoryBudget>,
    deadline: Deadline,
    arguments: u64,
    output: u64,
    call_depth: u64,
    depth: usize,
    /// In whose name the calls take turns that it makes.
    share: String,
    /// The calls that were begun, if any was.
    running: Option<JoinSet<()>>,
    exceeded: Option<LimitHit>,
}

impl ToolsGate {
    pub(crate) fn new(invocation: &Invocation, counts: &Arc<Counts>, memory: &Arc<MemoryBudget>) -> Self {
        let Invocation { policy, journal, limits, asking, tools, within, .. } = invocation;
        Self {
            guard: policy.guard(journal),
            asking: asking.clone(),
            journal: Arc::clone(journal),
            source: tools.clone().filter(|_| policy.grants_class(Class::Tools)),
            counts: Arc::clone(counts),
            memory: Arc::clone(memory),
            // Set before the guest runs.
            deadline: Deadline::new(Instant::now(), None),
            arguments: limits.arguments,
            output: limits.output,
            call_depth: limits.call_depth,
            depth: within.as_ref().map_or(0, |within| within.depth),
            share: if tools.is_some() { invocation.share() } else { String::new() },
            running: None,
            exceeded: None,
        }
    }

    /// The caller's time is up then.
    pub(crate) fn until(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// The gate of the next call of a session.
    pub(crate) fn renew(&mut self, invocation: &Invocation, counts: &Arc<Counts>) {
        self.counts = Arc::clone(counts);
        self.source = invocation.tools.clone().filter(|_| invocation.policy.grants_class(Class::Tools));
        self.exceeded = None;
    }

    /// Lets go of what belongs to a call that is over.
    pub(crate) fn forget(&mut self) {
        self.source = None;
    }

    /// Ends what the guest began and did not wait for.
    pub(crate) async fn close(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.shutdown().await;
        }
    }

    /// How many calls were begun, those that they made included.
    pub(crate) fn calls(&self) -> u64 {
        self.counts.used(Counted::Calls)
    }

    /// The limit that a call ran into, if one did.
    pub(crate) fn exceeded(&self) -> Option<LimitHit> {
        self.exceeded.clone()
    }

    /// What the policy lets the guest call, or would if somebody said yes.
    fn list(&self) -> Vec<invoke::Callable> {
        let Some(source) = &self.source else { return Vec::new() };
        let functions = source.functions();
        let mut room = MOST_LISTED_BYTES;
        let fits = |callable: &invoke::Callable| {
            let output = callable.output_schema.as_ref().map_or(0, String::len);
            let size = callable.name.len() + callable.description.len() + callable.input_schema.len() + output;
            room.checked_sub(size).map(|rest| room = rest).is_some()
        };
        functions.iter().filter_map(|function| self.told(function)).take(MOST_LISTED).take_while(fits).collect()
    }

    /// A function under the name by which the guest may call it, if there is one.
    fn told(&self, callable: &Callable) -> Option<invoke::Callable> {
        let Callable { tool, function, is_only, description, input_schema, output_schema } = callable;
        let names = is_only.then(|| tool.clone()).into_iter().chain([format!("{tool}.{function}")]);
        let may_call = |name: &String| ToolOp::new(name).is_ok_and(|op| self.guard.would_permit(&op));
        Some(invoke::Callable {
            name: { names }.find(may_call)?,
            description: description.clone(),
            input_schema: input_schema.clone(),
            output_schema: output_schema.clone(),
        })
    }

    /// What the name asks for.
    fn op(&self, name: &str) -> Result<ToolOp, Error> {
        ToolOp::new(name).map_err(|error| {
            let reason = format!("no tool can have this name: {error}");
            self.journal.refuse(Class::Tools.as_str(), &format!("call {name}"), &reason);
            Error::Denied(reason)
        })
    }

    /// What is needed to decide on an op without holding on to the gate: somebody may have to be asked.
    fn deciding(&self) -> (Guard<ToolsSection>, Option<Arc<Asking>>) {
        (self.guard.clone(), self.asking.clone())
    }

    /// Begins the call that was decided on.
    fn begin(
        &mut self,
        permitted: Permitted<ToolOp>,
        arguments: String,
        fuel: Option<u64>,
        repeats: Option<Repeats>,
    ) -> Result<UnderWay, Error> {
        let found = self.source.as_ref().and_then(|source| source.find(&permitted));
        let op = permitted.into_op();
        let name = op.name();
        let found = found.ok_or_else(|| denied(&self.guard.refuse(op, NOT_FOUND)))?;
        if u64::try_from(arguments.len()).is_ok_and(|length| length > self.arguments) {
            let limit = self.arguments;
            return Err(Error::Failed(format!("the arguments are longer than the limit of {limit} bytes")));
        }
        let place = self.place()?;
        let within = Within {
            counts: Arc::clone(&self.counts),
            memory: Arc::clone(&self.memory),
            asking: self.asking.clone(),
            deadline: self.deadline.clone(),
            fuel,
            output: self.output,
            call_depth: self.call_depth.saturating_sub(1),
            depth: self.depth + 1,
            share: self.share.as_str().into(),
            repeats,
        };
        let running = self.running.get_or_insert_default();
        // Those that have ended are forgotten.
        while running.try_join_next().is_some() {}
        let (sender, ended) = oneshot::channel();
        let calling = found.call(arguments, within);
        let task = running.spawn(async move {
            // The guest may not want to know any more.
            let _ = sender.send(Ended::new(&name, calling.await));
        });
        Ok(UnderWay::new(ended, task, place, fuel))
    }

    /// A place for one more call.
    fn place(&mut self) -> Result<Place, Error> {
        if self.call_depth == 0 {
            return Err(
                self.exceed("the tool may call no other: calls are nested as deep as they may be", "call-depth")
            );
        }
        let at_once = |full: Full| format!("{} made more than {} calls at once", full.who(), full.most);
        if let Err(full) = self.counts.take(Counted::CallsAtOnce) {
            return Err(self.exceed(at_once(full), "calls-at-once"));
        }
        let place = Place::taken(&self.counts);
        match self.counts.take(Counted::Calls) {
            Ok(()) => Ok(place),
            Err(full) => Err(self.exceed(format!("{} made more than {} calls", full.who(), full.most), "calls")),
        }
    }

    fn exceed(&mut self, message: impl Into<String>, key: &'static str) -> Error {
        let message = message.into();
        // The first one is what the call ends with.
        self.exceeded.get_or_insert_with(|| LimitHit::new(ErrorKind::Quota, message.clone(), key));
        Error::Limit(message)
    }
}

impl std::fmt::Debug for ToolsGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolsGate").field("guard", &self.guard).field("depth", &self.depth).finish_non_exhaustive()
    }
}

/// What a guest hears of a refusal: what an operator could do about it.
fn denied(denied: &Denied) -> Error {
    let hint = denied.hint();
    let hint = if hint.starts_with("--") { format!("to permit it, the operator can add {hint}") } else { hint };
    Error::Denied(format!("{} is not permitted: {hint}", denied.op()))
}

/// Decides on a call.
async fn decide(
    (guard, asking): (Guard<ToolsSection>, Option<Arc<Asking>>),
    op: ToolOp,
) -> Result<Permitted<ToolOp>, Error> {
    permit(&guard, asking.as_deref(), op).await.map_err(|refused| denied(&refused))
}
