//! `grep`, `egrep`, `fgrep`

use std::collections::VecDeque;

use bstr::ByteSlice;

use super::{Call, Flags, Reader, Writer};
use crate::fs::{self, Kind};
use crate::pattern::Pattern;
use crate::regex::{self, Regex};
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;

const LONG: [(&str, u8); 27] = [
    ("recursive", b'r'),
    ("ignore-case", b'i'),
    ("line-number", b'n'),
    ("invert-match", b'v'),
    ("count", b'c'),
    ("files-with-matches", b'l'),
    ("files-without-match", b'L'),
    ("only-matching", b'o'),
    ("extended-regexp", b'E'),
    ("fixed-strings", b'F'),
    ("perl-regexp", b'P'),
    ("basic-regexp", b'G'),
    ("word-regexp", b'w'),
    ("line-regexp", b'x'),
    ("after-context", b'A'),
    ("before-context", b'B'),
    ("context", b'C'),
    ("quiet", b'q'),
    ("silent", b'q'),
    ("no-messages", b's'),
    ("regexp", b'e'),
    ("file", b'f'),
    ("max-count", b'm'),
    ("include", 1),
    ("exclude", 2),
    ("exclude-dir", 3),
    ("color", 4),
];

/// What is looked for, and how it is shown.
struct Search {
    regex: Regex,
    invert: bool,
    only: bool,
    words: bool,
    numbers: bool,
    names: bool,
    before: usize,
    after: usize,
    most: u64,
    mode: Mode,
    text: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Lines,
    Count,
    Files,
    Without,
    Quiet,
}

