//! One object as the two layers show it together.
//!
//! What has a name in the upper layer is that object. What has none there, and no record that it is gone, is the lower layer's. A
//! directory of the upper layer also shows what is in the lower directory that it continues, if it says that it continues one.

use super::names::{self, ORIGIN, Stored, join};
use super::record;
use super::shared::Shared;
use crate::host::facts::has_unseen;
use crate::{Entry, EntryKind, FsError, Listing, Name, NodeRef};

/// Of how many upper directories it is kept in mind what they continue. A path is a few dozen bytes, and never more than 4 KiB.
const KNOWN_ORIGINS: usize = 4096;

/// How many batches of an upper directory are looked at for names that are said to be gone: some hundreds of entries.
const LOOKED_AT_BATCHES: usize = 3;

/// An object of the lower directory.
#[derive(Clone, Debug)]
pub(super) struct Lower {
    pub(super) node: NodeRef,
    /// Its names from the top, of the lower directory and not of what the guest sees.
    pub(super) path: String,
}

/// What the layers have for one object. A file or link is in exactly one; a directory is in one or in both; nothing is in none.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) upper: Option<NodeRef>,
    pub(super) lower: Option<Lower>,
}

impl View {
    /// What it is, if it is anything.
    pub(super) fn kind(&self) -> Option<EntryKind> {
        self.node().map(|node| node.kind())
    }

    /// The object of the highest layer.
    pub(super) fn node(&self) -> Option<&NodeRef> {
        self.upper.as_ref().or_else(|| self.lower.as_ref().map(|lower| &lower.node))
    }

    /// What `name` is in this directory; nothing where there is nothing.
    pub(super) fn find(&self, shared: &Shared, name: Name<'_>) -> Result<Self, FsError> {
        if let Some(upper) = &self.upper {
            if let Some(node) = shared.find(upper, &names::stored(name))? {
                return self.found(shared, node, name);
            }
            if self.lower.is_some() && shared.is_gone(upper, name)? {
                return Ok(Self::default());
            }
        }
        let Some(lower) = &self.lower else { return Ok(Self::default()) };
        let node = shared.find(&lower.node, name.as_str())?;
        Ok(Self { upper: None, lower: node.map(|node| Lower { node, path: join(&lower.path, name.as_str()) }) })
    }

    /// The object `upper`, found as `name`, with what it continues.
    fn found(&self, shared: &Shared, upper: NodeRef, name: Name<'_>) -> Result<Self, FsError> {
        let lower = match upper.kind() {
            EntryKind::Directory => match shared.origin(&upper)? {
                Some(path) => self.continued(shared, path, name)?,
                None => None,
            },
            EntryKind::File | EntryKind::Link => None,
        };
        Ok(Self { upper: Some(upper), lower })
    }

    /// The lower directory at `path`, if it still is one. It mostly is where this one's name says.
    fn continued(&self, shared: &Shared, path: String, name: Name<'_>) -> Result<Option<Lower>, FsError> {
        let near = self.lower.as_ref().filter(|lower| join(&lower.path, name.as_str()) == path);
        let node = match near {
            Some(lower) => shared.lower_directory(&lower.node, name.as_str())?,
            None => shared.lower_at(&path)?,
        };
        Ok(node.map(|node| Lower { node, path }))
    }

