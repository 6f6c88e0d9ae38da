//! Changing names: making, removing, moving.
//!
//! A refusal comes first in each verb, so that it says nothing about what exists. What leads to a mount point stays where it is.

use std::sync::Arc;

use super::decide::Want;
use super::quota::entry_cost;
use super::walk::{Found, Last, Resolved, Target};
use super::{MAX_PATH_BYTES, Namespace, World};
use crate::descriptor::{Descriptor, Directory, Place};
use crate::store::{Entity, Move};
use crate::{EntryKind, FsError, NodeRef};

impl Namespace {
    /// Makes a directory. Needs `write`.
    ///
    /// # Errors
    ///
    /// [`FsError::Exists`], [`FsError::Quota`] and the usual ones.
    pub fn create_directory_at(&self, base: &Descriptor, path: &str) -> Result<(), FsError> {
        let world = &self.0;
        let target = match world.resolve(base, path, Last::Stay, Want::Write, true)? {
            Resolved::Top(place) => return world.write(&place.path).and(Err(FsError::Exists)),
            Resolved::Name(target) => target,
        };
        // Tools make directories that are there already. That one is there shows in a listing, so nobody is asked for that.
        if target.place().is_some() && world.asks_to_write(&target.path) {
            return Err(FsError::Exists);
        }
        let permit = world.write(&target.path)?;
        let (mount, parent) = match &target.found {
            // Not even a link with a slash is a way to make what it points to.
            Found::Missing if target.linked => return Err(FsError::NoEntry),
            Found::Missing => stored(&target.parent)?,
            Found::Node(_) | Found::Place(_) => return Err(FsError::Exists),
        };
        world.paying(mount, entry_cost(&target.name, 0), || {
            Ok((parent.create_directory(&permit, target.name()?)?, 0))
        })?;
        world.made(&target);
        Ok(())
    }

    /// Makes a symbolic link at `path`. Needs `write`. A relative target is not looked at before it is followed.
    ///
    /// # Errors
    ///
    /// [`FsError::NotPermitted`] for an absolute target; [`FsError::Exists`]; [`FsError::Quota`] and the usual ones.
    pub fn symlink_at(&self, target_path: &str, base: &Descriptor, path: &str) -> Result<(), FsError> {
        let world = &self.0;
        let target = match world.resolve(base, path, Last::Keep, Want::Write, true)? {
            Resolved::Top(place) => return world.write(&place.path).and(Err(FsError::Exists)),
            Resolved::Name(target) => target,
        };
        let permit = world.write(&target.path)?;
        if target_path.starts_with('/') {
            return Err(world.refuse(
                Want::Write,
                &target.path,
                "a link must not be absolute: its target would be a path of the host",
            ));
        }
        match target_path {
            "" => return Err(FsError::NoEntry),
            text if text.len() >= MAX_PATH_BYTES => return Err(FsError::NameTooLong),
            text if text.contains('\0') => return Err(FsError::Invalid),
            _ => {}
        }
        let (mount, parent) = vacant(&target)?;
        world.paying(mount, entry_cost(&target.name, target_path.len()), || {
            Ok((parent.create_link(&permit, target.name()?, target_path)?, 0))
        })?;
        world.made(&target);
        Ok(())
    }

    /// Gives a file or link one more name. Needs `write` on both: whoever writes the one name writes the other.
    ///
    /// # Errors
    ///
    /// [`FsError::CrossDevice`] between mounts, [`FsError::NotPermitted`] for a directory, [`FsError::Exists`] and the usual ones.
    pub fn link_at(
        &self,
        old_base: &Descriptor,
        old_path: &str,
        follow: bool,
        new_base: &Descriptor,
        new_path: &str,
    ) -> Result<(), FsError> {
        let world = &self.0;
        let last = if follow { Last::Follow } else { Last::Keep };
        let old = world.resolve(old_base, old_path, last, Want::Write, false)?;
        let new = world.resolve(new_base, new_path, Last::Keep, Want::Write, true)?;
        let (old, new) = match (old, new) {
            (Resolved::Name(old), Resolved::Name(new)) => (old, new),
            (old, new) => return world.refuse_tree([&old, &new], FsError::NotPermitted(None)),
        };
        if old.place().is_some() {
            return world.refuse_tree([&Resolved::Name(old), &Resolved::Name(new)], FsError::NotPermitted(None));
        }
        let permits = [&world.write(&old.path)?, &world.write(&new.path)?];
        let node = match &old.found {
            Found::Node(_) if old.slash => return Err(FsError::NotDirectory),
            Found::Node(node) => node,
            Found::Missing | Found::Place(_) => return Err(FsError::NoEntry),
        };
        let (mount, parent) = vacant(&new)?;
        let (old_mount, old_parent) = stored(&old.parent)?;
        if old_mount != mount {
            return Err(FsError::CrossDevice);
        }
        let source = Entity { parent: old_parent.as_ref(), name: old.name()?, node: node.as_ref() };
        world.paying(mount, entry_cost(&new.name, 0), || Ok((parent.add_name(permits, source, new.name()?)?, 0)))?;
        world.renamed(mount, node, &old.path);
        Ok(())
    }

    /// Removes a file or link. Needs `write`.
    ///
    /// # Errors
    ///
    /// [`FsError::IsDirectory`], [`FsError::NoEntry`] and the usual ones.
    pub fn unlink_at(&self, base: &Descriptor, path: &str) -> Result<(), FsError> {
        let target = match self.0.resolve(base, path, Last::Keep, Want::Write, false)? {
            Resolved::Top(place) => return self.0.write(&place.path).and(Err(FsError::IsDirectory)),
            Resolved::Name(target) => target,
        };
        let permit = self.0.write(&target.path)?;
        match &target.found {
            _ if target.place().is_some() => Err(FsError::IsDirectory),
            Found::Node(_) if target.slash => Err(FsError::NotDirectory),
            Found::Node(node) => {
                let (_, parent) = stored(&target.parent)?;
                parent.remove_file(&permit, target.name()?, node.as_ref())
            }
            Found::Missing | Found::Place(_) => Err(FsError::NoEntry),
        }
    }

