//! Traps: `EXIT`, `ERR` and `RETURN`.

use std::rc::Rc;

use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;

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

    /// Puts the `RETURN` trap aside: a function that is called does not inherit it.
    pub(super) fn take_return_trap(&mut self) -> Option<Text> {
        if !self.traps.contains_key(&b"RETURN"[..]) {
            return None;
        }
        Rc::make_mut(&mut self.traps).remove(&b"RETURN"[..])
    }

    /// Runs the `RETURN` trap that a function has set, and puts back the one before if it has set none.
    pub(super) async fn return_trap(&mut self, outer: Option<Text>) {
        if let Some(action) = self.traps.get(&b"RETURN"[..]).cloned() {
            let status = self.status;
            // What a trap on the way out wants is not what the function returned.
            drop(self.run_source(&action).await);
            self.status = status;
        } else if let Some(action) = outer {
            Rc::make_mut(&mut self.traps).insert(b"RETURN".to_vec(), action);
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
