//! From JSON to the engine's values.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use caplet_component::{Case, Field, Name, Tool, Type};
use serde_json::{Map, Number, Value};
use wasmtime::component::Val;

/// Standard base64 with padding. Bits that padding leaves over may be anything: a schema cannot speak about them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Why a document is not the input of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArgumentError {
    /// Where, innermost first: collected on the way out, so that the good case pays nothing.
    reversed: Vec<String>,
    expected: String,
    found: String,
}

impl ArgumentError {
    pub(crate) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { reversed: Vec::new(), expected: expected.into(), found: found.into() }
    }

    /// The same error, seen from the value that holds it under `key`.
    pub(crate) fn at(mut self, key: &str) -> Self {
        self.reversed.push(key.to_owned());
        self
    }

    /// The place as a JSON pointer; empty for the whole document.
    pub(crate) fn pointer(&self) -> String {
        let escape = |key: &String| format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        self.reversed.iter().rev().map(escape).collect()
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = self.pointer();
        let place = if pointer.is_empty() { "the arguments".to_owned() } else { format!("the argument {pointer:?}") };
        write!(f, "{place}: expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for ArgumentError {}

/// The parameters of `tool` from the object `input`, in the order that the function takes them.
pub(crate) fn arguments(tool: &Tool, input: &Value) -> Result<Vec<Val>, ArgumentError> {
    parameters(&tool.signature.parameters, input)
}

pub(super) fn parameters(expected: &[Field], input: &Value) -> Result<Vec<Val>, ArgumentError> {
    fields(expected, object(input, || describe_object(expected))?)
}

fn describe_object(fields: &[Field]) -> String {
    Type::Record(fields.to_vec()).describe()
}

/// The value of `json` as `ty`.
pub(super) fn value(ty: &Type, json: &Value) -> Result<Val, ArgumentError> {
    let mismatch = || ArgumentError::new(ty.describe(), found(json));
    match ty {
        Type::Bool => json.as_bool().map(Val::Bool).ok_or_else(mismatch),
        Type::S8 => integer(json).map(Val::S8).ok_or_else(mismatch),
        Type::U8 => integer(json).map(Val::U8).ok_or_else(mismatch),
        Type::S16 => integer(json).map(Val::S16).ok_or_else(mismatch),
        Type::U16 => integer(json).map(Val::U16).ok_or_else(mismatch),
        Type::S32 => integer(json).map(Val::S32).ok_or_else(mismatch),
        Type::U32 => integer(json).map(Val::U32).ok_or_else(mismatch),
        Type::S64 => long_integer(json).map(Val::S64).ok_or_else(mismatch),
        Type::U64 => long_integer(json).map(Val::U64).ok_or_else(mismatch),
        Type::F32 => float(json).and_then(narrow).map(Val::Float32).ok_or_else(mismatch),
        Type::F64 => float(json).map(Val::Float64).ok_or_else(mismatch),
        Type::Char => json.as_str().and_then(single_char).map(Val::Char).ok_or_else(mismatch),
        Type::String => json.as_str().map(|text| Val::String(text.to_owned())).ok_or_else(mismatch),
        Type::Bytes => json.as_str().and_then(bytes).map(Val::List).ok_or_else(mismatch),
        Type::List(item) => list(item, json.as_array().ok_or_else(mismatch)?),
        Type::Tuple(types) => {
            tuple(types, json.as_array().filter(|items| items.len() == types.len()).ok_or_else(mismatch)?)
        }
        Type::Record(parts) => {
            let values = fields(parts, object(json, || ty.describe())?)?;
            Ok(Val::Record(parts.iter().map(|field| field.name.wit.clone()).zip(values).collect()))
        }
        Type::Variant(cases) => variant(ty, cases, json),
        Type::Enum(names) => named(names, json).map(|name| Val::Enum(name.wit.clone())).ok_or_else(mismatch),
        Type::Flags(names) => flags(names, json.as_array().ok_or_else(mismatch)?),
        Type::Option(inner) => option(inner, json),
        Type::Result { ok, err } => result(ty, ok.as_deref(), err.as_deref(), json),
        _ => Err(mismatch()),
    }
}

/// What was found, in words: never the value itself, which may be large or private.
fn found(json: &Value) -> String {
    match json {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.len() <= 40 => format!("the string {text:?}"),
        Value::String(text) => format!("a string of {} bytes", text.len()),
        Value::Array(items) => format!("an array of {} items", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn object(json: &Value, expected: impl Fn() -> String) -> Result<&Map<String, Value>, ArgumentError> {
    json.as_object().ok_or_else(|| ArgumentError::new(expected(), found(json)))
}

/// The values of `fields` from the keys of `object`, which must have no other keys.
fn fields(fields: &[Field], object: &Map<String, Value>) -> Result<Vec<Val>, ArgumentError> {
    let mut present = 0;
    let mut values = Vec::with_capacity(fields.len());
    for field in fields {
        let key = field.name.json.as_str();
        match (object.get(key), &field.ty) {
            (Some(json), ty) => {
                present += 1;
                values.push(value(ty, json).map_err(|error| error.at(key))?);
            }
            (None, Type::Option(_)) => values.push(Val::Option(None)),
            (None, ty) => {
                let missing = || ArgumentError::new(ty.describe(), "nothing: it is required").at(key);
                // A key that is not known is most often this one, misspelled.
                return Err(unknown_key(fields, object).unwrap_or_else(missing));
            }
        }
    }
    if present < object.len()
        && let Some(error) = unknown_key(fields, object)
    {
        return Err(error);
    }
    Ok(values)
}

fn unknown_key(fields: &[Field], object: &Map<String, Value>) -> Option<ArgumentError> {
    let known: HashSet<&str> = fields.iter().map(|field| field.name.json.as_str()).collect();
    let unknown = object.keys().find(|key| !known.contains(key.as_str()))?;
    let expected = if fields.is_empty() { "an empty object".to_owned() } else { describe_object(fields) };
    let shown: String = unknown.chars().take(80).collect();
    Some(ArgumentError::new(expected, format!("the unknown key {shown:?}")))
}

/// A whole number, also one that is written as a float: JSON Schema calls 1.0 an integer.
fn integer<T: TryFrom<i128>>(json: &Value) -> Option<T> {
    match json {
        Value::Number(number) => T::try_from(whole(number)?).ok(),
        _ => None,
    }
}

fn whole(number: &Number) -> Option<i128> {
    if let Some(small) = number.as_i64() {
        return Some(small.into());
    }
    if let Some(large) = number.as_u64() {
        return Some(large.into());
    }
    let float = number.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "it is a whole number, and a cast beyond the range saturates")]
    let whole = float as i128;
    (float.fract() == 0.0).then_some(whole)
}

/// As [`integer`], or a string of decimal digits.
fn long_integer<T: TryFrom<i128>>(json: &Value) -> Option<T> {
    let Value::String(text) = json else {
        return integer(json);
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal = !digits.is_empty() && digits.len() <= 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i128 = if is_decimal { text.parse().ok()? } else { return None };
    T::try_from(number).ok()
}

fn float(json: &Value) -> Option<f64> {
    match json {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// The nearest single-precision number; none for a finite number beyond its range.
fn narrow(number: f64) -> Option<f32> {
    let in_range = !number.is_finite() || number.abs() <= f64::from(f32::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest is what the type asks for")]
    let narrowed = number as f32;
    in_range.then_some(narrowed)
}

fn single_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

fn bytes(text: &str) -> Option<Vec<Val>> {
    BASE64.decode(text).ok().map(|bytes| bytes.into_iter().map(Val::U8).collect())
}

fn list(item: &Type, items: &[Value]) -> Result<Val, ArgumentError> {
    let convert = |(index, json): (usize, &Value)| value(item, json).map_err(|error| error.at(&index.to_string()));
    items.iter().enumerate().map(convert).collect::<Result<_, _>>().map(Val::List)
}

fn tuple(types: &[Type], items: &[Value]) -> Result<Val, ArgumentError> {
    let convert =
        |(index, (ty, json)): (usize, (&Type, &Value))| value(ty, json).map_err(|error| error.at(&index.to_string()));
    types.iter().zip(items).enumerate().map(convert).collect::<Result<_, _>>().map(Val::Tuple)
}

fn variant(ty: &Type, cases: &[Case], json: &Value) -> Result<Val, ArgumentError> {
    let mismatch = || ArgumentError::new(ty.describe(), found(json));
    let case = |key: &str| cases.iter().find(|case| case.name.json == key);
    match json {
        Value::String(key) => match case(key) {
            Some(Case { name, ty: None, .. }) => Ok(Val::Variant(name.wit.clone(), None)),
            Some(Case { ty: Some(payload), .. }) => {
                let expected = format!("{{{key:?}: value}}, where the value is {}", payload.describe());
                Err(ArgumentError::new(expected, found(json)))
            }
            None => Err(mismatch()),
        },
        Value::Object(object) => {
            let (key, json) = only_entry(object).ok_or_else(mismatch)?;
            let case = case(key).ok_or_else(|| ArgumentError::new(ty.describe(), format!("the key {key:?}")))?;
            let payload = optional_payload(case.ty.as_ref(), json).map_err(|error| error.at(key))?;
            Ok(Val::Variant(case.name.wit.clone(), payload))
        }
        _ => Err(mismatch()),
    }
}

fn only_entry(object: &Map<String, Value>) -> Option<(&String, &Value)> {
    let mut entries = object.iter();
    let only = entries.next()?;
    entries.next().is_none().then_some(only)
}

/// A payload of the type, or null where there is none.
fn optional_payload(ty: Option<&Type>, json: &Value) -> Result<Option<Box<Val>>, ArgumentError> {
    match (ty, json) {
        (Some(ty), json) => value(ty, json).map(|value| Some(Box::new(value))),
        (None, Value::Null) => Ok(None),
        (None, json) => Err(ArgumentError::new("null", found(json))),
    }
}

fn named<'n>(names: &'n [Name], json: &Value) -> Option<&'n Name> {
    let text = json.as_str()?;
    names.iter().find(|name| name.json == text)
}

fn flags(names: &[Name], items: &[Value]) -> Result<Val, ArgumentError> {
    let mut set: Vec<String> = Vec::with_capacity(items.len().min(names.len()));
    for (index, item) in items.iter().enumerate() {
        let error = |found: String| {
            let expected = format!("one of {}, each at most once", quoted(names));
            ArgumentError::new(expected, found).at(&index.to_string())
        };
        let name = named(names, item).ok_or_else(|| error(found(item)))?;
        if set.contains(&name.wit) {
            return Err(error(format!("{:?} again", name.json)));
        }
        set.push(name.wit.clone());
    }
    Ok(Val::Flags(set))
}

fn quoted(names: &[Name]) -> String {
    names.iter().map(|name| format!("{:?}", name.json)).collect::<Vec<_>>().join(", ")
}

fn option(inner: &Type, json: &Value) -> Result<Val, ArgumentError> {
    if json.is_null() {
        return Ok(Val::Option(None));
    }
    if !inner.is_nullable() {
        return value(inner, json).map(|value| Val::Option(Some(Box::new(value))));
    }
    match json.as_object().and_then(only_entry) {
        Some((key, json)) if key == "some" => {
            value(inner, json).map(|value| Val::Option(Some(Box::new(value)))).map_err(|error| error.at("some"))
        }
        _ => Err(ArgumentError::new("{\"some\": value} or null", found(json))),
    }
}

fn result(ty: &Type, ok: Option<&Type>, err: Option<&Type>, json: &Value) -> Result<Val, ArgumentError> {
    match json.as_object().and_then(only_entry) {
        Some((key, json)) if key == "ok" => {
            optional_payload(ok, json).map(|value| Val::Result(Ok(value))).map_err(|error| error.at("ok"))
        }
        Some((key, json)) if key == "err" => {
            optional_payload(err, json).map(|value| Val::Result(Err(value))).map_err(|error| error.at("err"))
        }
        _ => Err(ArgumentError::new(ty.describe(), found(json))),
    }
}
