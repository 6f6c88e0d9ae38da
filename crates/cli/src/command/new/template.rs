//! What a new tool starts from: the files of `crates/cli/templates`.
//!
//! Each folder there is a whole tool called `my-tool`. What always holds: a file is taken as it is, but for that name and for the name of
//! `gitignore`, which has its dot only in the new tool.

use crate::language::Language;

/// What the tools of the templates are called.
const NAME: &str = "my-tool";

/// A file of a template.
#[derive(Clone, Copy, Debug)]
pub(super) struct TemplateFile {
    path: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(TemplateFile { path: $path, text: include_str!(concat!("../../../templates/", $folder, "/", $path)) }),+]
    };
}

/// The files that a tool in `language` starts from.
pub(super) fn files(language: Language) -> &'static [TemplateFile] {
    match language {
        Language::Rust => files!(
            "rust": "Cargo.toml", "README.md", "agent-tool.toml", "gitignore", "src/guest.rs", "src/lib.rs", "tests/words.rs",
            "wit/world.wit",
        ),
        Language::Js => files!(
            "js": "README.md", "agent-tool.toml", "gitignore", "package.json", "src/tool.js", "src/words.js",
            "test/words.test.js", "wit/world.wit",
        ),
        Language::Python => files!(
            "python": "README.md", "agent-tool.toml", "app.py", "gitignore", "pyproject.toml", "tests/__init__.py",
            "tests/test_words.py", "wit/world.wit", "words.py",
        ),
        Language::Go => files!(
            "go": "README.md", "agent-tool.toml", "gitignore", "go.mod", "main.go", "words.go", "words_test.go",
        ),
        Language::C => files!(
            "c": "README.md", "agent-tool.toml", "gitignore", "src/main.c", "src/words.c", "src/words.h",
            "test/words_test.c",
        ),
    }
}

impl TemplateFile {
    /// Where it is in the tool's folder.
    pub(super) fn path(self) -> &'static str {
        if self.path == "gitignore" { ".gitignore" } else { self.path }
    }

    /// What is in it, for the tool `name`.
    pub(super) fn text(self, name: &str) -> String {
        self.text.replace(NAME, name)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn no_file_of_a_template_is_forgotten() {
        for &language in Language::value_variants() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(language.as_str());
            let mut on_disk = Vec::new();
            list(&folder, &folder, &mut on_disk);
            on_disk.sort();
            let listed: Vec<String> = files(language).iter().map(|file| file.path.to_owned()).collect();
            assert_eq!(listed, on_disk, "{language:?}");
        }
    }

    fn list(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // What the tool chains leave, where a template was built in its place.
            let is_made = ["target", "node_modules", "__pycache__", ".venv"].iter().any(|made| path.ends_with(made));
            if path.is_dir() && !is_made {
                list(root, &path, found);
            } else if path.is_file() {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
}
