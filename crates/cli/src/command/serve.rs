//! `caplet serve`: the tools of a toolbox for an agent.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use caplet::audit::text::visible_line;
use caplet::audit::{ErrorKind, Sink};
use caplet::authority::Allowance;
use caplet::sandbox::SandboxConfig;
use caplet::{Catalog, SocketApprover, Watched};
use caplet_mcp::{End, Server, Settings};
use caplet_server::{DEFAULT_PROFILE, Metrics};
use caplet_telemetry::{Forward, Traces};
use clap::Args;

use crate::audit_options::AuditOptions;
use crate::command::served;
use crate::failure::{Failure, Stop};
use crate::http_options::{HttpOptions, profile, serve_http};
use crate::observed::Observed;
use crate::signals::signalled;
use crate::toolbox::ToolboxOptions;
use crate::ui::Ui;
use crate::{catalog, host, stdio};

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet serve
  caplet serve --config ./caplet.toml
  caplet serve --learn=proposal.txt
  caplet serve --http 8473
  caplet serve --http 0.0.0.0:8473 --tls-cert cert.pem --tls-key key.pem --tokens tokens.toml --allow-host tools.example.org"#;

/// Serve the tools of a toolbox to an agent, by the Model Context Protocol
///
/// The client speaks on standard input and is answered on standard output; everything for people goes to standard error. Each call runs
/// in an instance of its own under what the toolbox grants, and leaves a record in the audit log. Nothing that a client sends can grant,
/// load or change anything. When the client closes its end, what it has asked is still answered; when nobody reads the answers, calls that
/// still run are stopped at once.
///
/// With --http, clients send their messages to http://127.0.0.1:PORT/mcp instead (Streamable HTTP). Requests that name another host or
/// come from a web page are refused, and an address that others can reach needs --tokens or --oauth. A call whose client goes away is
/// stopped within a second, unless the client takes it up again. /healthz says whether the server runs, and /metrics what it did.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    toolbox: ToolboxOptions,

    /// Say in the end what the calls of each tool needed, as `caplet learn` does; with =FILE, write it there
    ///
    /// Calls run under what the toolbox grants, and no more. What they asked for is kept in memory until the server ends.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    learn: Option<Option<PathBuf>>,

    /// Keep all that tools see, so that `caplet replay` can run each call again, by the id of its record
    ///
    /// What is kept of each call is up to 64 MiB, and nothing of it is ever removed by itself. Calls of tools whose calls share an instance
    /// are not recorded.
    #[arg(long)]
    record: bool,

    #[command(flatten)]
    http: HttpOptions,

    #[command(flatten)]
    audit: AuditOptions,

    /// Send records to another program too; may be given more than once
    ///
    /// syslog+unix:///dev/log, syslog+udp://HOST:PORT and syslog+tcp://HOST:PORT (RFC 5424), or an address that takes them by HTTP, up to 256
    /// at a time, as JSON on a line each; with CAPLET_AUDIT_TOKEN as a bearer's token, if that is set. No call waits for it: records
    /// that find 4,096 others waiting, or cannot be sent after some tries, are only in the log.
    #[arg(long, value_name = "ADDRESS", help_heading = "Audit log")]
    audit_to: Vec<String>,
}

