//! Running a sed script over lines.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::rc::Rc;

use bstr::{ByteSlice, ByteVec};

use super::super::{Reader, Writer};
use super::parse::{Action, Address, Command, Piece, Program, Substitution};
use crate::regex::Regex;
use crate::shell::Shell;
use crate::stop::{Flow, Stop, failed};
use crate::syntax::ast::Text;
use crate::{task, text};

/// How many commands one line may take: a loop of branches that changes nothing never ends.
const STEPS_MAX: u64 = 50_000_000;
/// How large the pattern space may grow.
const SPACE_MAX: usize = 64 << 20;

pub(super) struct Machine<'a> {
    program: &'a Program,
    quiet: bool,
    delimiter: u8,
    out: Writer,
    shell: &'a Shell,
    space: Text,
    hold: Text,
    number: u64,
    /// For each command, the line where its range ends, if it is inside: `u64::MAX` until its end is found.
    inside: Vec<Option<u64>>,
    /// What is written at the end of the cycle.
    after: Vec<Text>,
    last: Option<Rc<Regex>>,
    replaced: bool,
    writers: BTreeMap<Text, Writer>,
    /// The line that was read ahead, to know which one is the last.
    ahead: Option<(Text, bool)>,
    readers: VecDeque<Reader>,
    /// The last line had its end.
    delimited: bool,
    /// What was written last has no end: it gets one before anything else is written.
    lacking: bool,
    started: bool,
}

/// What a cycle ends with.
enum End {
    Cycle,
    /// Without printing.
    Quiet,
    /// Go on with what is left in the space, without reading.
    Again,
    Quit(i32),
    /// Without printing.
    QuitQuietly(i32),
}

impl<'a> Machine<'a> {
    pub(super) fn new(program: &'a Program, quiet: bool, delimiter: u8, out: Writer, shell: &'a Shell) -> Self {
        let inside = program.commands.iter().map(|_| None).collect();
        Self {
            program,
            quiet,
            delimiter,
            out,
            shell,
            space: Text::new(),
            hold: Text::new(),
            number: 0,
            inside,
            after: Vec::new(),
            last: None,
            replaced: false,
            writers: BTreeMap::new(),
            ahead: None,
            readers: VecDeque::new(),
            delimited: true,
            lacking: false,
            started: false,
        }
    }

    /// Begins to count anew, for another file.
    pub(super) fn restart(&mut self) {
        self.number = 0;
        self.started = false;
        self.ahead = None;
    }

    pub(super) async fn finish(&mut self) -> Flow<()> {
        for writer in self.writers.values_mut() {
            writer.flush().await?;
        }
        self.out.flush().await
    }

    async fn read_ahead(&mut self) -> Flow<()> {
        self.ahead = None;
        while let Some(reader) = self.readers.front_mut() {
            if let Some(line) = reader.line(self.delimiter).await? {
                let line = line.to_vec();
                self.ahead = Some((line, reader.delimited));
                return Ok(());
            }
            self.readers.pop_front();
        }
        Ok(())
    }

    async fn next_line(&mut self) -> Flow<Option<Text>> {
        if !self.started {
            self.started = true;
            self.read_ahead().await?;
        }
        let Some((line, delimited)) = self.ahead.take() else { return Ok(None) };
        self.read_ahead().await?;
        self.number += 1;
        // A line in the middle has an end, also where a file before it has none.
        self.delimited = delimited || self.ahead.is_some();
        Ok(Some(line))
    }

