//! How `caplet serve` serves HTTP: its options, and what is made of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caplet::audit::ErrorKind;
use caplet_mcp::Session;
use caplet_server::{
    AllowedHost, AllowedOrigin, Authentication, Builder, Factory, Limits, Metrics, OAuth, Profiles, Server,
    ServerError, TokenFile,
};
use caplet_telemetry::Traces;
use clap::Args;

use crate::failure::{Failure, Stop};
use crate::signals::signalled;
use crate::ui::Ui;

/// How HTTP is served.
#[derive(Debug, Args)]
pub(crate) struct HttpOptions {
    /// Serve HTTP at this address instead of standard input and output: a port of 127.0.0.1, or IP:PORT
    #[arg(long, value_name = "ADDR", value_parser = address, help_heading = "HTTP")]
    http: Option<SocketAddr>,

    /// Speak TLS with the certificate chain in this PEM file
    #[arg(long, value_name = "FILE", requires_all = ["http", "tls_key"], help_heading = "HTTP")]
    tls_cert: Option<PathBuf>,

    /// The private key of the certificate, in a PEM file
    #[arg(long, value_name = "FILE", requires_all = ["http", "tls_cert"], help_heading = "HTTP")]
    tls_key: Option<PathBuf>,

    /// Also take requests that name this host, or this host and port; the address itself and localhost always are
    #[arg(long, value_name = "HOST", requires = "http", help_heading = "HTTP")]
    allow_host: Vec<AllowedHost>,

    /// Also take requests of web pages of this origin, such as https://app.example.org
    #[arg(long, value_name = "ORIGIN", requires = "http", help_heading = "HTTP")]
    allow_origin: Vec<AllowedOrigin>,

    /// Ask for a bearer token of this file, which `caplet token new` writes
    #[arg(long, value_name = "FILE", requires = "http", help_heading = "HTTP")]
    tokens: Option<PathBuf>,

    /// Ask for a bearer token of the OAuth authorization server that this TOML file names
    #[arg(long, value_name = "FILE", requires = "http", help_heading = "HTTP")]
    oauth: Option<PathBuf>,

    /// Requests in a second of one client [default: 500 with tokens, 10000 without]
    #[arg(long, value_name = "NUMBER", requires = "http", help_heading = "HTTP")]
    rate: Option<NonZeroU32>,
}

impl HttpOptions {
    /// Whether HTTP is to be served.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.http.is_some()
    }

    /// Whether clients have to say who they are.
    pub(crate) fn asks_who_comes(&self) -> bool {
        self.tokens.is_some() || self.oauth.is_some()
    }

    /// Files that no tool may reach: one that could write them would decide who comes in.
    pub(crate) fn kept(&self, cwd: &Path) -> impl Iterator<Item = PathBuf> {
        [&self.tokens, &self.oauth, &self.tls_key].into_iter().flatten().map(|file| cwd.join(file))
    }

    fn authentication(&self) -> Result<Authentication, ServerError> {
        let mut authentication = Authentication::none();
        if let Some(path) = &self.tokens {
            authentication = authentication.tokens(TokenFile::new(path))?;
        }
        if let Some(path) = &self.oauth {
            authentication = authentication.oauth(OAuth::open(path)?);
        }
        Ok(authentication)
    }

    fn builder(&self, profiles: Profiles<Session>) -> Result<Builder<Session>, ServerError> {
        let mut limits = if self.asks_who_comes() { Limits::shared() } else { Limits::local() };
        limits.requests_per_second = self.rate.unwrap_or(limits.requests_per_second);
        let mut builder = Server::builder(profiles)
            .limits(limits)
            .authentication(self.authentication()?)
            .allow_hosts(self.allow_host.iter().cloned())
            .allow_origins(self.allow_origin.iter().cloned());
        if let Some(address) = self.http {
            builder = builder.address(address);
        }
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            builder = builder.tls(certificate, key);
        }
        Ok(builder)
    }
}

/// What makes the handlers of `server`, for the profile called `name`.
pub(crate) fn profile(name: &str, server: caplet_mcp::Server) -> (String, Factory<Session>) {
    (name.to_owned(), Arc::new(move || server.http_session()))
}

/// Serves `profiles` over HTTP until a signal asks for the end, and gives the exit code that shells know for it.
pub(crate) async fn serve_http(
    ui: &mut Ui,
    options: &HttpOptions,
    profiles: Profiles<Session>,
    (metrics, traces): (Metrics, Option<Traces>),
) -> Result<u8, Stop> {
    let ended = signalled().map_err(|error| Failure::new(ErrorKind::Host, format!("cannot start: {error}")))?;
    let server = options.builder(profiles).map_err(failed)?.metrics(metrics).traces(traces);
    let server = server.bind().await.map_err(failed)?;
    if !server.address().ip().is_loopback() && options.tls_cert.is_none() {
        ui.warning("tokens and answers cross the network in the clear: pass --tls-cert and --tls-key, or put a proxy before it")?;
    }
    ui.note(&format!("serving {}", server.url()))?;
    let (told, tell) = tokio::sync::oneshot::channel();
    let shutdown = async move {
        // Nobody listens any more only when the server has ended by itself.
        let _ = told.send(ended.await);
    };
    server.run(shutdown).await;
    Ok(tell.await.unwrap_or(0))
}

/// A failure of the server's.
pub(crate) fn failed(error: ServerError) -> Failure {
    let kind = match &error {
        ServerError::Listen { .. } => ErrorKind::Host,
        _ => ErrorKind::InvalidConfig,
    };
    let failure = Failure::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// `8080`, `127.0.0.1:8080`, `localhost:8080` or `[::1]:8080`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let port = |port: &str| port.parse::<u16>().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let named = text.strip_prefix("localhost:").unwrap_or(text);
    text.parse().or_else(|_| port(named)).map_err(|_| "it takes a port, or an IP address and a port".to_owned())
}
