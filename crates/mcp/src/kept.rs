//! Results that are too long for an answer, kept for their session.
//!
//! What always holds: only the session that called can read them; there are never more, in number or in bytes, than the settings say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{ReadResourceResult, Resource, ResourceContents};
use ulid::Ulid;

/// What the URI of a kept result begins with.
const SCHEME: &str = "caplet://result/";

/// The results of one session, oldest first.
#[derive(Debug)]
pub(crate) struct Kept {
    most: usize,
    most_bytes: usize,
    results: Mutex<VecDeque<KeptResult>>,
}

#[derive(Debug)]
struct KeptResult {
    resource: Resource,
    text: Arc<str>,
}

impl Kept {
    pub(crate) fn new(most: usize, most_bytes: usize) -> Self {
        Self { most, most_bytes, results: Mutex::default() }
    }

    /// Keeps what `tool` answered, in place of the oldest where there is no room. Too much for all of the room is not kept.
    pub(crate) fn keep(&self, tool: &str, media_type: &str, text: &str) -> Option<Resource> {
        if self.most == 0 || text.len() > self.most_bytes {
            return None;
        }
        let mut results = self.lock();
        let mut bytes: usize = results.iter().map(|result| result.text.len()).sum();
        while results.len() >= self.most || bytes + text.len() > self.most_bytes {
            bytes -= results.pop_front().map_or(0, |gone| gone.text.len());
        }
        let resource = Resource::new(format!("{SCHEME}{}", Ulid::generate()), format!("what {tool} answered"))
            .with_mime_type(media_type)
            .with_size(u64::try_from(text.len()).unwrap_or(u64::MAX));
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
