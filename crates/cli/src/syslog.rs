//! Records as messages of syslog (RFC 5424).

use caplet::audit::{OutcomeKind, Record};

/// Facility 13, log audit.
const FACILITY: u8 = 13;

/// The record as one message, without a line break: the host's name and the process are left to who sends it on.
pub(crate) fn message(record: &Record) -> serde_json::Result<String> {
    let severity = match record.outcome {
        OutcomeKind::Ok | OutcomeKind::Exit => 6,
        OutcomeKind::Host => 3,
        _ => 4,
    };
    let priority = FACILITY * 8 + severity;
    let (time, text) = (&record.time, record.to_line()?);
    // The text is marked as UTF-8 by the byte order mark that the standard asks for.
    Ok(format!("<{priority}>1 {time} - caplet - call - \u{feff}{text}"))
}
