//! The methods of `descriptor`, one call of the namespace each.

use caplet_vfs::{DescriptorFlags, EntryKind, FileStat, NewTime, OpenFlags, Timestamp};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::stream::{FileReader, FileWriter, Position};
use super::{FileError, Listing, OpenFile};
use crate::bindings::filesystem::types;
use crate::state::CallState;

type Handle = Resource<OpenFile>;

/// The most that one read gives; a guest that asks for more reads again.
const MAX_READ_BYTES: u64 = 1 << 20;

impl types::HostDescriptor for CallState {
    fn read_via_stream(&mut self, fd: Handle, offset: u64) -> Result<Resource<DynInputStream>, FileError> {
        let file = self.descriptor(&fd)?;
        self.files.check_readable(&file)?;
        let reader: DynInputStream = Box::new(FileReader::new(self.files.clone(), file, offset));
        Ok(self.table.push(reader)?)
    }

    fn write_via_stream(&mut self, fd: Handle, offset: u64) -> Result<Resource<DynOutputStream>, FileError> {
        self.writer(&fd, Position::At(offset))
    }

    fn append_via_stream(&mut self, fd: Handle) -> Result<Resource<DynOutputStream>, FileError> {
        self.writer(&fd, Position::End)
    }

    fn advise(&mut self, fd: Handle, _offset: u64, _length: u64, _advice: types::Advice) -> Result<(), FileError> {
        // Advice is free to be ignored; the handle must still be a file's.
        let file = self.descriptor(&fd)?;
        Ok(self.files.check_file(&file)?)
    }

    async fn sync_data(&mut self, fd: Handle) -> Result<(), FileError> {
        let file = self.descriptor(&fd)?;
        self.on_files(move |files| files.sync(&file)).await
    }

    async fn sync(&mut self, fd: Handle) -> Result<(), FileError> {
        let file = self.descriptor(&fd)?;
        self.on_files(move |files| files.sync(&file)).await
    }

    fn get_flags(&mut self, fd: Handle) -> Result<types::DescriptorFlags, FileError> {
        let flags = self.descriptor(&fd)?.flags();
        let named = [
            (flags.read, types::DescriptorFlags::READ),
            (flags.write, types::DescriptorFlags::WRITE),
            (flags.mutate_directory, types::DescriptorFlags::MUTATE_DIRECTORY),
        ];
        let held = named.into_iter().filter(|(held, _)| *held);
        Ok(held.fold(types::DescriptorFlags::empty(), |all, (_, flag)| all | flag))
    }

    fn get_type(&mut self, fd: Handle) -> Result<types::DescriptorType, FileError> {
        Ok(kind(self.descriptor(&fd)?.kind()))
    }

    async fn set_size(&mut self, fd: Handle, size: u64) -> Result<(), FileError> {
        let file = self.descriptor(&fd)?;
        self.on_files(move |files| files.set_size(&file, size)).await
    }

