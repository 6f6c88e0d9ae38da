//! From a path to an object: one name at a time, by handle.

use std::sync::Arc;

use caplet_policy::GuestPath;

use super::decide::Want;
use super::{MAX_LINKS, World, path};
use crate::descriptor::{Descriptor, Directory, Object, Place};
use crate::store::Known;
use crate::{EntryKind, FsError, Name, NodeRef};

/// What to do with a link that is the last name of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// Follow it.
    Follow,
    /// Leave it, unless a slash at the end says that a directory is meant.
    Stay,
    /// Leave it in any case.
    Keep,
}

/// How many directories behind it a walk holds open. Going back further walks down again from the base, so that one long path of a
/// guest does not take the host's handles.
const HELD: usize = 64;

/// Where a path led.
#[derive(Debug)]
pub(super) enum Resolved {
    /// To a directory that was reached without naming it: the base itself, or by `..`.
    Top(Place),
    /// To a name in a directory.
    Name(Target),
}

/// A name in a directory that may be searched, and what it is.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) parent: Place,
    pub(super) name: String,
    /// The resolved path of the name: decide on this.
    pub(super) path: GuestPath,
    pub(super) found: Found,
    /// The path ended in a slash.
    pub(super) slash: bool,
    /// A link led to this name.
    pub(super) linked: bool,
}

#[derive(Debug)]
pub(super) enum Found {
    Missing,
    /// An object of the parent's store.
    Node(NodeRef),
    /// A directory on the way to a mount point, or a mount point.
    Place(Place),
}

impl Target {
    /// The name, which was checked on the way.
    pub(super) fn name(&self) -> Result<Name<'_>, FsError> {
        Name::parse(&self.name)
    }

    /// The directory that was found, if it is one.
    pub(super) fn place(&self) -> Option<Place> {
        match &self.found {
            Found::Place(place) => Some(place.clone()),
            Found::Node(node) if node.kind() == EntryKind::Directory => {
                let mount = self.parent.mount()?;
                let directory = Directory::Stored { mount, node: Arc::clone(node) };
                Some(Place { path: self.path.clone(), directory, tree: None, search: None })
            }
            Found::Node(_) | Found::Missing => None,
        }
    }
}

struct Step {
    name: String,
    /// `..` must not go below this many places.
    floor: usize,
}

/// A directory that the walk came through.
enum Behind {
    Held(Place),
    /// Its handle was let go. Never the first one.
    Left {
        path: GuestPath,
        mount: Option<usize>,
    },
}

impl Behind {
    fn mount(&self) -> Option<usize> {
        match self {
            Self::Held(place) => place.mount(),
            Self::Left { mount, .. } => *mount,
        }
    }
}

struct Walk<'w> {
    world: &'w World,
    /// The way from the base to where the walk is; each one is one name longer than the one before.
    way: Vec<Behind>,
    here: Place,
    /// Names still to go, the next one last.
    steps: Vec<Step>,
    links: usize,
    want: Want,
    last: Last,
    slash: bool,
    linked: bool,
}

impl World {
    /// Resolves `text` from `base`.
    ///
    /// `changes` says that the operation makes or changes names, for what a relative path means in the current directory.
    pub(super) fn resolve(
        &self,
        base: &Descriptor,
        text: &str,
        last: Last,
        want: Want,
        changes: bool,
    ) -> Result<Resolved, FsError> {
        path::check(text)?;
        let start = match &base.0.object {
            Object::File(_) => return Err(FsError::NotDirectory),
            Object::Directory(place) => place.clone(),
            Object::Current if text.starts_with('/') => self.root(),
            Object::Current => self.current_base(text, want, changes)?,
        };
        if text.starts_with('/') {
            let meant = path::meant(&GuestPath::root(), path::names(text)).ok_or(FsError::NameTooLong)?;
            return Err(self.refuse(want, &meant, "the path is absolute, and a handle opens only what is below it"));
        }
        self.resolve_from(start, text, last, want)
    }

