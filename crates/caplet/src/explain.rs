//! What a call would be answered, without running anything: the same layers, the same question.

use caplet_policy::{AnyOp, Class, GuestPath, LayerKind};

use crate::caplet::{Caplet, Tool};
use crate::error::Error;
use crate::grant::Grant;
use crate::mount::absolute;
use crate::policy::policy_for;
use crate::stores::mount_points;

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
    pub note: Option<String>,
}

/// What one layer says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExplainedLayer {
    /// The layer.
    pub layer: LayerKind,
    /// Whether it permits the op.
    pub permits: bool,
    /// The rule that decides.
    pub rule: String,
}

impl Explained {
    /// The first layer that denies, which is the one that a record names.
    #[must_use]
    pub fn denied_by(&self) -> Option<LayerKind> {
        self.layers.iter().find(|layer| !layer.permits).map(|layer| layer.layer)
    }

    /// Whether every layer permits the op.
    #[must_use]
    pub fn is_permitted(&self) -> bool {
        self.denied_by().is_none()
    }
}

impl Caplet {
    /// What would be decided if `function` of `tool` asked for `op` under `grant`. Nothing is run or recorded.
    ///
    /// # Errors
    ///
    /// When `op` does not parse.
    pub fn explain(&self, tool: &Tool, function: Option<&str>, grant: &Grant, op: &str) -> Result<Explained, Error> {
        let op = parse_op(op, &grant.cwd)?;
        let function = function.or_else(|| match tool.component().tools.as_slice() {
            [only] => Some(only.function.as_str()),
            _ => None,
        });
        let explanation = policy_for(tool, function, grant).explain(&op);
        let mut layers: Vec<_> = explanation
            .layers
            .into_iter()
            .map(|verdict| ExplainedLayer {
                layer: verdict.layer,
                permits: verdict.permitted,
                rule: verdict.rule.unwrap_or_else(|| "everything".to_owned()),
            })
            .collect();
        let mut hint = explanation.hint;
        if let Some(reason) = not_offered(op.class()) {
            layers.push(ExplainedLayer { layer: LayerKind::Host, permits: false, rule: reason.to_owned() });
            hint = hint.or_else(|| Some(reason.to_owned()));
        }
        Ok(Explained { note: note(&op, grant), op: op.to_string(), layers, hint })
    }
}

/// Why this version refuses every op of a class, whatever the rules say.
fn not_offered(class: Class) -> Option<&'static str> {
    match class {
        Class::Http => Some("this version of caplet has no network"),
        Class::KeyValue => Some("this version of caplet has no key-value store"),
        Class::Secrets => Some("this version of caplet has no secrets"),
        Class::Tools => Some("this version of caplet has no calls between tools"),
        _ => None,
    }
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

/// A permitted file still has to be there: says when nothing is mounted where the op leads.
fn note(op: &AnyOp, grant: &Grant) -> Option<String> {
    let AnyOp::Filesystem(op) = op else { return None };
    match mount_points(grant) {
        Ok(points) if points.iter().any(|point| op.path().starts_with(point)) => None,
        Ok(_) => Some(format!("nothing is mounted at {}, so a tool would find nothing there", op.path())),
        Err(error) => Some(format!("`run` would refuse this grant: {error}")),
    }
}
