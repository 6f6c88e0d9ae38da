//! One function that an agent is offered, and what the functions of a tool have in common.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use caplet_audit::{ErrorInfo, Outcome};
use caplet_component::Contract;
use caplet_policy::{Layer, Policy};
use serde_json::Value;

use crate::annotations::Annotations;
use crate::builtin::BuiltIn;
use crate::callees::{Branch, Nested};
use crate::caplet::{Caplet, Tool};
use crate::context::CallContext;
use crate::described::Authority;
use crate::error::Error;
use crate::grant::Grant;
use crate::granted::Granted;
use crate::lock::Pin;
use crate::names;
use crate::source::Source;
use crate::terms::Terms;
use crate::toolbox::{Configured, Shown, Toolbox};

/// One function of one tool, under its grant.
pub struct Offer {
    shown: Shown,
    pub(crate) shared: Arc<Shared>,
    annotations: OnceLock<Annotations>,
}

/// What the functions of a tool have in common.
pub(crate) struct Shared {
    caplet: Caplet,
    tool: Tool,
    terms: Arc<Terms>,
    toolbox: Toolbox,
    /// Bytes of the longest arguments.
    arguments: u64,
    /// What narrows the tool further.
    narrower: Vec<Layer>,
    /// Made with the first call. A grant that could not be made is tried again.
    granted: Mutex<Option<Arc<Granted>>>,
}

impl Offer {
    /// All functions of a tool that the toolbox does not hide.
    pub(crate) fn all(shared: &Arc<Shared>) -> Result<Vec<Self>, ErrorInfo> {
        let tool = shared.tool.name();
        let component = shared.tool.component();
        let shown = match shared.toolbox.tool(tool) {
            Some(configured) => configured.shown(component).map_err(|error| error.info())?,
            None => Shown::usual(tool, component),
        };
        let mut known = BTreeSet::new();
        let offer = |shown: Shown| {
            let name = &shown.name;
            let reason = names::refusal(name).or_else(|| {
                let is_new = known.insert(names::likeness(name));
                (!is_new).then(|| "and so another of its functions".to_owned())
            });
            match reason {
                Some(reason) => Err(refused(tool, &format!("an agent would see it as {name:?}, {reason}"))),
                None => Ok(Self { shown, shared: Arc::clone(shared), annotations: OnceLock::new() }),
            }
        };
        shown.into_iter().map(offer).collect()
    }

