//! `diff`: the normal and the unified form, of files and of trees.

mod hunks;

use std::path::Path;

use bstr::ByteSlice;
use hunks::changes;

use super::{Call, Flags, Reader, Writer};
use crate::calendar::Moment;
use crate::fs;
use crate::pattern::Pattern;
use crate::stop::{Flow, Stop, misused};
use crate::syntax::ast::Text;
use crate::task::Task;

/// What is compared lies in memory.
const ALL_MAX: usize = 64 << 20;
/// How deep trees are compared.
const DEPTH_MAX: usize = 200;

/// Which lines count as equal.
#[derive(Clone, Copy, Debug, Default)]
struct Ignore {
    case: bool,
    all_blanks: bool,
    blanks: bool,
    ends: bool,
    blank_lines: bool,
    returns: bool,
}

impl Ignore {
    /// What of a line is compared.
    fn key(self, line: &[u8]) -> Text {
        let body = line.strip_suffix(b"\n").unwrap_or(line);
        let body = if self.returns { body.strip_suffix(b"\r").unwrap_or(body) } else { body };
        let mut key = if self.all_blanks {
            body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
        } else if self.blanks {
            let mut out = Text::new();
            for byte in body.trim_end() {
                let blank = byte.is_ascii_whitespace();
                if !(blank && out.last() == Some(&b' ')) {
                    out.push(if blank { b' ' } else { *byte });
                }
            }
            out
        } else if self.ends {
            body.trim_end().to_vec()
        } else {
            body.to_vec()
        };
        if self.case {
            key.make_ascii_lowercase();
        }
        if line.ends_with(b"\n") || self.all_blanks || self.blanks || self.ends {
            key.push(b'\n');
        }
        key
    }
}

struct Diff<'a> {
    call: &'a Call<'a>,
    flags: &'a Flags,
    ignore: Ignore,
    /// Lines around a change, in the unified form.
    context: Option<usize>,
    labels: Vec<Text>,
    exclude: Vec<Pattern>,
    out: Writer,
    /// The options, as a heading repeats them.
    heading: Text,
}

#[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
pub(super) async fn diff(call: Call<'_>) -> Flow<i32> {
    let long = [
        ("unified", b'U'),
        ("brief", b'q'),
        ("recursive", b'r'),
        ("new-file", b'N'),
        ("ignore-all-space", b'w'),
        ("ignore-space-change", b'b'),
        ("ignore-trailing-space", b'Z'),
        ("ignore-case", b'i'),
        ("ignore-blank-lines", b'B'),
        ("report-identical-files", b's'),
        ("text", b'a'),
        ("label", b'L'),
        ("exclude", b'x'),
        ("strip-trailing-cr", 1),
        ("color", 2),
        ("normal", 3),
        ("no-dereference", 4),
        ("minimal", b'd'),
    ];
    let flags = Flags::parse(call.arguments, "uU:qrNwbZiBsaL:x:dpt0123456789yce\u{2}?", &long)?;
    if let Some(letter) = flags.last(b"yce") {
        return misused(format!("-{} is not available in the sandbox: use -u", char::from(letter)));
    }
    let [left, right] = flags.operands.as_slice() else {
        return misused(if flags.operands.len() < 2 { "missing operand" } else { "extra operand" });
    };
    let digits: String =
        flags.all().filter(|(letter, _)| letter.is_ascii_digit()).map(|(letter, _)| char::from(letter)).collect();
    let context = match flags.number(b'U')? {
        Some(count) => Some(count),
        None if flags.has(b'u') => Some(digits.parse().unwrap_or(3)),
        None => None,
    };
    let words: Vec<Text> = call
        .arguments
        .iter()
        .filter(|word| !flags.operands.contains(*word))
        .map(|word| if word.contains(&b' ') { crate::text::single_quoted(word) } else { word.clone() })
        .collect();
    let mut diff = Diff {
        call: &call,
        flags: &flags,
        ignore: Ignore {
            case: flags.has(b'i'),
            all_blanks: flags.has(b'w'),
            blanks: flags.has(b'b'),
            ends: flags.has(b'Z'),
            blank_lines: flags.has(b'B'),
            returns: flags.has(1),
        },
        context,
        labels: flags.values(b'L').cloned().collect(),
        exclude: flags.values(b'x').map(|text| Pattern::new(text, false)).collect(),
        out: call.writer(),
        heading: words.into_iter().fold(b"diff".to_vec(), |line, word| [line.as_slice(), b" ", &word].concat()),
    };
    let folder = |name: &Text| name != b"-" && fs::is_directory(&call.shell.path(name));
    let inside = |folder: &Text, other: &Text| {
        let name = other.rsplit_once_str("/").map_or(other.as_slice(), |(_, name)| name);
        [folder.strip_suffix(b"/").unwrap_or(folder), b"/", name].concat()
    };
    let status = match (folder(left), folder(right)) {
        (true, true) => diff.trees(left.clone(), right.clone(), 0).await?,
        (true, false) => diff.files(&inside(left, right), right, false).await?,
        (false, true) => diff.files(left, &inside(right, left), false).await?,
        _ => diff.files(left, right, false).await?,
    };
    diff.out.flush().await?;
    Ok(status)
}

