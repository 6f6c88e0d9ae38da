//! Which toolbox a verb changes.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Failure;
use crate::host;
use crate::shell::path_word;
use crate::toolbox::FILE;

/// Which toolbox is changed.
#[derive(Debug, Default, Args)]
pub(crate) struct TargetOptions {
    /// Change your own toolbox, $XDG_CONFIG_HOME/caplet/caplet.toml
    #[arg(long, conflicts_with = "config")]
    user: bool,

    /// Change this file [default: ./caplet.toml if there is one, else your own toolbox]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl TargetOptions {
    /// The file, which may not be there yet.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        let here = host::current_dir()?;
        let project = here.join(FILE);
        Ok(match &self.config {
            Some(file) => here.join(file),
            None if !self.user && project.is_file() => project,
            None => host::config_dir()?.join(FILE),
        })
    }

    /// Whether the file was named.
    pub(crate) fn is_named(&self) -> bool {
        self.config.is_some()
    }

    /// The options that lead another verb to `path`.
    pub(crate) fn options_for(path: &Path) -> Result<String, Failure> {
        if host::config_dir().is_ok_and(|folder| folder.join(FILE) == path) {
            return Ok(String::new());
        }
        Ok(format!(" --config {}", path_word(path)?))
    }
}
