//! From words to the expression.

use std::rc::Rc;
use std::time::Duration;

use bstr::ByteSlice;

use super::test::{Options, Ordering, Test};
use crate::command::Call;
use crate::fs;
use crate::pattern::Pattern;
use crate::regex::Regex;
use crate::stop::{Flow, Stop, failed};
use crate::syntax::ast::Text;

pub(super) struct Parser<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) words: &'a [Text],
    pub(super) at: usize,
    pub(super) options: Options,
    pub(super) depth: usize,
    pub(super) extended: bool,
}

impl Parser<'_> {
    fn value(&mut self, of: &[u8]) -> Flow<Text> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word.ok_or_else(|| Stop::Failed(format!("missing argument to `{}'", of.to_str_lossy()), 1))
    }

    pub(super) fn list(&mut self) -> Flow<Test> {
        let mut left = self.any()?;
        while self.words.get(self.at).is_some_and(|word| word == b",") {
            self.at += 1;
            left = Test::Both(Box::new(left), Box::new(self.any()?));
        }
        Ok(left)
    }

    /// `-perm MODE`, `-perm -MODE`, `-perm /MODE`: octal digits, or letters of which all are looked for.
    fn permission(&mut self, word: &[u8]) -> Flow<Test> {
        let text = self.value(word)?;
        let (kind, rest) = match text.split_first() {
            Some((b'-', rest)) => (Some(true), rest),
            Some((b'/', rest)) => (Some(false), rest),
            _ => (None, text.as_slice()),
        };
        let shown = rest.to_str_lossy();
        let bits = u32::from_str_radix(&shown, 8).ok().or_else(|| crate::command::make::symbolic(&shown, 0));
        match bits {
            Some(bits) => Ok(Test::Mode(kind, bits)),
            None => failed(format!("invalid mode '{}'", text.to_str_lossy())),
        }
    }

    fn any(&mut self) -> Flow<Test> {
        let mut left = self.all()?;
        while self.words.get(self.at).is_some_and(|word| word == b"-o" || word == b"-or") {
            self.at += 1;
            left = Test::Or(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Flow<Test> {
        let mut left = self.one()?;
        while let Some(word) = self.words.get(self.at) {
            match word.as_slice() {
                b"-o" | b"-or" | b")" | b"," => break,
                b"-a" | b"-and" => self.at += 1,
                _ => {}
            }
            left = Test::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn number(&mut self, of: &[u8]) -> Flow<usize> {
        let text = self.value(of)?;
        text.to_str_lossy().parse().map_err(|_| {
            Stop::Failed(
                format!(
                    "Expected a positive decimal integer argument to {}, but got '{}'",
                    of.to_str_lossy(),
                    text.to_str_lossy()
                ),
                1,
            )
        })
    }

    #[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
    fn one(&mut self) -> Flow<Test> {
        let Some(word) = self.words.get(self.at).cloned() else { return failed("expected an expression") };
        self.at += 1;
        self.depth += 1;
        if self.depth > 400 {
            return failed("the expression is too long");
        }
        let pattern = |text: Text, fold: bool| Pattern::new(&text, fold);
        Ok(match word.as_slice() {
            b"(" => {
                let inner = self.list()?;
                if self.value(b"(")? != b")" {
                    return failed("missing closing ')'");
                }
                inner
            }
            b"!" | b"-not" => Test::Not(Box::new(self.one()?)),
            b"-name" => Test::Name(pattern(self.value(&word)?, false)),
            b"-iname" => Test::Name(pattern(self.value(&word)?, true)),
            b"-path" | b"-wholename" => Test::Path(pattern(self.value(&word)?, false)),
            b"-ipath" | b"-iwholename" => Test::Path(pattern(self.value(&word)?, true)),
            b"-regex" | b"-iregex" => {
                let text = self.value(&word)?;
                let (open, close): (&[u8], &[u8]) = if self.extended { (b"^(", b")$") } else { (b"^\\(", b"\\)$") };
                let regex = Regex::posix(
                    &[open, text.as_slice(), close].concat(),
                    self.extended,
                    crate::regex::Flags { fold: word == b"-iregex", lines: false },
                );
                Test::Regex(Rc::new(regex.map_err(|error| Stop::Failed(error, 1))?))
            }
            b"-regextype" => {
                self.extended = self.value(&word)?.contains_str("extended");
                Test::True
            }
            b"-type" | b"-xtype" => {
                let kinds = self.value(&word)?;
                if let Some(bad) = kinds
                    .split(|byte| *byte == b',')
                    .find(|kind| !matches!(kind, [b'b' | b'c' | b'd' | b'p' | b'f' | b'l' | b's']))
                {
                    return failed(format!("Unknown argument to -type: {}", bad.to_str_lossy()));
                }
                if word == b"-type" { Test::Kind(kinds) } else { Test::Target(kinds) }
            }
            b"-lname" => Test::Link(pattern(self.value(&word)?, false)),
            b"-ilname" => Test::Link(pattern(self.value(&word)?, true)),
            b"-perm" => self.permission(&word)?,
            b"-user" | b"-group" => {
                let name = self.value(&word)?;
                if name == b"root" || name == b"0" { Test::True } else { Test::False }
            }
            b"-empty" => Test::Empty,
            b"-size" => self.size(&word)?,
            b"-mtime" | b"-atime" | b"-ctime" => self.age(&word, 86_400)?,
            b"-mmin" | b"-amin" | b"-cmin" => self.age(&word, 60)?,
            b"-newer" | b"-anewer" => {
                let name = self.value(&word)?;
                match std::fs::metadata(self.call.shell.path(&name)) {
                    Ok(facts) => Test::Newer(fs::changed(&facts)),
                    Err(error) => return failed(self.call.shell.refusal(&name, &error, false)),
                }
            }
            b"-newermt" => {
                let text = self.value(&word)?;
                let now = crate::calendar::Moment::new(i64::try_from(fs::now().as_secs()).unwrap_or(0), 0);
                let Some(moment) = crate::calendar::Moment::parse(&text.to_str_lossy(), now) else {
                    return failed("I cannot figure out how to interpret the date");
                };
                Test::Newer(Duration::from_secs(u64::try_from(moment.seconds).unwrap_or(0)))
            }
            b"-maxdepth" => {
                self.options.most = Some(self.number(&word)?);
                Test::True
            }
            b"-mindepth" => {
                self.options.least = self.number(&word)?;
                Test::True
            }
            b"-depth" => {
                self.options.depth_first = true;
                Test::True
            }
            b"-follow" => {
                self.options.follow = true;
                Test::True
            }
            b"-true" | b"-mount" | b"-xdev" | b"-noleaf" | b"-readable" | b"-writable" => Test::True,
            b"-false" => Test::False,
            b"-executable" => Test::Not(Box::new(Test::Kind(b"f".to_vec()))),
            b"-prune" => Test::Prune,
            b"-print" => self.act(Test::Print(b'\n')),
            b"-print0" => self.act(Test::Print(0)),
            b"-printf" => {
                let text = self.value(&word)?;
                self.act(Test::Printf(text))
            }
            b"-delete" => {
                self.options.depth_first = true;
                self.act(Test::Delete)
            }
            b"-quit" => self.act(Test::Quit),
            b"-exec" | b"-execdir" => self.exec(&word)?,
            // Nobody is there to say yes.
            b"-ok" | b"-okdir" => {
                self.exec(&word)?;
                Test::False
            }
            _ => return failed(format!("unknown predicate `{}'", word.to_str_lossy())),
        })
    }

    fn act(&mut self, test: Test) -> Test {
        self.options.acts = true;
        test
    }

    fn exec(&mut self, word: &[u8]) -> Flow<Test> {
        let mut command = Vec::new();
        loop {
            let part = self.value(word)?;
            if part == b";" {
                break;
            }
            if part == b"+" && command.last().is_some_and(|last: &Text| last == b"{}") {
                command.pop();
                let batch = Some(self.options.batches);
                self.options.batches += 1;
                return Ok(self.act(Test::Exec { command, batch, directory: false }));
            }
            command.push(part);
        }
        if command.is_empty() {
            return failed(format!("invalid argument `;' to `{}'", word.to_str_lossy()));
        }
        Ok(self.act(Test::Exec { command, batch: None, directory: word == b"-execdir" }))
    }

    fn bound(&mut self, word: &[u8]) -> Flow<(Ordering, String)> {
        let text = self.value(word)?.to_str_lossy().into_owned();
        Ok(match text.split_at_checked(1) {
            Some(("+", rest)) => (Ordering::More, rest.to_owned()),
            Some(("-", rest)) => (Ordering::Less, rest.to_owned()),
            _ => (Ordering::Equal, text),
        })
    }

    fn size(&mut self, word: &[u8]) -> Flow<Test> {
        let (order, text) = self.bound(word)?;
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = match text.get(digits.len()..) {
            Some("c") => 1,
            Some("w") => 2,
            Some("k") => 1 << 10,
            Some("M") => 1 << 20,
            Some("G") => 1 << 30,
            _ => 512,
        };
        match digits.parse() {
            Ok(count) => Ok(Test::Size(order, count, unit)),
            Err(_) => failed(format!("invalid argument `{text}' to `-size'")),
        }
    }

    fn age(&mut self, word: &[u8], unit: u64) -> Flow<Test> {
        let (order, text) = self.bound(word)?;
        match text.parse() {
            Ok(count) => Ok(Test::Age(order, count, unit)),
            Err(_) => failed(format!("invalid argument `{text}' to `{}'", word.to_str_lossy())),
        }
    }
}
