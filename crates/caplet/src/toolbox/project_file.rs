//! The file that a project brings, as it was found: read once, so that what was hashed is what is understood.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use caplet_component::Digest;

use super::Toolbox;
use super::error::ToolboxError;
use super::file::{File, place};
use super::resolve::Sheet;
use crate::error::Error;
use crate::source::read_file_itself;

/// A project's `caplet.toml`, and what it is known by: where it really is, and the digest of its bytes.
pub struct ProjectFile {
    file: File,
    real: PathBuf,
    digest: Digest,
}

impl ProjectFile {
    /// Reads the file at `path`, if there is one.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is no regular file, larger than [`Toolbox::LARGEST`] or not UTF-8. A symbolic link is refused as well:
    /// paths in the file would be taken from the link's folder, and who put the link there would choose what they mean.
    pub fn read(path: impl AsRef<Path>) -> Result<Option<Self>, Error> {
        let (path, _) = place(path.as_ref())?;
        match fs::symlink_metadata(&path) {
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            // Whatever else is wrong is told by reading it.
            _ => Self::read_existing(&path).map(Some),
        }
    }

    fn read_existing(path: &Path) -> Result<Self, Error> {
        let (path, folder) = place(path)?;
        let bytes = read_file_itself(&path, Toolbox::LARGEST).map_err(|error| {
            let mut error = ToolboxError::unreadable(&path, error);
            error.help = Some(format!("to use what you trust instead, name it: --config {}", path.display()));
            error
        })?;
        let real = fs::canonicalize(folder.as_str())
            .map_err(|error| ToolboxError::whole(&path, format!("its folder cannot be read: {error}"), None))?;
        let digest = Digest::of(&bytes);
        let text = String::from_utf8(bytes).map_err(|error| ToolboxError::not_text(&path, &error))?;
        let real = real.join(path.file_name().unwrap_or_default());
        Ok(Self { file: File { path, folder, text: text.into() }, real, digest })
    }

    /// Where it is, by the name under which it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Where it really is: no link is on the way there.
    #[must_use]
    pub fn real_path(&self) -> &Path {
        &self.real
    }

    /// The digest of its bytes.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The toolbox that it would be as the user's own word.
    ///
    /// # Errors
    ///
    /// As for [`Toolbox::parse`].
    pub fn as_trusted(&self) -> Result<Toolbox, Error> {
        Ok(Toolbox::new(vec![Sheet::new(self.file())?.into()], None))
    }

    pub(super) fn file(&self) -> File {
        self.file.clone()
    }
}

impl fmt::Debug for ProjectFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text has values that may be secrets.
        f.debug_struct("ProjectFile").field("path", &self.path()).field("digest", &self.digest).finish_non_exhaustive()
    }
}
