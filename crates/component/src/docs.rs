//! What a tool's author says about functions, parameters, types and fields.
//!
//! The binary format of a component keeps no doc comments. Two custom sections can bring them: `package-docs`, which the
//! component tools define and which covers functions and types of the world itself, and `caplet:docs`, which covers exported
//! interfaces too and which [`embed_docs`](crate::embed_docs) writes from the WIT sources.
//!
//! What always holds: documentation is decoration. A section that does not parse is ignored, and nothing here decides anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::one_line;

/// WIT sources that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the documentation in {}: {message}", path.display())]
pub struct DocsError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong.
    pub message: String,
}

/// Documentation by place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Docs {
    /// Functions and types at the top level of the component.
    #[serde(default)]
    world: InterfaceDocs,
    /// Exported and imported interfaces, by full name without a version: `ns:package/interface`, or a plain name.
    #[serde(default)]
    interfaces: BTreeMap<String, InterfaceDocs>,
}

/// Documentation of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InterfaceDocs {
    #[serde(default)]
    functions: BTreeMap<String, String>,
    #[serde(default)]
    types: BTreeMap<String, TypeDocs>,
}

/// Documentation of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TypeDocs {
    pub(crate) docs: Option<String>,
    /// Fields, cases or flags by name.
    #[serde(default)]
    pub(crate) items: BTreeMap<String, String>,
}

impl Docs {
    /// Reads the documentation in WIT sources: a `.wit` file, or a folder with a `deps` folder for what it depends on.
    /// `world` may be left out where there is one.
    ///
    /// This is for the author of a tool, who trusts the sources; it is the one function here that reads files.
    ///
    /// # Errors
    ///
    /// If the sources cannot be read or do not parse, or the world is not found.
    pub fn read_wit(path: &Path, world: Option<&str>) -> Result<Self, DocsError> {
        let error = |error: String| DocsError { path: path.to_owned(), message: one_line(&error) };
        let mut resolve = wit_parser::Resolve::default();
        let (package, _) = resolve.push_path(path).map_err(|found| error(format!("{found:#}")))?;
        let world = resolve.select_world(&[package], world).map_err(|found| error(format!("{found:#}")))?;
        Ok(from_wit(&resolve, world))
    }

    /// Reads what the two sections say; `caplet` wins where both speak.
    pub(crate) fn read(caplet: Option<&[u8]>, package: Option<&[u8]>) -> Self {
        if let Some(docs) = caplet.and_then(|data| serde_json::from_slice(data).ok()) {
            return docs;
        }
        package.and_then(from_package_docs).unwrap_or_default()
    }

    /// The section's content. Keys are sorted, so equal documentation gives equal bytes.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether nothing is documented.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.world.is_empty() && self.interfaces.values().all(InterfaceDocs::is_empty)
    }

    pub(crate) fn function(&self, interface: Option<&str>, name: &str) -> Option<&str> {
        self.interface(interface)?.functions.get(name).map(String::as_str)
    }

    pub(crate) fn ty(&self, interface: Option<&str>, name: &str) -> Option<&TypeDocs> {
        self.interface(interface)?.types.get(name)
    }

    fn interface(&self, interface: Option<&str>) -> Option<&InterfaceDocs> {
        match interface {
            None => Some(&self.world),
            Some(name) => self.interfaces.get(name.split('@').next().unwrap_or(name)),
        }
    }
}

impl InterfaceDocs {
    fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.types.is_empty()
    }
}

/// The documentation in the WIT of `package` and everything it depends on, as seen from `world`.
fn from_wit(resolve: &wit_parser::Resolve, world: wit_parser::WorldId) -> Docs {
    use wit_parser::{WorldItem, WorldKey};
    let mut docs = Docs::default();
    let Some(world) = resolve.worlds.get(world) else {
        return docs;
    };
    for (key, item) in world.imports.iter().chain(&world.exports) {
        match (key, item) {
            (WorldKey::Name(name), WorldItem::Function(function)) => docs.world.add_function(name, function),
            (WorldKey::Name(name), WorldItem::Type { id, .. }) => {
                if let Some(ty) = resolve.types.get(*id) {
                    docs.world.add_type(name, ty);
                }
            }
            (key, WorldItem::Interface { id, .. }) => {
                let name = resolve.name_world_key(key);
                let name = name.split('@').next().unwrap_or(&name).to_owned();
                if let Some(interface) = resolve.interfaces.get(*id) {
                    docs.interfaces.entry(name).or_default().add(resolve, interface);
                }
            }
            _ => {}
        }
    }
    docs.interfaces.retain(|_, interface| !interface.is_empty());
    docs
}

impl InterfaceDocs {
    fn add(&mut self, resolve: &wit_parser::Resolve, interface: &wit_parser::Interface) {
        interface.functions.iter().for_each(|(name, function)| self.add_function(name, function));
        for (name, id) in &interface.types {
            if let Some(ty) = resolve.types.get(*id) {
                self.add_type(name, ty);
            }
        }
    }

