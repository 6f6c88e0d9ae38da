//! `find`

use std::fs::Metadata;
use std::rc::Rc;
use std::time::Duration;

use bstr::ByteSlice;

use super::{Call, Writer};
use crate::fs;
use crate::pattern::Pattern;
use crate::regex::Regex;
use crate::stop::{Flow, Stop, failed};
use crate::syntax::ast::Text;
use crate::task::{self, Task};

/// How deep a tree is followed.
const DEPTH_MAX: usize = 200;

/// A part of the expression.
enum Test {
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
    Name(Pattern),
    Path(Pattern),
    Regex(Rc<Regex>),
    Kind(Text),
    /// The kind of what a link leads to.
    Target(Text),
    Link(Pattern),
    /// The permission bits: all of these, any of these, or just these.
    Mode(Option<bool>, u32),
    /// Both, and the second one counts.
    Both(Box<Test>, Box<Test>),
    Empty,
    Size(Ordering, u64, u64),
    /// By age in units of that many seconds.
    Age(Ordering, u64, u64),
    Newer(Duration),
    True,
    False,
    Print(u8),
    Printf(Text),
    Prune,
    Delete,
    Quit,
    Exec {
        command: Vec<Text>,
        batch: Option<usize>,
        directory: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ordering {
    Less,
    Equal,
    More,
}

impl Ordering {
    fn holds(self, value: u64, bound: u64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::Equal => value == bound,
            Self::More => value > bound,
        }
    }
}

#[derive(Default)]
struct Options {
    least: usize,
    most: Option<usize>,
    depth_first: bool,
    follow: bool,
    acts: bool,
    batches: usize,
}

struct Parser<'a> {
    call: &'a Call<'a>,
    words: &'a [Text],
    at: usize,
    options: Options,
    depth: usize,
    extended: bool,
}

impl Parser<'_> {
    fn value(&mut self, of: &[u8]) -> Flow<Text> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word.ok_or_else(|| Stop::Failed(format!("missing argument to `{}'", of.to_str_lossy()), 1))
    }

    fn list(&mut self) -> Flow<Test> {
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
        let bits = u32::from_str_radix(&shown, 8).ok().or_else(|| super::make::symbolic(&shown, 0));
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

pub(super) async fn find(call: Call<'_>) -> Flow<i32> {
    let mut words = call.arguments;
    let mut follow = false;
    while let Some((first, rest)) = words.split_first() {
        match first.as_slice() {
            b"-L" | b"-H" => follow = true,
            b"-P" => {}
            _ => break,
        }
        words = rest;
    }
    let starts =
        words.iter().position(|word| word.starts_with(b"-") || word == b"(" || word == b"!").unwrap_or(words.len());
    let (roots, words) = words.split_at(starts);
    let roots = if roots.is_empty() { vec![b".".to_vec()] } else { roots.to_vec() };
    let mut parser = Parser {
        call: &call,
        words,
        at: 0,
        options: Options { follow, ..Options::default() },
        depth: 0,
        extended: false,
    };
    let test = if words.is_empty() { Test::True } else { parser.list()? };
    if parser.at < words.len() {
        return failed("you have too many ')'");
    }
    let options = parser.options;
    let test = if options.acts { test } else { Test::And(Box::new(test), Box::new(Test::Print(b'\n'))) };
    let batches = (0..options.batches).map(|_| Vec::new()).collect();
    let out = call.writer();
    let mut walk = Walk { call, options, out, batches, status: 0, quit: false, prune: false };
    for root in roots {
        if walk.quit {
            break;
        }
        walk.visit(&root, &root, &test, 0).await?;
    }
    walk.flush_batches(&test).await?;
    walk.out.flush().await?;
    Ok(walk.status)
}

struct Walk<'a> {
    call: Call<'a>,
    options: Options,
    out: Writer,
    batches: Vec<Vec<Text>>,
    status: i32,
    quit: bool,
    prune: bool,
}

struct Item<'a> {
    path: &'a [u8],
    root: &'a [u8],
    facts: Metadata,
    depth: usize,
}

