//! `wasi:filesystem`: guest paths, read or written.
//!
//! | op | permitted when |
//! |---|---|
//! | [`Read`] | a rule matches the path |
//! | [`Write`] | a rule with mode `read-write` matches the path |
//! | [`Search`] | some path at or below could be read, so a guest may walk through and look |
//! | [`WriteTree`] | the path and every path below can be written, so the directory may be moved |
//!
//! A rule to write implies reading. So a deny rule `read:` takes away both, and a deny rule `write:` only writing.

mod matcher;

use std::fmt;

use regex_syntax::hir::Hir;

pub(crate) use matcher::Matcher;

use super::{Allow, Reason, Rules, Section, sealed};
use crate::any_op::AnyOp;
use crate::class::Class;
use crate::error::{OpError, RuleError};
use crate::layer::Sections;
use crate::path::GuestPath;
use crate::pattern::below::paths;
use crate::pattern::glob::{Glob, escape_glob};
use crate::pattern::language::one_of;
use crate::pattern::set::TooMany;

/// Files and directories.
#[derive(Debug)]
pub enum FilesystemSection {}

/// To read a file, its attributes or a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Read(pub GuestPath);

/// To create, change or remove what has this name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Write(pub GuestPath);

/// To walk through a directory, to list it, or to show a name in a listing: something at or below could be permitted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Search(pub GuestPath);

/// To move a whole directory from or to this name: everything that is or could be below must be writable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteTree(pub GuestPath);

/// Anything that is asked of a file system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FsOp {
    /// See [`Read`].
    Read(GuestPath),
    /// See [`Write`].
    Write(GuestPath),
    /// See [`Search`].
    Search(GuestPath),
    /// See [`WriteTree`].
    WriteTree(GuestPath),
}

impl FsOp {
    /// The path that is asked for.
    #[must_use]
    pub fn path(&self) -> &GuestPath {
        match self {
            Self::Read(path) | Self::Write(path) | Self::Search(path) | Self::WriteTree(path) => path,
        }
    }

    fn verb(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Write(_) => "write",
            Self::Search(_) => "search",
            Self::WriteTree(_) => "write-tree",
        }
    }

    /// The op with this verb on the path `rest`, if it is one of a file system.
    pub(crate) fn parse(verb: &str, rest: &str) -> Option<Result<Self, OpError>> {
        let make = match verb {
            "read" => Self::Read,
            "write" => Self::Write,
            "search" => Self::Search,
            "write-tree" => Self::WriteTree,
            _ => return None,
        };
        let path = GuestPath::parse(rest);
        Some(path.map(make).map_err(|error| OpError::with_fix(error.to_string(), format!("write `{verb} /path`"))))
    }
}

impl fmt::Display for FsOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb(), self.path())
    }
}

macro_rules! kind_of_fs_op {
    ($($name:ident),*) => {$(
        impl $name {
            /// The path that is asked for.
            #[must_use]
            pub fn path(&self) -> &GuestPath {
                &self.0
            }
        }

        impl From<$name> for FsOp {
            fn from($name(path): $name) -> Self {
                Self::$name(path)
            }
        }

        impl From<$name> for AnyOp {
            fn from(op: $name) -> Self {
                Self::Filesystem(op.into())
            }
        }
    )*};
}
kind_of_fs_op!(Read, Write, Search, WriteTree);

/// What a rule permits on the paths that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Reading.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// `read:GLOB` or `write:GLOB`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesystemRule {
    mode: Mode,
    glob: Glob,
}

impl FilesystemRule {
    /// A rule on the paths that `glob` matches; a relative glob is taken from `base`.
    ///
    /// # Errors
    ///
    /// When `glob` is not a glob.
    pub fn new(glob: &str, mode: Mode, base: &GuestPath) -> Result<Self, RuleError> {
        Ok(Self { mode, glob: Glob::parse(glob, base)? })
    }

    /// A rule on `path` and everything below it.
    #[must_use]
    pub fn below(path: &GuestPath, mode: Mode) -> Self {
        Self { mode, glob: Glob::below(path) }
    }

    /// A rule on `path` alone.
    #[must_use]
    pub fn exact(path: &GuestPath, mode: Mode) -> Self {
        Self { mode, glob: Glob::exact(path) }
    }

    /// What the rule permits.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The paths that the rule matches.
    #[must_use]
    pub fn glob(&self) -> &Glob {
        &self.glob
    }

    /// Whether the rule names no directory and no file.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        self.glob.is_broad()
    }
}

impl fmt::Display for FilesystemRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.mode {
            Mode::ReadOnly => "read",
            Mode::ReadWrite => "write",
        };
        write!(f, "{verb}:{}", self.glob)
    }
}

impl sealed::Sealed for FilesystemSection {}

impl Section for FilesystemSection {
    type Op = FsOp;
    type Rule = FilesystemRule;
    type Matcher = Matcher;

    const CLASS: Class = Class::Filesystem;

    fn rules(sections: &Sections) -> &Rules<Self> {
        &sections.filesystem
    }

    fn compile(allow: &Allow<FilesystemRule>, deny: &[FilesystemRule]) -> Result<Matcher, TooMany> {
        Matcher::new(allow, deny)
    }

    fn judge(matcher: &Matcher, _rules: &Rules<Self>, op: &FsOp) -> Reason {
        matcher.judge(op)
    }

    fn universe() -> Hir {
        Hir::concat(vec![one_of("rw"), paths()])
    }

    fn permitted_by(rule: &FilesystemRule) -> Hir {
        let verbs = if rule.mode == Mode::ReadWrite { "rw" } else { "r" };
        Hir::concat(vec![one_of(verbs), rule.glob.hir()])
    }

    fn denied_by(rule: &FilesystemRule) -> Hir {
        let verbs = if rule.mode == Mode::ReadWrite { "w" } else { "rw" };
        Hir::concat(vec![one_of(verbs), rule.glob.hir()])
    }

    fn decode(text: &str) -> Option<FsOp> {
        let (verb, path) = text.split_at_checked(1)?;
        let path = GuestPath::parse(path).ok()?;
        Some(if verb == "w" { FsOp::Write(path) } else { FsOp::Read(path) })
    }

    fn nicer(op: &FsOp) -> Vec<FsOp> {
        vec![FsOp::Write(op.path().clone())]
    }

    /// Looking gives nothing but names, and only those that could be asked about are shown.
    fn follows(op: &FsOp) -> bool {
        matches!(op, FsOp::Search(_))
    }

    fn suggestion(op: &FsOp) -> Option<String> {
        let path = op.path();
        let below = if path.is_root() { "/**" } else { &format!("{}/**", escape_glob(path.as_str())) };
        Some(match op {
            FsOp::Read(_) => format!("read:{}", escape_glob(path.as_str())),
            FsOp::Write(_) => format!("write:{}", escape_glob(path.as_str())),
            FsOp::Search(_) => format!("read:{below}"),
            FsOp::WriteTree(_) => format!("write:{below}"),
        })
    }
}