    pub(super) fn resolve_from(&self, start: Place, text: &str, last: Last, want: Want) -> Result<Resolved, FsError> {
        let base = start.path.clone();
        let steps = path::names(text).rev().map(|name| Step { name: name.to_owned(), floor: 0 }).collect();
        let slash = path::means_directory(text);
        let walk =
            Walk { world: self, way: Vec::new(), here: start, steps, links: 0, want, last, slash, linked: false };
        let resolved = walk.run(ends_in_dot(text));
        match resolved {
            // Whether something is missing on the way must not show in what a path out of the base answers.
            Err(FsError::NoEntry | FsError::NotDirectory)
            | Ok(Resolved::Name(Target { found: Found::Missing, .. }))
                if path::climbs(text) =>
            {
                let meant = path::meant(&base, path::names(text)).ok_or(FsError::NameTooLong)?;
                Err(self.refuse(want, &meant, LEADS_OUT))
            }
            resolved => resolved,
        }
    }
}

const LEADS_OUT: &str = "the path leads out of the directory that it starts from";
const LINK_LEADS_OUT: &str = "the link is absolute, and links stay within their mount";

/// Whether the last name of a path is followed by `.`, so that it must be a directory that is entered.
fn ends_in_dot(text: &str) -> bool {
    text.trim_end_matches('/').ends_with("/.")
}