impl Walk<'_> {
    fn visit<'a>(&'a mut self, path: &'a [u8], root: &'a [u8], test: &'a Test, depth: usize) -> Task<'a, Flow<()>> {
        Box::pin(async move {
            task::breathe().await;
            let real = self.call.shell.path(path);
            let facts = if self.options.follow {
                std::fs::metadata(&real).or_else(|_| std::fs::symlink_metadata(&real))
            } else {
                std::fs::symlink_metadata(&real)
            };
            let facts = match facts {
                Ok(facts) => facts,
                Err(error) => {
                    self.out.flush().await?;
                    let text = self.call.shell.refusal(path, &error, false);
                    let rest = text.get(path.to_str_lossy().len()..).unwrap_or_default().to_owned();
                    self.call.say(format!("‘{}’{rest}", path.to_str_lossy())).await;
                    self.status = 1;
                    return Ok(());
                }
            };
            let folder = facts.is_dir();
            let item = Item { path, root, facts, depth };
            self.prune = false;
            if !self.options.depth_first && depth >= self.options.least {
                self.holds(test, &item).await?;
            }
            let pruned = std::mem::take(&mut self.prune);
            if folder && !pruned && !self.quit && depth < self.options.most.unwrap_or(DEPTH_MAX).min(DEPTH_MAX) {
                match fs::list(&real) {
                    Ok(mut entries) => {
                        entries.sort();
                        for (name, _) in entries {
                            let inner = [path.strip_suffix(b"/").unwrap_or(path), b"/", &name].concat();
                            self.visit(&inner, root, test, depth + 1).await?;
                            if self.quit {
                                return Ok(());
                            }
                        }
                    }
                    Err(error) => {
                        self.call.say(self.call.shell.refusal(path, &error, false)).await;
                        self.status = 1;
                    }
                }
            }
            if self.options.depth_first && depth >= self.options.least && !self.quit {
                self.holds(test, &item).await?;
            }
            Ok(())
        })
    }

    #[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
    fn holds<'a>(&'a mut self, test: &'a Test, item: &'a Item<'a>) -> Task<'a, Flow<bool>> {
        Box::pin(async move {
            Ok(match test {
                Test::And(left, right) => {
                    self.holds(left, item).await? && !self.quit && self.holds(right, item).await?
                }
                Test::Or(left, right) => self.holds(left, item).await? || !self.quit && self.holds(right, item).await?,
                Test::Not(inner) => !self.holds(inner, item).await?,
                Test::Name(pattern) => pattern.matches(name_of(item.path)),
                Test::Path(pattern) => pattern.matches(item.path),
                Test::Regex(regex) => regex.is_match(item.path),
                Test::Kind(kinds) => kinds.split(|byte| *byte == b',').any(|kind| is_kind(kind, &item.facts)),
                Test::Target(kinds) => {
                    let target = std::fs::metadata(self.call.shell.path(item.path));
                    let facts = target.as_ref().unwrap_or(&item.facts);
                    kinds.split(|byte| *byte == b',').any(|kind| is_kind(kind, facts))
                }
                Test::Link(pattern) => {
                    let target = std::fs::read_link(self.call.shell.path(item.path));
                    target.is_ok_and(|target| pattern.matches(target.to_string_lossy().as_bytes()))
                }
                Test::Mode(kind, bits) => {
                    let mode = fs::mode(&item.facts);
                    match kind {
                        None => mode == *bits,
                        Some(true) => mode & bits == *bits,
                        Some(false) => *bits == 0 || mode & bits != 0,
                    }
                }
                Test::Both(left, right) => {
                    self.holds(left, item).await?;
                    !self.quit && self.holds(right, item).await?
                }
                Test::Empty if item.facts.is_dir() => {
                    fs::list(&self.call.shell.path(item.path)).is_ok_and(|all| all.is_empty())
                }
                Test::Empty => item.facts.is_file() && item.facts.len() == 0,
                Test::Size(order, count, unit) => order.holds(item.facts.len().div_ceil(*unit), *count),
                Test::Age(order, count, unit) => {
                    let age = fs::now().saturating_sub(fs::changed(&item.facts)).as_secs();
                    order.holds(age / unit, *count)
                }
                Test::Newer(time) => fs::changed(&item.facts) > *time,
                Test::True => true,
                Test::False => false,
                Test::Print(end) => {
                    self.out.put(item.path);
                    self.out.put(&[*end]);
                    self.out.step().await?;
                    true
                }
                Test::Printf(layout) => {
                    let text = printed(layout, item);
                    self.out.put(&text);
                    true
                }
                Test::Prune => {
                    self.prune = true;
                    true
                }
                Test::Quit => {
                    self.quit = true;
                    true
                }
                Test::Delete => self.delete(item).await?,
                Test::Exec { command, batch: None, directory } => self.exec(command, item.path, *directory).await?,
                Test::Exec { batch: Some(number), .. } => {
                    let full = self.batches.get_mut(*number).is_some_and(|batch| {
                        batch.push(item.path.to_vec());
                        batch.len() >= 2000
                    });
                    if full {
                        self.flush_batches(test).await?;
                    }
                    true
                }
            })
        })
    }

    async fn delete(&mut self, item: &Item<'_>) -> Flow<bool> {
        if item.path == b"." {
            return Ok(true);
        }
        let path = self.call.shell.path(item.path);
        let removed = if item.facts.is_dir() { std::fs::remove_dir(path) } else { std::fs::remove_file(path) };
        if let Err(error) = removed {
            self.call.say(format!("cannot delete {}", self.call.shell.refusal(item.path, &error, true))).await;
            self.status = 1;
            return Ok(false);
        }
        Ok(true)
    }

    async fn run(&mut self, arguments: Vec<Text>) -> Flow<i32> {
        self.out.flush().await?;
        let functions = std::mem::take(&mut self.call.shell.functions);
        let outcome = self.call.shell.dispatch(arguments, &[]).await;
        self.call.shell.functions = functions;
        match outcome {
            Err(Stop::Exit(status)) => Ok(status),
            Err(other) => Err(other),
            Ok(()) => Ok(self.call.shell.status),
        }
    }

    async fn exec(&mut self, command: &[Text], path: &[u8], directory: bool) -> Flow<bool> {
        if directory {
            let (folder, name) = path.rsplit_once_str("/").unwrap_or((b".", path));
            let before = self.call.shell.directory.clone();
            self.call.shell.directory = self.call.shell.absolute(folder);
            let name = [b"./", name].concat();
            let arguments = command.iter().map(|part| part.replace("{}", &name)).collect();
            let status = self.run(arguments).await;
            self.call.shell.directory = before;
            return Ok(status? == 0);
        }
        let arguments = command.iter().map(|part| part.replace("{}", path)).collect();
        Ok(self.run(arguments).await? == 0)
    }

    /// Runs the commands of `-exec … +` with what has been gathered.
    fn flush_batches<'a>(&'a mut self, test: &'a Test) -> Task<'a, Flow<()>> {
        Box::pin(async move {
            match test {
                Test::And(left, right) | Test::Or(left, right) | Test::Both(left, right) => {
                    self.flush_batches(left).await?;
                    self.flush_batches(right).await?;
                }
                Test::Not(inner) => self.flush_batches(inner).await?,
                Test::Exec { command, batch: Some(number), .. } => {
                    let paths = self.batches.get_mut(*number).map(std::mem::take).unwrap_or_default();
                    if !paths.is_empty() {
                        let arguments = command.iter().cloned().chain(paths).collect();
                        if self.run(arguments).await? != 0 {
                            self.status = 1;
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        })
    }
}

fn name_of(path: &[u8]) -> &[u8] {
    let trimmed = path.trim_end_with(|letter| letter == '/');
    let trimmed = if trimmed.is_empty() { path } else { trimmed };
    trimmed.rsplit_once_str("/").map_or(trimmed, |(_, name)| if name.is_empty() { trimmed } else { name })
}

fn is_kind(kind: &[u8], facts: &Metadata) -> bool {
    match kind {
        b"f" => facts.is_file(),
        b"d" => facts.is_dir(),
        b"l" => facts.is_symlink(),
        _ => false,
    }
}

fn printed(layout: &[u8], item: &Item<'_>) -> Text {
    let layout = crate::escape::expand(layout, crate::escape::Style::Printf).0;
    let mut out = Text::new();
    let mut bytes = layout.iter();
    let changed = fs::changed(&item.facts);
    let moment = crate::calendar::Moment::new(i64::try_from(changed.as_secs()).unwrap_or(0), changed.subsec_nanos());
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(b'p') => out.extend_from_slice(item.path),
            Some(b'f') => out.extend_from_slice(name_of(item.path)),
            Some(b'h') => out.extend_from_slice(item.path.rsplit_once_str("/").map_or(&b"."[..], |(folder, _)| folder)),
            Some(b'P') => {
                let rest = item.path.strip_prefix(item.root).unwrap_or_default();
                out.extend_from_slice(rest.strip_prefix(b"/").unwrap_or(rest));
            }
            Some(b's') => out.extend_from_slice(item.facts.len().to_string().as_bytes()),
            Some(b'd') => out.extend_from_slice(item.depth.to_string().as_bytes()),
            Some(b'm') => out.extend_from_slice(format!("{:o}", fs::mode(&item.facts)).as_bytes()),
            Some(b'u' | b'g') => out.extend_from_slice(b"root"),
            Some(b'y') => out.push(if item.facts.is_dir() {
                b'd'
            } else if item.facts.is_symlink() {
                b'l'
            } else {
                b'f'
            }),
            Some(b't') => out.extend_from_slice(moment.format("%a %b %e %H:%M:%S.%N %Y").as_bytes()),
            Some(b'T') => {
                let kind = bytes.next().copied().unwrap_or(b'@');
                let text = match kind {
                    b'@' => format!("{}.{:09}0", moment.seconds, moment.nanoseconds),
                    b'+' => moment.format("%Y-%m-%d+%H:%M:%S.%N0"),
                    other => moment.format(&format!("%{}", char::from(other))),
                };
                out.extend_from_slice(text.as_bytes());
            }
            Some(b'%') => out.push(b'%'),
            Some(other) => out.extend([b'%', *other]),
            None => out.push(b'%'),
        }
    }
    out
}
