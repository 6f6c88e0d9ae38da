//! Servers in JSON: an object of objects, by name, under one key of the file. Comments and trailing commas are taken, since most clients
//! take them; anything else that is not JSON is refused.

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::cst::{CstInputValue, CstObject, CstObjectProp, CstRootNode};
use jsonc_parser::errors::ParseError;
use jsonc_parser::{CollectOptions, JsonObject, JsonValue, ParseOptions, parse_to_ast, parse_to_value};

use super::shape::{Found, Problem};
use super::{Launch, ServerName};

const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The kind of a server that is a process.
const STDIO: &str = "stdio";

/// Where servers are.
#[derive(Debug)]
pub(super) struct Shape {
    /// The key of the file that has them.
    pub(super) key: &'static str,
    /// Whether an entry says that it is a process.
    pub(super) is_typed: bool,
}

impl Shape {
    pub(super) fn find(&self, text: &str, name: &ServerName) -> Result<Option<Found>, Problem> {
        let parsed = parse_to_ast(text, &CollectOptions::default(), &OPTIONS).map_err(|error| problem(&error))?;
        let Some(root) = parsed.value else { return Ok(None) };
        let root = object(text, &root, "the file")?;
        let Some(servers) = member(text, root, self.key)? else { return Ok(None) };
        let servers = object(text, &servers.value, self.key)?;
        let Some(entry) = member(text, servers, name.as_str())? else { return Ok(None) };
        let Value::Object(entry) = &entry.value else { return Ok(Some(Found::Other)) };
        Ok(Some(launch(text, entry)?.map_or(Found::Other, Found::Ours)))
    }

    pub(super) fn put(&self, text: &str, name: &ServerName, launch: &Launch) -> Result<String, Problem> {
        let found = self.find(text, name)?;
        let root = CstRootNode::parse(text, &OPTIONS).map_err(|error| problem(&error))?;
        self.put_into(&root, name, launch, found.as_ref()).ok_or_else(Problem::overreach)?;
        self.checked(text, root.to_string(), name, Some(launch))
    }

    pub(super) fn take(&self, text: &str, name: &ServerName) -> Result<String, Problem> {
        let Some(_) = self.find(text, name)? else { return Ok(text.to_owned()) };
        let root = CstRootNode::parse(text, &OPTIONS).map_err(|error| problem(&error))?;
        let entry = root.object_value().and_then(|root| named(&root, self.key)?.object_value());
        entry.and_then(|servers| named(&servers, name.as_str())).ok_or_else(Problem::overreach)?.remove();
        self.checked(text, root.to_string(), name, None)
    }

    fn put_into(&self, root: &CstRootNode, name: &ServerName, launch: &Launch, found: Option<&Found>) -> Option<()> {
        let root = root.object_value_or_create()?;
        let servers = match named(&root, self.key) {
            Some(servers) => servers.object_value()?,
            None => root.append(self.key, CstInputValue::Object(Vec::new())).object_value()?,
        };
        let Some(entry) = named(&servers, name.as_str()) else {
            servers.append(name.as_str(), self.entry(launch));
            return Some(());
        };
        match found {
            Some(Found::Ours(present)) => update(&entry.object_value()?, present, launch),
            _ => {
                entry.set_value(self.entry(launch));
                Some(())
            }
        }
    }

    fn entry(&self, launch: &Launch) -> CstInputValue {
        let kind = self.is_typed.then(|| ("type".to_owned(), CstInputValue::from(STDIO)));
        let command = ("command".to_owned(), CstInputValue::from(launch.command.as_str()));
        CstInputValue::Object(kind.into_iter().chain([command, ("args".to_owned(), args(launch))]).collect())
    }

    /// The edited text, if it differs in our entry alone and has that as it should.
    fn checked(
        &self,
        before: &str,
        after: String,
        name: &ServerName,
        launch: Option<&Launch>,
    ) -> Result<String, Problem> {
        let expected = launch.cloned().map(Found::Ours);
        let is_as_meant = self.find(&after, name)? == expected;
        if is_as_meant && self.others(before, name)? == self.others(&after, name)? {
            return Ok(after);
        }
        Err(Problem::overreach())
    }

    /// All that a text says but the entry.
    fn others<'t>(&self, text: &'t str, name: &ServerName) -> Result<Option<JsonValue<'t>>, Problem> {
        let value = parse_to_value(text, &OPTIONS).map_err(|error| problem(&error))?;
        let Some(JsonValue::Object(root)) = value else { return Ok(None) };
        let mut root = root.take_inner();
        if let Some(JsonValue::Object(servers)) = root.remove(self.key) {
            let mut servers = servers.take_inner();
            servers.remove(name.as_str());
            // To have no servers is the same as to have none listed.
            if !servers.is_empty() {
                root.insert(self.key.into(), JsonValue::Object(JsonObject::new(servers)));
            }
        }
        Ok((!root.is_empty()).then(|| JsonValue::Object(JsonObject::new(root))))
    }
}

/// Sets what differs. All else of an entry may be its owner's.
fn update(entry: &CstObject, present: &Launch, wanted: &Launch) -> Option<()> {
    if present.command != wanted.command {
        named(entry, "command")?.set_value(CstInputValue::from(wanted.command.as_str()));
    }
    if present.args != wanted.args {
        named(entry, "args")?.set_value(args(wanted));
    }
    Some(())
}

fn args(launch: &Launch) -> CstInputValue {
    CstInputValue::Array(launch.args.iter().map(|arg| CstInputValue::from(arg.as_str())).collect())
}

/// The member of an object, by its name as it is meant and not as it is spelt.
fn named(object: &CstObject, name: &str) -> Option<CstObjectProp> {
    object.properties().into_iter().find(|member| member.decoded_name().as_deref() == Some(name))
}

fn object<'a, 't>(text: &str, value: &'a Value<'t>, what: &str) -> Result<&'a Object<'t>, Problem> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(Problem::at(text, other.start(), format!("{what} is not an object"))),
    }
}

/// The only member of that name. Clients differ in which of two they take.
fn member<'a, 't>(text: &str, object: &'a Object<'t>, name: &str) -> Result<Option<&'a ObjectProp<'t>>, Problem> {
    let mut members = object.properties.iter().filter(|member| member.name.as_str() == name);
    let first = members.next();
    match members.next() {
        None => Ok(first),
        Some(second) => Err(Problem::at(text, second.start(), format!("{name} is there a second time"))),
    }
}

/// What an entry starts, if that is caplet.
fn launch(text: &str, entry: &Object<'_>) -> Result<Option<Launch>, Problem> {
    let value = |name| Ok(member(text, entry, name)?.map(|member| &member.value));
    let kind = value("type")?;
    let is_process = kind.is_none_or(|kind| kind.as_string_lit().is_some_and(|kind| kind.value == STDIO));
    let command = value("command")?.and_then(Value::as_string_lit);
    let args = value("args")?.and_then(Value::as_array);
    let args =
        args.and_then(|args| args.elements.iter().map(|arg| Some(arg.as_string_lit()?.value.to_string())).collect());
    Ok(match (is_process, command, args) {
        (true, Some(command), Some(args)) => Launch::of_caplet(&command.value, args),
        _ => None,
    })
}

fn problem(error: &ParseError) -> Problem {
    let place = Some((error.line_display(), error.column_display()));
    Problem { place, reason: error.kind().to_string().to_lowercase() }
}
