//! Where listings go on.
//!
//! What always holds: a cursor is a number that means something in one call and for one bucket. A store's own cursor, which may be the
//! name of a key, never reaches a guest; nor can a guest make one up, and so ask where between its own keys the hidden ones are.

use std::collections::VecDeque;
use std::sync::Arc;

use caplet_keyvalue::Cursor;

/// How many keys one answer has at most: as many as a page of a store, about.
pub(super) const SHOWN: usize = 256;
/// How many listings of a call can go on at a time; the oldest are forgotten. A guest has few at a time, and each may hold a page
/// of keys, 256 KiB of the longest.
const MOST: usize = 64;

/// A part of a listing, as a guest gets it.
pub(super) struct Shown {
    pub(super) keys: Vec<String>,
    /// The number to go on with; nothing at the end.
    pub(super) next: Option<u64>,
}

/// A listing that has not come to its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    /// Keys that the store gave already, and that may be shown.
    pub(super) keys: Vec<String>,
    /// Where the store goes on.
    pub(super) place: Place,
}

/// A place in a store's own listing.
#[derive(Clone, Debug, Default)]
pub(super) enum Place {
    #[default]
    Start,
    After(Cursor),
    End,
}

/// The listings of one call that can go on.
#[derive(Debug, Default)]
pub(super) struct Listings {
    kept: VecDeque<(Arc<str>, Listing)>,
    /// The number of the first that is kept.
    first: u64,
}

impl Listings {
    /// Keeps a listing of the bucket; gives its number.
    pub(super) fn keep(&mut self, bucket: &Arc<str>, listing: Listing) -> u64 {
        if self.kept.len() >= MOST {
            self.kept.pop_front();
            self.first += 1;
        }
        self.kept.push_back((Arc::clone(bucket), listing));
        // There are few, so this cannot fail; a number that is never given out is the safe one.
        u64::try_from(self.kept.len() - 1).map_or(u64::MAX, |place| self.first + place)
    }

    /// The listing of the bucket that was given this number.
    pub(super) fn get(&self, bucket: &str, number: u64) -> Option<Listing> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.kept.get(place).filter(|(of, _)| **of == *bucket).map(|(_, listing)| listing.clone())
    }
}
