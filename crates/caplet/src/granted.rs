//! A tool under a grant: what is needed again and again is made once, and each call gets its own journal and its own memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, pending};
use std::sync::Arc;

use caplet_audit::recording::Recordings;
use caplet_audit::{ErrorInfo, ErrorKind, Outcome, Record, TraceParent, Who};
use caplet_component::Digest;
use caplet_policy::{Journal, Limits, Policy};
use caplet_sandbox::{Asking, Connections, Invocation, Prepared, Respond, SessionLimits, ToolSource};
use serde_json::Value;

use crate::approval::{Answers, Desk};
use crate::arguments::parse_arguments;
use crate::buckets::{Buckets, CallData};
use crate::callees::{Branch, Nest, Nested};
use crate::caplet::{Caplet, Tool};
use crate::context::CallContext;
use crate::error::Error;
use crate::grant::{Ceiling, Grant};
use crate::policy::{ceiling_source, policy_digest, policy_for};
use crate::recorded::{self, Recorded};
use crate::session::Session;
use crate::session_data::SessionData;
use crate::stores::{Plan, Stores};

/// The name of the file in the state folder with the buckets for which nothing else was said.
const KEY_VALUE_FILE: &str = "keyvalue.sqlite";

/// What the import of a tool that calls others starts with.
const CALLS: &str = "caplet:tools/";

/// A tool under a grant, ready to be called any number of times.
#[derive(Debug)]
pub struct Granted {
    caplet: Caplet,
    tool: Tool,
    grant: Grant,
    name: String,
    limits: Limits,
    stores: Stores,
    buckets: Arc<Buckets>,
    /// Where calls are recorded, if they are.
    recordings: Option<Recordings>,
    facts: RecordFacts,
    idle: Vec<String>,
    /// One for the tool as a whole, and one for each function that the manifest narrows.
    policies: BTreeMap<String, Narrowed>,
    /// What was allowed for always since the policies were made.
    always: Arc<Answers>,
    /// Whether it has a way to call other tools.
    calls: bool,
}

/// What every record of this tool says, made once.
#[derive(Debug)]
struct RecordFacts {
    component: Arc<str>,
    manifest: Option<Arc<str>>,
    limits: Arc<BTreeMap<String, String>>,
}

impl RecordFacts {
    fn new(tool: &Tool, limits: &Limits) -> Self {
        let manifest = tool.component().manifest.as_ref();
        Self {
            component: tool.component().digest.to_string().into(),
            manifest: manifest.map(|manifest| manifest.digest().to_string().into()),
            limits: Arc::new(limits.entries().into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        }
    }
}

/// What depends on which function is called.
#[derive(Clone)]
struct Narrowed {
    policy: Policy,
    digest: Arc<str>,
    environment: Vec<(String, String)>,
    connections: Arc<Connections>,
}

impl fmt::Debug for Narrowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of variables may be secrets.
        let Self { policy, digest, environment, connections: _ } = self;
        let names: Vec<&str> = environment.iter().map(|(name, _)| name.as_str()).collect();
        let mut shown = f.debug_struct("Narrowed");
        shown.field("policy", policy).field("digest", digest).field("environment", &names).finish_non_exhaustive()
    }
}

