//! Traps: `EXIT`, `ERR` and `RETURN`.

use std::rc::Rc;

use crate::shell::Shell;
use crate::stop::{Flow, Stop};

impl Shell {
    /// Runs the `EXIT` trap, once; it may change the status.
    pub(crate) async fn exit_trap(&mut self) -> Flow<()> {
        let Some(action) = Rc::make_mut(&mut self.traps).remove(&b"EXIT"[..]) else { return Ok(()) };
        let status = self.status;
        self.tested = 0;
        match self.run_source(&action).await {
            Err(Stop::Exit(other)) => self.status = other,
            Err(stop @ Stop::Limit(_)) => return Err(stop),
            _ => self.status = status,
        }
        Ok(())
    }

    /// Runs the `ERR` trap. In a function it does so with `set -E` only.
    pub(super) async fn error_trap(&mut self) -> Flow<()> {
        let Some(action) = self.traps.get(&b"ERR"[..]).cloned() else { return Ok(()) };
        if !self.calls.is_empty() && !self.options.has("errtrace") {
            return Ok(());
        }
        let status = self.status;
        let line = self.line;
        self.tested += 1;
        let outcome = self.run_action(&action, line).await;
        self.tested -= 1;
        self.status = status;
        outcome
    }

    pub(super) async fn return_trap(&mut self) {
        if let Some(action) = self.traps.get(&b"RETURN"[..]).cloned() {
            let status = self.status;
            // What a trap on the way out wants is not what the function returned.
            drop(self.run_source(&action).await);
            self.status = status;
        }
    }

    async fn run_action(&mut self, action: &[u8], line: usize) -> Flow<()> {
        match crate::syntax::parse(action, line) {
            Ok(script) => self.run(&script).await,
            Err(problem) => {
                self.complain(&problem.message).await;
                Ok(())
            }
        }
    }
}
