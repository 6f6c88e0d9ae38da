//! Changes to a directory of the host that are kept aside: copy on write.
//!
//! # The layers
//!
//! The *lower* layer is a directory of the host. It is never written, except when the operator applies changes. The *upper* layer
//! is any store at all: memory, a private directory of the host, a database. It mirrors the paths that have changed, as real
//! directories, files and links; what is not there is read from the lower layer.
//!
//! A record in the upper layer is a link whose target is the record's text, under a name that no guest can say: a store makes it in
//! one step, so it is there as a whole or not at all. There are six:
//!
//! - a name of the lower directory is *gone*;
//! - an upper directory *continues* the lower directory of some path. One without this record is new, and shows nothing but its
//!   own. A directory of the lower layer is moved by moving the upper directory that continues it;
//! - where the content of a moved directory *came from*, once it was copied to be applied or dropped;
//! - the *permissions* that a moved object is to have;
//! - how a name is *spelt* that is kept under a hash, since it looks like a record's;
//! - in the *ledger*, by the path in the lower directory: what the object was when the overlay began to hide it.
//!
//! # What always holds
//!
//! **Nothing is lost by a crash.** Each change comes down to one step in the upper store. What is written before it means nothing
//! without it. The ledger hides nothing, and hiding says nothing about removal: changes are only applied to what the ledger says
//! was there, and still is. So a record that is missing, torn or made up can keep changes from being applied, and never makes them
//! remove something.
//!
//! **Nothing leads outside.** Both layers are used through handles and single names, whatever their links say. That links are
//! followed within the mount is the namespace's part, as for every store.
//!
//! **An object stays who it is**, also when it is copied: whoever holds it goes on with the copy.
//!
//! # Limits
//!
//! A file of the lower directory that has several names there is, in an overlay, a file for each of them. While changes are applied
//! or dropped, nothing may be open. The lower directory may be changed by others meanwhile: then those changes show where the
//! overlay has none, and are conflicts where it has. A directory deeper in the lower directory than 4,000 bytes of path cannot be
//! changed.

mod change;
mod changes;
mod commit;
mod copy;
mod diff;
mod discard;
mod file;
mod forget;
mod ledger;
mod list;
mod names;
mod node;
mod place;
mod record;
mod rename;
mod scan;
mod shared;
mod spot;
mod survey;
mod trail;
mod upper;
mod view;

use std::io;
use std::sync::Arc;

use crate::host::facts::lies_within;
use crate::{EntryKind, FileSystem, FsError, HostStore, MAX_PATH_BYTES, NodeRef};
pub use changes::{Change, ChangeKind, Changes, Conflict, Summary, Version};
pub use commit::{Choice, Committed};
use names::{LEDGER, MARKER, own};
use node::OverlayNode;
use record::FORMAT;
use shared::Shared;
pub(crate) use shared::Tokens;
use spot::{Core, Spot};

/// A directory of the host with changes aside.
#[derive(Debug)]
pub struct OverlayStore {
    shared: Arc<Shared>,
    top: Arc<Core>,
    upper: Arc<dyn FileSystem>,
}

/// Why an overlay cannot be opened, or its changes not be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OverlayError {
    /// Another process, or another overlay of this one, uses the changes.
    #[error("the changes in {0} are in use by another process; only one can have them at a time")]
    InUse(String),
    /// The store for the changes has something else in it.
    #[error("{0} holds something else than the changes of an overlay")]
    Foreign(String),
    /// The changes would be part of what they are changes to.
    #[error("{upper} and {lower} lie within each other, so changes to the one would show in the other")]
    Nested {
        /// The directory.
        lower: String,
        /// Where its changes are kept.
        upper: String,
    },
    /// Nothing that was chosen has changed.
    #[error("nothing has changed at {0}")]
    NoChange(String),
    /// What was chosen is part of a directory that was replaced as a whole.
    #[error("{0} became something else as a whole; choose that")]
    Whole(String),
    /// Something is still open, so that the changes cannot be taken away from under it.
    #[error("{0} files or directories are still open; the changes can be applied or dropped when nothing is")]
    Open(usize),
    /// The tree is deeper than paths are long.
    #[error("the tree is deeper than {max} bytes of path at {start}…", max = MAX_PATH_BYTES, start = start_of(.0))]
    TooDeep(String),
    /// What was to be shown could not be written.
    #[error("the changes cannot be written out: {0}")]
    Output(#[from] io::Error),
    /// A store failed.
    #[error("{doing}: {error}")]
    Store {
        /// What was being done, and with what.
        doing: String,
        /// How it failed.
        error: FsError,
    },
}

