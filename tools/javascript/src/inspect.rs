//! Values as a person reads them: what `console.log` prints, much like Node.js does.

use std::fmt::Write;

use rquickjs::{Atom, Coerced, Ctx, Object, Value};

use crate::failure;
use crate::kinds::{self, Kind};
use crate::output::Ends;
use crate::state::State;

/// Levels below the outermost object that are shown, items of a list, and characters of a string inside of an object, as in Node.js.
const DEPTH: usize = 2;
const ITEMS: usize = 100;
const STRING: usize = 10_000;
/// Characters of an object on one line.
const LINE: usize = 72;
/// Bytes of one value's text.
const LIMIT: usize = 128 * 1024;

/// One value inside of a sentence or an object: strings are quoted.
pub(crate) fn one<'js>(ctx: &Ctx<'js>, state: &State, value: &Value<'js>) -> String {
    deep(ctx, state, value, DEPTH)
}

/// The same to another depth.
pub(crate) fn deep<'js>(ctx: &Ctx<'js>, state: &State, value: &Value<'js>, depth: usize) -> String {
    let mut inspector = Inspector { ctx, state, above: Vec::new(), depth: depth.min(20), spent: 0 };
    let mut out = Ends::new(LIMIT);
    out.push(&inspector.value(value));
    out.finish("a value")
}

/// The arguments of `console.log` as a line, with `%` formats in the first if it is a string.
pub(crate) fn line<'js>(ctx: &Ctx<'js>, state: &State, arguments: &[Value<'js>]) -> String {
    let mut rest = arguments;
    let mut out = String::new();
    if let [first, others @ ..] = arguments
        && let Some(string) = first.as_string()
        && let Ok(text) = kinds::text(ctx, state, string)
    {
        rest = others;
        if others.is_empty() || !text.contains('%') {
            out = text;
        } else {
            let used = format(ctx, state, &text, others, &mut out);
            rest = others.get(used..).unwrap_or_default();
        }
        if !rest.is_empty() {
            out.push(' ');
        }
    }
    for (at, value) in rest.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(&plain(ctx, state, value));
    }
    out
}

/// A string as it is, anything else inspected.
fn plain<'js>(ctx: &Ctx<'js>, state: &State, value: &Value<'js>) -> String {
    match value.as_string().map(|string| kinds::text(ctx, state, string)) {
        Some(Ok(text)) => text,
        Some(Err(_)) => failed(ctx),
        None => one(ctx, state, value),
    }
}

/// Fills a format; gives how many arguments it took.
fn format<'js>(ctx: &Ctx<'js>, state: &State, text: &str, arguments: &[Value<'js>], out: &mut String) -> usize {
    let (mut used, mut parts) = (0, text.split('%'));
    out.push_str(parts.next().unwrap_or_default());
    let mut literal = false;
    for part in parts {
        let mut letters = part.chars();
        let letter = letters.next();
        if literal || !matches!(letter, Some('s' | 'd' | 'i' | 'f' | 'j' | 'o' | 'O' | 'c')) || used >= arguments.len()
        {
            // `%%` is one `%`, whose second half begins an empty part.
            if !literal {
                literal = part.is_empty();
                out.push('%');
            } else {
                literal = false;
            }
            out.push_str(part);
            continue;
        }
        let Some(argument) = arguments.get(used) else { continue };
        used += 1;
        match letter {
            Some('s') => out.push_str(&plain(ctx, state, argument)),
            Some('d' | 'i' | 'f') => out.push_str(&number(ctx, argument, letter == Some('i'))),
            Some('j') => out.push_str(&json(ctx, argument)),
            Some('c') => {}
            _ => out.push_str(&one(ctx, state, argument)),
        }
        out.push_str(letters.as_str());
    }
    used
}

fn number<'js>(ctx: &Ctx<'js>, value: &Value<'js>, whole: bool) -> String {
    match value.get::<Coerced<f64>>() {
        Ok(number) if whole && number.0.is_finite() => number.0.trunc().to_string(),
        Ok(number) if number.0.is_nan() => "NaN".to_owned(),
        Ok(number) => number.0.to_string(),
        Err(_) => failed(ctx),
    }
}

fn json<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> String {
    match ctx.json_stringify(value.clone()).and_then(|text| text.map(|text| text.to_string()).transpose()) {
        Ok(text) => text.unwrap_or_else(|| "undefined".to_owned()),
        Err(_) => failed(ctx),
    }
}

/// In the place of what threw while it was read.
fn failed(ctx: &Ctx<'_>) -> String {
    let reason = ctx.catch();
    match reason.as_object().filter(|_| reason.is_error()) {
        Some(error) => format!("[Throws: {}]", failure::summary(ctx, error)),
        None => "[Throws]".to_owned(),
    }
}

struct Inspector<'a, 'js> {
    ctx: &'a Ctx<'js>,
    state: &'a State,
    above: Vec<Value<'js>>,
    depth: usize,
    /// Bytes made so far: when there are more than can be shown, the rest is not looked at.
    spent: usize,
}

