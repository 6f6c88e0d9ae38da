//! What a component imports, and which authority that needs.

use std::fmt;

use caplet_policy::{Class, Policy};

/// One import of a component, by interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The name as the component spells it: `wasi:http/types@0.2.3`.
    pub name: String,
    /// What stands behind it.
    pub kind: ImportKind,
}

/// What stands behind an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportKind {
    /// Authority that rules of this class give.
    Capability(Class),
    /// Streams, standard input and output, exit: needs no authority, because it reaches nothing outside the call.
    Plumbing,
    /// `wasi:sockets`: provided, and always refuses.
    Sockets,
    /// Nobody provides it: a call of one of its functions ends the tool's call.
    Unknown,
}

impl fmt::Display for ImportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capability(class) => f.write_str(class.as_str()),
            Self::Plumbing => f.write_str("no authority needed"),
            Self::Sockets => f.write_str("always refused"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// Interfaces of WASI 0.2, by package and name.
const KNOWN: &[(&str, &str, ImportKind)] = &[
    ("wasi:filesystem", "types", ImportKind::Capability(Class::Filesystem)),
    ("wasi:filesystem", "preopens", ImportKind::Capability(Class::Filesystem)),
    ("wasi:http", "types", ImportKind::Capability(Class::Http)),
    ("wasi:http", "outgoing-handler", ImportKind::Capability(Class::Http)),
    ("wasi:cli", "environment", ImportKind::Capability(Class::Environment)),
    ("wasi:clocks", "wall-clock", ImportKind::Capability(Class::Clocks)),
    ("wasi:clocks", "monotonic-clock", ImportKind::Capability(Class::Clocks)),
    ("wasi:clocks", "timezone", ImportKind::Capability(Class::Clocks)),
    ("wasi:random", "random", ImportKind::Capability(Class::Random)),
    ("wasi:random", "insecure", ImportKind::Capability(Class::Random)),
    ("wasi:random", "insecure-seed", ImportKind::Capability(Class::Random)),
    ("wasi:sockets", "instance-network", ImportKind::Sockets),
    ("wasi:sockets", "ip-name-lookup", ImportKind::Sockets),
    ("wasi:sockets", "network", ImportKind::Sockets),
    ("wasi:sockets", "tcp", ImportKind::Sockets),
    ("wasi:sockets", "tcp-create-socket", ImportKind::Sockets),
    ("wasi:sockets", "udp", ImportKind::Sockets),
    ("wasi:sockets", "udp-create-socket", ImportKind::Sockets),
    ("wasi:io", "error", ImportKind::Plumbing),
    ("wasi:io", "poll", ImportKind::Plumbing),
    ("wasi:io", "streams", ImportKind::Plumbing),
    ("wasi:cli", "exit", ImportKind::Plumbing),
    ("wasi:cli", "stdin", ImportKind::Plumbing),
    ("wasi:cli", "stdout", ImportKind::Plumbing),
    ("wasi:cli", "stderr", ImportKind::Plumbing),
    ("wasi:cli", "terminal-input", ImportKind::Plumbing),
    ("wasi:cli", "terminal-output", ImportKind::Plumbing),
    ("wasi:cli", "terminal-stdin", ImportKind::Plumbing),
    ("wasi:cli", "terminal-stdout", ImportKind::Plumbing),
    ("wasi:cli", "terminal-stderr", ImportKind::Plumbing),
];

/// Interfaces whose standard is a draft, and Caplet's own: only these very versions are provided.
const KNOWN_EXACTLY: &[(&str, ImportKind)] = &[
    ("wasi:keyvalue/store@0.2.0-draft", ImportKind::Capability(Class::KeyValue)),
    ("wasi:keyvalue/atomics@0.2.0-draft", ImportKind::Capability(Class::KeyValue)),
    ("wasi:keyvalue/batch@0.2.0-draft", ImportKind::Capability(Class::KeyValue)),
    ("wasi:keyvalue/store@0.2.0-draft2", ImportKind::Capability(Class::KeyValue)),
    ("wasi:keyvalue/atomics@0.2.0-draft2", ImportKind::Capability(Class::KeyValue)),
    ("wasi:keyvalue/batch@0.2.0-draft2", ImportKind::Capability(Class::KeyValue)),
    ("wasi:config/store@0.2.0-draft", ImportKind::Capability(Class::Config)),
    ("wasi:config/store@0.2.0-draft-2024-09-27", ImportKind::Capability(Class::Config)),
    ("wasi:config/store@0.2.0-rc.1", ImportKind::Capability(Class::Config)),
    ("caplet:tools/invoke@0.1.0", ImportKind::Capability(Class::Tools)),
    ("caplet:process/exit@0.1.0", ImportKind::Plumbing),
];

impl Import {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), kind: kind(name) }
    }

    /// The capability class whose rules give this import its authority.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        match self.kind {
            ImportKind::Capability(class) => Some(class),
            ImportKind::Plumbing | ImportKind::Sockets | ImportKind::Unknown => None,
        }
    }

    /// Whether `policy` gives this import something to do: it needs no authority, or every layer has a rule of its class.
    /// With `--strict-imports` a component with an import that is not granted is refused.
    #[must_use]
    pub fn is_granted(&self, policy: &Policy) -> bool {
        match self.kind {
            ImportKind::Plumbing => true,
            ImportKind::Sockets | ImportKind::Unknown => false,
            ImportKind::Capability(class) => policy.grants_class(class),
        }
    }
}

fn kind(name: &str) -> ImportKind {
    if let Some((_, kind)) = KNOWN_EXACTLY.iter().find(|(known, _)| *known == name) {
        return *kind;
    }
    let known = || {
        let (path, version) = name.split_once('@')?;
        let (package, interface) = path.split_once('/')?;
        let (_, _, kind) = KNOWN.iter().find(|(p, i, _)| *p == package && *i == interface)?;
        is_wasi_0_2(version).then_some(*kind)
    };
    known().unwrap_or(ImportKind::Unknown)
}

/// Whether `version` is a release of WASI 0.2: releases of one minor version are compatible with each other.
pub(crate) fn is_wasi_0_2(version: &str) -> bool {
    version
        .strip_prefix("0.2.")
        .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit()))
}
