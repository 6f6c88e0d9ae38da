//! What a relative path means in the directory `.`.
//!
//! A guest's C library folds `/x` and `x` when it looks for a directory to open them in, and then takes the last one that it was
//! given. So `.` gets both kinds, and which one a path is must be told from its first name.

use std::sync::OnceLock;

use caplet_policy::GuestPath;

use super::decide::Want;
use super::walk::{Last, Resolved, Target};
use super::{World, path};
use crate::FsError;
use crate::Name;
use crate::descriptor::{Descriptor, Directory, Object, Place};
use crate::mount::MountTree;

/// The current directory.
#[derive(Debug)]
pub(super) struct Current {
    path: GuestPath,
    place: OnceLock<Place>,
}

impl Current {
    pub(super) fn new(path: GuestPath) -> Self {
        Self { path, place: OnceLock::new() }
    }
}

impl World {
    /// The directory behind a descriptor, for an operation on the directory itself.
    pub(super) fn directory(&self, descriptor: &Descriptor, want: Want) -> Result<Place, FsError> {
        match &descriptor.0.object {
            Object::Directory(place) => Ok(place.clone()),
            Object::Current => self.current_directory(".", want),
            Object::File(_) => Err(FsError::NotDirectory),
        }
    }

    /// The directory from which `text`, a path in `.`, goes on.
    ///
    /// The root, where the first name is one of the way to a mount point, or is in the store that is mounted there. Else the
    /// current directory, where the path is one name or makes one, or its first name is there. Else the root, so that `/etc/passwd`
    /// is decided on as that.
    pub(super) fn current_base(&self, text: &str, want: Want, changes: bool) -> Result<Place, FsError> {
        let mut names = path::names(text);
        let (first, single) = (names.next(), names.next().is_none());
        let Some(first) = first.filter(|first| *first != "..") else { return self.current_directory(text, want) };
        let mut root = self.root();
        if self.tree.child(MountTree::ROOT, first).is_some() || self.shows(&mut root, first) {
            return Ok(root);
        }
        if changes || single {
            return self.current_directory(text, want);
        }
        let mut here = match self.current_directory(text, want) {
            Ok(here) => here,
            Err(FsError::NotPermitted(_)) => return Ok(root),
            Err(error) => return Err(error),
        };
        Ok(if self.leads_on(&mut here, first) { here } else { root })
    }

    /// Whether a relative path with this first name belongs to the current directory `here`.
    fn leads_on(&self, here: &mut Place, first: &str) -> bool {
        let Some((below_here, below_root)) = here.path.join(first).ok().zip(GuestPath::root().join(first).ok()) else {
            return true;
        };
        // Where one of both may be known and the other may not, the choice must not hang on what exists; where neither may, both
        // are refused, and the choice only makes for a better record.
        if !self.sees(&below_here) && self.sees(&below_root) {
            return true;
        }
        self.has(here, first)
    }

    /// Whether `place` has a name that may be known.
    fn shows(&self, place: &mut Place, name: &str) -> bool {
        place.path.join(name).is_ok_and(|path| self.sees(&path)) && self.has(place, name)
    }

    fn has(&self, place: &mut Place, name: &str) -> bool {
        if !self.sees(&place.path) {
            return false;
        }
        if place.tree.is_some_and(|index| self.tree.child(index, name).is_some()) {
            return true;
        }
        let Ok(permit) = self.searched(place) else { return false };
        match (&place.directory, Name::parse(name)) {
            (Directory::Stored { node, .. }, Ok(name)) => !matches!(node.lookup(&permit, name), Err(FsError::NoEntry)),
            (Directory::Synthetic, _) | (_, Err(_)) => false,
        }
    }

    /// Finds the current directory, once. `text` is what the guest wants there.
    fn current_directory(&self, text: &str, want: Want) -> Result<Place, FsError> {
        let current = self.current.as_ref().ok_or(FsError::BadDescriptor)?;
        if let Some(place) = current.place.get() {
            return Ok(place.clone());
        }
        let mount = self.mounts.iter().map(|mount| &mount.at).filter(|at| current.path.starts_with(at));
        // Under no mount it is a directory on the way to one, which the root's own walk finds.
        let root = GuestPath::root();
        let mount = mount.max_by_key(|at| at.as_str().len()).unwrap_or(&root);
        let below = current.path.as_str().get(mount.as_str().len()..).unwrap_or_default().trim_start_matches('/');
        let top = self.place_at(mount);
        if !self.sees(&current.path) {
            let meant = path::meant(&current.path, path::names(text));
            return Err(self.deny(want, &current.path, meant.as_ref()));
        }
        let place = match below {
            "" => top,
            below => match self.resolve_from(top, below, Last::Follow, Want::Search)? {
                Resolved::Top(place) => place,
                Resolved::Name(target) => self.existing_directory(&target)?,
            },
        };
        Ok(current.place.get_or_init(|| place).clone())
    }

    /// The directory that was found at the end of a path.
    pub(super) fn existing_directory(&self, target: &Target) -> Result<Place, FsError> {
        match target.place() {
            Some(place) => Ok(place),
            None if matches!(target.found, super::walk::Found::Missing) => Err(FsError::NoEntry),
            None => Err(self.not_a_directory(&target.path)),
        }
    }
}
