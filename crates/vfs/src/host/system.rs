//! What the kernel has mounted: file systems that are its own interface, and those that answer when somebody else likes.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{CWD, Mode, OFlags, fstatfs, openat};

use crate::FsError;

/// Directories that are the kernel's interface, wherever they are mounted from.
pub(super) const SYSTEM_DIRECTORIES: [&str; 3] = ["/proc", "/sys", "/dev"];

/// The magic number of procfs (`PROC_SUPER_MAGIC` of linux/magic.h).
const PROC: u64 = 0x9fa0;

/// File systems in which names are not files but the kernel's or a daemon's interface, by the magic numbers of linux/magic.h:
/// proc, sysfs, devpts, cgroup, cgroup2, debugfs, tracefs, securityfs, selinuxfs, smackfs, bpf, efivarfs, pstore, configfs,
/// binfmt_misc, mqueue, nsfs, pipefs, sockfs, anonymous inodes, fusectl, autofs, rpc_pipefs, binderfs, resctrl, functionfs.
const INTERFACES: [u64; 26] = [
    PROC,
    0x6265_6572,
    0x1cd1,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0xf97c_ff8c,
    0x4341_5d53,
    0xcafe_4a11,
    0xde5e_81e4,
    0x6165_676c,
    0x6265_6570,
    0x4249_4e4d,
    0x1980_0202,
    0x6e73_6673,
    0x5049_5045,
    0x534f_434b,
    0x0904_1934,
    0x6573_5543,
    0x0187,
    0x6759_6969,
    0x6c6f_6f70,
    0x0765_5821,
    0xa647_361f,
];

/// File systems on this machine's own disks or memory, which answer soon, by the magic numbers of linux/magic.h: ext2 to ext4,
/// xfs, btrfs, tmpfs, ramfs, overlayfs, f2fs, zfs, bcachefs, squashfs, erofs, vfat, exfat, ntfs3, iso9660. A type that is not in
/// the list is taken for one that may wait for a network or a daemon.
const LOCAL: [u64; 15] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x0102_1994,
    0x8584_58f6,
    0x794c_7630,
    0xf2f5_2010,
    0x2fc1_2fc1,
    0xca45_1a4e,
    0x7371_7368,
    0xe0f5_e1e2,
    0x4d44,
    0x2011_bab0,
    0x7366_746e,
    0x9660,
];

/// The type of the file system that holds the object behind `handle`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemType(u64);

impl SystemType {
    pub(super) fn of(handle: impl AsFd) -> Result<Self, FsError> {
        // The field is signed on some machines, and the numbers have 32 bits.
        let number = i128::from(fstatfs(handle)?.f_type) & 0xffff_ffff;
        Ok(Self(u64::try_from(number).unwrap_or_default()))
    }

    /// Whether it is an interface of the kernel rather than a place for files.
    pub(super) fn is_interface(self) -> bool {
        INTERFACES.contains(&self.0)
    }

    /// Whether an operation can take as long as a network or a daemon likes.
    pub(super) fn may_block(self) -> bool {
        !LOCAL.contains(&self.0)
    }
}

/// The device that `/dev` is on, where that is not an ordinary directory: its type cannot be told from a tmpfs.
pub(super) fn device_of_devices() -> Option<u64> {
    static DEVICE: OnceLock<Option<u64>> = OnceLock::new();
    *DEVICE.get_or_init(|| {
        let device = |path: &str| fs::metadata(path).ok().map(|found| found.dev());
        device("/dev").filter(|found| device("/") != Some(*found))
    })
}

/// Which of the kernel's directories `path`, free of links, is or lies below.
pub(super) fn system_directory(path: &Path) -> Option<&'static str> {
    SYSTEM_DIRECTORIES.into_iter().find(|system| path.starts_with(system))
}

/// A handle of `/proc`, through which an object is opened again by its handle. `None` where there is no procfs.
pub(super) fn proc() -> Option<&'static OwnedFd> {
    static PROC_HANDLE: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let open = || {
        let handle = openat(CWD, "/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        (SystemType::of(&handle).ok()?.0 == PROC).then_some(handle)
    };
    PROC_HANDLE.get_or_init(open).as_ref()
}
