//! Content: reading and writing open files.

use std::sync::atomic::Ordering;

use super::decide::Want;
use super::{MAX_READ_BYTES, Namespace};
use crate::descriptor::{Descriptor, Directory, Object, OpenFile};
use crate::{FsError, NodeRef};

impl Namespace {
    /// Whether content can be read through `descriptor`.
    ///
    /// # Errors
    ///
    /// [`FsError::IsDirectory`], [`FsError::BadDescriptor`] where it was not opened to read.
    pub fn check_readable(&self, descriptor: &Descriptor) -> Result<(), FsError> {
        self.readable(descriptor).map(drop)
    }

    /// Whether content can be written through `descriptor`.
    ///
    /// # Errors
    ///
    /// [`FsError::NotPermitted`] where the file may not be written, [`FsError::BadDescriptor`] where it may, but was not opened
    /// to be, or is a directory.
    pub fn check_writable(&self, descriptor: &Descriptor) -> Result<(), FsError> {
        self.writable(descriptor).map(drop)
    }

    /// Whether `descriptor` is a file.
    ///
    /// # Errors
    ///
    /// [`FsError::BadDescriptor`] where it is not.
    pub fn check_file(&self, descriptor: &Descriptor) -> Result<(), FsError> {
        match descriptor.0.object {
            Object::File(_) => Ok(()),
            Object::Directory(_) | Object::Current => Err(FsError::BadDescriptor),
        }
    }

    /// Up to `length` bytes from `offset` on, at most [`MAX_READ_BYTES`]; none at the end of the file.
    ///
    /// # Errors
    ///
    /// As [`Namespace::check_readable`], or when the store fails.
    pub fn read_at(&self, descriptor: &Descriptor, offset: u64, length: usize) -> Result<Vec<u8>, FsError> {
        let bytes = self.readable(descriptor)?.file.read_at(offset, length.min(MAX_READ_BYTES))?;
        self.0.read_bytes.fetch_add(count(bytes.len()), Ordering::Relaxed);
        Ok(bytes)
    }

    /// Writes at `offset`. A gap between the end of the file and `offset` counts as written.
    ///
    /// # Errors
    ///
    /// As [`Namespace::check_writable`]; [`FsError::Quota`]; or when the store fails.
    pub fn write_at(&self, descriptor: &Descriptor, offset: u64, bytes: &[u8]) -> Result<usize, FsError> {
        let open = self.writable(descriptor)?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let gap = if offset == 0 { 0 } else { offset.saturating_sub(open.file.size()?) };
        self.0.paying(open.mount, gap.saturating_add(count(bytes.len())), || {
            let written = open.file.write_at(offset, bytes)?;
            self.0.written(open.mount, &open.file, &open.path);
            self.0.written_bytes.fetch_add(count(written), Ordering::Relaxed);
            Ok((written, count(bytes.len().saturating_sub(written))))
        })
    }

    /// As [`Namespace::write_at`], if the store has nothing to wait for and no gap to fill: whoever may not block can try it first.
    /// `None` where it has; then nothing has happened.
    #[must_use]
    pub fn write_at_once(&self, descriptor: &Descriptor, offset: u64, bytes: &[u8]) -> Option<Result<usize, FsError>> {
        let open = self.writable(descriptor).ok().filter(|_| !bytes.is_empty())?;
        let mut waits = false;
        let written = self.0.paying(open.mount, count(bytes.len()), || {
            let Some(written) = open.file.write_at_once(offset, bytes) else {
                waits = true;
                return Ok((0, count(bytes.len())));
            };
            let written = written?;
            self.0.written(open.mount, &open.file, &open.path);
            self.0.written_bytes.fetch_add(count(written), Ordering::Relaxed);
            Ok((written, count(bytes.len().saturating_sub(written))))
        });
        (!waits).then_some(written)
    }

    /// Writes at the end.
    ///
    /// # Errors
    ///
    /// As [`Namespace::write_at`].
    pub fn append(&self, descriptor: &Descriptor, bytes: &[u8]) -> Result<usize, FsError> {
        let open = self.writable(descriptor)?;
        if bytes.is_empty() {
            return Ok(0);
        }
        self.0.paying(open.mount, count(bytes.len()), || {
            let written = open.file.append(bytes)?;
            self.0.written(open.mount, &open.file, &open.path);
            self.0.written_bytes.fetch_add(count(written), Ordering::Relaxed);
            Ok((written, count(bytes.len().saturating_sub(written))))
        })
    }

    /// Cuts the file, or extends it with zeros, which count as written.
    ///
    /// # Errors
    ///
    /// As [`Namespace::write_at`].
    pub fn set_size(&self, descriptor: &Descriptor, size: u64) -> Result<(), FsError> {
        let open = self.writable(descriptor)?;
        let growth = size.saturating_sub(open.file.size()?);
        self.0.paying(open.mount, growth, || Ok((open.file.set_size(size)?, 0)))?;
        self.0.written(open.mount, &open.file, &open.path);
        Ok(())
    }

    /// Makes what was written last through a crash of the host. It costs the host, and serves only who writes: needs `write`.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn sync(&self, descriptor: &Descriptor) -> Result<(), FsError> {
        match &descriptor.0.object {
            Object::File(open) => open.file.sync(&self.0.write(&open.path)?),
            Object::Directory(_) | Object::Current => {
                let place = self.0.directory(descriptor, Want::Write)?;
                let permit = self.0.write(&place.path)?;
                let Directory::Stored { node, .. } = &place.directory else { return Ok(()) };
                NodeRef::clone(node).sync(&permit)
            }
        }
    }

    fn readable<'d>(&self, descriptor: &'d Descriptor) -> Result<&'d OpenFile, FsError> {
        match &descriptor.0.object {
            Object::File(open) if descriptor.flags().read => Ok(open),
            Object::File(_) => Err(FsError::BadDescriptor),
            Object::Directory(_) | Object::Current => Err(FsError::IsDirectory),
        }
    }

    fn writable<'d>(&self, descriptor: &'d Descriptor) -> Result<&'d OpenFile, FsError> {
        match &descriptor.0.object {
            Object::File(open) if descriptor.flags().write => Ok(open),
            // The refusal belongs on record where it is one.
            Object::File(open) => self.0.write_unasked(&open.path).and(Err(FsError::BadDescriptor)),
            Object::Directory(place) => self.0.write_unasked(&place.path).and(Err(FsError::BadDescriptor)),
            Object::Current => Err(FsError::BadDescriptor),
        }
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