impl Diff<'_> {
    async fn read(&mut self, name: &[u8], absent: bool) -> Flow<Option<Vec<u8>>> {
        if absent && !fs::exists(&self.call.shell.path(name)) {
            return Ok(Some(Vec::new()));
        }
        let stream = if name == b"-" { Ok(self.call.shell.stdin()) } else { self.call.shell.open_to_read(name) };
        match stream {
            Ok(stream) => Ok(Some(Reader::new(stream).all(ALL_MAX).await?)),
            Err(error) => {
                self.out.flush().await?;
                self.call.say(self.call.shell.refusal(name, &error, false)).await;
                Ok(None)
            }
        }
    }

    /// Compares two files: 0 equal, 1 not, 2 not readable.
    async fn files(&mut self, left: &[u8], right: &[u8], titled: bool) -> Flow<i32> {
        let absent = self.flags.has(b'N');
        let (Some(old), Some(new)) = (self.read(left, absent).await?, self.read(right, absent).await?) else {
            return Ok(2);
        };
        let (shown_left, shown_right) = (left.to_str_lossy(), right.to_str_lossy());
        if old == new {
            if self.flags.has(b's') {
                self.out.line(format!("Files {shown_left} and {shown_right} are identical").as_bytes()).await?;
            }
            return Ok(0);
        }
        let binary = |bytes: &[u8]| memchr::memchr(0, bytes.get(..bytes.len().min(8192)).unwrap_or_default()).is_some();
        if !self.flags.has(b'a') && (binary(&old) || binary(&new)) {
            let words = if self.flags.has(b'q') { "Files" } else { "Binary files" };
            self.out.line(format!("{words} {shown_left} and {shown_right} differ").as_bytes()).await?;
            return Ok(1);
        }
        let (old_lines, new_lines) = (lines(&old), lines(&new));
        let ignore = self.ignore;
        let keys = |lines: &[&[u8]]| -> Vec<Text> { lines.iter().map(|line| ignore.key(line)).collect() };
        let mut found = changes(&keys(&old_lines), &keys(&new_lines));
        if ignore.blank_lines {
            let blank = |lines: &[&[u8]]| lines.iter().all(|line| ignore.key(line).trim_ascii().is_empty());
            found.retain(|change| {
                !(blank(old_lines.get(change.old.clone()).unwrap_or_default())
                    && blank(new_lines.get(change.new.clone()).unwrap_or_default()))
            });
        }
        if found.is_empty() {
            return Ok(0);
        }
        if self.flags.has(b'q') {
            self.out.line(format!("Files {shown_left} and {shown_right} differ").as_bytes()).await?;
            return Ok(1);
        }
        if titled {
            let words = [b" ".as_slice(), left, b" ", right].concat();
            self.out.put(&self.heading.clone());
            self.out.line(&words).await?;
        }
        match self.context {
            Some(context) => {
                self.title(b"---", left, 0).await?;
                self.title(b"+++", right, 1).await?;
                hunks::unified(&mut self.out, &old_lines, &new_lines, &found, context);
            }
            None => found.iter().for_each(|change| hunks::normal(&mut self.out, &old_lines, &new_lines, change)),
        }
        self.out.step().await?;
        Ok(1)
    }

    async fn title(&mut self, mark: &[u8], name: &[u8], at: usize) -> Flow<()> {
        self.out.put(mark);
        self.out.put(b" ");
        if let Some(label) = self.labels.get(at) {
            return self.out.line(&label.clone()).await;
        }
        let path = self.call.shell.path(name);
        let time = match fs::facts(&path) {
            Ok(facts) if name != b"-" => fs::changed(&facts),
            Err(_) if name != b"-" && !fs::is_stream(&path) => std::time::Duration::ZERO,
            _ => fs::now(),
        };
        let moment = Moment::new(i64::try_from(time.as_secs()).unwrap_or(0), time.subsec_nanos());
        self.out.put(name);
        self.out.line(moment.format("\t%Y-%m-%d %H:%M:%S.%N %z").as_bytes()).await
    }

    fn trees(&mut self, left: Text, right: Text, depth: usize) -> Task<'_, Flow<i32>> {
        Box::pin(async move {
            let list = |path: &Path| fs::list(path);
            let read = |name: &Text| {
                list(&self.call.shell.path(name))
                    .map_err(|error| Stop::Failed(self.call.shell.refusal(name, &error, false), 2))
            };
            let mut names: Vec<Text> = read(&left)?.into_iter().chain(read(&right)?).map(|(name, _)| name).collect();
            names.sort();
            names.dedup();
            let mut status = 0;
            for name in names {
                if self.exclude.iter().any(|pattern| pattern.matches(&name)) {
                    continue;
                }
                let below = |base: &Text| [base.strip_suffix(b"/").unwrap_or(base), b"/", &name].concat();
                let (one, two) = (below(&left), below(&right));
                status = status.max(self.entries(one, two, (&left, &right, &name), depth).await?);
            }
            Ok(status)
        })
    }

    async fn entries(
        &mut self,
        one: Text,
        two: Text,
        (left, right, name): (&Text, &Text, &Text),
        depth: usize,
    ) -> Flow<i32> {
        let there = |path: &Text| fs::exists(&self.call.shell.path(path));
        let folder = |path: &Text| fs::is_directory(&self.call.shell.path(path));
        let (first, second) = (there(&one), there(&two));
        if first != second && !self.flags.has(b'N') {
            let base = if first { left } else { right };
            let row = format!("Only in {}: {}", base.to_str_lossy(), name.to_str_lossy());
            self.out.line(row.as_bytes()).await?;
            return Ok(1);
        }
        match (folder(&one), folder(&two)) {
            (true, true) if !self.flags.has(b'r') => {
                let row = format!("Common subdirectories: {} and {}", one.to_str_lossy(), two.to_str_lossy());
                self.out.line(row.as_bytes()).await?;
                Ok(0)
            }
            (true, true) if depth < DEPTH_MAX => self.trees(one, two, depth + 1).await,
            (false, false) => self.files(&one, &two, true).await,
            (is_folder, _) => {
                let other = if is_folder { &two } else { &one };
                let empty = std::fs::metadata(self.call.shell.path(other)).is_ok_and(|facts| facts.len() == 0);
                let file = if empty { "regular empty file" } else { "regular file" };
                let kinds = if is_folder { ["directory", file] } else { [file, "directory"] };
                let row = format!(
                    "File {} is a {} while file {} is a {}",
                    one.to_str_lossy(),
                    kinds[0],
                    two.to_str_lossy(),
                    kinds[1]
                );
                self.out.line(row.as_bytes()).await?;
                Ok(1)
            }
        }
    }
}

/// The lines, each with its end.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}
