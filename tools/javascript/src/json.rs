//! A value as JSON text, and notes on what JSON cannot say.

use std::fmt::Write;

use rquickjs::{Coerced, Ctx, Object, Value};

use crate::inspect;
use crate::kinds::{self, Kind};
use crate::output::Ends;
use crate::state::{State, VALUE_LIMIT};

/// Levels of nesting that are written; the engine's own stack ends not far beyond.
const MAX_DEPTH: usize = 256;

/// Writes `value`. Whatever the program's getters and `toJSON` throw becomes a text in its place.
pub(crate) fn text<'js>(ctx: &Ctx<'js>, state: &State, value: &Value<'js>) -> String {
    let mut writer = Writer { ctx, state, out: Ends::new(VALUE_LIMIT), above: Vec::new() };
    if value.is_undefined() {
        state.note("The value is undefined, given as null.");
    }
    writer.value(value);
    if !writer.out.overflowed() {
        return writer.out.finish("the value");
    }
    let bytes = writer.out.total();
    state.note(format!(
        "The value's JSON text has {bytes} bytes, more than {VALUE_LIMIT}: `value` is a JSON string of its beginning and end. Return \
         less, or write it to a file."
    ));
    let mut quoted = String::new();
    quote(&writer.out.finish("the value"), &mut quoted);
    quoted
}

struct Writer<'a, 'js> {
    ctx: &'a Ctx<'js>,
    state: &'a State,
    out: Ends,
    /// The objects that this one is inside of.
    above: Vec<Value<'js>>,
}

