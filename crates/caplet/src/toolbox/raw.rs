//! The toolbox as it is written, before anything in it is understood.
//!
//! Every table refuses keys that it does not know. Whatever a later step may refuse carries its place in the text. Nothing here has
//! `Debug`: values may be secrets.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::schema;

/// A table whose keys are names.
pub(super) type Named<T> = BTreeMap<Spanned<String>, T>;

/// Rules in their short forms.
pub(super) type Rules = Vec<Spanned<String>>;

/// Limits by name.
pub(super) type RawLimits = Named<Spanned<toml::Value>>;

/// The toolbox: tools by name, with what each is granted, and stores that they share.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "caplet.toml")]
pub(super) struct RawToolbox {
    /// What holds for every tool.
    #[serde(default)]
    pub(super) defaults: RawDefaults,
    /// Stores of files, by name, for as many tools as name them.
    #[serde(default)]
    #[schemars(schema_with = "schema::named::<RawStore>")]
    pub(super) stores: Named<RawStore>,
    /// Key-value buckets, by name.
    #[serde(default)]
    #[schemars(schema_with = "schema::named::<RawBucket>")]
    pub(super) buckets: Named<RawBucket>,
    /// Tools, by name.
    #[serde(default)]
    #[schemars(schema_with = "schema::named::<RawTool>")]
    pub(super) tools: Named<RawTool>,
    /// Smaller toolboxes out of this one, by name.
    #[serde(default)]
    #[schemars(schema_with = "schema::named::<RawProfile>")]
    pub(super) profiles: Named<RawProfile>,
}

/// What holds for every tool.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "defaults")]
pub(super) struct RawDefaults {
    /// What no tool may do, whatever it is granted.
    #[serde(default)]
    #[schemars(schema_with = "schema::rules")]
    pub(super) deny: Rules,
    /// Limits of tools that set none.
    #[serde(default)]
    #[schemars(schema_with = "schema::limits")]
    pub(super) limits: RawLimits,
    /// Whether a tool that imports something that no rule covers is refused, instead of denied op by op.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub(super) strict_imports: Option<Spanned<bool>>,
}

/// A store of files.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "store")]
pub(super) struct RawStore {
    /// host:DIR, overlay:DIR, sqlite:FILE, memory or session; with :ro behind it to read only.
    #[schemars(schema_with = "schema::store")]
    pub(super) store: Spanned<String>,
    /// The most that it holds. Not for host:.
    #[serde(default)]
    #[schemars(schema_with = "schema::size")]
    pub(super) quota: Option<Spanned<String>>,
}

/// A key-value bucket.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "bucket")]
pub(super) struct RawBucket {
    /// memory, session, sqlite:FILE, redis://…, rediss://… or nats://….
    #[schemars(schema_with = "schema::store")]
    pub(super) store: Spanned<String>,
    /// How long an entry is kept.
    #[serde(default)]
    #[schemars(schema_with = "schema::duration")]
    pub(super) ttl: Option<Spanned<String>>,
    /// The most that it holds. Not for servers, which have their own.
    #[serde(default)]
    #[schemars(schema_with = "schema::size")]
    pub(super) quota: Option<Spanned<String>>,
}

