//! The toolbox as it is written, before anything in it is understood.
//!
//! Every table refuses keys that it does not know. Whatever a later step may refuse carries its place in the text. Nothing here has
//! `Debug`: values may be secrets.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

/// A table whose keys are names.
pub(super) type Named<T> = BTreeMap<Spanned<String>, T>;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawToolbox {
    #[serde(default)]
    pub(super) stores: Named<RawStore>,
    #[serde(default)]
    pub(super) buckets: Named<RawBucket>,
    #[serde(default)]
    pub(super) tools: Named<RawTool>,
}

/// `[stores.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStore {
    pub(super) store: Spanned<String>,
    pub(super) quota: Option<Spanned<String>>,
}

/// `[buckets.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBucket {
    pub(super) store: Spanned<String>,
    pub(super) ttl: Option<Spanned<String>>,
    pub(super) quota: Option<Spanned<String>>,
}

/// `[tools.NAME]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawTool {
    pub(super) source: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) allow: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) deny: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) ask: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) mounts: Named<Spanned<String>>,
    #[serde(default)]
    pub(super) buckets: Named<Spanned<String>>,
    #[serde(default)]
    pub(super) limits: Named<Spanned<toml::Value>>,
    #[serde(default)]
    pub(super) env: Named<Spanned<RawValue>>,
    pub(super) env_file: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) config: Named<Spanned<RawValue>>,
    pub(super) config_file: Option<Spanned<String>>,
    pub(super) ceiling: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) strict_imports: bool,
}

/// The value of a variable or of a configuration key.
pub(super) enum RawValue {
    /// A text.
    Text(String),
    /// A number, `true` or `false`, in its usual spelling.
    Plain(String),
    /// What is in this file.
    File(Spanned<String>),
}

/// `{ file = "PATH" }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    file: Spanned<String>,
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { is_flat: false })
    }
}

/// A value in a file of values, which is in no other file.
pub(super) struct RawFlat(pub(super) String);

impl<'de> Deserialize<'de> for RawFlat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(ValueVisitor { is_flat: true })? {
            RawValue::Text(text) | RawValue::Plain(text) => Ok(Self(text)),
            RawValue::File(_) => Err(de::Error::custom(NOT_FLAT)),
        }
    }
}

/// What is said of a table in a file of values.
const NOT_FLAT: &str = "expected a text in quotes, a number, true or false, found a table";

/// What is said of an integer that TOML has no place for.
const TOO_LARGE: &str = "the number does not fit into 64 bits with a sign; write it as a text in quotes";

struct ValueVisitor {
    /// Whether it is in a file of values.
    is_flat: bool,
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_flat {
            true => f.write_str("a text in quotes, a number, true or false"),
            false => f.write_str("a text in quotes, a number, true, false or { file = \"PATH\" }"),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Plain(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<RawValue, E> {
        Ok(RawValue::Plain(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<RawValue, E> {
        Err(E::custom(TOO_LARGE))
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<RawValue, E> {
        Err(E::custom(TOO_LARGE))
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<RawValue, E> {
        Err(E::custom(TOO_LARGE))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<RawValue, E> {
        match number.is_finite() {
            // With a point, so that it stays what it is: 1.0, not 1.
            true => Ok(RawValue::Plain(format!("{number:?}"))),
            false => Err(E::custom("expected a number that is finite")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
        if self.is_flat {
            // A date comes as a table too, and is told by its key.
            let key = map.next_key::<String>()?.filter(|key| key.contains("__toml_private_datetime"));
            return Err(de::Error::custom(key.as_deref().unwrap_or(NOT_FLAT)));
        }
        RawFile::deserialize(MapAccessDeserializer::new(map)).map(|RawFile { file }| RawValue::File(file))
    }
}
