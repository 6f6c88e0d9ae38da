//! Tools in every language, from `caplet new` to a call, with the real tool chains: the commands of each README do what they say.
//!
//! `cargo xtask programs` fetches the tool chains. Without them these tests say so and pass, unless `CAPLET_TEST_PROGRAMS=required`.
#![expect(clippy::print_stderr, reason = "a test that had nothing to build with says so")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::bin::{Ran, World};

/// A tool of one of the templates.
struct Built {
    world: World,
    chains: PathBuf,
    /// The commands of its README.
    commands: Vec<String>,
}

/// The user's cache folder, and the tool chains in it.
fn toolchains() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let folder = cache.join("caplet/toolchains");
    if folder.join("rustc").is_file() {
        return Some(folder);
    }
    assert!(std::env::var_os("CAPLET_TEST_PROGRAMS").is_none(), "tool chains are missing: run `cargo xtask programs`");
    eprintln!("tool chains were not fetched, so nothing was built: `cargo xtask programs` fetches them");
    None
}

impl Built {
    /// Starts a tool in `language`, tries it without a sandbox, and builds it, as its README says.
    fn new(language: &str) -> Option<Self> {
        let chains = toolchains()?;
        let world = World::new();
        world.run(&["new", "--lang", language, "word-count"]).assert(0, &[]);
        let readme = fs::read_to_string(world.path("word-count/README.md")).unwrap();
        let block = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
        let commands: Vec<String> = block.lines().map(str::to_owned).collect();
        assert_eq!(commands.len(), 5, "{readme}");
        if language == "js" {
            std::os::unix::fs::symlink(chains.join("node_modules"), world.path("word-count/node_modules")).unwrap();
        }
        let built = Self { world, chains, commands };
        built.sh(&built.commands[0]).assert(0, &[]);
        let made = built.sh(&built.commands[1]);
        made.assert(0, &["to try it: caplet run ./word-count.wasm"]);
        assert!(made.stdout.starts_with("built: ./word-count.wasm ("), "{made:?}");
        assert!(made.stdout.contains("its ceiling: it may compute and nothing else"), "{made:?}");
        let warnings: Vec<&str> = made.stderr.lines().filter(|line| line.contains("warning")).collect();
        // The interpreter has sockets whether its program wants them or not.
        let is_known = |line: &&str| language == "python" && line.contains("are always refused: \"wasi:sockets/");
        assert!(warnings.iter().all(is_known), "{}", made.stderr);
        Some(built)
    }

    /// Runs a line of a shell in the tool's folder, with the tool chains on the search path. What compilers keep for the next time is
    /// beside the tool chains.
    fn sh(&self, line: &str) -> Ran {
        let python = self.chains.join("python");
        let caplet = Path::new(env!("CARGO_BIN_EXE_caplet")).parent().unwrap();
        let usual = std::env::var("PATH").unwrap();
        let path = format!("{}:{}/go/bin:{}/bin:{usual}", caplet.display(), python.display(), python.display());
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        let or_home =
            |name: &str, folder: &str| std::env::var_os(name).map_or_else(|| home.join(folder), PathBuf::from);
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.world.path("word-count")).env_clear().stdin(Stdio::null());
        command.env("HOME", self.world.home()).env("PATH", path).env("PYTHONPATH", python);
        command
            .env("CARGO_HOME", or_home("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", or_home("RUSTUP_HOME", ".rustup"));
        command.env("RUSTC", fs::read_to_string(self.chains.join("rustc")).unwrap());
        command.env("CARGO_TARGET_DIR", self.chains.join("kept/cargo")).env("GOCACHE", self.chains.join("kept/go"));
        command.env("ZIG_GLOBAL_CACHE_DIR", self.chains.join("kept/zig"));
        command.envs([("GOPROXY", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", ""), ("GOTELEMETRY", "off")]);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The other commands of the README, and a call that the tool refuses.
    fn works(&self, too_many: &Value) {
        let answer = self.sh(&self.commands[2]);
        answer.assert(0, &[]);
        let answer = answer.json();
        assert_eq!((&answer["lines"], &answer["words"]), (&json!(1), &json!(6)), "{answer}");
        let most = [json!({"word": "be", "count": 2}), json!({"word": "to", "count": 2})];
        assert_eq!(answer["frequent"].as_array().unwrap()[..2], most, "{answer}");
        let inspected = self.sh(&self.commands[3]);
        inspected.assert(0, &[]);
        assert!(inspected.stdout.starts_with("word-count 0.1.0\n"), "{inspected:?}");
        self.sh(&format!("{} --yes", self.commands[4].split('#').next().unwrap())).assert(0, &["word-count is in "]);
        let refused = self.world.outcome(&["run", "./word-count/word-count.wasm", "--args", &too_many.to_string()]);
        assert!(matches!(refused["outcome"].as_str(), Some("error" | "exit")), "{refused}");
        assert!(refused.to_string().contains("ask for"), "it says what to do: {refused}");
    }

    /// What an agent sees of the one function is complete.
    fn is_described(&self, function: &str) {
        let facts = self.world.run(&["inspect", "./word-count/word-count.wasm", "--json"]).json();
        let [tool] = facts["tools"].as_array().unwrap().as_slice() else { panic!("{facts}") };
        assert_eq!(tool["function"], function);
        assert!(tool["description"].as_str().is_some_and(|text| text.starts_with("Counts the lines")), "{tool}");
        for (name, parameter) in tool["input_schema"]["properties"].as_object().unwrap() {
            assert!(parameter["description"].is_string(), "{name}: {tool}");
        }
    }
}

#[test]
fn rust_from_its_template_to_a_call() {
    let Some(tool) = Built::new("rust") else { return };
    tool.sh("cargo fmt --check").assert(0, &[]);
    tool.is_described("summarize");
    tool.works(&json!({"text": "", "top": 101}));
}

#[test]
fn javascript_from_its_template_to_a_call() {
    let Some(tool) = Built::new("js") else { return };
    tool.is_described("summarize");
    tool.works(&json!({"text": "", "top": 101}));
}

#[test]
fn python_from_its_template_to_a_call() {
    let Some(tool) = Built::new("python") else { return };
    tool.is_described("summarize");
    tool.works(&json!({"text": "", "top": 101}));
}

#[test]
fn go_from_its_template_to_a_call() {
    let Some(tool) = Built::new("go") else { return };
    let formatted = tool.sh("gofmt -l . && go vet ./...");
    assert_eq!((formatted.code, &*formatted.stdout), (0, ""), "{formatted:?}");
    tool.is_described("run");
    tool.works(&json!({"stdin": "", "args": ["--top", "101"]}));
}

#[test]
fn c_from_its_template_to_a_call() {
    let Some(tool) = Built::new("c") else { return };
    tool.is_described("run");
    tool.works(&json!({"stdin": "", "args": ["--top", "101"]}));
}
