//! `caplet man`: the manual, made from the same text as `--help`.

use caplet::audit::ErrorKind;
use clap::{Args, CommandFactory as _};

use crate::cli::Cli;
use crate::failure::{Failure, Stop};
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet man | man -l -
  caplet man policy diff > caplet-policy-diff.1"#;

/// Print the manual page of caplet, or of one verb
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// The verb, such as `run` or `policy diff`
    verb: Vec<String>,
}

pub(crate) fn run(ui: &mut Ui, args: &ManArgs) -> Result<u8, Stop> {
    let mut command = Cli::command();
    command.build();
    let mut found = &command;
    for name in &args.verb {
        found = found.find_subcommand(name).ok_or_else(|| {
            Failure::new(ErrorKind::InvalidConfig, format!("there is no verb `{}`", args.verb.join(" ")))
                .with_hint("`caplet --help` lists the verbs")
        })?;
    }
    let page = found.get_bin_name().unwrap_or("caplet").replace(' ', "-");
    let mut text = Vec::new();
    clap_mangen::Man::new(found.clone()).title(page.to_uppercase()).render(&mut text)?;
    ui.bytes(&text)?;
    Ok(0)
}
