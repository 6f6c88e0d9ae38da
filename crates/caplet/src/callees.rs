//! Calls that tools make: which tools they find, and how the records of such calls hang together.
//!
//! What always holds: a tool that is called runs as it would for an agent: under the grant of its own, in the session of the caller and with
//! the same people asked; what a catalog does not offer is not found; each call has a record that names its caller's.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use caplet_audit::{Outcome, Record, RecordId};
use caplet_policy::{Permitted, ToolOp};
use caplet_sandbox::{Callable, Calling, FoundTool, ToolSource, Within};

use crate::catalog::Catalog;
use crate::context::CallContext;
use crate::offer::Offer;

/// Calls of one call that its record lists. All of them name it, and it says how many there were.
const MOST_LISTED: usize = 1_024;

/// The tools that a call may find. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Callees(Arc<Found>);

/// A catalog, and its functions as guests are told of them.
struct Found {
    catalog: LazyLock<Catalog, Box<dyn FnOnce() -> Catalog + Send>>,
    functions: OnceLock<Arc<[Callable]>>,
}

impl Callees {
    pub(crate) fn of(catalog: Catalog) -> Self {
        Self::made_by(move || catalog)
    }

    pub(crate) fn made_by(make: impl FnOnce() -> Catalog + Send + 'static) -> Self {
        Self(Arc::new(Found { catalog: LazyLock::new(Box::new(make)), functions: OnceLock::new() }))
    }

    /// What `op` names. Where it names no function, the tool has one, whether agents are offered it or not.
    fn find(&self, op: &ToolOp) -> Option<&Arc<Offer>> {
        let is_meant = |offer: &&Arc<Offer>| {
            let is_function = match op.function() {
                Some(function) => offer.function() == function,
                None => offer.is_only(),
            };
            offer.tool() == op.tool() && is_function
        };
        self.0.catalog.offers().find(is_meant)
    }

    fn functions(&self) -> Arc<[Callable]> {
        let callable = |offer: &Arc<Offer>| Callable {
            tool: offer.tool().to_owned(),
            function: offer.function().to_owned(),
            is_only: offer.is_only(),
            description: offer.description().to_owned(),
            input_schema: offer.input_schema().to_string(),
            output_schema: offer.output_schema().map(ToString::to_string),
        };
        Arc::clone(self.0.functions.get_or_init(|| self.0.catalog.offers().map(callable).collect()))
    }
}

impl fmt::Debug for Callees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callees").finish_non_exhaustive()
    }
}

/// The place of a call in the tree of records. Cheap to clone; clones are the same place.
#[derive(Clone, Debug)]
pub(crate) struct Branch(Arc<Ids>);

#[derive(Debug)]
struct Ids {
    id: RecordId,
    caller: Option<RecordId>,
    calls: Mutex<Vec<RecordId>>,
}

impl Branch {
    /// The place of a call that no other one makes.
    pub(crate) fn root() -> Self {
        Self::new(None)
    }

    fn new(caller: Option<RecordId>) -> Self {
        Self(Arc::new(Ids { id: RecordId::generate(), caller, calls: Mutex::default() }))
    }

    /// The place of one more call that this one makes.
    fn below(&self) -> Self {
        let below = Self::new(Some(self.0.id));
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < MOST_LISTED {
            calls.push(below.0.id);
        }
        below
    }

    /// The id of its record.
    pub(crate) fn id(&self) -> String {
        self.0.id.to_string()
    }

    /// Says in `record` where it is.
    pub(crate) fn mark(&self, record: &mut Record) {
        let Ids { id, caller, calls } = &*self.0;
        record.id = id.to_string();
        record.caller = caller.map(|caller| caller.to_string());
        record.calls = calls.lock().unwrap_or_else(PoisonError::into_inner).iter().map(ToString::to_string).collect();
    }
}

/// A call that another one makes.
#[derive(Debug)]
pub(crate) struct Nested {
    /// What is shared of the limits above.
    pub(crate) within: Within,
    pub(crate) branch: Branch,
}

/// The tools that one call finds.
#[derive(Debug)]
pub(crate) struct Nest {
    callees: Callees,
    branch: Branch,
    /// That of the calls to come.
    context: Arc<CallContext>,
}

impl Nest {
    /// What the call of `tool` in `context` finds. It is at `branch`.
    pub(crate) fn new(callees: Callees, branch: Branch, tool: &str, context: CallContext) -> Self {
        let callers = [tool.to_owned()].into_iter().chain(context.callers).collect();
        // Who calls for another one keeps nothing; and what keeps an instance must not be kept by it.
        let context = CallContext { journal: None, instances: None, callers, ..context };
        Self { callees, branch, context: Arc::new(context) }
    }
}

impl ToolSource for Nest {
    fn functions(&self) -> Arc<[Callable]> {
        self.callees.functions()
    }

    fn find(&self, permitted: &Permitted<ToolOp>) -> Option<Arc<dyn FoundTool>> {
        let offer = Arc::clone(self.callees.find(permitted.op())?);
        let (branch, context) = (self.branch.clone(), Arc::clone(&self.context));
        Some(Arc::new(FoundOffer { offer, branch, context }))
    }
}

/// A tool that was found.
#[derive(Debug)]
struct FoundOffer {
    offer: Arc<Offer>,
    /// That of the caller.
    branch: Branch,
    context: Arc<CallContext>,
}

impl FoundTool for FoundOffer {
    fn call(&self, arguments: String, within: Within) -> Calling {
        let mut owed = Owed { offer: Arc::clone(&self.offer), branch: Some(self.branch.below()) };
        let context = Arc::clone(&self.context);
        Box::pin(async move {
            match owed.branch.take() {
                Some(branch) => owed.offer.call_nested(&arguments, &context, Nested { within, branch }).await,
                // It is taken here and nowhere else.
                None => Outcome::cancelled(owed.offer.tool(), Some(owed.offer.function().to_owned())),
            }
        })
    }
}

/// The record of a call that was begun and that nobody has carried out yet. If that does not happen, it says so.
struct Owed {
    offer: Arc<Offer>,
    branch: Option<Branch>,
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some(branch) = self.branch.take() {
            self.offer.never_began(&branch);
        }
    }
}