/// A tool.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "tool")]
pub(super) struct RawTool {
    /// A built-in tool, or a path to .wasm or .wat. Left out, the built-in tool of this name.
    #[serde(default)]
    #[schemars(schema_with = "schema::text")]
    pub(super) source: Option<Spanned<String>>,
    /// What people see as its name.
    #[serde(default)]
    #[schemars(schema_with = "schema::text")]
    pub(super) title: Option<Spanned<String>>,
    /// What it is for, in place of what its author says.
    #[serde(default)]
    #[schemars(schema_with = "schema::text")]
    pub(super) description: Option<Spanned<String>>,
    /// Whether no agent is offered it.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub(super) hidden: Option<Spanned<bool>>,
    /// What it may do, up to what its author declared.
    #[serde(default)]
    #[schemars(schema_with = "schema::rules")]
    pub(super) allow: Option<Rules>,
    /// What it may not do, whatever else is allowed.
    #[serde(default)]
    #[schemars(schema_with = "schema::rules")]
    pub(super) deny: Rules,
    /// What a person is asked about each time, where nothing else allows it.
    #[serde(default)]
    #[schemars(schema_with = "schema::rules")]
    pub(super) ask: Rules,
    /// What stands behind paths that the tool sees: PATH = STORE, or "@NAME" for [stores.NAME].
    #[serde(default)]
    #[schemars(schema_with = "schema::places")]
    pub(super) mounts: Named<Spanned<String>>,
    /// What stands behind buckets that the tool asks for: BUCKET = STORE, or "@NAME" for [buckets.NAME].
    #[serde(default)]
    #[schemars(schema_with = "schema::places")]
    pub(super) buckets: Named<Spanned<String>>,
    /// What a call may use.
    #[serde(default)]
    #[schemars(schema_with = "schema::limits")]
    pub(super) limits: RawLimits,
    /// Variables, each of which is granted with this value.
    #[serde(default)]
    #[schemars(schema_with = "schema::variables")]
    pub(super) env: Named<Spanned<RawValue>>,
    /// A file with lines of KEY=VALUE, taken as they stand.
    #[serde(default)]
    #[schemars(schema_with = "schema::text")]
    pub(super) env_file: Option<Spanned<String>>,
    /// Configuration keys, each of which is granted with this value.
    #[serde(default)]
    #[schemars(schema_with = "schema::keys")]
    pub(super) config: Named<Spanned<RawValue>>,
    /// A file of TOML with texts, numbers and booleans.
    #[serde(default)]
    #[schemars(schema_with = "schema::text")]
    pub(super) config_file: Option<Spanned<String>>,
    /// What bounds the grant: what the author declared, or nothing.
    #[serde(default)]
    #[schemars(schema_with = "schema::ceiling")]
    pub(super) ceiling: Option<Spanned<String>>,
    /// Whether it is refused if it imports something that no rule covers, instead of denied op by op.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub(super) strict_imports: Option<Spanned<bool>>,
    /// Whether the calls of one client share an instance, so that what a call leaves behind is there for the next one.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub(super) session: Option<Spanned<bool>>,
    /// Its functions, by the names that the component has for them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RawFunction>")]
    pub(super) functions: Named<RawFunction>,
}

/// One function of a tool. It has what the tool has, less what is taken from it here.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "function")]
pub(super) struct RawFunction {
    /// What an agent calls it.
    #[serde(default)]
    #[schemars(schema_with = "schema::visible_name")]
    pub(super) name: Option<Spanned<String>>,
    /// What people see as its name.
    #[serde(default)]
    #[schemars(schema_with = "schema::text")]
    pub(super) title: Option<Spanned<String>>,
    /// What it is for, in place of what its author says.
    #[serde(default)]
    #[schemars(schema_with = "schema::text")]
    pub(super) description: Option<Spanned<String>>,
    /// Whether no agent is offered it.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub(super) hidden: Option<Spanned<bool>>,
    /// What it may do at most of what the tool may.
    #[serde(default)]
    #[schemars(schema_with = "schema::rules")]
    pub(super) allow: Option<Rules>,
    /// What it may not do.
    #[serde(default)]
    #[schemars(schema_with = "schema::rules")]
    pub(super) deny: Rules,
}

/// A smaller toolbox out of this one. It can only take away.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "profile")]
pub(super) struct RawProfile {
    /// The tools that it has. Left out, all of them.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) tools: Option<Vec<Spanned<String>>>,
    /// What none of them may do.
    #[serde(default)]
    #[schemars(schema_with = "schema::rules")]
    pub(super) deny: Rules,
    /// Limits that are no higher than these.
    #[serde(default)]
    #[schemars(schema_with = "schema::limits")]
    pub(super) limits: RawLimits,
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
