//! `[[ … ]]`, and the questions that `test` asks too.

use std::path::Path;

use bstr::ByteSlice;

use crate::fs;
use crate::pattern::Pattern;
use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::{Test, Text};
use crate::task::Task;
use crate::variable::Value;

impl Shell {
    pub(super) fn run_test<'a>(&'a mut self, test: &'a Test) -> Task<'a, Flow<bool>> {
        Box::pin(async move {
            Ok(match test {
                Test::Word(word) => !self.expand_text(word).await?.is_empty(),
                Test::Not(inner) => !self.run_test(inner).await?,
                Test::And(left, right) => self.run_test(left).await? && self.run_test(right).await?,
                Test::Or(left, right) => self.run_test(left).await? || self.run_test(right).await?,
                Test::Unary(flag, word) => {
                    let text = self.expand_text(word).await?;
                    self.unary_test(flag, &text)?
                }
                Test::Binary(left, operator, right) => {
                    let left = self.expand_text(left).await?;
                    let fold = self.options.has("nocasematch");
                    match operator.as_slice() {
                        b"=" | b"==" | b"!=" => {
                            let pattern = self.expand_pattern(right).await?;
                            Pattern::new(&pattern, fold).matches(&left) == (operator != b"!=")
                        }
                        b"=~" => {
                            let pattern = self.expand_regex(right).await?;
                            self.match_regex(&left, &pattern, fold)?
                        }
                        b"-eq" | b"-ne" | b"-lt" | b"-le" | b"-gt" | b"-ge" => {
                            let right = self.expand_text(right).await?;
                            let (left, right) = (self.arithmetic(&left)?, self.arithmetic(&right)?);
                            compare(operator, left, right)
                        }
                        _ => {
                            let right = self.expand_text(right).await?;
                            self.binary_test(&left, operator, &right)?
                        }
                    }
                }
            })
        })
    }

    fn match_regex(&mut self, text: &[u8], pattern: &[u8], fold: bool) -> Flow<bool> {
        let regex = crate::regex::Regex::extended(pattern, fold)
            .map_err(|error| Stop::Failed(format!("invalid regular expression: {error}"), 2))?;
        let found = regex.captures(text, 0);
        let groups: Vec<Option<Text>> = found
            .iter()
            .flatten()
            .map(|range| range.as_ref().map(|range| text.get(range.clone()).unwrap_or_default().to_vec()))
            .collect();
        let list = groups.into_iter().zip(0..).map(|(group, at)| (at, group.unwrap_or_default())).collect();
        self.change(b"BASH_REMATCH", |variable| variable.value = Value::Indexed(list));
        Ok(found.is_some())
    }

    /// A question about one operand.
    pub(crate) fn unary_test(&mut self, flag: &[u8], text: &[u8]) -> Flow<bool> {
        let path = self.path(text);
        let there = !text.is_empty();
        Ok(match flag {
            b"-z" => text.is_empty(),
            b"-n" => there,
            b"-e" | b"-a" => there && (self.is_device(text) || path.exists()),
            b"-f" => there && fs::facts(&path).is_ok_and(|facts| facts.is_file()),
            b"-d" => there && fs::is_directory(&path),
            b"-r" | b"-w" => there && (self.is_device(text) || path.exists()),
            b"-x" => there && is_executable(&path),
            b"-s" => there && fs::facts(&path).is_ok_and(|facts| facts.len() > 0),
            b"-L" | b"-h" => there && std::fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_symlink()),
            b"-O" | b"-G" | b"-N" => there && path.exists(),
            b"-p" | b"-S" | b"-b" | b"-g" | b"-u" | b"-k" | b"-t" => false,
            b"-c" => self.is_device(text),
            b"-v" => self.is_set(text)?,
            b"-R" => self.variables.get(text).is_some_and(|variable| variable.reference),
            b"-o" => self.options.has(&text.to_str_lossy()),
            _ => return Err(Stop::Failed(format!("{}: unary operator expected", flag.to_str_lossy()), 2)),
        })
    }

    fn is_device(&self, text: &[u8]) -> bool {
        matches!(text, b"/dev/null" | b"/dev/zero" | b"/dev/urandom" | b"/dev/random" | b"/dev/tty")
            || text.starts_with(b"/dev/std")
            || text.strip_prefix(b"/dev/fd/").is_some_and(|number| {
                number
                    .to_str()
                    .ok()
                    .and_then(|number| number.parse().ok())
                    .is_some_and(|number| self.stream(number).is_some())
            })
    }

    /// Whether a variable, or an element of one, has a value.
    pub(crate) fn is_set(&mut self, text: &[u8]) -> Flow<bool> {
        if let Some(open) = text.find_byte(b'[')
            && text.ends_with(b"]")
        {
            let (name, inside) =
                (text.get(..open).unwrap_or_default(), text.get(open + 1..text.len() - 1).unwrap_or_default());
            if inside == b"@" || inside == b"*" {
                return Ok(self.variable(name).is_some_and(|variable| !variable.values().is_empty()));
            }
            return Ok(self.element(name, inside)?.is_some());
        }
        if let Ok(number) = text.to_str_lossy().parse::<usize>() {
            return Ok(number == 0 || number <= self.arguments.len());
        }
        Ok(self.value(text).is_some())
    }

    /// A question about two operands.
    pub(crate) fn binary_test(&mut self, left: &[u8], operator: &[u8], right: &[u8]) -> Flow<bool> {
        let changed = |path: &Path| std::fs::metadata(path).map(|facts| fs::changed(&facts)).ok();
        Ok(match operator {
            b"=" | b"==" => left == right,
            b"!=" => left != right,
            b"<" => left < right,
            b">" => left > right,
            b"-nt" => changed(&self.path(left)) > changed(&self.path(right)),
            b"-ot" => changed(&self.path(left)) < changed(&self.path(right)),
            b"-ef" => self.path(left) == self.path(right) && self.path(left).exists(),
            b"-eq" | b"-ne" | b"-lt" | b"-le" | b"-gt" | b"-ge" => {
                let number = |text: &[u8]| {
                    let shown = text.to_str_lossy();
                    shown
                        .trim()
                        .parse::<i64>()
                        .map_err(|_| Stop::Failed(format!("{shown}: integer expression expected"), 2))
                };
                compare(operator, number(left)?, number(right)?)
            }
            _ => return Err(Stop::Failed(format!("{}: binary operator expected", operator.to_str_lossy()), 2)),
        })
    }
}

fn compare(operator: &[u8], left: i64, right: i64) -> bool {
    match operator {
        b"-eq" => left == right,
        b"-ne" => left != right,
        b"-lt" => left < right,
        b"-le" => left <= right,
        b"-gt" => left > right,
        _ => left >= right,
    }
}

/// There are no permission bits: directories can be entered, and files that begin with `#!` can be run.
pub(crate) fn is_executable(path: &Path) -> bool {
    use std::io::Read;
    let mut start = [0; 2];
    fs::is_directory(path)
        || std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"#!"
}
