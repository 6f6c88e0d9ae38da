//! A folder with tools and a toolbox, for tests of what is offered and pinned.

use std::fs;
use std::path::{Path, PathBuf};

use caplet::component::{Caps, Existing, Manifest, embed};

/// A component with two functions.
pub(crate) const TWO: &str = r#"(component
  (core module $m
    (func (export "one") (result i32) (i32.const 1))
    (func (export "two") (result i32) (i32.const 2)))
  (core instance $i (instantiate $m))
  (func (export "one") (result u32) (canon lift (core func $i "one")))
  (func (export "two") (result u32) (canon lift (core func $i "two"))))"#;

/// A component that exports `FUNCTION: func(a: u32, b: u32) -> u32`, which does `instruction`.
pub(crate) fn sums(function: &str, instruction: &str, manifest: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
  (core module $m (func (export "f") (param i32 i32) (result i32) ({instruction} (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "{function}") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "f"))))"#
    );
    packed(&text, manifest)
}

/// `text` with a manifest.
pub(crate) fn packed(text: &str, manifest: &str) -> Vec<u8> {
    let manifest = format!("[tool.metadata]\nname = \"sums\"\n{manifest}");
    let manifest = Manifest::parse(&manifest).unwrap();
    embed(text.as_bytes(), &manifest, Existing::Refuse, &Caps::default()).unwrap()
}

/// A folder.
pub(crate) struct Folder {
    root: tempfile::TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap()
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root().join(name)
    }

    /// Puts a file there as a whole, as those who install things do.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let beside = path.with_file_name(".new");
        fs::write(&beside, content).unwrap();
        fs::rename(&beside, &path).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}
