//! What goes wrong with buckets.

/// Why an operation on a bucket failed. A guest is told the kind alone; texts are for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store has no such bucket and does not make one.
    #[error("there is no bucket of this name")]
    NoBucket,
    /// The store would hold more than it may.
    #[error("the store is full")]
    Full,
    /// What the key has is no whole number, or the sum would be none.
    #[error("the value is no whole number, or the sum is too large")]
    NotANumber,
    /// The store cannot be reached, or failed before it did anything.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
    /// The connection broke before the store answered: what was asked for may have been done or not.
    #[error("the store did not answer, and may have done it or not: {0}")]
    Unsure(String),
}
