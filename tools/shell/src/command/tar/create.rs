//! `tar -c`

use std::rc::Rc;

use bstr::ByteSlice;

use super::Options;
use super::header::{BLOCK, Header, Kind};
use crate::command::gzip::Packer;
use crate::command::{Call, Reader, Writer};
use crate::fs;
use crate::stop::{Flow, Stop, misused};
use crate::stream::Stream;
use crate::syntax::ast::Text;
use crate::task::Task;

/// How deep a tree is packed.
const DEPTH_MAX: usize = 200;
/// Archives are filled up to whole records of this size, as GNU's are.
const RECORD: u64 = 10_240;

/// Where the archive goes.
enum Sink {
    Plain(Rc<Stream>),
    Packed(Box<Packer>),
}

struct Archive<'a> {
    call: &'a Call<'a>,
    options: &'a Options,
    sink: Sink,
    size: u64,
    /// The names, where they are listed.
    log: Option<Writer>,
    /// The archive itself, which is not put into it.
    itself: Option<std::path::PathBuf>,
    status: i32,
    stripped: bool,
}

pub(super) async fn create(call: &Call<'_>, options: &Options) -> Flow<i32> {
    if options.operands.is_empty() {
        return misused("Cowardly refusing to create an empty archive");
    }
    let name = options.file.clone().unwrap_or_else(|| b"-".to_vec());
    let stream = if name == b"-" {
        call.shell.stdout()
    } else {
        let opened = call.shell.open_to_write(&name, false);
        opened.map_err(|error| Stop::Failed(format!("{}: Cannot open", call.shell.refusal(&name, &error, true)), 2))?
    };
    let list = if name == b"-" { call.shell.stream(2) } else { Some(call.shell.stdout()) };
    let sink = if options.gzip || name.ends_with(b".gz") && has_auto(call) || name.ends_with(b".tgz") && has_auto(call)
    {
        Sink::Packed(Box::new(Packer::new(stream, 6)))
    } else {
        Sink::Plain(stream)
    };
    let mut archive = Archive {
        call,
        options,
        sink,
        size: 0,
        log: list.filter(|_| options.verbose).map(Writer::new),
        itself: (name != b"-").then(|| call.shell.path(&name)),
        status: 0,
        stripped: false,
    };
    for (folder, operand) in &options.operands {
        let path = if operand.starts_with(b"/") { operand.clone() } else { [folder, &b"/"[..], operand].concat() };
        archive.entry(path, operand.clone(), 0).await?;
    }
    let end = (archive.size + 2 * BLOCK as u64).next_multiple_of(RECORD) - archive.size;
    archive.put(&vec![0; usize::try_from(end).unwrap_or(0)]).await?;
    if let Some(log) = &mut archive.log {
        log.flush().await?;
    }
    if let Sink::Packed(packer) = archive.sink {
        packer.finish().await?;
    }
    Ok(archive.status)
}

/// Whether the archive's name says how it is packed (`-a`).
fn has_auto(call: &Call<'_>) -> bool {
    call.arguments.iter().enumerate().any(|(at, word)| {
        word == b"--auto-compress"
            || (at == 0 || word.starts_with(b"-")) && !word.starts_with(b"--") && word.contains(&b'a') && word.len() < 8
    })
}

impl Archive<'_> {
    async fn put(&mut self, bytes: &[u8]) -> Flow<()> {
        self.size += bytes.len() as u64;
        match &mut self.sink {
            Sink::Plain(stream) => stream.write(bytes).await,
            Sink::Packed(packer) => packer.write(bytes).await,
        }
    }

    async fn refuse(&mut self, name: &[u8], error: &std::io::Error, what: &str) {
        let text = self.call.shell.refusal(name, error, false);
        let rest = text.get(name.to_str_lossy().len()..).unwrap_or_default();
        self.call.say(format!("{}: {what}{rest}", name.to_str_lossy())).await;
        self.status = 2;
    }

    /// Packs what is at a path, under a name.
    fn entry(&mut self, path: Text, name: Text, depth: usize) -> Task<'_, Flow<()>> {
        Box::pin(async move {
            let place = self.call.shell.path(&path);
            if self.options.excludes(&name) || self.itself.as_ref() == Some(&place) {
                return Ok(());
            }
            let facts =
                if self.options.dereference { std::fs::metadata(&place) } else { std::fs::symlink_metadata(&place) };
            let facts = match facts {
                Ok(facts) => facts,
                Err(error) => {
                    self.refuse(&name, &error, "Cannot stat").await;
                    return Ok(());
                }
            };
            let mut shown = name.trim_start_with(|letter| letter == '/').to_vec();
            if shown.len() < name.len() && !self.stripped {
                self.stripped = true;
                self.call.say("Removing leading `/' from member names").await;
            }
            if shown.is_empty() {
                shown = b".".to_vec();
            }
            let mut header = Header {
                name: shown,
                kind: Kind::File,
                size: 0,
                mode: fs::mode(&facts),
                changed: fs::changed(&facts).as_secs(),
                link: Text::new(),
                owner: b"root".to_vec(),
                group: b"root".to_vec(),
            };
            if facts.is_dir() {
                return self.folder(path, name, header, depth).await;
            }
            if facts.is_symlink() {
                header.kind = Kind::Symlink;
                header.link = std::fs::read_link(&place)
                    .map(|target| target.to_string_lossy().into_owned().into_bytes())
                    .unwrap_or_default();
                return self.header(&header).await;
            }
            header.size = facts.len();
            match self.call.shell.open_to_read(&path) {
                Ok(stream) => {
                    self.header(&header).await?;
                    self.content(Reader::new(stream), header.size).await
                }
                Err(error) => {
                    self.refuse(&name, &error, "Cannot open").await;
                    Ok(())
                }
            }
        })
    }

    async fn header(&mut self, header: &Header) -> Flow<()> {
        if let Some(log) = &mut self.log {
            log.line(&header.name).await?;
        }
        self.put(&header.write()).await
    }

    async fn folder(&mut self, path: Text, name: Text, mut header: Header, depth: usize) -> Flow<()> {
        header.kind = Kind::Directory;
        if !header.name.ends_with(b"/") {
            header.name.push(b'/');
        }
        self.header(&header).await?;
        if self.options.no_recursion || depth >= DEPTH_MAX {
            return Ok(());
        }
        let mut entries = match fs::list(&self.call.shell.path(&path)) {
            Ok(entries) => entries,
            Err(error) => {
                self.refuse(&name, &error, "Cannot open").await;
                return Ok(());
            }
        };
        entries.sort();
        for (entry, _) in entries {
            let below = |base: &Text| [base.strip_suffix(b"/").unwrap_or(base), b"/", &entry].concat();
            self.entry(below(&path), below(&name), depth + 1).await?;
        }
        Ok(())
    }

    /// Exactly as many bytes as the header has said, whatever the file does meanwhile.
    async fn content(&mut self, mut reader: Reader, size: u64) -> Flow<()> {
        let mut left = size;
        while left > 0 {
            let mut piece = reader.piece().await?;
            if piece.is_empty() {
                self.call.say(format!("File shrank by {left} bytes; padding with zeros")).await;
                self.status = 1;
                piece = vec![0; usize::try_from(left.min(65_536)).unwrap_or(65_536)];
            }
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= piece.len() as u64;
            self.put(&piece).await?;
        }
        let fill = size.next_multiple_of(BLOCK as u64) - size;
        self.put(&vec![0; usize::try_from(fill).unwrap_or(0)]).await
    }
}
