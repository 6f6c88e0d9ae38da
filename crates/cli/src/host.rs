//! What the command line takes from the host, in one place: the current directory, the state folder, the library built on it.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet::Caplet;
use caplet::audit::{ErrorKind, JsonlSink};

use crate::failure::Failure;

/// The current directory by the name that the user knows: `$PWD` where it leads here, else what the system says.
pub(crate) fn current_dir() -> Result<PathBuf, Failure> {
    let physical = env::current_dir().map_err(|error| {
        Failure::new(ErrorKind::InvalidConfig, format!("cannot tell the current directory: {error}"))
    })?;
    let logical =
        env::var_os("PWD").map(PathBuf::from).filter(|logical| logical.is_absolute() && is_same(logical, &physical));
    Ok(logical.unwrap_or(physical))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

/// `$XDG_STATE_HOME/caplet`. The standard says that a relative folder is to be ignored.
fn state_dir() -> Result<PathBuf, Failure> {
    let named = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder =
        named.or_else(|| env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".local/state")));
    folder.map(|folder| folder.join("caplet")).ok_or_else(|| {
        Failure::new(ErrorKind::Host, "cannot tell where to keep the audit log")
            .with_hint("set XDG_STATE_HOME or HOME to a folder of yours")
    })
}

/// The library, with the audit log in the user's state folder. The log is not touched before something is to be recorded.
pub(crate) fn caplet() -> Result<Caplet, Failure> {
    let sink = Arc::new(JsonlSink::new(state_dir()?));
    Ok(Caplet::builder().sink(sink).build()?)
}
