//! Reading a directory of two layers for a guest.

use std::sync::Arc;

use super::spot::Core;
use super::view::Merged;
use crate::{Entry, FsError, Listing};

#[derive(Debug)]
pub(super) struct OverlayListing {
    core: Arc<Core>,
    merged: Merged,
}

impl OverlayListing {
    pub(super) fn new(core: &Arc<Core>) -> Result<Self, FsError> {
        let shared = core.shared();
        let _names = shared.reading();
        let merged = if core.spot.is_gone() { Merged::End } else { Merged::new(shared, &core.view())? };
        Ok(Self { core: Arc::clone(core), merged })
    }
}

impl Listing for OverlayListing {
    fn next_batch(&mut self) -> Result<Option<Vec<Entry>>, FsError> {
        let shared = self.core.shared();
        let _names = shared.reading();
        if self.core.spot.is_gone() {
            return Ok(None);
        }
        self.merged.next_batch(shared, &self.core.view())
    }
}
