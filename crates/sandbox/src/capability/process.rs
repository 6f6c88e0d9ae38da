//! `wasi:cli/exit` and its counterpart for preview1 modules: a guest that exits ends its own call and nothing else.

use wasmtime::component::{HasSelf, Linker};

use crate::bindings;
use crate::error::Exited;
use crate::state::CallState;
use wasmtime_wasi::p2::bindings::cli::exit;

/// Links the standard way to exit.
pub(super) fn link_exit(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    exit::add_to_linker::<_, HasSelf<CallState>>(linker, |state| state)
}

/// Links the way of preview1 modules, which keeps the whole exit code.
pub(super) fn link_process_exit(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    bindings::process::exit::add_to_linker::<_, HasSelf<CallState>>(linker, |state| state)
}

impl exit::Host for CallState {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        Err(Exited(u32::from(status.is_err())).into())
    }

    fn exit_with_code(&mut self, status_code: u8) -> wasmtime::Result<()> {
        Err(Exited(status_code.into()).into())
    }
}

impl bindings::process::exit::Host for CallState {
    fn exit_with_code(&mut self, code: u32) -> wasmtime::Result<()> {
        Err(Exited(code).into())
    }
}
