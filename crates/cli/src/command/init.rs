//! `caplet init`: a toolbox to start from.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use caplet::audit::text::{json_pretty, visible_line};
use caplet::component::Digest;
use caplet::{ProjectFile, Toolbox};
use clap::Args;

use crate::failure::{Failure, Stop};
use crate::toolbox;
use crate::ui::{Ui, style};

/// What a project starts from.
const PROJECT: &str = include_str!("init/project.toml");
/// What a user starts from.
const USER: &str = include_str!("init/user.toml");

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet init
  caplet init --user
  caplet init --schema > caplet.schema.json"#;

/// Write a caplet.toml to start from
///
/// For this project, with tools that read the files below the current directory and change nothing; or with --user, for you everywhere. What
/// else there is stands in it as comments. The project's file is trusted as it is written: after a change, look at it and run
/// `caplet trust`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct InitArgs {
    /// Write your own toolbox, $XDG_CONFIG_HOME/caplet/caplet.toml
    #[arg(long)]
    user: bool,

    /// Replace a file that is there
    #[arg(long)]
    force: bool,

    /// Write nothing, and print the JSON Schema of the file, for editors
    #[arg(long, conflicts_with_all = ["user", "force"])]
    schema: bool,
}

pub(crate) fn run(ui: &mut Ui, args: &InitArgs) -> Result<u8, Stop> {
    if args.schema {
        ui.json(&json_pretty(&Toolbox::schema()).map_err(io::Error::from)?)?;
        return Ok(0);
    }
    let (path, next) = if args.user { user(args)? } else { project(args)? };
    let (good, path) = (style::GOOD, path.display().to_string());
    ui.line(format_args!("{good}written:{good:#} {}", visible_line(&path)))?;
    ui.flush()?;
    ui.note(next)?;
    Ok(0)
}

fn user(args: &InitArgs) -> Result<(PathBuf, &'static str), Failure> {
    let path = toolbox::users().ok_or_else(|| {
        Failure::new(ErrorKind::Host, "there is no home to write it to").with_hint("set HOME to a folder of yours")
    })?;
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(folder, &error))?;
    }
    write(&path, USER, args.force)?;
    Ok((path, "it grants nothing yet; `caplet tools` lists what there is"))
}

fn project(args: &InitArgs) -> Result<(PathBuf, &'static str), Failure> {
    let path = toolbox::projects()?;
    write(&path, PROJECT, args.force)?;
    // What was written is looked at again, and trusted if it is that.
    let ours = Digest::of(PROJECT.as_bytes());
    if let Some(file) = ProjectFile::read(&path)?.filter(|file| *file.digest() == ours) {
        toolbox::trust().add(&file)?;
    }
    Ok((path, "it is trusted as it is; after a change, look at it and run `caplet trust`"))
}

/// Writes `text` to `path`, where nothing is, not even a link; or in the place of what is there.
fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    // What is replaced is replaced as a whole.
    let beside = path.with_file_name(format!(".{}.{}", toolbox::FILE, std::process::id()));
    let new = if force { &*beside } else { path };
    let mut file = File::create_new(new).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let message = format!("there is something at {} already", new.display());
            Failure::new(ErrorKind::InvalidConfig, message).with_hint("--force replaces it")
        }
        _ => failed(path, &error),
    })?;
    let written = file.write_all(text.as_bytes());
    let written = written.and_then(|()| if force { fs::rename(&beside, path) } else { Ok(()) });
    written.map_err(|error| {
        // It is ours: it was not there before. The first error is the one to tell.
        let _ = fs::remove_file(new);
        failed(path, &error)
    })
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(ErrorKind::Host, format!("cannot write {}: {error}", path.display()))
}