    fn add_function(&mut self, name: &str, function: &wit_parser::Function) {
        if let Some(docs) = &function.docs.contents {
            self.functions.insert(name.to_owned(), docs.trim().to_owned());
        }
    }

    fn add_type(&mut self, name: &str, ty: &wit_parser::TypeDef) {
        use wit_parser::TypeDefKind;
        let items: Vec<(&String, &wit_parser::Docs)> = match &ty.kind {
            TypeDefKind::Record(record) => record.fields.iter().map(|field| (&field.name, &field.docs)).collect(),
            TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| (&case.name, &case.docs)).collect(),
            TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| (&case.name, &case.docs)).collect(),
            TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| (&flag.name, &flag.docs)).collect(),
            _ => Vec::new(),
        };
        let items: BTreeMap<String, String> = items
            .into_iter()
            .filter_map(|(name, docs)| Some((name.clone(), docs.contents.as_ref()?.trim().to_owned())))
            .collect();
        let docs = ty.docs.contents.as_ref().map(|docs| docs.trim().to_owned());
        if docs.is_some() || !items.is_empty() {
            self.types.insert(name.to_owned(), TypeDocs { docs, items });
        }
    }
}

/// Reads the standard section: a version byte (0 or 1), then JSON.
fn from_package_docs(data: &[u8]) -> Option<Docs> {
    let (0 | 1, json) = data.split_first()? else {
        return None;
    };
    let json: Value = serde_json::from_slice(json).ok()?;
    let mut docs = Docs::default();
    let world = json.get("worlds")?.as_object()?.values().next()?;
    for key in ["funcs", "func_exports"] {
        docs.world.functions.extend(texts(world.get(key)));
    }
    docs.world.types = package_types(world.get("types"));
    for key in ["interfaces", "interface_exports"] {
        let interfaces = world.get(key).and_then(Value::as_object).into_iter().flatten();
        docs.interfaces.extend(interfaces.map(|(name, interface)| {
            let functions = texts(interface.get("funcs")).collect();
            (name.clone(), InterfaceDocs { functions, types: package_types(interface.get("types")) })
        }));
    }
    Some(docs)
}

fn package_types(types: Option<&Value>) -> BTreeMap<String, TypeDocs> {
    let types = types.and_then(Value::as_object).into_iter().flatten();
    types
        .map(|(name, ty)| {
            let docs = text(ty).map(str::to_owned);
            (name.clone(), TypeDocs { docs, items: texts(ty.get("items")).collect() })
        })
        .collect()
}

/// The documentation of each entry, which is a string or an object with a key `docs`.
fn texts(entries: Option<&Value>) -> impl Iterator<Item = (String, String)> {
    let entries = entries.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(name, entry)| Some((name.clone(), text(entry)?.trim().to_owned())))
}

fn text(entry: &Value) -> Option<&str> {
    entry.as_str().or_else(|| entry.get("docs").and_then(Value::as_str))
}

/// Takes what is said about parameters out of a function's documentation.
///
/// WIT has no doc comments on parameters, so a line that starts with a parameter's name in backticks and a colon, with or
/// without a bullet, speaks about that parameter; lines after it belong to it until an empty line or another bullet:
///
/// ```text
/// Reads a file.
///
/// - `path`: the file to read
/// - `max-lines`: how many lines at most;
///   all if left out
/// ```
pub(crate) fn split_parameters(docs: Option<&str>, names: &[&str]) -> (Option<String>, BTreeMap<String, String>) {
    let mut about = Vec::new();
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in docs.unwrap_or_default().lines() {
        if let Some((name, text)) = parameter_line(line, names) {
            parameters.insert(name.to_owned(), text.to_owned());
            current = Some(name.to_owned());
        } else if let Some(name) = current.as_ref().filter(|_| is_continuation(line)) {
            if let Some(text) = parameters.get_mut(name) {
                text.push(' ');
                text.push_str(line.trim());
            }
        } else {
            current = None;
            about.push(line.trim_end());
        }
    }
    let about = about.join("\n").trim().to_owned();
    ((!about.is_empty()).then_some(about), parameters)
}

fn parameter_line<'n, 't>(line: &'t str, names: &[&'n str]) -> Option<(&'n str, &'t str)> {
    let line = line.trim_start().trim_start_matches(['-', '*']).trim_start();
    let (name, rest) = line.strip_prefix('`')?.split_once('`')?;
    let text = rest.trim_start().strip_prefix(':')?.trim();
    let name = names.iter().find(|known| **known == name || known.replace('-', "_") == name)?;
    Some((name, text))
}

fn is_continuation(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with(['-', '*', '#', '`'])
}
