//! The bounds within which a file is read at all.
//!
//! They exist so that reading a hostile file costs no more than reading an honest one of the same size. Each is far above
//! what programs built by real compilers have, and each names the attack or the measurement that it comes from.

/// How large and how intricate a file may be. [`Caps::default`] is what Caplet uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caps {
    /// Bytes of the binary format. A whole Python interpreter with its library is 26 MB.
    pub binary_bytes: u64,
    /// Bytes of the text format, which is for tests and examples and grows tenfold and more in memory when it is parsed.
    pub text_bytes: u64,
    /// Open parentheses at one time in the text format.
    pub text_depth: u64,
    /// Core and component types together; a compiler for a garbage-collected language emits some ten thousand.
    pub types: u64,
    /// Imports, in the file and in everything nested in it.
    pub imports: u64,
    /// Exports, in the file and in everything nested in it.
    pub exports: u64,
    /// Functions; the largest C++ compiler built to wasm has 60,000. Each costs the compiler tens of microseconds even if empty.
    pub functions: u64,
    /// Locals of one function. The code generator's time grows with locals times blocks.
    pub locals: u64,
    /// Blocks open at one time in one function; 100,000 took the engine 3.8 s.
    pub block_depth: u64,
    /// Targets of one `br_table`: the engine's own limit.
    pub branch_targets: u64,
    /// Data and element segments together. An optimizer that cuts zeros out of a Python interpreter's memory leaves 24,000, and the
    /// compiler of Go does so in every program: 43,000 in one that reads and writes JSON. The engine looks at each when a module is
    /// compiled and made ready.
    pub segments: u64,
    /// Globals, tables, memories and tags together.
    pub definitions: u64,
    /// Core modules, components and instances of both. A Python application is 14 core modules.
    pub parts: u64,
    /// How deep components nest.
    pub component_depth: u64,
    /// Aliases in components.
    pub aliases: u64,
    /// Custom sections.
    pub custom_sections: u64,
    /// Bytes of the name of an import or export of the component.
    pub name_bytes: u64,
    /// Levels of one parameter's or result's type. Also bounds the recursion of everything that works on a type.
    pub type_depth: u64,
    /// Types in the signatures of all tools together, each use expanded: a kilobyte of types that refer to each other can
    /// expand without bound.
    pub schema_nodes: u64,
    /// Tools of one component.
    pub tools: u64,
    /// Bytes of the manifest.
    pub manifest_bytes: u64,
    /// Bytes of the documentation.
    pub docs_bytes: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            binary_bytes: 64 << 20,
            text_bytes: 4 << 20,
            text_depth: 500,
            types: 100_000,
            imports: 100_000,
            exports: 100_000,
            functions: 250_000,
            locals: 25_000,
            block_depth: 16_384,
            branch_targets: 65_520,
            segments: 60_000,
            definitions: 100_000,
            parts: 1_000,
            component_depth: 16,
            aliases: 100_000,
            custom_sections: 10_000,
            name_bytes: 4_096,
            type_depth: 32,
            schema_nodes: 20_000,
            tools: 1_000,
            manifest_bytes: 256 << 10,
            docs_bytes: 1 << 20,
        }
    }
}

impl Caps {
    /// The same caps with another bound on the file's size, in bytes.
    #[must_use]
    pub fn with_binary_bytes(mut self, bytes: u64) -> Self {
        self.binary_bytes = bytes;
        self
    }
}