impl OverlayError {
    fn new(doing: impl Into<String>) -> impl FnOnce(FsError) -> Self {
        let doing = doing.into();
        |error| Self::Store { doing, error }
    }
}

impl OverlayStore {
    /// Puts `upper` over `lower`. The upper store must be empty, or hold the changes of an earlier overlay over the same directory;
    /// it is used by nobody else until the overlay is dropped. It has copies of whatever was changed, so a directory of the host
    /// must be one that only its owner can enter.
    ///
    /// At most `quota` bytes of changes are kept: contents by their size, copies of changed files included, and 1 KiB and its name
    /// for each entry, also for what is only remembered.
    ///
    /// # Errors
    ///
    /// [`OverlayError::InUse`], [`OverlayError::Foreign`], [`OverlayError::Nested`], or when a store fails.
    pub fn new(lower: Arc<HostStore>, upper: Arc<dyn FileSystem>, quota: u64) -> Result<Self, OverlayError> {
        let claim = upper.claim().map_err(|error| match error {
            FsError::Busy => OverlayError::InUse(upper.describe()),
            error => OverlayError::new(format!("{} cannot be locked", upper.describe()))(error),
        })?;
        let failed = || OverlayError::new(format!("{} cannot be used", upper.describe()));
        let roots = lower.root().and_then(|below| Ok((below, upper.root()?)));
        let (below, above) = roots.map_err(failed())?;
        let within = |one: &NodeRef, other: &NodeRef| match lies_within(one.as_ref(), other.as_ref()) {
            // A store that is no directory of the host lies in none.
            Err(FsError::CrossDevice) => Ok(false),
            within => within,
        };
        if within(&below, &above).map_err(failed())? || within(&above, &below).map_err(failed())? {
            return Err(OverlayError::Nested { lower: lower.describe(), upper: upper.describe() });
        }
        let tokens = Tokens::new().map_err(failed())?;
        let Some(ledger) = prepare(&tokens, &above).map_err(failed())? else {
            return Err(OverlayError::Foreign(upper.describe()));
        };
        let shared = Arc::new(Shared::new(&lower, [below, above, ledger], tokens, quota, claim));
        shared.count_all().map_err(failed())?;
        let top = Spot::top(&shared);
        Ok(Self { shared, top, upper })
    }

    /// How many bytes the changes take, as counted for the quota.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.shared.budget.used()
    }
}

/// The first names of a path that is too long to be shown.
fn start_of(path: &str) -> &str {
    const SHOWN_BYTES: usize = 100;
    path.get(..SHOWN_BYTES).unwrap_or_default()
}

/// Makes an empty store one of an overlay, and finds its ledger. `None` where it holds something else.
fn prepare(tokens: &Tokens, upper: &NodeRef) -> Result<Option<NodeRef>, FsError> {
    let (marker, ledger) = (own(MARKER)?, own(LEDGER)?);
    match upper.lookup(&tokens.search, marker) {
        Ok(node) if node.kind() == EntryKind::Link => {
            if node.read_link(crate::store::Known::Read(&tokens.read))? != FORMAT {
                return Ok(None);
            }
        }
        Ok(_) | Err(FsError::Refused(_)) => return Ok(None),
        Err(FsError::NoEntry) => {
            let mut listing = upper.list(&tokens.search)?;
            while let Some(batch) = listing.next_batch()? {
                if !batch.is_empty() {
                    return Ok(None);
                }
            }
            upper.create_link(&tokens.write, marker, FORMAT)?;
        }
        Err(error) => return Err(error),
    }
    match upper.create_directory(&tokens.write, ledger) {
        Ok(()) | Err(FsError::Exists) => {}
        Err(error) => return Err(error),
    }
    let found = upper.lookup(&tokens.search, ledger)?;
    Ok((found.kind() == EntryKind::Directory).then_some(found))
}

impl FileSystem for OverlayStore {
    fn root(&self) -> Result<NodeRef, FsError> {
        Ok(Arc::new(OverlayNode::top(&self.top)))
    }

    fn may_block(&self) -> bool {
        self.shared.lower_store.may_block() || self.upper.may_block()
    }

    fn describe(&self) -> String {
        format!("overlay of {}, with changes in {}", self.shared.lower_store.describe(), self.upper.describe())
    }
}
