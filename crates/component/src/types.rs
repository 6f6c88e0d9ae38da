//! The types of a tool's parameters and result: one small owned form from which the JSON Schema is made and by which a host
//! converts values. Schema and conversion can therefore not disagree about what a type is.
//!
//! What always holds: a [`Type`] is finite, at most [`Caps::type_depth`](crate::Caps::type_depth) deep, and contains nothing
//! that JSON cannot carry (no resources, streams or futures).
//!
//! The form in which serde writes these types is for stored facts and may change with any build; to anybody else a
//! type is its schema.

use serde::{Deserialize, Serialize};

/// A name in both of its spellings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// As the interface spells it: `max-chars`.
    pub wit: String,
    /// As JSON spells it: `max_chars`.
    pub json: String,
}

impl Name {
    /// A name that becomes a JSON key: words in lower case, joined by underscores.
    #[must_use]
    pub fn key(wit: &str) -> Self {
        Self { wit: wit.to_owned(), json: wit.replace('-', "_").to_ascii_lowercase() }
    }

    /// A name that becomes a JSON string: spelled as the interface spells it, so that `utf-8` stays `utf-8`.
    #[must_use]
    pub fn value(wit: &str) -> Self {
        Self { wit: wit.to_owned(), json: wit.to_owned() }
    }
}

/// A type that JSON can carry.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[non_exhaustive]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// 8-bit signed integer.
    S8,
    /// 8-bit unsigned integer.
    U8,
    /// 16-bit signed integer.
    S16,
    /// 16-bit unsigned integer.
    U16,
    /// 32-bit signed integer.
    S32,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit signed integer: a number, or a string of decimal digits.
    S64,
    /// 64-bit unsigned integer: a number, or a string of decimal digits.
    U64,
    /// 32-bit float; not-a-number and the infinities are strings.
    F32,
    /// 64-bit float; not-a-number and the infinities are strings.
    F64,
    /// A string of exactly one Unicode scalar value.
    Char,
    /// Text.
    String,
    /// `list<u8>`: base64 text.
    Bytes,
    /// An array of any length.
    List(Box<Type>),
    /// An array of one item for each type.
    Tuple(Vec<Type>),
    /// An object with these keys.
    Record(Vec<Field>),
    /// An object with exactly one of these keys, or the name of a case without payload as a string.
    Variant(Vec<Case>),
    /// One of these strings.
    Enum(Vec<Name>),
    /// An array of some of these strings, each at most once.
    Flags(Vec<Name>),
    /// The value or `null`; where the value itself may be `null`, `{"some": value}` or `null`.
    Option(Box<Type>),
    /// `{"ok": value}` or `{"err": value}`. As a function's whole result it is the output or the tool's error instead.
    Result {
        /// The value of success.
        ok: Option<Box<Type>>,
        /// The value of failure.
        err: Option<Box<Type>>,
    },
}

/// A field of a record, or a parameter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its name; in JSON, a key.
    pub name: Name,
    /// Its type. An [`Type::Option`] may be left out.
    pub ty: Type,
    /// What the author says about it.
    pub description: Option<String>,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name; in JSON, a key.
    pub name: Name,
    /// Its payload, if it has one.
    pub ty: Option<Type>,
    /// What the author says about it.
    pub description: Option<String>,
}

/// Parameters and result of a tool's function.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The parameters, in the order of the function.
    pub parameters: Vec<Field>,
    /// The result exactly as the function returns it, a top-level [`Type::Result`] included.
    pub result: Option<Type>,
}

impl Signature {
    /// The type of the tool's output: the value of success where the function returns a `result`.
    #[must_use]
    pub fn output(&self) -> Option<&Type> {
        match &self.result {
            Some(Type::Result { ok, .. }) => ok.as_deref(),
            other => other.as_ref(),
        }
    }

    /// The type of the tool's own error, if the function returns a `result` that carries one.
    #[must_use]
    pub fn error(&self) -> Option<&Type> {
        match &self.result {
            Some(Type::Result { err, .. }) => err.as_deref(),
            _ => None,
        }
    }
}

impl Type {
    /// Whether a value of this type can be `null` in JSON.
    #[must_use]
    pub fn is_nullable(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// The type in words, for a message that says what was expected.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::S8 => integer(i8::MIN, i8::MAX),
            Self::U8 => integer(u8::MIN, u8::MAX),
            Self::S16 => integer(i16::MIN, i16::MAX),
            Self::U16 => integer(u16::MIN, u16::MAX),
            Self::S32 => integer(i32::MIN, i32::MAX),
            Self::U32 => integer(u32::MIN, u32::MAX),
            Self::S64 => integer(i64::MIN, i64::MAX),
            Self::U64 => integer(u64::MIN, u64::MAX),
            Self::F32 | Self::F64 => "a number, or one of \"NaN\", \"Infinity\", \"-Infinity\"".to_owned(),
            Self::Char => "a string of one character".to_owned(),
            Self::String => "a string".to_owned(),
            Self::Bytes => "a base64 string".to_owned(),
            Self::List(_) => "an array".to_owned(),
            Self::Tuple(items) => format!("an array of {} items", items.len()),
            Self::Record(fields) => format!("an object with {}", keys(fields.iter().map(|field| &field.name))),
            Self::Variant(cases) => format!("one case of {}", keys(cases.iter().map(|case| &case.name))),
            Self::Enum(names) => format!("one of {}", keys(names)),
            Self::Flags(names) => format!("an array of {}", keys(names)),
            Self::Option(inner) if inner.is_nullable() => "{\"some\": value} or null".to_owned(),
            Self::Option(inner) => format!("{}, or null", inner.describe()),
            Self::Result { .. } => "{\"ok\": value} or {\"err\": value}".to_owned(),
        }
    }
}

fn integer(min: impl std::fmt::Display, max: impl std::fmt::Display) -> String {
    format!("an integer from {min} to {max}")
}

/// The names as JSON strings, so that a hostile one is visible and cannot break out of the message.
pub(crate) fn keys<'a>(names: impl IntoIterator<Item = &'a Name>) -> String {
    const SHOWN: usize = 20;
    let mut names = names.into_iter();
    let mut shown: Vec<String> = names.by_ref().take(SHOWN).map(|name| format!("{:?}", name.json)).collect();
    let rest = names.count();
    if rest > 0 {
        shown.push(format!("… ({rest} more)"));
    }
    shown.join(", ")
}
