//! The blocks of 512 bytes that say what comes next, as POSIX and GNU lay them out.

use bstr::ByteSlice;

use crate::syntax::ast::Text;

pub(super) const BLOCK: usize = 512;
/// What a header can say of a size: eleven octal digits.
const SIZE_MAX: u64 = 0o777_7777_7777;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    Link,
    /// GNU's name, or link target, of the next entry.
    LongName,
    LongLink,
    /// POSIX's attributes of the next entry.
    Extended,
    /// What is passed over: devices, and attributes of all entries.
    Other(u8),
}

/// One entry.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) name: Text,
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) mode: u32,
    /// Seconds since 1970.
    pub(super) changed: u64,
    pub(super) link: Text,
    pub(super) owner: Text,
    pub(super) group: Text,
}

fn text(block: &[u8], from: usize, size: usize) -> Text {
    let field = block.get(from..from + size).unwrap_or_default();
    field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// A number in octal digits, or in binary where its first bit is set.
fn number(block: &[u8], from: usize, size: usize) -> Option<u64> {
    let field = block.get(from..from + size)?;
    if field.first()? & 0x80 != 0 {
        let (high, low) = field.split_at(size - 8);
        let empty = high.iter().enumerate().all(|(at, byte)| if at == 0 { *byte == 0x80 } else { *byte == 0 });
        return empty.then(|| low.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)));
    }
    let digits = field.to_str().ok()?;
    let digits = digits.trim_matches(|letter: char| letter == '\0' || letter == ' ');
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

fn checksum(block: &[u8]) -> u64 {
    let blank = |at: usize, byte: u8| if (148..156).contains(&at) { b' ' } else { byte };
    block.iter().enumerate().map(|(at, byte)| u64::from(blank(at, *byte))).sum()
}

impl Header {
    /// Reads a block; none if it is no header.
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        if block.len() != BLOCK || number(block, 148, 8)? != checksum(block) {
            return None;
        }
        let mut name = text(block, 0, 100);
        let posix = block.get(257..263) == Some(b"ustar\0");
        let prefix = if posix { text(block, 345, 155) } else { Text::new() };
        if !prefix.is_empty() {
            name = [prefix.as_slice(), b"/", &name].concat();
        }
        let kind = match block.get(156)? {
            b'5' => Kind::Directory,
            b'0' | 0 | b'7' if name.ends_with(b"/") => Kind::Directory,
            b'0' | 0 | b'7' => Kind::File,
            b'1' => Kind::Link,
            b'2' => Kind::Symlink,
            b'L' => Kind::LongName,
            b'K' => Kind::LongLink,
            b'x' => Kind::Extended,
            other => Kind::Other(*other),
        };
        Some(Self {
            name,
            kind,
            size: number(block, 124, 12)?,
            mode: u32::try_from(number(block, 100, 8)?).ok()?,
            changed: number(block, 136, 12).unwrap_or(0),
            link: text(block, 157, 100),
            owner: text(block, 265, 32),
            group: text(block, 297, 32),
        })
    }

    /// The blocks of this entry: its header, and before it what does not fit.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, long) in [(b'K', &self.link), (b'L', &self.name)] {
            if long.len() > 100 {
                let bytes = [long.as_slice(), b"\0"].concat();
                out.extend(block(b"././@LongLink", kind, bytes.len() as u64, 0, 0, b"", (b"root", b"root")));
                out.extend_from_slice(&bytes);
                out.resize(out.len().next_multiple_of(BLOCK), 0);
            }
        }
        let letter = match self.kind {
            Kind::Directory => b'5',
            Kind::Symlink => b'2',
            Kind::Link => b'1',
            _ => b'0',
        };
        let owners = (self.owner.as_slice(), self.group.as_slice());
        out.extend(block(&self.name, letter, self.size, self.mode, self.changed, &self.link, owners));
        out
    }

    /// Takes the attributes of an extended header: lines of a length, a key and a value.
    pub(super) fn extend(&mut self, attributes: &[u8]) {
        let mut rest = attributes;
        while let Some(space) = memchr::memchr(b' ', rest) {
            let size: Option<usize> = rest.get(..space).and_then(|digits| digits.to_str().ok()?.parse().ok());
            let Some(line) = size.and_then(|size| rest.get(space + 1..size)) else { return };
            rest = size.and_then(|size| rest.get(size..)).unwrap_or_default();
            let Some((key, value)) = line.strip_suffix(b"\n").unwrap_or(line).split_once_str("=") else { continue };
            match key {
                b"path" => self.name = value.to_vec(),
                b"linkpath" => self.link = value.to_vec(),
                b"size" => self.size = value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(self.size),
                _ => {}
            }
        }
    }
}

fn block(
    name: &[u8],
    kind: u8,
    size: u64,
    mode: u32,
    changed: u64,
    link: &[u8],
    (owner, group): (&[u8], &[u8]),
) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    let mut put = |from: usize, most: usize, bytes: &[u8]| {
        let bytes = bytes.get(..most.min(bytes.len())).unwrap_or_default();
        if let Some(field) = block.get_mut(from..from + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    };
    put(0, 100, name);
    put(100, 8, format!("{:07o}\0", mode & 0o7777).as_bytes());
    put(108, 8, b"0000000\0");
    put(116, 8, b"0000000\0");
    put(124, 12, format!("{:011o}\0", size.min(SIZE_MAX)).as_bytes());
    put(136, 12, format!("{:011o}\0", changed.min(SIZE_MAX)).as_bytes());
    put(156, 1, &[kind]);
    put(157, 100, link);
    put(257, 8, b"ustar  \0");
    put(265, 32, owner);
    put(297, 32, group);
    let sum = format!("{:06o}\0 ", checksum(&block));
    if let Some(field) = block.get_mut(148..156) {
        field.copy_from_slice(sum.as_bytes());
    }
    block
}