impl<'js> Writer<'_, 'js> {
    fn value(&mut self, value: &Value<'js>) {
        if self.state.stopped().is_some() {
            return;
        }
        if let Some(flag) = value.as_bool() {
            self.out.push(if flag { "true" } else { "false" });
        } else if value.is_number() {
            self.number(value);
        } else if let Some(string) = value.as_string() {
            match kinds::text(self.ctx, self.state, string) {
                Ok(text) => self.quoted(&text),
                Err(_) => self.failed(),
            }
        } else if value.is_big_int() {
            self.state.note("A BigInt is given as a string of its digits.");
            let digits = inspect::one(self.ctx, self.state, value);
            self.quoted(digits.trim_end_matches('n'));
        } else if value.is_symbol() {
            self.described("A symbol", value);
        } else if let Some(object) = value.as_object() {
            self.nested(value, object);
        } else {
            self.out.push("null");
        }
    }

    fn number(&mut self, value: &Value<'js>) {
        if let Some(int) = value.as_int() {
            let _ = write!(self.out, "{int}");
            return;
        }
        if value.as_number().is_some_and(f64::is_finite) {
            // The engine writes numbers as the language says: `1e+21`, and -0 as 0.
            match value.get::<Coerced<String>>() {
                Ok(text) => self.out.push(&text.0),
                Err(_) => self.failed(),
            }
        } else {
            self.state.note("NaN and Infinity are given as null.");
            self.out.push("null");
        }
    }

    fn nested(&mut self, value: &Value<'js>, object: &Object<'js>) {
        if self.above.contains(value) {
            self.state.note("An object that contains itself is given as \"[Circular]\" there.");
            return self.quoted("[Circular]");
        }
        if self.above.len() >= MAX_DEPTH {
            self.state.note(format!("Below {MAX_DEPTH} levels of nesting, a value is given as \"[…]\"."));
            return self.quoted("[…]");
        }
        self.above.push(value.clone());
        self.object(value, object);
        self.above.pop();
    }

    fn object(&mut self, value: &Value<'js>, object: &Object<'js>) {
        match kinds::of(self.ctx, self.state, object) {
            Kind::Array(array) => self.list((0..array.len()).map(|at| array.get::<Value<'js>>(at))),
            Kind::Map(pairs) => self.map(pairs),
            Kind::Set(items) => {
                self.state.note("A Set is given as an array.");
                self.list(items.into_iter().map(Ok));
            }
            Kind::Date(date) => match date {
                Some(date) => self.quoted(&date),
                None => self.out.push("null"),
            },
            Kind::RegExp(text) => self.quoted(&text),
            Kind::Error => self.error(object),
            Kind::Function(_) => self.described("A function", value),
            Kind::Promise => self.described("A promise inside of the value is not awaited; it", value),
            Kind::Typed(length) => {
                self.state.note("A typed array is given as an array of its numbers.");
                self.list((0..length).map(|at| object.get::<u32, Value<'js>>(u32::try_from(at).unwrap_or(u32::MAX))));
            }
            Kind::Bytes(bytes) => {
                self.state.note("An ArrayBuffer is given as an array of its bytes.");
                let mut first = true;
                self.out.push("[");
                for byte in bytes {
                    let _ = write!(self.out, "{}{byte}", if first { "" } else { "," });
                    first = false;
                }
                self.out.push("]");
            }
            Kind::Object => self.plain(object),
        }
    }

    fn list(&mut self, items: impl Iterator<Item = rquickjs::Result<Value<'js>>>) {
        self.out.push("[");
        for (at, item) in items.enumerate() {
            if self.state.stopped().is_some() {
                return;
            }
            if at > 0 {
                self.out.push(",");
            }
            match item {
                Ok(item) => self.value(&item),
                Err(_) => self.failed(),
            }
        }
        self.out.push("]");
    }

    fn map(&mut self, pairs: Vec<(Value<'js>, Value<'js>)>) {
        if !pairs.iter().all(|(key, _)| key.is_string()) {
            self.state.note("A Map whose keys are not all strings is given as an array of [key, value].");
            self.out.push("[");
            for (at, (key, value)) in pairs.into_iter().enumerate() {
                if at > 0 {
                    self.out.push(",");
                }
                self.list([Ok(key), Ok(value)].into_iter());
            }
            return self.out.push("]");
        }
        self.state.note("A Map is given as an object.");
        self.out.push("{");
        for (at, (key, value)) in pairs.into_iter().enumerate() {
            if at > 0 {
                self.out.push(",");
            }
            self.value(&key);
            self.out.push(":");
            self.value(&value);
        }
        self.out.push("}");
    }

    fn error(&mut self, error: &Object<'js>) {
        self.state.note("An Error is given as its text.");
        self.quoted(&crate::failure::summary(self.ctx, error));
    }

    fn plain(&mut self, object: &Object<'js>) {
        if let Ok(to_json) = object.get::<_, Value<'js>>("toJSON")
            && let Some(function) = to_json.as_function()
        {
            return match function.call::<_, Value<'js>>((rquickjs::function::This(object.clone()), "")) {
                Ok(other) if !self.above.contains(&other) => self.value(&other),
                Ok(_) => self.out.push("{}"),
                Err(_) => self.failed(),
            };
        }
        drop(self.ctx.catch());
        let mut first = true;
        self.out.push("{");
        for key in object.keys::<rquickjs::Atom<'js>>() {
            let Ok(key) = key else { break };
            let member = object.get::<_, Value<'js>>(key.clone());
            // As JSON does: what has no value is left out.
            if member.as_ref().is_ok_and(Value::is_undefined) {
                continue;
            }
            if !first {
                self.out.push(",");
            }
            first = false;
            match key.to_js_string().and_then(|name| kinds::text(self.ctx, self.state, &name)) {
                Ok(name) => self.quoted(&name),
                Err(_) => self.failed(),
            }
            self.out.push(":");
            match member {
                Ok(member) => self.value(&member),
                Err(_) => self.failed(),
            }
        }
        drop(self.ctx.catch());
        self.out.push("}");
    }

    fn described(&mut self, what: &str, value: &Value<'js>) {
        self.state.note(format!("{what} is given as a description in a string."));
        let text = inspect::one(self.ctx, self.state, value);
        self.quoted(&text);
    }

    /// In the place of what threw.
    fn failed(&mut self) {
        let reason = self.ctx.catch();
        self.state.note("Reading a part of the value threw: it is given as \"[Throws: …]\".");
        let text = format!("[Throws: {}]", inspect::one(self.ctx, self.state, &reason));
        self.quoted(&text);
    }

    fn quoted(&mut self, text: &str) {
        quote(text, &mut self.out);
    }
}

/// Writes a JSON string.
pub(crate) fn quote(text: &str, out: &mut impl Write) {
    let _ = out.write_char('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        let _ = out.write_str(text.get(from..at).unwrap_or_default());
        let _ = if escape.is_empty() { write!(out, "\\u{byte:04x}") } else { out.write_str(escape) };
        from = at + 1;
    }
    let _ = out.write_str(text.get(from..).unwrap_or_default());
    let _ = out.write_char('"');
}
