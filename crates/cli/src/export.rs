//! `--export-session FILE`: what a call left in its `session` mounts, as a tar archive. What always holds: a file is there as a whole or
//! not at all, only its owner can read it, and nothing is overwritten that was not to be. It is made when no guest runs any more, so
//! that none can reach it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use caplet::audit::{ErrorKind, Outcome, OutcomeKind};
use caplet::{Grant, SessionData};
use clap::Args;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::failure::Failure;

/// Where the files of a session go.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Session")]
pub(crate) struct ExportOptions {
    /// Keep the files of `session` mounts in FILE, as a tar archive, however the call ends
    ///
    /// FILE can be read by its owner alone. One that exists is left as it is, and the tool is not run, unless --force is given.
    #[arg(long, value_name = "FILE")]
    export_session: Option<PathBuf>,

    /// Replace the FILE of --export-session
    #[arg(long, requires = "export_session")]
    force: bool,

    /// What the call has.
    #[arg(skip)]
    session: OnceLock<Arc<SessionData>>,
}

impl ExportOptions {
    /// Has the call keep its session's files until [`ExportOptions::finish`], if they are to be kept.
    pub(crate) fn begin(&self, mut grant: Grant) -> Result<Grant, Failure> {
        let Some(path) = &self.export_session else { return Ok(grant) };
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => return Err(unwritten(path, &io::ErrorKind::IsADirectory.into())),
            Ok(_) if !self.force => return Err(unwritten(path, &io::ErrorKind::AlreadyExists.into())),
            Ok(_) | Err(_) => {}
        }
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !above.is_dir() {
            return Err(unwritten(path, &io::ErrorKind::NotFound.into()));
        }
        let session = self.session.get_or_init(|| Arc::new(SessionData::new(grant.limits().file_writes)));
        grant.session(Arc::clone(session));
        Ok(grant)
    }

    /// Writes the archive, if there is to be one and the tool was run.
    pub(crate) fn finish(&self, outcome: &Outcome) -> Result<(), Failure> {
        let (Some(path), Some(session)) = (&self.export_session, self.session.get()) else { return Ok(()) };
        if outcome.outcome == OutcomeKind::Refused {
            return Ok(());
        }
        let mut beside = std::ffi::OsString::from(".");
        beside.push(path.file_name().unwrap_or_default());
        beside.push(format!(".caplet-{}", std::process::id()));
        let beside = path.with_file_name(beside);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        let file = file.map_err(|error| unwritten(path, &error))?;
        write(session, file).and_then(|()| self.place(&beside, path)).map_err(|error| {
            // It was made here, and holds perhaps only a part.
            let _ = fs::remove_file(&beside);
            unwritten(path, &error)
        })
    }

    fn place(&self, beside: &Path, path: &Path) -> io::Result<()> {
        if self.force {
            return fs::rename(beside, path);
        }
        // Something may have come there since it was looked for.
        match renameat_with(CWD, beside, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            // Not every file system can do that.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
                fs::hard_link(beside, path)?;
                fs::remove_file(beside)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn write(session: &SessionData, file: File) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    session.write_tar(&mut out)?;
    out.flush()
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let message = format!("the session's files cannot be kept in {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(ErrorKind::InvalidArgs, message)
            .with_hint("name another file, or replace this one with --force"),
        io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => Failure::new(ErrorKind::InvalidArgs, message),
        _ => Failure::new(ErrorKind::Host, message),
    }
}
