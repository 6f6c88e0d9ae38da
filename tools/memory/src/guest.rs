//! The component's side: WIT in, the crate's functions, WIT out; and `wasi:keyvalue` behind [`Bucket`].
#![expect(unsafe_code, reason = "generated bindings")]

wit_bindgen::generate!({ path: "wit", world: "memory", generate_all });

use std::cell::OnceCell;

use exports::caplet::memory::tool::{Action, Entry, Forgotten, Found, Guest, Hit, IfExists, Kept, Listing, Note};
use wasi::keyvalue::{atomics, batch, store};

use crate::bucket::{Bucket, Failure, Page, Swapped};

/// The bucket that the manifest names.
const BUCKET: &str = "memory";

struct Tool;

impl Guest for Tool {
    fn put(name: String, text: String, tags: Option<Vec<String>>, if_exists: Option<IfExists>) -> Result<Kept, String> {
        let if_exists = match if_exists {
            None | Some(IfExists::Replace) => crate::IfExists::Replace,
            Some(IfExists::Append) => crate::IfExists::Append,
            Some(IfExists::Fail) => crate::IfExists::Fail,
        };
        let kept = crate::put(&Host::default(), crate::PutRequest { name, text, tags, if_exists })?;
        let action = match kept.action {
            crate::Action::Created => Action::Created,
            crate::Action::Replaced => Action::Replaced,
            crate::Action::Appended => Action::Appended,
        };
        Ok(Kept { name: kept.name, action, size: kept.size, tags: kept.tags })
    }

    fn get(name: String) -> Result<Note, String> {
        let found = crate::get(&Host::default(), &name)?;
        Ok(Note { name: found.name, text: found.text, tags: found.tags })
    }

    fn list(
        prefix: Option<String>,
        tag: Option<String>,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Listing, String> {
        let listing = crate::list(&Host::default(), &crate::ListRequest { prefix, tag, limit, cursor })?;
        let entry = |entry: crate::Entry| Entry {
            name: entry.name,
            size: entry.size,
            tags: entry.tags,
            first_line: entry.first_line,
        };
        Ok(Listing {
            notes: listing.notes.into_iter().map(entry).collect(),
            total: listing.total,
            next_cursor: listing.next_cursor,
            notice: listing.notice,
        })
    }

    fn search(query: String, prefix: Option<String>, limit: Option<u32>) -> Result<Found, String> {
        let found = crate::search(&Host::default(), &crate::SearchRequest { query, prefix, limit })?;
        let hit = |hit: crate::Hit| Hit {
            name: hit.name,
            size: hit.size,
            tags: hit.tags,
            words: hit.words,
            excerpt: hit.excerpt,
        };
        Ok(Found {
            hits: found.hits.into_iter().map(hit).collect(),
            matching: found.matching,
            searched: found.searched,
            notice: found.notice,
        })
    }

    fn forget(name: String) -> Result<Forgotten, String> {
        let existed = crate::forget(&Host::default(), &name)?;
        Ok(Forgotten { name, existed })
    }
}

export!(Tool);

/// The host's bucket, opened when it is first needed: what is wrong with the input is said before anything is asked for.
#[derive(Default)]
struct Host(OnceCell<store::Bucket>);

impl Host {
    fn bucket(&self) -> Result<&store::Bucket, Failure> {
        if let Some(bucket) = self.0.get() {
            return Ok(bucket);
        }
        let bucket = store::open(BUCKET).map_err(failure)?;
        Ok(self.0.get_or_init(|| bucket))
    }
}

impl Bucket for Host {
    type Seen = atomics::Cas;

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        let values = batch::get_many(self.bucket()?, keys).map_err(failure)?;
        Ok(values.into_iter().map(|(_key, value)| value).collect())
    }

    fn exists(&self, key: &str) -> Result<bool, Failure> {
        self.bucket()?.exists(key).map_err(failure)
    }

    fn delete(&self, key: &str) -> Result<(), Failure> {
        self.bucket()?.delete(key).map_err(failure)
    }

    fn keys(&self, from: Option<String>) -> Result<Page, Failure> {
        let page = self.bucket()?.list_keys(from.as_deref()).map_err(failure)?;
        Ok(Page { keys: page.keys, next: page.cursor })
    }

    fn look(&self, key: &str) -> Result<(Option<Vec<u8>>, atomics::Cas), Failure> {
        let cas = atomics::Cas::new(self.bucket()?, key).map_err(failure)?;
        Ok((cas.current().map_err(failure)?, cas))
    }

    fn swap(&self, seen: atomics::Cas, value: Vec<u8>) -> Result<Swapped<atomics::Cas>, Failure> {
        match atomics::swap(seen, &value) {
            Ok(()) => Ok(Swapped::Done),
            Err(atomics::CasError::CasFailed(now)) => Ok(Swapped::Changed(now.current().map_err(failure)?, now)),
            Err(atomics::CasError::StoreError(error)) => Err(failure(error)),
        }
    }
}

fn failure(error: store::Error) -> Failure {
    match error {
        store::Error::AccessDenied => Failure::Denied,
        store::Error::NoSuchStore => Failure::NoStore,
        store::Error::Other(reason) => Failure::Other(reason),
    }
}
