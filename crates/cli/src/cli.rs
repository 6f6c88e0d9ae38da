//! The command line as clap sees it. Each verb's arguments, and its manual, are in the verb's own file.

use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::{ColorChoice, Parser, Subcommand};

use crate::command::{
    add, approvals, approve, audit, build, cache, check, commit, compile_worker, completions, diff, doctor, drop,
    explain, fs, init, inspect, learn, log, man, mcp, new, pack, policy_diff, remove, replay, run, secret, serve,
    token, tools, trust, warm,
};

/// How help is coloured, on a terminal only.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

/// Run tools for AI agents without trusting them
///
/// A tool is a WebAssembly file that starts with no authority at all. What it may do is what its author declared (its manifest,
/// the ceiling) and what you grant with --allow, --deny and --mount: never more than either. Every call gets a fresh instance,
/// hard limits, and a record of what it did, asked for and was refused.
#[derive(Debug, Parser)]
#[command(name = "caplet", version, styles = STYLES, max_term_width = 110, after_long_help = AFTER)]
pub(crate) struct Cli {
    /// Also say what was denied to a tool that coped with it, and what each call used
    #[arg(short, long, global = true, display_order = 900)]
    pub(crate) verbose: bool,

    /// When to use colours [default: on a terminal, unless NO_COLOR is set]
    #[arg(long, global = true, value_name = "WHEN", default_value_t, hide_default_value = true, display_order = 901)]
    pub(crate) color: ColorChoice,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every verb has in common, at the end of the long help and of the manual.
const AFTER: &str = "\
Exit codes:
  0  ok
  1  the tool returned an error, or exited with another code than 0
  2  bad usage, component, manifest or configuration
  3  denied by the policy, or refused by it
  4  the tool trapped
  5  the tool hit a limit
  6  the host failed
  130, 143  interrupted, terminated

Files:
  $XDG_CONFIG_HOME/caplet/caplet.toml your toolbox ($XDG_CONFIG_HOME is ~/.config unless set)
  ./caplet.toml                       the project's toolbox, which only takes away unless you trust it
  $XDG_STATE_HOME/caplet/trust.toml   which projects' toolboxes you trust
  caplet.lock, beside a toolbox        its tools as you approved them
  $XDG_CONFIG_HOME/caplet/tokens.toml hashes of the tokens of HTTP clients
  $XDG_STATE_HOME/caplet/audit/       the record of every call ($XDG_STATE_HOME is ~/.local/state unless set)
  $XDG_STATE_HOME/caplet/audit-keys/  the key and the checkpoints that show whether that is whole
  $XDG_STATE_HOME/caplet/recordings/  calls that were recorded
  $XDG_STATE_HOME/caplet/secrets.age  secrets, where there is no keyring; their key is $XDG_CONFIG_HOME/caplet/secrets.key
  $XDG_CACHE_HOME/caplet/code/        compiled code ($XDG_CACHE_HOME is ~/.cache unless set)

Examples:
  caplet tools
  caplet run file-read --allow 'read:docs/**' --args '{\"path\":\"docs/index.md\"}'
  caplet init
  caplet run editor --config ./caplet.toml --args-file edit.json
  caplet inspect ./tool.wasm
  caplet explain file-write 'write /etc/passwd' --allow 'write:/**'";

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::RunArgs),
    Inspect(inspect::InspectArgs),
    Check(check::CheckArgs),
    Pack(pack::PackArgs),
    New(new::NewArgs),
    Build(build::BuildArgs),
    Explain(explain::ExplainArgs),
    Learn(learn::LearnArgs),
    Policy(policy_diff::PolicyArgs),
    Token(token::TokenArgs),
    Tools(tools::ToolsArgs),
    Serve(serve::ServeArgs),
    Init(init::InitArgs),
    Trust(trust::TrustArgs),
    Add(add::AddArgs),
    Remove(remove::RemoveArgs),
    Approve(approve::ApproveArgs),
    Secret(secret::SecretArgs),
    Approvals(approvals::ApprovalsArgs),
    Log(log::LogArgs),
    Audit(audit::AuditArgs),
    Replay(replay::ReplayArgs),
    Cache(cache::CacheArgs),
    Warm(warm::WarmArgs),
    Commit(commit::CommitArgs),
    Diff(diff::DiffArgs),
    Drop(drop::DropArgs),
    Fs(fs::FsArgs),
    Mcp(mcp::McpArgs),
    Doctor(doctor::DoctorArgs),
    #[command(name = compile_worker::COMPILE_WORKER, hide = true)]
    CompileWorker(compile_worker::CompileWorkerArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        super::Cli::command().debug_assert();
    }
}
