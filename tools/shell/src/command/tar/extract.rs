//! `tar -x` and `tar -t`

use std::path::PathBuf;

use bstr::ByteSlice;

use super::Options;
use super::header::{BLOCK, Header, Kind};
use crate::calendar::Moment;
use crate::command::gzip::{MAGIC, Unpacker};
use crate::command::{Call, Reader, Writer};
use crate::fs;
use crate::pattern::Pattern;
use crate::stop::{Flow, Stop};
use crate::stream::Stream;
use crate::syntax::ast::Text;

/// How long a name may be that does not fit into a header.
const NAME_MAX: u64 = 64 * 1024;
/// How many links are remembered until the end.
const LINKS_MAX: usize = 100_000;

/// The bytes of an archive.
enum Source {
    Plain(Reader),
    Packed(Box<Unpacker>),
}

struct Archive {
    source: Source,
    ahead: Vec<u8>,
}

impl Archive {
    async fn new(mut reader: Reader) -> Flow<Self> {
        let first = reader.piece().await?;
        let packed = first.starts_with(&MAGIC);
        reader.give_back(first);
        let source = if packed { Source::Packed(Box::new(Unpacker::new(reader))) } else { Source::Plain(reader) };
        Ok(Self { source, ahead: Vec::new() })
    }

    /// The next bytes, at most as many; none at the end.
    async fn some(&mut self, most: usize) -> Flow<Vec<u8>> {
        if self.ahead.is_empty() {
            self.ahead = match &mut self.source {
                Source::Plain(reader) => reader.piece().await?,
                Source::Packed(unpacker) => unpacker.piece().await?,
            };
        }
        let later = self.ahead.split_off(most.min(self.ahead.len()));
        Ok(std::mem::replace(&mut self.ahead, later))
    }

    async fn exactly(&mut self, size: usize) -> Flow<Vec<u8>> {
        let mut whole = Vec::new();
        while whole.len() < size {
            let piece = self.some(size - whole.len()).await?;
            if piece.is_empty() {
                break;
            }
            whole.extend(piece);
        }
        Ok(whole)
    }

    /// Gives `size` bytes and what fills their last block to a stream.
    async fn content(&mut self, size: u64, to: Option<&Stream>) -> Flow<()> {
        let mut left = size;
        while left > 0 {
            let piece = self.some(usize::try_from(left).unwrap_or(usize::MAX)).await?;
            if piece.is_empty() {
                return Err(Stop::Failed("Unexpected EOF in archive".to_owned(), 2));
            }
            left -= piece.len() as u64;
            if let Some(stream) = to {
                stream.write(&piece).await?;
            }
        }
        let fill = size.next_multiple_of(BLOCK as u64) - size;
        self.exactly(usize::try_from(fill).unwrap_or(0)).await.map(drop)
    }

    /// The next entry, with what the entries before it say about it.
    async fn header(&mut self) -> Flow<Option<Header>> {
        let (mut name, mut link, mut attributes): (Option<Text>, Option<Text>, Option<Text>) = (None, None, None);
        loop {
            let block = self.exactly(BLOCK).await?;
            if block.is_empty() || block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            let Some(mut header) = Header::read(&block) else {
                return Err(Stop::Failed("This does not look like a tar archive".to_owned(), 2));
            };
            let long = matches!(header.kind, Kind::LongName | Kind::LongLink | Kind::Extended);
            if long {
                if header.size > NAME_MAX {
                    return Err(Stop::Failed("a name in the archive is too long".to_owned(), 2));
                }
                let size = usize::try_from(header.size).unwrap_or(0);
                let bytes = self.exactly(size).await?;
                self.exactly(size.next_multiple_of(BLOCK) - size).await?;
                let text = bytes.strip_suffix(b"\0").unwrap_or(&bytes).to_vec();
                match header.kind {
                    Kind::LongName => name = Some(text),
                    Kind::LongLink => link = Some(text),
                    _ => attributes = Some(bytes),
                }
                continue;
            }
            if let Some(attributes) = attributes {
                header.extend(&attributes);
            }
            header.name = name.unwrap_or(header.name);
            header.link = link.unwrap_or(header.link);
            if matches!(header.kind, Kind::Directory | Kind::Symlink | Kind::Link) {
                header.size = 0;
            }
            return Ok(Some(header));
        }
    }
}