impl Granted {
    pub(crate) fn new(caplet: Caplet, tool: Tool, grant: Grant) -> Result<Self, Error> {
        grant.functions.iter().try_for_each(|cut| cut.must_be_of(tool.component()))?;
        let plan = Plan::new(&grant, &caplet)?;
        let idle = plan.idle.clone();
        let limits = tool.limits(&grant);
        let functions = tool.component().tools.iter().map(|function| function.function.as_str());
        let narrowed = |function: &str| {
            let policy = plan.protect(policy_for(&tool, Some(function), &grant));
            policy.compile().map_err(|error| Error::Grant {
                asked: "the rules".to_owned(),
                reason: error.to_string(),
                hint: Some("write fewer rules, or wider ones".to_owned()),
            })?;
            let environment = environment(&policy, &grant);
            let digest = policy_digest(&tool, Some(function), &grant).to_string().into();
            let connections = Arc::default();
            Ok((function.to_owned(), Narrowed { policy, digest, environment, connections }))
        };
        let policies = functions.map(narrowed).collect::<Result<_, Error>>()?;
        let stores = match grant.is_disposable {
            true => plan.open_aside()?,
            false => plan.open(&caplet.stores, caplet.state.as_deref())?,
        };
        let usual = caplet.state.as_ref().map(|state| state.join(KEY_VALUE_FILE));
        let buckets = Arc::new(Buckets::new(&grant.buckets, usual, &caplet.buckets)?);
        let recordings = recorded::recordings(&grant, &caplet)?;
        let facts = RecordFacts::new(&tool, &limits);
        let calls = tool.component().imports.iter().any(|import| import.name.starts_with(CALLS));
        Ok(Self {
            name: tool.name().to_owned(),
            caplet,
            tool,
            grant,
            limits,
            stores,
            buckets,
            recordings,
            facts,
            idle,
            policies,
            always: Arc::default(),
            calls,
        })
    }

    /// The same under another name, by which outcomes and records will call the tool.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The limits that hold for each call.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Rules on files that have nothing behind them: under no mount, and without a directory on the host.
    #[must_use]
    pub fn idle_rules(&self) -> &[String] {
        &self.idle
    }

    /// Compiles and loads the tool, so that the first call need not wait for it.
    ///
    /// # Errors
    ///
    /// What calls would end with: it cannot be compiled within its limit, say.
    pub async fn warm(&self) -> Result<(), ErrorInfo> {
        match self.grant.deterministic {
            Some(_) => self.tool.prepared.warm_deterministic(&self.limits).await,
            None => self.tool.prepared.warm(&self.limits).await,
        }
    }

    /// Calls `function` with `arguments`; it may be left out where there is one. Whatever happens is the outcome, and it is on
    /// record before it is returned.
    ///
    /// Must be called inside a tokio runtime with its timer enabled. When the future is dropped, the guest stops at once and the
    /// record says that the call was cancelled.
    pub async fn call(&self, function: Option<&str>, arguments: Value) -> Outcome {
        self.call_until(function, arguments, pending()).await
    }

    /// As [`Granted::call`], but when `cancel` ends first, the guest stops at once and the outcome says so.
    pub async fn call_until(
        &self,
        function: Option<&str>,
        arguments: Value,
        cancel: impl Future<Output = ()>,
    ) -> Outcome {
        self.call_in(function, arguments, &CallContext::new(), cancel).await
    }

    /// As [`Granted::call_until`], with what `context` says.
    pub async fn call_in(
        &self,
        function: Option<&str>,
        arguments: Value,
        context: &CallContext,
        cancel: impl Future<Output = ()>,
    ) -> Outcome {
        self.call_as(function, arguments, context, None, cancel).await
    }

    /// As [`Granted::call_in`], for a call that another one makes.
    pub(crate) async fn call_nested(
        &self,
        function: &str,
        arguments: &str,
        context: &CallContext,
        nested: Nested,
    ) -> Outcome {
        match parse_arguments(arguments) {
            Ok(arguments) => self.call_as(Some(function), arguments, context, Some(nested), pending()).await,
            Err(error) => {
                let journal = Arc::default();
                let mut open = OpenCall::new(self, Some(function), Digest::of(arguments.as_bytes()), journal);
                open.who = context.who.clone();
                open.text = self.kept_arguments(arguments);
                open.branch = Some(nested.branch);
                open.end(Outcome::refused(&self.name, Some(function.to_owned()), error.info()))
            }
        }
    }

