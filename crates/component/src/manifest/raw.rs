//! The manifest as it is written, before anything in it is understood.
//!
//! Every table refuses keys that it does not know: a key that does nothing looks like protection. Values that a later step may
//! refuse carry their place in the text.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub(super) tool: RawTool,
}

/// `[tool]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTool {
    pub(super) metadata: RawMetadata,
    #[serde(default)]
    pub(super) capabilities: RawCapabilities,
    #[serde(default)]
    pub(super) limits: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default)]
    pub(super) command: RawCommand,
    #[serde(default)]
    pub(super) tools: BTreeMap<Spanned<String>, RawFunction>,
}

/// `[tool.metadata]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMetadata {
    pub(super) name: Spanned<String>,
    pub(super) version: Option<Spanned<String>>,
    pub(super) description: Option<Spanned<String>>,
}

/// `[tool.command]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCommand {
    pub(super) input: Option<Spanned<String>>,
}

/// `[tool.tools.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFunction {
    pub(super) description: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) capabilities: RawCapabilities,
}

/// `[tool.capabilities]`: one table for each class.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCapabilities {
    #[serde(rename = "wasi:filesystem")]
    pub(super) filesystem: Option<RawSection<RawFilesystem>>,
    #[serde(rename = "wasi:http")]
    pub(super) http: Option<RawHttpSection>,
    #[serde(rename = "wasi:keyvalue")]
    pub(super) keyvalue: Option<RawSection<RawKeyValue>>,
    #[serde(rename = "wasi:cli/environment")]
    pub(super) environment: Option<RawSection<RawEnvironment>>,
    #[serde(rename = "wasi:config")]
    pub(super) config: Option<RawSection<RawConfig>>,
    #[serde(rename = "wasi:clocks")]
    pub(super) clocks: Option<RawSection<RawClock>>,
    #[serde(rename = "wasi:random")]
    pub(super) random: Option<RawSection<RawRandom>>,
    #[serde(rename = "caplet:secrets")]
    pub(super) secrets: Option<RawSection<RawSecret>>,
    #[serde(rename = "caplet:tools")]
    pub(super) tools: Option<RawSection<RawTools>>,
    /// Known only so that it can be refused with a reason.
    #[serde(rename = "wasi:sockets")]
    pub(super) sockets: Option<Spanned<toml::Value>>,
}

/// What one class is declared for, and its rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSection<R> {
    pub(super) description: Option<Spanned<String>>,
    #[serde(default = "Vec::new")]
    pub(super) grants: Vec<Spanned<R>>,
    #[serde(default = "Vec::new")]
    pub(super) denies: Vec<Spanned<R>>,
}

/// The section of `wasi:http`: what every section has, and one key more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHttpSection {
    description: Option<Spanned<String>>,
    #[serde(default = "Vec::new")]
    grants: Vec<Spanned<RawHttp>>,
    #[serde(default = "Vec::new")]
    denies: Vec<Spanned<RawHttp>>,
    /// How many redirects the host follows.
    redirects: Option<Spanned<i64>>,
}

impl RawHttpSection {
    /// What every section has, and how many redirects the host follows.
    pub(super) fn split(self) -> (RawSection<RawHttp>, Option<Spanned<i64>>) {
        let Self { description, grants, denies, redirects } = self;
        (RawSection { description, grants, denies }, redirects)
    }
}

/// A rule of `wasi:filesystem`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFilesystem {
    /// Absolute guest path glob.
    pub(super) path: Spanned<String>,
    /// `read-only` or `read-write`.
    pub(super) mode: Spanned<String>,
}

/// A rule of `wasi:http`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHttp {
    /// `https` or `http`.
    pub(super) scheme: Spanned<String>,
    /// A host, `*.DOMAIN`, an address or a CIDR.
    pub(super) host: Spanned<String>,
    /// The scheme's own if left out; `"*"` for every port.
    pub(super) port: Option<Spanned<RawPort>>,
    /// Path glob.
    pub(super) path: Spanned<String>,
    /// GET and HEAD if left out.
    pub(super) methods: Option<Spanned<Vec<Spanned<String>>>>,
    /// How often, as in `10/s`; as often as the limits permit if left out.
    pub(super) rate: Option<Spanned<String>>,
}

/// A port as a rule writes it.
#[derive(Clone, Copy)]
pub(super) enum RawPort {
    /// `"*"`.
    Any,
    /// A number.
    One(u16),
}

impl<'de> Deserialize<'de> for RawPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortVisitor)
    }
}

struct PortVisitor;

impl Visitor<'_> for PortVisitor {
    type Value = RawPort;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 1 to 65535, or \"*\" for every port")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<RawPort, E> {
        let port = u16::try_from(number).ok().filter(|port| *port != 0);
        port.map(RawPort::One).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawPort, E> {
        match text {
            "*" => Ok(RawPort::Any),
            text => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// A rule of `wasi:keyvalue`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeyValue {
    /// The bucket's name.
    pub(super) bucket: Spanned<String>,
    /// Key glob; every key of the bucket if left out.
    pub(super) keys: Option<Spanned<String>>,
    /// `read-only` or `read-write`.
    pub(super) mode: Spanned<String>,
}

/// A rule of `wasi:cli/environment`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnvironment {
    /// The variable's name.
    pub(super) name: Spanned<String>,
    /// Its value; the host's if left out.
    pub(super) value: Option<Spanned<String>>,
}

/// A rule of `wasi:config`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    /// The configuration key.
    pub(super) key: Spanned<String>,
    /// Its value.
    pub(super) value: Option<Spanned<String>>,
}

/// A rule of `wasi:clocks`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClock {
    /// The finest resolution, `1ms` or `frozen`.
    pub(super) resolution: Spanned<String>,
}

/// A rule of `wasi:random`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRandom {
    /// Only this seed; real randomness and any seed if left out.
    pub(super) seed: Option<Spanned<u64>>,
}

/// A rule of `caplet:secrets`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSecret {
    /// The secret's name.
    pub(super) name: Spanned<String>,
    /// URL pattern of the requests that it may go into.
    pub(super) url: Spanned<String>,
    /// `bearer`, `basic`, `header:NAME` or `query:KEY`; every place if left out.
    pub(super) placement: Option<Spanned<String>>,
}

/// A rule of `caplet:tools`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTools {
    /// The tool that may be called.
    pub(super) tool: Spanned<String>,
}
