//! The command line: `caplet`.
//!
//! In: arguments, the environment, standard input. Out: results on standard output, everything else on standard error, and an exit
//! code. What a tool may do is decided in the libraries; here is only what people type and read. Text from tools and from their
//! authors is escaped before it reaches a terminal.

mod asked;
mod asking;
mod audit_options;
mod catalog;
mod cli;
mod clients;
mod command;
mod drift;
mod export;
mod facts;
mod failure;
mod fault;
mod host;
mod http_options;
mod input;
mod language;
mod observed;
mod options;
mod prompt;
mod proposal;
mod question;
mod report;
mod shell;
mod signals;
mod stdio;
mod target;
mod toolbox;
mod ui;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::failure::Stop;
use crate::ui::Ui;

/// The exit code for a fault of ours.
const HOST_FAILED: u8 = 6;

fn main() -> ExitCode {
    fault::contain(|| {
        let cli = Cli::parse();
        let mut ui = Ui::new(cli.color, cli.verbose);
        let ended = dispatch(&mut ui, cli.command);
        host::settle_log(&mut ui);
        ExitCode::from(conclude(&mut ui, ended))
    })
}

fn dispatch(ui: &mut Ui, command: Command) -> Result<u8, Stop> {
    match command {
        Command::Run(args) => command::run::run(ui, &args),
        Command::Inspect(args) => command::inspect::run(ui, &args),
        Command::Check(args) => command::check::run(ui, &args),
        Command::Pack(args) => command::pack::run(ui, &args),
        Command::New(args) => command::new::run(ui, &args),
        Command::Build(args) => command::build::run(ui, &args),
        Command::Explain(args) => command::explain::run(ui, &args),
        Command::Learn(args) => command::learn::run(ui, &args),
        Command::Policy(command::policy_diff::PolicyArgs { command }) => command::policy_diff::run(ui, &command),
        Command::Tools(args) => command::tools::run(ui, &args),
        Command::Serve(args) => command::serve::run(ui, &args),
        Command::Init(args) => command::init::run(ui, &args),
        Command::Trust(args) => command::trust::run(ui, &args),
        Command::Add(args) => command::add::run(ui, &args),
        Command::Remove(args) => command::remove::run(ui, &args),
        Command::Approve(args) => command::approve::run(ui, &args),
        Command::Fs(args) => command::fs::run(ui, &args),
        Command::Approvals(args) => command::approvals::run(ui, &args),
        Command::Log(args) => command::log::run(ui, &args),
        Command::Audit(args) => command::audit::run(ui, &args),
        Command::Replay(args) => command::replay::run(ui, &args),
        Command::Cache(args) => command::cache::run(ui, &args),
        Command::Warm(args) => command::warm::run(ui, &args),
        Command::Commit(args) => command::commit::run(ui, &args),
        Command::Diff(args) => command::diff::run(ui, &args),
        Command::Drop(args) => command::drop::run(ui, &args),
        Command::Secret(args) => command::secret::run(ui, &args),
        Command::Token(args) => command::token::run(ui, &args),
        Command::Mcp(args) => command::mcp::run(ui, &args),
        Command::Doctor(args) => command::doctor::run(ui, &args),
        Command::CompileWorker(args) => command::compile_worker::run(&args),
        Command::Completions(args) => command::completions::run(ui, &args),
        Command::Man(args) => command::man::run(ui, &args),
    }
}

/// The one place that turns the end of a verb into an exit code.
fn conclude(ui: &mut Ui, ended: Result<u8, Stop>) -> u8 {
    let code = match ended {
        Ok(code) => code,
        Err(Stop::Failure(failure)) => {
            // Nothing is left to tell when standard error is gone too.
            let _ = ui.failure(&failure);
            failure.exit_code()
        }
        Err(Stop::Io(error)) => unwritten(ui, 0, &error),
    };
    match ui.flush() {
        Ok(()) => code,
        Err(error) => unwritten(ui, code, &error),
    }
}

/// The exit code when not everything could be written. A reader that has seen enough, as in `caplet run … | head`, changes nothing.
fn unwritten(ui: &mut Ui, code: u8, error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return code;
    }
    let _ = ui.error(&format!("cannot write the result: {error}"));
    HOST_FAILED
}
