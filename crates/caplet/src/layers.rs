//! The toolboxes that lie over each other: the user's, and a project's.
//!
//! In: where the files would be, and which of them the user trusts. Out: one [`Toolbox`], and notices of what is not in it.
//!
//! What always holds: what the toolbox grants to a tool, a file of the user's own grants: the user's file, one that the user named, or a
//! project's whose very bytes the user has trusted where they are. Any other project's file only takes away. A file that is there and cannot
//! be understood is an error, and never passed over.

use std::io;
use std::path::{Path, PathBuf};

use caplet_component::Digest;

use crate::error::Error;
use crate::toolbox::{Notice, ProjectFile, Toolbox};
use crate::trust::{Standing, Trust};

/// Where the files of a toolbox are, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerFiles {
    /// The user's own. It need not exist.
    pub user: Option<PathBuf>,
    /// The one that the project brings. It need not exist. By itself it can only narrow.
    pub project: Option<PathBuf>,
    /// One that the user named, which is the only one then. It must exist, and is the user's own word.
    pub explicit: Option<PathBuf>,
}

/// Toolboxes over each other, as one.
#[derive(Debug)]
pub struct Layers {
    toolbox: Toolbox,
    notices: Vec<Notice>,
    project: Option<Project>,
}

/// The project's file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Project {
    /// Where it is, by the name under which it was found.
    pub path: PathBuf,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How it stands with the user.
    pub standing: Standing,
}

impl LayerFiles {
    /// The places that are read, whether something is there or not: what to watch for changes.
    pub fn places(&self) -> impl Iterator<Item = &Path> {
        let Self { user, project, explicit } = self;
        let found = explicit.is_none().then_some([project, user]);
        explicit.iter().chain(found.into_iter().flatten().flatten()).map(PathBuf::as_path)
    }
}

impl Layers {
    /// Reads the files. Nothing that they name is read before it is needed.
    ///
    /// # Errors
    ///
    /// When a file is there and cannot be read or understood, the one that was named is not there, or what the user trusts cannot be
    /// read.
    pub fn load(files: &LayerFiles, trust: &Trust) -> Result<Self, Error> {
        let LayerFiles { user, project, explicit } = files;
        if let Some(explicit) = explicit {
            return Ok(Self { toolbox: Toolbox::read(explicit)?, notices: Vec::new(), project: None });
        }
        let users = match user {
            Some(user) if exists(user) => Toolbox::read(user)?,
            _ => Toolbox::default(),
        };
        let Some(file) = project.as_ref().map(ProjectFile::read).transpose()?.flatten() else {
            return Ok(Self { toolbox: users, notices: Vec::new(), project: None });
        };
        // The user's own file is no project's, also where it is found as one.
        if users.files().any(|own| own == file.path()) {
            return Ok(Self { toolbox: users, notices: Vec::new(), project: None });
        }
        let standing = trust.standing(&file)?;
        let (toolbox, notices) = match standing {
            Standing::Trusted => (users.under_trusted(&file, trust.lock_of(&file)?)?, Vec::new()),
            Standing::Changed | Standing::Unknown => users.under_untrusted(&file)?,
        };
        let project = Project { path: file.path().to_owned(), digest: *file.digest(), standing };
        Ok(Self { toolbox, notices, project: Some(project) })
    }

    /// The tools, with all that is taken from them.
    #[must_use]
    pub fn toolbox(&self) -> &Toolbox {
        &self.toolbox
    }

    /// The toolbox alone.
    #[must_use]
    pub fn into_toolbox(self) -> Toolbox {
        self.toolbox
    }

    /// What of the project's file is not applied, because it is not trusted; without what [`Layers::wider`] finds.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// What the project's file would allow beyond what the user granted, to the tool called `name`, or to all: such a rule holds as far as
    /// the grant goes. By proof, which takes time. A rule about which nothing could be proven is not told.
    #[must_use]
    pub fn wider(&self, name: Option<&str>) -> Vec<Notice> {
        self.toolbox.wider(name)
    }

    /// The project's file, if there is one.
    #[must_use]
    pub fn project(&self) -> Option<&Project> {
        self.project.as_ref()
    }
}

/// Whether something is at `path`, if only something that cannot be read: that is told by reading it.
fn exists(path: &Path) -> bool {
    let is_absent = |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    path.symlink_metadata().map_or_else(|error| !is_absent(&error), |_| true)
}
