//! Handles that a guest holds.

use std::sync::Arc;

use caplet_policy::{GuestPath, Permitted, Search};

use crate::mount::TreeIndex;
use crate::{DescriptorFlags, EntryKind, FileRef, NodeId, NodeRef};

/// An open file or directory. Cheap to clone; the object is let go with the last clone.
#[derive(Clone, Debug)]
pub struct Descriptor(pub(crate) Arc<Held>);

#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) object: Object,
    pub(crate) flags: DescriptorFlags,
}

#[derive(Debug)]
pub(crate) enum Object {
    Directory(Place),
    /// The directory `.`: where a name in it leads depends on its first component.
    Current,
    File(OpenFile),
}

#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) path: GuestPath,
    pub(crate) mount: usize,
    pub(crate) file: FileRef,
}

/// A directory on the way of a resolution.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) path: GuestPath,
    pub(crate) directory: Directory,
    /// Where it is in the tree of mount points, if it leads to any.
    pub(crate) tree: Option<TreeIndex>,
    /// That it may be searched, once that was decided.
    pub(crate) search: Option<Arc<Permitted<Search>>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Directory {
    /// A directory of a mount's store.
    Stored { mount: usize, node: NodeRef },
    /// A directory that exists because a mount point lies below it.
    Synthetic,
}

impl Place {
    /// The mount whose directory this is.
    pub(crate) fn mount(&self) -> Option<usize> {
        match self.directory {
            Directory::Stored { mount, .. } => Some(mount),
            Directory::Synthetic => None,
        }
    }
}

impl Descriptor {
    pub(crate) fn directory(place: Place, flags: DescriptorFlags) -> Self {
        Self(Arc::new(Held { object: Object::Directory(place), flags }))
    }

    pub(crate) fn file(path: GuestPath, mount: usize, file: FileRef, flags: DescriptorFlags) -> Self {
        Self(Arc::new(Held { object: Object::File(OpenFile { path, mount, file }), flags }))
    }

    pub(crate) fn current() -> Self {
        let flags = DescriptorFlags { read: true, write: false, mutate_directory: true };
        Self(Arc::new(Held { object: Object::Current, flags }))
    }

    /// What it was opened for.
    #[must_use]
    pub fn flags(&self) -> DescriptorFlags {
        self.0.flags
    }

    /// What it is: a file or a directory.
    #[must_use]
    pub fn kind(&self) -> EntryKind {
        match self.0.object {
            Object::Directory(_) | Object::Current => EntryKind::Directory,
            Object::File(_) => EntryKind::File,
        }
    }

    /// Whether both are the same object of the same mount.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.object.identity() == other.0.object.identity()
    }
}

/// What tells two objects apart within a namespace.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Identity<'a> {
    Stored(usize, NodeId),
    Synthetic(&'a GuestPath),
    Current,
}

impl Object {
    pub(crate) fn identity(&self) -> Identity<'_> {
        match self {
            Self::Directory(place) => place.identity(),
            Self::Current => Identity::Current,
            Self::File(open) => Identity::Stored(open.mount, open.file.id()),
        }
    }
}

impl Place {
    pub(crate) fn identity(&self) -> Identity<'_> {
        match &self.directory {
            Directory::Stored { mount, node } => Identity::Stored(*mount, node.id()),
            Directory::Synthetic => Identity::Synthetic(&self.path),
        }
    }
}
