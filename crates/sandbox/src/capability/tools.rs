//! `caplet:tools`: calls to other tools. Linked; this version refuses each, with a decision.

use caplet_policy::ToolOp;

use crate::bindings::tools::invoke;
use crate::state::CallState;

/// Why every call is refused.
pub(super) const NOT_OFFERED: &str = "this version of caplet does not let tools call tools";

impl invoke::Host for CallState {
    fn call(&mut self, tool: String, _arguments: String) -> wasmtime::Result<Result<String, invoke::Error>> {
        if let Ok(op) = ToolOp::new(&tool)
            && let Ok(permitted) = self.guards.tools.check(op)
        {
            self.guards.tools.refuse(permitted.into_op(), NOT_OFFERED);
        }
        Ok(Err(invoke::Error::Denied))
    }
}
