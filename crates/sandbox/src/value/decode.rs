//! From the engine's values to JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caplet_component::{Name, Type};
use serde_json::{Map, Number, Value};
use wasmtime::component::Val;

/// Why a result has no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OutputError {
    /// It is larger than the output may be.
    TooLarge,
    /// The engine returned a value that the type does not have.
    Invalid(String),
}

/// The JSON of `value`, of about `room` bytes at most.
pub(crate) fn output(ty: &Type, value: &Val, room: u64) -> Result<Value, OutputError> {
    Writer { room }.value(ty, value)
}

/// Counts what the document will take when it is written out, within a few percent.
struct Writer {
    room: u64,
}

impl Writer {
    fn spend(&mut self, bytes: usize) -> Result<(), OutputError> {
        let left = u64::try_from(bytes).ok().and_then(|bytes| self.room.checked_sub(bytes));
        self.room = left.ok_or(OutputError::TooLarge)?;
        Ok(())
    }

    fn value(&mut self, ty: &Type, value: &Val) -> Result<Value, OutputError> {
        match (ty, value) {
            (Type::Bool, Val::Bool(value)) => self.scalar(*value),
            (Type::S8, Val::S8(value)) => self.scalar(*value),
            (Type::U8, Val::U8(value)) => self.scalar(*value),
            (Type::S16, Val::S16(value)) => self.scalar(*value),
            (Type::U16, Val::U16(value)) => self.scalar(*value),
            (Type::S32, Val::S32(value)) => self.scalar(*value),
            (Type::U32, Val::U32(value)) => self.scalar(*value),
            (Type::S64, Val::S64(value)) => self.scalar(*value),
            (Type::U64, Val::U64(value)) => self.scalar(*value),
            (Type::F32, Val::Float32(value)) => {
                // The digits of the single-precision number, not those of the double that is nearest to it.
                let digits = value.to_string();
                self.float(if value.is_finite() { digits.parse().unwrap_or(f64::NAN) } else { f64::from(*value) })
            }
            (Type::F64, Val::Float64(value)) => self.float(*value),
            (Type::Char, Val::Char(value)) => self.text(value.to_string()),
            (Type::String, Val::String(value)) => {
                self.spend(value.len().saturating_add(2))?;
                Ok(Value::String(value.clone()))
            }
            (Type::Bytes, Val::List(items)) => self.bytes(items),
            (Type::List(item), Val::List(items)) => self.items(items.iter().map(|value| (&**item, value)), items.len()),
            (Type::Tuple(types), Val::Tuple(items)) if types.len() == items.len() => {
                self.items(types.iter().zip(items), items.len())
            }
            (Type::Record(fields), Val::Record(values)) if fields.len() == values.len() => {
                let mut object = Map::new();
                for (field, (_, value)) in fields.iter().zip(values) {
                    let value = self.value(&field.ty, value)?;
                    self.insert(&mut object, &field.name.json, value)?;
                }
                Ok(Value::Object(object))
            }
            (Type::Variant(cases), Val::Variant(name, payload)) => {
                let case = cases.iter().find(|case| case.name.wit == *name).ok_or_else(unknown_name)?;
                match (&case.ty, payload) {
                    (Some(ty), Some(value)) => self.tagged(&case.name.json, ty, value),
                    _ => self.text(case.name.json.clone()),
                }
            }
            (Type::Enum(names), Val::Enum(name)) => self.text(json_name(names, name)?),
            (Type::Flags(names), Val::Flags(set)) => {
                let set = set.iter().map(|name| self.text(json_name(names, name)?));
                set.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            (Type::Option(_), Val::Option(None)) => self.null(),
            (Type::Option(inner), Val::Option(Some(value))) if inner.is_nullable() => self.tagged("some", inner, value),
            (Type::Option(inner), Val::Option(Some(value))) => self.value(inner, value),
            (Type::Result { ok, .. }, Val::Result(Ok(value))) => self.side("ok", ok.as_deref(), value.as_deref()),
            (Type::Result { err, .. }, Val::Result(Err(value))) => self.side("err", err.as_deref(), value.as_deref()),
            _ => Err(OutputError::Invalid("the result is not of the function's type".to_owned())),
        }
    }

    fn scalar(&mut self, value: impl Into<Value>) -> Result<Value, OutputError> {
        // A number and the comma after it take two bytes or more.
        self.spend(2)?;
        Ok(value.into())
    }

    fn null(&mut self) -> Result<Value, OutputError> {
        self.spend(4)?;
        Ok(Value::Null)
    }

    fn float(&mut self, value: f64) -> Result<Value, OutputError> {
        match Number::from_f64(value) {
            Some(number) => self.scalar(Value::Number(number)),
            None if value.is_nan() => self.text("NaN".to_owned()),
            None if value > 0.0 => self.text("Infinity".to_owned()),
            None => self.text("-Infinity".to_owned()),
        }
    }

    fn text(&mut self, text: String) -> Result<Value, OutputError> {
        self.spend(text.len().saturating_add(3))?;
        Ok(Value::String(text))
    }

    fn bytes(&mut self, items: &[Val]) -> Result<Value, OutputError> {
        self.spend(items.len().saturating_add(items.len() / 3))?;
        let byte = |item: &Val| match item {
            Val::U8(byte) => Ok(*byte),
            _ => Err(OutputError::Invalid("a byte of the result is not a byte".to_owned())),
        };
        let bytes = items.iter().map(byte).collect::<Result<Vec<u8>, _>>()?;
        Ok(Value::String(STANDARD.encode(bytes)))
    }

    fn items<'a>(
        &mut self,
        items: impl Iterator<Item = (&'a Type, &'a Val)>,
        count: usize,
    ) -> Result<Value, OutputError> {
        // Refused before the array is allocated, not after.
        self.spend(count.saturating_add(2))?;
        let mut array = Vec::with_capacity(count);
        for (ty, value) in items {
            array.push(self.value(ty, value)?);
        }
        Ok(Value::Array(array))
    }

    fn insert(&mut self, object: &mut Map<String, Value>, key: &str, value: Value) -> Result<(), OutputError> {
        self.spend(key.len().saturating_add(4))?;
        object.insert(key.to_owned(), value);
        Ok(())
    }

    fn tagged(&mut self, key: &str, ty: &Type, value: &Val) -> Result<Value, OutputError> {
        let value = self.value(ty, value)?;
        let mut object = Map::new();
        self.insert(&mut object, key, value)?;
        Ok(Value::Object(object))
    }

    fn side(&mut self, key: &str, ty: Option<&Type>, value: Option<&Val>) -> Result<Value, OutputError> {
        match (ty, value) {
            (Some(ty), Some(value)) => self.tagged(key, ty, value),
            _ => {
                let mut object = Map::new();
                self.insert(&mut object, key, Value::Null)?;
                Ok(Value::Object(object))
            }
        }
    }
}

fn unknown_name() -> OutputError {
    OutputError::Invalid("the result has a case that the function's type has not".to_owned())
}

fn json_name(names: &[Name], wit: &str) -> Result<String, OutputError> {
    names.iter().find(|name| name.wit == wit).map(|name| name.json.clone()).ok_or_else(unknown_name)
}