impl<'js> Inspector<'_, 'js> {
    fn value(&mut self, value: &Value<'js>) -> String {
        let text = self.any(value);
        self.spent += text.len();
        text
    }

    fn any(&mut self, value: &Value<'js>) -> String {
        if let Some(string) = value.as_string() {
            return match kinds::text(self.ctx, self.state, string) {
                Ok(text) => quoted(&text),
                Err(_) => failed(self.ctx),
            };
        }
        if value.is_big_int() {
            return self.coerced(value) + "n";
        }
        if let Some(symbol) = value.as_symbol() {
            let description = symbol.description().ok().and_then(|text| text.get::<Coerced<String>>().ok());
            return format!("Symbol({})", description.map(|text| text.0).unwrap_or_default());
        }
        if value.as_float().is_some_and(|float| float == 0.0 && float.is_sign_negative()) {
            return "-0".to_owned();
        }
        match value.as_object() {
            Some(object) => self.object(value, object),
            None => self.coerced(value),
        }
    }

    fn coerced(&self, value: &Value<'js>) -> String {
        if value.is_undefined() {
            return "undefined".to_owned();
        }
        value.get::<Coerced<String>>().map_or_else(|_| failed(self.ctx), |text| text.0)
    }

    fn object(&mut self, value: &Value<'js>, object: &Object<'js>) -> String {
        if self.above.contains(value) {
            return "[Circular]".to_owned();
        }
        let kind = kinds::of(self.ctx, self.state, object);
        let name = self.class(object);
        let nested = self.above.len() > self.depth || self.spent > LIMIT;
        match kind {
            Kind::Function(name) => self.function(value, &name),
            Kind::Date(date) => date.unwrap_or_else(|| "Invalid Date".to_owned()),
            Kind::RegExp(text) => text,
            Kind::Promise => self.promise(value),
            Kind::Error => self.error(object),
            Kind::Array(_) if nested => "[Array]".to_owned(),
            _ if nested => format!("[{}]", name.as_deref().unwrap_or("Object")),
            kind => {
                self.above.push(value.clone());
                let text = self.members(object, kind, name);
                self.above.pop();
                text
            }
        }
    }

    fn members(&mut self, object: &Object<'js>, kind: Kind<'js>, name: Option<String>) -> String {
        let name = name.unwrap_or_default();
        match kind {
            Kind::Array(array) => {
                let length = array.len();
                let items = self.items((0..length.min(ITEMS)).map(|at| array.get::<Value<'js>>(at)), length);
                let prefix = if name == "Array" { String::new() } else { format!("{name}({length}) ") };
                self.wrap(&prefix, '[', items, ']')
            }
            Kind::Typed(length) => {
                let at = |at: usize| object.get::<u32, Value<'js>>(u32::try_from(at).unwrap_or(u32::MAX));
                let items = self.items((0..length.min(ITEMS)).map(at), length);
                self.wrap(&format!("{name}({length}) "), '[', items, ']')
            }
            Kind::Bytes(bytes) => {
                let hex: Vec<String> = bytes.iter().take(50).map(|byte| format!("{byte:02x}")).collect();
                let more =
                    if bytes.len() > 50 { format!(" ... {} more bytes", bytes.len() - 50) } else { String::new() };
                format!("{name} {{ <{}{more}>, byteLength: {} }}", hex.join(" "), bytes.len())
            }
            Kind::Set(set) => {
                let length = set.len();
                let items = self.items(set.into_iter().take(ITEMS).map(Ok), length);
                self.wrap(&format!("{name}({length}) "), '{', items, '}')
            }
            Kind::Map(map) => {
                let length = map.len();
                let pair =
                    |(key, value): (Value<'js>, Value<'js>)| format!("{} => {}", self.value(&key), self.value(&value));
                let mut items: Vec<String> = map.into_iter().take(ITEMS).map(pair).collect();
                more(&mut items, length);
                self.wrap(&format!("{name}({length}) "), '{', items, '}')
            }
            _ => {
                let prefix = match name.as_str() {
                    "Object" => String::new(),
                    "" => "[Object: null prototype] ".to_owned(),
                    name => format!("{name} "),
                };
                let items = self.properties(object);
                self.wrap(&prefix, '{', items, '}')
            }
        }
    }

    fn items(&mut self, items: impl Iterator<Item = rquickjs::Result<Value<'js>>>, length: usize) -> Vec<String> {
        let mut shown = Vec::new();
        for item in items {
            shown.push(match item {
                Ok(item) => self.value(&item),
                Err(_) => failed(self.ctx),
            });
        }
        more(&mut shown, length);
        shown
    }

    fn properties(&mut self, object: &Object<'js>) -> Vec<String> {
        let keys: Vec<Atom<'js>> = object.keys::<Atom<'js>>().map_while(Result::ok).collect();
        drop(self.ctx.catch());
        let mut shown = Vec::new();
        for key in keys.iter().take(ITEMS) {
            let Ok(name) = key.to_string() else { continue };
            let name = if is_identifier(&name) { name } else { quoted(&name) };
            let text = match object.get::<_, Value<'js>>(key.clone()) {
                Ok(member) => self.value(&member),
                Err(_) => failed(self.ctx),
            };
            shown.push(format!("{name}: {text}"));
        }
        more(&mut shown, keys.len());
        shown
    }

    /// The name of what made the object; `None` if it has no prototype.
    fn class(&self, object: &Object<'js>) -> Option<String> {
        // A proxy answers with what the program likes, also by throwing where the engine expects none to.
        if object.as_value().is_proxy() {
            return Some("Proxy".to_owned());
        }
        object.get_prototype()?;
        let constructor = object.get::<_, Option<Object<'js>>>("constructor");
        let name = constructor.and_then(|class| class.map(|class| class.get::<_, Coerced<String>>("name")).transpose());
        match name {
            Ok(name) => {
                Some(name.map(|name| name.0).filter(|name| !name.is_empty()).unwrap_or_else(|| "Object".to_owned()))
            }
            Err(_) => {
                drop(self.ctx.catch());
                Some("Object".to_owned())
            }
        }
    }

    fn function(&self, value: &Value<'js>, name: &str) -> String {
        let is_class =
            value.is_constructor() && value.get::<Coerced<String>>().is_ok_and(|text| text.0.starts_with("class"));
        drop(self.ctx.catch());
        match (is_class, name) {
            (true, name) => format!("[class {}]", if name.is_empty() { "(anonymous)" } else { name }),
            (false, "") => "[Function (anonymous)]".to_owned(),
            (false, name) => format!("[Function: {name}]"),
        }
    }

    fn promise(&mut self, value: &Value<'js>) -> String {
        use rquickjs::promise::PromiseState;
        let Some(promise) = value.clone().into_promise() else { return String::new() };
        match promise.state() {
            PromiseState::Pending => "Promise { <pending> }".to_owned(),
            PromiseState::Rejected => "Promise { <rejected> }".to_owned(),
            PromiseState::Resolved => match promise.result::<Value<'js>>() {
                Some(Ok(inner)) => {
                    self.above.push(value.clone());
                    let text = format!("Promise {{ {} }}", self.value(&inner));
                    self.above.pop();
                    text
                }
                _ => "Promise".to_owned(),
            },
        }
    }

    fn error(&mut self, error: &Object<'js>) -> String {
        let mut text = failure::summary(self.ctx, error);
        let stack = error.get::<_, Option<Coerced<String>>>("stack");
        if stack.is_err() {
            drop(self.ctx.catch());
        }
        for line in failure::own_lines(&stack.ok().flatten().map(|stack| stack.0).unwrap_or_default()) {
            let _ = write!(text, "\n{line}");
        }
        if self.above.is_empty() { text } else { format!("[{text}]") }
    }

    fn wrap(&self, prefix: &str, open: char, items: Vec<String>, close: char) -> String {
        if items.is_empty() {
            return format!("{prefix}{open}{close}");
        }
        let length: usize = items.iter().map(|item| item.len() + 2).sum();
        if length <= LINE && !items.iter().any(|item| item.contains('\n')) {
            return format!("{prefix}{open} {} {close}", items.join(", "));
        }
        let indent = "  ".repeat(self.above.len());
        let short = open == '[' && items.len() > 6 && items.iter().all(|item| item.len() <= 16);
        let (mut body, mut width) = (String::new(), 0);
        for (at, item) in items.iter().enumerate() {
            if at == 0 || !short || width + item.len() > LINE {
                let _ = write!(body, "{}\n{indent}", if at > 0 { "," } else { "" });
                width = 0;
            } else {
                body.push_str(", ");
            }
            body.push_str(item);
            width += item.len() + 2;
        }
        let outer = indent.get(2..).unwrap_or_default();
        format!("{prefix}{open}{body}\n{outer}{close}")
    }
}

fn more(items: &mut Vec<String>, length: usize) {
    if length > items.len() {
        let left = length - items.len();
        items.push(format!("... {left} more item{}", if left == 1 { "" } else { "s" }));
    }
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '$'))
}

/// In single quotes, or in the first kind that the text does not have.
fn quoted(text: &str) -> String {
    let (shown, rest) = match text.char_indices().nth(STRING) {
        Some((at, _)) => (text.get(..at).unwrap_or_default(), text.get(at..).unwrap_or_default()),
        None => (text, ""),
    };
    let quote = ['\'', '"', '`'].into_iter().find(|quote| !shown.contains(*quote)).unwrap_or('\'');
    let mut out = String::from(quote);
    for char in shown.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            char if char == quote => {
                out.push('\\');
                out.push(char);
            }
            char if char.is_control() => {
                let _ = write!(out, "\\x{:02X}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push(quote);
    if !rest.is_empty() {
        let _ = write!(out, "... {} more characters", rest.chars().count());
    }
    out
}
