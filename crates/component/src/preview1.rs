//! A core module of WASI preview1 becomes a component: after this there is one kind of tool, and one place where it is checked.
//!
//! The module is rewritten before the standard adapter is put around it: `proc_exit` is sent to Caplet's own interface, because
//! the adapter would keep only whether the code was zero; exports that the adapter does not use and custom sections are
//! dropped, so that nothing in them can steer the encoder.
//!
//! What always holds: the module imports only functions that the adapter has, with the adapter's types.

use std::collections::HashMap;
use std::sync::LazyLock;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER as ADAPTER,
};
use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{CustomSection, ExportSection, ImportSection, MemorySection, MemoryType, Module, RawSection};
use wasmparser::types::{EntityType, TypesRef};
use wasmparser::{FuncType, Parser, Payload};

use crate::error::{ComponentError, one_line};
use crate::walk::Walked;

/// The interface that `proc_exit` is sent to.
const EXIT_INTERFACE: &str = "caplet:process/exit@0.1.0";
const EXIT_FUNCTION: &str = "exit-with-code";
const EXIT_WIT: &str = "
    package caplet:process@0.1.0;
    interface exit { exit-with-code: func(code: u32); }
    world exits { import exit; }
";

/// Exports that the adapter calls or uses.
const MEMORY: &str = "memory";
const START: &str = "_start";
const REALLOC: &str = "cabi_realloc";

/// The functions of preview1 that exist, with their types: those that the adapter has.
static PREVIEW1_FUNCTIONS: LazyLock<HashMap<String, FuncType>> = LazyLock::new(|| {
    let Ok(types) = wasmparser::Validator::new().validate_all(ADAPTER) else {
        return HashMap::new();
    };
    let types = types.as_ref();
    let exports = types.core_exports().into_iter().flatten();
    exports.filter_map(|(name, ty)| Some((name.to_owned(), func_type(types, ty)?.clone()))).collect()
});

/// Checks that `module` is a preview1 command, and makes a component of it.
pub(crate) fn componentize(module: &[u8], walked: &Walked<'_>) -> Result<Vec<u8>, ComponentError> {
    let types = walked.types.as_ref();
    check_imports(types)?;
    check_exports(types)?;
    let rewritten = rewrite(module, types)?;
    encode(&rewritten).map_err(|error| {
        ComponentError::not_a_tool(
            format!("the preview1 module cannot be made a component: {}", one_line(&format!("{error:#}"))),
            "rebuild it for wasm32-wasip2",
        )
    })
}

fn check_imports(types: TypesRef<'_>) -> Result<(), ComponentError> {
    for (module, name, ty) in types.core_imports().into_iter().flatten() {
        let refuse =
            |reason: String| ComponentError::Import { module: module.to_owned(), name: name.to_owned(), reason };
        if module == "wasi_unstable" {
            return Err(refuse("this is WASI of 2019, before preview1; rebuild with a newer compiler".to_owned()));
        }
        if module != PREVIEW1 {
            return Err(refuse("only functions of wasi_snapshot_preview1 are provided to a module".to_owned()));
        }
        let Some(expected) = PREVIEW1_FUNCTIONS.get(name) else {
            return Err(refuse("wasi_snapshot_preview1 has no function of this name".to_owned()));
        };
        match func_type(types, ty) {
            Some(found) if found == expected => {}
            Some(found) => {
                return Err(refuse(format!("it is declared as {}, but is {}", shown(found), shown(expected))));
            }
            None => return Err(refuse("it is not imported as a function".to_owned())),
        }
    }
    Ok(())
}

fn check_exports(types: TypesRef<'_>) -> Result<(), ComponentError> {
    let exports: HashMap<&str, EntityType> = types.core_exports().into_iter().flatten().collect();
    let hint = "Caplet runs components and preview1 commands: a command exports `_start` and its memory";
    let Some(start) = exports.get(START) else {
        let reason = if exports.contains_key("_initialize") {
            "the module is a preview1 reactor (it exports `_initialize`, not `_start`), which has no typed functions"
        } else if types.core_imports().into_iter().flatten().next().is_none() {
            "the module is a core module that does not export `_start`, so it has neither typed functions nor a command"
        } else {
            "the module does not export `_start`, so it is not a preview1 command"
        };
        return Err(ComponentError::not_a_tool(reason, hint));
    };
    match func_type(types, *start) {
        Some(ty) if ty.params().is_empty() && ty.results().is_empty() => {}
        Some(ty) => {
            let reason = format!("`_start` is exported as {}; it takes and returns nothing", shown(ty));
            return Err(ComponentError::not_a_tool(reason, hint));
        }
        None => return Err(ComponentError::not_a_tool("`_start` is exported, but is not a function", hint)),
    }
    if exports.contains_key("_initialize") {
        let reason = "the module exports both `_start` and `_initialize`; a module is a command or a reactor, not both";
        return Err(ComponentError::not_a_tool(reason, hint));
    }
    match exports.get(MEMORY) {
        Some(EntityType::Memory(_)) => Ok(()),
        Some(_) => Err(ComponentError::not_a_tool("`memory` is exported, but is not a memory", hint)),
        // A module without any memory is given an empty one; which of its own another one means cannot be known.
        None if types.memory_count() == 0 => Ok(()),
        None => Err(ComponentError::not_a_tool("the module does not export its memory as `memory`", hint)),
    }
}