pub(super) async fn extract(call: &Call<'_>, options: &Options, reader: Reader, list: bool) -> Flow<i32> {
    let mut archive = Archive::new(reader).await?;
    let mut work = Work {
        call,
        options,
        out: call.writer(),
        links: Vec::new(),
        found: options.operands.iter().map(|_| false).collect(),
        status: 0,
        stripped: false,
    };
    while let Some(header) = archive.header().await? {
        if !work.wants(&header.name) || options.excludes(header.name.strip_suffix(b"/").unwrap_or(&header.name)) {
            archive.content(header.size, None).await?;
        } else if list {
            work.list(&header).await?;
            archive.content(header.size, None).await?;
        } else {
            work.extract(&mut archive, &header).await?;
        }
    }
    work.links().await;
    work.out.flush().await?;
    for ((_, name), found) in options.operands.iter().zip(&work.found) {
        if !found {
            call.say(format!("{}: Not found in archive", name.to_str_lossy())).await;
            work.status = 2;
        }
    }
    Ok(work.status)
}

struct Work<'a> {
    call: &'a Call<'a>,
    options: &'a Options,
    out: Writer,
    /// What is made in the end: the link, its target, and whether it is a symbolic one.
    links: Vec<(Text, Text, bool)>,
    found: Vec<bool>,
    status: i32,
    stripped: bool,
}

