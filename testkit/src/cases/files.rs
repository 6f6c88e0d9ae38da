//! A file of a case: what there is before a call, or what has to be there after it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// One file, as it stands in TOML. Exactly one of `text`, `base64`, `link`, `directory` and `absent` is given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FileSpec {
    /// The guest path, below `/w/`.
    pub path: String,
    /// Content as text.
    pub text: Option<String>,
    /// How many times over `text` is the content; once if left out.
    pub times: Option<usize>,
    /// Content as base64.
    pub base64: Option<String>,
    /// A symbolic link with this target.
    pub link: Option<String>,
    /// A directory, if true.
    pub directory: bool,
    /// Nothing of this name, if true; only in what is expected.
    pub absent: bool,
    /// The time of change, in seconds after 1970; the time of the call if left out.
    pub modified: Option<u64>,
}

/// What a [`FileSpec`] says that a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A regular file with these bytes.
    Bytes(Vec<u8>),
    /// A symbolic link with this target.
    Link(String),
    /// A directory.
    Directory,
    /// Nothing.
    Absent,
}

impl FileSpec {
    /// The content.
    ///
    /// # Errors
    /// Not exactly one kind is given, or `base64` is not base64.
    pub fn content(&self) -> Result<Content, String> {
        let mut kinds = Vec::new();
        if let Some(text) = &self.text {
            kinds.push(Content::Bytes(text.repeat(self.times.unwrap_or(1)).into_bytes()));
        }
        if let Some(text) = &self.base64 {
            let bytes =
                STANDARD.decode(text).map_err(|error| format!("{}: base64 is not base64: {error}", self.path))?;
            kinds.push(Content::Bytes(bytes));
        }
        kinds.extend(self.link.clone().map(Content::Link));
        kinds.extend(self.directory.then_some(Content::Directory));
        kinds.extend(self.absent.then_some(Content::Absent));
        match (kinds.pop(), kinds.is_empty()) {
            (Some(content), true) => Ok(content),
            _ => Err(format!("{} needs exactly one of text, base64, link, directory, absent", self.path)),
        }
    }

    /// The path below the directory that stands for `/w`.
    #[must_use]
    pub fn below_mount(&self) -> &str {
        self.path.strip_prefix("/w/").unwrap_or(&self.path)
    }

    /// Makes the file in `directory`, which stands for `/w`.
    ///
    /// # Errors
    /// What the file system says, or `InvalidInput` where the file has no one content.
    pub fn make(&self, directory: &Path) -> std::io::Result<()> {
        let path = directory.join(self.below_mount());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let invalid = |message| std::io::Error::new(std::io::ErrorKind::InvalidInput, message);
        match self.content().map_err(invalid)? {
            Content::Bytes(bytes) => std::fs::write(&path, bytes)?,
            Content::Link(target) => std::os::unix::fs::symlink(target, &path)?,
            Content::Directory => std::fs::create_dir_all(&path)?,
            Content::Absent => return Ok(()),
        }
        if let Some(seconds) = self.modified {
            std::fs::File::open(&path)?.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))?;
        }
        Ok(())
    }

    /// What is there in `directory`, which stands for `/w`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn observe(&self, directory: &Path) -> std::io::Result<Content> {
        let path = directory.join(self.below_mount());
        match path.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Content::Absent),
            Err(error) => Err(error),
            Ok(facts) if facts.is_symlink() => {
                Ok(Content::Link(std::fs::read_link(&path)?.to_string_lossy().into_owned()))
            }
            Ok(facts) if facts.is_dir() => Ok(Content::Directory),
            Ok(_) => Ok(Content::Bytes(std::fs::read(&path)?)),
        }
    }
}
