//! The directory that relative paths are taken from.

/// Gives the current directory: the host's `initial-cwd` in a guest, the process's own where the tests run.
/// It is `/` where the host gives none.
#[must_use]
pub fn current() -> String {
    imp::current().filter(|path| path.starts_with('/')).unwrap_or_else(|| "/".to_owned())
}

#[cfg(target_family = "wasm")]
mod imp {
    wit_bindgen::generate!({ path: "wit", world: "imports", generate_all });

    pub(super) fn current() -> Option<String> {
        wasi::cli::environment::initial_cwd()
    }
}

#[cfg(not(target_family = "wasm"))]
mod imp {
    pub(super) fn current() -> Option<String> {
        std::env::current_dir().ok()?.to_str().map(str::to_owned)
    }
}
