//! A tool under a grant: what is needed again and again is made once, and each call gets its own journal and its own memory.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::Arc;

use caplet_audit::{ErrorInfo, ErrorKind, Outcome, Record};
use caplet_component::Digest;
use caplet_policy::{Journal, Layer, LayerKind, Limits, Policy};
use caplet_sandbox::Invocation;
use serde_json::Value;

use crate::caplet::{Caplet, Tool};
use crate::error::Error;
use crate::grant::Grant;
use crate::policy::{ceiling_source, policy_digest, policy_for};
use crate::stores::Stores;

/// A tool under a grant, ready to be called any number of times.
#[derive(Debug)]
pub struct Granted {
    caplet: Caplet,
    tool: Tool,
    grant: Grant,
    name: String,
    limits: Limits,
    stores: Stores,
    /// One for the tool as a whole, and one for each function that the manifest narrows.
    policies: BTreeMap<String, Narrowed>,
}

/// What depends on which function is called.
#[derive(Clone, Debug)]
struct Narrowed {
    policy: Policy,
    digest: Digest,
    environment: Vec<(String, String)>,
}

impl Granted {
    pub(crate) fn new(caplet: Caplet, tool: Tool, grant: Grant) -> Result<Self, Error> {
        let location = caplet.sink.as_ref().and_then(|sink| sink.location());
        let stores = Stores::open(&grant, location)?;
        let limits = match &tool.component().manifest {
            Some(manifest) => grant.limits().lowered_by(manifest.limits()),
            None => grant.limits(),
        };
        let functions = tool.component().tools.iter().map(|function| function.function.as_str());
        let narrowed = |function: &str| {
            let policy = stores.protect(policy_for(&tool, Some(function), &grant));
            let environment = environment(&policy, &grant);
            (
                function.to_owned(),
                Narrowed { digest: policy_digest(&tool, Some(function), &grant), policy, environment },
            )
        };
        let policies = functions.map(narrowed).collect();
        Ok(Self { name: tool.name().to_owned(), caplet, tool, grant, limits, stores, policies })
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
        if let Err(error) = self.ready() {
            return Outcome::host(&self.name, function.map(str::to_owned), error.info());
        }
        let text = arguments.to_string();
        let mut open = OpenCall {
            granted: self,
            function: function.map(str::to_owned),
            arguments: Digest::of(text.as_bytes()),
            journal: Arc::new(Journal::new()),
            is_kept: false,
        };
        if u64::try_from(text.len()).is_ok_and(|length| length > self.limits.arguments) {
            return open.end(self.too_long(function));
        }
        drop(text);
        let invocation = self.invocation(function, arguments, &open.journal);
        let outcome = tokio::select! {
            biased;
            outcome = self.tool.prepared.call(invocation) => outcome,
            () = cancel => open.cancelled(),
        };
        open.end(outcome)
    }

    fn ready(&self) -> Result<(), Error> {
        match &self.caplet.sink {
            Some(sink) => Ok(sink.ready()?),
            None => Ok(()),
        }
    }

    fn too_long(&self, function: Option<&str>) -> Outcome {
        let message = format!("the arguments are longer than the limit of {} bytes", self.limits.arguments);
        let error = ErrorInfo::new(ErrorKind::InvalidArgs, message).with_hint("raise it with --limit arguments=SIZE");
        Outcome::refused(&self.name, function.map(str::to_owned), error)
    }

    /// What holds for `function`; for the only one, where it is left out. A function that there is not has no authority either.
    fn narrowed(&self, function: Option<&str>) -> Option<&Narrowed> {
        match function {
            Some(function) => self.policies.get(function),
            None => self.policies.values().next(),
        }
    }

    fn invocation(&self, function: Option<&str>, arguments: Value, journal: &Arc<Journal>) -> Invocation {
        let narrowed = self.narrowed(function);
        let nothing = || Policy::new(Layer::new(LayerKind::Manifest));
        let policy = narrowed.map_or_else(nothing, |narrowed| narrowed.policy.clone());
        let mut invocation = Invocation::new(&self.name, policy);
        invocation.function = function.map(str::to_owned);
        invocation.arguments = arguments;
        invocation.journal = Arc::clone(journal);
        invocation.mounts = self.stores.mounts(&self.limits);
        invocation.cwd = Some(self.grant.cwd.clone());
        invocation.limits = self.limits.clone();
        invocation.environment = narrowed.map(|narrowed| narrowed.environment.clone()).unwrap_or_default();
        invocation.strict_imports = self.grant.strict_imports;
        invocation
    }

    fn complete(&self, record: &mut Record, function: Option<&str>, arguments: &Digest) {
        let component = self.tool.component();
        record.component = Some(component.digest.to_string());
        record.manifest = component.manifest.as_ref().map(|manifest| manifest.digest().to_string());
        record.policy = self.narrowed(function).map(|narrowed| narrowed.digest.to_string());
        record.arguments = Some(arguments.to_string());
        record.ceiling = ceiling_source(&self.tool, &self.grant);
        record.limits = self.limits.entries().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
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
struct OpenCall<'a> {
    granted: &'a Granted,
    function: Option<String>,
    arguments: Digest,
    journal: Arc<Journal>,
    is_kept: bool,
}

impl OpenCall<'_> {
    fn end(&mut self, outcome: Outcome) -> Outcome {
        self.is_kept = true;
        let Self { granted, function, arguments, journal: _, is_kept: _ } = self;
        granted.caplet.keep(outcome, |record| granted.complete(record, function.as_deref(), arguments))
    }

    fn cancelled(&self) -> Outcome {
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
