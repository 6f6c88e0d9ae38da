//! From the types of a validated component to tools.
//!
//! What always holds: the work is bounded by [`Caps::schema_nodes`] and [`Caps::type_depth`], however the types of the file
//! refer to each other; an export that cannot be a tool is listed with the reason, never dropped.

use std::collections::{HashMap, HashSet};

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentFuncTypeId, ComponentInstanceTypeId,
    ComponentItem, ComponentValType,
};
use wasmparser::types::TypesRef;

use crate::caps::Caps;
use crate::docs::{Docs, TypeDocs};
use crate::error::ComponentError;
use crate::inspect::{ExportPath, Skipped};
use crate::types::{Case, Field, Name, Signature, Type};
use crate::walk::{Walked, within};

/// A function that can be a tool.
pub(crate) struct Candidate {
    pub(crate) export: ExportPath,
    pub(crate) signature: Signature,
    pub(crate) description: Option<String>,
}

/// What a component's exports come to.
#[derive(Default)]
pub(crate) struct Exports {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) skipped: Vec<Skipped>,
    /// The name of the exported `wasi:cli/run`, if there is one with the right function.
    pub(crate) command: Option<String>,
}

/// Why a type or a function was not translated.
enum Obstacle {
    /// The function is not a tool.
    Skip(String),
    /// The file is refused.
    Refuse(ComponentError),
}

impl From<ComponentError> for Obstacle {
    fn from(error: ComponentError) -> Self {
        Self::Refuse(error)
    }
}

/// Reads the exports of `walked`, a component.
pub(crate) fn exports(walked: &Walked<'_>, docs: &Docs, caps: &Caps) -> Result<Exports, ComponentError> {
    let mut reader =
        Reader { types: walked.types.as_ref(), docs, caps, names: HashMap::new(), nodes: 0, found: Exports::default() };
    reader.learn_type_names(walked);
    for name in &walked.exports {
        reader.export(name)?;
    }
    Ok(reader.found)
}

struct Reader<'a> {
    types: TypesRef<'a>,
    docs: &'a Docs,
    caps: &'a Caps,
    /// The interface and the name under which a type was exported, to find what its author says about it.
    names: HashMap<ComponentAnyTypeId, (Option<&'a str>, &'a str)>,
    nodes: u64,
    found: Exports,
}

