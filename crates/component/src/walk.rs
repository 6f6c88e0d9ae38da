//! One pass over a binary: validates it, holds it to the caps, and notes what later steps ask for.
//!
//! What always holds: a file that comes out of here is valid under exactly the features of [`features::ON`], or of
//! [`features::USUAL`] unless it needs more, is within the caps, and its manifest, if it has one, is at the top level and the only one.

use wasmparser::{
    CustomSectionReader, Encoding, FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, OperatorsReader,
    Parser, Payload, ValidPayload, Validator, ValidatorResources, WasmFeatures, types::Types,
};

use crate::caps::Caps;
use crate::error::{ComponentError, ManifestError};
use crate::features;
use crate::section::{DOCS_SECTION, MANIFEST_SECTION, PACKAGE_DOCS_SECTION};

/// What one pass finds.
pub(crate) struct Walked<'a> {
    pub(crate) encoding: Encoding,
    /// Whether it uses the asynchronous part of the component model.
    pub(crate) needs_concurrency: bool,
    pub(crate) types: Types,
    /// Names of a component's imports, in their order.
    pub(crate) imports: Vec<&'a str>,
    /// Names of a component's exports, in their order.
    pub(crate) exports: Vec<&'a str>,
    pub(crate) manifest: Option<&'a [u8]>,
    pub(crate) docs: Option<&'a [u8]>,
    pub(crate) package_docs: Option<&'a [u8]>,
}

/// Validates `bytes`, a binary whose header was looked at.
pub(crate) fn walk<'a>(bytes: &'a [u8], caps: &Caps) -> Result<Walked<'a>, ComponentError> {
    walk_with(bytes, caps, true)
}

/// As [`walk`], for a component made here from a module that was walked: its function bodies are not read a second time.
pub(crate) fn walk_made<'a>(bytes: &'a [u8], caps: &Caps) -> Result<Walked<'a>, ComponentError> {
    walk_with(bytes, caps, false)
}

fn walk_with<'a>(bytes: &'a [u8], caps: &Caps, bodies: bool) -> Result<Walked<'a>, ComponentError> {
    match pass(bytes, caps, bodies, features::USUAL) {
        Err(ComponentError::FeatureOff { .. }) => {
            pass(bytes, caps, bodies, features::ON).map(|walked| Walked { needs_concurrency: true, ..walked })
        }
        walked => walked,
    }
}

fn pass<'a>(bytes: &'a [u8], caps: &Caps, bodies: bool, on: WasmFeatures) -> Result<Walked<'a>, ComponentError> {
    let mut walk = Walk {
        on,
        bytes,
        caps,
        bodies,
        validator: Validator::new_with_features(on),
        allocations: FuncValidatorAllocations::default(),
        counts: Counts::default(),
        nesting: Vec::new(),
        encoding: Encoding::Module,
        types: None,
        imports: Vec::new(),
        exports: Vec::new(),
        manifest: Vec::new(),
        nested_manifests: 0,
        docs: None,
        package_docs: None,
    };
    let mut parser = Parser::new(0);
    parser.set_features(on);
    for payload in parser.parse_all(bytes) {
        walk.payload(payload.map_err(|error| features::explain(bytes, &error, on))?)?;
    }
    walk.finish()
}

struct Walk<'a, 'c> {
    bytes: &'a [u8],
    caps: &'c Caps,
    /// What the file may use.
    on: WasmFeatures,
    /// Whether function bodies are validated.
    bodies: bool,
    validator: Validator,
    allocations: FuncValidatorAllocations,
    counts: Counts,
    /// What is open around the place of the pass: the file itself is not listed.
    nesting: Vec<Encoding>,
    encoding: Encoding,
    types: Option<Types>,
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
    manifest: Vec<&'a [u8]>,
    nested_manifests: usize,
    docs: Option<&'a [u8]>,
    package_docs: Option<&'a [u8]>,
}

