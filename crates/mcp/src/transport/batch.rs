//! Batches: several messages in one array, whose answers come in one array too. Only the revision of 2025-03-26 has them.

use std::collections::HashMap;

use rmcp::model::ServerJsonRpcMessage;
use serde_json::Value;

/// Messages in one batch. More come in more batches.
const MOST: usize = 256;

/// The batches that are being answered.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    last: u64,
    open: HashMap<u64, Batch>,
}

#[derive(Debug, Default)]
struct Batch {
    expected: usize,
    answers: Vec<Value>,
}

/// Why a batch of so many messages is refused, if it is.
pub(crate) fn refusal(has_batches: bool, messages: usize) -> Option<&'static str> {
    match messages {
        _ if !has_batches => Some("this revision of the protocol has no batches"),
        0 => Some("a batch has at least one message"),
        MOST.. if messages > MOST => Some("a batch has at most 256 messages"),
        _ => None,
    }
}

impl Batches {
    pub(crate) fn begin(&mut self) -> u64 {
        self.last += 1;
        self.open.insert(self.last, Batch::default());
        self.last
    }

    /// One more answer will come.
    pub(crate) fn expect(&mut self, batch: u64) {
        if let Some(batch) = self.open.get_mut(&batch) {
            batch.expected += 1;
        }
    }

    /// One answer less will come.
    pub(crate) fn forget(&mut self, batch: u64) {
        if let Some(batch) = self.open.get_mut(&batch) {
            batch.expected = batch.expected.saturating_sub(1);
        }
    }

    pub(crate) fn add(&mut self, batch: u64, answer: &ServerJsonRpcMessage) {
        if let Some(batch) = self.open.get_mut(&batch) {
            // What a server answers can always be written as JSON.
            batch.answers.extend(serde_json::to_value(answer));
        }
    }

    /// The answers, if all are there and there are any.
    pub(crate) fn finish(&mut self, batch: u64) -> Option<Vec<Value>> {
        let found = self.open.get(&batch)?;
        if found.answers.len() < found.expected {
            return None;
        }
        let answers = self.open.remove(&batch)?.answers;
        (!answers.is_empty()).then_some(answers)
    }
}
