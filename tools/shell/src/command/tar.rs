//! `tar`: makes, lists and extracts archives, streamed.
//!
//! Extracting writes below the current directory, or that of `-C`, and nowhere else: a leading `/` is taken off, a name with `..`
//! is refused, and links are made when all files have been written, so that none is written through one.

mod create;
mod extract;
mod header;

use bstr::ByteSlice;

use super::{Call, Reader};
use crate::pattern::Pattern;
use crate::stop::{Flow, Stop, misused};
use crate::stream::Stream;
use crate::syntax::ast::Text;

/// What is asked for.
#[derive(Debug, Default)]
struct Options {
    mode: Option<u8>,
    file: Option<Text>,
    gzip: bool,
    verbose: bool,
    to_stdout: bool,
    keep_old: bool,
    no_recursion: bool,
    dereference: bool,
    strip: usize,
    exclude: Vec<Text>,
    /// The operands, each with the directory that `-C` had set before it.
    operands: Vec<(Text, Text)>,
    directory: Text,
    wildcards: bool,
}

impl Options {
    fn parse(arguments: &[Text]) -> Flow<Self> {
        let mut options = Self { directory: b".".to_vec(), ..Self::default() };
        let mut rest: std::collections::VecDeque<Text> = arguments.iter().cloned().collect();
        // `tar xzf a.tgz`: the first word may leave out its dash, and its values follow in the order of the letters.
        if let Some(first) = rest.front().filter(|text| !text.starts_with(b"-")).cloned() {
            rest.pop_front();
            for letter in first {
                let value = if takes_value(letter) { rest.pop_front() } else { None };
                options.letter(letter, value)?;
            }
        }
        let mut only_operands = false;
        while let Some(word) = rest.pop_front() {
            if only_operands || !word.starts_with(b"-") || word.len() == 1 {
                options.operands.push((options.directory.clone(), word));
            } else if word == b"--" {
                only_operands = true;
            } else if let Some(name) = word.strip_prefix(b"--") {
                options.long(name, &mut rest)?;
            } else {
                let letters = word.get(1..).unwrap_or_default();
                for (at, letter) in letters.iter().enumerate() {
                    let after = letters.get(at + 1..).unwrap_or_default();
                    if takes_value(*letter) {
                        let value = if after.is_empty() { rest.pop_front() } else { Some(after.to_vec()) };
                        options.letter(*letter, value)?;
                        break;
                    }
                    options.letter(*letter, None)?;
                }
            }
        }
        Ok(options)
    }

    fn letter(&mut self, letter: u8, value: Option<Text>) -> Flow<()> {
        if takes_value(letter) && value.is_none() {
            return misused(format!("option requires an argument -- '{}'", char::from(letter)));
        }
        let value = value.unwrap_or_default();
        match letter {
            b'c' | b'x' | b't' => match self.mode {
                Some(mode) if mode != letter => {
                    return misused("You may not specify more than one '-Acdtrux' option");
                }
                _ => self.mode = Some(letter),
            },
            b'r' | b'u' | b'A' | b'd' => {
                return misused(format!(
                    "-{} is not available in the sandbox: make the archive anew",
                    char::from(letter)
                ));
            }
            b'j' | b'J' => return misused("only gzip (-z) is available in the sandbox"),
            b'f' => self.file = Some(value),
            b'z' => self.gzip = true,
            b'v' => self.verbose = true,
            b'O' => self.to_stdout = true,
            b'k' => self.keep_old = true,
            b'h' => self.dereference = true,
            b'C' => {
                // Each one is taken from the one before.
                self.directory =
                    if value.starts_with(b"/") { value } else { [&self.directory, &b"/"[..], &value].concat() };
            }
            b'X' => return misused("-X is not available in the sandbox: use --exclude"),
            b'T' => return misused("-T is not available in the sandbox: use `xargs tar cf`"),
            // There are no permissions, and names are never stored as they are not: nothing to do.
            b'p' | b'a' | b'm' | b'o' | b'P' | b'S' | b'w' | b'B' | b'b' => {}
            other => return misused(format!("invalid option -- '{}'", char::from(other))),
        }
        Ok(())
    }

