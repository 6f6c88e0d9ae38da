//! `gzip`, `gunzip`, `zcat`: streamed, so that memory does not grow with what a file unpacks to.

use std::io::Write;
use std::rc::Rc;

use bstr::ByteSlice;
use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};

use super::{Call, Flags, Reader};
use crate::fs;
use crate::stop::{Flow, Stop, failed};
use crate::stream::Stream;
use crate::syntax::ast::Text;

/// How much is unpacked at once: at deflate's best ratio, 1:1032, it becomes 4 MiB.
const PIECE: usize = 4096;
/// What each compressed file begins with.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Packed or plain bytes, of which pieces are taken.
pub(super) struct Unpacker {
    reader: Reader,
    decoder: MultiGzDecoder<Vec<u8>>,
    packed: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Unpacker {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, decoder: MultiGzDecoder::new(Vec::new()), packed: Vec::new(), at: 0, ended: false }
    }

    /// The next unpacked bytes; none at the end.
    pub(super) async fn piece(&mut self) -> Flow<Vec<u8>> {
        let broken = |_| Stop::Failed("unexpected end of file, or not in gzip format".to_owned(), 1);
        while !self.ended {
            if self.at >= self.packed.len() {
                self.packed = self.reader.piece().await?;
                self.at = 0;
            }
            let end = self.packed.len().min(self.at + PIECE);
            let piece = self.packed.get(self.at..end).unwrap_or_default();
            self.at = end;
            if piece.is_empty() {
                self.ended = true;
                self.decoder.try_finish().map_err(broken)?;
            } else {
                self.decoder.write_all(piece).map_err(broken)?;
            }
            crate::task::breathe().await;
            let out = std::mem::take(self.decoder.get_mut());
            if !out.is_empty() {
                return Ok(out);
            }
        }
        Ok(Vec::new())
    }
}

/// Packs what it gets onto a stream.
pub(super) struct Packer {
    encoder: GzEncoder<Vec<u8>>,
    stream: Rc<Stream>,
}

impl Packer {
    pub(super) fn new(stream: Rc<Stream>, level: u32) -> Self {
        Self { encoder: GzEncoder::new(Vec::new(), Compression::new(level)), stream }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Flow<()> {
        self.encoder.write_all(bytes).map_err(|error| Stop::Io(error.to_string()))?;
        let out = std::mem::take(self.encoder.get_mut());
        if out.is_empty() { Ok(()) } else { self.stream.write(&out).await }
    }

    pub(super) async fn finish(mut self) -> Flow<()> {
        self.encoder.try_finish().map_err(|error| Stop::Io(error.to_string()))?;
        let out = std::mem::take(self.encoder.get_mut());
        self.stream.write(&out).await
    }
}

/// Where the result of a file goes, and what is done with the file.
enum Target {
    Stream(Rc<Stream>),
    File(Text),
    Nowhere,
}

pub(super) async fn gzip(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("decompress", b'd'),
        ("uncompress", b'd'),
        ("stdout", b'c'),
        ("to-stdout", b'c'),
        ("keep", b'k'),
        ("force", b'f'),
        ("test", b't'),
        ("quiet", b'q'),
        ("verbose", b'v'),
        ("no-name", b'n'),
        ("best", b'9'),
        ("fast", b'1'),
    ];
    let flags = Flags::parse(call.arguments, "dckftqvnN123456789", &long)?;
    let unpack = call.name != "gzip" || flags.has(b'd') || flags.has(b't');
    let level = flags.last(b"123456789").map_or(6, |digit| u32::from(digit - b'0'));
    let to_stdout = call.name == "zcat" || flags.has(b'c');
    let mut status = 0;
    for mut name in super::or_stdin(&flags.operands) {
        let packed = [name.as_slice(), b".gz"].concat();
        if unpack && name != b"-" && !fs::exists(&call.shell.path(&name)) && fs::exists(&call.shell.path(&packed)) {
            name = packed;
        }
        let target = if flags.has(b't') {
            Target::Nowhere
        } else if to_stdout || name == b"-" {
            Target::Stream(call.shell.stdout())
        } else {
            match renamed(&name, unpack) {
                Ok(target) => Target::File(target),
                Err(reason) => {
                    call.say(reason).await;
                    status = 2;
                    continue;
                }
            }
        };
        if name != b"-" && fs::is_directory(&call.shell.path(&name)) {
            call.say(format!("{} is a directory -- ignored", name.to_str_lossy())).await;
            status = 2;
            continue;
        }
        let Some(reader) = call.open(&name).await else {
            status = 1;
            continue;
        };
        match one(&call, reader, target, (unpack, level, flags.has(b'f'))).await {
            Ok(Some(target)) if !flags.has(b'k') => {
                keep_time(&call, &name, &target);
                if let Err(error) = std::fs::remove_file(call.shell.path(&name)) {
                    return failed(call.shell.refusal(&name, &error, true));
                }
            }
            Ok(_) => {}
            Err(Stop::Failed(reason, _)) => {
                let shown = if name == b"-" { "stdin".into() } else { name.to_str_lossy() };
                call.say(format!("{shown}: {reason}")).await;
                status = if reason.contains("already exists") { 2 } else { 1 };
            }
            Err(other) => return Err(other),
        }
    }
    Ok(status)
}

