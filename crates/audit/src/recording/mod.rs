//! Recordings: what is kept of a call so that it can be run again, in a folder.
//!
//! In: facts about the call, a text that says what it saw (the sandbox writes and reads it), pieces of content, the component. Out: the
//! same again, or which recording cannot be used and why. A recording is an index, `ID.json`, named after the call's record, and blobs
//! below `blobs/`, each under the SHA-256 of its bytes as they lie there, so that what several recordings have in common is kept once.
//!
//! What always holds: the index has the digest of every blob and of itself, and is read only in the one form in which it is written; so
//! nothing of a recording can be changed, swapped or cut off without its digest changing, and the record of the call in the audit log has
//! that digest. Nothing is unpacked before it was compared with its digest. Files are 0600 in folders of 0700, and no link is followed at the
//! end of a name. A recording that was not written to its end has no index, and so is none.

mod blob;
mod index;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use blob::Blobs;
use index::Index;

/// Pieces of at least this many bytes are blobs of their own, which other recordings can share; smaller ones go together into packs.
const LARGE_BYTES: usize = 32 << 10;

/// How large a pack becomes.
const PACK_BYTES: usize = 4 << 20;

/// The most that one blob unpacks to: above what a whole recording may hold.
const MOST_BYTES: usize = 256 << 20;

/// What a recording is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingFacts {
    /// The id of the call's record.
    pub id: String,
    /// When the call ended, RFC 3339 in UTC.
    pub time: String,
    /// The tool, as the caller named it.
    pub tool: String,
    /// The function that was called.
    pub function: Option<String>,
    /// SHA-256 of the component's bytes, as the record has it.
    pub component: String,
    /// Why it does not hold all that the call saw; nothing where it does.
    pub incomplete: Option<String>,
}

/// A call that can be run again.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What it is of.
    pub facts: RecordingFacts,
    /// What the call was given and what it saw, as JSON text.
    pub world: Vec<u8>,
    /// Contents that the world speaks of, in its order.
    pub pieces: Vec<Vec<u8>>,
    /// The component's bytes, as they were loaded.
    pub component: Vec<u8>,
}

/// What came of keeping a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of its index, which stands for all of it.
    pub digest: String,
    /// Bytes that it takes on disk, what others have as well included, without the component.
    pub bytes: u64,
}

/// Why a recording cannot be kept or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// What was given is no id of a record.
    #[error("{0:?} is no id of a record: it is 26 letters and digits, such as 01J9ZQ6XKQ3V0G5M8C4T7R2WNB")]
    NoId(String),
    /// There is none of this id.
    #[error("there is no recording {id} in {}", .folder.display())]
    Unknown {
        /// What was asked for.
        id: String,
        /// Where.
        folder: PathBuf,
    },
    /// It was written by another release.
    #[error("the recording {id} has format {found}, and this release reads format {known}", known = index::VERSION)]
    Version {
        /// Which.
        id: String,
        /// Its format.
        found: u32,
    },
    /// It is not as it was written.
    #[error("the recording {id} was changed after it was made: {what}")]
    Changed {
        /// Which.
        id: String,
        /// What is not as it was.
        what: String,
    },
    /// It cannot be read or written.
    #[error("the recording {id} cannot be used: {}: {error}", .path.display())]
    Io {
        /// Which.
        id: String,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl RecordingError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoId(_) | Self::Unknown { .. } => Some(
                "a call is recorded with `caplet run … --record`, which says the id; --verbose shows that of any call's record",
            ),
            Self::Changed { .. } => Some("it is not replayed: record the call again"),
            Self::Version { .. } => Some("replay it with the release that recorded it, or record the call again"),
            Self::Io { .. } => None,
        }
    }
}

/// The present moment, as [`RecordingFacts::time`] has it.
#[must_use]
pub fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

/// A folder of recordings.
#[derive(Clone, Debug)]
pub struct Recordings {
    folder: PathBuf,
}

impl Recordings {
    /// The recordings in `folder`, which is made when the first is kept.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where they are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder, so that a call whose recording cannot be kept is refused before it runs.
    ///
    /// # Errors
    ///
    /// When it cannot be made, or is not the user's own.
    pub fn ready(&self) -> Result<(), RecordingError> {
        Blobs::new(&self.folder, "to come").ready()
    }

