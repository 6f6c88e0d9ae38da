//! Opening.

use std::sync::Arc;

use super::decide::Want;
use super::quota::entry_cost;
use super::walk::{Found, Last, Resolved, Target};
use super::{Namespace, World};
use crate::descriptor::{Descriptor, Directory, Place};
use crate::store::Access;
use crate::{DescriptorFlags, EntryKind, FileRef, FsError, NodeRef, OpenFlags};

impl Namespace {
    /// Opens `path` below the directory `base`.
    ///
    /// A directory needs `search`. A file needs `read` to be read, `write` to be written, emptied or made; without either flag it
    /// is opened to read.
    ///
    /// # Errors
    ///
    /// [`FsError::Exists`] for an exclusive creation, [`FsError::Loop`] for a link that is not followed, and the usual ones.
    pub fn open_at(
        &self,
        base: &Descriptor,
        path: &str,
        follow: bool,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Descriptor, FsError> {
        if open.directory && (open.create || open.exclusive || open.truncate) {
            return Err(FsError::Invalid);
        }
        let opening = Opening::new(open, flags);
        let last = match follow && !opening.new_only {
            true => Last::Follow,
            false if opening.new_only => Last::Keep,
            false => Last::Stay,
        };
        match self.0.resolve(base, path, last, opening.want(), opening.changes)? {
            Resolved::Top(place) => self.0.open_directory(place, &opening),
            Resolved::Name(target) => self.0.open_target(&target, &opening),
        }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
struct Opening {
    flags: DescriptorFlags,
    directory: bool,
    create: bool,
    /// It must not exist.
    new_only: bool,
    truncate: bool,
    /// Something is written: by opening, or later.
    changes: bool,
}

impl Opening {
    fn new(open: OpenFlags, flags: DescriptorFlags) -> Self {
        // Without a direction a file is opened to read, as elsewhere.
        let flags = DescriptorFlags { read: flags.read || !flags.write, ..flags };
        Self {
            flags,
            directory: open.directory,
            create: open.create,
            new_only: open.create && open.exclusive,
            truncate: open.truncate,
            changes: open.create || open.truncate || flags.write,
        }
    }

    fn want(&self) -> Want {
        match (self.changes, self.directory) {
            (true, _) => Want::Write,
            (false, true) => Want::Search,
            (false, false) => Want::Read,
        }
    }
}

impl World {
    fn open_target(&self, target: &Target, opening: &Opening) -> Result<Descriptor, FsError> {
        if let Some(place) = target.place() {
            return self.open_directory(place, opening);
        }
        match &target.found {
            Found::Node(node) if node.kind() == EntryKind::Link => Err(self.open_link(target, opening)),
            Found::Node(node) => self.open_file(target, node, opening),
            Found::Missing | Found::Place(_) if opening.create => self.create_file(target, opening),
            Found::Missing | Found::Place(_) => Err(self.absent(opening.want(), &target.path)),
        }
    }

    fn open_directory(&self, mut place: Place, opening: &Opening) -> Result<Descriptor, FsError> {
        if opening.changes {
            self.write(&place.path)?;
            return Err(if opening.new_only { FsError::Exists } else { FsError::IsDirectory });
        }
        self.searched(&mut place)?;
        let flags = DescriptorFlags { read: true, ..opening.flags };
        Ok(Descriptor::directory(place, flags))
    }

    /// A link at the end of a path that is not followed cannot be opened.
    fn open_link(&self, target: &Target, opening: &Opening) -> FsError {
        match self.absent(opening.want(), &target.path) {
            FsError::NoEntry if opening.new_only => FsError::Exists,
            FsError::NoEntry if self.reads(&target.path) => FsError::Loop,
            refused => refused,
        }
    }

    fn open_file(&self, target: &Target, node: &NodeRef, opening: &Opening) -> Result<Descriptor, FsError> {
        if opening.directory || (target.slash && opening.want() == Want::Read) {
            return Err(self.not_a_directory(&target.path));
        }
        let read = opening.flags.read.then(|| self.read(&target.path)).transpose()?;
        let write = opening.changes.then(|| self.write(&target.path)).transpose()?;
        if opening.new_only {
            return Err(FsError::Exists);
        }
        if target.slash {
            return Err(FsError::NotDirectory);
        }
        let access = match (&read, &write) {
            (Some(read), Some(write)) => Access::Both(read, write),
            (None, Some(write)) => Access::Write(write),
            (Some(read), None) => Access::Read(read),
            (None, None) => return Err(FsError::Invalid),
        };
        let file = node.open(access)?;
        if opening.truncate {
            file.set_size(0)?;
            let mount = target.parent.mount().ok_or(FsError::Io)?;
            self.written(mount, &file, &target.path);
        }
        self.opened(target, file, opening)
    }

    fn create_file(&self, target: &Target, opening: &Opening) -> Result<Descriptor, FsError> {
        let write = self.write(&target.path)?;
        if opening.flags.read {
            self.read(&target.path)?;
        }
        // A slash says directory, and this would be a file.
        if target.slash {
            return Err(FsError::NoEntry);
        }
        let Directory::Stored { mount, node } = &target.parent.directory else { return Err(FsError::ReadOnly) };
        let made =
            self.paying(*mount, entry_cost(&target.name, 0), || Ok((node.create_file(&write, target.name()?)?, 0)));
        match made {
            Ok(file) => {
                self.made_file(*mount, file.id());
                self.opened(target, file, opening)
            }
            // Somebody else was quicker, and any of the two may be first.
            Err(FsError::Exists) if !opening.new_only => self.open_raced(target, opening),
            Err(error) => Err(error),
        }
    }

    /// Opens what appeared at a name that was missing a moment ago.
    fn open_raced(&self, target: &Target, opening: &Opening) -> Result<Descriptor, FsError> {
        let Directory::Stored { node, .. } = &target.parent.directory else { return Err(FsError::ReadOnly) };
        let permit = self.search(&target.parent.path)?;
        match node.lookup(&permit, target.name()?) {
            Ok(found) if found.kind() == EntryKind::File => self.open_file(target, &found, opening),
            Ok(found) if found.kind() == EntryKind::Link => Err(FsError::Loop),
            Ok(_) => Err(FsError::IsDirectory),
            Err(FsError::Refused(reason)) => Err(self.refuse(Want::Write, &target.path, reason)),
            Err(FsError::NoEntry) => Err(FsError::Busy),
            Err(error) => Err(error),
        }
    }

    fn opened(&self, target: &Target, file: FileRef, opening: &Opening) -> Result<Descriptor, FsError> {
        let mount = target.parent.mount().ok_or(FsError::Io)?;
        let flags = DescriptorFlags { mutate_directory: false, ..opening.flags };
        Ok(Descriptor::file(target.path.clone(), mount, Arc::clone(&file), flags))
    }
}