    async fn call_as(
        &self,
        function: Option<&str>,
        arguments: Value,
        context: &CallContext,
        nested: Option<Nested>,
        cancel: impl Future<Output = ()>,
    ) -> Outcome {
        if let Err(outcome) = self.ready(function) {
            return *outcome;
        }
        let text = arguments.to_string();
        let journal = context.journal.clone().unwrap_or_default();
        let mut open = OpenCall::new(self, function, Digest::of(text.as_bytes()), journal);
        open.trace = context.trace.clone();
        open.who = context.who.clone();
        open.text = self.kept_arguments(&text);
        open.branch = nested.as_ref().map(|nested| nested.branch.clone());
        if let Some(error) = self.refusal(function, text.len()) {
            return open.end(Outcome::refused(&self.name, function.map(str::to_owned), error));
        }
        drop(text);
        let mut context = Cow::Borrowed(context);
        let nest = self.nest(&mut context, &mut open.branch);
        let mut invocation = self.invocation(function, arguments, &open.journal, &context);
        invocation.tools = nest;
        invocation.within = nested.map(|nested| nested.within);
        let recorded = match self.begin_recording(&mut invocation) {
            Ok(recorded) => recorded,
            Err(error) => return open.end(Outcome::host(&self.name, function.map(str::to_owned), error.info())),
        };
        let mut outcome = tokio::select! {
            biased;
            outcome = self.tool.prepared.call(invocation) => outcome,
            () = cancel => open.cancelled(),
        };
        if let Some(recorded) = recorded {
            let id = open.branch.get_or_insert_with(Branch::root).id();
            // Boxed, as everything rare here is.
            open.recording = Box::pin(recorded.keep(id, &mut outcome)).await;
        }
        open.end(outcome)
    }

    fn begin_recording(&self, invocation: &mut Invocation) -> Result<Option<Recorded>, Error> {
        let recordings = self.recordings.as_ref();
        recordings.map(|recordings| Recorded::begin(recordings, &self.tool, &self.grant, invocation)).transpose()
    }

    /// What the tool finds to call, if it can call anything: in a session with those that it calls.
    pub(crate) fn nest(
        &self,
        context: &mut Cow<'_, CallContext>,
        branch: &mut Option<Branch>,
    ) -> Option<Arc<dyn ToolSource>> {
        let callees = context.tools.clone().filter(|_| self.calls)?;
        let session = context.session.clone().or_else(|| self.grant.session.clone());
        let session = session.unwrap_or_else(|| Arc::new(SessionData::new(self.limits.file_writes)));
        context.to_mut().session = Some(session);
        let branch = branch.get_or_insert_with(Branch::root).clone();
        Some(Arc::new(Nest::new(callees, branch, &self.name, context.clone().into_owned())))
    }

    /// A row of calls that share one instance, instead of a fresh one for each.
    ///
    /// All functions of the tool share the instance, so what the manifest or the grant takes from one of them is taken from all.
    #[must_use]
    pub fn session(self: &Arc<Self>, limits: SessionLimits) -> Session {
        self.session_in(limits, &CallContext::new())
    }

