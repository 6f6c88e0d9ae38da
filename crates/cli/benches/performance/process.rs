//! Whole processes, one after another: what a person at a terminal waits for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::figures::{Bound, Report, Samples};
use crate::guests;

/// How often each command is run.
const ROUNDS: usize = 60;

/// A command by what it is called.
struct Contender {
    what: String,
    /// Whether somebody named it to see it beside the others.
    is_peer: bool,
    program: PathBuf,
    arguments: Vec<String>,
}

impl Contender {
    fn new(what: &str, program: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        Self {
            what: what.to_owned(),
            is_peer: false,
            program: program.into(),
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
        }
    }

    fn run(&self, home: &Path) -> bool {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(home).env("XDG_STATE_HOME", home).env("XDG_CACHE_HOME", home);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

/// Caplet's program, with everything cached, beside others that are installed here.
pub(crate) fn processes(report: &mut Report) {
    let Some(program) = std::env::var_os("CAPLET_BENCH_PROGRAM").map(PathBuf::from) else {
        report.note("whole processes", "not measured: run `cargo xtask bench`, which builds the program");
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let home = home.path().canonicalize().unwrap();
    std::fs::write(home.join("add.wat"), guests::ADD).unwrap();
    std::fs::write(home.join("text"), "0123456789abcde\n".repeat(256)).unwrap();
    let rule = format!("read:{}/**", home.display());
    let mut contenders = vec![
        Contender::new("/bin/true", "/bin/true", &[]),
        Contender::new("caplet --version", &program, &["--version"]),
        Contender::new("caplet run, trivial tool", &program, &["run", "./add.wat", "--args", r#"{"a":2,"b":40}"#]),
        Contender::new(
            "caplet run file-read, 4 KiB",
            &program,
            &["run", "file-read", "--allow", &rule, "--args", r#"{"path":"text"}"#],
        ),
    ];
    for (what, name) in [("caplet run, JavaScript tool", "js"), ("caplet run, Python tool", "py")] {
        if let Some(component) = guests::component(name) {
            let component = component.to_str().unwrap();
            let options =
                ["--ceiling", "open", "--allow", "random", "--limit", "compile=10m", "--args", r#"{"text":"x"}"#];
            contenders.push(Contender::new(
                what,
                &program,
                &[&["run", component, "echo"], options.as_slice()].concat(),
            ));
        }
    }
    contenders.extend([
        Contender::new(
            "bwrap --unshare-all /bin/true",
            "bwrap",
            &["--unshare-all", "--ro-bind", "/", "/", "/bin/true"],
        ),
        Contender::new("python3 -c pass", "python3", &["-c", "pass"]),
        Contender::new("node -e 0", "node", &["-e", "0"]),
    ]);
    // Whatever else somebody wants to see beside them: one command a line.
    for line in std::env::var("CAPLET_BENCH_PEERS").unwrap_or_default().lines() {
        let mut words = line.split_whitespace();
        if let Some(program) = words.next() {
            let peer = Contender::new(line, program, &words.collect::<Vec<_>>());
            contenders.push(Contender { is_peer: true, ..peer });
        }
    }
    // Once to fill caches, and to see what is there. Facts are not remembered of a file that was written just now.
    std::thread::sleep(std::time::Duration::from_secs(3));
    contenders.retain(|contender| contender.run(&home) && contender.run(&home));
    let mut samples = vec![Samples::default(); contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, samples) in contenders.iter().zip(&mut samples) {
            let started = Instant::now();
            contender.run(&home);
            samples.add(started.elapsed());
        }
    }
    let nothing = samples.first().map_or(f64::NAN, Samples::p50);
    let named = |what: &str| contenders.iter().position(|contender| contender.what == what);
    let trivial = named("caplet run, trivial tool").and_then(|at| samples.get(at)).map_or(f64::NAN, Samples::p50);
    for (contender, samples) in contenders.iter().zip(&samples) {
        let what = format!("process: {}", contender.what);
        report.time(&what, samples);
        let over = samples.p50() / nothing;
        if contender.is_peer {
            let ratio = samples.p50() / trivial;
            report.note(&format!("{} over a cold trivial tool", contender.what), &format!("{ratio:.1}"));
        }
        match contender.what.as_str() {
            "caplet --version" => report.figure("caplet --version over /bin/true", over, Bound::AtMost(2.0)),
            "caplet run, trivial tool" => report.figure("cold trivial tool over /bin/true", over, Bound::AtMost(3.0)),
            "caplet run, Python tool" => report.figure("cold Python tool over /bin/true", over, Bound::AtMost(12.0)),
            "bwrap --unshare-all /bin/true" => {
                let trivial = report.median("trivial tool, Caplet: policy, JSON, decisions, record");
                if let Some(trivial) = trivial {
                    report.figure("bwrap over a fresh call in process", samples.p50() / trivial, Bound::AtLeast(300.0));
                }
            }
            _ => {}
        }
    }
}
