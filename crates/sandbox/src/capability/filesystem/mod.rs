//! `wasi:filesystem` over [`Namespace`]: this module translates, and decides nothing.
//!
//! Every path, every flag and every handle goes to the namespace, which resolves, decides and acts. What is added here: handles
//! live in the call's resource table (so that they are counted), stores that may block run on threads of their own, and file
//! contents move through streams.
#![expect(unreachable_pub, reason = "the generated bindings re-export these types")]

mod descriptor;
mod stream;

use std::sync::Arc;

use caplet_policy::{FilesystemSection, Guard};
use caplet_vfs::{Descriptor, FsError, Namespace, NamespaceConfig};
use wasmtime::component::{Resource, ResourceTableError};

use super::clocks;
use crate::bindings::filesystem::types::ErrorCode;
use crate::bindings::filesystem::{preopens, types};
use crate::determinism::VirtualTime;
use crate::invocation::Invocation;
use crate::state::CallState;

/// A file, directory or link that a guest holds open.
#[derive(Clone, Debug)]
pub struct OpenFile {
    pub(crate) descriptor: Descriptor,
}

/// A directory that a guest is reading.
#[derive(Debug)]
pub struct Listing {
    entries: caplet_vfs::Entries,
}

/// An operation that failed: with a code for the guest, or in a way that ends the call.
#[derive(Debug)]
pub enum FileError {
    /// The guest is told this.
    Code(ErrorCode),
    /// The call ends.
    Trap(wasmtime::Error),
}

impl From<FsError> for FileError {
    fn from(error: FsError) -> Self {
        Self::Code(code(&error))
    }
}

impl From<ResourceTableError> for FileError {
    fn from(error: ResourceTableError) -> Self {
        match error {
            // One guest that opens without end must not take the host's descriptors, and a well-behaved one can close some.
            ResourceTableError::Full => Self::Code(ErrorCode::Quota),
            error => Self::Trap(error.into()),
        }
    }
}

/// The namespace of one call.
pub(crate) fn namespace(
    invocation: &Invocation,
    guard: Guard<FilesystemSection>,
    command: bool,
    time: Option<&Arc<VirtualTime>>,
) -> Namespace {
    let config = NamespaceConfig {
        mounts: invocation.mounts.clone(),
        guard,
        cwd: invocation.cwd.clone(),
        preopen_cwd: command,
        write_quota: invocation.limits.file_writes,
        time_resolution: clocks::resolution(invocation.policy.clock()),
    };
    match time {
        Some(time) => Namespace::repeatable(config, Arc::clone(time) as _),
        None => Namespace::new(config),
    }
}

impl CallState {
    /// The descriptor behind a guest's handle.
    fn descriptor(&self, handle: &Resource<OpenFile>) -> Result<Descriptor, FileError> {
        Ok(self.table.get(handle)?.descriptor.clone())
    }

    /// Runs `op` on the namespace: at once where its stores answer at once, else on a thread that may block. Where somebody has to be
    /// asked first, it is run again after the answer: what is done is decided on in one go, however long the answer took.
    fn on_files<T, F>(&self, op: F) -> impl Future<Output = Result<T, FileError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Fn(&Namespace) -> Result<T, FsError> + Send + Sync + 'static,
    {
        let (files, asking) = (self.files.clone(), self.asking.clone());
        async move {
            if !files.may_block() {
                loop {
                    match (op(&files), &asking) {
                        (Err(FsError::Asks(question)), Some(asking)) => asking.settle(*question).await,
                        (done, _) => return Ok(done?),
                    }
                }
            }
            let op = Arc::new(op);
            loop {
                let (op, files) = (Arc::clone(&op), files.clone());
                let done = stream::finished(tokio::task::spawn_blocking(move || op(&files)).await);
                match (done, &asking) {
                    (Some(Err(FsError::Asks(question))), Some(asking)) => asking.settle(*question).await,
                    (Some(done), _) => return Ok(done?),
                    (None, _) => {
                        return Err(FileError::Trap(wasmtime::format_err!("a file operation was abandoned")));
                    }
                }
            }
        }
    }
}

impl preopens::Host for CallState {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<OpenFile>, String)>> {
        let mut directories = Vec::new();
        for (descriptor, name) in self.files.preopens() {
            directories.push((self.table.push(OpenFile { descriptor })?, name));
        }
        Ok(directories)
    }
}

impl types::Host for CallState {
    fn convert_error_code(&mut self, error: FileError) -> wasmtime::Result<ErrorCode> {
        match error {
            FileError::Code(code) => Ok(code),
            FileError::Trap(error) => Err(error),
        }
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(self.table.get(&error)?.downcast_ref::<FsError>().map(code))
    }
}

impl types::HostDirectoryEntryStream for CallState {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<Listing>,
    ) -> Result<Option<types::DirectoryEntry>, FileError> {
        let listing = self.table.get_mut(&stream)?;
        let Some(entry) = listing.entries.next().transpose()? else { return Ok(None) };
        Ok(Some(types::DirectoryEntry { type_: descriptor::kind(entry.kind), name: entry.name }))
    }

    fn drop(&mut self, stream: Resource<Listing>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

/// The standard's code for a failure.
pub(crate) fn code(error: &FsError) -> ErrorCode {
    match error {
        FsError::NotPermitted(_) | FsError::Refused(_) | FsError::Asks(_) => ErrorCode::NotPermitted,
        FsError::NoEntry => ErrorCode::NoEntry,
        FsError::Exists => ErrorCode::Exist,
        FsError::NotDirectory => ErrorCode::NotDirectory,
        FsError::IsDirectory => ErrorCode::IsDirectory,
        FsError::NotEmpty => ErrorCode::NotEmpty,
        FsError::Loop => ErrorCode::Loop,
        FsError::Invalid => ErrorCode::Invalid,
        FsError::IllegalByteSequence => ErrorCode::IllegalByteSequence,
        FsError::NameTooLong => ErrorCode::NameTooLong,
        FsError::CrossDevice => ErrorCode::CrossDevice,
        FsError::ReadOnly => ErrorCode::ReadOnly,
        FsError::Quota => ErrorCode::Quota,
        FsError::Overflow => ErrorCode::Overflow,
        FsError::BadDescriptor => ErrorCode::BadDescriptor,
        FsError::Busy => ErrorCode::Busy,
        FsError::Unsupported => ErrorCode::Unsupported,
        FsError::Access => ErrorCode::Access,
        FsError::TooManyLinks => ErrorCode::TooManyLinks,
        FsError::FileTooLarge => ErrorCode::FileTooLarge,
        FsError::NoSpace => ErrorCode::InsufficientSpace,
        FsError::NoMemory => ErrorCode::InsufficientMemory,
        FsError::TooManyHandles => ErrorCode::Quota,
        FsError::Interrupted => ErrorCode::Interrupted,
        _ => ErrorCode::Io,
    }
}
