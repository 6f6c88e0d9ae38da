//! Results that are too long for an answer, kept for their session.
//!
//! What always holds: only the session that called can read them; there are never more, in number or in bytes, than the settings say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use caplet::authority::Allowance;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents};
use ulid::Ulid;

/// What the URI of a kept result begins with.
const SCHEME: &str = "caplet://result/";

/// The results of one session, oldest first.
#[derive(Debug)]
pub(crate) struct Kept {
    most: usize,
    room: Allowance,
    results: Mutex<VecDeque<KeptResult>>,
}

#[derive(Debug)]
struct KeptResult {
    resource: Resource,
    text: Arc<str>,
}

impl Kept {
    pub(crate) fn new(most: usize, room: Allowance) -> Self {
        Self { most, room, results: Mutex::default() }
    }

    /// Keeps what `tool` answered, in place of the oldest where there is no room. What no room can be made for is not kept.
    pub(crate) fn keep(&self, tool: &str, media_type: &str, text: &str) -> Option<Resource> {
        if self.most == 0 || bytes(text) > self.room.bytes() {
            return None;
        }
        let mut results = self.lock();
        while results.len() >= self.most || !self.room.take(bytes(text)) {
            // None is left where other sessions have all of the room.
            self.room.give_back(bytes(&results.pop_front()?.text));
        }
        let resource = Resource::new(format!("{SCHEME}{}", Ulid::generate()), format!("what {tool} answered"))
            .with_mime_type(media_type)
            .with_size(bytes(text));
        results.push_back(KeptResult { resource: resource.clone(), text: text.into() });
        Some(resource)
    }

    pub(crate) fn list(&self) -> Vec<Resource> {
        self.lock().iter().map(|result| result.resource.clone()).collect()
    }

    pub(crate) fn read(&self, uri: &str) -> Option<ReadResourceResult> {
        let results = self.lock();
        let KeptResult { resource, text } = results.iter().find(|result| result.resource.uri == uri)?;
        let (text, media_type) = (Arc::clone(text), resource.mime_type.clone().unwrap_or_default());
        drop(results);
        let contents = ResourceContents::text(&*text, uri).with_mime_type(media_type);
        Some(ReadResourceResult::new(vec![contents]))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<KeptResult>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
