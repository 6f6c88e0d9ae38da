//! Who is who: one [`Core`] for each object that a handle holds, whichever layer it is in.
//!
//! A [`Spot`] is where an object is, without its handles. An object keeps the spots of the directories above it, so that these can
//! be made in the upper layer when it changes; were these handles, one deep path of a guest would hold a thousand of the host's. A
//! [`Core`] has the handles, and is shared by everybody who holds the object. So an object has one identity as long as it is held,
//! and everybody sees when it goes to the upper layer.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use super::shared::Shared;
use super::view::View;
use crate::{EntryKind, FsError, NodeId, NodeRef};

/// What an object is known by: its identity in the layer that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Upper(NodeId),
    Lower(NodeId),
}

/// The objects that are held.
#[derive(Debug, Default)]
pub(super) struct Table {
    spots: HashMap<Key, Weak<Spot>>,
    /// The identity of objects that came from the lower layer, by that in the upper one. As many as the lower layer has objects.
    ids: HashMap<NodeId, NodeId>,
    keys: [RandomState; 2],
    /// What upper directories were found to continue.
    pub(super) origins: HashMap<NodeId, Option<String>>,
    /// Of which upper directories it is known that no name is said to be gone in them, and of which that is not known.
    pub(super) hides_nothing: HashMap<NodeId, bool>,
}

/// Where an object is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Top,
    In(Arc<Spot>, String),
    /// It has no name any more.
    Gone,
}

/// An object and its place.
#[derive(Debug)]
pub(super) struct Spot {
    shared: Arc<Shared>,
    pub(super) id: NodeId,
    pub(super) kind: EntryKind,
    /// The path of the lower directory that this one continues, if it does.
    pub(super) lower_path: Option<String>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    key: Key,
    place: Place,
    core: Weak<Core>,
}

/// An object that somebody holds.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) spot: Arc<Spot>,
    view: RwLock<View>,
    /// Held while the object is copied to the upper layer.
    pub(super) copying: Mutex<()>,
    /// How many bytes a file of the upper layer has, once that is known. Held while it changes.
    pub(super) size: Mutex<Option<u64>>,
}

impl Table {
    /// The key of what was found as `name`. A file of the lower layer that has several names is a file for each of them here:
    /// changing it under one name is a copy, which the others do not see.
    fn key(&self, parent: NodeId, name: &str, view: &View, links: u64) -> Result<Key, FsError> {
        match (&view.upper, &view.lower) {
            (Some(upper), _) => Ok(Key::Upper(upper.id())),
            (None, Some(lower)) if links <= 1 => Ok(Key::Lower(lower.node.id())),
            (None, Some(_)) => {
                let [low, high] = self.keys.each_ref().map(|key| key.hash_one((parent.0, parent.1, name)));
                Ok(Key::Lower(NodeId(low, high)))
            }
            (None, None) => Err(FsError::NoEntry),
        }
    }

    fn id(&self, key: Key) -> NodeId {
        match key {
            Key::Upper(id) => self.ids.get(&id).copied().unwrap_or(id),
            Key::Lower(id) => id,
        }
    }

    fn remove(&mut self, key: Key, spot: &Arc<Spot>) {
        if self.spots.get(&key).is_some_and(|found| std::ptr::eq(found.as_ptr(), Arc::as_ptr(spot))) {
            self.spots.remove(&key);
        }
    }
}

impl Shared {
    /// The object that was found as `name` in `parent`.
    pub(super) fn core(self: &Arc<Self>, parent: &Arc<Spot>, name: &str, view: View) -> Result<Arc<Core>, FsError> {
        let links = self.links(&view)?;
        let kind = view.kind().ok_or(FsError::NoEntry)?;
        let mut table = self.table();
        let key = table.key(parent.id, name, &view, links)?;
        let place = Place::In(Arc::clone(parent), name.to_owned());
        // Nothing that may be the last to hold a spot is let go as long as the table is locked: that would want to lock it, too.
        let known = table.spots.get(&key).and_then(Weak::upgrade);
        let (spot, place) = match &known {
            Some(spot) if spot.kind == kind => (Arc::clone(spot), Some(place)),
            Some(_) | None => {
                let lower_path = view.lower.as_ref().filter(|_| kind == EntryKind::Directory);
                let spot = Arc::new(Spot {
                    shared: Arc::clone(self),
                    id: table.id(key),
                    kind,
                    lower_path: lower_path.map(|lower| lower.path.clone()),
                    state: Mutex::new(State { key, place, core: Weak::new() }),
                });
                table.spots.insert(key, Arc::downgrade(&spot));
                (spot, None)
            }
        };
        drop(table);
        let outdated = place.map(|place| std::mem::replace(&mut spot.lock().place, place));
        drop(outdated);
        Ok(Core::of(&spot, view))
    }

    /// The object that was just made as `name`: nothing that had its identity before is meant.
    pub(super) fn made(self: &Arc<Self>, parent: &Arc<Spot>, name: &str, upper: NodeRef) -> Result<Arc<Core>, FsError> {
        let mut table = self.table();
        table.ids.remove(&upper.id());
        table.origins.remove(&upper.id());
        table.spots.remove(&Key::Upper(upper.id()));
        drop(table);
        self.core(parent, name, View { upper: Some(upper), lower: None })
    }

