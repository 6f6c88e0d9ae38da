//! Opening what an overlay left behind: what it takes is counted, and what a crash left unfinished is cleared away.

use std::collections::HashSet;

use super::names::DRAFT;
use super::shared::{Shared, entry_cost};
use super::trail::Trail;
use crate::{EntryKind, FsError, NodeId, NodeRef};

impl Shared {
    /// Counts everything in the upper store.
    pub(super) fn count_all(&self) -> Result<(), FsError> {
        let mut counted = 0u64;
        let mut several = HashSet::new();
        let mut trail = Trail::new(NodeRef::clone(&self.upper));
        let mut left: Vec<(usize, String)> = Vec::new();
        let mut here = Some((0, NodeRef::clone(&self.upper)));
        while let Some((depth, directory)) = here.take() {
            for (name, kind) in self.entries(&directory)? {
                if name.starts_with(DRAFT) {
                    // What cannot be cleared away is not in anybody's way.
                    drop(self.clear(&directory, &name));
                    continue;
                }
                counted = counted.saturating_add(self.cost(&directory, &name, kind, &mut several)?);
                if kind == EntryKind::Directory {
                    left.push((depth, name));
                }
            }
            while let Some((depth, name)) = left.pop() {
                let step = |above: &NodeRef, _: &str, name: &str| self.find(above, name)?.ok_or(FsError::NoEntry);
                match trail.go(depth, &name, step) {
                    Ok(node) => {
                        here = Some((depth + 1, node));
                        break;
                    }
                    // Somebody else has taken it away.
                    Err(FsError::NoEntry | FsError::Refused(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.budget.set(counted);
        Ok(())
    }

    /// What an entry takes. A file with several names is counted for one of them.
    fn cost(
        &self,
        directory: &NodeRef,
        name: &str,
        kind: EntryKind,
        several: &mut HashSet<NodeId>,
    ) -> Result<u64, FsError> {
        let node = match self.find(directory, name) {
            Ok(Some(node)) if kind != EntryKind::Directory => node,
            Ok(_) | Err(FsError::Refused(_)) => return Ok(entry_cost(name, 0)),
            Err(error) => return Err(error),
        };
        let stat = node.stat(self.known())?;
        let counts = stat.links <= 1 || several.insert(node.id());
        Ok(entry_cost(name, if counts { stat.size } else { 0 }))
    }
}