/// The name that the result gets.
fn renamed(name: &[u8], unpack: bool) -> Result<Text, String> {
    let shown = name.to_str_lossy();
    if !unpack {
        if name.ends_with(b".gz") {
            return Err(format!("{shown} already has .gz suffix -- unchanged"));
        }
        return Ok([name, b".gz"].concat());
    }
    if let Some(stem) = name.strip_suffix(b".tgz") {
        return Ok([stem, b".tar"].concat());
    }
    match name.strip_suffix(b".gz") {
        Some(stem) => Ok(stem.to_vec()),
        None => Err(format!("{shown}: unknown suffix -- ignored")),
    }
}

/// Packs or unpacks one file; gives the name of the file that was made.
async fn one(
    call: &Call<'_>,
    reader: Reader,
    target: Target,
    (unpack, level, force): (bool, u32, bool),
) -> Flow<Option<Text>> {
    let (stream, made) = match target {
        Target::Stream(stream) => (stream, None),
        Target::Nowhere => (Stream::null(), None),
        Target::File(path) => {
            if !force && fs::exists(&call.shell.path(&path)) {
                return failed(format!("{} already exists; -f replaces it", path.to_str_lossy()));
            }
            let stream = call.shell.open_to_write(&path, false);
            (stream.map_err(|error| Stop::Failed(call.shell.refusal(&path, &error, true), 1))?, Some(path))
        }
    };
    let outcome = if unpack { unpack_to(reader, &stream).await } else { pack_to(reader, stream, level).await };
    if let (Err(_), Some(path)) = (&outcome, &made) {
        // A part of a file is worth nothing.
        drop(std::fs::remove_file(call.shell.path(path)));
    }
    outcome.map(|()| made)
}

async fn pack_to(mut reader: Reader, stream: Rc<Stream>, level: u32) -> Flow<()> {
    let mut packer = Packer::new(stream, level);
    loop {
        let piece = reader.piece().await?;
        if piece.is_empty() {
            return packer.finish().await;
        }
        packer.write(&piece).await?;
    }
}

async fn unpack_to(mut reader: Reader, stream: &Stream) -> Flow<()> {
    let first = reader.piece().await?;
    if first.is_empty() {
        return failed("unexpected end of file");
    }
    if !first.starts_with(&MAGIC) {
        return failed("not in gzip format");
    }
    reader.give_back(first);
    let mut unpacker = Unpacker::new(reader);
    loop {
        let piece = unpacker.piece().await?;
        if piece.is_empty() {
            return Ok(());
        }
        stream.write(&piece).await?;
    }
}

/// The result has the time of what it was made of, where the store can.
fn keep_time(call: &Call<'_>, from: &[u8], to: &[u8]) {
    if let Ok(facts) = std::fs::metadata(call.shell.path(from))
        && let Ok(file) = std::fs::OpenOptions::new().append(true).open(call.shell.path(to))
    {
        drop(file.set_modified(std::time::UNIX_EPOCH + fs::changed(&facts)));
    }
}
