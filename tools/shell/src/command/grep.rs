//! `grep`, `egrep`, `fgrep`

mod perl;

use std::collections::VecDeque;

use bstr::ByteSlice;

use super::{Call, Flags, Reader, Writer};
use crate::fs::{self, Kind};
use crate::pattern::Pattern;
use crate::regex::{self, Regex};
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;

const LONG: [(&str, u8); 39] = [
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
    ("colour", 4),
    ("label", 5),
    ("no-filename", b'h'),
    ("with-filename", b'H'),
    ("byte-offset", b'b'),
    ("null", b'Z'),
    ("null-data", b'z'),
    ("text", b'a'),
    ("initial-tab", b'T'),
    ("dereference-recursive", b'R'),
    ("line-buffered", b'u'),
    ("binary-files", 6),
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
    offsets: bool,
    /// What ends a line: a newline, or with `-z` a zero.
    end: u8,
    /// What follows a name, where it is not a mark: a zero with `-Z`.
    null: bool,
    tab: bool,
    color: bool,
    /// The group that is what is found.
    group: usize,
    skip_binary: bool,
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

fn compile(patterns: &[Text], kind: u8, flags: &Flags) -> Flow<(Regex, usize)> {
    let fold = flags.has(b'i') || flags.has(b'y');
    let options = regex::Flags { fold, lines: false };
    let bad = |error: String| Stop::Failed(error, 2);
    let mut whole = Vec::new();
    let mut group = 0;
    for pattern in patterns {
        let translated = match kind {
            b'F' => regex::escaped(pattern),
            b'P' => {
                let (text, found) = perl::translate(&pattern.to_str_lossy()).map_err(bad)?;
                group = found;
                text
            }
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
        return Regex::perl("[^\\x00-\\x{10FFFF}]", options).map(|regex| (regex, 0)).map_err(bad);
    }
    if kind == b'P' {
        if patterns.len() > 1 {
            return Err(bad("the -P option only supports a single pattern".to_owned()));
        }
        return Regex::perl(&joined, options).map(|regex| (regex, group)).map_err(bad);
    }
    Regex::translated(joined, options).map(|regex| (regex, 0)).map_err(bad)
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
    let mut flags =
        Flags::parse(&numeric, "rRinvclLoEFPGwxA:B:C:qse:f:m:HhaIzyUbZTu\u{1}:\u{2}:\u{3}:\u{4}?\u{5}:\u{6}:", &LONG)?;
    let kind = match call.name {
        "egrep" => b'E',
        "fgrep" => b'F',
        _ => flags.last(b"EFPG").unwrap_or(b'G'),
    };
    let patterns = patterns(&call, &mut flags).await?;
    let (regex, group) = compile(&patterns, kind, &flags)?;
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
                    && !matches!(flags.operands.as_slice(), [one] if fs::facts(&call.shell.path(one)).is_ok_and(|facts| facts.is_file()))
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
        text: flags.has(b'a') || flags.value(6).is_some_and(|kind| kind == b"text"),
        offsets: flags.has(b'b'),
        end: if flags.has(b'z') { 0 } else { b'\n' },
        null: flags.has(b'Z'),
        tab: flags.has(b'T'),
        color: flags.value(4).is_some_and(|when| when == b"always"),
        group,
        skip_binary: flags.has(b'I') || flags.value(6).is_some_and(|kind| kind == b"without-match"),
    };
    let mut files = Vec::new();
    let mut status = 1;
    let mut wrong = false;
    let filter = Filter::new(&flags);
    let label = flags.value(5).cloned().unwrap_or_else(|| b"(standard input)".to_vec());
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
                wrong = true;
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
        let shown = if name == b"-" { label.clone() } else { name };
        let (found, binary) = search.file(&mut reader, &shown, &mut out, &mut separated).await?;
        if binary {
            out.flush().await?;
            call.say(format!("{}: binary file matches", shown.to_str_lossy())).await;
        }
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
    follow: bool,
}

impl Filter {
    fn new(flags: &Flags) -> Self {
        let all = |letter: u8| {
            flags.values(letter).map(|text| Pattern::new(text.strip_suffix(b"/").unwrap_or(text), false)).collect()
        };
        Self { include: all(1), exclude: all(2), exclude_dir: all(3), follow: flags.has(b'R') }
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
        let kind = match (kind, std::fs::metadata(call.shell.path(&path))) {
            (Kind::Directory | Kind::File, _) => kind,
            // A link is followed with `-R` only, and not into a directory, which may be one above it.
            (_, Ok(facts)) if filter.follow && facts.is_file() => Kind::File,
            _ => kind,
        };
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

    /// The first match from a place on: what of it is shown.
    fn find(&self, line: &[u8], from: usize) -> Option<std::ops::Range<usize>> {
        if self.group == 0 {
            return self.regex.find(line, from);
        }
        // What is looked at before may stand before `from`.
        let mut start = 0;
        loop {
            let groups = self.regex.captures(line, start)?;
            let whole = groups.first().cloned().flatten()?;
            match groups.get(self.group).cloned().flatten() {
                Some(found) if found.start >= from => return Some(found),
                _ => start = whole.start + 1,
            }
        }
    }

    /// The first match from a place on that is a whole word.
    fn word(&self, line: &[u8], mut from: usize) -> Option<std::ops::Range<usize>> {
        let letter = |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        loop {
            let found = self.find(line, from)?;
            let before = found.start.checked_sub(1).and_then(|at| line.get(at));
            if !letter(before) && !letter(line.get(found.end)) {
                return Some(found);
            }
            from = found.start + 1;
        }
    }

    /// Searches a file: whether something was found, and whether that was in bytes that are not shown.
    async fn file(
        &self,
        reader: &mut Reader,
        name: &[u8],
        out: &mut Writer,
        separated: &mut bool,
    ) -> Flow<(bool, bool)> {
        let mut count = 0_u64;
        let mut number = 0_u64;
        let mut earlier: VecDeque<((u64, u64), Text)> = VecDeque::new();
        let (mut trailing, mut shown) = (0, 0_u64);
        let mut binary = false;
        let mut offset = 0_u64;
        let context = self.before + self.after > 0;
        while count < self.most || trailing > 0 {
            let Some(line) = reader.line(self.end).await? else { break };
            number += 1;
            let start = offset;
            offset += line.len() as u64 + 1;
            binary |= !self.text && self.end != 0 && memchr::memchr(0, line).is_some();
            if binary && self.skip_binary {
                return Ok((false, false));
            }
            let hit = count < self.most && self.hits(line);
            if hit {
                count += 1;
                match self.mode {
                    Mode::Quiet => return Ok((true, false)),
                    Mode::Files | Mode::Without => break,
                    Mode::Count => continue,
                    Mode::Lines if binary => break,
                    Mode::Lines => {}
                }
                if context && (*separated && shown == 0 || shown > 0 && number > shown + 1 + earlier.len() as u64) {
                    out.put(b"--\n");
                }
                for (place, line) in std::mem::take(&mut earlier) {
                    self.put(out, name, place, &line, b'-');
                }
                let line = line.to_vec();
                self.show(out, name, (number, start), &line);
                shown = number;
                *separated = true;
                trailing = self.after;
            } else if self.mode == Mode::Lines && trailing > 0 {
                trailing -= 1;
                let line = line.to_vec();
                self.put(out, name, (number, start), &line, b'-');
                shown = number;
            } else if self.mode == Mode::Lines && self.before > 0 {
                if earlier.len() == self.before {
                    earlier.pop_front();
                }
                earlier.push_back(((number, start), line.to_vec()));
            }
            out.step().await?;
        }
        match self.mode {
            Mode::Count => {
                self.title(out, name, None, b':');
                out.line(count.to_string().as_bytes()).await?;
            }
            Mode::Files if count > 0 => self.listed(out, name),
            Mode::Without if count == 0 => self.listed(out, name),
            _ => {}
        }
        Ok((count > 0, self.mode == Mode::Lines && binary && count > 0))
    }

    fn listed(&self, out: &mut Writer, name: &[u8]) {
        out.put(name);
        out.put(if self.null { b"\0" } else { b"\n" });
    }

    /// What stands before a line: the file, the line's number, the place of its first byte.
    fn title(&self, out: &mut Writer, name: &[u8], place: Option<(u64, u64)>, mark: u8) {
        if self.names {
            out.put(name);
            out.put(if self.null { b"\0" } else { std::slice::from_ref(&mark) });
        }
        if let Some((number, _)) = place.filter(|_| self.numbers) {
            out.put(number.to_string().as_bytes());
            out.put(&[mark]);
        }
        if let Some((_, offset)) = place.filter(|_| self.offsets) {
            out.put(offset.to_string().as_bytes());
            out.put(&[mark]);
        }
        if self.tab && place.is_some() {
            out.put(b"\t");
        }
    }

    fn put(&self, out: &mut Writer, name: &[u8], place: (u64, u64), line: &[u8], mark: u8) {
        if self.only {
            return;
        }
        self.title(out, name, Some(place), mark);
        if self.color && mark == b':' && !self.invert {
            let mut at = 0;
            while let Some(found) = self.find(line, at).filter(|found| !found.is_empty()) {
                out.put(line.get(at..found.start).unwrap_or_default());
                out.put(b"\x1b[01;31m\x1b[K");
                out.put(line.get(found.clone()).unwrap_or_default());
                out.put(b"\x1b[m\x1b[K");
                at = found.end;
            }
            out.put(line.get(at..).unwrap_or_default());
        } else {
            out.put(line);
        }
        out.put(&[self.end]);
    }

    fn show(&self, out: &mut Writer, name: &[u8], (number, start): (u64, u64), line: &[u8]) {
        if !self.only {
            return self.put(out, name, (number, start), line, b':');
        }
        if self.invert {
            return;
        }
        let mut from = 0;
        while from <= line.len() {
            let found = if self.words { self.word(line, from) } else { self.find(line, from) };
            let Some(found) = found else { break };
            if found.is_empty() {
                from = found.end + 1;
                continue;
            }
            self.title(out, name, Some((number, start + found.start as u64)), b':');
            out.put(line.get(found.clone()).unwrap_or_default());
            out.put(&[self.end]);
            from = found.end;
        }
    }
}
