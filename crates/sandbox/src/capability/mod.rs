//! What a guest can reach, one file or folder each, and the one list that links them all.
//!
//! What always holds: every interface that acts on something outside of the guest asks a policy guard first, in one place; an
//! interface that this version does not offer is linked to a refusal that leaves a decision on record, so that a program built
//! against all of WASI still loads. Interfaces that only compute (streams, polling) come from the engine's own crates.

pub(crate) mod clocks;
mod config;
pub(crate) mod filesystem;
pub(crate) mod http;
pub(crate) mod keyvalue;
mod poll;
mod process;
pub(crate) mod random;
mod sockets;
pub(crate) mod tools;

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::p2::bindings as wasi;
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};

use crate::bindings;
use crate::state::CallState;

/// Puts one interface, or a few that belong together, in a linker.
type Link = fn(&mut Linker<CallState>) -> wasmtime::Result<()>;

/// Every interface that a guest may import, by the start of its name. Nothing else ever adds to a linker.
const INTERFACES: &[(&str, Link)] = &[
    // Pure mechanism: streams and polling over the resources of this call.
    ("wasi:io/", poll::link),
    // Settings, chosen by the policy when the call's state was made.
    ("wasi:clocks/wall-clock@", |linker| {
        wasi::clocks::wall_clock::add_to_linker::<_, WasiClocks>(linker, CallState::clocks)
    }),
    ("wasi:clocks/monotonic-clock@", |linker| wasi::clocks::monotonic_clock::add_to_linker::<_, Own>(linker, own)),
    ("wasi:random/random@", |linker| wasi::random::random::add_to_linker::<_, WasiRandom>(linker, CallState::random)),
    ("wasi:random/insecure@", |linker| {
        wasi::random::insecure::add_to_linker::<_, WasiRandom>(linker, CallState::random)
    }),
    ("wasi:random/insecure-seed@", |linker| {
        wasi::random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, CallState::random)
    }),
    ("wasi:cli/environment@", |linker| wasi::cli::environment::add_to_linker::<_, WasiCli>(linker, CallState::cli)),
    ("wasi:cli/stdin@", |linker| wasi::cli::stdin::add_to_linker::<_, WasiCli>(linker, CallState::cli)),
    ("wasi:cli/stdout@", |linker| wasi::cli::stdout::add_to_linker::<_, WasiCli>(linker, CallState::cli)),
    ("wasi:cli/stderr@", |linker| wasi::cli::stderr::add_to_linker::<_, WasiCli>(linker, CallState::cli)),
    ("wasi:cli/terminal-", terminals),
    ("wasi:cli/exit@", process::link_exit),
    ("caplet:process/exit@", process::link_process_exit),
    // Decided op by op.
    ("wasi:filesystem/types@", |linker| bindings::filesystem::types::add_to_linker::<_, Own>(linker, own)),
    ("wasi:filesystem/preopens@", |linker| bindings::filesystem::preopens::add_to_linker::<_, Own>(linker, own)),
    ("wasi:config/", config::link),
    ("wasi:http/", http::link),
    ("wasi:keyvalue/", keyvalue::link),
    ("caplet:tools/", tools::link),
    // Refused in this version, each with a decision.
    ("wasi:sockets/", sockets::link),
];

type Own = HasSelf<CallState>;

fn own(state: &mut CallState) -> &mut CallState {
    state
}

/// Links what of [`INTERFACES`] a component with these imports can reach, and nothing besides.
pub(crate) fn link<'a>(
    linker: &mut Linker<CallState>,
    imports: impl Iterator<Item = &'a str> + Clone,
) -> wasmtime::Result<()> {
    let wanted = INTERFACES.iter().filter(|(start, _)| imports.clone().any(|import| import.starts_with(start)));
    wanted.map(|(_, link)| link).try_for_each(|link| link(linker))
}

/// A guest's standard streams are never a terminal.
fn terminals(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    wasi::cli::terminal_input::add_to_linker::<_, WasiCli>(linker, CallState::cli)?;
    wasi::cli::terminal_output::add_to_linker::<_, WasiCli>(linker, CallState::cli)?;
    wasi::cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, CallState::cli)?;
    wasi::cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, CallState::cli)?;
    wasi::cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, CallState::cli)
}
