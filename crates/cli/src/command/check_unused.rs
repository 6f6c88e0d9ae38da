//! `caplet check --unused`: the rules of a toolbox that no recorded call needed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use caplet::Toolbox;
use caplet::audit::ErrorKind;
use caplet::audit::log::{Filter, Order, ReadError, Reader};
use caplet::audit::text::{json_line, visible_line};
use caplet::authority::quote;
use caplet::learn::{Needs, RuleUse};
use serde::Serialize;

use crate::command::or_json;
use crate::failure::{Failure, Stop};
use crate::host;
use crate::ui::Ui;

/// How far back the log is asked, where nothing is said.
const USUAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Lists the rules of the toolbox `file` that no call of the last `since` needed.
pub(crate) fn run(ui: &mut Ui, file: &Path, since: Option<&str>, json: bool) -> Result<u8, Stop> {
    let (since, tools) = or_json(ui, json, found(file, since))?;
    let since = humantime::format_rfc3339_seconds(since).to_string();
    if json {
        let tools = tools.iter().map(|(name, needs)| ToolReport::new(name, needs)).collect();
        let report = Report { file: file.display().to_string(), since, tools };
        ui.json(&json_line(&report).map_err(std::io::Error::from)?)?;
        return Ok(0);
    }
    for (name, needs) in &tools {
        show(ui, name, needs, &since)?;
    }
    Ok(0)
}

/// Since when the log was asked, and what each tool of the toolbox needed.
fn found(file: &Path, since: Option<&str>) -> Result<(SystemTime, BTreeMap<String, Needs>), Failure> {
    let age = since.map_or(Ok(USUAL), |text| humantime::parse_duration(text).map_err(|error| unclear(text, &error)))?;
    let since = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
    let toolbox = Toolbox::read(host::current_dir()?.join(file))?;
    let mut tools: BTreeMap<String, Needs> =
        toolbox.tools().map(|tool| (tool.name().to_owned(), tool.needs())).collect();
    let mut filter = Filter::default();
    filter.since = Some(since);
    let records = match Reader::new(host::audit_dir()?).records(Order::OldestFirst, filter) {
        Ok(records) => Some(records),
        // Nothing was ever called.
        Err(ReadError::Missing(_)) => None,
        Err(error) => return Err(unread(&error)),
    };
    for kept in records.into_iter().flatten() {
        let record = kept.map_err(|error| unread(&error))?.record;
        if let Some(needs) = tools.get_mut(&record.tool) {
            needs.add(&record.decisions);
        }
    }
    Ok((since, tools))
}

fn unclear(text: &str, error: &humantime::DurationError) -> Failure {
    let failure = Failure::new(ErrorKind::InvalidConfig, format!("--since {}: {error}", quote(text)));
    failure.with_hint("write how far back, such as 30d, 12h or 2weeks")
}

fn unread(error: &ReadError) -> Failure {
    Failure::new(ErrorKind::Host, error.to_string())
}

fn show(ui: &mut Ui, name: &str, needs: &Needs, since: &str) -> std::io::Result<()> {
    let name = visible_line(name);
    let calls = needs.calls();
    let plural = if calls == 1 { "" } else { "s" };
    let unused: Vec<&RuleUse> = needs.rules().filter(|rule| rule.is_unused() == Some(true)).collect();
    let rules = needs.rules().count();
    ui.line(format_args!("{name}: {calls} call{plural} since {since}, {} of {rules} rules unused", unused.len()))?;
    for rule in unused {
        ui.line(format_args!("  {} {}", rule.kind.as_str(), quote(&rule.rule.to_string())))?;
    }
    if needs.missing() > 0 {
        ui.flush()?;
        ui.note(&format!("{} ops of {name} are not on record: a rule may be needed for one of them", needs.missing()))?;
    }
    if needs.rules().any(|rule| rule.is_unused().is_none()) {
        ui.flush()?;
        ui.note(&format!("whether {name} uses its variables is on no record"))?;
    }
    Ok(())
}

/// What was found, as JSON.
#[derive(Serialize)]
struct Report<'a> {
    file: String,
    since: String,
    tools: Vec<ToolReport<'a>>,
}

#[derive(Serialize)]
struct ToolReport<'a> {
    tool: &'a str,
    calls: u64,
    missing: u64,
    rules: Vec<RuleReport>,
}

#[derive(Serialize)]
struct RuleReport {
    kind: &'static str,
    rule: String,
    calls: u64,
    /// Null where it is on no record.
    unused: Option<bool>,
}

impl<'a> ToolReport<'a> {
    fn new(tool: &'a str, needs: &Needs) -> Self {
        let rule = |rule: &RuleUse| RuleReport {
            kind: rule.kind.as_str(),
            rule: rule.rule.to_string(),
            calls: rule.calls,
            unused: rule.is_unused(),
        };
        Self { tool, calls: needs.calls(), missing: needs.missing(), rules: needs.rules().map(rule).collect() }
    }
}
