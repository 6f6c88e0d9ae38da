//! What a call would be answered, without running anything: the same layers, the same question.

use caplet_policy::{AnyOp, GuestPath, LayerKind, LayerVerdict, Policy, proof, quote};

use caplet_sandbox::{NO_REQUESTS, NO_SHARED_BUCKETS};

use crate::buckets::BucketRequest;
use crate::caplet::{Caplet, Tool};
use crate::error::Error;
use crate::grant::Grant;
use crate::mount::absolute;
use crate::policy::policy_for;
use crate::stores::Plan;

/// The verdict on one op, layer by layer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explained {
    /// The op, as a record would name it.
    pub op: String,
    /// What each layer says, outermost first.
    pub layers: Vec<ExplainedLayer>,
    /// What would permit the op, where it is denied.
    pub hint: Option<String>,
    /// What else a person should know, such as that nothing is mounted there.
    pub notes: Vec<String>,
}

/// What one layer says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExplainedLayer {
    /// The layer.
    pub layer: LayerKind,
    /// Whether it permits the op.
    pub permits: bool,
    /// Whether it leaves that to a person who is asked.
    pub asks: bool,
    /// The rule that decides.
    pub rule: String,
}

impl Explained {
    /// The first layer that denies, which is the one that a record names.
    #[must_use]
    pub fn denied_by(&self) -> Option<LayerKind> {
        self.layers.iter().find(|layer| !layer.permits && !layer.asks).map(|layer| layer.layer)
    }

    /// The first layer that says to ask, where a yes permits the op.
    #[must_use]
    pub fn asked_by(&self) -> Option<LayerKind> {
        let asks = self.layers.iter().find(|layer| layer.asks).map(|layer| layer.layer);
        asks.filter(|_| self.denied_by().is_none())
    }

    /// Whether every layer permits the op without asking anybody.
    #[must_use]
    pub fn is_permitted(&self) -> bool {
        self.layers.iter().all(|layer| layer.permits)
    }
}

impl Caplet {
    /// What would be decided if `function` of `tool` asked for `op` under `grant`. Nothing is run or recorded.
    ///
    /// # Errors
    ///
    /// When `op` does not parse, or the tool has no such function.
    pub fn explain(&self, tool: &Tool, function: Option<&str>, grant: &Grant, op: &str) -> Result<Explained, Error> {
        let op = parse_op(op, &grant.cwd)?;
        let function = known_function(tool, function)?;
        grant.functions.iter().try_for_each(|cut| cut.must_be_of(tool.component()))?;
        let policy = policy_for(tool, function, grant);
        let plan = Plan::new(grant, self);
        let policy = match &plan {
            Ok(plan) => plan.protect(policy),
            Err(_) => policy,
        };
        let explanation = policy.explain(&op);
        let verdict = |verdict: LayerVerdict| ExplainedLayer {
            layer: verdict.layer,
            permits: verdict.permitted,
            // A deterministic call asks nobody.
            asks: verdict.asks && grant.deterministic.is_none(),
            rule: verdict.rule.unwrap_or_else(|| "everything".to_owned()),
        };
        let mut layers: Vec<_> = explanation.layers.into_iter().map(verdict).collect();
        let mut hint = explanation.hint;
        if let Some(reason) = undetermined(&op, grant) {
            layers.push(ExplainedLayer {
                layer: LayerKind::Host,
                permits: false,
                asks: false,
                rule: "not available here".to_owned(),
            });
            hint = Some(reason.to_owned());
        }
        let mut notes: Vec<String> = note(&op, plan.as_ref()).into_iter().collect();
        notes.extend(dead_rules(&policy));
        Ok(Explained { op: op.to_string(), layers, hint, notes })
    }
}

/// Why `op` is refused to a deterministic call, if `grant` is for such calls and it is.
fn undetermined(op: &AnyOp, grant: &Grant) -> Option<&'static str> {
    grant.deterministic?;
    match op {
        AnyOp::Http(_) => Some(NO_REQUESTS),
        AnyOp::KeyValue(op) => {
            let bucket = grant.buckets.iter().find(|bucket| bucket.name == op.bucket());
            (!bucket.is_some_and(BucketRequest::is_of_call)).then_some(NO_SHARED_BUCKETS)
        }
        _ => None,
    }
}

/// The function that is meant: the one that is named, or the only one.
fn known_function<'a>(tool: &'a Tool, function: Option<&'a str>) -> Result<Option<&'a str>, Error> {
    let functions = || tool.component().tools.iter().map(|tool| tool.function.as_str());
    match function {
        Some(name) if functions().any(|known| known == name) => Ok(Some(name)),
        Some(name) => Err(Error::UnknownFunction {
            tool: tool.name().to_owned(),
            function: name.to_owned(),
            functions: functions().collect::<Vec<_>>().join(", "),
        }),
        None => Ok(functions().next().filter(|_| functions().count() == 1)),
    }
}

/// Grants that can never permit anything. A proof that is given up says nothing, and so does this.
fn dead_rules(policy: &Policy) -> Vec<String> {
    let dead = proof::dead_rules(policy).unwrap_or_default();
    let operators = dead.into_iter().filter(|dead| dead.layer == LayerKind::Operator);
    operators
        .map(|dead| format!("the grant {} permits nothing: other layers or denials take all of it", quote(&dead.rule)))
        .collect()
}

/// Parses `text`; a path is folded, and taken from `cwd` where it is relative, as a tool's own would be.
fn parse_op(text: &str, cwd: &GuestPath) -> Result<AnyOp, Error> {
    let refuse = |reason: String| Error::Grant { asked: format!("the op {text:?}"), reason, hint: None };
    match text.split_once(' ') {
        Some((verb @ ("read" | "write" | "search" | "write-tree"), path)) if !path.is_empty() => {
            let path = absolute(path, cwd).map_err(refuse)?;
            format!("{verb} {path}").parse::<AnyOp>().map_err(|error| refuse(error.to_string()))
        }
        _ => text.parse::<AnyOp>().map_err(|error| refuse(error.to_string())),
    }
}

/// A permitted file still has to be there: says when nothing is mounted where the op leads, or nothing can be.
fn note(op: &AnyOp, plan: Result<&Plan, &Error>) -> Option<String> {
    match (op, plan) {
        (_, Err(error)) => Some(format!("`run` would refuse this grant: {error}")),
        (AnyOp::Filesystem(op), Ok(plan)) if !plan.covers(op.path()) => {
            Some(format!("nothing is mounted at {}, so a tool would find nothing there", op.path()))
        }
        _ => None,
    }
}
