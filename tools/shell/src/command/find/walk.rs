//! Walking the tree: which names the expression holds for, and what it does with them.

use std::fs::Metadata;

use bstr::ByteSlice;

use super::DEPTH_MAX;
use super::printf::printed;
use super::test::{Options, Test};
use crate::command::{Call, Writer};
use crate::fs;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;
use crate::task::{self, Task};

pub(super) struct Walk<'a> {
    pub(super) call: Call<'a>,
    pub(super) options: Options,
    pub(super) out: Writer,
    pub(super) batches: Vec<Vec<Text>>,
    pub(super) status: i32,
    pub(super) quit: bool,
    pub(super) prune: bool,
}

pub(super) struct Item<'a> {
    pub(super) path: &'a [u8],
    pub(super) root: &'a [u8],
    pub(super) facts: Metadata,
    pub(super) depth: usize,
}

impl Walk<'_> {
    pub(super) fn visit<'a>(
        &'a mut self,
        path: &'a [u8],
        root: &'a [u8],
        test: &'a Test,
        depth: usize,
    ) -> Task<'a, Flow<()>> {
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
    pub(super) fn flush_batches<'a>(&'a mut self, test: &'a Test) -> Task<'a, Flow<()>> {
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

pub(super) fn name_of(path: &[u8]) -> &[u8] {
    let trimmed = path.trim_end_with(|letter| letter == '/');
    let trimmed = if trimmed.is_empty() { path } else { trimmed };
    trimmed.rsplit_once_str("/").map_or(trimmed, |(_, name)| if name.is_empty() { trimmed } else { name })
}

pub(super) fn is_kind(kind: &[u8], facts: &Metadata) -> bool {
    match kind {
        b"f" => facts.is_file(),
        b"d" => facts.is_dir(),
        b"l" => facts.is_symlink(),
        _ => false,
    }
}
