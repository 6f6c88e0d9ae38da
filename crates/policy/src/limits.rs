//! Limits: what a call may use up. Each has a default, and none of them is “no limit”.
//!
//! What always holds: [`Limits::meet`] never raises a limit. An operator sets limits over the defaults; a manifest can only lower
//! what comes of that. A default is what a tool for an agent needs with room to spare, and what a host can give to tens of calls at
//! once: an answer within the patience of who waits for it, and no file, answer or component that a person would not call large.

use std::time::Duration;

use crate::units::{format_duration, format_size, parse_count, parse_duration, parse_size};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Why a limit was not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// There is no limit of this name.
    #[error("there is no limit {key:?}; the limits are {known}", known = KEYS.join(", "))]
    UnknownKey {
        /// What was asked for.
        key: String,
        /// The limit whose name is nearest.
        nearest: Option<&'static str>,
    },
    /// The text is not `KEY=VALUE`.
    #[error("{0:?} is not KEY=VALUE, such as timeout=5s")]
    NoAssignment(String),
    /// The value does not fit the limit.
    #[error("the limit {key}: {problem}")]
    BadValue {
        /// The limit.
        key: &'static str,
        /// What is wrong with the value.
        problem: String,
    },
}

impl LimitError {
    /// How to fix it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { nearest, .. } => nearest.map(|nearest| format!("did you mean `{nearest}`?")),
            Self::NoAssignment(_) | Self::BadValue { .. } => None,
        }
    }
}

/// How a limit is written, and its type.
macro_rules! kind {
    (type duration) => {
        Duration
    };
    (type $other:ident) => {
        u64
    };
    (parse duration $value:expr) => {
        parse_duration($value)
    };
    (parse size $value:expr) => {
        parse_size($value)
    };
    (parse count $value:expr) => {
        parse_count($value)
    };
    (show duration $value:expr) => {
        format_duration($value)
    };
    (show size $value:expr) => {
        format_size($value)
    };
    (show count $value:expr) => {
        $value.to_string()
    };
    (zero duration) => {
        Duration::ZERO
    };
    (zero $other:ident) => {
        0
    };
}

macro_rules! limits {
    ($($(#[$doc:meta])* $field:ident: $kind:ident = $default:expr, $key:literal, $may_be_zero:literal;)*) => {
        /// All limits of a call.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])* pub $field: kind!(type $kind),)*
            /// Instructions, counted exactly. Off (`None`) unless it is asked for, because counting costs time.
            pub fuel: Option<u64>,
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)* fuel: None }
            }
        }

        /// Limits that someone sets; the others are left as they are.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct LimitSet {
            $($(#[$doc])* pub $field: Option<kind!(type $kind)>,)*
            /// Instructions, counted exactly.
            pub fuel: Option<u64>,
        }

        /// The names of all limits.
        pub const KEYS: &[&str] = &[$($key,)* "fuel"];

        impl Limits {
            /// The lower of both, limit by limit.
            #[must_use]
            pub fn meet(&self, other: &Self) -> Self {
                let Self { $($field,)* fuel } = other;
                let lower = |own: u64| fuel.map_or(own, |other| own.min(other));
                Self { $($field: self.$field.min(*$field),)* fuel: self.fuel.map(lower).or(*fuel) }
            }

            /// These limits, with those of `set` in their place. For those who own the limits: it can raise them.
            #[must_use]
            pub fn overridden_by(&self, set: &LimitSet) -> Self {
                let LimitSet { $($field,)* fuel } = set;
                Self { $($field: $field.unwrap_or(self.$field),)* fuel: fuel.or(self.fuel) }
            }

            /// These limits, lowered to those of `set` where they are lower.
            #[must_use]
            pub fn lowered_by(&self, set: &LimitSet) -> Self {
                self.meet(&self.overridden_by(set))
            }

            /// All limits by name, as text; fuel only where it is on.
            #[must_use]
            pub fn entries(&self) -> Vec<(&'static str, String)> {
                let Self { $($field,)* fuel } = self;
                let mut entries = vec![$(($key, kind!(show $kind *$field)),)*];
                entries.extend(fuel.map(|fuel| ("fuel", fuel.to_string())));
                entries
            }
        }

        impl LimitSet {
            /// Sets the limit `key`, whose value is written as `5s`, `64MiB` or `1000`.
            ///
            /// # Errors
            ///
            /// When there is no such limit, or the value does not fit it.
            pub fn set(&mut self, key: &str, value: &str) -> Result<(), LimitError> {
                match key {
                    $($key => {
                        let parsed = kind!(parse $kind value);
                        let parsed = parsed.map_err(|problem| LimitError::BadValue { key: $key, problem })?;
                        if parsed == kind!(zero $kind) && !$may_be_zero {
                            return Err(zero($key));
                        }
                        self.$field = Some(parsed);
                    })*
                    "fuel" => {
                        let parsed = parse_count(value);
                        let fuel = parsed.map_err(|problem| LimitError::BadValue { key: "fuel", problem })?;
                        if fuel == 0 {
                            return Err(zero("fuel"));
                        }
                        self.fuel = Some(fuel);
                    }
                    _ => return Err(unknown(key)),
                }
                Ok(())
            }

            /// These limits, and those of `fallback` where these set none.
            #[must_use]
            pub fn or(&self, fallback: &Self) -> Self {
                let Self { $($field,)* fuel } = fallback;
                Self { $($field: self.$field.or(*$field),)* fuel: self.fuel.or(*fuel) }
            }

            /// The limits that are set, by name, as text.
            #[must_use]
            pub fn entries(&self) -> Vec<(&'static str, String)> {
                let Self { $($field,)* fuel } = self;
                let mut entries = Vec::new();
                $(entries.extend($field.map(|value| ($key, kind!(show $kind value))));)*
                entries.extend(fuel.map(|fuel| ("fuel", fuel.to_string())));
                entries
            }

            /// The limits that `new` sets higher than these, or no longer sets. A limit that is not set bounds nothing by itself, so
            /// setting one that was not set before raises none.
            #[must_use]
            pub fn raised_by(&self, new: &Self) -> Vec<&'static str> {
                let Self { $($field,)* fuel } = new;
                let mut raised = Vec::new();
                $(
                    if self.$field.is_some_and(|old| $field.is_none_or(|new| new > old)) {
                        raised.push($key);
                    }
                )*
                if self.fuel.is_some_and(|old| fuel.is_none_or(|new| new > old)) {
                    raised.push("fuel");
                }
                raised
            }
        }
    };
}

