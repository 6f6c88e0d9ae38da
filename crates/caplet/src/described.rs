//! What a tool may do, for the agent that it is offered to: in rules and in words.
//!
//! What always holds: no value of a variable, of a configuration key or of a secret is in it, and no place of the host but those that the
//! agent has to name itself, because a rule does.

use std::collections::BTreeMap;

use caplet_policy::proof::{self, Effective};
use caplet_policy::{Class, Policy};
use serde::Serialize;

use crate::annotations::Annotations;
use crate::caplet::Tool;
use crate::grant::Grant;
use crate::mount::StoreRequest;
use crate::words::{ASK, in_words, name};

/// What a tool may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Authority {
    /// What an agent calls it.
    pub name: String,
    /// What it may do, by capability. Those that are not here it does not have at all.
    pub may: Vec<May>,
    /// What is mounted. Rules may bring more: the directories that they name.
    pub mounts: Vec<MountedAt>,
    /// What a call may use, limit by limit.
    pub limits: BTreeMap<String, String>,
    /// What follows for a client.
    pub annotations: Annotations,
}

/// What it may do of one capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct May {
    /// The capability, as manifests name it.
    pub capability: &'static str,
    /// Rules in their short form; `ask` stands before one that a person is asked by, each time. Of those that are joined by `and`, all must permit.
    pub allow: Vec<String>,
    /// What is never permitted, whatever `allow` says.
    pub deny: Vec<String>,
    /// The same in words.
    pub words: Vec<String>,
}

/// What is mounted at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MountedAt {
    /// The path that the tool sees.
    pub path: String,
    /// What is behind it, and how long it lasts.
    pub store: &'static str,
    /// Whether it can only be read.
    pub read_only: bool,
}

impl Authority {
    /// What `tool`, which agents call `agents_name`, may do under `policy`.
    pub(crate) fn of(agents_name: &str, policy: &Policy, grant: &Grant, tool: &Tool, annotations: Annotations) -> Self {
        let limits = match &tool.component().manifest {
            Some(manifest) => grant.limits().lowered_by(manifest.limits()),
            None => grant.limits(),
        };
        let mounts = grant.mounts.iter().map(|mount| MountedAt {
            path: mount.at.to_string(),
            store: store(&mount.store),
            read_only: mount.read_only,
        });
        Self {
            name: agents_name.to_owned(),
            may: may(policy),
            mounts: mounts.collect(),
            limits: limits.entries().into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            annotations,
        }
    }
}

fn store(store: &StoreRequest) -> &'static str {
    match store {
        StoreRequest::Host(_) => "a directory of the host",
        StoreRequest::Overlay(_) => "a directory of the host, whose changes are kept aside until a person applies them",
        StoreRequest::Sqlite(_) => "a file system of its own, which lasts",
        StoreRequest::Memory => "memory, empty at first and gone after each call",
        StoreRequest::Session => "memory, gone after the session",
    }
}

/// What all layers permit together.
fn may(policy: &Policy) -> Vec<May> {
    let of = |effective: Effective| {
        let joined = effective.allow.iter().map(|rules| rules.iter().map(|rule| shown(rule)).collect::<Vec<_>>());
        let joined: Vec<Vec<String>> = joined.collect();
        let words = joined
            .iter()
            .map(|rules| rules.iter().map(|rule| in_words(rule)).collect::<Vec<_>>().join(", and as far as it may "));
        May {
            capability: effective.class.as_str(),
            words: words.collect(),
            allow: joined.iter().map(|rules| rules.join(" and ")).collect(),
            deny: effective.deny.iter().map(|rule| shown(rule)).collect(),
        }
    };
    match proof::effective(policy) {
        Ok(found) => found.into_iter().filter(|effective| !effective.allow.is_empty()).map(of).collect(),
        Err(_) => Class::ALL.into_iter().filter(|class| policy.grants_class(*class)).map(at_most).collect(),
    }
}

/// What is said where the rules are too intricate.
fn at_most(class: Class) -> May {
    let words =
        vec!["something; its rules are too many to be listed, and each request is decided on by them".to_owned()];
    May { capability: class.as_str(), allow: Vec::new(), deny: Vec::new(), words }
}

/// A rule without a value that it may give.
fn shown(rule: &str) -> String {
    if let Some(asked) = rule.strip_prefix(ASK) {
        return format!("{ASK}{}", shown(asked));
    }
    match rule.split_once(':') {
        Some((kind @ ("env" | "config"), rest)) => format!("{kind}:{}", name(rest)),
        Some(("random", _)) => "random".to_owned(),
        _ => rule.to_owned(),
    }
}
