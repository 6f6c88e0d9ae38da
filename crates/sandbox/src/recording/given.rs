//! What a call was given, as text, and an invocation from that.

use std::collections::BTreeMap;
use std::sync::Arc;

use caplet_policy::{GuestPath, Layer, LimitSet, Limits, Policy};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::player::ReplayError;
use crate::invocation::Invocation;

/// What a call was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    pub(super) tool: String,
    function: Option<String>,
    arguments: Value,
    /// The layers, outermost first.
    policy: Vec<String>,
    cwd: Option<String>,
    limits: BTreeMap<String, String>,
    redirects: u8,
    environment: Vec<(String, String)>,
    pub(super) config: Vec<(String, String)>,
    strict_imports: bool,
    /// Whether somebody could be asked.
    pub(super) asks: bool,
    /// Whether there was anything to call.
    pub(super) calls: bool,
}

impl Given {
    pub(super) fn new(invocation: &Invocation) -> Self {
        let text = |layer: &Layer| layer.to_string();
        let limits = invocation.limits.entries().into_iter().map(|(key, value)| (key.to_owned(), value));
        Self {
            tool: invocation.tool.clone(),
            function: invocation.function.clone(),
            arguments: invocation.arguments.clone(),
            policy: invocation.policy.layers().iter().map(text).collect(),
            cwd: invocation.cwd.as_ref().map(ToString::to_string),
            limits: limits.collect(),
            redirects: invocation.redirects,
            environment: invocation.environment.clone(),
            config: invocation.policy.config(),
            strict_imports: invocation.strict_imports,
            asks: invocation.asking.is_some(),
            calls: invocation.tools.is_some(),
        }
    }

    /// The same again, with nothing behind it yet.
    pub(super) fn invocation(&self) -> Result<Invocation, ReplayError> {
        let wrong = |what: &dyn std::fmt::Display| ReplayError::Unusable(what.to_string());
        let mut layers = Vec::new();
        for text in &self.policy {
            layers.push(text.parse::<Layer>().map_err(|error| wrong(&error))?);
        }
        let mut layers = layers.into_iter();
        let ceiling = layers.next().ok_or_else(|| wrong(&"it has no policy"))?;
        let policy = layers.fold(Policy::new(ceiling), |policy, layer| policy.attenuate(layer));
        let mut set = LimitSet::default();
        for (key, value) in &self.limits {
            set.set(key, value).map_err(|error| wrong(&error))?;
        }
        let mut invocation = Invocation::new(&self.tool, policy);
        invocation.function.clone_from(&self.function);
        invocation.arguments = self.arguments.clone();
        invocation.cwd = self.cwd.as_deref().map(GuestPath::parse).transpose().map_err(|error| wrong(&error))?;
        invocation.limits = Limits::default().overridden_by(&set);
        invocation.redirects = self.redirects;
        invocation.environment.clone_from(&self.environment);
        invocation.strict_imports = self.strict_imports;
        invocation.connections = Some(Arc::default());
        Ok(invocation)
    }
}
