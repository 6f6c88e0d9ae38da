//! What is changed in a component that `componentize-py` made, before it is one of the tools. Only whole sections and one number are
//! touched:
//!
//! - the export that the package calls while it builds is taken away: it would be a tool of its own, and starts the interpreter anew;
//! - names of functions and other custom sections go, which nothing here reads;
//! - the interpreter's own stack, in its memory, begins lower. CPython notices deep recursion by that stack alone and then raises
//!   `RecursionError`; it knows nothing of the engine's stack, which is full sooner. With less of the one, the other is enough.

use anyhow::{Context, Result, bail, ensure};
use wasm_encoder::Encode as _;
use wasmparser::{
    BinaryReader, ComponentExportSectionReader, ComponentExternalKind, ExternalKind, GlobalSectionReader, Parser,
    Payload,
};

/// The instance whose function prepares the interpreter.
const PREPARES: &str = "exports";

/// Where the interpreter's stack begins, of 1 MiB. What goes through C at each level (`__repr__`, `__eq__`, a cached function) is then
/// stopped with half of the engine's usual 1 MiB to spare.
const STACK_BEGINS: i32 = 160 << 10;

const STACK_POINTER: &str = "__stack_pointer";

/// The numbers of sections.
const CUSTOM: u8 = 0;
const CORE_MODULE: u8 = 1;
const NESTED_COMPONENT: u8 = 4;
const COMPONENT_EXPORTS: u8 = 11;
const GLOBALS: u8 = 6;
const MEMORIES: u8 = 5;
const DATA: u8 = 11;
const DATA_COUNT: u8 = 12;

/// The component that is to be embedded.
pub(super) fn adapt(component: &[u8]) -> Result<Vec<u8>> {
    let mut changes = Changes::default();
    let adapted = changes.walk(component, true)?;
    ensure!(changes.exports == 1, "componentize-py gave {} exports `{PREPARES}`, not one", changes.exports);
    ensure!(changes.stacks == 1, "componentize-py gave {} stacks, not one", changes.stacks);
    Ok(adapted)
}

/// A component without what its memory holds and how large that is: the code, the types and how all is joined.
pub(super) fn without_memory(binary: &[u8]) -> Result<Vec<u8>> {
    let (header, sections) = binary.split_at_checked(8).context("a module or component is cut short")?;
    let is_component = header.get(6) == Some(&1);
    let mut kept = header.to_vec();
    let mut reader = BinaryReader::new(sections, 8);
    while !reader.eof() {
        let (id, length) = (reader.read_u8()?, reader.read_var_u32()?);
        let body = reader.read_bytes(usize::try_from(length)?)?;
        let body = match (is_component, id) {
            (true, CORE_MODULE | NESTED_COMPONENT) => without_memory(body)?,
            (false, MEMORIES | GLOBALS | DATA | DATA_COUNT) => continue,
            _ => body.to_vec(),
        };
        kept.push(id);
        body.encode(&mut kept);
    }
    Ok(kept)
}

/// How often each change was made.
#[derive(Debug, Default)]
struct Changes {
    exports: u32,
    stacks: u32,
}

impl Changes {
    /// A module or component, section by section.
    fn walk(&mut self, binary: &[u8], is_outermost: bool) -> Result<Vec<u8>> {
        let (header, sections) = binary.split_at_checked(8).context("a module or component is cut short")?;
        let is_component = header.get(6) == Some(&1);
        let stack = if is_component { None } else { own_stack(binary)? };
        let mut adapted = header.to_vec();
        let mut reader = BinaryReader::new(sections, 8);
        while !reader.eof() {
            let (id, length) = (reader.read_u8()?, reader.read_var_u32()?);
            let body = reader.read_bytes(usize::try_from(length)?)?;
            let body = match (is_component, id) {
                (_, CUSTOM) => continue,
                (true, CORE_MODULE | NESTED_COMPONENT) => self.walk(body, false)?,
                (true, COMPONENT_EXPORTS) if is_outermost => self.exports(body)?,
                (false, GLOBALS) => self.globals(body, stack)?,
                _ => body.to_vec(),
            };
            adapted.push(id);
            body.encode(&mut adapted);
        }
        Ok(adapted)
    }

    /// The exports of a component, but for the one that prepares it. An export is an instance of its own; those after it count one less.
    fn exports(&mut self, section: &[u8]) -> Result<Vec<u8>> {
        let mut kept = wasm_encoder::ComponentExportSection::new();
        for export in ComponentExportSectionReader::new(BinaryReader::new(section, 0))? {
            let export = export?;
            ensure!(
                export.kind == ComponentExternalKind::Instance && export.ty.is_none(),
                "the export `{}` is of a kind that is not expected",
                export.name.name
            );
            if export.name.name == PREPARES {
                self.exports += 1;
            } else {
                let index = export.index.checked_sub(self.exports).context("an export comes before its instance")?;
                kept.export(export.name.name, wasm_encoder::ComponentExportKind::Instance, index, None);
            }
        }
        let mut section = Vec::new();
        kept.encode(&mut section);
        // The section's length, which the caller writes, stands before its content.
        let mut reader = BinaryReader::new(&section, 0);
        reader.read_var_u32()?;
        Ok(section.get(reader.original_position()..).unwrap_or_default().to_vec())
    }

    /// The globals of a module, `stack` among them with its new value.
    fn globals(&mut self, section: &[u8], stack: Option<u32>) -> Result<Vec<u8>> {
        let Some(stack) = stack else { return Ok(section.to_vec()) };
        let reader = GlobalSectionReader::new(BinaryReader::new(section, 0))?;
        let begins = reader.into_iter_with_offsets().map(|entry| Ok(entry?.0)).collect::<Result<Vec<usize>>>()?;
        let ends = begins.iter().skip(1).copied().chain([section.len()]);
        let mut entries = Vec::new();
        for (begins, ends) in begins.iter().zip(ends) {
            entries.push(section.get(*begins..ends).context("a global is cut short")?);
        }
        let lowered = wasm_encoder::ConstExpr::i32_const(STACK_BEGINS);
        let mut global = Vec::new();
        wasm_encoder::GlobalType { val_type: wasm_encoder::ValType::I32, mutable: true, shared: false }
            .encode(&mut global);
        lowered.encode(&mut global);
        *entries.get_mut(usize::try_from(stack)?).context("the stack's global is not there")? = &global;
        self.stacks += 1;
        Ok(counted(&entries))
    }
}

/// Entries as a section has them.
fn counted(entries: &[&[u8]]) -> Vec<u8> {
    let mut section = Vec::new();
    entries.len().encode(&mut section);
    section.extend(entries.concat());
    section
}

/// The stack pointer that `module` defines and exports: its place among the module's own globals.
fn own_stack(module: &[u8]) -> Result<Option<u32>> {
    let (mut imported, mut exported) = (0, None);
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += u32::from(matches!(import?.ty, wasmparser::TypeRef::Global(_)));
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.name == STACK_POINTER && export.kind == ExternalKind::Global {
                        exported = Some(export.index);
                    }
                }
            }
            _ => {}
        }
    }
    match exported {
        Some(index) if index < imported => bail!("a module passes on another's stack"),
        Some(index) => Ok(Some(index - imported)),
        None => Ok(None),
    }
}