fn func_type(types: TypesRef<'_>, ty: EntityType) -> Option<&FuncType> {
    match ty {
        EntityType::Func(id) => types.get(id).and_then(|ty| match &ty.composite_type.inner {
            wasmparser::CompositeInnerType::Func(ty) => Some(ty),
            _ => None,
        }),
        _ => None,
    }
}

fn shown(ty: &FuncType) -> String {
    let list = |types: &[wasmparser::ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(ty.params()), list(ty.results()))
}

/// The module with `proc_exit` sent elsewhere, and without what the encoder does not need.
fn rewrite(module: &[u8], types: TypesRef<'_>) -> Result<Vec<u8>, ComponentError> {
    let invalid = |error: wasmparser::Error| ComponentError::Invalid {
        message: one_line(error.message()),
        offset: error.offset(),
    };
    let mut out = Module::new();
    let lacks_memory = types.memory_count() == 0;
    let mut memory_is_due = lacks_memory;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(invalid)?;
        if memory_is_due && comes_after_memories(&payload) {
            out.section(&empty_memory());
            memory_is_due = false;
        }
        match payload {
            Payload::MemorySection(_) if lacks_memory => {}
            Payload::ImportSection(section) => {
                out.section(&imports(section).map_err(|error| not_rewritten(&error))?);
            }
            Payload::ExportSection(section) => {
                let mut kept = exports(section, types).map_err(|error| not_rewritten(&error))?;
                if lacks_memory {
                    kept.export(MEMORY, wasm_encoder::ExportKind::Memory, 0);
                }
                out.section(&kept);
            }
            // Names of functions make a trap readable; nothing else in custom sections is used when a tool runs.
            Payload::CustomSection(section) if section.name() != "name" => {}
            payload => {
                if let Some((id, range)) = payload.as_section() {
                    out.section(&RawSection { id, data: module.get(range).unwrap_or_default() });
                }
            }
        }
    }
    if imports_exit(types) {
        out.section(&exit_metadata()?);
    }
    Ok(out.finish())
}

/// Whether `payload` must not come before the module's memories.
fn comes_after_memories(payload: &Payload<'_>) -> bool {
    matches!(
        payload,
        Payload::TagSection(_)
            | Payload::GlobalSection(_)
            | Payload::ExportSection(_)
            | Payload::StartSection { .. }
            | Payload::ElementSection(_)
            | Payload::DataCountSection { .. }
            | Payload::CodeSectionStart { .. }
            | Payload::DataSection(_)
    )
}

/// The adapter wants a memory to grow, also of a module that has none.
fn empty_memory() -> MemorySection {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 0, maximum: None, memory64: false, shared: false, page_size_log2: None });
    memories
}

type RewriteError = wasm_encoder::reencode::Error;

fn not_rewritten(error: &RewriteError) -> ComponentError {
    ComponentError::not_a_tool(
        format!("the preview1 module cannot be rewritten: {}", one_line(&error.to_string())),
        "rebuild it for wasm32-wasip2",
    )
}

fn imports(section: wasmparser::ImportSectionReader<'_>) -> Result<ImportSection, RewriteError> {
    let mut out = ImportSection::new();
    for import in section.into_imports() {
        let import = import?;
        let (module, name) = match (import.module, import.name) {
            (PREVIEW1, "proc_exit") => (EXIT_INTERFACE, EXIT_FUNCTION),
            other => other,
        };
        out.import(module, name, RoundtripReencoder.entity_type(import.ty)?);
    }
    Ok(out)
}

fn exports(section: wasmparser::ExportSectionReader<'_>, types: TypesRef<'_>) -> Result<ExportSection, RewriteError> {
    let mut out = ExportSection::new();
    for export in section {
        let export = export?;
        let used = match export.name {
            MEMORY | START => true,
            REALLOC => types.entity_type_from_export(&export).is_some_and(|ty| is_realloc(types, ty)),
            _ => false,
        };
        if used {
            out.export(export.name, RoundtripReencoder.export_kind(export.kind)?, export.index);
        }
    }
    Ok(out)
}

fn is_realloc(types: TypesRef<'_>, ty: EntityType) -> bool {
    use wasmparser::ValType::I32;
    func_type(types, ty).is_some_and(|ty| ty.params() == [I32; 4] && ty.results() == [I32])
}

fn imports_exit(types: TypesRef<'_>) -> bool {
    types.core_imports().into_iter().flatten().any(|(_, name, _)| name == "proc_exit")
}

/// Tells the encoder the type of the interface that `proc_exit` was sent to.
fn exit_metadata() -> Result<CustomSection<'static>, ComponentError> {
    static METADATA: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve.push_str("exit.wit", EXIT_WIT).ok()?;
        let world = resolve.select_world(&[package], Some("exits")).ok()?;
        wit_component::metadata::encode(&resolve, world, wit_component::StringEncoding::UTF8, None).ok()
    });
    let data = METADATA.as_ref().ok_or_else(|| {
        ComponentError::not_a_tool("Caplet's own exit interface could not be described", "this is a fault of Caplet")
    })?;
    Ok(CustomSection { name: "component-type:caplet".into(), data: data.into() })
}

/// Puts the adapter around `module`. The error type of the encoder is not named here, so that it can change.
fn encode(module: &[u8]) -> Result<Vec<u8>, impl std::fmt::Display + use<>> {
    wit_component::ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.adapter(PREVIEW1, ADAPTER))
        .and_then(|mut encoder| encoder.encode())
}
