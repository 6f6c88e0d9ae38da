//! Functions, commands that are no builtins, and scripts.

use std::rc::Rc;

use bstr::ByteSlice;

use crate::command;
use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::syntax;
use crate::syntax::ast::{Command, Text};
use crate::task::Task;

/// How large a script may be.
const SCRIPT_MAX: usize = 16 * 1024 * 1024;

impl Shell {
    /// Calls a function.
    pub(super) async fn call_function(&mut self, function: &Rc<Command>, mut arguments: Vec<Text>) -> Flow<()> {
        let name = if arguments.is_empty() { Text::new() } else { arguments.remove(0) };
        let before = std::mem::replace(&mut self.arguments, Rc::new(arguments));
        let loops = std::mem::take(&mut self.loops);
        self.calls.push(name);
        self.scopes.push(Vec::new());
        let line = self.line;
        let outer = self.take_return_trap();
        let outcome = self.run_command(function).await;
        self.line = line;
        self.return_trap(outer).await;
        self.leave_scope();
        self.calls.pop();
        self.loops = loops;
        self.arguments = before;
        match outcome {
            Err(Stop::Return(status)) => {
                self.status = status;
                Ok(())
            }
            other => other,
        }
    }

    /// Runs a command that works on streams and files, or a script, or says that there is no such thing.
    pub(crate) async fn run_other(&mut self, arguments: Vec<Text>) -> Flow<()> {
        let Some((name, rest)) = arguments.split_first() else { return Ok(()) };
        let bare = command_name(name);
        if command::is_known(bare) {
            let outcome = match command::start(self, bare, rest) {
                Some(task) => task.await,
                None => Ok(127),
            };
            let outcome = match outcome {
                Err(Stop::Pipe) => self.broke(),
                other => other,
            };
            return self.finish(bare, outcome).await;
        }
        if name.contains(&b'/') {
            return self.run_file(name, rest).await;
        }
        let (message, status) = command::missing(name);
        self.complain(message).await;
        self.status = status;
        Ok(())
    }

    /// Runs a file as a script, in a subshell.
    async fn run_file(&mut self, name: &[u8], arguments: &[Text]) -> Flow<()> {
        let refused = |status: i32, message: String| (status, format!("{}: {message}", crate::text::shown(name)));
        let path = self.path(name);
        let (status, message) = if crate::fs::is_directory(&path) {
            refused(126, "Is a directory".to_owned())
        } else {
            match std::fs::read(&path) {
                Ok(text) => match interpreter(&text) {
                    Ok(()) => return self.run_text(&text, name, arguments).await,
                    Err(other) => refused(126, format!("its interpreter {other} is not available in the sandbox")),
                },
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => (127, self.refusal(name, &error, false)),
                Err(error) => (126, self.refusal(name, &error, false)),
            }
        };
        self.complain(message).await;
        self.status = status;
        Ok(())
    }

    /// Runs text as a script of its own: in a subshell that has only what is exported.
    pub(crate) async fn run_text(&mut self, text: &[u8], name: &[u8], arguments: &[Text]) -> Flow<()> {
        let mut inner = self.inner()?;
        inner.level = 0;
        inner.name = name.to_vec();
        inner.arguments = Rc::new(arguments.to_vec());
        inner.options = crate::shell::Options::default();
        inner.functions = Rc::default();
        inner.scopes = Vec::new();
        inner.calls = Vec::new();
        inner.tested = 0;
        let keep: [&[u8]; 9] =
            [b"IFS", b"OPTIND", b"OPTERR", b"PS4", b"BASH", b"BASH_VERSION", b"HOSTNAME", b"OSTYPE", b"UID"];
        Rc::make_mut(&mut inner.variables)
            .retain(|name, variable| variable.exported || keep.contains(&name.as_slice()));
        inner.set(b"IFS", *b" \t\n");
        let outcome = inner.run_source(text).await;
        self.status = inner.end(outcome).await?;
        Ok(())
    }

    /// Parses and runs text in this shell.
    pub(crate) fn run_source<'a>(&'a mut self, text: &'a [u8]) -> Task<'a, Flow<()>> {
        Box::pin(async move {
            if text.len() > SCRIPT_MAX {
                return Err(Stop::Limit(format!("a script of more than {SCRIPT_MAX} bytes")));
            }
            match syntax::parse(text, 1) {
                Ok(script) if self.options.has("noexec") => {
                    drop(script);
                    Ok(())
                }
                Ok(script) => self.run_lines(&script).await,
                Err(problem) => {
                    // What stands before the line with the error runs, as it would if it were read line by line.
                    if let Some(before) = lines_before(text, problem.line)
                        && let Ok(script) = syntax::parse(before, 1)
                    {
                        self.run_lines(&script).await?;
                    }
                    self.line = problem.line;
                    self.complain(&problem.message).await;
                    self.status = 2;
                    Err(Stop::Exit(2))
                }
            }
        })
    }
}

/// The text before a line; none if that is nothing.
fn lines_before(text: &[u8], line: usize) -> Option<&[u8]> {
    let end = text.find_iter("\n").nth(line.checked_sub(2)?)?;
    text.get(..end)
}

/// The name of a command without the folder that it would be in elsewhere.
fn command_name(name: &[u8]) -> &[u8] {
    [&b"/usr/bin/"[..], b"/bin/", b"/usr/local/bin/", b"/usr/sbin/", b"/sbin/"]
        .iter()
        .find_map(|folder| name.strip_prefix(*folder))
        .unwrap_or(name)
}

/// Whether the first line of a script names a shell, or nothing.
fn interpreter(text: &[u8]) -> Result<(), String> {
    let Some(rest) = text.strip_prefix(b"#!") else {
        return if text.iter().take(256).any(|byte| *byte == 0) { Err("(a binary file)".to_owned()) } else { Ok(()) };
    };
    let line = rest.lines().next().unwrap_or_default();
    let mut words = line.fields().map(|word| word.rsplit_once_str("/").map_or(word, |(_, name)| name));
    let first = words.next().unwrap_or_default();
    let name = if first == b"env" { words.find(|word| !word.starts_with(b"-")).unwrap_or_default() } else { first };
    if matches!(name, b"sh" | b"bash" | b"dash" | b"ash" | b"ksh" | b"zsh") {
        Ok(())
    } else {
        Err(crate::text::shown(name))
    }
}