async fn patterns(call: &Call<'_>, flags: &mut Flags) -> Flow<Vec<Text>> {
    let mut all: Vec<Text> = Vec::new();
    for text in flags.values(b'e') {
        all.extend(text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    }
    for name in flags.values(b'f') {
        let Some(mut reader) = call.open(name).await else {
            return Err(Stop::Failed("cannot read the patterns".to_owned(), 2));
        };
        while let Some(line) = reader.line(b'\n').await? {
            all.push(line.to_vec());
        }
    }
    if !flags.has(b'e') && !flags.has(b'f') {
        if flags.operands.is_empty() {
            return Err(Stop::Failed("usage: grep [OPTION]... PATTERNS [FILE]...".to_owned(), 2));
        }
        let text = flags.operands.remove(0);
        all.extend(text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    }
    Ok(all)
}

fn compile(patterns: &[Text], kind: u8, flags: &Flags) -> Flow<Regex> {
    let fold = flags.has(b'i') || flags.has(b'y');
    let options = regex::Flags { fold, lines: false };
    let bad = |error: String| Stop::Failed(error, 2);
    let mut whole = Vec::new();
    for pattern in patterns {
        let translated = match kind {
            b'F' => regex::escaped(pattern),
            b'P' => pattern.to_str_lossy().into_owned(),
            _ => regex::translated(pattern, kind == b'E').map_err(bad)?,
        };
        whole.push(translated);
    }
    let joined = if let [one] = whole.as_slice() {
        one.clone()
    } else {
        whole.iter().map(|one| format!("(?:{one})")).collect::<Vec<_>>().join("|")
    };
    let joined = if flags.has(b'x') { format!("^(?:{joined})$") } else { joined };
    if patterns.is_empty() {
        return Regex::perl("[^\\x00-\\x{10FFFF}]", options).map_err(bad);
    }
    Regex::perl(&joined, options).map_err(|error| match kind {
        b'P' if error.contains("look") || error.contains("backreference") => {
            bad(format!("{error} (expressions are matched in linear time in the sandbox)"))
        }
        _ => bad(error),
    })
}

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) async fn grep(call: Call<'_>) -> Flow<i32> {
    let numeric: Vec<Text> = call
        .arguments
        .iter()
        .map(|text| {
            let digits = text.strip_prefix(b"-").unwrap_or_default();
            let context = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            if context { [b"-C", digits].concat() } else { text.clone() }
        })
        .collect();
    let mut flags = Flags::parse(&numeric, "rRinvclLoEFPGwxA:B:C:qse:f:m:HhaIzyU\u{1}:\u{2}:\u{3}:\u{4}?", &LONG)?;
    let kind = match call.name {
        "egrep" => b'E',
        "fgrep" => b'F',
        _ => flags.last(b"EFPG").unwrap_or(b'G'),
    };
    let patterns = patterns(&call, &mut flags).await?;
    let regex = compile(&patterns, kind, &flags)?;
    let recursive = flags.has(b'r') || flags.has(b'R');
    let context = flags.number(b'C')?.unwrap_or(0);
    let mode = match flags.last(b"clLq") {
        Some(b'q') => Mode::Quiet,
        Some(b'l') => Mode::Files,
        Some(b'L') => Mode::Without,
        Some(b'c') => Mode::Count,
        _ => Mode::Lines,
    };
    let names = match flags.last(b"Hh") {
        Some(letter) => letter == b'H',
        None => {
            flags.operands.len() > 1
                || recursive
                    && !matches!(flags.operands.as_slice(), [one] if std::fs::metadata(call.shell.path(one)).is_ok_and(|facts| facts.is_file()))
        }
    };
    let search = Search {
        regex,
        invert: flags.has(b'v'),
        only: flags.has(b'o'),
        words: flags.has(b'w'),
        numbers: flags.has(b'n'),
        names,
        before: flags.number(b'B')?.unwrap_or(context),
        after: flags.number(b'A')?.unwrap_or(context),
        most: flags.number(b'm')?.map_or(u64::MAX, |most| most as u64),
        mode,
        text: flags.has(b'a'),
    };
    let mut files = Vec::new();
    let mut status = 1;
    let mut wrong = false;
    let filter = Filter::new(&flags);
    if flags.operands.is_empty() && !recursive {
        files.push(b"-".to_vec());
    } else if flags.operands.is_empty() {
        walk(&call, &Text::new(), &filter, &mut files);
    }
    for name in &flags.operands {
        if name != b"-" && fs::is_directory(&call.shell.path(name)) {
            if recursive {
                walk(&call, name, &filter, &mut files);
            } else {
                call.say(format!("{}: Is a directory", name.to_str_lossy())).await;
            }
        } else {
            files.push(name.clone());
        }
    }
    let mut out = call.writer();
    let mut separated = false;
    for name in files {
        let reader = if name == b"-" { Ok(call.shell.stdin()) } else { call.shell.open_to_read(&name) };
        let mut reader = match reader {
            Ok(stream) => Reader::new(stream),
            Err(error) => {
                if !flags.has(b's') {
                    call.say(call.shell.refusal(&name, &error, false)).await;
                }
                wrong = true;
                continue;
            }
        };
        let shown = if name == b"-" { b"(standard input)".to_vec() } else { name };
        let found = search.file(&mut reader, &shown, &mut out, &mut separated).await?;
        if found != (mode == Mode::Without) {
            status = 0;
            if mode == Mode::Quiet {
                return Ok(0);
            }
        }
    }
    out.flush().await?;
    Ok(if wrong { 2 } else { status })
}

/// Which files below a directory are searched.
struct Filter {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    exclude_dir: Vec<Pattern>,
}

impl Filter {
    fn new(flags: &Flags) -> Self {
        let all = |letter: u8| {
            flags.values(letter).map(|text| Pattern::new(text.strip_suffix(b"/").unwrap_or(text), false)).collect()
        };
        Self { include: all(1), exclude: all(2), exclude_dir: all(3) }
    }

    fn takes(&self, name: &[u8]) -> bool {
        let any = |list: &[Pattern]| list.iter().any(|pattern| pattern.matches(name));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

fn walk(call: &Call<'_>, base: &Text, filter: &Filter, files: &mut Vec<Text>) {
    let mut entries = fs::list(&call.shell.path(if base.is_empty() { b"." } else { base })).unwrap_or_default();
    entries.sort();
    for (name, kind) in entries {
        let mut path = base.clone();
        if !path.is_empty() && !path.ends_with(b"/") {
            path.push(b'/');
        }
        path.extend_from_slice(&name);
        match kind {
            Kind::Directory if !filter.exclude_dir.iter().any(|pattern| pattern.matches(&name)) => {
                walk(call, &path, filter, files)
            }
            Kind::File if filter.takes(&name) => files.push(path),
            _ => {}
        }
    }
}

impl Search {
    /// Whether a line is one that is looked for.
    fn hits(&self, line: &[u8]) -> bool {
        let found = if self.words { self.word(line, 0).is_some() } else { self.regex.is_match(line) };
        found != self.invert
    }

    /// The first match from a place on that is a whole word.
    fn word(&self, line: &[u8], mut from: usize) -> Option<std::ops::Range<usize>> {
        let letter = |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        loop {
            let found = self.regex.find(line, from)?;
            let before = found.start.checked_sub(1).and_then(|at| line.get(at));
            if !letter(before) && !letter(line.get(found.end)) {
                return Some(found);
            }
            from = found.start + 1;
        }
    }

    async fn file(&self, reader: &mut Reader, name: &[u8], out: &mut Writer, separated: &mut bool) -> Flow<bool> {
        let mut count = 0_u64;
        let mut number = 0_u64;
        let mut earlier: VecDeque<(u64, Text)> = VecDeque::new();
        let (mut trailing, mut shown) = (0, 0_u64);
        let mut binary = false;
        let context = self.before + self.after > 0;
        while count < self.most || trailing > 0 {
            let Some(line) = reader.line(b'\n').await? else { break };
            number += 1;
            binary |= !self.text && memchr::memchr(0, line).is_some();
            let hit = count < self.most && self.hits(line);
            if hit {
                count += 1;
                match self.mode {
                    Mode::Quiet => return Ok(true),
                    Mode::Files | Mode::Without => break,
                    Mode::Count => continue,
                    Mode::Lines if binary => break,
                    Mode::Lines => {}
                }
                if context && (*separated && shown == 0 || shown > 0 && number > shown + 1 + earlier.len() as u64) {
                    out.put(b"--\n");
                }
                for (number, line) in std::mem::take(&mut earlier) {
                    self.put(out, name, number, &line, b'-');
                }
                let line = line.to_vec();
                self.show(out, name, number, &line);
                shown = number;
                *separated = true;
                trailing = self.after;
            } else if self.mode == Mode::Lines && trailing > 0 {
                trailing -= 1;
                let line = line.to_vec();
                self.put(out, name, number, &line, b'-');
                shown = number;
            } else if self.mode == Mode::Lines && self.before > 0 {
                if earlier.len() == self.before {
                    earlier.pop_front();
                }
                earlier.push_back((number, line.to_vec()));
            }
            out.step().await?;
        }
        match self.mode {
            Mode::Count => {
                self.title(out, name, None, b':');
                out.line(count.to_string().as_bytes()).await?;
            }
            Mode::Files if count > 0 => out.line(name).await?,
            Mode::Without if count == 0 => out.line(name).await?,
            Mode::Lines if binary && count > 0 => {
                out.line(format!("Binary file {} matches", name.to_str_lossy()).as_bytes()).await?;
            }
            _ => {}
        }
        Ok(count > 0)
    }

    fn title(&self, out: &mut Writer, name: &[u8], number: Option<u64>, mark: u8) {
        if self.names {
            out.put(name);
            out.put(&[mark]);
        }
        if let Some(number) = number.filter(|_| self.numbers) {
            out.put(number.to_string().as_bytes());
            out.put(&[mark]);
        }
    }

    fn put(&self, out: &mut Writer, name: &[u8], number: u64, line: &[u8], mark: u8) {
        if self.only {
            return;
        }
        self.title(out, name, Some(number), mark);
        out.put(line);
        out.put(b"\n");
    }

    fn show(&self, out: &mut Writer, name: &[u8], number: u64, line: &[u8]) {
        if !self.only {
            return self.put(out, name, number, line, b':');
        }
        let mut from = 0;
        while from <= line.len() {
            let found = if self.words { self.word(line, from) } else { self.regex.find(line, from) };
            let Some(found) = found else { break };
            if found.is_empty() {
                from = found.end + 1;
                continue;
            }
            self.title(out, name, Some(number), b':');
            out.put(line.get(found.clone()).unwrap_or_default());
            out.put(b"\n");
            from = found.end;
        }
    }
}
