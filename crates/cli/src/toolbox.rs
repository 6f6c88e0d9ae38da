//! Which tool a person means: a name in the toolbox, a built-in tool, or a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use caplet::{Error, Grant, Source, Toolbox};
use clap::Args;

use crate::failure::Failure;
use crate::host;

/// What the file is called.
pub(crate) const FILE: &str = "caplet.toml";

/// Where names of tools come from.
#[derive(Debug, Default, Args)]
pub(crate) struct ToolboxOptions {
    /// Take configured tools from this file [default: $XDG_CONFIG_HOME/caplet/caplet.toml, if there is one]
    ///
    /// The file names tools and what each is granted, and stores that they share. A name in it comes before a built-in tool of that
    /// name. A caplet.toml in the current directory is not read by itself: who wrote it may not be you.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Where the user's own toolbox is, or would be.
fn users() -> Option<PathBuf> {
    host::config_dir().ok().map(|folder| folder.join(FILE))
}

/// A tool that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) source: Source,
    /// What the tool is called.
    pub(crate) name: String,
    /// Whether the toolbox has it. A file may have the same name.
    is_configured: bool,
    toolbox: Option<Toolbox>,
}

impl ToolboxOptions {
    /// The toolbox that is named, or the user's own.
    pub(crate) fn read(&self) -> Result<Option<Toolbox>, Failure> {
        let file = match &self.config {
            Some(file) => host::current_dir()?.join(file),
            None => {
                // Without a home there is none.
                let Some(file) = users() else { return Ok(None) };
                match fs::symlink_metadata(&file) {
                    Err(error) if is_absent(&error) => return Ok(None),
                    _ => file,
                }
            }
        };
        Ok(Some(Toolbox::read(file)?))
    }

    /// The tool that `text` means.
    pub(crate) fn find(&self, text: &str) -> Result<Found, Failure> {
        let toolbox = self.read()?;
        if let Some(tool) = toolbox.as_ref().and_then(|toolbox| toolbox.tool(text)) {
            return Ok(Found { source: tool.source().clone(), name: text.to_owned(), is_configured: true, toolbox });
        }
        match Source::parse(text) {
            Ok(source) => Ok(Found { name: source.name(), source, is_configured: false, toolbox }),
            Err(error) => Err(self.unknown(text, toolbox.as_ref(), error)),
        }
    }

    /// The error that there is no such tool, with what is nearest.
    fn unknown(&self, text: &str, toolbox: Option<&Toolbox>, mut error: Error) -> Failure {
        if let Error::UnknownTool { suggestion, .. } = &mut error
            && let Some(near) = toolbox.and_then(|toolbox| toolbox.nearest(text))
        {
            *suggestion = Some(near.to_owned());
        }
        let failure = Failure::from(error);
        if self.config.is_some() || !Path::new(FILE).is_file() {
            return failure;
        }
        let known = failure.info.hint.as_ref().map(|hint| format!("{hint}; ")).unwrap_or_default();
        let unread = format!("./{FILE} is not read by itself: if you trust it, add --config ./{FILE}");
        failure.with_hint(format!("{known}{unread}"))
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl Found {
    /// What the toolbox grants to the tool; nothing, if the tool is not from there. No tool reaches the toolbox, or the user's own,
    /// which the next call may read.
    pub(crate) fn grant(&self) -> Result<Grant, Failure> {
        let here = host::current_dir()?;
        let configured = self.toolbox.as_ref().filter(|_| self.is_configured);
        let mut grant = match configured.and_then(|toolbox| toolbox.tool(&self.name)) {
            Some(tool) => tool.grant(here)?,
            None => Grant::new(here)?,
        };
        if let Some(toolbox) = &self.toolbox {
            grant.keep_out(toolbox);
        }
        if let Some(users) = users() {
            grant.keep_out_file(users);
        }
        Ok(grant)
    }
}
