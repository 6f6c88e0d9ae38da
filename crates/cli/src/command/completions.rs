//! `caplet completions`: shell completions.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::Stop;
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet completions bash > ~/.local/share/bash-completion/completions/caplet
  caplet completions zsh  > ~/.zfunc/_caplet
  caplet completions fish > ~/.config/fish/completions/caplet.fish"#;

/// Print completions for a shell
///
/// Put the output where the shell looks for completions.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(ui: &mut Ui, args: &CompletionsArgs) -> Result<u8, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "caplet", &mut script);
    ui.bytes(&script)?;
    Ok(0)
}