    /// Runs over all readers; gives the status that the script asks for.
    pub(super) async fn run(&mut self, readers: Vec<Reader>) -> Flow<Option<i32>> {
        self.readers = readers.into();
        let mut again = false;
        loop {
            if !again {
                let Some(line) = self.next_line().await? else { return Ok(None) };
                self.space = line;
                self.replaced = false;
            }
            let end = self.cycle().await?;
            let quits = match end {
                End::Quit(code) | End::QuitQuietly(code) => Some(code),
                _ => None,
            };
            again = matches!(end, End::Again);
            if !self.quiet && matches!(end, End::Cycle | End::Quit(_)) {
                self.print_space().await?;
            }
            for text in std::mem::take(&mut self.after) {
                self.out.put(&text);
            }
            self.out.step().await?;
            if quits.is_some() {
                return Ok(quits);
            }
        }
    }

    async fn print_space(&mut self) -> Flow<()> {
        if std::mem::take(&mut self.lacking) {
            self.out.put(&[self.delimiter]);
        }
        self.out.put(&self.space);
        if self.delimited || !self.after.is_empty() {
            self.out.put(&[self.delimiter]);
        } else {
            self.lacking = true;
        }
        self.out.step().await
    }

    fn applies(&mut self, at: usize, command: &Command) -> Flow<bool> {
        let Some(from) = &command.from else { return Ok(!command.negated) };
        let Some(to) = &command.to else {
            let found = self.matches(from)?;
            return Ok(found != command.negated);
        };
        let number = self.number;
        if let Some(end) = self.inside.get(at).copied().flatten() {
            let ended = match to {
                Address::Match(_) | Address::Last => self.matches(to)?,
                _ => number >= end,
            };
            if ended && let Some(slot) = self.inside.get_mut(at) {
                *slot = None;
            }
            // A range whose last line has passed has only its first one.
            let past = matches!(to, Address::Line(line) if number > *line);
            return Ok(past == command.negated);
        }
        let zero = matches!(from, Address::Line(0));
        let begins = zero && number == 1 || !zero && self.matches(from)?;
        if begins {
            let end = match to {
                Address::Line(line) => *line,
                Address::After(count) => number + count,
                Address::Multiple(step) => {
                    if *step == 0 {
                        number
                    } else {
                        number.div_ceil(*step) * step
                    }
                }
                _ => u64::MAX,
            };
            let ended_at_once = zero && self.matches(to)? || matches!(to, Address::Last) && self.ahead.is_none();
            if end > number
                && !ended_at_once
                && let Some(slot) = self.inside.get_mut(at)
            {
                *slot = Some(end);
            }
        }
        Ok(begins != command.negated)
    }

    fn matches(&mut self, address: &Address) -> Flow<bool> {
        Ok(match address {
            Address::Line(line) => self.number == *line,
            Address::Last => self.ahead.is_none(),
            Address::Step(first, 0) => self.number == *first,
            Address::Step(first, step) => self.number >= *first && (self.number - first).is_multiple_of(*step),
            Address::Match(regex) => {
                let regex = self.regex(regex.as_ref())?;
                regex.is_match(&self.space)
            }
            Address::After(_) | Address::Multiple(_) => false,
        })
    }

    /// The expression, or the one that was used last.
    fn regex(&mut self, regex: Option<&Rc<Regex>>) -> Flow<Rc<Regex>> {
        match regex.or(self.last.as_ref()).cloned() {
            Some(regex) => {
                self.last = Some(Rc::clone(&regex));
                Ok(regex)
            }
            None => failed("no previous regular expression"),
        }
    }

    async fn cycle(&mut self) -> Flow<End> {
        let program = self.program;
        let mut at = 0;
        let mut steps = 0_u64;
        while let Some(command) = program.commands.get(at) {
            steps += 1;
            if steps.is_multiple_of(64) {
                task::breathe().await;
            }
            if steps > STEPS_MAX || self.space.len() > SPACE_MAX || self.hold.len() > SPACE_MAX {
                return failed("the script does not come to an end");
            }
            let place = at;
            at += 1;
            if !self.applies(place, command)? {
                if let Action::Block(end) = &command.action {
                    at = *end;
                }
                continue;
            }
            if let Some(end) = self.step(place, command, &mut at).await? {
                return Ok(end);
            }
        }
        Ok(End::Cycle)
    }