    /// Whether a directory has no entries. One whose entries cannot be shown is not empty either.
    pub(super) fn is_empty(&self, shared: &Shared) -> Result<bool, FsError> {
        if let Some(lower) = &self.lower
            && has_unseen(lower.node.as_ref())?
        {
            return Ok(false);
        }
        let mut merged = Merged::new(shared, self)?;
        while let Some(batch) = merged.next_batch(shared, self)? {
            if !batch.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The names in a directory, in order.
    pub(super) fn names(&self, shared: &Shared) -> Result<Vec<String>, FsError> {
        let mut merged = Merged::new(shared, self)?;
        let mut names = Vec::new();
        while let Some(batch) = merged.next_batch(shared, self)? {
            names.extend(batch.into_iter().map(|entry| entry.name));
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

impl Shared {
    /// The view of the top directory.
    pub(super) fn top(&self) -> View {
        let lower = Lower { node: NodeRef::clone(&self.lower), path: String::new() };
        View { upper: Some(NodeRef::clone(&self.upper)), lower: Some(lower) }
    }

    /// Whether there is a record in `upper` that the lower directory's `name` does not show.
    pub(super) fn is_gone(&self, upper: &NodeRef, name: Name<'_>) -> Result<bool, FsError> {
        if self.hides_nothing(upper)? {
            return Ok(false);
        }
        let text = self.record(upper, &names::whiteout(name))?;
        Ok(text.as_deref().and_then(record::parse_whiteout) == Some(name.as_str()))
    }

    /// Whether it is known that no name is said to be gone in an upper directory. It is looked at once; a large one is not looked
    /// through.
    fn hides_nothing(&self, upper: &NodeRef) -> Result<bool, FsError> {
        if let Some(known) = self.table().hides_nothing.get(&upper.id()) {
            return Ok(*known);
        }
        let mut listing = upper.list(&self.tokens.search)?;
        let mut nothing = false;
        for _ in 0..LOOKED_AT_BATCHES {
            let Some(batch) = listing.next_batch()? else {
                nothing = true;
                break;
            };
            if batch.iter().any(|entry| Stored::of(&entry.name) == Stored::Whiteout) {
                break;
            }
        }
        let mut table = self.table();
        if table.hides_nothing.len() >= KNOWN_ORIGINS {
            table.hides_nothing.clear();
        }
        table.hides_nothing.insert(upper.id(), nothing);
        Ok(nothing)
    }

    /// The path of the lower directory that an upper one says it continues.
    pub(super) fn origin(&self, upper: &NodeRef) -> Result<Option<String>, FsError> {
        if let Some(known) = self.table().origins.get(&upper.id()) {
            return Ok(known.clone());
        }
        let text = self.record(upper, ORIGIN)?;
        let origin = text.as_deref().and_then(record::parse_origin).map(str::to_owned);
        let mut table = self.table();
        if table.origins.len() >= KNOWN_ORIGINS {
            table.origins.clear();
        }
        table.origins.insert(upper.id(), origin.clone());
        Ok(origin)
    }

    /// Makes an upper directory continue the lower one at `path`.
    pub(super) fn set_origin(&self, upper: &NodeRef, path: &str) -> Result<(), FsError> {
        self.table().origins.remove(&upper.id());
        self.put_record(upper, ORIGIN, &record::origin(path))
    }

    /// Makes an upper directory continue nothing.
    pub(super) fn drop_origin(&self, upper: &NodeRef) -> Result<(), FsError> {
        self.table().origins.remove(&upper.id());
        self.drop_record(upper, ORIGIN)
    }

    /// The directory at `path` below the lower directory; links are never followed.
    pub(super) fn lower_at(&self, path: &str) -> Result<Option<NodeRef>, FsError> {
        let mut here = NodeRef::clone(&self.lower);
        for name in path.split('/') {
            match self.lower_directory(&here, name)? {
                Some(next) => here = next,
                None => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    /// The directory `name` in a lower one. Something else by now is as good as none.
    fn lower_directory(&self, directory: &NodeRef, name: &str) -> Result<Option<NodeRef>, FsError> {
        // A record can say anything.
        let Ok(name) = Name::parse(name) else { return Ok(None) };
        match self.find(directory, name.as_str()) {
            Ok(found) => Ok(found.filter(|node| node.kind() == EntryKind::Directory)),
            Err(FsError::Refused(_) | FsError::NotDirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A directory of two layers being read. First the names that the lower one has, whoever has the object; then those that only the
/// upper one has. So a name that is there all the time comes once, also when it goes from the one layer to the other meanwhile,
/// and nothing has to be kept.
#[derive(Debug)]
pub(super) enum Merged {
    Lower(Box<dyn Listing>),
    /// Names of the upper layer, as far as the lower one has none.
    Upper(Box<dyn Listing>),
    End,
}

impl Merged {
    pub(super) fn new(shared: &Shared, view: &View) -> Result<Self, FsError> {
        match &view.lower {
            Some(lower) => Ok(Self::Lower(lower.node.list(&shared.tokens.search)?)),
            None => Self::upper(shared, view),
        }
    }

    fn upper(shared: &Shared, view: &View) -> Result<Self, FsError> {
        match &view.upper {
            Some(upper) => Ok(Self::Upper(upper.list(&shared.tokens.search)?)),
            None => Ok(Self::End),
        }
    }

    /// Some more entries of the directory, which now is `view`.
    pub(super) fn next_batch(&mut self, shared: &Shared, view: &View) -> Result<Option<Vec<Entry>>, FsError> {
        match self {
            Self::Lower(listing) => match listing.next_batch()? {
                Some(batch) => from_lower(shared, view, batch).map(Some),
                None => {
                    *self = Self::upper(shared, view)?;
                    Ok(Some(Vec::new()))
                }
            },
            Self::Upper(listing) => match listing.next_batch()? {
                Some(batch) => from_upper(shared, view, batch).map(Some),
                None => {
                    *self = Self::End;
                    Ok(None)
                }
            },
            Self::End => Ok(None),
        }
    }
}

fn from_lower(shared: &Shared, view: &View, batch: Vec<Entry>) -> Result<Vec<Entry>, FsError> {
    let Some(upper) = &view.upper else { return Ok(batch) };
    let mut shown = Vec::with_capacity(batch.len());
    for entry in batch {
        // What no name can be is not found by one either.
        let Ok(name) = Name::parse(&entry.name) else { continue };
        match shared.find(upper, &names::stored(name)) {
            Ok(Some(node)) => shown.push(Entry { kind: node.kind(), ..entry }),
            Ok(None) if shared.is_gone(upper, name)? => {}
            Ok(None) => shown.push(entry),
            Err(FsError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(shown)
}

fn from_upper(shared: &Shared, view: &View, batch: Vec<Entry>) -> Result<Vec<Entry>, FsError> {
    let Some(upper) = &view.upper else { return Ok(Vec::new()) };
    let mut shown = Vec::with_capacity(batch.len());
    for entry in batch {
        let Some(name) = shared.spelt(upper, &entry.name)? else { continue };
        let came = match &view.lower {
            Some(lower) => matches!(shared.find(&lower.node, &name), Ok(Some(_))),
            None => false,
        };
        if !came {
            shown.push(Entry { kind: entry.kind, name });
        }
    }
    Ok(shown)
}
