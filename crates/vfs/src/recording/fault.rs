//! Failures of a store as words, so that a replay can fail in the same way.

use crate::FsError;

/// What the stores give as reasons, each of which ends up in a decision and so has to come out as it was.
const REASONS: [&str; 2] = [crate::host::node::IS_SPECIAL, crate::host::node::IS_INTERFACE];

/// The words of failures without more to them.
const WORDS: &[(&str, FsError)] = &[
    ("access", FsError::Access),
    ("no-entry", FsError::NoEntry),
    ("exists", FsError::Exists),
    ("not-directory", FsError::NotDirectory),
    ("is-directory", FsError::IsDirectory),
    ("not-empty", FsError::NotEmpty),
    ("loop", FsError::Loop),
    ("invalid", FsError::Invalid),
    ("illegal-byte-sequence", FsError::IllegalByteSequence),
    ("name-too-long", FsError::NameTooLong),
    ("cross-device", FsError::CrossDevice),
    ("read-only", FsError::ReadOnly),
    ("quota", FsError::Quota),
    ("overflow", FsError::Overflow),
    ("bad-descriptor", FsError::BadDescriptor),
    ("busy", FsError::Busy),
    ("unsupported", FsError::Unsupported),
    ("too-many-links", FsError::TooManyLinks),
    ("file-too-large", FsError::FileTooLarge),
    ("no-space", FsError::NoSpace),
    ("no-memory", FsError::NoMemory),
    ("too-many-handles", FsError::TooManyHandles),
    ("interrupted", FsError::Interrupted),
    ("not-permitted", FsError::NotPermitted(None)),
];

/// What stands before a reason.
const REFUSED: &str = "refused: ";

/// The word for `error`.
pub(super) fn word(error: &FsError) -> String {
    if let FsError::Refused(reason) = error {
        return format!("{REFUSED}{reason}");
    }
    let same = |known: &&(&str, FsError)| std::mem::discriminant(&known.1) == std::mem::discriminant(error);
    WORDS.iter().find(same).map_or("io", |(word, _)| word).to_owned()
}

/// The error that `word` stands for; for one that is not known, a failure without a name.
pub(super) fn error(word: &str) -> FsError {
    if let Some(reason) = word.strip_prefix(REFUSED) {
        let known = REASONS.into_iter().find(|known| *known == reason);
        return FsError::Refused(known.unwrap_or("the store of the recorded call did not offer it"));
    }
    WORDS.iter().find(|(known, _)| *known == word).map_or(FsError::Io, |(_, error)| error.clone())
}
