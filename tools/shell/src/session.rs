//! One call after another: what the caller asks, and what it gets.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bstr::ByteSlice;

use crate::host::Host;
use crate::shell::Shell;
use crate::stop::Stop;
use crate::stream::{Kept, Stream};
use crate::task::{self, Unfinished};

/// How much of the output comes back: its start and its end, each this much.
const OUTPUT_END: usize = 96 * 1024;
/// As [`OUTPUT_END`], of the errors. Together they are 256 KiB.
const ERRORS_END: usize = 32 * 1024;
/// The status of a command whose time is over.
const TIMEOUT: i32 = 124;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The script.
    pub command: String,
    /// Where it runs; where the shell is, if left out.
    pub cwd: Option<String>,
    /// Variables that are set and exported before.
    pub env: Vec<(String, String)>,
    /// What it can read.
    pub stdin: Option<Vec<u8>>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What it wrote, or the start and end of it.
    pub stdout: Vec<u8>,
    /// What it wrote to the error stream, or the start and end of it.
    pub stderr: Vec<u8>,
    /// Its status, 0 to 255.
    pub exit_status: i32,
    /// The middle of the output was left out.
    pub stdout_truncated: bool,
    /// The middle of the errors was left out.
    pub stderr_truncated: bool,
}

/// A shell that lasts from call to call: its directory, variables, functions and options stay.
#[derive(Debug)]
pub struct Session {
    shell: Shell,
}

impl Session {
    /// A fresh shell in a directory.
    #[must_use]
    pub fn new(host: Rc<dyn Host>, directory: &str, environment: Vec<(String, String)>) -> Self {
        let mut shell = Shell::new(host, directory.as_bytes().to_vec());
        export(&mut shell, environment);
        // The caller's idea of where it is may be another's.
        shell.set(b"PWD", directory);
        Self { shell }
    }

    /// Runs a script to its end, or as long as it may take.
    pub fn run(&mut self, request: &Request) -> Answer {
        let stdout = Kept::both_ends(OUTPUT_END, OUTPUT_END);
        let stderr = Kept::both_ends(ERRORS_END, ERRORS_END);
        let before = self.shell.clone();
        let input = request.stdin.clone().map_or_else(Stream::null, Stream::bytes);
        let streams = BTreeMap::from([(0, input), (1, Stream::kept(&stdout)), (2, Stream::kept(&stderr))]);
        self.shell.streams = Rc::new(streams);
        export(&mut self.shell, request.env.clone());
        let outcome = task::run(self.script(request), request.timeout);
        let exit_status = match outcome {
            Ok(status) => status,
            Err(why) => {
                // What was under way is gone with its half-made changes.
                self.shell = before;
                let message = match why {
                    Unfinished::Timeout => "bash: the time for this command is over\n",
                    Unfinished::Stuck => "bash: the commands wait for one another\n",
                };
                drop(task::run(Stream::kept(&stderr).write(message.as_bytes()), None));
                TIMEOUT
            }
        };
        self.settle();
        let (stdout, stdout_truncated) = joined(&stdout, "stdout");
        let (stderr, stderr_truncated) = joined(&stderr, "stderr");
        Answer { stdout, stderr, exit_status, stdout_truncated, stderr_truncated }
    }

    async fn script(&mut self, request: &Request) -> i32 {
        let shell = &mut self.shell;
        shell.status = 0;
        if let Some(directory) = &request.cwd {
            let path = shell.path(directory.as_bytes());
            match std::fs::metadata(&path) {
                Ok(facts) if facts.is_dir() => {
                    shell.directory = shell.absolute(directory.as_bytes());
                    let directory = shell.directory.clone();
                    shell.set(b"PWD", directory);
                }
                Ok(_) => {
                    shell.say(format!("bash: cwd: {directory}: Not a directory")).await;
                    return 1;
                }
                Err(error) => {
                    shell.say(format!("bash: cwd: {}", shell.refusal(directory.as_bytes(), &error, false))).await;
                    return 1;
                }
            }
        }
        let outcome = shell.run_source(request.command.as_bytes()).await;
        match shell.end(outcome).await {
            Ok(status) => status,
            Err(Stop::Limit(message)) => {
                shell.say(format!("bash: {message}")).await;
                1
            }
            Err(_) => 1,
        }
    }

    /// Takes away what belongs to the call that has ended.
    fn settle(&mut self) {
        let shell = &mut self.shell;
        while !shell.scopes.is_empty() {
            shell.leave_scope();
        }
        shell.streams = Rc::default();
        shell.calls.clear();
        (shell.depth, shell.loops, shell.tested, shell.level, shell.sourced, shell.broken) = (0, 0, 0, 0, 0, 0);
    }
}

fn export(shell: &mut Shell, environment: Vec<(String, String)>) {
    for (name, value) in environment {
        shell.change(name.as_bytes(), |variable| variable.exported = true);
        shell.set(name.as_bytes(), value);
    }
}

/// The text that was kept, with a notice where its middle was left out.
fn joined(kept: &Kept, name: &str) -> (Vec<u8>, bool) {
    let (mut head, tail, dropped) = kept.take();
    if dropped == 0 {
        head.extend_from_slice(&tail);
        return (head, false);
    }
    // Lines are left whole where there are any.
    let cut = head.rfind_byte(b'\n').map_or(head.len(), |at| at + 1);
    let from = tail.find_byte(b'\n').map_or(0, |at| at + 1);
    let gone = dropped + (head.len() - cut + from) as u64;
    head.truncate(cut);
    head.extend_from_slice(format!("[shell: {gone} bytes of {name} left out here]\n").as_bytes());
    head.extend_from_slice(tail.get(from..).unwrap_or_default());
    (head, true)
}
