//! A bucket in memory, that another call can interfere with and that counts what it is asked.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use memory::{Bucket, Failure, Page, PutRequest, Swapped};

/// Keys of a page, as the host's stores have.
const PAGE: usize = 256;

/// What stands for another call: it may change the keys before each swap.
type Other = Box<dyn FnMut(&mut BTreeMap<String, Vec<u8>>)>;

#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) keys: RefCell<BTreeMap<String, Vec<u8>>>,
    pub(crate) other: RefCell<Option<Other>>,
    pub(crate) failure: RefCell<Option<Failure>>,
    /// How many operations the host would have counted, but for pages that it passes over.
    pub(crate) ops: Cell<usize>,
}

impl Shelf {
    fn count(&self, ops: usize) -> Result<(), Failure> {
        self.ops.set(self.ops.get() + ops);
        self.failure.borrow().clone().map_or(Ok(()), Err)
    }

    pub(crate) fn raw(&self, key: &str, value: impl Into<Vec<u8>>) {
        self.keys.borrow_mut().insert(key.to_owned(), value.into());
    }

    pub(crate) fn put(&self, name: &str, text: &str, tags: &[&str]) {
        let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
        let request = PutRequest { name: name.to_owned(), text: text.to_owned(), tags, ..PutRequest::default() };
        memory::put(self, request).unwrap();
    }
}

impl Bucket for Shelf {
    type Seen = (String, Option<Vec<u8>>);

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        self.count(keys.len())?;
        Ok(keys.iter().map(|key| self.keys.borrow().get(key).cloned()).collect())
    }

    fn exists(&self, key: &str) -> Result<bool, Failure> {
        self.count(1)?;
        Ok(self.keys.borrow().contains_key(key))
    }

    fn delete(&self, key: &str) -> Result<(), Failure> {
        self.count(1)?;
        self.keys.borrow_mut().remove(key);
        Ok(())
    }

    /// In the order of the keys turned around: a caller cannot rely on any.
    fn keys(&self, from: Option<String>) -> Result<Page, Failure> {
        self.count(1)?;
        let start = from.map_or(0, |from| from.parse().unwrap());
        let keys: Vec<String> = self.keys.borrow().keys().rev().skip(start).take(PAGE).cloned().collect();
        let end = start + keys.len();
        let next = (end < self.keys.borrow().len()).then(|| end.to_string());
        Ok(Page { keys, next })
    }

    fn look(&self, key: &str) -> Result<(Option<Vec<u8>>, Self::Seen), Failure> {
        self.count(1)?;
        let value = self.keys.borrow().get(key).cloned();
        Ok((value.clone(), (key.to_owned(), value)))
    }

    fn swap(&self, (key, seen): Self::Seen, value: Vec<u8>) -> Result<Swapped<Self::Seen>, Failure> {
        self.count(1)?;
        if let Some(other) = self.other.borrow_mut().as_mut() {
            other(&mut self.keys.borrow_mut());
        }
        if self.keys.borrow().get(&key) == seen.as_ref() {
            self.keys.borrow_mut().insert(key, value);
            return Ok(Swapped::Done);
        }
        let (now, seen) = self.look(&key)?;
        Ok(Swapped::Changed(now, seen))
    }
}
