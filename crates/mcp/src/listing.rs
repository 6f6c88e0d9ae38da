//! The tools of a catalog as the protocol describes them.
//!
//! What always holds: annotations follow from the policy; what an author wrote has nothing hidden in it, and is no longer than a
//! model should read; an output schema is that of an object, as the protocol wants it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caplet::audit::text::{shortened, visible};
use caplet::{Annotations, Catalog, Offer};
use rmcp::ErrorData;
use rmcp::model::{JsonObject, ListToolsResult, PaginatedRequestParams, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use crate::limits_tool;
use crate::words::Permitted;

/// Bytes of one description. The longest of a built-in tool has a tenth of it.
const DESCRIPTION: usize = 16 << 10;

/// The tools of one catalog, by name.
#[derive(Debug)]
pub(crate) struct Listing {
    /// What was described, for the tools that call others of it.
    pub(crate) catalog: Catalog,
    tools: BTreeMap<String, Listed>,
    /// Bytes of the longest arguments that one of them takes.
    pub(crate) longest_arguments: usize,
}

/// A tool as clients see it.
#[derive(Debug)]
pub(crate) struct Listed {
    tool: Tool,
    /// What stands behind it; nothing for the server's own.
    pub(crate) offer: Option<Arc<Offer>>,
    pub(crate) shape: Shape,
    pub(crate) permitted: Permitted,
}

/// How an output becomes structured content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not at all: it is text, or nothing is known of it.
    Text,
    /// It is an object as it is.
    Object,
    /// As the member `result` of an object.
    Wrapped,
}

impl Listing {
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let mut tools: BTreeMap<String, Listed> =
            catalog.offers().map(|offer| (offer.name().to_owned(), Listed::new(offer))).collect();
        tools.insert(limits_tool::NAME.to_owned(), Listed::own(limits_tool::describe()));
        let longest = catalog.offers().map(|offer| offer.longest_arguments()).max().unwrap_or_default();
        let longest_arguments = usize::try_from(longest).unwrap_or(usize::MAX);
        Self { catalog: catalog.clone(), tools, longest_arguments }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Listed> {
        self.tools.get(name)
    }

    /// All tools of the catalog, by name.
    pub(crate) fn offers(&self) -> impl Iterator<Item = (&Arc<Offer>, &Permitted)> {
        self.tools.values().filter_map(|listed| Some((listed.offer.as_ref()?, &listed.permitted)))
    }

    /// One page of at most `page` tools.
    pub(crate) fn page(
        &self,
        request: Option<&PaginatedRequestParams>,
        page: usize,
    ) -> Result<ListToolsResult, ErrorData> {
        let after = match request.and_then(|request| request.cursor.as_deref()) {
            Some(cursor) => Some(after(cursor).ok_or_else(|| {
                ErrorData::invalid_params("the cursor is none that this server gave: ask for the first page", None)
            })?),
            None => None,
        };
        let rest = self.tools.iter().filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after));
        let mut rest = rest.peekable();
        let mut tools = Vec::new();
        let mut last = None;
        while let Some((name, listed)) = rest.next_if(|_| tools.len() < page.max(1)) {
            tools.push(listed.tool.clone());
            last = Some(name);
        }
        let mut result = ListToolsResult::with_all_items(tools);
        result.next_cursor = last.filter(|_| rest.peek().is_some()).map(|name| URL_SAFE_NO_PAD.encode(name));
        Ok(result)
    }
}

/// The name after which the page of `cursor` begins. It need not exist any more: a page goes on where the one before ended.
fn after(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

impl Listed {
    fn new(offer: &Arc<Offer>) -> Self {
        let (shape, output) = output(offer.output_schema());
        let mut tool =
            Tool::new(offer.name().to_owned(), description(offer.description()), input(offer.input_schema()));
        tool.title = Some(offer.title().map_or_else(|| title(offer), |title| visible(title).into()));
        tool.output_schema = output.map(Arc::new);
        tool.annotations = Some(annotations(offer.annotations()));
        Self { tool, offer: Some(Arc::clone(offer)), shape, permitted: Permitted::default() }
    }

    fn own(tool: Tool) -> Self {
        Self { tool, offer: None, shape: Shape::Object, permitted: Permitted::default() }
    }
}

/// The tool's name, and that of its function where there are more.
fn title(offer: &Offer) -> String {
    let function = offer.name().strip_prefix(offer.tool()).unwrap_or_default();
    match function.strip_prefix('_') {
        Some(function) => format!("{}: {}", offer.tool(), visible(function)),
        None => offer.name().to_owned(),
    }
}

fn annotations(facts: Annotations) -> ToolAnnotations {
    let Annotations { read_only, destructive, idempotent, open_world, .. } = facts;
    ToolAnnotations::new().read_only(read_only).destructive(destructive).idempotent(idempotent).open_world(open_world)
}

fn description(text: &str) -> String {
    shortened(&visible(text), DESCRIPTION).into_owned()
}

/// The schema of arguments. Whatever it is, arguments are an object.
fn input(schema: &Value) -> Arc<JsonObject> {
    match cleaned(schema) {
        Value::Object(schema) => Arc::new(schema),
        _ => Arc::new(object(Map::new())),
    }
}

/// How an output of `schema` is given, and the schema that clients are told. Text is given as text alone: told twice, it would be
/// no better and twice as long.
fn output(schema: Option<&Value>) -> (Shape, Option<JsonObject>) {
    let Some(schema) = schema.map(cleaned) else { return (Shape::Text, None) };
    match schema {
        Value::Object(schema) if is_text(&schema) => (Shape::Text, None),
        Value::Object(schema) if schema.get("type") == Some(&json!("object")) => (Shape::Object, Some(schema)),
        schema => (Shape::Wrapped, Some(object(Map::from_iter([("result".to_owned(), schema)])))),
    }
}

fn is_text(schema: &JsonObject) -> bool {
    schema.get("type") == Some(&json!("string")) && schema.keys().all(|key| key == "type" || key == "description")
}

/// The schema of an object that has all of `properties` and nothing else.
fn object(properties: JsonObject) -> JsonObject {
    let required: Vec<Value> = properties.keys().cloned().map(Value::from).collect();
    let parts = [
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Value::Object(properties)),
        ("required".to_owned(), Value::Array(required)),
        ("additionalProperties".to_owned(), json!(false)),
    ];
    parts.into_iter().collect()
}

/// `schema` with nothing hidden in what its author wrote for readers.
fn cleaned(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let clean = |(key, value): (&String, &Value)| {
                let value = match value {
                    Value::String(text) if key == "description" || key == "title" => description(text).into(),
                    value => cleaned(value),
                };
                (key.clone(), value)
            };
            Value::Object(members.iter().map(clean).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(cleaned).collect()),
        other => other.clone(),
    }
}
