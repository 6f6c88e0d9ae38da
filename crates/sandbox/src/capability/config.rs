//! `wasi:config`: the keys that the policy grants, and no others.

use caplet_policy::ConfigOp;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower};

use crate::state::CallState;

/// The drafts of the interface that are in use. They differ in nothing but their names.
const DRAFTS: [&str; 3] = ["0.2.0-draft", "0.2.0-draft-2024-09-27", "0.2.0-rc.1"];

/// `wasi:config/store.error`.
#[derive(Clone, Debug, ComponentType, Lower)]
#[component(variant)]
enum ConfigError {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    #[expect(dead_code, reason = "the interface has it, and nothing here does input or output")]
    Io(String),
}

/// Links every draft.
pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    for draft in DRAFTS {
        let mut store = linker.instance(&format!("wasi:config/store@{draft}"))?;
        store.func_wrap("get", |store: StoreContextMut<'_, CallState>, (key,): (String,)| {
            Ok((get(store.data(), &key),))
        })?;
        // Every key in this list was granted: what was not granted is not in it.
        store.func_wrap("get-all", |store: StoreContextMut<'_, CallState>, ()| {
            Ok((Ok::<_, ConfigError>(store.data().config.clone()),))
        })?;
    }
    Ok(())
}

fn get(state: &CallState, key: &str) -> Result<Option<String>, ConfigError> {
    // The interface has no code for a refusal; the text says no more than that.
    let refused = || ConfigError::Upstream("not permitted".to_owned());
    let op = ConfigOp::new(key).map_err(|error| {
        state.journal.refuse("wasi:config", &format!("config {key}"), &error.to_string());
        refused()
    })?;
    let _permitted = state.guards.config.check(op).map_err(|_denied| refused())?;
    Ok(state.config.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone()))
}
