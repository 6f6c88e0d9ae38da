//! TypeScript declarations of the tools that can be called, from their JSON Schemas: what a model has to see to write a call.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::host::Callable;

/// Levels of a schema that are followed, and bytes of one type; beyond them it is `unknown`.
const MAX_DEPTH: usize = 8;
const MAX_TYPE: usize = 8 * 1024;
/// Bytes of a description.
const MAX_DESCRIPTION: usize = 2_000;

/// The declaration of the object `tools`.
#[must_use]
pub fn declarations(callables: &[Callable]) -> String {
    let mut groups: BTreeMap<String, Vec<(Option<String>, &Callable)>> = BTreeMap::new();
    for callable in callables {
        let (tool, function) = match callable.name.split_once('.') {
            Some((tool, function)) => (tool, Some(identifier(function))),
            None => (callable.name.as_str(), None),
        };
        groups.entry(identifier(tool)).or_default().push((function, callable));
    }
    let mut out = String::from("declare const tools: {\n");
    for (tool, functions) in &groups {
        let alone = functions.iter().all(|(function, _)| function.is_none());
        if !alone {
            let _ = writeln!(out, "  {tool}: {{");
        }
        for (function, callable) in functions {
            let (name, indent) = match function {
                Some(function) => (function, "    "),
                None => (tool, "  "),
            };
            declare(&mut out, name, callable, indent);
        }
        if !alone {
            out.push_str("  };\n");
        }
    }
    out.push_str("};\n");
    out
}

fn declare(out: &mut String, name: &str, callable: &Callable, indent: &str) {
    comment(out, &callable.description, indent);
    let input = type_of_text(&callable.input_schema, indent);
    let output =
        callable.output_schema.as_deref().map_or_else(|| "unknown".to_owned(), |text| type_of_text(text, indent));
    let optional = if requires_something(&callable.input_schema) { "" } else { "?" };
    let _ = writeln!(out, "{indent}{name}(args{optional}: {input}): Promise<{output}>;");
}

fn requires_something(schema: &str) -> bool {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    schema.get("required").and_then(Value::as_array).is_some_and(|required| !required.is_empty())
}

fn comment(out: &mut String, text: &str, indent: &str) {
    let text = caplet_tool_common::text::prefix(text.trim(), MAX_DESCRIPTION);
    if text.is_empty() {
        return;
    }
    // A comment that a description ends early would let it speak as code.
    let text = text.replace("*/", "* /");
    let mut lines = text.lines();
    match (lines.next(), text.contains('\n')) {
        (Some(line), false) => drop(writeln!(out, "{indent}/** {line} */")),
        _ => {
            let _ = writeln!(out, "{indent}/**");
            for line in text.lines() {
                let _ = writeln!(out, "{}", format!("{indent} * {line}").trim_end());
            }
            let _ = writeln!(out, "{indent} */");
        }
    }
}

fn type_of_text(schema: &str, indent: &str) -> String {
    match serde_json::from_str::<Value>(schema) {
        Ok(schema) => {
            let made = type_of(&schema, &schema, indent, MAX_DEPTH);
            if made.len() > MAX_TYPE { "unknown".to_owned() } else { made }
        }
        Err(_) => "unknown".to_owned(),
    }
}

fn type_of(schema: &Value, root: &Value, indent: &str, depth: usize) -> String {
    if depth == 0 {
        return "unknown".to_owned();
    }
    let inner = |schema: &Value| type_of(schema, root, indent, depth - 1);
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let found = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return found.map_or_else(|| "unknown".to_owned(), inner);
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return union(values.iter().map(Value::to_string));
    }
    for word in ["oneOf", "anyOf"] {
        if let Some(list) = schema.get(word).and_then(Value::as_array) {
            return union(list.iter().map(inner));
        }
    }
    match schema.get("type") {
        Some(Value::Array(types)) => {
            union(types.iter().map(|name| named(name.as_str().unwrap_or_default(), schema, root, indent, depth)))
        }
        Some(Value::String(name)) => named(name, schema, root, indent, depth),
        _ if schema.get("properties").is_some() => named("object", schema, root, indent, depth),
        _ => "unknown".to_owned(),
    }
}

fn union(types: impl Iterator<Item = String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for name in types {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    if seen.is_empty() { "never".to_owned() } else { seen.join(" | ") }
}

fn named(name: &str, schema: &Value, root: &Value, indent: &str, depth: usize) -> String {
    match name {
        "string" | "boolean" | "null" => name.to_owned(),
        "integer" | "number" => "number".to_owned(),
        "array" => {
            if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
                let items: Vec<String> = items.iter().map(|item| type_of(item, root, indent, depth - 1)).collect();
                return format!("[{}]", items.join(", "));
            }
            let item =
                schema.get("items").map_or_else(|| "unknown".to_owned(), |item| type_of(item, root, indent, depth - 1));
            if item.contains(" | ") { format!("({item})[]") } else { format!("{item}[]") }
        }
        "object" => object(schema, root, indent, depth),
        _ => "unknown".to_owned(),
    }
}

fn object(schema: &Value, root: &Value, indent: &str, depth: usize) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|members| !members.is_empty())
    else {
        let other = schema.get("additionalProperties").filter(|other| other.is_object());
        return match other {
            Some(other) => format!("Record<string, {}>", type_of(other, root, indent, depth - 1)),
            None if schema.get("properties").is_some() => "{}".to_owned(),
            None => "Record<string, unknown>".to_owned(),
        };
    };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let deeper = format!("{indent}  ");
    let mut out = String::from("{\n");
    // What has to be given comes first.
    let (first, rest): (Vec<_>, Vec<_>) = properties.iter().partition(|(name, _)| required.contains(&name.as_str()));
    for (name, member) in first.into_iter().chain(rest) {
        comment(&mut out, member.get("description").and_then(Value::as_str).unwrap_or_default(), &deeper);
        let optional = if required.contains(&name.as_str()) { "" } else { "?" };
        let key = if is_identifier(name) { name.clone() } else { Value::String(name.clone()).to_string() };
        let _ = writeln!(out, "{deeper}{key}{optional}: {};", type_of(member, root, &deeper, depth - 1));
    }
    let _ = write!(out, "{indent}}}");
    out
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '$'))
}

/// A name of the field's kind, `file-read`, as JavaScript writes it: `fileRead`.
pub(crate) fn identifier(name: &str) -> String {
    let mut out = String::new();
    let mut raise = false;
    for char in name.chars() {
        if char.is_ascii_alphanumeric() || char == '_' || char == '$' {
            out.push(if raise && !out.is_empty() { char.to_ascii_uppercase() } else { char });
            raise = false;
        } else {
            raise = true;
        }
    }
    if out.starts_with(|first: char| first.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}
