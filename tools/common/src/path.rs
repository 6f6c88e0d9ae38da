//! Paths as a model writes them, made absolute and normalised.
//!
//! A `GuestPath` starts with `/` and has no empty, `.` or `..` component. `..` is taken off the text, as a shell's `cd` does;
//! whatever the links on the way are, the host decides on the object that is really opened.

use std::fmt;
use std::path::Path;

/// The longest path that is taken, in bytes: `PATH_MAX` of Linux.
pub const MAX_PATH: usize = 4096;

/// An absolute, normalised path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(String);

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathProblem {
    /// Nothing was given.
    Empty,
    /// It contains a NUL character, which no file name can.
    Nul,
    /// It is longer than [`MAX_PATH`] bytes.
    TooLong,
}

impl fmt::Display for PathProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                out.write_str("the path is empty: give a file's path, absolute or relative to the current directory")
            }
            Self::Nul => out.write_str("the path contains a NUL character, which no file name can"),
            Self::TooLong => write!(out, "the path is longer than {MAX_PATH} bytes"),
        }
    }
}

impl From<PathProblem> for String {
    fn from(problem: PathProblem) -> Self {
        problem.to_string()
    }
}

impl GuestPath {
    /// Joins `text` to the directory `cwd` and normalises it. An absolute `text` stands for itself.
    ///
    /// # Errors
    /// Says what makes `text` unusable as a path.
    pub fn resolve(cwd: &str, text: &str) -> Result<Self, PathProblem> {
        if text.is_empty() {
            return Err(PathProblem::Empty);
        }
        if text.contains('\0') {
            return Err(PathProblem::Nul);
        }
        let base = if text.starts_with('/') { "" } else { cwd };
        let mut parts: Vec<&str> = Vec::new();
        for part in base.split('/').chain(text.split('/')) {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        let path = format!("/{}", parts.join("/"));
        if path.len() > MAX_PATH { Err(PathProblem::TooLong) } else { Ok(Self(path)) }
    }

    /// The root, `/`.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory that holds it; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (head, tail) = self.0.rsplit_once('/')?;
        if tail.is_empty() {
            return None;
        }
        Some(Self(if head.is_empty() { "/" } else { head }.to_owned()))
    }

    /// The last component; empty for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// The path of an entry of this directory. `name` comes from a listing, so it is one component.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0 == "/" { Self(format!("/{name}")) } else { Self(format!("{}/{name}", self.0)) }
    }

    /// What follows `base/`, if this lies below `base`; empty if it is `base` itself.
    #[must_use]
    pub fn below(&self, base: &Self) -> Option<&str> {
        if base.0 == "/" {
            return self.0.strip_prefix('/');
        }
        let rest = self.0.strip_prefix(base.as_str())?;
        if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
    }

    /// How a path is shown so that it can be given back as it is: relative to `cwd` if it lies below and `relative` is wanted.
    #[must_use]
    pub fn shown(&self, cwd: &Self, relative: bool) -> String {
        match self.below(cwd) {
            Some(rest) if relative && !rest.is_empty() => rest.to_owned(),
            _ => self.0.clone(),
        }
    }
}

impl AsRef<Path> for GuestPath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