impl Work<'_> {
    /// Whether an entry is one that the operands name.
    fn wants(&mut self, name: &[u8]) -> bool {
        if self.options.operands.is_empty() {
            return true;
        }
        let name = name.strip_suffix(b"/").unwrap_or(name);
        let mut wanted = false;
        for ((_, operand), found) in self.options.operands.iter().zip(&mut self.found) {
            let operand = operand.strip_suffix(b"/").unwrap_or(operand);
            let below = name.strip_prefix(operand).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
            if below || self.options.wildcards && Pattern::new(operand, false).matches(name) {
                *found = true;
                wanted = true;
            }
        }
        wanted
    }

    async fn list(&mut self, header: &Header) -> Flow<()> {
        if !self.options.verbose {
            return self.out.line(&header.name).await;
        }
        let letter = match header.kind {
            Kind::Directory => 'd',
            Kind::Symlink => 'l',
            Kind::Link => 'h',
            _ => '-',
        };
        let bits: String =
            (0..9).map(|at| if header.mode >> (8 - at) & 1 == 1 { ['r', 'w', 'x'][at % 3] } else { '-' }).collect();
        let owners = format!("{}/{}", header.owner.to_str_lossy(), header.group.to_str_lossy());
        let size = header.size.to_string();
        let room = 19_usize.saturating_sub(owners.len() + 1);
        let time = Moment::new(i64::try_from(header.changed).unwrap_or(0), 0).format("%Y-%m-%d %H:%M");
        self.out.put(format!("{letter}{bits} {owners} {size:>room$} {time} ").as_bytes());
        self.out.put(&header.name);
        match header.kind {
            Kind::Symlink => self.out.put(&[b" -> ", header.link.as_slice()].concat()),
            Kind::Link => self.out.put(&[b" link to ", header.link.as_slice()].concat()),
            _ => {}
        }
        self.out.line(b"").await
    }

    /// The name that an entry gets below the directory; none if it gets none.
    async fn name(&mut self, name: &[u8]) -> Option<Text> {
        if name.split(|byte| *byte == b'/').any(|piece| piece == b"..") {
            self.call.say(format!("{}: Member name contains '..'", name.to_str_lossy())).await;
            self.status = 2;
            return None;
        }
        let mut rest = name.trim_start_with(|letter| letter == '/');
        if rest.len() < name.len() && !self.stripped {
            self.stripped = true;
            self.call.say("Removing leading `/' from member names").await;
        }
        for _ in 0..self.options.strip {
            rest = rest.split_once_str("/").map_or(&b""[..], |(_, rest)| rest);
        }
        if rest.is_empty() { None } else { Some(rest.to_vec()) }
    }

    fn path(&self, name: &[u8]) -> Text {
        [self.options.directory.as_slice(), b"/", name].concat()
    }

    async fn refuse(&mut self, name: &[u8], error: &std::io::Error) {
        let path = self.path(name);
        let text = self.call.shell.refusal(&path, error, true);
        let rest = text.get(path.to_str_lossy().len()..).unwrap_or_default();
        self.call.say(format!("{}: Cannot open{rest}", name.to_str_lossy())).await;
        self.status = 2;
    }

    async fn extract(&mut self, archive: &mut Archive, header: &Header) -> Flow<()> {
        let Some(name) = self.name(&header.name).await else { return archive.content(header.size, None).await };
        if self.options.verbose {
            if self.options.to_stdout {
                if let Some(stream) = self.call.shell.stream(2) {
                    stream.write(&[name.as_slice(), b"\n"].concat()).await?;
                }
            } else {
                self.out.line(&name).await?;
            }
        }
        if self.options.to_stdout {
            self.out.flush().await?;
            let stdout = self.call.shell.stdout();
            return archive.content(header.size, Some(&stdout)).await;
        }
        match header.kind {
            Kind::Directory => {
                if let Err(error) = std::fs::create_dir_all(self.call.shell.path(&self.path(&name))) {
                    self.refuse(&name, &error).await;
                }
                Ok(())
            }
            Kind::File => self.file(archive, header, &name).await,
            Kind::Symlink | Kind::Link if self.links.len() < LINKS_MAX => {
                self.links.push((name, header.link.clone(), header.kind == Kind::Symlink));
                Ok(())
            }
            _ => {
                self.call.say(format!("{}: passed over: neither a file nor a directory", name.to_str_lossy())).await;
                self.status = 2;
                archive.content(header.size, None).await
            }
        }
    }

    async fn file(&mut self, archive: &mut Archive, header: &Header, name: &[u8]) -> Flow<()> {
        let path = self.path(name);
        let place = self.call.shell.path(&path);
        if self.options.keep_old && fs::exists(&place) {
            self.call.say(format!("{}: Cannot open: File exists", name.to_str_lossy())).await;
            self.status = 2;
            return archive.content(header.size, None).await;
        }
        if std::fs::symlink_metadata(&place).is_ok_and(|facts| facts.is_symlink()) {
            // What is there is replaced, not written through.
            drop(std::fs::remove_file(&place));
        }
        let parents = place.parent().map_or(Ok(()), std::fs::create_dir_all);
        match parents.and_then(|()| self.call.shell.open_to_write(&path, false)) {
            Ok(stream) => {
                archive.content(header.size, Some(&stream)).await?;
                let changed = std::time::UNIX_EPOCH + std::time::Duration::from_secs(header.changed.min(1 << 40));
                if let Ok(file) = std::fs::OpenOptions::new().append(true).open(&place) {
                    // A store without settable times keeps the file all the same.
                    drop(file.set_modified(changed));
                }
                Ok(())
            }
            Err(error) => {
                self.refuse(name, &error).await;
                archive.content(header.size, None).await
            }
        }
    }

    /// Makes the links: nothing is written any more that could go through one.
    async fn links(&mut self) {
        for (name, target, symbolic) in std::mem::take(&mut self.links) {
            let place = self.call.shell.path(&self.path(&name));
            drop(place.parent().map(std::fs::create_dir_all));
            drop(std::fs::remove_file(&place));
            let made = if symbolic {
                crate::command::make::symlink(&target, &place)
            } else {
                match self.name(&target).await {
                    Some(target) => std::fs::hard_link::<PathBuf, _>(self.call.shell.path(&self.path(&target)), &place),
                    None => continue,
                }
            };
            if let Err(error) = made {
                self.refuse(&name, &error).await;
            }
        }
    }
}
