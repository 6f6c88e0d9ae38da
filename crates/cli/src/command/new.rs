//! `caplet new`: a tool to start from.

mod scaffold;
mod template;

use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use caplet::audit::text::visible_line;
use clap::Args;

use crate::failure::{Failure, Stop};
use crate::host;
use crate::language::Language;
use crate::shell::word;
use crate::ui::{Ui, style};
use scaffold::Scaffold;

/// Bytes of a name: as many as a manifest takes.
const LONGEST_NAME: usize = 64;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet new --lang rust word-count
  caplet new --lang python tools/word-count
  caplet new --lang go . --name word-count"#;

/// Start a new tool
///
/// Makes a folder with a small tool that works: its source, with a test; its manifest, which asks for nothing; and a README with the
/// commands to go on with. The folder must be new or empty: nothing is written over. Nothing is run or fetched.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct NewArgs {
    /// The folder to make; its last name is the tool's
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// The language to write it in
    #[arg(long, value_name = "LANGUAGE")]
    lang: Language,

    /// What to call it: lower-case words joined by hyphens [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub(crate) fn run(ui: &mut Ui, args: &NewArgs) -> Result<u8, Stop> {
    let root = host::current_dir()?.join(&args.path);
    let name = match &args.name {
        Some(name) => name.clone(),
        None => root.file_name().map(|name| name.to_string_lossy().into_owned()).ok_or_else(|| {
            Failure::new(ErrorKind::InvalidArgs, format!("{} has no name of its own", args.path.display()))
                .with_hint("say what to call the tool with --name NAME")
        })?,
    };
    check_name(&name, args)?;
    let mut scaffold = Scaffold::begin(&root)?;
    let files = template::files(args.lang);
    for file in files {
        scaffold.write(file.path(), &file.text(&name))?;
    }
    scaffold.keep();
    let good = style::GOOD;
    for file in files {
        let path = args.path.join(file.path()).display().to_string();
        ui.line(format_args!("{good}written:{good:#} {}", visible_line(&path)))?;
    }
    ui.flush()?;
    ui.help(&next(&args.path))?;
    Ok(0)
}

/// What a manifest takes, and every tool chain as the name of a package: they want a letter first.
fn check_name(name: &str, args: &NewArgs) -> Result<(), Failure> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_name = name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.split('-').all(is_word);
    if is_name {
        return Ok(());
    }
    let rule = "a name is lower-case letters and digits in words joined by hyphens, starts with a letter, and has at most 64 of them";
    let failure = Failure::new(ErrorKind::InvalidArgs, format!("{name:?} is not a tool's name"));
    Err(match (&args.name, near(name)) {
        (None, Some(near)) => failure.with_hint(format!("{rule}; for another than the folder's: --name {near}")),
        (_, Some(near)) => failure.with_hint(format!("{rule}, such as {near}")),
        (_, None) => failure.with_hint(rule),
    })
}

/// The name that was perhaps meant.
fn near(name: &str) -> Option<String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let near = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    (near.len() <= LONGEST_NAME && near.starts_with(|first: char| first.is_ascii_lowercase())).then_some(near)
}

fn next(path: &Path) -> String {
    if path == Path::new(".") {
        return "README.md has the commands to go on with; the next is: caplet build".to_owned();
    }
    let folder = word(&path.display().to_string());
    format!("README.md there has the commands to go on with; the next is: caplet build {folder}")
}