    /// The same function of the same tool, under what `shared` says.
    pub(crate) fn sharing(&self, shared: &Arc<Shared>) -> Self {
        let Self { shown, shared: own, annotations } = self;
        let annotations = if Arc::ptr_eq(own, shared) { annotations.clone() } else { OnceLock::new() };
        Self { shown: shown.clone(), shared: Arc::clone(shared), annotations }
    }

    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        self.shown == other.shown
            && self.input_schema() == other.input_schema()
            && self.output_schema() == other.output_schema()
            && self.annotations() == other.annotations()
    }

    /// What an agent calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shown.name
    }

    /// What people see as its name, if the toolbox says it.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.shown.title.as_deref()
    }

    /// The tool's name in the toolbox.
    #[must_use]
    pub fn tool(&self) -> &str {
        self.shared.tool.name()
    }

    /// The function's name in the tool.
    #[must_use]
    pub fn function(&self) -> &str {
        &self.shown.function
    }

    /// What it is for: what the toolbox says, else its author. Text from a stranger.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.shown.description
    }

    /// JSON Schema of its arguments.
    #[must_use]
    pub fn input_schema(&self) -> &Value {
        self.facts().map_or(&Value::Null, |facts| &facts.input_schema)
    }

    /// JSON Schema of its answer, if it gives one.
    #[must_use]
    pub fn output_schema(&self) -> Option<&Value> {
        self.facts()?.output_schema.as_ref()
    }

    /// Bytes of the longest arguments that it takes.
    #[must_use]
    pub fn longest_arguments(&self) -> u64 {
        self.shared.arguments
    }

    /// What it can do. Found out when it is first asked for: that takes proofs, which for the usual rules are quick.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        *self.annotations.get_or_init(|| match self.shared.grant() {
            Ok(grant) => Annotations::of(&self.policy_under(&grant), &grant),
            // It cannot be called either, and comes back with what it may do then.
            Err(_) => Annotations::of_unknown(),
        })
    }

    /// What it may do, in rules and in words, for the agent that it is offered to.
    ///
    /// # Errors
    ///
    /// When a file with a value of the toolbox cannot be read.
    pub fn authority(&self) -> Result<Authority, Error> {
        let grant = self.shared.grant()?;
        Ok(Authority::of(self.name(), &self.policy_under(&grant), &grant, &self.shared.tool, self.annotations()))
    }

    /// The policy that it is under.
    ///
    /// # Errors
    ///
    /// When a file with a value of the toolbox cannot be read.
    pub fn policy(&self) -> Result<Policy, Error> {
        Ok(self.policy_under(&self.shared.grant()?))
    }

    fn policy_under(&self, grant: &Grant) -> Policy {
        self.shared.caplet.policy(&self.shared.tool, Some(self.function()), grant)
    }

    /// Calls it. Whatever happens is the outcome, and it is on record before it is returned. When `cancel` ends first, or the future is
    /// dropped, the guest stops at once.
    pub async fn call(&self, arguments: Value, context: &CallContext, cancel: impl Future<Output = ()>) -> Outcome {
        let function = Some(self.function());
        match self.shared.granted() {
            Ok(granted) if self.shared.keeps_instance() => self.call_kept(&granted, arguments, context, cancel).await,
            Ok(granted) => granted.call_in(function, arguments, context, cancel).await,
            Err(error) => self.unprepared(error.info()),
        }
    }

    /// Calls it in the instance of the client, if it can have one.
    async fn call_kept(
        &self,
        granted: &Arc<Granted>,
        arguments: Value,
        context: &CallContext,
        cancel: impl Future<Output = ()>,
    ) -> Outcome {
        let function = Some(self.function());
        let Some((instances, data)) = context.instances.as_ref().zip(context.session.as_ref()) else {
            let outcome = granted.call_in(function, arguments, context, cancel).await;
            return noted(
                outcome,
                "There is no session here: this ran in a fresh instance, and nothing of it is kept.",
            );
        };
        let kept = instances.of(&self.shared.caplet.instances, self.tool(), granted, data);
        let Some((session, fresh)) = kept else {
            let outcome = granted.call_in(function, arguments, context, cancel).await;
            let why = "Too many instances are kept on this host: this ran in a fresh one, and nothing of it is kept.";
            return noted(outcome, why);
        };
        let outcome = session.call_in(function, arguments, context, cancel).await;
        match (fresh, session.is_open()) {
            (Some(why), _) => {
                noted(outcome, &format!("This ran in a fresh instance, without what earlier calls left behind: {why}."))
            }
            (None, false) => {
                noted(outcome, "What calls left behind is gone: the next call begins with a fresh instance.")
            }
            (None, true) => outcome,
        }
    }

    /// Calls it for another tool.
    pub(crate) async fn call_nested(&self, arguments: &str, context: &CallContext, nested: Nested) -> Outcome {
        match self.shared.granted() {
            Ok(granted) => granted.call_nested(self.function(), arguments, context, nested).await,
            Err(error) => {
                let refused = Outcome::refused(self.tool(), Some(self.function().to_owned()), error.info());
                self.shared.caplet.keep(refused, |record| nested.branch.mark(record))
            }
        }
    }

    /// Keeps the record of a call for another tool that was given up before it was carried out.
    pub(crate) fn never_began(&self, branch: &Branch) {
        let outcome = Outcome::cancelled(self.tool(), Some(self.function().to_owned()));
        // No one is left to hear that the record could not be kept.
        let _ = self.shared.caplet.keep(outcome, |record| branch.mark(record));
    }

    /// Whether its tool has no other function, offered or not.
    pub(crate) fn is_only(&self) -> bool {
        self.shared.tool.component().tools.len() == 1
    }

    /// The outcome of a call whose grant cannot be made. Why is in the record, for the operator: it names places on the host.
    fn unprepared(&self, why: ErrorInfo) -> Outcome {
        let kind = why.kind;
        let outcome = self.shared.caplet.refuse(self.tool(), Some(self.function()), why);
        let message = "it cannot be prepared as the operator configured it; why is in the operator's audit log";
        Outcome { error: Some(ErrorInfo::new(kind, message)), ..outcome }
    }

    fn facts(&self) -> Option<&caplet_component::Tool> {
        self.shared.tool.component().tools.iter().find(|tool| tool.function == self.function())
    }
}

