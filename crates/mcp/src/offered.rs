//! What is offered now: the catalog, and its tools as clients see them, made once for all sessions.

use std::sync::{Arc, Mutex, PoisonError};

use caplet::Catalog;
use tokio::sync::watch;

use crate::listing::Listing;

/// What is offered, now and later.
#[derive(Debug)]
pub(crate) struct Offered {
    /// To be cloned by who wants to hear of changes.
    catalogs: watch::Receiver<Catalog>,
    current: Mutex<(watch::Receiver<Catalog>, Arc<Listing>)>,
}

impl Offered {
    pub(crate) fn new(mut catalogs: watch::Receiver<Catalog>) -> Self {
        let listing = Arc::new(Listing::new(&catalogs.borrow_and_update()));
        Self { current: Mutex::new((catalogs.clone(), listing)), catalogs }
    }

    /// What is offered at this moment.
    pub(crate) fn now(&self) -> Arc<Listing> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (catalogs, listing) = &mut *current;
        // When nobody can change it any more, it is as it was.
        if catalogs.has_changed().unwrap_or(false) {
            *listing = Arc::new(Listing::new(&catalogs.borrow_and_update()));
        }
        Arc::clone(listing)
    }

    /// Hears of changes from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<Catalog> {
        let mut changes = self.catalogs.clone();
        changes.mark_unchanged();
        changes
    }
}
