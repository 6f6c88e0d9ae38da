//! Which parts of WebAssembly are on, and the name of a part that is off.
//!
//! On is what the engine runs: WebAssembly 3.0 with garbage collection and exceptions (languages such as Kotlin and Lua's
//! error handling need them; the memory limit covers their heap), and the component model with asynchronous functions, streams
//! and futures. The asynchronous part costs every call of an engine that has it on, so a component is validated without it first,
//! and whoever needs it is known by that.
//! Off are threads and shared memory (a counting thread is a precise clock, and shared memory escapes the memory limit),
//! 64-bit memories and tables, and every proposal that is not finished.

use std::ops::ControlFlow;

use wasmparser::{FuncValidatorAllocations, Parser, ValidPayload, Validator, WasmFeatures};

use crate::error::{ComponentError, one_line};

/// What most files use: all that is on, without the asynchronous part of the component model.
pub(crate) const USUAL: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::COMPONENT_MODEL)
    .difference(WasmFeatures::THREADS)
    .difference(WasmFeatures::MEMORY64);

/// What a file may use.
pub(crate) const ON: WasmFeatures = USUAL.union(WasmFeatures::CM_ASYNC);

/// What is not in [`USUAL`], by the name that a person knows it under.
const OFF: &[(WasmFeatures, &str)] = &[
    (WasmFeatures::THREADS, "threads (shared memory, atomics)"),
    (WasmFeatures::LEGACY_EXCEPTIONS, "legacy exceptions"),
    (WasmFeatures::MEMORY64, "memory64"),
    (WasmFeatures::STACK_SWITCHING, "stack switching"),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "custom page sizes"),
    (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared-everything threads"),
    (WasmFeatures::MEMORY_CONTROL, "memory control"),
    (WasmFeatures::WIDE_ARITHMETIC, "wide arithmetic"),
    (WasmFeatures::CUSTOM_DESCRIPTORS, "custom descriptors"),
    (WasmFeatures::COMPACT_IMPORTS, "compact imports"),
    (WasmFeatures::CM_ASYNC, "component-model async"),
    (WasmFeatures::CM_ASYNC_STACKFUL, "component-model async (stackful)"),
    (WasmFeatures::CM_MORE_ASYNC_BUILTINS, "component-model async (more built-ins)"),
    (WasmFeatures::CM_THREADING, "component-model threads"),
    (WasmFeatures::CM_ERROR_CONTEXT, "component-model error-context"),
    (WasmFeatures::CM_VALUES, "component-model values"),
    (WasmFeatures::CM_NESTED_NAMES, "component-model nested names"),
    (WasmFeatures::CM_FIXED_LENGTH_LISTS, "component-model fixed-length lists"),
    (WasmFeatures::CM_MAP, "component-model maps"),
    (WasmFeatures::CM_GC, "component-model garbage-collected values"),
    (WasmFeatures::CM64, "component-model 64-bit memories"),
    (WasmFeatures::CM_IMPLEMENTS, "component-model implements"),
    (WasmFeatures::CM_CANON_NAMES, "component-model canonical names"),
];

/// The error for a file that failed to validate with the features `on`: the feature's name if the file would get further with one that is off.
///
/// Each attempt stops as soon as it has passed the place of the failure, so this costs a bounded number of validations.
pub(crate) fn explain(bytes: &[u8], error: &wasmparser::Error, on: WasmFeatures) -> ComponentError {
    let offset = error.offset();
    let gets_further = |features| reaches(bytes, features, offset);
    let everything = OFF.iter().fold(on, |all, (feature, _)| all.union(*feature));
    if gets_further(everything) {
        let single = OFF.iter().find(|(feature, _)| gets_further(on.union(*feature)));
        let feature = single.map_or("a proposal that is not finished", |(_, name)| name);
        return ComponentError::FeatureOff { feature, offset };
    }
    ComponentError::Invalid { message: one_line(error.message()), offset }
}

/// Whether validation with `features` gets past byte `offset`.
fn reaches(bytes: &[u8], features: WasmFeatures, offset: usize) -> bool {
    match validate_past(bytes, features, offset) {
        Ok(ControlFlow::Continue(()) | ControlFlow::Break(())) => true,
        Err(error) => error.offset() > offset,
    }
}

fn validate_past(bytes: &[u8], features: WasmFeatures, offset: usize) -> wasmparser::Result<ControlFlow<()>> {
    let mut validator = Validator::new_with_features(features);
    let mut allocations = FuncValidatorAllocations::default();
    let mut parser = Parser::new(0);
    parser.set_features(features);
    for payload in parser.parse_all(bytes) {
        let payload = payload?;
        if let Some((_, range)) = payload.as_section()
            && range.start > offset
        {
            return Ok(ControlFlow::Break(()));
        }
        if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
            // A body that ends before the place was valid with fewer features, so it is valid with more.
            if body.range().end > offset {
                let mut function = function.into_validator(allocations);
                validate_body(&mut function, &body)?;
                allocations = function.into_allocations();
            }
            if body.range().start > offset {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn validate_body<T: wasmparser::WasmModuleResources>(
    function: &mut wasmparser::FuncValidator<T>,
    body: &wasmparser::FunctionBody<'_>,
) -> wasmparser::Result<()> {
    let mut reader = body.get_binary_reader();
    function.read_locals(&mut reader)?;
    let mut operators = wasmparser::OperatorsReader::new(reader);
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        function.op(offset, &operator)?;
    }
    operators.finish()
}
