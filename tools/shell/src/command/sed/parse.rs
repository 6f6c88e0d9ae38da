//! A sed script as a list of commands.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::regex::{Flags, Regex};
use crate::syntax::ast::Text;

/// Where a command applies.
#[derive(Debug)]
pub(super) enum Address {
    Line(u64),
    Last,
    /// `first~step`
    Step(u64, u64),
    /// None: the expression that was used last.
    Match(Option<Rc<Regex>>),
    /// `,+n`
    After(u64),
    /// `,~n`
    Multiple(u64),
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) from: Option<Address>,
    pub(super) to: Option<Address>,
    pub(super) negated: bool,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    /// `{`, with the place after its end.
    Block(usize),
    Append(Text),
    Insert(Text),
    Change(Text),
    Delete,
    DeleteFirst,
    Print,
    PrintFirst,
    Next,
    NextAppend,
    Hold,
    HoldAppend,
    Get,
    GetAppend,
    Exchange,
    Number,
    List,
    Quit(i32, bool),
    Branch(Text),
    BranchIf(Text),
    BranchUnless(Text),
    Substitute(Box<Substitution>),
    Translate(BTreeMap<char, char>),
    Read(Text),
    Write(Text),
    Zap,
}

#[derive(Debug)]
pub(super) struct Substitution {
    pub(super) regex: Option<Rc<Regex>>,
    pub(super) with: Vec<Piece>,
    pub(super) all: bool,
    pub(super) number: usize,
    pub(super) print: bool,
    pub(super) write: Option<Text>,
}

/// A piece of what is put in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(Text),
    Group(usize),
    /// `\U`, `\L`, `\u`, `\l`, `\E`
    Case(u8),
}

#[derive(Debug)]
pub(super) struct Program {
    pub(super) commands: Vec<Command>,
    pub(super) labels: BTreeMap<Text, usize>,
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    extended: bool,
}

type Parsed<T> = Result<T, String>;

impl Program {
    pub(super) fn parse(text: &[u8], extended: bool) -> Parsed<Self> {
        let mut parser = Parser { text, at: 0, extended };
        let mut program = Self { commands: Vec::new(), labels: BTreeMap::new() };
        let mut open = Vec::new();
        loop {
            parser.skip(b" \t\r\n;");
            let Some(byte) = parser.peek() else { break };
            match byte {
                b'#' => {
                    parser.line();
                    continue;
                }
                b'}' => {
                    parser.at += 1;
                    let Some(start) = open.pop() else { return Err(parser.error("unexpected `}'")) };
                    let end = program.commands.len();
                    if let Some(Command { action, .. }) = program.commands.get_mut(start) {
                        *action = Action::Block(end);
                    }
                    continue;
                }
                b':' => {
                    parser.at += 1;
                    let label = parser.label();
                    program.labels.insert(label, program.commands.len());
                    continue;
                }
                _ => {}
            }
            let command = parser.command()?;
            if matches!(command.action, Action::Block(_)) {
                open.push(program.commands.len());
            }
            program.commands.push(command);
        }
        if !open.is_empty() {
            return Err(parser.error("unmatched `{'"));
        }
        for command in &program.commands {
            if let Action::Branch(label) | Action::BranchIf(label) | Action::BranchUnless(label) = &command.action
                && !label.is_empty()
                && !program.labels.contains_key(label)
            {
                return Err(format!("can't find label for jump to `{}'", String::from_utf8_lossy(label)));
            }
        }
        Ok(program)
    }
}

