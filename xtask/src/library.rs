//! `cargo xtask library [PROGRAM]`: CPython's own tests of pure modules, through the tool `python`, by counts.
//!
//! The tests are those of Debian's `libpython3.11-testsuite`, the one set that a registry has. The interpreter is a 3.14: what its library
//! changed since then shows as failures, and is no fault of the sandbox. So this counts and judges nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{repository, run};

/// What `cargo xtask help` says.
pub(crate) const ABOUT: &str =
    "CPython's own tests of pure modules through the tool `python`, by counts ([PROGRAM]: the caplet to use)";

/// The tests, and what they import of the package `test`.
const PACKAGES: [&str; 2] = ["libpython3.11-testsuite", "libpython3.11-stdlib"];

/// Where the packages have them.
const TESTS: &str = "usr/lib/python3.11/test";

/// Modules without threads, processes and sockets.
const MODULES: &[&str] = &[
    "test_base64",
    "test_bisect",
    "test_colorsys",
    "test_copy",
    "test_csv",
    "test_difflib",
    "test_fnmatch",
    "test_fractions",
    "test_heapq",
    "test_html",
    "test_itertools",
    "test_json",
    "test_operator",
    "test_pprint",
    "test_shlex",
    "test_statistics",
    "test_string",
    "test_struct",
    "test_textwrap",
    "test_urlparse",
];

/// Runs one module's tests and returns how they ended.
const PROGRAM: &str = "\
import sys, unittest
sys.path.append('/t')
name = 'test.' + data
suite = unittest.defaultTestLoader.loadTestsFromName(name)
result = unittest.TestResult()
suite.run(result)
[result.testsRun, len(result.failures) + len(result.unexpectedSuccesses), len(result.errors), len(result.skipped)]
";

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let program = match arguments {
        [] => repository::root().join("target/debug/caplet"),
        [program] => PathBuf::from(program),
        _ => bail!("usage: cargo xtask library [PROGRAM]"),
    };
    let tests = tests()?;
    println!("{:18} {:>6} {:>6} {:>6} {:>6} {:>6}", "module", "tests", "passed", "failed", "errors", "skipped");
    let mut total = [0; 4];
    for module in MODULES {
        match one(&program, &tests, module)? {
            Ok(counts) => {
                line(module, counts);
                total.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
            Err(ended) => println!("{module:18} {ended}"),
        }
    }
    line("all", total);
    Ok(())
}

fn line(name: &str, [tests, failed, errors, skipped]: [u64; 4]) {
    let passed = tests.saturating_sub(failed + errors + skipped);
    println!("{name:18} {tests:6} {passed:6} {failed:6} {errors:6} {skipped:6}");
}

/// Counts, or how the call ended without any.
fn one(program: &Path, tests: &Path, module: &str) -> Result<std::result::Result<[u64; 4], String>> {
    let arguments = serde_json::json!({"code": PROGRAM, "input": format!("\"{module}\"")}).to_string();
    let mut command = Command::new(program);
    command.args(["run", "python", "--json", "--args", &arguments, "--limit", "timeout=300s", "--allow", "write:/**"]);
    command.arg("--mount").arg(format!("/t=host:{}:ro", tests.display())).args(["--mount", "/tmp=memory"]);
    let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).context("caplet printed no JSON")?;
    let counts = outcome.pointer("/output/value").and_then(|value| value.as_str());
    match counts.and_then(|counts| serde_json::from_str(counts).ok()) {
        Some(counts) => Ok(Ok(counts)),
        None => {
            Ok(Err(outcome.pointer("/error/message").and_then(|text| text.as_str()).unwrap_or("no counts").to_owned()))
        }
    }
}

/// The folder that holds the package `test`, fetched if need be: whole or not at all.
fn tests() -> Result<PathBuf> {
    let parent = repository::cache()?.join("programs");
    let folder = parent.join("cpython-tests");
    if !folder.is_dir() {
        std::fs::create_dir_all(&parent)?;
        let work = tempfile::tempdir_in(&parent)?;
        run::output(Command::new("apt-get").arg("download").args(PACKAGES).current_dir(work.path()))?;
        let packages = std::fs::read_dir(work.path())?.collect::<std::io::Result<Vec<_>>>()?;
        let (files, finished) = (work.path().join("files"), work.path().join("finished"));
        for package in packages {
            run::output(Command::new("dpkg").arg("-x").arg(package.path()).arg(&files))?;
        }
        std::fs::create_dir(&finished)?;
        std::fs::rename(files.join(TESTS), finished.join("test"))
            .context("the packages do not hold the tests where they did")?;
        std::fs::rename(&finished, &folder)?;
    }
    Ok(folder)
}
