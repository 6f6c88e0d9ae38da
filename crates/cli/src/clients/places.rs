//! Where a user's programs keep their settings.

use std::env;
use std::path::PathBuf;

use caplet::audit::ErrorKind;

use crate::failure::Failure;

/// Where a user's programs keep their settings.
#[derive(Debug)]
pub(crate) struct Places {
    pub(super) home: PathBuf,
    /// `$XDG_CONFIG_HOME`, or `.config` in the home.
    pub(super) config: PathBuf,
}

impl Places {
    /// Those of who runs this.
    pub(crate) fn of_user() -> Result<Self, Failure> {
        let home = env::home_dir().filter(|home| home.is_absolute()).ok_or_else(|| {
            Failure::new(ErrorKind::Host, "cannot tell where programs keep their settings")
                .with_hint("set HOME to a folder of yours")
        })?;
        let config = folder("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        Ok(Self { home, config })
    }

    /// The folder that `variable` names; where it names none, `usual` in the home.
    pub(super) fn named(&self, variable: &str, usual: &str) -> PathBuf {
        folder(variable).unwrap_or_else(|| self.home.join(usual))
    }
}

fn folder(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}