impl Parser<'_> {
    fn error(&self, what: &str) -> String {
        format!("char {}: {what}", self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn skip(&mut self, set: &[u8]) {
        while self.peek().is_some_and(|byte| set.contains(&byte)) {
            self.at += 1;
        }
    }

    /// The rest of the line.
    fn line(&mut self) -> Text {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at += (end + 1).min(rest.len());
        rest.get(..end).unwrap_or_default().to_vec()
    }

    fn label(&mut self) -> Text {
        self.skip(b" \t");
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b';' | b'}' | b' ')).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default().to_vec()
    }

    fn number(&mut self) -> Option<u64> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
    }

    fn address(&mut self) -> Parsed<Option<Address>> {
        match self.peek() {
            Some(b'$') => {
                self.at += 1;
                Ok(Some(Address::Last))
            }
            Some(b'0'..=b'9') => {
                let first = self.number().unwrap_or(0);
                if self.peek() == Some(b'~') {
                    self.at += 1;
                    let step = self.number().unwrap_or(0);
                    return Ok(Some(Address::Step(first, step)));
                }
                Ok(Some(Address::Line(first)))
            }
            Some(b'/' | b'\\') => {
                if self.next() == Some(b'\\') && self.peek().is_none() {
                    return Err(self.error("unexpected end"));
                }
                let delimiter =
                    if self.text.get(self.at - 1) == Some(&b'\\') { self.next().unwrap_or(b'/') } else { b'/' };
                let pattern = self.delimited(delimiter, true)?;
                let mut flags = Flags::default();
                loop {
                    match self.peek() {
                        Some(b'I') => flags.fold = true,
                        Some(b'M') => flags.lines = true,
                        _ => break,
                    }
                    self.at += 1;
                }
                Ok(Some(Address::Match(self.regex(&pattern, flags)?)))
            }
            _ => Ok(None),
        }
    }

    fn regex(&self, pattern: &[u8], flags: Flags) -> Parsed<Option<Rc<Regex>>> {
        if pattern.is_empty() {
            return Ok(None);
        }
        Regex::posix(&with_codes(pattern), self.extended, flags)
            .map(|regex| Some(Rc::new(regex)))
            .map_err(|error| self.error(&error))
    }

    /// The text up to an unescaped delimiter, which is taken. An escaped one loses its backslash.
    fn delimited(&mut self, delimiter: u8, pattern: bool) -> Parsed<Text> {
        let mut out = Text::new();
        let mut class = false;
        loop {
            let Some(byte) = self.next() else { return Err(self.error("unterminated address regex or `s' command")) };
            if byte == b'\\' && !class {
                match self.next() {
                    Some(next) if next == delimiter => {
                        if !pattern && next == b'&' {
                            out.push(b'\\');
                        }
                        out.push(next);
                    }
                    Some(b'\n') if pattern => out.push(b'\n'),
                    Some(next) => out.extend([b'\\', next]),
                    None => out.push(b'\\'),
                }
                continue;
            }
            if pattern && byte == b'[' && !class {
                class = true;
                out.push(byte);
                if self.peek() == Some(b'^') {
                    out.extend(self.next());
                }
                if self.peek() == Some(b']') {
                    out.extend(self.next());
                }
                continue;
            }
            if class && byte == b'[' && matches!(self.peek(), Some(b':' | b'.' | b'=')) {
                out.push(byte);
                let rest = self.text.get(self.at..).unwrap_or_default();
                let end = rest
                    .windows(2)
                    .skip(1)
                    .position(|pair| pair.ends_with(b"]") && pair.first() == rest.first())
                    .unwrap_or(0);
                for _ in 0..end + 3 {
                    out.extend(self.next());
                }
                continue;
            }
            if class && byte == b']' {
                class = false;
            } else if byte == delimiter && !class {
                return Ok(out);
            }
            out.push(byte);
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        let from = self.address()?;
        let mut to = None;
        self.skip(b" \t");
        if from.is_some() && self.peek() == Some(b',') {
            self.at += 1;
            self.skip(b" \t");
            to = match self.peek() {
                Some(b'+') => {
                    self.at += 1;
                    Some(Address::After(self.number().unwrap_or(0)))
                }
                Some(b'~') => {
                    self.at += 1;
                    Some(Address::Multiple(self.number().unwrap_or(0)))
                }
                _ => self.address()?,
            };
            if to.is_none() {
                return Err(self.error("unexpected `,'"));
            }
        }
        self.skip(b" \t");
        let mut negated = false;
        while self.peek() == Some(b'!') {
            self.at += 1;
            negated = true;
            self.skip(b" \t");
        }
        let action = self.action()?;
        Ok(Command { from, to, negated, action })
    }

    fn action(&mut self) -> Parsed<Action> {
        let Some(letter) = self.next() else { return Err(self.error("missing command")) };
        let action = match letter {
            b'{' => return Ok(Action::Block(0)),
            b'a' => return Ok(Action::Append(self.text())),
            b'i' => return Ok(Action::Insert(self.text())),
            b'c' => return Ok(Action::Change(self.text())),
            b'd' => Action::Delete,
            b'D' => Action::DeleteFirst,
            b'p' => Action::Print,
            b'P' => Action::PrintFirst,
            b'n' => Action::Next,
            b'N' => Action::NextAppend,
            b'h' => Action::Hold,
            b'H' => Action::HoldAppend,
            b'g' => Action::Get,
            b'G' => Action::GetAppend,
            b'x' => Action::Exchange,
            b'=' => Action::Number,
            b'l' => Action::List,
            b'z' => Action::Zap,
            b'F' => return Err(self.error("the command `F' is not available in the sandbox")),
            b'q' | b'Q' => {
                self.skip(b" \t");
                let code = self.number().and_then(|code| i32::try_from(code).ok()).unwrap_or(0);
                Action::Quit(code, letter == b'q')
            }
            b'b' => Action::Branch(self.label()),
            b't' => Action::BranchIf(self.label()),
            b'T' => Action::BranchUnless(self.label()),
            b'r' => Action::Read(self.file()),
            b'w' => Action::Write(self.file()),
            b's' => self.substitution()?,
            b'y' => self.translation()?,
            other => return Err(self.error(&format!("unknown command: `{}'", char::from(other)))),
        };
        self.skip(b" \t\r");
        match self.peek() {
            None | Some(b'\n' | b';' | b'}' | b'#') => Ok(action),
            Some(_) => Err(self.error("extra characters after command")),
        }
    }

    fn file(&mut self) -> Text {
        self.skip(b" \t");
        let name = self.line();
        // The line's end is looked for after.
        self.at -= usize::from(self.at > 0 && self.text.get(self.at - 1) == Some(&b'\n'));
        name
    }

    /// The text of `a`, `i` and `c`: on the same line or the ones after, joined by backslashes.
    fn text(&mut self) -> Text {
        self.skip(b" \t");
        if self.peek() == Some(b'\\') {
            self.at += 1;
            // After the backslash blanks are text, unless the line ends with them.
            let start = self.at;
            self.skip(b" \t");
            if self.peek() == Some(b'\n') {
                self.at += 1;
            } else {
                self.at = start;
            }
        }
        let mut out = Text::new();
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => out.extend(self.next()),
                b'\n' => break,
                other => out.push(other),
            }
        }
        out.push(b'\n');
        out
    }

    fn substitution(&mut self) -> Parsed<Action> {
        let Some(delimiter) = self.next().filter(|byte| *byte != b'\n' && *byte != b'\\') else {
            return Err(self.error("unterminated `s' command"));
        };
        let pattern = self.delimited(delimiter, true)?;
        let with = self.delimited(delimiter, false)?;
        let mut flags = Flags::default();
        let mut made =
            Substitution { regex: None, with: pieces(&with), all: false, number: 1, print: false, write: None };
        loop {
            match self.peek() {
                Some(b'g') => made.all = true,
                Some(b'p') => made.print = true,
                Some(b'i' | b'I') => flags.fold = true,
                Some(b'm' | b'M') => flags.lines = true,
                Some(b'0'..=b'9') => {
                    made.number = self
                        .number()
                        .and_then(|number| usize::try_from(number).ok())
                        .filter(|number| *number > 0)
                        .ok_or_else(|| self.error("number option to `s' command may not be zero"))?;
                    continue;
                }
                Some(b'w') => {
                    self.at += 1;
                    made.write = Some(self.file());
                    break;
                }
                Some(b'e') => {
                    return Err(self.error("the flag `e' starts a process, of which there are none in the sandbox"));
                }
                _ => break,
            }
            self.at += 1;
        }
        made.regex = self.regex(&pattern, flags)?;
        Ok(Action::Substitute(Box::new(made)))
    }

    fn translation(&mut self) -> Parsed<Action> {
        let Some(delimiter) = self.next() else { return Err(self.error("unterminated `y' command")) };
        let (from, to) = (self.delimited(delimiter, false)?, self.delimited(delimiter, false)?);
        let letters = |text: Text| -> Vec<char> {
            let shown = String::from_utf8_lossy(&text).replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\");
            shown.chars().collect()
        };
        let (from, to) = (letters(from), letters(to));
        if from.len() != to.len() {
            return Err(self.error("strings for `y' command are different lengths"));
        }
        Ok(Action::Translate(from.into_iter().zip(to).collect()))
    }
}

