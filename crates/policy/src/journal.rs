//! The journal: every decision of a call, with like ones counted together.
//!
//! What always holds: each check adds exactly one to `permitted`, to the count of one denied entry, or to `overflow`; what a guest
//! does cannot make a journal grow without bound; texts are made when a summary is asked for, not when a decision is made.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use crate::any_op::AnyOp;
use crate::ask::Asker;
use crate::class::Class;
use crate::guard::{Decision, Denied};
use crate::policy::Policy;
use crate::text::shortened;

/// Distinct decisions of each verdict that are kept; more are only counted. Beyond it, no person reads on.
const MOST_ENTRIES: usize = 1024;
/// Bytes of a text that comes from a guest without a limit of its own.
const MOST_TEXT: usize = 1024;

/// All decisions of one call. Shared by its guards.
#[derive(Debug, Default)]
pub struct Journal {
    entries: Mutex<Entries>,
    asker: OnceLock<Arc<dyn Asker>>,
}

#[derive(Debug, Default)]
struct Entries {
    /// How many decisions of each class there were, in the order of [`Class::ALL`].
    ops: [u64; Class::ALL.len()],
    /// With how it was answered, where somebody was asked.
    permitted: Counted<(AnyOp, Decision, Option<Arc<str>>), Policy>,
    denied: Counted<DeniedKey, Option<Denied>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum DeniedKey {
    Op(AnyOp, Option<Decision>, Option<Arc<str>>),
    /// Something that is no op of any class.
    Text {
        capability: String,
        op: String,
        hint: String,
    },
}

/// Distinct keys in the order in which they came, with how often.
#[derive(Debug)]
struct Counted<K, V> {
    numbers: HashMap<K, usize>,
    counts: Vec<u64>,
    values: Vec<V>,
    total: u64,
    overflow: u64,
}

impl<K, V> Default for Counted<K, V> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), counts: Vec::new(), values: Vec::new(), total: 0, overflow: 0 }
    }
}

impl<K: Eq + Hash, V> Counted<K, V> {
    fn add(&mut self, key: K, value: impl FnOnce() -> V) {
        self.total = self.total.saturating_add(1);
        let is_full = self.counts.len() >= MOST_ENTRIES;
        match self.numbers.entry(key) {
            Entry::Occupied(known) => {
                if let Some(count) = self.counts.get_mut(*known.get()) {
                    *count = count.saturating_add(1);
                }
            }
            Entry::Vacant(_) if is_full => self.overflow = self.overflow.saturating_add(1),
            Entry::Vacant(free) => {
                free.insert(self.counts.len());
                self.counts.push(1);
                self.values.push(value());
            }
        }
    }

    /// All keys in the order in which they came, with their values and counts.
    fn list(&self) -> Vec<(&K, &V, u64)> {
        let mut keys: Vec<(&K, usize)> = self.numbers.iter().map(|(key, &number)| (key, number)).collect();
        keys.sort_unstable_by_key(|(_, number)| *number);
        keys.into_iter()
            .zip(self.values.iter().zip(&self.counts))
            .map(|((key, _), (value, &count))| (key, value, count))
            .collect()
    }
}

impl Entries {
    fn count(&mut self, class: Class) {
        let place = Class::ALL.iter().position(|known| *known == class);
        if let Some(count) = place.and_then(|place| self.ops.get_mut(place)) {
            *count = count.saturating_add(1);
        }
    }
}

impl Journal {
    /// A journal without decisions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where rules say to ask, `asker` knows what was answered. The first one stays.
    pub fn set_asker(&self, asker: Arc<dyn Asker>) {
        // A second one could only contradict the first.
        let _ = self.asker.set(asker);
    }

    pub(crate) fn asker(&self) -> Option<&Arc<dyn Asker>> {
        self.asker.get()
    }

    /// Records the refusal of something that is no op of any class, in the host's name.
    pub fn refuse(&self, capability: &str, op: &str, hint: &str) {
        let key = DeniedKey::Text {
            capability: shortened(capability, MOST_TEXT),
            op: shortened(op, MOST_TEXT),
            hint: shortened(hint, MOST_TEXT),
        };
        self.lock().denied.add(key, || None);
    }

