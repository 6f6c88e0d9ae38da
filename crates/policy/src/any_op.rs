//! An op of any class, and its text: the text that `explain` takes is the one that records show.

use std::fmt;
use std::str::FromStr;

use crate::class::Class;
use crate::error::OpError;
use crate::section::clocks::ClockOp;
use crate::section::config::ConfigOp;
use crate::section::environment::EnvironmentOp;
use crate::section::filesystem::FsOp;
use crate::section::for_each_section;
use crate::section::http::HttpOp;
use crate::section::keyvalue::KeyValueOp;
use crate::section::random::RandomOp;
use crate::section::secrets::SecretOp;
use crate::section::tools::ToolOp;

macro_rules! any_op {
    ($($field:ident: $class:ident, $section:ident, $op:ident, $rule:ident;)*) => {
        /// What a guest can ask for, of any class.
        ///
        /// Its text is `read PATH`, `write PATH`, `search PATH`, `write-tree PATH`, `METHOD URL`, `METHOD URL at ADDRESS` (for an
        /// address that the host resolved to), `kv-read BUCKET/KEY`, `kv-write BUCKET/KEY`, `kv-read BUCKET` (to open it), `env NAME`, `config KEY`, `clock 1ms`, `clock frozen`, `random`,
        /// `random SEED`, `secret NAME[:PLACEMENT]@URL` (`bearer` where it is left out) or `call TOOL`.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum AnyOp {
            $(
                #[doc = concat!("See [`", stringify!($op), "`].")]
                $class($op),
            )*
        }

        impl AnyOp {
            /// The class that the op is of.
            #[must_use]
            pub fn class(&self) -> Class {
                match self {
                    $(Self::$class(_) => Class::$class,)*
                }
            }
        }

        impl fmt::Display for AnyOp {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$class(op) => op.fmt(f),)*
                }
            }
        }

        $(
            impl From<$op> for AnyOp {
                fn from(op: $op) -> Self {
                    Self::$class(op)
                }
            }
        )*
    };
}
for_each_section!(any_op);

impl FromStr for AnyOp {
    type Err = OpError;

    fn from_str(text: &str) -> Result<Self, OpError> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        if let Some(op) = FsOp::parse(verb, rest) {
            return op.map(Self::from);
        }
        if let Some(op) = KeyValueOp::parse(verb, rest) {
            return op.map(Self::from);
        }
        match verb {
            "env" => EnvironmentOp::parse(rest).map(Self::from),
            "config" => ConfigOp::parse(rest).map(Self::from),
            "clock" => ClockOp::parse(rest).map(Self::from),
            "random" => RandomOp::parse(rest).map(Self::from),
            "secret" => SecretOp::parse(rest).map(Self::from),
            "call" => ToolOp::new(rest).map(Self::from),
            method if rest.contains("://") => HttpOp::parse(method, rest).map(Self::from),
            verb => Err(unknown(text, verb)),
        }
    }
}

/// What an op starts with, besides HTTP methods.
const VERBS: [&str; 12] = [
    "read",
    "write",
    "search",
    "write-tree",
    "kv-read",
    "kv-write",
    "env",
    "config",
    "clock",
    "random",
    "secret",
    "call",
];

fn unknown(text: &str, verb: &str) -> OpError {
    let near = VERBS.iter().find(|known| strsim::damerau_levenshtein(verb, known) <= 1 + known.len() / 5);
    let fix = near.map_or_else(
        || "write one such as `read /path`, `GET https://example.com/path` or `env NAME`".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    OpError::with_fix(format!("{text:?} is no op"), fix)
}

impl serde::Serialize for AnyOp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