    /// Removes an empty directory. Needs `write`.
    ///
    /// # Errors
    ///
    /// [`FsError::NotEmpty`], also where what is in it is not shown; [`FsError::Busy`] for what leads to a mount point;
    /// [`FsError::NotDirectory`], [`FsError::NoEntry`] and the usual ones.
    pub fn remove_directory_at(&self, base: &Descriptor, path: &str) -> Result<(), FsError> {
        let target = match self.0.resolve(base, path, Last::Keep, Want::Write, false)? {
            Resolved::Top(place) => return self.0.write(&place.path).and(Err(FsError::Invalid)),
            Resolved::Name(target) => target,
        };
        let permit = self.0.write(&target.path)?;
        match &target.found {
            Found::Place(_) => Err(FsError::Busy),
            Found::Node(node) if node.kind() == EntryKind::Directory => {
                let (_, parent) = stored(&target.parent)?;
                parent.remove_directory(&permit, target.name()?, node.as_ref())
            }
            Found::Node(_) => Err(FsError::NotDirectory),
            Found::Missing => Err(FsError::NoEntry),
        }
    }

    /// Moves a file, link or directory, in place of what has the new name. Needs `write` on both names; for a directory,
    /// `write-tree`: every name that is or could be below it must be writable on both sides.
    ///
    /// # Errors
    ///
    /// [`FsError::CrossDevice`] between mounts, [`FsError::Busy`] for what leads to a mount point, [`FsError::Invalid`] for a
    /// directory that would go below itself, [`FsError::NotEmpty`], [`FsError::IsDirectory`], [`FsError::NotDirectory`].
    pub fn rename_at(
        &self,
        old_base: &Descriptor,
        old_path: &str,
        new_base: &Descriptor,
        new_path: &str,
    ) -> Result<(), FsError> {
        let world = &self.0;
        let old = world.resolve(old_base, old_path, Last::Keep, Want::Write, true)?;
        let new = world.resolve(new_base, new_path, Last::Keep, Want::Write, true)?;
        let (old, new) = match (old, new) {
            (Resolved::Name(old), Resolved::Name(new)) => (old, new),
            (old, new) => return world.refuse_tree([&old, &new], FsError::Busy),
        };
        match (&old.found, old.place()) {
            (_, Some(_)) => world.rename_directory(&old, &new),
            (Found::Node(node), None) => world.rename_file(&old, node, &new),
            (Found::Missing | Found::Place(_), None) => world.write(&old.path).and(Err(FsError::NoEntry)),
        }
    }
}

impl World {
    fn rename_directory(&self, old: &Target, new: &Target) -> Result<(), FsError> {
        let (from, to) = (self.write_tree(&old.path)?, self.write_tree(&new.path)?);
        let node = match (&old.found, &new.found) {
            (Found::Place(_), _) | (_, Found::Place(_)) => return Err(FsError::Busy),
            (Found::Node(_), Found::Node(there)) if there.kind() != EntryKind::Directory => {
                return Err(FsError::NotDirectory);
            }
            (Found::Node(node), Found::Missing | Found::Node(_)) => node,
            (Found::Missing, _) => return Err(FsError::NoEntry),
        };
        self.rename(Move::Tree(&from, &to), old, node, new)
    }

    fn rename_file(&self, old: &Target, node: &NodeRef, new: &Target) -> Result<(), FsError> {
        let (from, to) = (self.write(&old.path)?, self.write(&new.path)?);
        if old.slash || new.slash {
            return Err(FsError::NotDirectory);
        }
        if new.place().is_some() {
            return Err(FsError::IsDirectory);
        }
        self.rename(Move::File(&from, &to), old, node, new)
    }

    fn rename(&self, permit: Move<'_>, old: &Target, node: &NodeRef, new: &Target) -> Result<(), FsError> {
        let (old_mount, old_parent) = stored(&old.parent)?;
        let (mount, parent) = stored(&new.parent)?;
        if old_mount != mount {
            return Err(FsError::CrossDevice);
        }
        let source = Entity { parent: old_parent.as_ref(), name: old.name()?, node: node.as_ref() };
        let moved = parent.move_here(permit, source, new.name()?);
        moved.map_err(|error| self.settled(Want::Write, &new.path, error))?;
        self.renamed(mount, node, &old.path);
        Ok(())
    }

    /// The answer to a verb that cannot be done to a whole directory: a refusal where it is one, `otherwise` else.
    fn refuse_tree(&self, sides: [&Resolved; 2], otherwise: FsError) -> Result<(), FsError> {
        for side in sides {
            match side {
                Resolved::Top(Place { path, .. }) | Resolved::Name(Target { path, .. }) => drop(self.write_tree(path)?),
            }
        }
        Err(otherwise)
    }
}

/// The store's directory in which a name is to be changed.
fn stored(parent: &Place) -> Result<(usize, NodeRef), FsError> {
    match &parent.directory {
        Directory::Stored { mount, node } => Ok((*mount, Arc::clone(node))),
        Directory::Synthetic => Err(FsError::ReadOnly),
    }
}

/// The store's directory in which a new name that is no directory is to be made.
fn vacant(target: &Target) -> Result<(usize, NodeRef), FsError> {
    match &target.found {
        Found::Missing if target.slash => Err(FsError::NoEntry),
        Found::Missing => stored(&target.parent),
        Found::Node(_) | Found::Place(_) => Err(FsError::Exists),
    }
}
