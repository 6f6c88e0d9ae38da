//! The nine classes of capability, by the names that manifests use.

use std::fmt;
use std::str::FromStr;

/// One kind of thing that a tool may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// Files and directories, by guest path.
    Filesystem,
    /// Outgoing HTTP requests.
    Http,
    /// Key-value buckets.
    KeyValue,
    /// Environment variables.
    Environment,
    /// Configuration keys.
    Config,
    /// How finely the guest sees time.
    Clocks,
    /// Real or seeded randomness.
    Random,
    /// Credentials that the host puts into requests.
    Secrets,
    /// Other tools.
    Tools,
}

impl Class {
    /// Every class, in the order in which manifests and reports list them.
    pub const ALL: [Self; 9] = [
        Self::Filesystem,
        Self::Http,
        Self::KeyValue,
        Self::Environment,
        Self::Config,
        Self::Clocks,
        Self::Random,
        Self::Secrets,
        Self::Tools,
    ];

    /// The name in a manifest, such as `wasi:filesystem`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filesystem => "wasi:filesystem",
            Self::Http => "wasi:http",
            Self::KeyValue => "wasi:keyvalue",
            Self::Environment => "wasi:cli/environment",
            Self::Config => "wasi:config",
            Self::Clocks => "wasi:clocks",
            Self::Random => "wasi:random",
            Self::Secrets => "caplet:secrets",
            Self::Tools => "caplet:tools",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Class {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A name that is none of the nine classes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no capability class")]
#[non_exhaustive]
pub struct UnknownClass {
    /// What was asked for.
    pub name: String,
}

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(name: &str) -> Result<Self, UnknownClass> {
        let found = Self::ALL.into_iter().find(|class| class.as_str() == name);
        found.ok_or_else(|| UnknownClass { name: name.to_owned() })
    }
}