    fn long(&mut self, word: &[u8], rest: &mut std::collections::VecDeque<Text>) -> Flow<()> {
        let (name, joined) = match word.split_once_str("=") {
            Some((name, value)) => (name, Some(value.to_vec())),
            None => (word, None),
        };
        let shown = name.to_str_lossy().into_owned();
        let letter = match shown.as_str() {
            "create" => b'c',
            "extract" | "get" => b'x',
            "list" => b't',
            "file" => b'f',
            "gzip" | "gunzip" | "ungzip" => b'z',
            "verbose" => b'v',
            "directory" => b'C',
            "to-stdout" => b'O',
            "keep-old-files" | "skip-old-files" => b'k',
            "dereference" => b'h',
            "append" | "update" => b'r',
            "bzip2" | "xz" | "zstd" => b'j',
            "files-from" => b'T',
            "exclude-from" => b'X',
            "exclude" | "strip-components" | "strip" => 1,
            "no-recursion" => {
                self.no_recursion = true;
                return Ok(());
            }
            "wildcards" => {
                self.wildcards = true;
                return Ok(());
            }
            "auto-compress"
            | "preserve-permissions"
            | "same-owner"
            | "no-same-owner"
            | "numeric-owner"
            | "no-same-permissions"
            | "overwrite"
            | "touch"
            | "totals"
            | "warning"
            | "sort"
            | "owner"
            | "group"
            | "mtime"
            | "format" => return Ok(()),
            _ => return misused(format!("unrecognized option '--{shown}'")),
        };
        let value = if letter == 1 || takes_value(letter) { joined.or_else(|| rest.pop_front()) } else { None };
        if letter != 1 {
            return self.letter(letter, value);
        }
        let Some(value) = value else { return misused(format!("option '--{shown}' requires an argument")) };
        if shown == "exclude" {
            self.exclude.push(value);
        } else {
            self.strip = match value.to_str_lossy().parse() {
                Ok(count) => count,
                Err(_) => return misused("Invalid number of elements"),
            };
        }
        Ok(())
    }

    /// Whether a name, or a directory above it, is excluded.
    fn excludes(&self, name: &[u8]) -> bool {
        self.exclude.iter().any(|text| {
            let pattern = Pattern::new(text.strip_suffix(b"/").unwrap_or(text), false);
            let mut from = 0;
            loop {
                let tail = name.get(from..).unwrap_or_default();
                let whole = pattern.matches(tail);
                let above = tail.iter().enumerate().filter(|(_, byte)| **byte == b'/');
                if whole || above.into_iter().any(|(at, _)| pattern.matches(tail.get(..at).unwrap_or_default())) {
                    return true;
                }
                match memchr::memchr(b'/', tail) {
                    Some(at) => from += at + 1,
                    None => return false,
                }
            }
        })
    }
}

fn takes_value(letter: u8) -> bool {
    b"fCTXb".contains(&letter)
}

pub(super) async fn tar(call: Call<'_>) -> Flow<i32> {
    let options = Options::parse(call.arguments)?;
    let Some(mode) = options.mode else {
        return misused("You must specify one of the '-ctx' options: create, list or extract");
    };
    if mode == b'c' {
        return create::create(&call, &options).await;
    }
    let name = options.file.clone().unwrap_or_else(|| b"-".to_vec());
    let stream = if name == b"-" { call.shell.stdin() } else { open(&call, &name)? };
    extract::extract(&call, &options, Reader::new(stream), mode == b't').await
}

fn open(call: &Call<'_>, name: &[u8]) -> Flow<std::rc::Rc<Stream>> {
    let opened = call.shell.open_to_read(name);
    opened.map_err(|error| Stop::Failed(format!("{}: Cannot open", call.shell.refusal(name, &error, false)), 2))
}
