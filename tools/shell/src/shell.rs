//! The state of a shell: variables, functions, options, descriptors and the current directory.
//!
//! A copy is a subshell. Copies share what neither changes, so that one costs little.

mod options;
mod scope;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Instant;

pub(crate) use options::{ALL, INERT, Options};

use crate::host::Host;
use crate::stop::{Flow, Stop};
use crate::stream::Stream;
use crate::syntax::ast::{Command, Text};
use crate::task::progress;
use crate::variable::Variable;

/// How deep commands and expansions may nest while they run: each level takes up to 1.4 KiB of the host's stack, which is 1 MiB
/// unless the operator says otherwise. Half of it is left for parsers and walks over directories.
pub(crate) const DEPTH_MAX: usize = 400;

/// A shell, or a subshell.
#[derive(Clone)]
pub(crate) struct Shell {
    pub(crate) variables: Rc<HashMap<Text, Rc<Variable>>>,
    /// What the variables were that functions have made local, innermost last.
    pub(crate) scopes: Vec<Vec<(Text, Option<Rc<Variable>>)>>,
    pub(crate) functions: Rc<BTreeMap<Text, Rc<Command>>>,
    /// `$0`
    pub(crate) name: Text,
    /// `$1` and on.
    pub(crate) arguments: Rc<Vec<Text>>,
    pub(crate) options: Options,
    pub(crate) directory: Text,
    pub(crate) directories: Vec<Text>,
    pub(crate) status: i32,
    pub(crate) streams: Rc<BTreeMap<u32, Rc<Stream>>>,
    pub(crate) traps: Rc<BTreeMap<Text, Text>>,
    pub(crate) host: Rc<dyn Host>,
    /// The line that runs.
    pub(crate) line: usize,
    /// The functions that run, outermost first.
    pub(crate) calls: Vec<Text>,
    /// How many files are being read by `source`.
    pub(crate) sourced: usize,
    pub(crate) depth: usize,
    pub(crate) loops: usize,
    /// `BASH_SUBSHELL`
    pub(crate) level: usize,
    /// Above 0 where a failure is looked at, so that `set -e` does not act.
    pub(crate) tested: usize,
    /// How deep the expression is that is being evaluated.
    pub(crate) reckoned: usize,
    /// What `PIPESTATUS` holds once it is asked for.
    pub(crate) pipe_status: Vec<i32>,
    /// The status of the last command substitution of the command that is being expanded.
    pub(crate) substituted: Option<i32>,
    /// How often writing has failed because nobody reads.
    pub(crate) broken: u32,
    pub(crate) background: Option<(u32, i32)>,
    pub(crate) jobs: u32,
    pub(crate) started: Instant,
    pub(crate) random: u64,
    /// The place of `getopts` in an argument.
    pub(crate) letter: usize,
}

impl std::fmt::Debug for Shell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shell").field("status", &self.status).field("line", &self.line).finish_non_exhaustive()
    }
}

impl Shell {
    pub(crate) fn new(host: Rc<dyn Host>, directory: Text) -> Self {
        let started = Instant::now();
        let random = host.seed() | 1;
        let mut shell = Self {
            variables: Rc::default(),
            scopes: Vec::new(),
            functions: Rc::default(),
            name: b"bash".to_vec(),
            arguments: Rc::default(),
            options: Options::default(),
            directory: directory.clone(),
            directories: Vec::new(),
            status: 0,
            streams: Rc::default(),
            traps: Rc::default(),
            host,
            line: 1,
            calls: Vec::new(),
            sourced: 0,
            depth: 0,
            loops: 0,
            level: 0,
            tested: 0,
            reckoned: 0,
            pipe_status: Vec::new(),
            substituted: None,
            broken: 0,
            background: None,
            jobs: 0,
            started,
            random,
            letter: 0,
        };
        let exported = |text: &[u8]| Variable { exported: true, ..Variable::text(text) };
        for (name, value) in [
            ("PWD", exported(&directory)),
            ("HOME", exported(&directory)),
            ("PATH", exported(b"/usr/local/bin:/usr/bin:/bin")),
            ("SHLVL", exported(b"1")),
            ("IFS", Variable::text(" \t\n")),
            ("OPTIND", Variable::text("1")),
            ("OPTERR", Variable::text("1")),
            ("PS4", Variable::text("+ ")),
            ("BASH", Variable::text("/bin/bash")),
            ("BASH_VERSION", Variable::text("5.2.15(1)-release")),
            ("HOSTNAME", Variable::text("sandbox")),
            ("OSTYPE", Variable::text("linux-gnu")),
            ("MACHTYPE", Variable::text("wasm32-unknown-wasi")),
            ("UID", Variable::text("0")),
            ("EUID", Variable::text("0")),
        ] {
            Rc::make_mut(&mut shell.variables).insert(name.as_bytes().to_vec(), Rc::new(value));
        }
        shell
    }

    /// A subshell.
    pub(crate) fn fork(&self) -> Self {
        let mut copy = self.clone();
        copy.level += 1;
        copy.loops = 0;
        copy.traps = Rc::default();
        copy.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) | 1;
        copy
    }

    /// Goes one level deeper, if that is not too deep; gives the level before, to go back to.
    pub(crate) fn deeper(&mut self) -> Flow<usize> {
        let before = self.depth;
        if before >= DEPTH_MAX {
            return Err(Stop::Limit(format!("maximum nesting level exceeded ({DEPTH_MAX})")));
        }
        self.depth = before + 1;
        Ok(before)
    }

    pub(crate) fn stream(&self, number: u32) -> Option<Rc<Stream>> {
        self.streams.get(&number).cloned()
    }

    pub(crate) fn stdin(&self) -> Rc<Stream> {
        self.stream(0).unwrap_or_else(Stream::null)
    }

    pub(crate) fn stdout(&self) -> Rc<Stream> {
        self.stream(1).unwrap_or_else(Stream::null)
    }

    pub(crate) fn set_stream(&mut self, number: u32, stream: Rc<Stream>) {
        Rc::make_mut(&mut self.streams).insert(number, stream);
    }

    pub(crate) fn close_stream(&mut self, number: u32) {
        Rc::make_mut(&mut self.streams).remove(&number);
        progress();
    }

    /// Writes a line to the error stream; a stream that fails is let be, as bash does.
    pub(crate) async fn say(&self, message: impl AsRef<[u8]>) {
        if let Some(stream) = self.stream(2) {
            let mut line = message.as_ref().to_vec();
            line.push(b'\n');
            drop(stream.write(&line).await);
        }
    }

    /// Writes an error of the shell itself, with the line where it is.
    pub(crate) async fn complain(&self, message: impl AsRef<[u8]>) {
        let mut line = format!("bash: line {}: ", self.line).into_bytes();
        line.extend_from_slice(message.as_ref());
        self.say(line).await;
    }

    /// The next pseudo-random number below 32768.
    pub(crate) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) & 0x7fff
    }
}