    /// As [`Granted::session`], with what `context` says of its calls: who is asked where a rule says so, among others.
    #[must_use]
    pub fn session_in(self: &Arc<Self>, limits: SessionLimits, context: &CallContext) -> Session {
        let own = || Arc::new(SessionData::new(self.limits.file_writes));
        let data = self.session_data(context).cloned().unwrap_or_else(own);
        Session::new(Arc::clone(self), limits, data, context.clone())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn prepared(&self) -> &Prepared {
        &self.tool.prepared
    }

    /// The outcome of a call whose record could not be kept.
    pub(crate) fn ready(&self, function: Option<&str>) -> Result<(), Box<Outcome>> {
        let strict = self.caplet.sink.as_ref().filter(|sink| !sink.is_best_effort());
        let ready = strict.map_or(Ok(()), |sink| sink.ready());
        ready.map_err(|error| {
            Box::new(Outcome::host(&self.name, function.map(str::to_owned), Error::from(error).info()))
        })
    }

    /// What every call of a session has in common.
    pub(crate) fn session_invocation(&self, journal: &Arc<Journal>, data: &Arc<SessionData>) -> Invocation {
        let context = CallContext::new().session(Arc::clone(data));
        let mut invocation = self.invocation(None, Value::Null, journal, &context);
        // Its policy is no function's, so its connections are nobody else's.
        invocation.connections = None;
        let manifest = self.tool.component().manifest.as_ref().filter(|_| self.grant.ceiling == Ceiling::Manifest);
        let functions = self.tool.component().tools.iter().map(|tool| tool.function.as_str());
        for narrowing in functions.filter_map(|function| manifest?.narrowing(function)) {
            invocation.policy = invocation.policy.attenuate(narrowing);
        }
        for narrowing in self.grant.functions.iter().filter_map(|cut| cut.layer.as_ref()) {
            invocation.policy = invocation.policy.attenuate(narrowing.clone());
        }
        invocation
    }

    /// Why a call is refused before the sandbox hears of it.
    pub(crate) fn refusal(&self, function: Option<&str>, arguments: usize) -> Option<ErrorInfo> {
        if let Some(function) = function.filter(|function| !self.policies.contains_key(*function)) {
            let error = Error::UnknownFunction {
                tool: self.name.clone(),
                function: function.to_owned(),
                functions: self.policies.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
            };
            return Some(error.info());
        }
        let limit = self.limits.arguments;
        u64::try_from(arguments).is_ok_and(|length| length > limit).then(|| {
            let message = format!("the arguments are longer than the limit of {limit} bytes");
            ErrorInfo::new(ErrorKind::InvalidArgs, message).with_hint("raise it with --limit arguments=SIZE")
        })
    }

    /// What holds for `function`; for the only one, where it is left out. A function that there is not has no authority either.
    fn narrowed(&self, function: Option<&str>) -> Option<&Narrowed> {
        match function {
            Some(function) => self.policies.get(function),
            None => self.policies.values().next(),
        }
    }

    /// The policy of calls of `function`; of the only one, where it is left out.
    pub(crate) fn policy(&self, function: Option<&str>) -> Policy {
        self.narrowed(function).map_or_else(Policy::nothing, |narrowed| narrowed.policy.clone())
    }

    fn invocation(
        &self,
        function: Option<&str>,
        arguments: Value,
        journal: &Arc<Journal>,
        context: &CallContext,
    ) -> Invocation {
        let narrowed = self.narrowed(function);
        let mut invocation = Invocation::new(&self.name, self.policy(function));
        invocation.function = function.map(str::to_owned);
        invocation.arguments = arguments;
        invocation.journal = Arc::clone(journal);
        let desk = self.desk(function, context, self.answers(context));
        invocation.asking = desk.map(|desk| Arc::new(Asking::new(desk)));
        let session = self.session_data(context).cloned();
        let data = CallData::new(&self.buckets, session, self.limits.file_writes);
        invocation.mounts = self.stores.mounts(&self.limits, &data);
        invocation.buckets = Some(data);
        invocation.cwd = Some(self.grant.cwd.clone());
        invocation.limits = self.limits.clone();
        invocation.connections = narrowed.map(|narrowed| Arc::clone(&narrowed.connections));
        invocation.secrets = self.caplet.secrets.clone();
        invocation.redirects = self.redirects(function);
        invocation.environment = narrowed.map(|narrowed| narrowed.environment.clone()).unwrap_or_default();
        invocation.strict_imports = self.grant.strict_imports;
        invocation.deterministic = self.grant.deterministic;
        invocation
    }

    fn session_data<'a>(&'a self, context: &'a CallContext) -> Option<&'a Arc<SessionData>> {
        context.session.as_ref().or(self.grant.session.as_ref())
    }

    /// What was answered for the session that `context` says; for a session of its own, nothing yet.
    pub(crate) fn answers(&self, context: &CallContext) -> Arc<Answers> {
        self.session_data(context).map(|session| Arc::clone(&session.answers)).unwrap_or_default()
    }

    /// Who is asked during a call, and what is known of it.
    pub(crate) fn desk(
        &self,
        function: Option<&str>,
        context: &CallContext,
        answers: Arc<Answers>,
    ) -> Option<Arc<dyn Respond>> {
        let approver = Arc::clone(context.approver.as_ref()?);
        let only = || self.policies.keys().next().filter(|_| self.policies.len() == 1).map(String::as_str);
        Some(Arc::new(Desk {
            approver,
            patience: context.patience,
            tool: self.name.as_str().into(),
            component: Arc::clone(&self.facts.component),
            function: function.or_else(only).map(Into::into),
            callers: context.callers.clone(),
            client: context.client.clone(),
            session: context.session_name.clone(),
            home: self.grant.home.clone(),
            answers,
            always: Arc::clone(&self.always),
            open: self.caplet.questions.clone(),
        }))
    }

    /// How many redirects the author asks the host to follow.
    fn redirects(&self, function: Option<&str>) -> u8 {
        let manifest = self.tool.component().manifest.as_ref();
        let only = || self.policies.keys().next().map(String::as_str);
        let asked =
            manifest.zip(function.or_else(only)).and_then(|(manifest, function)| manifest.redirects_of(function));
        asked.unwrap_or(0)
    }

    /// The arguments for the record, where they are to be in it.
    pub(crate) fn kept_arguments(&self, text: &str) -> Option<String> {
        self.caplet.keeps_arguments.then(|| text.to_owned())
    }

    fn complete(&self, record: &mut Record, function: Option<&str>, arguments: &Digest) {
        record.component = Some(Arc::clone(&self.facts.component));
        record.manifest = self.facts.manifest.clone();
        record.policy = self.narrowed(function).map(|narrowed| Arc::clone(&narrowed.digest));
        record.arguments = Some(arguments.to_string());
        record.ceiling = ceiling_source(&self.tool, &self.grant);
        record.limits = Arc::clone(&self.facts.limits);
    }
}

/// The variables that a policy grants, with their values.
fn environment(policy: &Policy, grant: &Grant) -> Vec<(String, String)> {
    policy
        .environment()
        .into_iter()
        .filter_map(|(name, value)| {
            let value = value.or_else(|| (grant.environment)(&name))?;
            Some((name, value))
        })
        .collect()
}

/// A call that has begun and owes a record. If it is dropped before its end, it leaves one that says so.
pub(crate) struct OpenCall<'a> {
    granted: &'a Granted,
    function: Option<String>,
    arguments: Digest,
    pub(crate) journal: Arc<Journal>,
    pub(crate) trace: Option<TraceParent>,
    pub(crate) who: Who,
    /// The arguments, where they are to be on record.
    pub(crate) text: Option<String>,
    /// Where it makes calls, or was made by one.
    pub(crate) branch: Option<Branch>,
    /// The digest of its recording.
    recording: Option<String>,
    is_kept: bool,
}