    #[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
    async fn step(&mut self, place: usize, command: &Command, at: &mut usize) -> Flow<Option<End>> {
        match &command.action {
            Action::Block(_) => {}
            Action::Append(text) => self.after.push(text.clone()),
            Action::Insert(text) => self.out.put(text),
            Action::Change(text) => {
                let ends =
                    command.to.is_none() || command.negated || self.inside.get(place).copied().flatten().is_none();
                if ends {
                    self.out.put(text);
                }
                return Ok(Some(End::Quiet));
            }
            Action::Delete => return Ok(Some(End::Quiet)),
            Action::DeleteFirst => match self.space.find_byte(b'\n') {
                Some(end) => {
                    self.space.drain(..=end);
                    return Ok(Some(End::Again));
                }
                None => return Ok(Some(End::Quiet)),
            },
            Action::Print => self.print_space().await?,
            Action::PrintFirst => {
                let end = self.space.find_byte(b'\n').unwrap_or(self.space.len());
                let line = self.space.get(..end).unwrap_or_default().to_vec();
                self.out.line(&line).await?;
            }
            Action::Next => {
                if self.ahead.is_none() {
                    return Ok(Some(if self.quiet { End::QuitQuietly(0) } else { End::Quit(0) }));
                }
                if !self.quiet {
                    self.print_space().await?;
                }
                for text in std::mem::take(&mut self.after) {
                    self.out.put(&text);
                }
                self.space = self.next_line().await?.unwrap_or_default();
            }
            Action::NextAppend => {
                let Some(line) = self.next_line().await? else { return Ok(Some(End::Quit(0))) };
                self.space.push(b'\n');
                self.space.extend_from_slice(&line);
            }
            Action::Hold => self.hold.clone_from(&self.space),
            Action::HoldAppend => {
                self.hold.push(b'\n');
                self.hold.extend_from_slice(&self.space);
            }
            Action::Get => self.space.clone_from(&self.hold),
            Action::GetAppend => {
                self.space.push(b'\n');
                self.space.extend_from_slice(&self.hold);
            }
            Action::Exchange => std::mem::swap(&mut self.space, &mut self.hold),
            Action::Number => {
                let line = self.number.to_string();
                self.out.line(line.as_bytes()).await?;
            }
            Action::List => {
                let line = listed(&self.space);
                self.out.line(&line).await?;
            }
            Action::Quit(code, print) => {
                return Ok(Some(if *print { End::Quit(*code) } else { End::QuitQuietly(*code) }));
            }
            Action::Branch(label) => self.jump(label, at),
            Action::BranchIf(label) => {
                if std::mem::take(&mut self.replaced) {
                    self.jump(label, at);
                }
            }
            Action::BranchUnless(label) => {
                if !std::mem::take(&mut self.replaced) {
                    self.jump(label, at);
                }
            }
            Action::Substitute(substitution) => self.substitute(substitution).await?,
            Action::Translate(map) => {
                let letters = self
                    .space
                    .to_str_lossy()
                    .chars()
                    .map(|letter| *map.get(&letter).unwrap_or(&letter))
                    .collect::<String>();
                self.space = letters.into_bytes();
            }
            Action::Read(name) => {
                if let Ok(stream) = self.shell.open_to_read(name) {
                    let text = Reader::new(stream).all(SPACE_MAX).await?;
                    self.after.push(text);
                }
            }
            Action::Write(name) => {
                let line = self.space.clone();
                self.write(name, &line).await?;
            }
            Action::Zap => self.space.clear(),
        }
        Ok(None)
    }

    fn jump(&self, label: &Text, at: &mut usize) {
        *at = self.program.labels.get(label).copied().unwrap_or(self.program.commands.len());
    }

