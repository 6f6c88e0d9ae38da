//! A world of its own for each test: a home, a working directory, and the binary.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The tools that come with it.
pub(crate) const BUILT_IN: [&str; 10] = [
    "file-edit",
    "file-glob",
    "file-grep",
    "file-read",
    "file-write",
    "javascript",
    "memory",
    "python",
    "shell",
    "web-fetch",
];

/// A home and a working directory.
pub(crate) struct World {
    root: tempfile::TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("home")).unwrap();
        fs::create_dir(root.path().join("work")).unwrap();
        Self { root }
    }

    /// A path in the working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    /// Writes a file in the working directory; gives its path as an argument.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        format!("./{name}")
    }

    /// The audit log's folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.path().join("home/.local/state/caplet")
    }

    /// The user's home.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// The folder of compiled code.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.path().join("home/.cache/caplet/code")
    }

    /// The first segment of the audit log.
    pub(crate) fn log(&self) -> PathBuf {
        self.state().join("audit/audit-00000001.jsonl")
    }

    /// The records in the audit log.
    pub(crate) fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        entries.filter_map(|entry| entry.get("record").cloned()).collect()
    }

    /// The binary, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caplet"));
        command.args(args).current_dir(self.path("")).env_clear().env("HOME", self.root.path().join("home"));
        command.env("RUST_BACKTRACE", "1");
        command
    }

    /// Approves of all tools of `./caplet.toml` as they are.
    pub(crate) fn approve(&self) {
        self.run(&["approve", "--all", "--yes", "--config", "./caplet.toml"]).assert(0, &[]);
    }

    /// Runs the binary.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with_input(args, b"")
    }

    /// Runs the binary with something on its standard input.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A run that refuses may not read it.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what caplet prints is UTF-8");
        let code =
            output.status.code().unwrap_or_else(|| panic!("{args:?} died of signal {:?}", output.status.signal()));
        let ran = Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) };
        ran.assert_calm(args);
        ran
    }

    /// Runs with `--json` and gives the object, which must say the same as the exit code.
    pub(crate) fn outcome(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        let outcome = ran.json();
        assert_eq!(ran.stdout.lines().count(), 1, "one object on one line: {}", ran.stdout);
        assert_eq!(ran.code, expected_code(&outcome), "{outcome}");
        outcome
    }
}

impl Ran {
    /// Whatever the input, no panic and no backtrace reaches the person.
    fn assert_calm(&self, args: &[&str]) {
        for word in ["panicked", "RUST_BACKTRACE", "stack backtrace", "overflowed its stack", "fault in caplet"] {
            assert!(!self.stderr.contains(word), "{args:?}: {}", self.stderr);
        }
        assert!(matches!(self.code, 0..=6 | 130 | 143), "{args:?}: {self:?}");
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn assert(&self, code: i32, on_stderr: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        for text in on_stderr {
            assert!(self.stderr.contains(text), "{text:?} is not in: {}", self.stderr);
        }
        self
    }
}

/// The exit code that the documentation promises for an outcome.
fn expected_code(outcome: &Value) -> i32 {
    match outcome["outcome"].as_str().unwrap() {
        "ok" => 0,
        "exit" if outcome["exit_code"] == 0 => 0,
        "error" | "exit" => 1,
        "refused" if outcome["error"]["kind"] == "denied" => 3,
        "refused" => 2,
        "denied" => 3,
        "trap" => 4,
        "limit" => 5,
        "host" => 6,
        other => panic!("{other} is not an outcome"),
    }
}

/// The absolute path of `path` as an argument.
pub(crate) fn arg(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