    /// Whether there is a recording of the call whose record has this id, whatever is in it.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        must_be_id(id).is_ok() && is_there(&self.path(id))
    }

    /// Whether the component with this digest is here already.
    #[must_use]
    pub fn has_component(&self, digest: &str) -> bool {
        Blobs::new(&self.folder, "").has(plain(digest))
    }

    /// Keeps a recording. Where [`Recordings::has_component`] says so, its component may be left empty.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn keep(&self, recording: &Recording) -> Result<Kept, RecordingError> {
        let Recording { facts, world, pieces, component } = recording;
        must_be_id(&facts.id)?;
        let mut blobs = Blobs::new(&self.folder, &facts.id);
        blobs.ready()?;
        if !component.is_empty() {
            blobs.put_as(plain(&facts.component), component)?;
        }
        let mut index = Index::new(facts.clone());
        index.world = blobs.put(world)?;
        let lengths: Vec<usize> = pieces.iter().map(Vec::len).collect();
        let lengths =
            serde_json::to_vec(&lengths).map_err(|error| blobs.failed(&self.folder, io::Error::other(error)))?;
        index.lengths = blobs.put(&lengths)?;
        let mut pack = Vec::new();
        for piece in pieces {
            if piece.len() >= LARGE_BYTES {
                index.large.push(blobs.put(piece)?);
                continue;
            }
            if pack.len() + piece.len() > PACK_BYTES {
                index.packs.push(blobs.put(&pack)?);
                pack.clear();
            }
            pack.extend_from_slice(piece);
        }
        if !pack.is_empty() {
            index.packs.push(blobs.put(&pack)?);
        }
        let (text, digest) = index.sealed().map_err(|error| blobs.failed(&self.folder, io::Error::other(error)))?;
        blobs.write(&self.path(&facts.id), text.as_bytes())?;
        Ok(Kept { digest, bytes: blobs.bytes() })
    }

    /// The recording of the call whose record has this id.
    ///
    /// # Errors
    ///
    /// When there is none, it cannot be read, or it is not as it was written.
    pub fn open(&self, id: &str) -> Result<(Recording, String), RecordingError> {
        must_be_id(id)?;
        let path = self.path(id);
        let text = match blob::read(&path, MOST_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RecordingError::Unknown { id: id.to_owned(), folder: self.folder.clone() });
            }
            Err(error) => return Err(RecordingError::Io { id: id.to_owned(), path, error }),
        };
        let (index, digest) = Index::open(id, &text)?;
        let blobs = Blobs::new(&self.folder, id);
        let world = blobs.get(&index.world, MOST_BYTES)?;
        let pieces = pieces(&blobs, &index)?;
        let component = blobs.get_raw(plain(&index.facts.component))?;
        Ok((Recording { facts: index.facts, world, pieces, component }, digest))
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }
}

/// Takes the pieces out of their blobs again.
fn pieces(blobs: &Blobs, index: &Index) -> Result<Vec<Vec<u8>>, RecordingError> {
    let wrong = || blobs.changed("its parts do not fit together".to_owned());
    let lengths: Vec<usize> = serde_json::from_slice(&blobs.get(&index.lengths, MOST_BYTES)?).map_err(|_| wrong())?;
    let (mut large, mut packs) = (index.large.iter(), index.packs.iter());
    let (mut pack, mut at) = (Vec::new(), 0);
    let mut pieces = Vec::with_capacity(lengths.len().min(1 << 16));
    for length in lengths {
        if length >= LARGE_BYTES {
            let piece = blobs.get(large.next().ok_or_else(wrong)?, length)?;
            pieces.push(Some(piece).filter(|piece| piece.len() == length).ok_or_else(wrong)?);
            continue;
        }
        if length > 0 && at == pack.len() {
            (pack, at) = (blobs.get(packs.next().ok_or_else(wrong)?, PACK_BYTES)?, 0);
        }
        pieces.push(pack.get(at..at + length).ok_or_else(wrong)?.to_vec());
        at += length;
    }
    if at == pack.len() && large.next().is_none() && packs.next().is_none() { Ok(pieces) } else { Err(wrong()) }
}

/// A digest without the name of its kind.
fn plain(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

fn must_be_id(id: &str) -> Result<(), RecordingError> {
    let is_id = Ulid::from_string(id).is_ok_and(|ulid| ulid.to_string() == id);
    if is_id { Ok(()) } else { Err(RecordingError::NoId(id.to_owned())) }
}

impl fmt::Display for RecordingFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => write!(f, "{} of {} at {}", function, self.tool, self.time),
            None => write!(f, "{} at {}", self.tool, self.time),
        }
    }
}

/// Whether something is at `path`, whatever it is.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
