//! What `diff`, `commit` and `drop` have in common: which overlay, which of its changes, and how they are told.

use std::path::PathBuf;

use caplet::audit::ErrorKind;
use caplet::audit::text::visible_line;
use caplet::vfs::EntryKind;
use caplet::vfs::overlay::{Change, ChangeKind, Choice, OverlayError, OverlayStore, Summary};
use clap::Args;
use serde::Serialize;

use crate::failure::Failure;
use crate::host;

/// Which changes are meant.
#[derive(Debug, Args)]
pub(super) struct ChangeOptions {
    /// The directory that calls used as overlay:DIR
    #[arg(default_value = ".")]
    pub(super) dir: PathBuf,

    /// Only changes at these paths and below, as they are called within DIR
    #[arg(value_name = "PATH", value_parser = some_path)]
    pub(super) paths: Vec<String>,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

impl ChangeOptions {
    /// The overlay; none where nothing was ever changed.
    pub(super) fn open(&self) -> Result<Option<OverlayStore>, Failure> {
        Ok(caplet::open_overlay(&host::state_dir()?, &self.dir)?)
    }

    /// Forgets everything that was changed in a directory that is gone; none where it is there, or nothing was ever changed in it.
    pub(super) fn all_of_gone(&self) -> Result<Option<Vec<Change>>, Failure> {
        let looked = std::fs::symlink_metadata(&self.dir);
        let is_gone = looked.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        if !is_gone || self.dir.as_os_str().is_empty() || !self.paths.is_empty() {
            return Ok(None);
        }
        Ok(caplet::discard_gone(&host::state_dir()?, &self.dir)?)
    }

    /// The paths in the form that changes have.
    pub(super) fn chosen(&self) -> Vec<String> {
        let plain =
            |path: &String| path.split('/').filter(|name| !matches!(*name, "" | ".")).collect::<Vec<_>>().join("/");
        self.paths.iter().map(plain).collect()
    }

    /// Of `changes`, those that are meant.
    pub(super) fn pick(&self, changes: Vec<Change>) -> Result<Vec<Change>, Failure> {
        let chosen = self.chosen();
        let is_in = |change: &Change, path: &str| {
            path.is_empty()
                || change.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if let Some(path) = chosen.iter().find(|path| !changes.iter().any(|change| is_in(change, path))) {
            return Err(failed(&OverlayError::NoChange(path.clone())));
        }
        let is_meant = |change: &Change| chosen.is_empty() || chosen.iter().any(|path| is_in(change, path));
        Ok(changes.into_iter().filter(is_meant).collect())
    }
}

/// A path. One that is empty is a mistake, such as a variable of a shell that is not set, and must not mean everything.
fn some_path(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("it is empty; leave it out, or write . for everything".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// What the overlay is asked for.
pub(super) fn choice(chosen: &[String]) -> Choice<'_> {
    if chosen.is_empty() || chosen.iter().any(String::is_empty) { Choice::All } else { Choice::Paths(chosen) }
}

pub(super) fn failed(error: &OverlayError) -> Failure {
    let kind = match error {
        OverlayError::NoChange(_) | OverlayError::Whole(_) => ErrorKind::InvalidArgs,
        _ => ErrorKind::Host,
    };
    let failure = Failure::new(kind, error.to_string());
    if kind == ErrorKind::InvalidArgs {
        failure.with_hint("`caplet diff --stat` lists what has changed")
    } else {
        failure
    }
}

/// A change as JSON.
#[derive(Serialize)]
pub(super) struct Told {
    path: String,
    change: &'static str,
    what: &'static str,
    bytes: Option<u64>,
    conflict: Option<String>,
}

impl From<&Change> for Told {
    fn from(change: &Change) -> Self {
        Self {
            path: change.path.clone(),
            change: word(change.kind),
            what: match change.what {
                EntryKind::File => "file",
                EntryKind::Directory => "directory",
                EntryKind::Link => "link",
            },
            bytes: change.after.map(|after| after.size),
            conflict: change.conflict.map(|conflict| conflict.to_string()),
        }
    }
}

fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Changed => "changed",
        ChangeKind::Removed => "removed",
        _ => "other",
    }
}

/// A change on one line.
pub(super) fn line(change: &Change) -> String {
    let slash = if change.what == EntryKind::Directory { "/" } else { "" };
    let conflict = change.conflict.map(|conflict| format!("  conflict: {conflict}")).unwrap_or_default();
    format!("{:8} {}{slash}{conflict}", word(change.kind), visible_line(&change.path))
}

/// How much it is, in words.
pub(super) fn summary(summary: Summary) -> String {
    let Summary { added, changed, removed, bytes, conflicts, .. } = summary;
    let told = format!("{added} added, {changed} changed, {removed} removed; {bytes} bytes to write");
    if conflicts == 0 { told } else { format!("{told}; {conflicts} in conflict") }
}
