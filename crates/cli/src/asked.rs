//! Which records of the audit log are asked for, as options of the command line say it.

use std::time::SystemTime;

use caplet::audit::log::Filter;
use caplet::audit::text::visible_line;
use caplet::audit::{ErrorKind, OutcomeKind};
use clap::Args;

use crate::failure::Failure;

/// Which records.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which records")]
pub(crate) struct AskedRecords {
    /// Calls of this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,

    /// Calls that ended so: ok, error, denied, refused, exit, trap, limit or host
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,

    /// Calls to which something was denied
    #[arg(long)]
    denied: bool,

    /// Calls that asked to send a request to this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Calls that asked for this file, or for one below this directory, as the tool names it
    #[arg(long, value_name = "PATH")]
    path: Option<String>,

    /// Calls that ended at this time or later: 2h, 7d, 2026-11-22, 2026-11-22T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Calls that ended before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl AskedRecords {
    /// The same as the log is asked.
    pub(crate) fn filter(&self) -> Result<Filter, Failure> {
        let mut filter = Filter::default();
        filter.tool.clone_from(&self.tool);
        filter.outcome = self.outcome.as_deref().map(outcome).transpose()?;
        filter.denied = self.denied;
        filter.host = self.host.as_deref().map(str::to_ascii_lowercase);
        filter.path.clone_from(&self.path);
        filter.since = self.since.as_deref().map(|text| time("--since", text)).transpose()?;
        filter.until = self.until.as_deref().map(|text| time("--until", text)).transpose()?;
        Ok(filter)
    }
}

fn outcome(text: &str) -> Result<OutcomeKind, Failure> {
    serde_json::from_value(text.into()).map_err(|_| {
        let failure =
            Failure::new(ErrorKind::InvalidArgs, format!("--outcome {}: no call ends so", visible_line(text)));
        failure.with_hint("write ok, error, denied, refused, exit, trap, limit or host")
    })
}

/// A time, or how long ago it was.
fn time(option: &str, text: &str) -> Result<SystemTime, Failure> {
    if let Some(time) = humantime::parse_duration(text).ok().and_then(|ago| SystemTime::now().checked_sub(ago)) {
        return Ok(time);
    }
    let day = format!("{text} 00:00:00");
    humantime::parse_rfc3339_weak(text).or_else(|_| humantime::parse_rfc3339_weak(&day)).map_err(|_| {
        let failure = Failure::new(ErrorKind::InvalidArgs, format!("{option} {}: this is no time", visible_line(text)));
        failure.with_hint("write how long ago it was, as in 2h or 7d, or a time in UTC, as in 2026-11-22T10:00:00Z")
    })
}
