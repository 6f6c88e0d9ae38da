//! Types as JSON Schema (draft 2020-12).
//!
//! What always holds: a document that satisfies the schema of a type converts to a value of that type, and a document that
//! does not is refused; a property test over generated types states it. The one exception is a 64-bit integer written as a
//! string, whose range a schema cannot state in a readable way.

use serde_json::{Map, Value, json};

use crate::types::{Case, Field, Name, Signature, Type};

/// Base64 with padding, in groups of four.
const BASE64_PATTERN: &str = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";

impl Type {
    /// The schema that JSON documents of this type satisfy.
    #[must_use]
    pub fn schema(&self) -> Value {
        match self {
            Self::Bool => json!({"type": "boolean"}),
            Self::S8 => integer(i8::MIN.into(), i8::MAX.into()),
            Self::U8 => integer(u8::MIN.into(), u8::MAX.into()),
            Self::S16 => integer(i16::MIN.into(), i16::MAX.into()),
            Self::U16 => integer(u16::MIN.into(), u16::MAX.into()),
            Self::S32 => integer(i32::MIN.into(), i32::MAX.into()),
            Self::U32 => integer(u32::MIN.into(), u32::MAX.into()),
            Self::S64 => long_integer("int64", json!(i64::MIN), json!(i64::MAX), "^-?[0-9]{1,19}$"),
            Self::U64 => long_integer("uint64", json!(u64::MIN), json!(u64::MAX), "^[0-9]{1,20}$"),
            Self::F32 => {
                float(json!({"type": "number", "minimum": f64::from(f32::MIN), "maximum": f64::from(f32::MAX)}))
            }
            Self::F64 => float(json!({"type": "number"})),
            Self::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
            Self::String => json!({"type": "string"}),
            Self::Bytes => json!({"type": "string", "contentEncoding": "base64", "pattern": BASE64_PATTERN}),
            Self::List(item) => json!({"type": "array", "items": item.schema()}),
            Self::Tuple(items) => {
                let prefix: Vec<Value> = items.iter().map(Self::schema).collect();
                json!({"type": "array", "prefixItems": prefix, "items": false,
                       "minItems": items.len(), "maxItems": items.len()})
            }
            Self::Record(fields) => object(fields),
            Self::Variant(cases) => variant(cases),
            Self::Enum(names) => json!({"type": "string", "enum": strings(names)}),
            Self::Flags(names) => {
                json!({"type": "array", "items": {"type": "string", "enum": strings(names)}, "uniqueItems": true})
            }
            Self::Option(inner) if inner.is_nullable() => nullable(one_key(vec![("some".to_owned(), inner.schema())])),
            Self::Option(inner) => nullable(inner.schema()),
            Self::Result { ok, err } => {
                one_key(vec![("ok".to_owned(), payload(ok.as_deref())), ("err".to_owned(), payload(err.as_deref()))])
            }
        }
    }
}

impl Signature {
    /// The schema of the input object: one property for each parameter.
    #[must_use]
    pub fn input_schema(&self) -> Value {
        object(&self.parameters)
    }

    /// The schema of the output, if the function gives one.
    #[must_use]
    pub fn output_schema(&self) -> Option<Value> {
        self.output().map(Type::schema)
    }
}

fn integer(min: i64, max: i64) -> Value {
    json!({"type": "integer", "minimum": min, "maximum": max})
}

fn long_integer(format: &str, min: Value, max: Value, pattern: &str) -> Value {
    // Many JSON writers hold numbers as doubles and lose digits beyond 2^53; a string keeps them.
    json!({"anyOf": [
        {"type": "integer", "format": format, "minimum": min, "maximum": max},
        {"type": "string", "pattern": pattern},
    ]})
}

fn float(number: Value) -> Value {
    json!({"anyOf": [number, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}]})
}

fn object(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        properties.insert(field.name.json.clone(), described(field.ty.schema(), field.description.as_deref()));
        if !field.ty.is_nullable() {
            required.push(Value::from(field.name.json.as_str()));
        }
    }
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if let Some(schema) = schema.as_object_mut()
        && !required.is_empty()
    {
        schema.insert("required".to_owned(), Value::Array(required));
    }
    schema
}

fn variant(cases: &[Case]) -> Value {
    let bare: Vec<&Name> = cases.iter().filter(|case| case.ty.is_none()).map(|case| &case.name).collect();
    let tagged = one_key(
        cases
            .iter()
            .map(|case| (case.name.json.clone(), described(payload(case.ty.as_ref()), case.description.as_deref())))
            .collect(),
    );
    if bare.is_empty() {
        return tagged;
    }
    json!({"anyOf": [{"type": "string", "enum": strings(bare)}, tagged]})
}

/// An object that has exactly one of these properties.
fn one_key(properties: Vec<(String, Value)>) -> Value {
    let properties: Map<String, Value> = properties.into_iter().collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false,
           "minProperties": 1, "maxProperties": 1})
}

fn payload(ty: Option<&Type>) -> Value {
    ty.map_or_else(|| json!({"type": "null"}), Type::schema)
}

/// `schema` or null. Not as a list of types: some clients take a `type` for one word only.
fn nullable(mut schema: Value) -> Value {
    let nothing = json!({"type": "null"});
    match schema.get_mut("anyOf") {
        Some(Value::Array(alternatives)) => {
            alternatives.push(nothing);
            schema
        }
        _ => json!({"anyOf": [schema, nothing]}),
    }
}

fn described(mut schema: Value, description: Option<&str>) -> Value {
    if let (Some(schema), Some(text)) = (schema.as_object_mut(), description) {
        schema.insert("description".to_owned(), Value::from(text));
    }
    schema
}

fn strings<'a>(names: impl IntoIterator<Item = &'a Name>) -> Vec<&'a str> {
    names.into_iter().map(|name| name.json.as_str()).collect()
}
