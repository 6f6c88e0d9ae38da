//! Real servers, on a free port of the loopback interface, which never outlive the test program.
//!
//! Without the programs the tests that need them say so and pass, unless `CAPLET_TEST_PROGRAMS=required`.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Starts what its arguments say, tells the process's number, and kills it as soon as nobody holds the other end of its input any more.
/// Then it removes the directory, unless it is to be started on that again.
const KEEPER: &str = r#"directory=$1; log=$2; shift 2
"$@" </dev/null >"$log" 2>&1 &
echo $!
cat >/dev/null
kill -9 $!
wait $! 2>/dev/null
[ -z "$directory" ] || rm -rf "$directory""#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Redis,
    Nats,
}

/// How a server is started.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// More arguments for Redis, where `PORT` is the port, or lines for the configuration of NATS.
    pub(crate) more: &'a [&'a str],
}

/// A server that runs until this is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    pid: u32,
    keeper: Child,
}

/// What a server is started on, again and again.
pub(crate) struct Home {
    program: Program,
    path: PathBuf,
    directory: PathBuf,
    port: u16,
    more: Vec<String>,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
        }
    }

    /// Where it is, if it is there.
    #[expect(clippy::print_stderr, reason = "a test that had nothing to run says so")]
    pub(crate) fn find(self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Debian puts servers where only root's path leads.
        let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
        let found = folders.map(|folder| folder.join(self.name())).find(|program| program.is_file());
        if found.is_none() {
            let name = self.name();
            assert!(
                std::env::var_os("CAPLET_TEST_PROGRAMS").is_none(),
                "{name} is missing: install the package {name}"
            );
            eprintln!("{name} is not installed, so nothing was tried with it");
        }
        found
    }
}

impl Home {
    pub(crate) fn new(program: Program, directory: &Path, setup: Setup<'_>) -> Option<Self> {
        let path = program.find()?;
        let port = free_port();
        let more = setup.more.iter().map(|line| if *line == "PORT" { port.to_string() } else { (*line).to_owned() });
        let more = more.collect();
        Some(Self { program, path, directory: directory.to_owned(), port, more })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server, and waits until it takes connections.
    pub(crate) fn start(&self) -> Server {
        self.start_and_forget("")
    }

    fn start_and_forget(&self, removed: &str) -> Server {
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper", removed]).arg(self.directory.join("log")).arg(&self.path);
        self.arguments(&mut keeper);
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let server = Server { port: self.port, pid: line.trim().parse().unwrap(), keeper };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(20), "{} does not start: {}", self.program.name(), log());
            thread::sleep(Duration::from_millis(5));
        }
        server
    }

    fn arguments(&self, command: &mut Command) {
        match self.program {
            Program::Redis => {
                command.args(["--bind", "127.0.0.1", "--save", "", "--daemonize", "no", "--port"]);
                command.arg(self.port.to_string()).arg("--dir").arg(&self.directory).args(&self.more);
            }
            Program::Nats => {
                let config = self.directory.join("nats.conf");
                let store = self.directory.join("store");
                let lines = self.more.join("\n");
                let port = self.port;
                let text = format!("listen: 127.0.0.1:{port}\njetstream {{ store_dir: {store:?} }}\n{lines}\n");
                std::fs::write(&config, text).unwrap();
                command.arg("-c").arg(config);
            }
        }
    }
}

impl Server {
    /// Stops it from doing anything, connections and all, without ending it.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").arg(signal).arg(self.pid.to_string()).status().unwrap().success());
    }
}

impl Drop for Server {
    /// As `kill -9`.
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ended = self.keeper.wait();
    }
}

/// The port of a server that all tests share; each has a namespace of its own.
pub(crate) fn shared(program: Program) -> Option<u16> {
    static REDIS: OnceLock<Option<Server>> = OnceLock::new();
    static NATS: OnceLock<Option<Server>> = OnceLock::new();
    let (cell, more): (_, &[&str]) = match program {
        Program::Redis => (&REDIS, &["--appendonly", "no"]),
        // With room for the header of a swap beside the largest value.
        Program::Nats => (&NATS, &["max_payload: 2097152"]),
    };
    let server = cell.get_or_init(|| {
        program.find()?;
        // Nothing in a static is dropped: whoever keeps the server removes its directory.
        let directory = TempDir::new().unwrap().keep();
        let home = Home::new(program, &directory, Setup { more })?;
        Some(home.start_and_forget(directory.to_str().unwrap()))
    });
    server.as_ref().map(|server| server.port)
}

/// A free port below those that the system gives to clients: a client that tries again and again to reach a server that is away would
/// come from its port in the end, and reach itself.
fn free_port() -> u16 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let ports = std::iter::repeat_with(|| {
        let number = std::process::id().wrapping_mul(31).wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
        10_000 + u16::try_from(number % 20_000).unwrap()
    });
    ports.take(1_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// A port on which somebody takes connections and never says a word. It lasts as long as the listener.
pub(crate) fn mute() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Damages a file at a place.
pub(crate) fn scribble(path: &Path, offset: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt as _;
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap();
}
