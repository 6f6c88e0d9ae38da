//! The small values of a file system's interface.

/// What an object is. Nothing else can be reached: devices, pipes and sockets are refused by every store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
}

/// A point in time since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    /// Whole seconds.
    pub seconds: u64,
    /// Nanoseconds below one second.
    pub nanoseconds: u32,
}

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewTime {
    /// Leave it as it is.
    Keep,
    /// The present.
    Now,
    /// This time.
    At(Timestamp),
}

/// What is told about an object. There are no owners, modes, device or inode numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStat {
    /// What it is.
    pub kind: EntryKind,
    /// How many names a file has; 1 for a directory, whose true count would tell of subdirectories that are not shown.
    pub links: u64,
    /// Bytes of a file, or of the target of a link; 0 for a directory.
    pub size: u64,
    /// When it was last read, as far as the store knows.
    pub accessed: Option<Timestamp>,
    /// When its content last changed.
    pub modified: Option<Timestamp>,
    /// When anything about it last changed.
    pub changed: Option<Timestamp>,
}

/// One line of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Its name in the directory.
    pub name: String,
}

/// What an open handle is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DescriptorFlags {
    /// Content can be read.
    pub read: bool,
    /// Content can be written. Never set for a directory.
    pub write: bool,
    /// The holder means to change entries of this directory. It asks for nothing: each change is decided on its own.
    pub mutate_directory: bool,
}

/// How to open a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFlags {
    /// Make a file where there is none.
    pub create: bool,
    /// It must be a directory.
    pub directory: bool,
    /// With `create`: it must not exist.
    pub exclusive: bool,
    /// Empty the file.
    pub truncate: bool,
}
