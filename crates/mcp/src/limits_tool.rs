//! The server's own tool: what each tool may do. It reads nothing but the policies, and changes nothing.

use std::sync::Arc;

use caplet::Offer;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::answer::note;
use crate::listing::Listing;
use crate::session::brief;
use crate::words::Permitted;

/// What it is called.
pub(crate) const NAME: &str = "caplet_limits";

const DESCRIPTION: &str = "\
Tells what the tools of this server may do: the files, addresses, buckets and so on that the operator granted to each, as rules, \
and whether it keeps what a call leaves behind for the next one. \
Ask before you plan around a tool, and after something was denied. It changes nothing, and nothing here can.\n\n\
`tool`: only this tool. Left out: all of them.";

pub(crate) fn describe() -> Tool {
    let input = json!({
        "type": "object",
        "properties": {"tool": {"type": "string", "description": "The name of a tool of this server."}},
        "additionalProperties": false,
    });
    let tool = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "may": {"type": "array", "items": {
                "type": "object",
                "properties": {"capability": {"type": "string"}, "rules": {"type": "string"}},
                "required": ["capability", "rules"],
                "additionalProperties": false,
            }},
            "keeps_state": {"type": "boolean", "description": "Whether a call finds what an earlier one of this session left."},
        },
        "required": ["name", "may", "keeps_state"],
        "additionalProperties": false,
    });
    let output = json!({
        "type": "object",
        "properties": {"tools": {"type": "array", "items": tool}},
        "required": ["tools"],
        "additionalProperties": false,
    });
    let mut described = Tool::new(NAME, DESCRIPTION, object(input));
    described.title = Some("What tools may do".to_owned());
    described.output_schema = Some(object(output));
    described.annotations =
        Some(ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(false));
    described
}

fn object(value: Value) -> Arc<JsonObject> {
    match value {
        Value::Object(object) => Arc::new(object),
        _ => Arc::default(),
    }
}

pub(crate) fn answer(listing: &Listing, arguments: &JsonObject) -> CallToolResult {
    let refuse = |text: String| CallToolResult::error(vec![note(text)]);
    if let Some(unknown) = arguments.keys().find(|key| *key != "tool") {
        return refuse(format!("{NAME} was not run: it has no argument {:?}, only `tool`.", brief(unknown)));
    }
    let only = match arguments.get("tool") {
        None => None,
        Some(Value::String(name)) => Some(name.as_str()),
        Some(_) => return refuse(format!("{NAME} was not run: `tool` must be a string.")),
    };
    let meant: Vec<(&Arc<Offer>, &Permitted)> =
        listing.offers().filter(|(offer, _)| only.is_none_or(|only| offer.name() == only)).collect();
    if let (Some(only), true) = (only, meant.is_empty()) {
        return refuse(format!("there is no tool called {:?}: tools/list tells which there are.", brief(only)));
    }
    let mut text = String::new();
    let mut tools = Vec::new();
    for (offer, permitted) in meant {
        let lines = permitted.lines(offer);
        text.push_str(offer.name());
        text.push_str(if lines.is_empty() { " may compute, and nothing else.\n" } else { " may:\n" });
        for (class, rules) in lines {
            text.push_str(&format!("  {class}: {rules}\n"));
        }
        if offer.keeps_instance() {
            text.push_str("  It keeps what a call leaves behind for the next one of this session.\n");
        }
        let may: Vec<Value> = lines.iter().map(|(class, rules)| json!({"capability": class, "rules": rules})).collect();
        tools.push(json!({"name": offer.name(), "may": may, "keeps_state": offer.keeps_instance()}));
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(json!({"tools": tools}));
    result
}
