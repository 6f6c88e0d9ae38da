//! Signals that ask for the end.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for the user, or the system, to ask for the end; gives the exit code that shells know for it.
pub(crate) fn signalled() -> io::Result<impl Future<Output = u8>> {
    const SIGNALLED: u8 = 128;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => SIGNALLED + 2,
            _ = terminate.recv() => SIGNALLED + 15,
        }
    })
}
