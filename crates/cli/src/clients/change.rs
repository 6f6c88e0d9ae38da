//! What is to be done with a client's file, and the doing of it.

use super::file::{ConfigFile, Interrupted, Lock};
use super::shape::{Found, Problem, Shape};
use super::{Launch, ServerName, Site};
use crate::failure::Failure;
use caplet::audit::ErrorKind;

/// How often a file may be changed by others while it is being changed here. A client that is running writes its own now and then.
const ATTEMPTS: u32 = 10;

/// What was done, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It was as wanted already.
    Nothing,
    /// There was no file, and now there is.
    Created,
    /// The file has an entry that it had not.
    Added,
    /// The entry differs from before.
    Changed,
    /// The entry is gone.
    Removed,
    /// The file is as it was before there was an entry.
    Restored,
    /// The file, which had nothing else, is gone.
    Deleted,
}

/// What to do with a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Keep,
    /// Write the text. What was there is kept as the backup, unless an older one is what to return to.
    Write {
        text: String,
        is_kept: bool,
    },
    /// Write the backup's text; it is then no longer needed.
    Restore,
    Delete,
}

/// What a file was before it had our entry.
enum Before<'a> {
    Backup(&'a str),
    /// There was none.
    Nothing,
}

/// Lets the client start `launch` under `name`. With `force`, in place of something else.
pub(crate) fn install(
    site: &Site,
    name: &ServerName,
    launch: &Launch,
    force: bool,
    is_trial: bool,
) -> Result<Done, Failure> {
    site.must_start_as_written(launch)?;
    change(site, is_trial, |file| {
        let plan = Plan::new(site.shape(), name, file);
        let found = plan.found().map_err(|problem| file.problem(&problem))?;
        if found == Some(Found::Other) && !force {
            return Err(taken(site, name, "replace it"));
        }
        plan.to_install(found.as_ref(), launch).map_err(|problem| file.problem(&problem))
    })
}

/// Lets the client start nothing under `name`. With `force`, even if it is something else.
pub(crate) fn uninstall(site: &Site, name: &ServerName, force: bool, is_trial: bool) -> Result<Done, Failure> {
    change(site, is_trial, |file| {
        let plan = Plan::new(site.shape(), name, file);
        let found = plan.found().map_err(|problem| file.problem(&problem))?;
        if found == Some(Found::Other) && !force {
            return Err(taken(site, name, "remove it"));
        }
        plan.to_uninstall(found.as_ref()).map_err(|problem| file.problem(&problem))
    })
}

fn taken(site: &Site, name: &ServerName, what: &str) -> Failure {
    let (file, name) = (site.file.display(), name.as_str());
    let why = format!("{file} has something else under {name:?}, and was left as it is");
    Failure::new(ErrorKind::InvalidConfig, why).with_hint(format!("{what} with --force, or use another --name"))
}

/// Plans by the file as it is and does so, as often as it is another one by then.
fn change(
    site: &Site,
    is_trial: bool,
    plan: impl Fn(&ConfigFile) -> Result<(Step, Done), Failure>,
) -> Result<Done, Failure> {
    let _alone = if is_trial { None } else { Some(Lock::take()?) };
    for _ in 0..ATTEMPTS {
        let file = ConfigFile::open(site)?;
        let (step, done) = plan(&file)?;
        if step != Step::Keep {
            file.must_be_changeable()?;
        }
        if is_trial {
            return Ok(done);
        }
        match file.perform(&step) {
            Ok(()) => return Ok(done),
            Err(Interrupted::Changed) => {}
            Err(Interrupted::Failed(error)) => return Err(file.unwritten(&error)),
        }
    }
    let why = format!("{} was changed by another program each time that it was to be written", site.file.display());
    Err(Failure::new(ErrorKind::Host, why).with_hint(format!("close {} and try again", site.client.title())))
}

/// A file, what it was before, and an entry in it.
struct Plan<'a> {
    shape: &'a Shape,
    name: &'a ServerName,
    /// Nothing if there is no file.
    text: Option<&'a str>,
    backup: Option<&'a str>,
}

impl<'a> Plan<'a> {
    fn new(shape: &'a Shape, name: &'a ServerName, file: &'a ConfigFile) -> Self {
        Self { shape, name, text: file.text(), backup: file.backup() }
    }

    fn found(&self) -> Result<Option<Found>, Problem> {
        self.text.map_or(Ok(None), |text| self.shape.find(text, self.name))
    }

    fn to_install(&self, found: Option<&Found>, launch: &Launch) -> Result<(Step, Done), Problem> {
        let write = |base: &str, is_kept| {
            Ok::<_, Problem>(Step::Write { text: self.shape.put(base, self.name, launch)?, is_kept })
        };
        let text = self.text.unwrap_or_default();
        Ok(match found {
            Some(Found::Ours(present)) if present == launch => (Step::Keep, Done::Nothing),
            Some(Found::Ours(present)) => match self.before(present) {
                // A change of our own change is one change: from what was before.
                Some(Before::Backup(before)) => (write(before, false)?, Done::Changed),
                Some(Before::Nothing) => (write("", false)?, Done::Changed),
                None => (write(text, true)?, Done::Changed),
            },
            Some(Found::Other) => (write(text, true)?, Done::Changed),
            None if self.text.is_none() => (write(text, false)?, Done::Created),
            None => (write(text, true)?, Done::Added),
        })
    }

    fn to_uninstall(&self, found: Option<&Found>) -> Result<(Step, Done), Problem> {
        let (Some(found), Some(text)) = (found, self.text) else { return Ok((Step::Keep, Done::Nothing)) };
        let before = match found {
            Found::Ours(present) => self.before(present),
            Found::Other => None,
        };
        Ok(match before {
            Some(Before::Backup(_)) => (Step::Restore, Done::Restored),
            Some(Before::Nothing) => (Step::Delete, Done::Deleted),
            None => (Step::Write { text: self.shape.take(text, self.name)?, is_kept: true }, Done::Removed),
        })
    }

    /// What was there before `present`, if nobody has changed anything else since: then to put it there again gives this very text.
    fn before(&self, present: &Launch) -> Option<Before<'a>> {
        let is_before = |text: &str| {
            let had = self.shape.find(text, self.name);
            let had_none_of_ours = matches!(had, Ok(None | Some(Found::Other)));
            had_none_of_ours && self.shape.put(text, self.name, present).is_ok_and(|again| Some(&*again) == self.text)
        };
        match self.backup {
            Some(backup) if is_before(backup) => Some(Before::Backup(backup)),
            _ => is_before("").then_some(Before::Nothing),
        }
    }
}
