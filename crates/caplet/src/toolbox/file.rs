//! The file that a toolbox is in: where it is, and how an error in it is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet_policy::GuestPath;

use super::error::{Fault, ToolboxError};
use crate::error::{Error, brief};
use crate::mount::absolute;
use crate::private::Kept;

/// The file. Cheap to clone.
#[derive(Clone)]
pub(super) struct File {
    /// Its absolute path.
    pub(super) path: Arc<Path>,
    /// Where relative paths and rules are taken from.
    pub(super) folder: GuestPath,
    /// With values that may be secrets.
    pub(super) text: Arc<str>,
}

impl File {
    /// The error at a place in the text.
    pub(super) fn error(&self, fault: Fault) -> Error {
        Error::from(Box::new(ToolboxError::at(&self.path, &self.text, fault)))
    }

    /// What no tool may see or change: the file, and the links on the way to it.
    pub(super) fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        Kept::with_links("the toolbox", &self.path, false)
    }

    /// Where a function of a tool is spoken of, for an error that there is no such function.
    pub(super) fn asked_function(&self, tool: &str, function: &str) -> String {
        format!("[tools.{tool}.functions.{}] in {}", brief(function), brief(&self.path.to_string_lossy()))
    }

    /// A path of the file on the host.
    pub(super) fn host_path(&self, text: &str) -> PathBuf {
        Path::new(self.folder.as_str()).join(text)
    }
}

/// The absolute path that `path` means, and its folder. `..` is folded as text, so that the folder has the name that the person knows;
/// what is read is what that path then leads to.
pub(super) fn place(path: &Path) -> Result<(Arc<Path>, GuestPath), Error> {
    let refuse = |reason: String| {
        let help = "name a file by a path in UTF-8".to_owned();
        Error::from(ToolboxError::whole(path, reason, Some(help)))
    };
    let full = std::path::absolute(path).map_err(|error| refuse(error.to_string()))?;
    let text = full.to_str().ok_or_else(|| refuse("its path is not UTF-8".to_owned()))?;
    let full = absolute(text, &GuestPath::root()).map_err(refuse)?;
    let folder = full.parent().ok_or_else(|| refuse("it is a directory".to_owned()))?;
    Ok((Path::new(full.as_str()).into(), folder))
}