limits! {
    /// Wall time of a call, host calls included.
    timeout: duration = Duration::from_secs(30), "timeout", false;
    /// Bytes of all memories and of the garbage-collected heap together.
    memory: size = 256 * MIB, "memory", false;
    /// Bytes of the guest's stack.
    stack: size = MIB, "stack", false;
    /// Elements of all tables together. Zero is for tools that have none.
    tables: count = 100_000, "tables", true;
    /// Bytes of the result, standard output and standard error together.
    output: size = 8 * MIB, "output", false;
    /// Bytes of the arguments as text.
    arguments: size = 4 * MIB, "arguments", false;
    /// Handles that a guest may hold at once.
    handles: count = 1_024, "handles", false;
    /// Bytes that may be written to the files of one mount. Zero forbids writing.
    file_writes: size = 256 * MIB, "file-writes", true;
    /// HTTP requests in all. Zero forbids them.
    http_requests: count = 100, "http-requests", true;
    /// HTTP requests at once.
    http_concurrency: count = 16, "http-concurrency", false;
    /// Bytes of one HTTP response's body. Zero forbids bodies.
    http_response: size = 16 * MIB, "http-response", true;
    /// Time to connect to an HTTP server.
    http_connect: duration = Duration::from_secs(10), "http-connect", false;
    /// Key-value operations in all. Zero forbids them.
    kv_ops: count = 10_000, "kv-ops", true;
    /// Bytes of one key's value. Zero forbids values.
    kv_value: size = 1_024 * KIB, "kv-value", true;
    /// Calls of other tools in all: the call's own, and those that they make. Enough for a loop over the files of a project. Zero
    /// forbids them.
    calls: count = 1_000, "calls", true;
    /// Calls of other tools at once, those that they make included.
    calls_at_once: count = 16, "calls-at-once", false;
    /// How deep calls of other tools may be nested: with one, a called tool calls nobody. Zero forbids them.
    call_depth: count = 8, "call-depth", true;
    /// Bytes of a component's file.
    component: size = 64 * MIB, "component", false;
    /// Time of one processor core to compile a component.
    compile: duration = Duration::from_secs(60), "compile", false;
}

impl LimitSet {
    /// Sets a limit from `KEY=VALUE`.
    ///
    /// # Errors
    ///
    /// When the text has no `=`, there is no such limit, or the value does not fit it.
    pub fn assign(&mut self, assignment: &str) -> Result<(), LimitError> {
        match assignment.split_once('=') {
            Some((key, value)) => self.set(key, value),
            None => Err(LimitError::NoAssignment(assignment.to_owned())),
        }
    }
}

fn zero(key: &'static str) -> LimitError {
    LimitError::BadValue { key, problem: "with zero no call could do anything".to_owned() }
}

fn unknown(key: &str) -> LimitError {
    let distance = |known: &&'static str| strsim::damerau_levenshtein(key, known);
    let nearest = KEYS.iter().copied().min_by_key(distance).filter(|known| distance(known) <= 1 + known.len() / 4);
    LimitError::UnknownKey { key: key.to_owned(), nearest }
}
