//! What changed since a tool was approved: authority first, then what an agent sees.

use std::collections::BTreeSet;
use std::time::Duration;

use caplet_audit::text::is_hidden;
use caplet_component::Manifest;
use similar::{Algorithm, TextDiff};

use super::pin::{Pin, PinnedFunction};
use crate::difference::{Difference, difference};

/// How long is spent on making a difference short. What is shown after it is longer, and as right.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is shown around a line that changed, in lines.
const CONTEXT: usize = 2;

/// What changed of a tool.
#[derive(Debug)]
#[non_exhaustive]
pub struct Change {
    /// The digests of the component, where it is another: the one that was approved, and the one that is there.
    pub digest: Option<(String, String)>,
    /// Authority that it did not have, by proof.
    pub wider: Difference,
    /// Authority that it no longer asks for, by proof.
    pub narrower: Difference,
    /// The manifest's lines that changed, as a unified difference.
    pub manifest: Option<String>,
    /// Functions that changed, by what an agent calls them.
    pub functions: Vec<FunctionChange>,
}

/// What changed of a function.
#[derive(Debug)]
#[non_exhaustive]
pub struct FunctionChange {
    /// What an agent calls it.
    pub name: String,
    /// Whether it is new, gone or another.
    pub kind: Kind,
    /// The name in the component, where it is another: the one that was approved, and the one that is there.
    pub function: Option<(String, String)>,
    /// The lines of its description that changed, as a unified difference. Text from a stranger.
    pub description: Option<String>,
    /// The same for the schema of its arguments.
    pub input: Option<String>,
    /// The same for the schema of its answer.
    pub output: Option<String>,
    /// Characters of the new texts that cannot be seen, or that reorder what a person reads.
    pub unseen: Vec<char>,
}

/// How a function changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It was not there.
    New,
    /// It is no longer there.
    Gone,
    /// Something of it is another.
    Changed,
}

impl Change {
    /// What changed from what was approved, if anything was, to what is `now`.
    #[must_use]
    pub fn between(approved: Option<&Pin>, now: &Pin) -> Option<Self> {
        if approved == Some(now) {
            return None;
        }
        let text = |pin: &Pin| pin.manifest.clone().unwrap_or_default();
        let (old, problem) = approved.map_or((None, None), manifest);
        let (new, _) = manifest(now);
        let mut wider = difference(old.as_ref(), new.as_ref());
        wider.unproven.extend(problem);
        Some(Self {
            digest: approved.filter(|old| old.digest != now.digest).map(|old| (old.digest.clone(), now.digest.clone())),
            wider,
            narrower: difference(new.as_ref(), old.as_ref()),
            manifest: lines(&approved.map(text).unwrap_or_default(), &text(now)),
            functions: functions(approved, now),
        })
    }

    /// Whether the tool asks for more than was approved, or may do so.
    #[must_use]
    pub fn asks_for_more(&self) -> bool {
        !self.wider.is_empty()
    }

    /// Whether an agent sees the same as before, and the tool may do the same: nothing but the code is another.
    #[must_use]
    pub fn is_code_alone(&self) -> bool {
        self.manifest.is_none() && self.functions.is_empty()
    }
}

/// What a pin says that the author declared; or why that is not known.
fn manifest(pin: &Pin) -> (Option<Manifest>, Option<String>) {
    match pin.manifest.as_deref().map(Manifest::parse).transpose() {
        Ok(manifest) => (manifest, None),
        Err(error) => (None, Some(format!("this Caplet does not understand the manifest that was approved: {error}"))),
    }
}

fn functions(approved: Option<&Pin>, now: &Pin) -> Vec<FunctionChange> {
    let of = |pin: Option<&Pin>, name: &str| pin.and_then(|pin| pin.functions.get(name)).cloned();
    let names: BTreeSet<&String> =
        approved.into_iter().flat_map(|pin| pin.functions.keys()).chain(now.functions.keys()).collect();
    let change = |name: &&String| FunctionChange::between(name, of(approved, name), of(Some(now), name));
    names.iter().filter_map(change).collect()
}

impl FunctionChange {
    fn between(name: &str, old: Option<PinnedFunction>, new: Option<PinnedFunction>) -> Option<Self> {
        if old == new {
            return None;
        }
        let kind = match (&old, &new) {
            (None, _) => Kind::New,
            (_, None) => Kind::Gone,
            _ => Kind::Changed,
        };
        let function = match (&old, &new) {
            (Some(old), Some(new)) if old.function != new.function => {
                Some((old.function.clone(), new.function.clone()))
            }
            _ => None,
        };
        let part = |of: fn(&PinnedFunction) -> &str| {
            let text =
                |side: &Option<PinnedFunction>| side.as_ref().map(|side| of(side).to_owned()).unwrap_or_default();
            lines(&text(&old), &text(&new))
        };
        Some(Self {
            name: name.to_owned(),
            kind,
            function,
            description: part(|side| &side.description),
            input: part(|side| &side.input),
            output: part(|side| side.output.as_deref().unwrap_or_default()),
            unseen: new.as_ref().map(unseen).unwrap_or_default(),
        })
    }
}

/// The characters of a function's texts that a person does not see as what they are. In a schema they are escapes.
fn unseen(function: &PinnedFunction) -> Vec<char> {
    let found = function.description.chars().filter(|c| is_hidden(*c) && !matches!(c, '\n' | '\t'));
    let mut found: BTreeSet<char> = found.collect();
    for schema in [Some(&function.input), function.output.as_ref()].into_iter().flatten() {
        let value: serde_json::Value = serde_json::from_str(schema).unwrap_or_default();
        found.extend(value.to_string().chars().filter(|c| is_hidden(*c)));
    }
    found.into_iter().collect()
}

/// The lines in which `old` and `new` differ, as a unified difference without a header; nothing if there are none.
fn lines(old: &str, new: &str) -> Option<String> {
    if old == new {
        return None;
    }
    let diff = TextDiff::configure().algorithm(Algorithm::Patience).timeout(PATIENCE).diff_lines(old, new);
    Some(diff.unified_diff().context_radius(CONTEXT).missing_newline_hint(false).to_string())
}