impl<'a> OpenCall<'a> {
    pub(crate) fn new(granted: &'a Granted, function: Option<&str>, arguments: Digest, journal: Arc<Journal>) -> Self {
        let (trace, text, branch, recording, is_kept) = (None, None, None, None, false);
        let (function, who) = (function.map(str::to_owned), Who::default());
        Self { granted, function, arguments, journal, trace, who, text, branch, recording, is_kept }
    }

    pub(crate) fn end(&mut self, outcome: Outcome) -> Outcome {
        self.is_kept = true;
        let Self { granted, function, arguments, journal: _, trace, who, text, branch, recording, is_kept: _ } = self;
        granted.caplet.keep(outcome, |record| {
            granted.complete(record, function.as_deref(), arguments);
            record.trace = trace.take();
            record.called_by(std::mem::take(who));
            text.iter().for_each(|text| record.keep_arguments(text));
            record.recording = recording.take();
            branch.iter().for_each(|branch| branch.mark(record));
        })
    }

    pub(crate) fn cancelled(&self) -> Outcome {
        Outcome { decisions: self.journal.summary(), ..Outcome::cancelled(&self.granted.name, self.function.clone()) }
    }
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // No one is left to hear that the record could not be kept.
            let _ = self.end(self.cancelled());
        }
    }
}
