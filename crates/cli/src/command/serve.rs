//! `caplet serve`: the tools of a toolbox for an agent.

use std::io::{self, Write as _};

use caplet::audit::ErrorKind;
use caplet::audit::text::visible_line;
use caplet::sandbox::SandboxConfig;
use caplet::{Catalog, Hidden};
use caplet_mcp::{End, Server, Settings};
use clap::Args;

use crate::failure::{Failure, Stop};
use crate::signals::signalled;
use crate::toolbox::ToolboxOptions;
use crate::ui::Ui;
use crate::{host, stdio};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet serve
  caplet serve --config ./caplet.toml"#;

/// Serve the tools of a toolbox to an agent, by the Model Context Protocol
///
/// The client speaks on standard input and is answered on standard output; everything for people goes to standard error. Each call runs
/// in an instance of its own under what the toolbox grants, and leaves a record in the audit log. Nothing that a client sends can grant,
/// load or change anything. When the client closes its end, calls that still run are stopped within half a second.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    toolbox: ToolboxOptions,
}

pub(crate) fn run(ui: &mut Ui, args: &ServeArgs) -> Result<u8, Stop> {
    let Some(toolbox) = args.toolbox.read()? else {
        let failure = Failure::new(ErrorKind::InvalidConfig, "there is no toolbox to serve");
        return Err(failure.with_hint("name one with --config, or write $XDG_CONFIG_HOME/caplet/caplet.toml").into());
    };
    let caplet = host::caplet_for(SandboxConfig::default(), tell)?;
    let catalog = Catalog::new(&caplet, &toolbox, host::current_dir()?);
    introduce(ui, &catalog);
    let failed = |error: io::Error| Failure::new(ErrorKind::Host, format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
    let mut interrupted = None;
    let end = runtime.block_on(async {
        let ended = signalled().map_err(failed)?;
        let until = async { interrupted = Some(ended.await) };
        let server = Server::fixed(catalog, Settings::default());
        Ok::<End, Failure>(caplet_mcp::serve(&server, stdio::input(), stdio::output(), until).await)
    });
    // A host call that is still blocked must not hold up the end.
    runtime.shutdown_background();
    match end? {
        End::Failed => Err(Failure::new(ErrorKind::Host, "the session with the client could not go on").into()),
        _ => Ok(interrupted.unwrap_or(0)),
    }
}

/// Says what is served, and what is not and why. Nobody may be there to read it.
fn introduce(ui: &mut Ui, catalog: &Catalog) {
    for Hidden { tool, error, .. } in catalog.hidden() {
        let _ = ui.warning(&format!("{tool} is hidden: {}", error.message));
        if let Some(hint) = &error.hint {
            let _ = ui.help(hint);
        }
    }
    let count = catalog.offers().len();
    let plural = if count == 1 { "" } else { "s" };
    let _ = ui.note(&format!("{count} tool{plural} for the client on standard input"));
}

/// What the libraries have to tell a person while the server runs.
fn tell(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "warning: {}", visible_line(text));
}
