//! Where the tools come from that a guest may call. The sandbox knows none but the one that runs.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use caplet_audit::Outcome;
use caplet_policy::{Limits, Permitted, ToolOp};
use tokio::time::Instant;

use crate::admission::MemoryBudget;
use crate::asking::Asking;
use crate::counts::Counts;
use crate::deadline::Deadline;
use crate::determinism::Repeats;

/// What a call has beyond the time of its caller, so that it is the caller whose time is over, and who says so. It ends with it anyway.
const GRACE: Duration = Duration::from_millis(100);

/// The tools that a call may find, each under a policy of its own.
///
/// Which of them it may call is decided before a source is asked, and the token of that decision is what asks it.
pub trait ToolSource: fmt::Debug + Send + Sync {
    /// All functions of all tools, in an order that does not change. What of it the guest is told is the policy's to decide.
    fn functions(&self) -> Arc<[Callable]>;

    /// What `permitted` names, if it is there. Where it names no function, the tool has one.
    fn find(&self, permitted: &Permitted<ToolOp>) -> Option<Arc<dyn FoundTool>>;
}

/// A call that was begun. When it is dropped, the guest stops at once.
pub type Calling = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A function of a tool that was found.
pub trait FoundTool: fmt::Debug + Send + Sync {
    /// Calls it with arguments as JSON text: in a fresh instance, under its own policy, and with [`Invocation::within`] as given, so that
    /// what is shared is shared. The call has begun when this returns, whether its future is ever polled or not.
    ///
    /// [`Invocation::within`]: crate::Invocation::within
    fn call(&self, arguments: String, within: Within) -> Calling;
}

/// A function of a tool.
#[derive(Clone, Debug)]
pub struct Callable {
    /// The tool, by the name that rules know.
    pub tool: String,
    /// The function.
    pub function: String,
    /// Whether the tool has no other.
    pub is_only: bool,
    /// What it does, in words.
    pub description: String,
    /// JSON Schema of its arguments.
    pub input_schema: String,
    /// JSON Schema of its output, where it says one.
    pub output_schema: Option<String>,
}

/// The place of a call below the one that makes it: what of the limits above holds for it too. Made for one call.
#[derive(Debug)]
pub struct Within {
    pub(crate) counts: Arc<Counts>,
    pub(crate) memory: Arc<MemoryBudget>,
    pub(crate) asking: Option<Arc<Asking>>,
    /// The end of the time of the call above.
    pub(super) deadline: Deadline,
    /// What it was given of the fuel above.
    pub(super) fuel: Option<u64>,
    /// The most that the call above may output itself.
    pub(super) output: u64,
    /// How deep below this call others may be.
    pub(super) call_depth: u64,
    /// How many calls are above.
    pub(crate) depth: usize,
    /// In whose name long calls take turns.
    pub(crate) share: Arc<str>,
    /// What a deterministic call gives to those that it makes, which are deterministic too.
    pub(crate) repeats: Option<Repeats>,
}

impl Within {
    /// When the time of the call above is over, and a little later.
    pub(crate) fn ends(&self) -> Instant {
        self.deadline.at() + GRACE
    }

    /// Lowers `limits` to what is left above.
    pub(crate) fn lower(&self, limits: &mut Limits) {
        // How much wall time is left says nothing in a deterministic call, whose end is elsewhere.
        if self.repeats.is_none() {
            let left = self.deadline.at().saturating_duration_since(Instant::now());
            limits.timeout = limits.timeout.min(left.saturating_add(GRACE));
        }
        limits.output = limits.output.min(self.output);
        limits.call_depth = limits.call_depth.min(self.call_depth);
        limits.fuel = match (limits.fuel, self.fuel) {
            (Some(own), Some(given)) => Some(own.min(given)),
            (own, given) => own.or(given),
        };
    }
}