    /// How many decisions there were of each class that there were any of, permitted and denied.
    #[must_use]
    pub fn ops(&self) -> Vec<(Class, u64)> {
        let entries = self.lock();
        Class::ALL.into_iter().zip(entries.ops).filter(|(_, count)| *count > 0).collect()
    }

    /// All decisions so far.
    #[must_use]
    pub fn summary(&self) -> Decisions {
        let entries = self.lock();
        let permitted_ops =
            entries.permitted.list().into_iter().map(|((op, decision, answered), policy, count)| PermittedEntry {
                capability: op.class().to_string(),
                op: op.to_string(),
                layer: policy.layer(*decision).map(|layer| layer.kind().to_string()).unwrap_or_default(),
                rule: policy
                    .layer(*decision)
                    .map(|layer| Policy::reason_text(layer, op.class(), decision.reason))
                    .unwrap_or_default(),
                answered: answered.as_deref().map(str::to_owned),
                count,
            });
        let denied = entries.denied.list().into_iter().filter_map(|(key, denied, count)| match (key, denied) {
            (_, Some(denied)) => Some(DeniedEntry::new(denied, count)),
            (DeniedKey::Text { capability, op, hint }, None) => Some(DeniedEntry {
                capability: capability.clone(),
                op: op.clone(),
                layer: crate::LayerKind::Host.to_string(),
                rule: "no matching rule".to_owned(),
                hint: hint.clone(),
                answered: None,
                count,
            }),
            (DeniedKey::Op(..), None) => None,
        });
        Decisions {
            permitted: entries.permitted.total,
            permitted_ops: permitted_ops.collect(),
            denied: denied.collect(),
            overflow: entries.permitted.overflow.saturating_add(entries.denied.overflow),
        }
    }

    /// All decisions so far; the journal starts again without any. For a row of calls with one journal.
    #[must_use]
    pub fn take(&self) -> Decisions {
        let decisions = self.summary();
        *self.lock() = Entries::default();
        decisions
    }

    pub(crate) fn permitted(&self, policy: &Policy, op: AnyOp, decision: Decision, answered: Option<Arc<str>>) {
        let mut entries = self.lock();
        entries.count(op.class());
        entries.permitted.add((op, decision, answered), || policy.clone());
    }

    pub(crate) fn denied(&self, denied: &Denied) {
        let (op, decision, answered) = denied.key();
        let mut entries = self.lock();
        entries.count(op.class());
        entries.denied.add(DeniedKey::Op(op.clone(), decision, answered), || Some(denied.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // A count that was not finished is the worst that a panic can leave behind.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The decisions of a call, as an outcome and a record show them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decisions {
    /// How many ops were permitted in all.
    pub permitted: u64,
    /// What was refused, in the order in which it was first asked for.
    pub denied: Vec<DeniedEntry>,
    /// What was permitted, in the order in which it was first asked for.
    #[serde(default)]
    pub permitted_ops: Vec<PermittedEntry>,
    /// Decisions that were counted but have no entry, because there were too many different ones.
    #[serde(default)]
    pub overflow: u64,
}

/// Something that was refused, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeniedEntry {
    /// The class, such as `wasi:filesystem`.
    pub capability: String,
    /// The op, normalised.
    pub op: String,
    /// The layer that refused.
    pub layer: String,
    /// The rule that refused, in its short form, or `no matching rule`.
    pub rule: String,
    /// What would permit it, or why nothing can.
    pub hint: String,
    /// How it was answered, where a rule says to ask and somebody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    /// How often it was asked for.
    pub count: u64,
}

impl DeniedEntry {
    fn new(denied: &Denied, count: u64) -> Self {
        Self {
            capability: denied.capability().to_string(),
            op: denied.op(),
            layer: denied.layer().to_string(),
            rule: denied.rule(),
            hint: denied.hint(),
            answered: denied.answered().map(str::to_owned),
            count,
        }
    }
}

/// Something that was permitted, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermittedEntry {
    /// The class, such as `wasi:filesystem`.
    pub capability: String,
    /// The op, normalised.
    pub op: String,
    /// The innermost layer, which had the last word; or the one that said to ask.
    pub layer: String,
    /// Its rule, in its short form; `ask` stands before one that said to ask.
    pub rule: String,
    /// How it was answered, where a rule says to ask: to what extent, and by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    /// How often it was asked for.
    pub count: u64,
}
