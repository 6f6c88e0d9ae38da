//! Where records go.

use std::path::PathBuf;

use http::Uri;

use super::syslog::{Stream, to_udp, to_unix};
use super::webhook::Webhook;

/// A place that takes records.
pub(super) enum Target {
    /// A syslog on this machine.
    Unix(PathBuf),
    /// One that takes datagrams, by host and port.
    Udp(String),
    /// One that takes a stream.
    Tcp(Stream),
    /// A server that takes them by HTTP.
    Webhook(Box<Webhook>),
}

impl Target {
    pub(super) fn parse(place: &str, token: Option<&str>) -> Result<Self, String> {
        let Some((scheme, rest)) = place.split_once("://") else {
            return Err(
                "it is no place; write syslog+unix://PATH, syslog+udp://HOST:PORT, syslog+tcp://HOST:PORT or https://…"
                    .to_owned(),
            );
        };
        match scheme {
            "syslog+unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            "syslog+unix" => Err("the path must be absolute, as in syslog+unix:///dev/log".to_owned()),
            "syslog+udp" => Ok(Self::Udp(host_and_port(rest, "514")?)),
            "syslog+tcp" => Ok(Self::Tcp(Stream::new(host_and_port(rest, "601")?))),
            "http" | "https" => {
                let uri: Uri = place.parse().map_err(|error| format!("it is no address: {error}"))?;
                Ok(Self::Webhook(Box::new(Webhook::new(uri, token)?)))
            }
            _ => Err(format!(
                "{scheme} is no way to send records; syslog+unix, syslog+udp, syslog+tcp, http and https are"
            )),
        }
    }

    /// Sends all of `batch`, or says why not. It ends in time.
    pub(super) fn send(&mut self, batch: &[String]) -> Result<(), String> {
        match self {
            Self::Unix(path) => to_unix(path, batch).map_err(|error| error.to_string()),
            Self::Udp(address) => to_udp(address, batch).map_err(|error| error.to_string()),
            Self::Tcp(stream) => stream.send(batch).map_err(|error| error.to_string()),
            Self::Webhook(webhook) => webhook.send(batch),
        }
    }
}

/// `rest` with a port, which is `usual` where none is said.
fn host_and_port(rest: &str, usual: &str) -> Result<String, String> {
    let rest = rest.trim_end_matches('/');
    if rest.is_empty() || rest.contains(['/', '@', '?']) {
        return Err("write the host and the port alone, as in syslog+udp://127.0.0.1:514".to_owned());
    }
    let has_port = rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok() && !rest.ends_with(']'));
    Ok(if has_port { rest.to_owned() } else { format!("{rest}:{usual}") })
}
