//! The files of a store as a tar archive, for whoever owns the store.

use std::io::{self, Read, Write};

use tar::{Builder, EntryType, Header};

use crate::overlay::Tokens;
use crate::store::{Access, Known};
use crate::{EntryKind, FileRef, FileStat, FileSystem, FsError, MAX_READ_BYTES, Name, NodeRef};

/// The modes of what has none of its own: a guest sees no modes.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// Writes everything in `store` to `out`, as a tar archive: directories before what is in them, names in order, times as they are. A file
/// with several names comes once for each.
///
/// # Errors
///
/// When `out` cannot be written, or the store cannot be read.
pub fn write_tar(store: &dyn FileSystem, out: &mut dyn Write) -> io::Result<()> {
    let tokens = Tokens::new().map_err(failed)?;
    let mut archive = Builder::new(out);
    // What is still to be written, the next one last.
    let mut left = vec![(String::new(), store.root().map_err(failed)?)];
    while let Some((path, node)) = left.pop() {
        if !path.is_empty() {
            write_entry(&mut archive, &tokens, &path, &node)?;
        }
        if node.kind() == EntryKind::Directory {
            let mut names = names(&tokens, &node)?;
            names.sort_by(|one, other| other.cmp(one));
            for name in names {
                let child = Name::parse(&name).map_err(failed)?;
                let child = node.lookup(&tokens.search, child).map_err(failed)?;
                left.push((if path.is_empty() { name } else { format!("{path}/{name}") }, child));
            }
        }
    }
    archive.into_inner()?.flush()
}

fn names(tokens: &Tokens, directory: &NodeRef) -> io::Result<Vec<String>> {
    let mut listing = directory.list(&tokens.search).map_err(failed)?;
    let mut names = Vec::new();
    while let Some(batch) = listing.next_batch().map_err(failed)? {
        names.extend(batch.into_iter().map(|entry| entry.name));
    }
    Ok(names)
}

fn write_entry(archive: &mut Builder<&mut dyn Write>, tokens: &Tokens, path: &str, node: &NodeRef) -> io::Result<()> {
    let known = Known::Read(&tokens.read);
    let stat = node.stat(known).map_err(failed)?;
    let mut header = header(&stat);
    match stat.kind {
        EntryKind::Directory => archive.append_data(&mut header, format!("{path}/"), io::empty()),
        EntryKind::Link => archive.append_link(&mut header, path, node.read_link(known).map_err(failed)?),
        EntryKind::File => {
            let file = node.open(Access::Read(&tokens.read)).map_err(failed)?;
            archive.append_data(&mut header, path, Content { file, at: 0, left: stat.size })
        }
    }
}

fn header(stat: &FileStat) -> Header {
    let mut header = Header::new_gnu();
    let (kind, mode) = match stat.kind {
        EntryKind::File => (EntryType::Regular, FILE_MODE),
        EntryKind::Directory => (EntryType::Directory, DIRECTORY_MODE),
        EntryKind::Link => (EntryType::Symlink, FILE_MODE),
    };
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(if stat.kind == EntryKind::File { stat.size } else { 0 });
    header.set_mtime(stat.modified.map_or(0, |modified| modified.seconds));
    header
}

/// The content of a file that had `left` bytes when it was looked at: no more of it, and zeros where it is shorter by now, since the
/// archive has its size already.
struct Content {
    file: FileRef,
    at: u64,
    left: u64,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len()).min(MAX_READ_BYTES);
        let Some(wanted) = buffer.get_mut(..most).filter(|wanted| !wanted.is_empty()) else { return Ok(0) };
        let mut bytes = self.file.read_at(self.at, wanted.len()).map_err(failed)?;
        if bytes.is_empty() {
            bytes = vec![0; wanted.len()];
        }
        let length = bytes.len().min(wanted.len());
        if let (Some(to), Some(from)) = (wanted.get_mut(..length), bytes.get(..length)) {
            to.copy_from_slice(from);
        }
        let length_read = u64::try_from(length).unwrap_or(u64::MAX);
        self.at = self.at.saturating_add(length_read);
        self.left = self.left.saturating_sub(length_read);
        Ok(length)
    }
}

fn failed(error: FsError) -> io::Error {
    io::Error::other(error)
}
