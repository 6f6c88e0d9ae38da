//! Rules that ask: on a terminal, without one, and in what `explain` says.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bin::{World, arg};
use crate::guests;

/// Long enough for a process to start and compile a small tool, on a machine that is busy.
const SOON: Duration = Duration::from_secs(60);

/// A world with a tool that opens `secret[1]` in the folder `w`, and exits with the error number of that.
fn world() -> (World, Vec<String>) {
    let world = World::new();
    world.write("w/secret[1]", "text");
    let tool = world.write("reader.wat", guests::opens("secret[1]"));
    let mount = format!("/w={}", arg(&world.path("w")));
    let args = ["run", &tool, "--ceiling", "open", "--mount", &mount, "--ask", "read:/w/**"].map(str::to_owned);
    (world, args.to_vec())
}

/// The binary on a terminal of its own.
struct Terminal {
    child: Child,
    shown: std::sync::mpsc::Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn start(world: &World, args: &[String]) -> Self {
        let line: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
        let line = format!("{} {}; echo \"code=$?\"", env!("CARGO_BIN_EXE_caplet"), line.join(" "));
        let mut child = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(world.path(""))
            .env("HOME", world.home())
            .env("SHELL", "/bin/sh")
            .env_remove("XDG_RUNTIME_DIR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux has `script`");
        let mut stdout = child.stdout.take().unwrap();
        let (sender, shown) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut bytes) {
                if sender.send(bytes[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, shown, seen: String::new() }
    }

    /// Waits until `text` is shown; gives all that was shown until then.
    fn until(&mut self, text: &str) -> String {
        let end = Instant::now() + SOON;
        while !self.seen.contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            let bytes = self.shown.recv_timeout(left).unwrap_or_else(|_| panic!("{text:?} is not in {:?}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        self.seen.clone()
    }

    fn say(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[test]
fn a_person_at_the_terminal_is_asked_and_heard() {
    for (answer, code) in [("y\n", 0), ("s\n", 0), ("a\n", 0), ("n\n", 3), ("\n", 3), ("why?\n", 3)] {
        let (world, args) = world();
        let mut terminal = Terminal::start(&world, &args);
        let question = terminal.until("allow? ");
        for part in [
            "reader (run), asks for",
            "    read /w/secret[1]",
            "--ask 'read:/w/**'",
            "--allow 'read:/w/secret\\[1\\]' keeps it",
        ] {
            assert!(question.contains(part), "{part:?} is not in {question}");
        }
        terminal.say(answer);
        let all = terminal.until("code=");
        let all = if all.ends_with("code=") { terminal.until(&format!("code={code}")) } else { all };
        assert!(all.contains(&format!("code={code}")), "{answer:?}: {all}");
        let record = &world.records()[0];
        let entries = [&record["decisions"]["permitted_ops"], &record["decisions"]["denied"]];
        let answered =
            entries.into_iter().flat_map(|list| list.as_array().unwrap()).find_map(|entry| entry["answered"].as_str());
        assert!(answered.unwrap().ends_with("on the terminal") || answered.unwrap().contains("keeps it"), "{record}");
    }
}

#[test]
fn who_adds_a_tool_can_say_to_be_asked_each_time() {
    for (answer, written) in [
        ("a\n", "ask = [\"read:/**\"]"),
        ("ask read:/docs/**\n", "ask = [\"read:/docs/**\"]"),
        ("read:/docs/**\n", "allow = [\"read:/docs/**\"]"),
        ("n\n", "[tools.file-read]\n"),
    ] {
        let world = World::new();
        world.write("caplet.toml", "");
        let args = ["add", "file-read", "--config", "caplet.toml"].map(str::to_owned);
        let mut terminal = Terminal::start(&world, &args);
        terminal.until("[a]sk me each time");
        terminal.say(answer);
        terminal.until("code=0");
        let after = fs::read_to_string(world.path("caplet.toml")).unwrap();
        assert!(after.contains(written), "{answer:?}: {after}");
    }
}

#[test]
fn what_was_typed_ahead_answers_nothing() {
    let (world, args) = world();
    let mut terminal = Terminal::start(&world, &args);
    terminal.say("y\ny\ny\n");
    terminal.until("allow? ");
    terminal.say("\n");
    terminal.until("code=3");
}

#[test]
fn always_is_written_into_the_toolbox() {
    let (world, _) = world();
    let toolbox = "[tools.reader] # mine\nsource = \"./reader.wat\"\nceiling = \"open\"\nmounts = { \"/w\" = \"./w\" }\nask = [\"read:/w/**\"]\n";
    world.write("caplet.toml", toolbox);
    let args = ["run", "reader", "--config", "caplet.toml"].map(str::to_owned);
    let mut terminal = Terminal::start(&world, &args);
    let question = terminal.until("allow? ");
    assert!(question.contains("writes 'read:/w/secret\\[1\\]' to '"), "{question}");
    terminal.say("always\n");
    terminal.until("code=0");
    let after = fs::read_to_string(world.path("caplet.toml")).unwrap();
    assert_eq!(after, format!("{toolbox}allow = ['read:/w/secret\\[1\\]']\n"));
    world.run(&["run", "reader", "--config", "caplet.toml"]).assert(0, &[]);
}

#[test]
fn without_a_terminal_it_is_a_denial_that_says_so() {
    let (world, args) = world();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = world.outcome(&args);
    let denied = &outcome["decisions"]["denied"][0];
    assert_eq!(denied["rule"], "ask read:/w/**");
    assert_eq!(
        denied["hint"],
        "a rule says to ask, and nobody can be asked here; --allow 'read:/w/secret\\[1\\]' permits it without asking"
    );
    world.run(&args).assert(3, &["nobody can be asked here"]);
    world
        .run(&["run", "file-read", "--ask", "env:HOME"])
        .assert(2, &["nobody can be asked about wasi:cli/environment"]);
}

#[test]
fn explain_says_that_somebody_is_asked() {
    let world = World::new();
    let explain = |op: &str, more: &[&str]| {
        world
            .run(&[&["explain", "file-write", op, "--ask", "write:/w/**", "--deny", "write:/w/.git/**"], more].concat())
    };
    let asked = explain("write /w/x", &[]);
    asked.assert(3, &["--allow 'write:/w/x'"]);
    assert!(asked.stdout.contains("operator  asks     ask write:/w/**"), "{}", asked.stdout);
    assert!(asked.stdout.contains("asked about: a rule of the operator layer says so"), "{}", asked.stdout);
    explain("write /w/x", &["--allow", "write:/w/x"]).assert(0, &[]);
    explain("write /w/.git/x", &[]).assert(3, &["--deny"]);
    let verdict = |op: &str| explain(op, &["--json"]).json()["verdict"].clone();
    assert_eq!((verdict("write /w/x"), verdict("write /w/.git/x")), (json!("asked"), json!("denied")));
}

#[test]
fn questions_that_nobody_asks_are_told_as_such() {
    let world = World::new();
    world.run(&["approvals"]).assert(0, &["nothing waits for an answer"]);
    assert_eq!(world.run(&["approvals", "list", "--json"]).json(), json!({"questions": []}));
    world.run(&["approvals", "allow", "1-1"]).assert(2, &["no process has asked it", "`caplet approvals` lists"]);
    world.run(&["approvals", "deny", "\u{1b}[2J"]).assert(2, &["no process has asked it"]);
    world.run(&["approvals", "allow", "1-1", "--session", "--always"]).assert(2, &["cannot be used with"]);
}

/// Serves one question as a server would, by the protocol that the documentation has.
#[test]
fn a_question_on_a_socket_is_listed_and_answered() {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    let world = World::new();
    let folder = world.state().join("approvals");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(folder.join("approvals-7.sock")).unwrap();
    let serving = std::thread::spawn(move || {
        let mut heard = Vec::new();
        for response in [
            json!({"questions": [{"id": "7-1", "waits_s": 3, "question": {
                "tool": "poster", "function": "send", "client": "cursor\u{1b}[2J", "session": null, "capability": "wasi:http",
                "action": "POST", "target": "https://a.b/c", "rule": "fetch:POST https://a.b", "grant": "fetch:POST https://a.b/c",
                "toolbox": "/home/me/caplet.toml"}}]}),
            json!({"answered": "7-1"}),
        ] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            heard.push(serde_json::from_str::<Value>(&line).unwrap());
            writeln!(stream, "{response}").unwrap();
        }
        heard
    });
    let listed = world.run(&["approvals"]);
    let expected = [
        "7-1 poster (send), called by \"cursor\\u{1b}[2J\", asks for (3 s ago)",
        "    POST https://a.b/c",
        "  by the rule --ask 'fetch:POST https://a.b'",
        "  --always writes 'fetch:POST https://a.b/c' to '/home/me/caplet.toml'",
    ];
    assert_eq!(listed.assert(0, &[]).stdout.lines().collect::<Vec<_>>(), expected);
    world.run(&["approvals", "allow", "7-1", "--always"]).assert(0, &[]);
    let heard = serving.join().unwrap();
    assert_eq!(heard, [json!({"do": "list"}), json!({"do": "answer", "id": "7-1", "answer": "always"})]);
}
