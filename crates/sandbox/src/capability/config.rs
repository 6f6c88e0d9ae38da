//! `wasi:config`: the keys that the policy grants, and no others.

use caplet_policy::ConfigOp;

use crate::bindings::config::store;
use crate::state::CallState;

impl store::Host for CallState {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, store::Error>> {
        let Ok(op) = ConfigOp::new(&key) else {
            return Ok(Ok(None));
        };
        Ok(match self.guards.config.check(op) {
            Ok(_permitted) => Ok(self.config.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone())),
            // The interface has no code for a refusal; the text says no more than that.
            Err(_denied) => Err(store::Error::Upstream("not permitted".to_owned())),
        })
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, store::Error>> {
        // Every key in this list was granted: what was not granted is not in it.
        Ok(Ok(self.config.clone()))
    }
}
