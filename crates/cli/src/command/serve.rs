//! `caplet serve`: the tools of a toolbox for an agent.

use std::io::{self, Write as _};

use caplet::audit::ErrorKind;
use caplet::audit::text::visible_line;
use caplet::sandbox::SandboxConfig;
use caplet::{Catalog, Hidden};
use caplet_mcp::{End, Server, Settings};
use caplet_server::{DEFAULT_PROFILE, Metrics};
use clap::Args;

use crate::failure::{Failure, Stop};
use crate::http_options::{HttpOptions, profile, serve_http};
use crate::signals::signalled;
use crate::toolbox::ToolboxOptions;
use crate::ui::Ui;
use crate::{host, stdio};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet serve
  caplet serve --config ./caplet.toml
  caplet serve --http 8473
  caplet serve --http 0.0.0.0:8473 --tls-cert cert.pem --tls-key key.pem --tokens tokens.toml --allow-host tools.example.org"#;

/// Serve the tools of a toolbox to an agent, by the Model Context Protocol
///
/// The client speaks on standard input and is answered on standard output; everything for people goes to standard error. Each call runs
/// in an instance of its own under what the toolbox grants, and leaves a record in the audit log. Nothing that a client sends can grant,
/// load or change anything. When the client closes its end, calls that still run are stopped within half a second.
///
/// With --http, clients send their messages to http://127.0.0.1:PORT/mcp instead (Streamable HTTP). Requests that name another host or
/// come from a web page are refused, and an address that others can reach needs --tokens or --oauth. A call whose client goes away is
/// stopped within a second, unless the client takes it up again. /healthz says whether the server runs, and /metrics what it did.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    toolbox: ToolboxOptions,

    #[command(flatten)]
    http: HttpOptions,
}

pub(crate) fn run(ui: &mut Ui, args: &ServeArgs) -> Result<u8, Stop> {
    let Some(toolbox) = args.toolbox.read()? else {
        let failure = Failure::new(ErrorKind::InvalidConfig, "there is no toolbox to serve");
        return Err(failure.with_hint("name one with --config, or write $XDG_CONFIG_HOME/caplet/caplet.toml").into());
    };
    let (log, metrics) = (host::audit_log()?, Metrics::new());
    let over_http = args.http.is_asked_for();
    let sink = if over_http { metrics.sink(log) } else { log };
    let caplet = host::caplet_recording(sink, SandboxConfig::default(), tell)?;
    let catalog = Catalog::new(&caplet, &toolbox, host::current_dir()?);
    introduce(ui, &catalog, if over_http { "clients" } else { "the client on standard input" });
    let failed = |error: io::Error| Failure::new(ErrorKind::Host, format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
    let server = Server::fixed(catalog, Settings::default());
    if over_http {
        let profiles = [profile(DEFAULT_PROFILE, server)].into();
        let code = runtime.block_on(serve_http(ui, &args.http, profiles, metrics));
        runtime.shutdown_background();
        return code;
    }
    let mut interrupted = None;
    let end = runtime.block_on(async {
        let ended = signalled().map_err(failed)?;
        let until = async { interrupted = Some(ended.await) };
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
fn introduce(ui: &mut Ui, catalog: &Catalog, whom: &str) {
    for Hidden { tool, error, .. } in catalog.hidden() {
        let _ = ui.warning(&format!("{tool} is hidden: {}", error.message));
        if let Some(hint) = &error.hint {
            let _ = ui.help(hint);
        }
    }
    let count = catalog.offers().len();
    let plural = if count == 1 { "" } else { "s" };
    let _ = ui.note(&format!("{count} tool{plural} for {whom}"));
}

/// What the libraries have to tell a person while the server runs.
fn tell(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "warning: {}", visible_line(text));
}
