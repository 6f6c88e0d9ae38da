//! What is recorded of calls, and what happens where it cannot be.

use std::sync::Arc;

use caplet::audit::{BestEffort, Sink};
use clap::{Args, ValueEnum};

/// How calls are recorded.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Audit log")]
pub(crate) struct AuditOptions {
    /// What happens to a call whose record cannot be kept
    #[arg(long, value_name = "MODE", default_value_t, value_enum)]
    audit: Mode,

    /// Keep the arguments of calls in their records, and not only a digest of them
    ///
    /// As text of up to 64 KiB, as they are: whoever can read the log can read them.
    #[arg(long)]
    pub(crate) audit_arguments: bool,
}

/// What happens to a call whose record cannot be kept.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Mode {
    /// It is refused, or its outcome is held back
    #[default]
    Strict,
    /// It runs; the next record that this process can keep says how many were lost
    BestEffort,
}

impl AuditOptions {
    /// `log` as it is asked for.
    pub(crate) fn applied(&self, log: Arc<dyn Sink>) -> Arc<dyn Sink> {
        match self.audit {
            Mode::Strict => log,
            Mode::BestEffort => Arc::new(BestEffort::new(log)),
        }
    }
}