impl<'a> Reader<'a> {
    fn learn_type_names(&mut self, walked: &Walked<'a>) {
        let types = self.types;
        let imports = walked.imports.iter().filter_map(|name| Some((*name, types.component_item_for_import(name)?)));
        let exports = walked.exports.iter().filter_map(|name| Some((*name, types.component_item_for_export(name)?)));
        for (name, item) in imports.chain(exports) {
            match item.ty {
                ComponentEntityType::Type { created, .. } => {
                    self.names.insert(created, (None, name));
                }
                ComponentEntityType::Instance(id) => {
                    for (type_name, item) in types.get(id).into_iter().flat_map(|instance| &instance.exports) {
                        if let ComponentEntityType::Type { created, .. } = item.ty {
                            self.names.insert(created, (Some(name), type_name));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn export(&mut self, name: &'a str) -> Result<(), ComponentError> {
        let Some(item) = self.types.component_item_for_export(name) else {
            return Ok(());
        };
        match item.ty {
            ComponentEntityType::Instance(id) if self.is_command(name, id) => {
                self.found.command = Some(name.to_owned());
                Ok(())
            }
            ComponentEntityType::Instance(id) => self.interface(name, id),
            ComponentEntityType::Func(id) => self.function(None, name, id),
            ComponentEntityType::Type { .. } => Ok(()),
            ComponentEntityType::Module(_) | ComponentEntityType::Component(_) | ComponentEntityType::Value(_) => {
                self.skip(None, name, "it is not a function".to_owned());
                Ok(())
            }
        }
    }

    /// `wasi:cli/run` of WASI 0.2, whose `run` takes nothing and returns a bare result.
    fn is_command(&self, name: &str, id: ComponentInstanceTypeId) -> bool {
        name.strip_prefix("wasi:cli/run@").is_some_and(crate::import::is_wasi_0_2)
            && self.types[id].exports.get("run").is_some_and(|item| self.is_run(item))
    }

    fn is_run(&self, item: &ComponentItem) -> bool {
        let ComponentEntityType::Func(id) = item.ty else {
            return false;
        };
        let function = &self.types[id];
        let Some(ComponentValType::Type(result)) = function.result else {
            return false;
        };
        function.params.is_empty()
            && matches!(self.types[result], ComponentDefinedType::Result { ok: None, err: None, .. })
    }

    fn interface(&mut self, name: &'a str, id: ComponentInstanceTypeId) -> Result<(), ComponentError> {
        let Some(instance) = self.types.get(id) else {
            return Ok(());
        };
        for (function, item) in &instance.exports {
            if let ComponentEntityType::Func(id) = item.ty {
                self.function(Some(name), function, id)?;
            }
        }
        Ok(())
    }

    fn function(
        &mut self,
        interface: Option<&'a str>,
        name: &'a str,
        id: ComponentFuncTypeId,
    ) -> Result<(), ComponentError> {
        match self.signature(interface, name, id) {
            Ok((signature, description)) => {
                let export = ExportPath { interface: interface.map(str::to_owned), function: name.to_owned() };
                self.found.candidates.push(Candidate { export, signature, description });
                within("tools", self.found.candidates.len() as u64, self.caps.tools)
            }
            Err(Obstacle::Skip(reason)) => {
                self.skip(interface, name, reason);
                Ok(())
            }
            Err(Obstacle::Refuse(error)) => Err(error),
        }
    }

    fn skip(&mut self, interface: Option<&str>, name: &str, reason: String) {
        let name = interface.map_or_else(|| name.to_owned(), |interface| format!("{interface}.{name}"));
        self.found.skipped.push(Skipped { name, reason });
    }

    fn signature(
        &mut self,
        interface: Option<&str>,
        name: &str,
        id: ComponentFuncTypeId,
    ) -> Result<(Signature, Option<String>), Obstacle> {
        if name.starts_with('[') {
            return Err(Obstacle::Skip("it belongs to a resource, which JSON cannot carry".to_owned()));
        }
        let types = self.types;
        let function = &types[id];
        let docs = self.docs.function(interface, name);
        let parameter_names: Vec<&str> = function.params.iter().map(|(name, _)| name.as_str()).collect();
        let (description, mut parameter_docs) = crate::docs::split_parameters(docs, &parameter_names);
        let mut parameters = Vec::with_capacity(function.params.len());
        for (parameter, ty) in &function.params {
            let (ty, about) = self.described(*ty, 0).map_err(|obstacle| in_part(obstacle, parameter))?;
            let description = parameter_docs.remove(parameter.as_str()).or(about);
            parameters.push(Field { name: Name::key(parameter), ty, description });
        }
        unique(parameters.iter().map(|field| &field.name))?;
        let result = match function.result {
            Some(ty) => Some(self.value(ty, 0).map_err(|obstacle| in_part(obstacle, "the result"))?),
            None => None,
        };
        Ok((Signature { parameters, result }, description))
    }

    /// The type, and what the author says about the type itself.
    fn described(&mut self, ty: ComponentValType, depth: u64) -> Result<(Type, Option<String>), Obstacle> {
        let about = match ty {
            ComponentValType::Type(id) => self.type_docs(id.into()).and_then(|docs| docs.docs.clone()),
            ComponentValType::Primitive(_) => None,
        };
        Ok((self.value(ty, depth)?, about))
    }

    fn type_docs(&self, id: ComponentAnyTypeId) -> Option<&'a TypeDocs> {
        let mut id = Some(id);
        while let Some(current) = id {
            if let Some((interface, name)) = self.names.get(&current)
                && let Some(docs) = self.docs.ty(*interface, name)
            {
                return Some(docs);
            }
            id = self.types.peel_alias(current);
        }
        None
    }

    fn value(&mut self, ty: ComponentValType, depth: u64) -> Result<Type, Obstacle> {
        self.nodes += 1;
        within("types in its tools' signatures, each use expanded", self.nodes, self.caps.schema_nodes)?;
        within("levels in one type", depth, self.caps.type_depth)?;
        let id = match ty {
            ComponentValType::Primitive(primitive) => return scalar(primitive),
            ComponentValType::Type(id) => id,
        };
        let docs = self.type_docs(id.into());
        let inner = |reader: &mut Self, ty| reader.value(ty, depth + 1);
        let types = self.types;
        match &types[id] {
            ComponentDefinedType::Primitive(primitive) => scalar(*primitive),
            ComponentDefinedType::List { element, .. } => match inner(self, *element)? {
                Type::U8 => Ok(Type::Bytes),
                item => Ok(Type::List(Box::new(item))),
            },
            ComponentDefinedType::Tuple(tuple) => {
                tuple.types.iter().map(|ty| inner(self, *ty)).collect::<Result<_, _>>().map(Type::Tuple)
            }
            ComponentDefinedType::Record(record) => {
                let fields = record.fields.iter().map(|(name, ty)| (name.as_str(), *ty));
                self.record(fields, docs, depth)
            }
            ComponentDefinedType::Variant(variant) => {
                let cases = variant.cases.iter().map(|(name, case)| (name.as_str(), case.ty));
                self.variant(cases, docs, depth)
            }
            ComponentDefinedType::Enum(names) => self.values(names.iter().map(|name| name.as_str())).map(Type::Enum),
            ComponentDefinedType::Flags(names) => self.values(names.iter().map(|name| name.as_str())).map(Type::Flags),
            ComponentDefinedType::Option { ty, .. } => Ok(Type::Option(Box::new(inner(self, *ty)?))),
            ComponentDefinedType::Result { ok, err, .. } => Ok(Type::Result {
                ok: ok.map(|ty| inner(self, ty)).transpose()?.map(Box::new),
                err: err.map(|ty| inner(self, ty)).transpose()?.map(Box::new),
            }),
            other => Err(Obstacle::Skip(format!("it has {}, which JSON cannot carry", uncarried(other)))),
        }
    }

    fn record<'n>(
        &mut self,
        fields: impl Iterator<Item = (&'n str, ComponentValType)>,
        docs: Option<&TypeDocs>,
        depth: u64,
    ) -> Result<Type, Obstacle> {
        let mut out = Vec::new();
        for (name, ty) in fields {
            let (ty, about) = self.described(ty, depth + 1)?;
            let description = docs.and_then(|docs| docs.items.get(name).cloned()).or(about);
            out.push(Field { name: Name::key(name), ty, description });
        }
        unique(out.iter().map(|field| &field.name))?;
        Ok(Type::Record(out))
    }

    fn variant<'n>(
        &mut self,
        cases: impl Iterator<Item = (&'n str, Option<ComponentValType>)>,
        docs: Option<&TypeDocs>,
        depth: u64,
    ) -> Result<Type, Obstacle> {
        let mut out = Vec::new();
        for (name, ty) in cases {
            self.nodes += 1;
            let ty = ty.map(|ty| self.value(ty, depth + 1)).transpose()?;
            let description = docs.and_then(|docs| docs.items.get(name).cloned());
            out.push(Case { name: Name::key(name), ty, description });
        }
        unique(out.iter().map(|case| &case.name))?;
        Ok(Type::Variant(out))
    }

    fn values<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> Result<Vec<Name>, Obstacle> {
        let names: Vec<Name> = names.map(Name::value).collect();
        self.nodes += names.len() as u64;
        within("types in its tools' signatures, each use expanded", self.nodes, self.caps.schema_nodes)?;
        Ok(names)
    }
}

fn scalar(primitive: PrimitiveValType) -> Result<Type, Obstacle> {
    Ok(match primitive {
        PrimitiveValType::Bool => Type::Bool,
        PrimitiveValType::S8 => Type::S8,
        PrimitiveValType::U8 => Type::U8,
        PrimitiveValType::S16 => Type::S16,
        PrimitiveValType::U16 => Type::U16,
        PrimitiveValType::S32 => Type::S32,
        PrimitiveValType::U32 => Type::U32,
        PrimitiveValType::S64 => Type::S64,
        PrimitiveValType::U64 => Type::U64,
        PrimitiveValType::F32 => Type::F32,
        PrimitiveValType::F64 => Type::F64,
        PrimitiveValType::Char => Type::Char,
        PrimitiveValType::String => Type::String,
        PrimitiveValType::ErrorContext => {
            return Err(Obstacle::Skip("it has an error-context, which JSON cannot carry".to_owned()));
        }
    })
}

fn uncarried(ty: &ComponentDefinedType) -> &'static str {
    match ty {
        ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => "a resource",
        ComponentDefinedType::Future { .. } => "a future",
        ComponentDefinedType::Stream { .. } => "a stream",
        ComponentDefinedType::Map { .. } => "a map",
        ComponentDefinedType::FixedLengthList { .. } => "a list of fixed length",
        _ => "a type",
    }
}

fn in_part(obstacle: Obstacle, part: &str) -> Obstacle {
    match obstacle {
        Obstacle::Skip(reason) => Obstacle::Skip(format!("{part}: {reason}")),
        refused @ Obstacle::Refuse(_) => refused,
    }
}

/// Two names of the interface must not become one key of JSON.
fn unique<'n>(names: impl Iterator<Item = &'n Name>) -> Result<(), Obstacle> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name.json.as_str()) {
            return Err(Obstacle::Skip(format!("two of its names are both {:?} in JSON", name.json)));
        }
    }
    Ok(())
}
