//! Logs to the client whose call it is: what was denied to a tool, and how each call ended.
#![expect(deprecated, reason = "the newest revision deprecates logging, and clients of all revisions still use it")]

use std::sync::{Mutex, PoisonError};

use caplet::audit::Outcome;
use caplet::audit::text::visible_line;
use rmcp::RoleServer;
use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};
use rmcp::service::RequestContext;
use serde_json::{Value, json};

use crate::session::{Session, is_modern};
use crate::words::without_value;

/// Denials of one call that are told one by one.
const MOST_DENIALS: usize = 16;

/// The least that a client wants to hear, where its revision sets that for a session.
#[derive(Debug)]
pub(crate) struct Threshold(Mutex<LoggingLevel>);

impl Default for Threshold {
    fn default() -> Self {
        Self(Mutex::new(LoggingLevel::Warning))
    }
}

impl Threshold {
    pub(crate) fn set(&self, level: LoggingLevel) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = level;
    }

    /// Whether the client of this request wants to hear of `level`.
    fn admits(&self, context: &RequestContext<RoleServer>, level: LoggingLevel) -> bool {
        let least = match context.meta.log_level() {
            Some(least) => least,
            None if is_modern(context) => return false,
            None => *self.0.lock().unwrap_or_else(PoisonError::into_inner),
        };
        severity(level) >= severity(least)
    }
}

fn severity(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}

/// Tells the client how a call of the tool that it knows as `name` ended. Returns when it is told, so that its answer comes after.
pub(crate) async fn tell(session: &Session, context: &RequestContext<RoleServer>, name: &str, outcome: &Outcome) {
    let threshold = &session.threshold;
    let denied = &outcome.decisions.denied;
    if !denied.is_empty() && threshold.admits(context, LoggingLevel::Warning) {
        for entry in denied.iter().take(MOST_DENIALS) {
            let shown = |text: &str| visible_line(text).into_owned();
            let data = json!({
                "message": "denied",
                "tool": name,
                "capability": shown(&entry.capability),
                "op": shown(&entry.op),
                "layer": entry.layer,
                "rule": shown(without_value(&entry.capability, &entry.rule)),
                "count": entry.count,
            });
            send(session, context, LoggingLevel::Warning, data).await;
        }
        if let Some(more) = denied.len().checked_sub(MOST_DENIALS).filter(|more| *more > 0) {
            let data = json!({"message": "denied", "tool": name, "more": more});
            send(session, context, LoggingLevel::Warning, data).await;
        }
    }
    if threshold.admits(context, LoggingLevel::Info) {
        let data = json!({
            "message": "called",
            "tool": name,
            "outcome": outcome.outcome,
            "wall_us": outcome.usage.wall_us,
            "permitted": outcome.decisions.permitted,
            "denied": denied.len(),
            "record": outcome.record,
        });
        send(session, context, LoggingLevel::Info, data).await;
    }
}

async fn send(session: &Session, context: &RequestContext<RoleServer>, level: LoggingLevel, data: Value) {
    let message = LoggingMessageNotificationParam::new(level, data).with_logger("caplet");
    // A client that is gone needs no log.
    let _ = session.tell(context.peer.notify_logging_message(message)).await;
}
