//! The compiler in a process of its own.
//!
//! A component can be made so that compiling it takes minutes or gigabytes. In a process, that is stopped by ending the process, and
//! a fault of the compiler ends nothing else. The process is this program again, started with arguments that make it call
//! [`compile_worker`]; it gets the component and the settings on its standard input and answers on its standard output.
//!
//! What always holds: the process has no environment, no files of ours and the lowest useful priority, bounds itself in processor time
//! and memory before it reads the component, and ends when the call that wanted its answer is gone.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caplet_audit::ErrorKind;
use rustix::process::{Resource, Rlimit};

use crate::code::on_a_thread;
use crate::end::Stop;
use crate::engine::{CodeSettings, compiler, lock};
use crate::error::LimitHit;

/// The most memory that a compile may take, in addresses. The largest component that is read, 64 MiB, was seen to need a tenth.
const MEMORY_BYTES: u64 = 16 << 30;

/// How much less than others the process is to be scheduled, as `nice` counts.
const NICENESS: i32 = 10;

/// The length of the header before the component: whether fuel is counted, and the seconds of processor time.
const HEADER_BYTES: usize = 9;

const COMPILED: u8 = 0;
const REFUSED: u8 = 1;

/// How to start a program that calls [`compile_worker`]: usually this one, with an argument of its own.
#[derive(Clone, Debug)]
pub struct CompilerProgram {
    program: PathBuf,
    arguments: Vec<String>,
}

impl CompilerProgram {
    /// `program`, started with `arguments`.
    pub fn new(program: impl Into<PathBuf>, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { program: program.into(), arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// Compiles `bytes`. If the future is dropped, the process is ended.
    pub(crate) async fn compile(
        &self,
        bytes: Arc<[u8]>,
        settings: CodeSettings,
        budget: Duration,
    ) -> Result<Vec<u8>, Stop> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Stop::host(format!("cannot start the compiler {}: {error}", self.program.display())))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let ending = EndOnDrop(Arc::new(Mutex::new(child)));
        let child = Arc::clone(&ending.0);
        let Some((mut request, mut answer)) = pipes else { return Err(Stop::host("the compiler has no pipes")) };
        on_a_thread(move || {
            let sent = request.write_all(&header(settings, budget)).and_then(|()| request.write_all(&bytes));
            drop(request);
            let mut answered = Vec::new();
            let read = answer.read_to_end(&mut answered);
            let ended = lock(&child).wait();
            match (sent.and(read), ended, answered.split_first()) {
                (Ok(_), Ok(status), Some((&COMPILED, _))) if status.success() => Ok(answered.split_off(1)),
                (_, Ok(status), Some((&REFUSED, message))) if status.success() => {
                    Err(Stop::invalid_component(String::from_utf8_lossy(message)))
                }
                (_, Ok(status), _) => Err(unfinished(status, budget)),
                (_, Err(error), _) => Err(Stop::host(format!("the compiler is lost: {error}"))),
            }
        })
        .await
    }
}

/// Ends the process when nobody waits for it any more.
struct EndOnDrop(Arc<Mutex<Child>>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        // One that has ended already cannot be ended again, which is as well.
        let _ = lock(&self.0).kill();
    }
}

fn header(settings: CodeSettings, budget: Duration) -> [u8; HEADER_BYTES] {
    let mut header = [settings.to_byte(); HEADER_BYTES];
    let (_, seconds) = header.split_at_mut(1);
    seconds.copy_from_slice(&budget.as_secs().saturating_add(1).to_le_bytes());
    header
}

/// What became of a compiler that gave no answer.
fn unfinished(status: ExitStatus, budget: Duration) -> Stop {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt as _;
    let limit = |kind, message: String| Stop::Limit(LimitHit::new(kind, message, "compile"));
    match status.signal() {
        Some(signal) if signal == Signal::XCPU.as_raw() || signal == Signal::KILL.as_raw() => {
            limit(ErrorKind::Timeout, format!("compiling the component took longer than its limit of {budget:?}"))
        }
        Some(signal) if signal == Signal::ABORT.as_raw() => {
            limit(ErrorKind::Memory, format!("compiling the component took more memory than {MEMORY_BYTES} bytes"))
        }
        _ => Stop::host(format!("the compiler failed: {status}")),
    }
}

/// The other end: what the process does. Reads a request from `input`, bounds this process, compiles, and answers on `output`.
///
/// # Errors
///
/// When the request or the answer does not get through. That a component does not compile is an answer.
pub fn compile_worker(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut header = [0; HEADER_BYTES];
    input.read_exact(&mut header)?;
    let [settings, seconds @ ..] = header;
    bound(u64::from_le_bytes(seconds));
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    match compile_here(&bytes, CodeSettings::from_byte(settings)) {
        Ok(code) => output.write_all(&[COMPILED]).and_then(|()| output.write_all(&code))?,
        Err(message) => output.write_all(&[REFUSED]).and_then(|()| output.write_all(message.as_bytes()))?,
    }
    output.flush()
}

/// Bounds what this process may use from here on. A system that refuses one of them still has the wall clock of the process that
/// waits for the answer.
fn bound(seconds: u64) {
    let exactly = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    let _ = rustix::process::setrlimit(Resource::Cpu, exactly(seconds));
    let _ = rustix::process::setrlimit(Resource::As, exactly(MEMORY_BYTES));
    let _ = rustix::process::setrlimit(Resource::Core, exactly(0));
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// Compiles in this process.
pub(crate) fn compile_here(bytes: &[u8], settings: CodeSettings) -> Result<Vec<u8>, String> {
    let compiled = compiler(settings).and_then(|engine| engine.precompile_component(bytes));
    compiled.map_err(|error| format!("the engine refuses the component: {error:#}"))
}
