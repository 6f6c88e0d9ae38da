//! The outer half: starts the test again, waits, and believes only what it sees.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::{INSIDE, SWITCH, identity};

/// What a machine may have to be told before it lets a test make namespaces.
const ADVICE: &str = "isolated tests need unprivileged user namespaces and the command `unshare` of util-linux 2.34 or later. \
Where they are forbidden, try `sysctl -w user.max_user_namespaces=10000`, on Ubuntu also \
`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, in a container `--security-opt seccomp=unconfined`.";

/// Variables that turn names into others before any server is asked; a test that wants them sets them on what it starts.
const RESOLVER_VARIABLES: [&str; 3] = ["LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES"];

/// Runs the test `name` of this binary in new namespaces.
pub(super) fn run(name: &str, time: Duration) -> io::Result<()> {
    allowed()?;
    // One file for both streams keeps their order, and nothing has to read it while the child runs.
    let mut output = File::from(rustix::fs::memfd_create("output", MemfdFlags::CLOEXEC)?);
    let mut command = unshare();
    command.arg(std::env::current_exe()?);
    command.args(["--exact", name, "--nocapture", "--include-ignored", "--test-threads=1"]);
    command.env(INSIDE, identity()?).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?);
    for variable in RESOLVER_VARIABLES {
        command.env_remove(variable);
    }
    let status = wait(command.process_group(0).spawn()?, time)?;
    let mut bytes = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut bytes)?;
    let output = String::from_utf8_lossy(&bytes);
    let problem = match status {
        None => format!("did not end within {time:?}"),
        Some(status) if !status.success() => format!("ended with {status}"),
        // The harness is content when no test has the name, so its word is not enough.
        Some(_) if !output.contains(&finished(name)) => "was not run: no test has this name".to_owned(),
        Some(_) => return Ok(()),
    };
    show(&format!("--- {name}, inside ---\n{output}--- end of {name} ---"));
    Err(io::Error::other(format!("isolated test {name} {problem}")))
}

/// The line by which the inner half says that the body came to its end.
pub(super) fn finished(name: &str) -> String {
    format!("caplet-lab: {name} is finished")
}

/// Writes what the harness shows where the test fails, and only there.
#[expect(clippy::print_stdout, reason = "the harness takes it")]
fn show(text: &str) {
    println!("{text}");
}

/// Writes past the harness, that would keep it from the other half and, if the test passes, from a reader.
pub(super) fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--mount", "--"]);
    command
}

/// Tries namespaces on nothing, so that "forbidden here" is told apart from a test that fails.
fn allowed() -> io::Result<()> {
    let forbidden = |why: String| io::Error::other(format!("{}\n{ADVICE}\n{SWITCH}=skip skips them.", why.trim()));
    match unshare().arg("true").stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(forbidden(String::from_utf8_lossy(&output.stderr).into_owned())),
        Err(error) => Err(forbidden(format!("cannot start unshare: {error}"))),
    }
}

/// Waits for the child, and ends all that it started: `None` if its time was over first.
fn wait(mut child: Child, time: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + time;
    let pid = Pid::from_child(&child);
    let ended = loop {
        // Without reaping it: until then its number, which is also its group's, cannot be given to another process.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        if rustix::process::waitid(WaitId::Pid(pid), options)?.is_some() {
            break true;
        }
        if Instant::now() >= end {
            break false;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    rustix::process::kill_process_group(pid, Signal::KILL)?;
    let status = child.wait()?;
    Ok(ended.then_some(status))
}
