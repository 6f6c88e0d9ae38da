//! The programs that start MCP servers, and how each is told to start this one: one small file a client.
//!
//! What always holds: only our own entry of a client's file changes; the rest keeps its bytes, comments, order and line ends; a file that is
//! not understood is left alone, and told with the place; what was there is kept beside it; nobody gets to see or to write a file that could
//! not before.

mod change;
mod claude_code;
mod claude_desktop;
mod codex;
mod cursor;
mod disk;
mod file;
mod gemini;
mod json;
mod launch;
mod places;
pub(crate) mod probe;
mod shape;
mod toml;
mod vscode;
mod zed;

use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use clap::ValueEnum;
use serde::Serialize;

pub(crate) use change::{Done, install, uninstall};
pub(crate) use launch::{CONFIG, Launch, PROFILE, ServerName, word};
pub(crate) use places::Places;

use crate::failure::Failure;
use file::ConfigFile;
use shape::{Found, Shape};

/// A program that starts MCP servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Client {
    ClaudeCode,
    ClaudeDesktop,
    Cursor,
    Vscode,
    Codex,
    Gemini,
    Zed,
}

/// Whom an entry is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scope {
    /// You, in every project
    #[default]
    User,
    /// Everyone who works in the project that is the current directory
    Project,
}

/// What there is to know about a client.
#[derive(Debug)]
struct Description {
    /// What its makers call it.
    title: &'static str,
    /// A file or folder that is there once it was used.
    trace: fn(&Places) -> PathBuf,
    /// Its file for all of a user's projects.
    user: fn(&Places) -> PathBuf,
    /// Its file in a project, from the project's folder; not every client has one.
    project: Option<&'static str>,
    shape: Shape,
    /// What it replaces by a variable's value, wherever it stands in a command.
    expands: Option<&'static str>,
}

/// The file of a client that lists its servers.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) client: Client,
    pub(crate) scope: Scope,
    /// By the name that the client opens.
    pub(crate) file: PathBuf,
    /// The folder that it may not lead out of.
    within: Option<PathBuf>,
    /// Whether the client seems to be there at all.
    pub(crate) is_used: bool,
}

/// What a client starts under our name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Installed {
    /// Nothing.
    No,
    /// This program.
    Yes(Launch),
    /// Something else.
    Other,
}

impl Client {
    /// What its makers call it.
    pub(crate) fn title(self) -> &'static str {
        self.description().title
    }

    /// What it is called on the command line.
    pub(crate) fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Its file for `scope`, where `project` is the folder of the project.
    pub(crate) fn site(self, scope: Scope, places: &Places, project: &Path) -> Result<Site, Failure> {
        let Description { trace, user, project: in_project, title, .. } = self.description();
        let user = user(places);
        let is_used = trace(places).exists() || user.exists();
        let (file, within) = match (scope, in_project) {
            (Scope::User, _) => (user, None),
            (Scope::Project, Some(file)) => (project.join(file), Some(project.to_owned())),
            (Scope::Project, None) => {
                let why = format!("{title} has no file in a project");
                return Err(Failure::new(ErrorKind::InvalidArgs, why).with_hint("leave out --scope project"));
            }
        };
        Ok(Site { client: self, scope, file, within, is_used })
    }

    fn description(self) -> &'static Description {
        match self {
            Self::ClaudeCode => &claude_code::CLIENT,
            Self::ClaudeDesktop => &claude_desktop::CLIENT,
            Self::Cursor => &cursor::CLIENT,
            Self::Vscode => &vscode::CLIENT,
            Self::Codex => &codex::CLIENT,
            Self::Gemini => &gemini::CLIENT,
            Self::Zed => &zed::CLIENT,
        }
    }
}

impl Scope {
    /// What asks for it on the command line, where it has to be asked for.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::User => "",
            Self::Project => " --scope project",
        }
    }
}

impl Site {
    /// What the file has under `name`.
    pub(crate) fn installed(&self, name: &ServerName) -> Result<Installed, Failure> {
        let file = ConfigFile::open(self)?;
        let found = file.text().map(|text| self.shape().find(text, name)).transpose();
        match found.map_err(|problem| file.problem(&problem))?.flatten() {
            None => Ok(Installed::No),
            Some(Found::Ours(launch)) => Ok(Installed::Yes(launch)),
            Some(Found::Other) => Ok(Installed::Other),
        }
    }

    fn shape(&self) -> &'static Shape {
        &self.client.description().shape
    }

    /// Refuses a command that the client would not start as it is written.
    fn must_start_as_written(&self, launch: &Launch) -> Result<(), Failure> {
        let Description { title, expands: Some(mark), .. } = self.client.description() else { return Ok(()) };
        let Some(word) = launch.words().find(|word| word.contains(mark)) else { return Ok(()) };
        let why = format!("{title} would take the {mark} in {word:?} for a variable");
        Err(Failure::new(ErrorKind::InvalidArgs, why).with_hint("give the file or folder another name"))
    }
}