impl Walk<'_> {
    fn run(mut self, enter: bool) -> Result<Resolved, FsError> {
        Ok(match self.walk(enter)? {
            None => Resolved::Top(self.here),
            Some((name, path, found)) => {
                let Self { here: parent, slash, linked, .. } = self;
                Resolved::Name(Target { parent, name, path, found, slash, linked })
            }
        })
    }

    /// Walks up to the last name; with `enter`, into that, too. Gives the last name, its path and what it is, unless it was entered.
    fn walk(&mut self, enter: bool) -> Result<Option<(String, GuestPath, Found)>, FsError> {
        while let Some(step) = self.steps.pop() {
            if step.name == ".." {
                self.climb(&step)?;
                continue;
            }
            let last = self.steps.is_empty() && !enter;
            let path = path::join(&self.here.path, &step.name)?;
            self.may_search_here(&path)?;
            let search = match last {
                // What is wanted with the last name is decided when it is known what it is; it must only be one that may be known.
                true if self.world.sees(&path) => None,
                false if self.world.sees(&path) => Some(Arc::new(self.world.search(&path)?)),
                _ => return Err(self.denied(&path)),
            };
            let name = Name::parse(&step.name)?;
            match (self.child(name, &path)?, last) {
                (Found::Node(node), _) if node.kind() == EntryKind::Link && self.follows(last) => {
                    self.follow(&node, &path, last)?;
                }
                (found, true) => return Ok(Some((step.name, path, found))),
                (Found::Missing, false) => return Err(FsError::NoEntry),
                (Found::Place(place), false) => self.enter(Place { search, ..place }),
                (Found::Node(node), false) if node.kind() == EntryKind::Directory => {
                    let mount = self.here.mount().ok_or(FsError::Io)?;
                    let directory = Directory::Stored { mount, node };
                    self.enter(Place { path, directory, tree: None, search });
                }
                (Found::Node(_), false) => return Err(self.world.not_a_directory(&path)),
            }
        }
        Ok(None)
    }

    fn enter(&mut self, place: Place) {
        self.way.push(Behind::Held(std::mem::replace(&mut self.here, place)));
        if let Some(far) = self.way.len().checked_sub(HELD).filter(|far| *far > 0)
            && let Some(behind) = self.way.get_mut(far)
            && let Behind::Held(place) = behind
        {
            *behind = Behind::Left { mount: place.mount(), path: place.path.clone() };
        }
    }

    fn follows(&self, last: bool) -> bool {
        !last || self.last == Last::Follow || (self.last == Last::Stay && self.slash)
    }

    /// `..`: back on the way that the walk came.
    fn climb(&mut self, step: &Step) -> Result<(), FsError> {
        match self.way.pop() {
            Some(Behind::Held(place)) if self.way.len() >= step.floor => {
                self.here = place;
                Ok(())
            }
            Some(Behind::Left { path, .. }) if self.way.len() >= step.floor => self.return_to(&path),
            _ => {
                let above = self.here.path.parent().unwrap_or_else(GuestPath::root);
                let meant = self.meant(&above).unwrap_or(above);
                Err(self.world.refuse(self.want, &meant, LEADS_OUT))
            }
        }
    }

    /// Walks down to `path` again, a directory behind whose handle was let go.
    fn return_to(&mut self, path: &GuestPath) -> Result<(), FsError> {
        let Some(Behind::Held(base)) = self.way.first() else { return Err(FsError::Io) };
        let below = path.components().skip(base.path.components().count());
        let mut steps: Vec<Step> = below.map(|name| Step { name: name.to_owned(), floor: 0 }).collect();
        steps.reverse();
        let (here, way) = (base.clone(), Vec::new());
        let mut again = Walk { here, way, steps, last: Last::Keep, slash: true, linked: false, ..*self };
        again.walk(true)?;
        // Something else may have come to stand there meanwhile.
        if again.here.path != *path || again.way.len() != self.way.len() {
            return Err(FsError::NoEntry);
        }
        self.links = again.links;
        (self.here, self.way) = (again.here, again.way);
        Ok(())
    }

    fn may_search_here(&mut self, next: &GuestPath) -> Result<(), FsError> {
        if self.here.search.is_some() {
            return Ok(());
        }
        if !self.world.sees(&self.here.path) {
            let meant = self.meant(next);
            return Err(self.world.deny(self.want, &self.here.path, meant.as_ref()));
        }
        Ok(self.world.searched(&mut self.here).map(drop)?)
    }

    fn denied(&self, blocked: &GuestPath) -> FsError {
        self.world.deny(self.want, blocked, self.meant(blocked).as_ref())
    }

    /// `from` and what is still to go, as text.
    fn meant(&self, from: &GuestPath) -> Option<GuestPath> {
        path::meant(from, self.steps.iter().rev().map(|step| step.name.as_str()))
    }

    /// What `name` is here. A name on the way to a mount point is a directory, whatever the store has.
    fn child(&mut self, name: Name<'_>, path: &GuestPath) -> Result<Found, FsError> {
        let tree = self.here.tree.and_then(|index| self.world.tree.child(index, name.as_str()));
        let ours = || Found::Place(self.world.place(path.clone(), tree));
        if tree.is_some_and(|index| self.world.tree.mount(index).is_some()) {
            return Ok(ours());
        }
        let (mount, node) = match &self.here.directory {
            Directory::Synthetic => return Ok(if tree.is_some() { ours() } else { Found::Missing }),
            Directory::Stored { mount, node } => (*mount, node),
        };
        let permit = self.here.search.as_deref().ok_or(FsError::Io)?;
        match (node.lookup(permit, name), tree) {
            (Ok(node), None) => Ok(Found::Node(node)),
            (Ok(node), Some(_)) if node.kind() == EntryKind::Directory => {
                let directory = Directory::Stored { mount, node };
                Ok(Found::Place(Place { path: path.clone(), directory, tree, search: None }))
            }
            (Ok(_) | Err(FsError::NoEntry | FsError::Refused(_)), Some(_)) => Ok(ours()),
            (Err(FsError::NoEntry), None) => Ok(Found::Missing),
            // That there is a device or the like may be known only where a file could be.
            (Err(FsError::Refused(_)), None) if !self.world.reads(path) => Ok(Found::Missing),
            (Err(FsError::Refused(reason)), None) => {
                let meant = self.meant(path).unwrap_or_else(|| path.clone());
                Err(self.world.refuse(self.want, &meant, reason))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Goes on with the target of a link. One that may not be read is as good as missing.
    fn follow(&mut self, link: &NodeRef, path: &GuestPath, last: bool) -> Result<(), FsError> {
        if !self.world.reads(path) {
            return Err(if last { self.world.absent(self.want, path) } else { FsError::NoEntry });
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(FsError::Loop);
        }
        let permit = self.world.search(path)?;
        let target = link.read_link(Known::Search(&permit))?;
        if target.starts_with('/') {
            let meant = path::meant(&GuestPath::root(), path::names(&target)).and_then(|meant| self.meant(&meant));
            return Err(self.world.refuse(self.want, meant.as_ref().unwrap_or(path), LINK_LEADS_OUT));
        }
        path::check(&target)?;
        if self.steps.is_empty() {
            self.linked = true;
            self.slash |= path::means_directory(&target);
        }
        let floor = self.mount_floor();
        self.steps.extend(path::names(&target).rev().map(|name| Step { name: name.to_owned(), floor }));
        Ok(())
    }

    /// How much of the way lies above the mount that the walk is in.
    fn mount_floor(&self) -> usize {
        let mount = self.here.mount();
        self.way.iter().rposition(|behind| behind.mount() != mount).map_or(0, |above| above + 1)
    }
}
