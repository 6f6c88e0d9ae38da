//! Requests that were read and not answered.

use std::collections::{HashMap, VecDeque};

use rmcp::model::{ProgressToken, RequestId};

/// Ids of cancelled requests that are remembered: their calls may still be ending, and an answer must not meet a new request.
const MOST_CANCELLED: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Open {
    requests: HashMap<RequestId, OpenRequest>,
    bytes: usize,
    cancelled: VecDeque<RequestId>,
}

#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) bytes: usize,
    /// The batch that it came in.
    pub(crate) batch: Option<u64>,
    pub(crate) progress: Option<ProgressToken>,
}

impl Open {
    /// Whether the request is a new one; it is open then.
    pub(crate) fn begin(&mut self, id: &RequestId, request: OpenRequest) -> bool {
        if self.requests.contains_key(id) || self.cancelled.contains(id) {
            return false;
        }
        self.bytes = self.bytes.saturating_add(request.bytes);
        self.requests.insert(id.clone(), request);
        true
    }

    /// Takes out a request that is answered now. None where nobody waits for an answer.
    pub(crate) fn end(&mut self, id: &RequestId) -> Option<OpenRequest> {
        let request = self.requests.remove(id)?;
        self.bytes = self.bytes.saturating_sub(request.bytes);
        Some(request)
    }

    /// Takes out a request that its client gave up.
    pub(crate) fn cancel(&mut self, id: &RequestId) -> Option<OpenRequest> {
        let request = self.end(id)?;
        self.cancelled.push_back(id.clone());
        if self.cancelled.len() > MOST_CANCELLED {
            self.cancelled.pop_front();
        }
        Some(request)
    }

    /// Whether some open request wants to hear of progress under `token`.
    pub(crate) fn expects(&self, token: &ProgressToken) -> bool {
        self.requests.values().any(|request| request.progress.as_ref() == Some(token))
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.len()
    }

    /// How long the open requests are together.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
