//! What the calls of a server asked for, tool by tool: the audit log with an ear to it.
//!
//! What always holds: nothing is heard that is not on record, and nothing of a record is changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use caplet::audit::{Record, Sink, SinkError};
use caplet::learn::Evidence;

/// Tools whose calls are kept: a toolbox has far fewer, and a client that makes names up is not to fill memory.
const MOST_TOOLS: usize = 1_024;

/// A sink that hears what is recorded.
#[derive(Debug)]
pub(crate) struct Observed {
    inner: Arc<dyn Sink>,
    evidence: Mutex<BTreeMap<String, Evidence>>,
}

impl Observed {
    pub(crate) fn new(inner: Arc<dyn Sink>) -> Self {
        Self { inner, evidence: Mutex::default() }
    }

    /// What the calls of each tool asked for so far.
    pub(crate) fn evidence(&self) -> BTreeMap<String, Evidence> {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for Observed {
    fn ready(&self) -> Result<(), SinkError> {
        self.inner.ready()
    }

    fn append(&self, record: &Record) -> Result<(), SinkError> {
        self.inner.append(record)?;
        let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
        if evidence.len() < MOST_TOOLS || evidence.contains_key(&record.tool) {
            let of_tool = evidence.entry(record.tool.clone()).or_default();
            of_tool.add(&record.decisions);
            of_tool.add_usage(&record.usage);
        }
        Ok(())
    }

    fn inner(&self) -> Option<&dyn Sink> {
        Some(&*self.inner)
    }
}