/// The byte that up to two hexadecimal digits mean, and how many there are.
fn code(digits: &[u8]) -> Option<(u8, usize)> {
    let count = digits.iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let text = std::str::from_utf8(digits.get(..count)?).ok()?;
    u8::from_str_radix(text, 16).ok().map(|byte| (byte, count))
}

/// An expression with each `\xHH` as the character itself, which is not special.
fn with_codes(pattern: &[u8]) -> Text {
    let mut out = Text::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let (next, after) = rest.split_first().map_or((b'\\', rest), |(next, after)| (*next, after));
        rest = after;
        match code(rest).filter(|_| next == b'x') {
            Some((byte, used)) => {
                if b".*[]^$\\/".contains(&byte) {
                    out.push(b'\\');
                }
                out.push(byte);
                rest = rest.get(used..).unwrap_or_default();
            }
            None => out.extend([b'\\', next]),
        }
    }
    out
}

/// What is put in: text, groups, and changes of case.
fn pieces(with: &[u8]) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    let mut text = Text::new();
    let mut bytes = with.iter();
    let mut push = |text: &mut Text, piece: Piece| {
        if !text.is_empty() {
            out.push(Piece::Text(std::mem::take(text)));
        }
        if piece != Piece::Text(Text::new()) {
            out.push(piece);
        }
    };
    while let Some(byte) = bytes.next() {
        match byte {
            b'&' => push(&mut text, Piece::Group(0)),
            b'\\' => match bytes.next() {
                Some(digit) if digit.is_ascii_digit() => push(&mut text, Piece::Group(usize::from(digit - b'0'))),
                Some(case @ (b'U' | b'L' | b'u' | b'l' | b'E')) => push(&mut text, Piece::Case(*case)),
                Some(b'n') => text.push(b'\n'),
                Some(b't') => text.push(b'\t'),
                Some(b'r') => text.push(b'\r'),
                Some(b'f') => text.push(12),
                Some(b'v') => text.push(11),
                Some(b'a') => text.push(7),
                Some(b'x') => match code(bytes.as_slice()) {
                    Some((byte, used)) => {
                        text.push(byte);
                        bytes = bytes.as_slice().get(used..).unwrap_or_default().iter();
                    }
                    None => text.push(b'x'),
                },
                Some(other) => text.push(*other),
                None => text.push(b'\\'),
            },
            other => text.push(*other),
        }
    }
    push(&mut text, Piece::Text(Text::new()));
    out
}
