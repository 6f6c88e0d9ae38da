//! Where a call's arguments come from: an option, a file, or standard input; read within bounds.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use clap::Args;

use crate::failure::Failure;

/// The arguments of a call.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct InputOptions {
    /// The tool's input as a JSON object; - reads it from standard input
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    pub(crate) args: Option<String>,

    /// Read the input from a file; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) args_file: Option<PathBuf>,
}

impl InputOptions {
    /// The text of the arguments, at most `limit` bytes of it and one more, by which the library knows that it is too long.
    pub(crate) fn read(&self, limit: u64) -> Result<String, Failure> {
        match (self.args.as_deref(), self.args_file.as_deref()) {
            (Some("-"), _) => bounded("standard input", limit, io::stdin().lock()),
            (Some(text), _) => Ok(text.to_owned()),
            (None, Some(file)) if file == Path::new("-") => bounded("standard input", limit, io::stdin().lock()),
            (None, Some(file)) => {
                let name = file.display().to_string();
                let opened = File::open(file).map_err(|error| unreadable(&name, &error))?;
                bounded(&name, limit, opened)
            }
            (None, None) => Ok("{}".to_owned()),
        }
    }
}

fn bounded(name: &str, limit: u64, source: impl Read) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    source.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        let message = format!("the arguments in {name} are longer than the limit of {limit} bytes");
        return Err(Failure::new(ErrorKind::InvalidArgs, message).with_hint("raise it with --limit arguments=SIZE"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(ErrorKind::InvalidArgs, format!("the arguments in {name} are not UTF-8 text: byte {at} is wrong"))
    })
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::new(ErrorKind::InvalidArgs, format!("cannot read the arguments from {name}: {error}"))
}