impl Shared {
    /// The tool that `configured` means, if it may be offered.
    pub(crate) fn find(
        caplet: &Caplet,
        toolbox: &Toolbox,
        terms: &Arc<Terms>,
        configured: &Configured<'_>,
    ) -> Result<Self, ErrorInfo> {
        let name = configured.name();
        let tool = caplet.load(configured.source()).map_err(|error| error.info())?.named(name);
        if let Some(pins) = &terms.pins
            && let Some(refusal) = pins.refusal(configured, &Pin::of(name, tool.component()), &terms.approve_with)
        {
            return Err(refusal);
        }
        if configured.keeps_instance() && tool.component().contract == Contract::Command {
            return Err(Error::Grant {
                asked: format!("session = true of the tool {name}"),
                reason: "it is a command, which runs once and ends".to_owned(),
                hint: Some("leave it out in caplet.toml".to_owned()),
            }
            .info());
        }
        // What is wrong with the grant is told now, and not to the agent that calls it.
        let grant = terms.grant(configured).map_err(|error| error.info())?;
        // Those of a project's file among them, which the tool's own table does not have.
        let cuts = &grant.functions;
        cuts.iter().try_for_each(|cut| cut.must_be_of(tool.component())).map_err(|error| error.info())?;
        let arguments = tool.limits(&grant).arguments;
        let (caplet, toolbox, terms) = (caplet.clone(), toolbox.clone(), Arc::clone(terms));
        Ok(Self { caplet, tool, terms, toolbox, arguments, narrower: Vec::new(), granted: Mutex::default() })
    }

    /// A built-in tool that the toolbox does not have: it is granted nothing.
    pub(crate) fn built_in(
        caplet: &Caplet,
        toolbox: &Toolbox,
        terms: &Arc<Terms>,
        built_in: BuiltIn,
    ) -> Result<Self, ErrorInfo> {
        let tool = caplet.load(&Source::BuiltIn(built_in)).map_err(|error| error.info())?;
        let (caplet, toolbox, terms) = (caplet.clone(), toolbox.clone(), Arc::clone(terms));
        // No client calls it, so none sends its arguments.
        Ok(Self { caplet, tool, terms, toolbox, arguments: 0, narrower: Vec::new(), granted: Mutex::default() })
    }

    /// Whether the calls of one client share an instance.
    fn keeps_instance(&self) -> bool {
        self.toolbox.tool(self.tool.name()).is_some_and(|configured| configured.keeps_instance())
    }

    /// The same tool with more layers over its policy.
    pub(crate) fn narrowed(&self, layers: Vec<Layer>) -> Self {
        let Self { caplet, tool, terms, toolbox, arguments, narrower, granted: _ } = self;
        Self {
            caplet: caplet.clone(),
            tool: tool.clone(),
            terms: Arc::clone(terms),
            toolbox: toolbox.clone(),
            arguments: *arguments,
            narrower: narrower.iter().cloned().chain(layers).collect(),
            granted: Mutex::default(),
        }
    }

    fn grant(&self) -> Result<Grant, Error> {
        let mut grant = match self.toolbox.tool(self.tool.name()) {
            Some(configured) => self.terms.grant(&configured)?,
            None => self.terms.unlisted(&self.toolbox, self.tool.name())?,
        };
        for layer in &self.narrower {
            grant.narrow(layer.clone());
        }
        Ok(grant)
    }

    fn granted(&self) -> Result<Arc<Granted>, Error> {
        let mut known = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(granted) = &*known {
            return Ok(Arc::clone(granted));
        }
        let granted = Arc::new(self.caplet.grant(&self.tool, self.grant()?)?);
        Ok(Arc::clone(known.insert(granted)))
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("name", &self.name()).field("function", &self.function()).finish_non_exhaustive()
    }
}

fn noted(outcome: Outcome, note: &str) -> Outcome {
    Outcome { note: Some(note.to_owned()), ..outcome }
}

/// Why no function of `tool` is offered.
pub(crate) fn refused(tool: &str, reason: &str) -> ErrorInfo {
    let hint = Some("give it another name in caplet.toml".to_owned());
    Error::Grant { asked: format!("the tool {tool}"), reason: reason.to_owned(), hint }.info()
}
