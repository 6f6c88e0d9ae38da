//! What the operating system says, in our words.

use rustix::io::Errno;

use crate::FsError;

impl From<Errno> for FsError {
    fn from(errno: Errno) -> Self {
        match errno {
            // A refusal of the operating system is no decision of ours, and must not look like one.
            Errno::PERM | Errno::ACCESS => Self::Access,
            Errno::NOENT => Self::NoEntry,
            Errno::EXIST => Self::Exists,
            Errno::NOTDIR => Self::NotDirectory,
            Errno::ISDIR => Self::IsDirectory,
            Errno::NOTEMPTY => Self::NotEmpty,
            Errno::LOOP => Self::Loop,
            Errno::INVAL => Self::Invalid,
            Errno::ILSEQ => Self::IllegalByteSequence,
            Errno::NAMETOOLONG => Self::NameTooLong,
            Errno::XDEV => Self::CrossDevice,
            Errno::ROFS => Self::ReadOnly,
            Errno::OVERFLOW => Self::Overflow,
            Errno::BADF => Self::BadDescriptor,
            Errno::BUSY | Errno::TXTBSY | Errno::AGAIN => Self::Busy,
            Errno::NOTSUP | Errno::NOSYS => Self::Unsupported,
            Errno::MLINK => Self::TooManyLinks,
            Errno::FBIG => Self::FileTooLarge,
            // The disk quota of the host's user is not the call's.
            Errno::NOSPC | Errno::DQUOT => Self::NoSpace,
            Errno::NOMEM => Self::NoMemory,
            Errno::MFILE | Errno::NFILE => Self::TooManyHandles,
            Errno::INTR => Self::Interrupted,
            _ => Self::Io,
        }
    }
}
