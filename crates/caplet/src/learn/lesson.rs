//! Calls that are learnt from.

use std::future::Future;

use caplet_audit::Outcome;
use serde_json::Value;

use super::{Bounds, Evidence, Proposal, Style, propose};
use crate::caplet::{Caplet, Tool};
use crate::context::CallContext;
use crate::error::Error;
use crate::grant::Grant;
use crate::granted::Granted;

/// Calls of one tool from which the smallest grant for it is learnt. See [`Caplet::learn`].
#[derive(Debug)]
pub struct Lessons {
    granted: Granted,
    evidence: Evidence,
    bounds: Bounds,
}

impl Caplet {
    /// Makes calls of `function` of `tool`, to learn what they need.
    ///
    /// Files are open to the tool up to its ceiling, where `grant` mounts them, and in the current directory: no rule is needed. What it
    /// changes there is kept in memory, seen by the next call, and gone in the end; so is what it puts into buckets, which are empty at
    /// first. Everything else is as granted: requests go out, and other tools are called, only if and as rules of `grant` say.
    ///
    /// # Errors
    ///
    /// As for [`Caplet::grant`]; and when the current directory is the root and not mounted, or a mount is a database, which nothing can
    /// be kept aside of.
    pub fn learn(&self, tool: &Tool, function: Option<&str>, grant: Grant) -> Result<Lessons, Error> {
        let rules = grant.rules.clone();
        let grant = grant.learning()?;
        let roots = grant.named();
        let granted = self.grant(tool, grant)?;
        let bounds = Bounds::new(granted.policy(function), roots).keeping_variables_of(&rules);
        let bounds = bounds.limits(granted.limits().clone());
        Ok(Lessons { granted, evidence: Evidence::new(), bounds })
    }

    /// What a proposal for `tool` under `grant` may not go beyond, for calls that were not made to learn from them.
    #[must_use]
    pub fn bounds(&self, tool: &Tool, grant: &Grant) -> Bounds {
        let bounds = Bounds::new(self.policy(tool, None, grant), grant.named());
        bounds.keeping_variables_of(&grant.rules).limits(tool.limits(grant))
    }
}

impl Lessons {
    /// The tool under the grant of these calls.
    #[must_use]
    pub fn granted(&self) -> &Granted {
        &self.granted
    }

    /// Makes a call as [`Granted::call_in`] does, and keeps what it asked for.
    pub async fn call_in(
        &mut self,
        function: Option<&str>,
        arguments: Value,
        context: &CallContext,
        cancel: impl Future<Output = ()>,
    ) -> Outcome {
        let outcome = self.granted.call_in(function, arguments, context, cancel).await;
        self.evidence.add(&outcome.decisions);
        self.evidence.add_usage(&outcome.usage);
        outcome
    }

    /// The directories in which the tool may read, and write aside, up to its ceiling; and those that rules name.
    #[must_use]
    pub fn directories(&self) -> Vec<String> {
        self.bounds.roots.iter().map(ToString::to_string).collect()
    }

    /// What the calls asked for so far.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The smallest grant for the calls so far.
    #[must_use]
    pub fn proposal(&self, style: Style) -> Proposal {
        propose(&self.evidence, &self.bounds, style)
    }
}