    async fn write(&mut self, name: &Text, line: &[u8]) -> Flow<()> {
        if name == b"/dev/stdout" {
            return self.out.line(line).await;
        }
        if !self.writers.contains_key(name) {
            let stream = self.shell.open_to_write(name, false);
            let stream = stream.map_err(|error| {
                Stop::Failed(format!("couldn't open file {}", self.shell.refusal(name, &error, true)), 4)
            })?;
            self.writers.insert(name.clone(), Writer::new(stream));
        }
        match self.writers.get_mut(name) {
            Some(writer) => writer.line(line).await,
            None => Ok(()),
        }
    }

    async fn substitute(&mut self, substitution: &Substitution) -> Flow<()> {
        let regex = self.regex(substitution.regex.as_ref())?;
        if !regex.is_match(&self.space) {
            return Ok(());
        }
        let space = std::mem::take(&mut self.space);
        let mut out = Text::with_capacity(space.len());
        let (mut at, mut copied, mut count) = (0, 0, 0);
        let (mut changed, mut before) = (false, None);
        let after = |at: usize| at + bstr::decode_utf8(space.get(at..).unwrap_or_default()).1.max(1);
        while at <= space.len() {
            let Some(groups) = regex.captures(&space, at) else { break };
            let Some(found) = groups.first().cloned().flatten() else { break };
            // An empty match right after another is none.
            if found.is_empty() && before == Some(found.start) {
                at = after(found.start);
                continue;
            }
            count += 1;
            if count >= substitution.number {
                out.extend_from_slice(space.get(copied..found.start).unwrap_or_default());
                put(&mut out, &substitution.with, &space, &groups);
                copied = found.end;
                changed = true;
                if !substitution.all {
                    break;
                }
            }
            before = Some(found.end);
            at = if found.is_empty() { after(found.end) } else { found.end };
            if out.len() > SPACE_MAX {
                return failed("the pattern space is too large");
            }
        }
        out.extend_from_slice(space.get(copied..).unwrap_or_default());
        self.space = out;
        if changed {
            self.replaced = true;
            if substitution.print {
                self.print_space().await?;
            }
            if let Some(name) = &substitution.write {
                let line = self.space.clone();
                self.write(name, &line).await?;
            }
        }
        Ok(())
    }
}

/// Puts a replacement, with its changes of case.
fn put(out: &mut Text, with: &[Piece], space: &[u8], groups: &[Option<std::ops::Range<usize>>]) {
    let (mut lasting, mut once) = (b'E', b'E');
    for piece in with {
        let text = match piece {
            Piece::Text(text) => text.as_slice(),
            Piece::Group(number) => {
                let range = groups.get(*number).cloned().flatten();
                range.and_then(|range| space.get(range)).unwrap_or_default()
            }
            Piece::Case(case @ (b'u' | b'l')) => {
                once = *case;
                continue;
            }
            Piece::Case(case) => {
                lasting = *case;
                continue;
            }
        };
        if lasting == b'E' && once == b'E' {
            out.extend_from_slice(text);
            continue;
        }
        let mut shaped = match lasting {
            b'U' => text::upper(text),
            b'L' => text::lower(text),
            _ => text.to_vec(),
        };
        if once != b'E' && !shaped.is_empty() {
            let first = text::characters(&shaped).next().unwrap_or_default().to_vec();
            let new = if once == b'u' { text::upper(&first) } else { text::lower(&first) };
            shaped.splice(..first.len(), new);
            once = b'E';
        }
        out.extend_from_slice(&shaped);
    }
}

/// As the command `l` writes a line.
fn listed(line: &[u8]) -> Text {
    let mut out = Text::new();
    for byte in line {
        match byte {
            b'\\' => out.push_str(r"\\"),
            b'\n' => out.push_str(r"\n"),
            b'\t' => out.push_str(r"\t"),
            b'\r' => out.push_str(r"\r"),
            32..127 => out.push(*byte),
            other => out.push_str(format!("\\{other:03o}")),
        }
    }
    out.push(b'$');
    out
}
