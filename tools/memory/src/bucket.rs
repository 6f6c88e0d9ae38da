//! The bucket that notes are in, and what its failures mean for a caller.

/// A bucket of keys and values, with compare-and-swap.
pub trait Bucket {
    /// A key as it was at a moment.
    type Seen;

    /// The values of `keys`, in their order.
    ///
    /// # Errors
    /// The store refused or failed; then none is given.
    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Failure>;

    /// Whether the key has a value.
    ///
    /// # Errors
    /// The store refused or failed.
    fn exists(&self, key: &str) -> Result<bool, Failure>;

    /// Takes the value of a key away, if it has one.
    ///
    /// # Errors
    /// The store refused or failed.
    fn delete(&self, key: &str) -> Result<(), Failure>;

    /// Some keys, from the start or from where an earlier page ended. There may be none, and yet more to come.
    ///
    /// # Errors
    /// The store refused or failed.
    fn keys(&self, from: Option<String>) -> Result<Page, Failure>;

    /// The value of a key, and the moment at which it was that.
    ///
    /// # Errors
    /// The store refused or failed.
    fn look(&self, key: &str) -> Result<(Option<Vec<u8>>, Self::Seen), Failure>;

    /// Gives the key a value if nothing has happened to it since it was looked at.
    ///
    /// # Errors
    /// The store refused or failed.
    fn swap(&self, seen: Self::Seen, value: Vec<u8>) -> Result<Swapped<Self::Seen>, Failure>;
}

/// Some keys.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The keys, in no order.
    pub keys: Vec<String>,
    /// Where to go on; nothing at the end.
    pub next: Option<String>,
}

/// How a swap went.
#[derive(Clone, Debug)]
pub enum Swapped<S> {
    /// The key has the value.
    Done,
    /// Something had happened to the key; nothing was changed. What it is now.
    Changed(Option<Vec<u8>>, S),
}

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The operator has not granted it.
    Denied,
    /// Nothing stands behind the bucket.
    NoStore,
    /// Anything else, as the host says it.
    Other(String),
}

/// What was being done when it failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act<'a> {
    /// Looking at the names of all notes, or at many notes.
    Look,
    /// Reading one note.
    Read(&'a str),
    /// Creating, changing or removing one note.
    Write(&'a str),
}

impl Failure {
    /// Says what failed, why, and what to do.
    pub(crate) fn explain(&self, act: Act<'_>) -> String {
        let (what, rule) = match act {
            Act::Look => ("look at the notes".to_owned(), "`kv:memory:ro` (or `kv:memory`, to change notes too)"),
            Act::Read(name) => {
                (format!("read the note `{name}`"), "`kv:memory:ro` (or `kv:memory`, to change notes too)")
            }
            Act::Write(name) => (format!("change the note `{name}`"), "`kv:memory`"),
        };
        match self {
            Self::Denied => format!(
                "not permitted to {what}: the operator has not granted it. Trying again will not help; only the operator can permit it, by a grant that covers {rule}."
            ),
            Self::NoStore => format!(
                "cannot {what}: no store stands behind the bucket `memory`. Trying again will not help; only the operator can give it one."
            ),
            Self::Other(reason) => format!("cannot {what}: {reason}."),
        }
    }
}
