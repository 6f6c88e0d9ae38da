//! Rules in the short form in which operators write them, for all classes.

use std::fmt;

use crate::class::Class;
use crate::error::RuleError;
use crate::path::GuestPath;
use crate::section::clocks::ClockRule;
use crate::section::config::ConfigRule;
use crate::section::environment::EnvironmentRule;
use crate::section::filesystem::{FilesystemRule, Mode};
use crate::section::for_each_section;
use crate::section::http::HttpRule;
use crate::section::keyvalue::KeyValueRule;
use crate::section::random::RandomRule;
use crate::section::secrets::SecretRule;
use crate::section::tools::ToolRule;
use crate::text::is_hidden;

/// The longest rule in bytes: the longest URL, and what stands before it.
const MAX_BYTES: usize = 9216;

/// What a rule starts with, and how it goes on.
const FORMS: [(&str, &str); 10] = [
    ("read", "read:/path/**"),
    ("write", "write:/path/**"),
    ("fetch", "fetch:https://example.com/**"),
    ("kv", "kv:BUCKET/KEYS"),
    ("env", "env:NAME"),
    ("config", "config:KEY=VALUE"),
    ("clock", "clock:1ms"),
    ("random", "random"),
    ("secret", "secret:NAME@https://example.com/**"),
    ("call", "call:TOOL"),
];

macro_rules! rule {
    ($($field:ident: $class:ident, $section:ident, $op:ident, $rule:ident;)*) => {
        /// One rule of any class. Its text is the short form, in its canonical spelling.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Rule {
            $(
                #[doc = concat!("See [`", stringify!($rule), "`].")]
                $class($rule),
            )*
        }

        impl Rule {
            /// The class that the rule is for.
            #[must_use]
            pub fn class(&self) -> Class {
                match self {
                    $(Self::$class(_) => Class::$class,)*
                }
            }

            /// Whether the rule is so wide that a person should look twice: every file, every host, a large part of all addresses.
            #[must_use]
            pub fn is_broad(&self) -> bool {
                match self {
                    $(Self::$class(rule) => rule.is_broad(),)*
                }
            }

        }

        impl fmt::Display for Rule {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$class(rule) => rule.fmt(f),)*
                }
            }
        }

        $(
            impl From<$rule> for Rule {
                fn from(rule: $rule) -> Self {
                    Self::$class(rule)
                }
            }
        )*
    };
}
for_each_section!(rule);

/// A rule about which nobody can be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CannotAsk {
    /// What the rule is about is settled before a call starts, so that there is never a single thing to ask about.
    #[error("nobody can be asked about {0} one by one: a tool has it from the start, or not at all")]
    Class(Class),
    /// The rule has a rate, and nobody counts what is asked about.
    #[error("a rule that asks has no rate: each request is a question by itself")]
    Rate,
}

impl CannotAsk {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Class(_) => {
                "ask about files, requests, keys of buckets, secrets and other tools; allow or leave out the rest"
            }
            Self::Rate => "leave the rate out",
        }
    }
}

impl Rule {
    /// Whether somebody can be asked about each thing that the rule is about.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn must_be_askable(&self) -> Result<(), CannotAsk> {
        match self {
            Self::Http(rule) if rule.rate().is_some() => Err(CannotAsk::Rate),
            Self::Filesystem(_) | Self::Http(_) | Self::KeyValue(_) | Self::Secrets(_) | Self::Tools(_) => Ok(()),
            Self::Environment(_) | Self::Config(_) | Self::Clocks(_) | Self::Random(_) => {
                Err(CannotAsk::Class(self.class()))
            }
        }
    }

    /// Reads the short form of a rule. A relative glob is taken from `base`.
    ///
    /// # Errors
    ///
    /// What is wrong, where, and how to write it.
    pub fn parse_grant(text: &str, base: &GuestPath) -> Result<Self, RuleError> {
        check(text)?;
        let (kind, rest) = text.split_once(':').map_or((text, None), |(kind, rest)| (kind, Some(rest)));
        let rest = match (kind, rest) {
            ("random", None) => return Ok(Self::Random(RandomRule::new(None))),
            (kind, _) if !FORMS.iter().any(|(known, _)| *known == kind) => return Err(unknown(text, kind)),
            (kind, None) => {
                return Err(RuleError::at(text.len(), "", "the rule does not say what it is about", form(kind)));
            }
            (_, Some(rest)) => rest,
        };
        let parsed = match kind {
            "read" => FilesystemRule::new(rest, Mode::ReadOnly, base).map(Self::Filesystem),
            "write" => FilesystemRule::new(rest, Mode::ReadWrite, base).map(Self::Filesystem),
            "fetch" => HttpRule::parse(rest).map(Self::Http),
            "kv" => KeyValueRule::parse(rest).map(Self::KeyValue),
            "env" => EnvironmentRule::parse(rest).map(Self::Environment),
            "config" => ConfigRule::parse(rest).map(Self::Config),
            "clock" => ClockRule::parse(rest).map(Self::Clocks),
            "random" => RandomRule::parse(rest).map(Self::Random),
            "secret" => SecretRule::parse(rest).map(Self::Secrets),
            _ => ToolRule::new(rest).map(Self::Tools),
        };
        parsed.map_err(|error| error.shifted(kind.len() + 1))
    }
}

/// Refuses what no rule has, whatever its kind.
fn check(text: &str) -> Result<(), RuleError> {
    if text.len() > MAX_BYTES {
        let problem = format!("the rule is {} bytes long; the limit is {MAX_BYTES} bytes", text.len());
        return Err(RuleError::at(0, text, problem, "write a shorter pattern"));
    }
    match text.char_indices().find(|(_, c)| is_hidden(*c)) {
        Some((offset, found)) => {
            let fragment = text.get(offset..offset + found.len_utf8()).unwrap_or_default();
            let fix = "write the rule without it; in a glob, `?` matches any one character";
            Err(RuleError::at(offset, fragment, "the rule has a character that cannot be seen", fix))
        }
        None => Ok(()),
    }
}

fn unknown(text: &str, kind: &str) -> RuleError {
    let near = |known: &&(&str, &str)| strsim::damerau_levenshtein(kind, known.0) <= 1 + known.0.len() / 5;
    let fix = match FORMS.iter().find(near) {
        Some((known, _)) if text.contains(':') => format!("did you mean `{known}:`?"),
        Some((known, _)) => form(known),
        None => {
            let kinds: Vec<&str> = FORMS.iter().map(|(kind, _)| *kind).collect();
            format!("a rule starts with one of {}, and a colon", kinds.join(", "))
        }
    };
    RuleError::at(0, kind, "this is no kind of rule", fix)
}

fn form(kind: &str) -> String {
    let form = FORMS.iter().find(|(known, _)| *known == kind).map_or("read:/path/**", |(_, form)| form);
    format!("write it as `{form}`")
}