pub(crate) fn run(ui: &mut Ui, args: &ServeArgs) -> Result<u8, Stop> {
    let loaded = args.toolbox.load()?;
    loaded.tell(ui, None, loaded.layers.notices())?;
    if loaded.toolbox.tools().len() == 0 {
        let failure = Failure::new(ErrorKind::InvalidConfig, "there is no tool to serve");
        return Err(failure.with_hint("name a toolbox with --config, or write one with `caplet init`").into());
    }
    let (log, metrics) = (host::audit_log(host::audit_config()?), Metrics::new());
    let over_http = args.http.is_asked_for();
    let sink = if over_http { metrics.sink(log) } else { log };
    let (sink, observed) = observed(args, sink);
    let traces = traces();
    let sink = match &traces {
        Some(traces) => traces.sink(sink),
        None => sink,
    };
    let forwards = forwards(&args.audit_to)?;
    let sink = forwards.iter().fold(sink, |sink, forward| forward.sink(sink));
    let cwd = host::current_dir()?;
    let caplet = host::caplet_recording((sink, &args.audit), args.http.kept(&cwd), SandboxConfig::default(), tell)?;
    let caplet = if args.record { caplet.recording_calls() } else { caplet };
    let watched = catalog::watched(&args.toolbox, caplet.clone(), args.toolbox.profile.clone())?;
    introduce(ui, &watched.now().catalog, if over_http { "clients" } else { "the client on standard input" });
    let failed = |error: io::Error| Failure::new(ErrorKind::Host, format!("cannot start: {error}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
    let ended = runtime.block_on(async {
        let approver = approver();
        let together = Arc::new(Allowance::new(Settings::TOGETHER));
        let server = |watched: &Watched| {
            let server = server(watched, approver.as_ref(), over_http);
            let server = match &args.toolbox.profile {
                Some(profile) => server.profile(profile),
                None => server,
            };
            // Over pipes there is one session.
            let server = if over_http { server.within(Arc::clone(&together)) } else { server };
            // Who comes with a token is somebody else than the operator.
            server.asks_clients(!args.http.asks_who_comes())
        };
        if !over_http {
            return over_pipes(&server(&watched)).await;
        }
        let mut servers = vec![(DEFAULT_PROFILE, server(&watched))];
        if args.toolbox.profile.is_none() {
            for name in loaded.toolbox.profiles() {
                let watched = catalog::watched(&args.toolbox, caplet.clone(), Some(name.to_owned()))?;
                servers.push((name, server(&watched).profile(name)));
            }
        }
        let profiles = servers.iter().map(|(name, server)| profile(name, server.clone())).collect();
        let ended = serve_http(ui, &args.http, profiles, (metrics, traces.clone())).await;
        for (_, server) in &servers {
            server.end().await;
        }
        ended
    });
    // A host call that is still blocked must not hold up the end.
    runtime.shutdown_background();
    if let Some(traces) = &traces {
        traces.end();
    }
    forwards.iter().for_each(Forward::end);
    if let (Some(observed), Some(file)) = (observed, &args.learn) {
        served::tell(&caplet, &loaded.toolbox, &cwd, &observed.evidence(), file.as_deref())?;
    }
    ended
}

/// The sink, and what hears it where calls are to be learnt from.
fn observed(args: &ServeArgs, sink: Arc<dyn Sink>) -> (Arc<dyn Sink>, Option<Arc<Observed>>) {
    if args.learn.is_none() {
        return (sink, None);
    }
    let observed = Arc::new(Observed::new(sink));
    (Arc::clone(&observed) as _, Some(observed))
}

/// Where records go besides the log.
fn forwards(places: &[String]) -> Result<Vec<Forward>, Failure> {
    let token = std::env::var("CAPLET_AUDIT_TOKEN").ok();
    let forward = |place: &String| {
        let forward = Forward::to(place, token.as_deref(), tell);
        forward.map_err(|error| Failure::new(ErrorKind::InvalidConfig, format!("--audit-to: {error}")))
    };
    places.iter().map(forward).collect()
}

/// Where the environment says that traces go, if it does. A server without them is better than none.
fn traces() -> Option<Traces> {
    let variable = |name: &str| std::env::var(name).ok();
    Traces::from_env(variable, tell).unwrap_or_else(|error| {
        tell(&error.to_string());
        None
    })
}

/// The server of what `watched` offers, now and later.
fn server(watched: &Watched, approver: Option<&Arc<SocketApprover>>, is_shared: bool) -> Server {
    let settings = if is_shared { Settings::shared() } else { Settings::default() };
    let server = Server::new(catalog::followed(watched, tell), settings);
    match approver {
        Some(approver) => server.approver(Arc::clone(approver) as _),
        None => server,
    }
}

/// Where `caplet approvals` finds the questions of this server. Without it, only clients can be asked.
fn approver() -> Option<Arc<SocketApprover>> {
    let opened = host::approvals_dir().map_err(|failure| failure.info.message);
    match opened.and_then(|folder| SocketApprover::open(&folder).map_err(|error| error.to_string())) {
        Ok(approver) => Some(Arc::new(approver)),
        Err(reason) => {
            tell(&format!("`caplet approvals` cannot be asked: {reason}"));
            None
        }
    }
}

async fn over_pipes(server: &Server) -> Result<u8, Stop> {
    let mut interrupted = None;
    let ended = signalled().map_err(|error| Failure::new(ErrorKind::Host, format!("cannot start: {error}")))?;
    let until = async {
        tokio::select! {
            code = ended => interrupted = Some(code),
            () = stdio::unread() => {}
        }
    };
    match caplet_mcp::serve(server, stdio::input(), stdio::output(), until).await {
        End::Failed => Err(Failure::new(ErrorKind::Host, "the session with the client could not go on").into()),
        _ => Ok(interrupted.unwrap_or(0)),
    }
}

/// Says what is served, and what is not and why. Nobody may be there to read it.
fn introduce(ui: &mut Ui, catalog: &Catalog, whom: &str) {
    catalog::hidden(catalog).for_each(|line| drop(ui.warning(&line)));
    let count = catalog.offers().len();
    let plural = if count == 1 { "" } else { "s" };
    let _ = ui.note(&format!("{count} tool{plural} for {whom}"));
}

/// What the libraries have to tell a person while the server runs.
fn tell(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "warning: {}", visible_line(text));
}