    async fn set_times(
        &mut self,
        fd: Handle,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> Result<(), FileError> {
        let file = self.descriptor(&fd)?;
        self.on_files(move |files| files.set_times(&file, new_time(accessed), new_time(modified))).await
    }

    async fn read(&mut self, fd: Handle, length: u64, offset: u64) -> Result<(Vec<u8>, bool), FileError> {
        let file = self.descriptor(&fd)?;
        let length = usize::try_from(length.min(MAX_READ_BYTES)).unwrap_or(0);
        let bytes = self.on_files(move |files| files.read_at(&file, offset, length)).await?;
        let at_end = bytes.is_empty() && length > 0;
        Ok((bytes, at_end))
    }

    async fn write(&mut self, fd: Handle, buffer: Vec<u8>, offset: u64) -> Result<u64, FileError> {
        let file = self.descriptor(&fd)?;
        let written = self.on_files(move |files| files.write_at(&file, offset, &buffer)).await?;
        Ok(u64::try_from(written).unwrap_or(u64::MAX))
    }

    async fn read_directory(&mut self, fd: Handle) -> Result<Resource<Listing>, FileError> {
        let directory = self.descriptor(&fd)?;
        let entries = self.on_files(move |files| files.list(&directory)).await?;
        Ok(self.table.push(Listing { entries })?)
    }

    async fn create_directory_at(&mut self, fd: Handle, path: String) -> Result<(), FileError> {
        let base = self.descriptor(&fd)?;
        self.on_files(move |files| files.create_directory_at(&base, &path)).await
    }

    async fn stat(&mut self, fd: Handle) -> Result<types::DescriptorStat, FileError> {
        let file = self.descriptor(&fd)?;
        Ok(stat(&self.on_files(move |files| files.stat(&file)).await?))
    }

    async fn stat_at(
        &mut self,
        fd: Handle,
        flags: types::PathFlags,
        path: String,
    ) -> Result<types::DescriptorStat, FileError> {
        let base = self.descriptor(&fd)?;
        Ok(stat(&self.on_files(move |files| files.stat_at(&base, &path, follow(flags))).await?))
    }

    async fn set_times_at(
        &mut self,
        fd: Handle,
        flags: types::PathFlags,
        path: String,
        accessed: types::NewTimestamp,
        modified: types::NewTimestamp,
    ) -> Result<(), FileError> {
        let base = self.descriptor(&fd)?;
        self.on_files(move |files| {
            files.set_times_at(&base, &path, follow(flags), new_time(accessed), new_time(modified))
        })
        .await
    }

    async fn link_at(
        &mut self,
        fd: Handle,
        flags: types::PathFlags,
        old_path: String,
        new_fd: Handle,
        new_path: String,
    ) -> Result<(), FileError> {
        let (old_base, new_base) = (self.descriptor(&fd)?, self.descriptor(&new_fd)?);
        self.on_files(move |files| files.link_at(&old_base, &old_path, follow(flags), &new_base, &new_path)).await
    }

    async fn open_at(
        &mut self,
        fd: Handle,
        path_flags: types::PathFlags,
        path: String,
        open: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> Result<Handle, FileError> {
        let base = self.descriptor(&fd)?;
        let open = OpenFlags {
            create: open.contains(types::OpenFlags::CREATE),
            directory: open.contains(types::OpenFlags::DIRECTORY),
            exclusive: open.contains(types::OpenFlags::EXCLUSIVE),
            truncate: open.contains(types::OpenFlags::TRUNCATE),
        };
        let flags = DescriptorFlags {
            read: flags.contains(types::DescriptorFlags::READ),
            write: flags.contains(types::DescriptorFlags::WRITE),
            mutate_directory: flags.contains(types::DescriptorFlags::MUTATE_DIRECTORY),
        };
        let opened = self.on_files(move |files| files.open_at(&base, &path, follow(path_flags), open, flags)).await?;
        Ok(self.table.push(OpenFile { descriptor: opened })?)
    }

    async fn readlink_at(&mut self, fd: Handle, path: String) -> Result<String, FileError> {
        let base = self.descriptor(&fd)?;
        self.on_files(move |files| files.read_link_at(&base, &path)).await
    }

    async fn remove_directory_at(&mut self, fd: Handle, path: String) -> Result<(), FileError> {
        let base = self.descriptor(&fd)?;
        self.on_files(move |files| files.remove_directory_at(&base, &path)).await
    }

    async fn rename_at(
        &mut self,
        fd: Handle,
        old_path: String,
        new_fd: Handle,
        new_path: String,
    ) -> Result<(), FileError> {
        let (old_base, new_base) = (self.descriptor(&fd)?, self.descriptor(&new_fd)?);
        self.on_files(move |files| files.rename_at(&old_base, &old_path, &new_base, &new_path)).await
    }

    async fn symlink_at(&mut self, fd: Handle, target: String, path: String) -> Result<(), FileError> {
        let base = self.descriptor(&fd)?;
        self.on_files(move |files| files.symlink_at(&target, &base, &path)).await
    }

    async fn unlink_file_at(&mut self, fd: Handle, path: String) -> Result<(), FileError> {
        let base = self.descriptor(&fd)?;
        self.on_files(move |files| files.unlink_at(&base, &path)).await
    }

    fn is_same_object(&mut self, fd: Handle, other: Handle) -> wasmtime::Result<bool> {
        Ok(self.table.get(&fd)?.descriptor.is_same(&self.table.get(&other)?.descriptor))
    }

    async fn metadata_hash(&mut self, fd: Handle) -> Result<types::MetadataHashValue, FileError> {
        let file = self.descriptor(&fd)?;
        Ok(hash(self.on_files(move |files| files.metadata_hash(&file)).await?))
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Handle,
        flags: types::PathFlags,
        path: String,
    ) -> Result<types::MetadataHashValue, FileError> {
        let base = self.descriptor(&fd)?;
        Ok(hash(self.on_files(move |files| files.metadata_hash_at(&base, &path, follow(flags))).await?))
    }

    fn drop(&mut self, fd: Handle) -> wasmtime::Result<()> {
        self.table.delete(fd)?;
        Ok(())
    }
}

impl CallState {
    fn writer(&mut self, fd: &Handle, position: Position) -> Result<Resource<DynOutputStream>, FileError> {
        let file = self.descriptor(fd)?;
        self.files.check_writable(&file)?;
        let writer: DynOutputStream = Box::new(FileWriter::new(self.files.clone(), file, position));
        Ok(self.table.push(writer)?)
    }
}

fn follow(flags: types::PathFlags) -> bool {
    flags.contains(types::PathFlags::SYMLINK_FOLLOW)
}

/// The standard's name for a kind of object.
pub(super) fn kind(kind: EntryKind) -> types::DescriptorType {
    match kind {
        EntryKind::File => types::DescriptorType::RegularFile,
        EntryKind::Directory => types::DescriptorType::Directory,
        EntryKind::Link => types::DescriptorType::SymbolicLink,
    }
}

fn new_time(time: types::NewTimestamp) -> NewTime {
    match time {
        types::NewTimestamp::NoChange => NewTime::Keep,
        types::NewTimestamp::Now => NewTime::Now,
        types::NewTimestamp::Timestamp(at) => {
            NewTime::At(Timestamp { seconds: at.seconds, nanoseconds: at.nanoseconds })
        }
    }
}

fn stat(stat: &FileStat) -> types::DescriptorStat {
    let time =
        |time: Option<Timestamp>| time.map(|time| Datetime { seconds: time.seconds, nanoseconds: time.nanoseconds });
    types::DescriptorStat {
        type_: kind(stat.kind),
        link_count: stat.links,
        size: stat.size,
        data_access_timestamp: time(stat.accessed),
        data_modification_timestamp: time(stat.modified),
        status_change_timestamp: time(stat.changed),
    }
}

fn hash((lower, upper): (u64, u64)) -> types::MetadataHashValue {
    types::MetadataHashValue { lower, upper }
}