    /// How many names an object of the lower layer has.
    fn links(&self, view: &View) -> Result<u64, FsError> {
        match (&view.upper, &view.lower) {
            (None, Some(lower)) if lower.node.kind() != EntryKind::Directory => {
                Ok(lower.node.stat(self.known())?.links)
            }
            _ => Ok(1),
        }
    }

    /// How many objects somebody holds.
    pub(super) fn held(&self) -> usize {
        let spots: Vec<Arc<Spot>> = self.table().spots.values().filter_map(Weak::upgrade).collect();
        spots.iter().filter(|spot| spot.lock().core.strong_count() > 0).count()
    }

    /// Whether `core` is what was found as `name` in `parent`.
    pub(super) fn is(&self, core: &Core, parent: &Spot, name: &str, view: &View) -> Result<bool, FsError> {
        let links = self.links(view)?;
        let key = self.table().key(parent.id, name, view, links)?;
        Ok(core.spot.lock().key == key)
    }
}

impl Spot {
    /// The top directory.
    pub(super) fn top(shared: &Arc<Shared>) -> Arc<Core> {
        let view = shared.top();
        let spot = Arc::new(Self {
            shared: Arc::clone(shared),
            id: shared.lower.id(),
            kind: EntryKind::Directory,
            lower_path: Some(String::new()),
            state: Mutex::new(State { key: Key::Upper(shared.upper.id()), place: Place::Top, core: Weak::new() }),
        });
        Core::of(&spot, view)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn place(&self) -> Place {
        self.lock().place.clone()
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.lock().place, Place::Gone)
    }

    /// The object's handles, if somebody has them.
    pub(super) fn held(&self) -> Option<Arc<Core>> {
        self.lock().core.upgrade()
    }

    /// Gives the object another place.
    pub(super) fn move_to(&self, parent: &Arc<Self>, name: &str) {
        let place = Place::In(Arc::clone(parent), name.to_owned());
        let outdated = std::mem::replace(&mut self.lock().place, place);
        drop(outdated);
    }

    /// The object has lost its last name.
    pub(super) fn went(self: &Arc<Self>) {
        let outdated = std::mem::replace(&mut self.lock().place, Place::Gone);
        drop(outdated);
        let key = self.lock().key;
        let mut table = self.shared.table();
        table.remove(key, self);
        if let Key::Upper(id) = key {
            table.ids.remove(&id);
            table.origins.remove(&id);
        }
    }

    /// The object now is `upper`, too, or only that. It stays who it is.
    pub(super) fn rose(self: &Arc<Self>, upper: &NodeRef) {
        let new = Key::Upper(upper.id());
        let mut table = self.shared.table();
        let old = std::mem::replace(&mut self.lock().key, new);
        table.remove(old, self);
        if !self.is_gone() {
            table.spots.insert(new, Arc::downgrade(self));
            table.ids.insert(upper.id(), self.id);
        }
        drop(table);
        if let Some(core) = self.held() {
            core.set_upper(upper);
        }
    }

    /// Whether this is `other`, or lies below it.
    pub(super) fn lies_within(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let mut here = Arc::clone(self);
        loop {
            if Arc::ptr_eq(&here, other) {
                return true;
            }
            here = match here.place() {
                Place::In(parent, _) => parent,
                Place::Top | Place::Gone => return false,
            };
        }
    }
}

impl Drop for Spot {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut table = self.shared.table();
        // Somebody may have come upon the object again meanwhile.
        if table.spots.get(&state.key).is_some_and(|spot| spot.strong_count() == 0) {
            table.spots.remove(&state.key);
        }
        drop(table);
        // One after the other: there can be more directories above each other than the stack has room for.
        let mut above = std::mem::replace(&mut state.place, Place::Gone);
        while let Place::In(parent, _) = above {
            let Some(mut parent) = Arc::into_inner(parent) else { break };
            let state = parent.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            above = std::mem::replace(&mut state.place, Place::Gone);
        }
    }
}

impl Core {
    /// The handles of `spot`: those that somebody has, or those of `view`.
    fn of(spot: &Arc<Spot>, view: View) -> Arc<Self> {
        let mut state = spot.lock();
        if let Some(core) = state.core.upgrade() {
            return core;
        }
        let spot = Arc::clone(spot);
        let core = Arc::new(Self { spot, view: RwLock::new(view), copying: Mutex::new(()), size: Mutex::new(None) });
        state.core = Arc::downgrade(&core);
        drop(state);
        core
    }

    /// What the layers have for it.
    pub(super) fn view(&self) -> View {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn upper(&self) -> Option<NodeRef> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).upper.clone()
    }

    pub(super) fn has_upper(&self) -> bool {
        self.view.read().unwrap_or_else(PoisonError::into_inner).upper.is_some()
    }

    fn set_upper(&self, upper: &NodeRef) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        view.upper = Some(NodeRef::clone(upper));
    }

    pub(super) fn size(&self) -> MutexGuard<'_, Option<u64>> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.spot.shared
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // What has no name takes room as long as it is held.
        let left = self.size.get_mut().unwrap_or_else(PoisonError::into_inner).unwrap_or(0);
        if self.spot.kind == EntryKind::File && self.spot.is_gone() && self.has_upper() {
            self.spot.shared.budget.give_back(left);
        }
    }
}