impl<'a> Walk<'a, '_> {
    fn payload(&mut self, payload: Payload<'a>) -> Result<(), ComponentError> {
        // Counts come first: they are read from a header, and validating is what a bomb makes expensive.
        self.counts.add(&payload, self.caps)?;
        let validated =
            self.validator.payload(&payload).map_err(|error| features::explain(self.bytes, &error, self.on))?;
        match validated {
            ValidPayload::Func(function, body) if self.bodies => self.function(function, &body)?,
            ValidPayload::End(types) if self.nesting.is_empty() => self.types = Some(types),
            ValidPayload::Func(..) | ValidPayload::End(_) | ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        self.note(payload)
    }

    fn note(&mut self, payload: Payload<'a>) -> Result<(), ComponentError> {
        let top = self.nesting.is_empty();
        match payload {
            Payload::Version { encoding, .. } if top => self.encoding = encoding,
            Payload::ModuleSection { .. } => self.nesting.push(Encoding::Module),
            Payload::ComponentSection { .. } => {
                self.nesting.push(Encoding::Component);
                let depth = self.nesting.iter().filter(|part| **part == Encoding::Component).count();
                within("levels of nested components", depth as u64, self.caps.component_depth)?;
            }
            Payload::End(_) => {
                self.nesting.pop();
            }
            Payload::CustomSection(section) => self.custom(&section, top)?,
            Payload::ComponentImportSection(section) if top => {
                for import in section {
                    let import = import.map_err(|error| features::explain(self.bytes, &error, self.on))?;
                    self.imports.push(self.name(import.name.name)?);
                }
            }
            Payload::ComponentExportSection(section) if top => {
                for export in section {
                    let export = export.map_err(|error| features::explain(self.bytes, &error, self.on))?;
                    self.exports.push(self.name(export.name.name)?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn name(&self, name: &'a str) -> Result<&'a str, ComponentError> {
        within("bytes in the name of an import or export", name.len() as u64, self.caps.name_bytes)?;
        Ok(name)
    }

    fn custom(&mut self, section: &CustomSectionReader<'a>, top: bool) -> Result<(), ComponentError> {
        match section.name() {
            MANIFEST_SECTION if top => self.manifest.push(section.data()),
            MANIFEST_SECTION => self.nested_manifests += 1,
            DOCS_SECTION if top => self.docs = Some(self.docs_data(section)?),
            PACKAGE_DOCS_SECTION if top => self.package_docs = Some(self.docs_data(section)?),
            _ => {}
        }
        Ok(())
    }

    fn docs_data(&self, section: &CustomSectionReader<'a>) -> Result<&'a [u8], ComponentError> {
        within("bytes of documentation", section.data().len() as u64, self.caps.docs_bytes)?;
        Ok(section.data())
    }

    fn function(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), ComponentError> {
        let mut function = function.into_validator(std::mem::take(&mut self.allocations));
        let explain = |error: wasmparser::Error| features::explain(self.bytes, &error, self.on);
        let mut reader = body.get_binary_reader();
        function.read_locals(&mut reader).map_err(explain)?;
        within("locals in one function", function.len_locals().into(), self.caps.locals)?;
        let mut operators = OperatorsReader::new(reader);
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().map_err(explain)?;
            if let Operator::BrTable { targets } = &operator {
                within("targets in one br_table", targets.len().into(), self.caps.branch_targets)?;
            }
            function.op(offset, &operator).map_err(explain)?;
            let depth = function.control_stack_height();
            if u64::from(depth) > self.caps.block_depth {
                within("blocks open at one time", depth.into(), self.caps.block_depth)?;
            }
        }
        operators.finish().map_err(explain)?;
        self.allocations = function.into_allocations();
        Ok(())
    }

    fn finish(self) -> Result<Walked<'a>, ComponentError> {
        let Some(types) = self.types else {
            return Err(ComponentError::Invalid {
                message: "the file ends before it is complete".to_owned(),
                offset: self.bytes.len(),
            });
        };
        let manifest = only_manifest(&self.manifest, self.nested_manifests)?;
        if let Some(manifest) = manifest {
            within("bytes of manifest", manifest.len() as u64, self.caps.manifest_bytes)?;
        }
        Ok(Walked {
            encoding: self.encoding,
            needs_concurrency: false,
            types,
            imports: self.imports,
            exports: self.exports,
            manifest,
            docs: self.docs,
            package_docs: self.package_docs,
        })
    }
}

/// A second manifest, wherever it hides, could make two readers disagree about what a tool may do.
fn only_manifest<'a>(top: &[&'a [u8]], nested: usize) -> Result<Option<&'a [u8]>, ManifestError> {
    match (top, nested) {
        ([], 0) => Ok(None),
        ([only], 0) => Ok(Some(only)),
        ([_, _, ..], _) => Err(ManifestError::whole(
            format!("the file has {} manifests; it must have exactly one", top.len()),
            "pack the program again from a file without a manifest",
        )),
        (_, _) => Err(ManifestError::whole(
            "a manifest is inside a nested module or component; it must be at the top level, and the only one",
            "pack the finished component, not the module that it is made from",
        )),
    }
}

/// Running totals over the whole file.
#[derive(Default)]
struct Counts {
    types: u64,
    imports: u64,
    exports: u64,
    functions: u64,
    segments: u64,
    definitions: u64,
    parts: u64,
    aliases: u64,
    custom_sections: u64,
}

impl Counts {
    fn add(&mut self, payload: &Payload<'_>, caps: &Caps) -> Result<(), ComponentError> {
        let count = |total: &mut u64, added: u32, what, limit| {
            *total += u64::from(added);
            within(what, *total, limit)
        };
        match payload {
            Payload::TypeSection(section) => {
                count(&mut self.types, section.count(), "types", caps.types)?;
                // A group of mutually recursive types counts once in the header.
                for group in section.clone().into_iter().flatten() {
                    let more = group.types().len().saturating_sub(1);
                    count(&mut self.types, u32::try_from(more).unwrap_or(u32::MAX), "types", caps.types)?;
                }
                Ok(())
            }
            Payload::CoreTypeSection(section) => count(&mut self.types, section.count(), "types", caps.types),
            Payload::ComponentTypeSection(section) => count(&mut self.types, section.count(), "types", caps.types),
            Payload::ImportSection(section) => count(&mut self.imports, section.count(), "imports", caps.imports),
            Payload::ComponentImportSection(section) => {
                count(&mut self.imports, section.count(), "imports", caps.imports)
            }
            Payload::ExportSection(section) => count(&mut self.exports, section.count(), "exports", caps.exports),
            Payload::ComponentExportSection(section) => {
                count(&mut self.exports, section.count(), "exports", caps.exports)
            }
            Payload::FunctionSection(section) => {
                count(&mut self.functions, section.count(), "functions", caps.functions)
            }
            Payload::ComponentCanonicalSection(section) => {
                count(&mut self.functions, section.count(), "functions", caps.functions)
            }
            Payload::DataSection(section) => count(&mut self.segments, section.count(), "segments", caps.segments),
            Payload::ElementSection(section) => count(&mut self.segments, section.count(), "segments", caps.segments),
            Payload::TableSection(section) => self.definition(section.count(), caps),
            Payload::MemorySection(section) => self.definition(section.count(), caps),
            Payload::TagSection(section) => self.definition(section.count(), caps),
            Payload::GlobalSection(section) => self.definition(section.count(), caps),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.part(1, caps),
            Payload::InstanceSection(section) => self.part(section.count(), caps),
            Payload::ComponentInstanceSection(section) => self.part(section.count(), caps),
            Payload::ComponentAliasSection(section) => {
                count(&mut self.aliases, section.count(), "aliases", caps.aliases)
            }
            Payload::CustomSection(_) => count(&mut self.custom_sections, 1, "custom sections", caps.custom_sections),
            _ => Ok(()),
        }
    }

    fn definition(&mut self, added: u32, caps: &Caps) -> Result<(), ComponentError> {
        self.definitions += u64::from(added);
        within("globals, tables, memories and tags", self.definitions, caps.definitions)
    }

    fn part(&mut self, added: u32, caps: &Caps) -> Result<(), ComponentError> {
        self.parts += u64::from(added);
        within("nested modules, components and instances", self.parts, caps.parts)
    }
}

/// An error if `found` is more than `limit`.
pub(crate) fn within(what: &'static str, found: u64, limit: u64) -> Result<(), ComponentError> {
    if found > limit { Err(ComponentError::TooIntricate { what, found, limit }) } else { Ok(()) }
}
