//! Asking a person: what is shown, what an answer is worth and for how long, where it is written, and who can give it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use caplet::audit::{Outcome, OutcomeKind};
use caplet::{
    Answer, Approver, CallContext, Caplet, Ceiling, Grant, Granted, Question, SessionData, SocketApprover, Toolbox,
    answer_question, open_questions,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Long enough for anything that is to happen at once, on a machine that is busy.
const SOON: Duration = Duration::from_secs(20);

/// Prints the file `name` of its first directory.
fn cat(name: &str) -> String {
    let escaped: String = name.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "{escaped}")
  (func (export "_start") (local $errno i32)
    (local.set $errno (call $open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const {length}) (i32.const 0)
      (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 0)))
    (if (local.get $errno) (then (call $exit (local.get $errno))))
    (i32.store (i32.const 8) (i32.const 8192)) (i32.store (i32.const 12) (i32.const 4096))
    (drop (call $fd_read (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
    (i32.store (i32.const 12) (i32.load (i32.const 16)))
    (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))))"#,
        length = name.len()
    )
}

/// A folder with files, a tool that reads one of them, and a toolbox.
struct World {
    root: tempfile::TempDir,
    caplet: Caplet,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("w")).unwrap();
        for name in ["a", "b[1]"] {
            fs::write(root.path().join("w").join(name), name).unwrap();
        }
        Self { root, caplet: Caplet::builder().build().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().unwrap().join(name)
    }

    fn granted(&self, file: &str, ask: &str) -> Granted {
        let tool = self.caplet.load(&crate::source(&cat(file))).unwrap();
        let mut grant = Grant::new("/").unwrap();
        grant.ceiling(Ceiling::Open).mount(&format!("/w={}", self.path("w").display())).unwrap();
        grant.ask(ask).unwrap();
        self.caplet.grant(&tool, grant).unwrap()
    }

    /// The tool of a toolbox that says `rules`, and the toolbox.
    fn configured(&self, rules: &str) -> (Granted, PathBuf) {
        fs::write(self.path("tool.wat"), cat("b[1]")).unwrap();
        let file = self.path("caplet.toml");
        let text = format!(
            "# mine\n[tools.reader]\nsource = \"./tool.wat\" # a file\n{rules}\nceiling = \"open\"\nmounts = {{ \"/w\" = \"./w\" }}\n"
        );
        fs::write(&file, text).unwrap();
        (self.reopened(), file)
    }

    fn reopened(&self) -> Granted {
        let toolbox = Toolbox::read(self.path("caplet.toml")).unwrap();
        let configured = toolbox.tool("reader").unwrap();
        let tool = self.caplet.load(configured.source()).unwrap().named("reader");
        self.caplet.grant(&tool, configured.grant("/").unwrap()).unwrap()
    }
}

/// Gives the same answer to everything, and keeps what it was asked and told.
#[derive(Debug)]
struct Person {
    answer: Option<Answer>,
    asked: Mutex<Vec<Question>>,
    told: Mutex<Vec<String>>,
    /// Waited for before each answer.
    patience: Option<Arc<Notify>>,
}

impl Person {
    fn who_says(answer: impl Into<Option<Answer>>) -> Arc<Self> {
        let answer = answer.into();
        Arc::new(Self { answer, asked: Mutex::default(), told: Mutex::default(), patience: None })
    }

    fn times(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl Approver for Person {
    fn name(&self) -> &str {
        "the test"
    }

    async fn ask(&self, question: &Question) -> Option<Answer> {
        self.asked.lock().unwrap().push(question.clone());
        if let Some(patience) = &self.patience {
            patience.notified().await;
        }
        self.answer
    }

    fn tell(&self, text: &str) {
        self.told.lock().unwrap().push(text.to_owned());
    }
}

fn context(person: &Arc<Person>) -> CallContext {
    CallContext::new().approver(Arc::clone(person) as Arc<dyn Approver>)
}

async fn call(granted: &Granted, context: &CallContext) -> Outcome {
    granted.call_in(None, json!({}), context, std::future::pending()).await
}

fn how(outcome: &Outcome) -> &str {
    let permitted = outcome.decisions.permitted_ops.iter().filter_map(|entry| entry.answered.as_deref());
    let denied = outcome.decisions.denied.iter().filter_map(|entry| entry.answered.as_deref());
    permitted.chain(denied).next().unwrap_or_default()
}

#[tokio::test]
async fn an_answer_goes_as_far_as_it_says() {
    let world = World::new();
    // What is said, how often it is asked in two calls of a session and in two without, whether the call works, and what is on record.
    let cases = [
        (Some(Answer::No), 2, 2, false, "refused on the test"),
        (None, 2, 2, false, "nobody could be asked on the test"),
        (Some(Answer::Once), 2, 2, true, "allowed once on the test"),
        (Some(Answer::Session), 1, 2, true, "allowed for the session on the test"),
        (Some(Answer::Always), 1, 2, true, "allowed for the session on the test; --allow 'read:/w/a' keeps it"),
    ];
    for (answer, in_session, alone, works, expected) in cases {
        let granted = world.granted("a", "read:/w/**");
        for (session, times) in [(Some(SessionData::new(1 << 20)), in_session), (None, alone)] {
            let person = Person::who_says(answer);
            let mut context = context(&person);
            if let Some(session) = session {
                context = context.session(Arc::new(session));
            }
            for number in 0..2 {
                let outcome = call(&granted, &context).await;
                assert_eq!(outcome.output == json!("a"), works, "{answer:?}: {outcome:?}");
                if number == 0 || times == 2 {
                    assert_eq!(how(&outcome), expected, "{answer:?}");
                }
            }
            assert_eq!(person.times(), times, "{answer:?}");
        }
    }
    let nobody = call(&world.granted("a", "read:/w/**"), &CallContext::new()).await;
    assert!(nobody.decisions.denied[0].hint.contains("nobody can be asked here"), "{nobody:?}");
}

#[tokio::test]
async fn the_question_says_who_asks_for_what_and_nothing_in_it_steers_a_terminal() {
    let world = World::new();
    let person = Person::who_says(Answer::No);
    let hostile = "cursor\u{1b}[2J\u{202e}\nCaplet: allowed";
    let context = context(&person).client(hostile).session_name("s-1");
    call(&world.granted("b[1]", "read:/w/**"), &context).await;
    let granted = world.granted("b\u{1b}[2J\u{202e}", "read:/w/**").named(hostile);
    call(&granted, &context).await;
    let asked = person.asked.lock().unwrap();
    let plain = &asked[0];
    assert_eq!((plain.tool.as_str(), plain.session.as_deref()), ("guest", Some("s-1")));
    assert_eq!((plain.action.as_str(), plain.target.as_str(), plain.rule.as_str()), ("read", "/w/b[1]", "read:/w/**"));
    assert_eq!((plain.grant.as_deref(), &plain.toolbox), (Some("read:/w/b\\[1\\]"), &None));
    assert_eq!(plain.capability, "wasi:filesystem");
    let shown = serde_json::to_value(&asked[1]).unwrap();
    for text in shown.as_object().unwrap().values().filter_map(Value::as_str) {
        assert!(text.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text:?}");
    }
    assert_eq!(asked[1].target, "/w/b\\u{1b}[2J\\u{202e}");
    assert_eq!(asked[1].grant, None, "no rule can say it, so it cannot be for always");
}

#[tokio::test]
async fn what_cannot_be_shown_as_a_whole_is_not_asked_about() {
    let world = World::new();
    let person = Person::who_says(Answer::Always);
    let name = format!("{}/x", ["d".repeat(200).as_str(); 15].join("/"));
    // The guest's name may be longer than what it has room for; directories that are not there end the walk before anybody is asked.
    let deep = world.path("w").join(Path::new(&name).parent().unwrap());
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("x"), "deep").unwrap();
    let outcome = call(&world.granted(&name, "read:/w/**"), &context(&person)).await;
    assert_eq!((person.times(), outcome.outcome), (0, OutcomeKind::Denied), "{outcome:?}");
    assert!(how(&outcome).contains("longer than the 2048 bytes"), "{outcome:?}");
}

#[tokio::test]
async fn nobody_in_time_is_a_no() {
    let world = World::new();
    let person = Arc::new(Person {
        answer: Some(Answer::Always),
        asked: Mutex::default(),
        told: Mutex::default(),
        patience: Some(Arc::default()),
    });
    let context = context(&person).approval_timeout(Duration::from_millis(50));
    let outcome = call(&world.granted("a", "read:/w/**"), &context).await;
    assert_eq!((how(&outcome), outcome.outcome), ("nobody answered on the test within 50 ms", OutcomeKind::Denied));
}

#[tokio::test]
async fn calls_of_a_session_that_ask_the_same_at_the_same_time_ask_once() {
    let world = World::new();
    let patience = Arc::new(Notify::new());
    let person = Arc::new(Person {
        // Whoever comes late finds it answered.
        answer: Some(Answer::Session),
        asked: Mutex::default(),
        told: Mutex::default(),
        patience: Some(Arc::clone(&patience)),
    });
    let granted = Arc::new(world.granted("a", "read:/w/**"));
    granted.warm().await.unwrap();
    let session = Arc::new(SessionData::new(1 << 20));
    let context = context(&person).session(session);
    let start = || {
        let (granted, context) = (Arc::clone(&granted), context.clone());
        tokio::spawn(async move { call(&granted, &context).await })
    };
    // The one that asks is given up; another goes on with the question.
    let first = start();
    while person.times() == 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..5).map(|_| start()).collect();
    // As the only thread is ours, all of them have come as far as they can.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(person.times(), 1);
    first.abort();
    while person.times() < 2 {
        tokio::task::yield_now().await;
    }
    patience.notify_one();
    for other in others {
        let outcome = tokio::time::timeout(SOON, other).await.unwrap().unwrap();
        assert_eq!(outcome.output, json!("a"), "{outcome:?}");
    }
    assert_eq!(person.times(), 2);
}

#[tokio::test]
async fn always_is_written_into_the_toolbox_and_only_there() {
    let world = World::new();
    let (granted, file) = world.configured("allow = [\n  \"read:/else/**\", # why\n]\nask = [\"read:/w/**\"]");
    let before = fs::read_to_string(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let person = Person::who_says(Answer::Always);
    for _ in 0..2 {
        let outcome = call(&granted, &context(&person)).await;
        assert_eq!(outcome.output, json!("b[1]"), "{outcome:?}");
    }
    assert_eq!(person.times(), 1);
    assert_eq!(person.asked.lock().unwrap()[0].toolbox.as_deref(), Some(file.as_path()));
    let after = fs::read_to_string(&file).unwrap();
    assert_eq!(after, before.replace("# why\n", "# why\n  'read:/w/b\\[1\\]',\n"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(world.root.path()).unwrap().count(), 3, "nothing is left beside it");
    // Whoever reads it anew is not asked again.
    let outcome = call(&world.reopened(), &CallContext::new()).await;
    assert_eq!(outcome.output, json!("b[1]"), "{outcome:?}");
}

#[tokio::test]
async fn a_toolbox_that_cannot_be_written_leaves_the_answer_to_the_session() {
    let world = World::new();
    let (granted, file) = world.configured("ask = [\"read:/w/**\"]");
    // It says something else by now.
    fs::write(&file, "[tools.other]\nsource = \"file-read\"\n").unwrap();
    let person = Person::who_says(Answer::Always);
    let outcome = call(&granted, &context(&person)).await;
    assert_eq!(outcome.output, json!("b[1]"));
    assert!(how(&outcome).contains("it could not be kept: it has no [tools.reader]"), "{}", how(&outcome));
    assert!(person.told.lock().unwrap()[0].contains("--allow 'read:/w/b\\[1\\]'"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "[tools.other]\nsource = \"file-read\"\n");
}

#[tokio::test]
async fn a_toolbox_behind_a_link_is_written_where_it_is() {
    let world = World::new();
    let (_, file) = world.configured("ask = [\"read:/w/**\"]");
    fs::create_dir(world.path("dotfiles")).unwrap();
    fs::rename(&file, world.path("dotfiles/real.toml")).unwrap();
    symlink("dotfiles/real.toml", &file).unwrap();
    let outcome = call(&world.reopened(), &context(&Person::who_says(Answer::Always))).await;
    assert_eq!(how(&outcome), "allowed always on the test");
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert!(fs::read_to_string(world.path("dotfiles/real.toml")).unwrap().contains("allow = ['read:/w/b\\[1\\]']"));
}

#[tokio::test]
async fn a_store_that_may_block_asks_as_others_do() {
    const MISSING: u32 = 44;
    const REFUSED: u32 = 63;
    let world = World::new();
    let tool = world.caplet.load(&crate::source(&cat("a"))).unwrap();
    let mut grant = Grant::new("/").unwrap();
    grant.ceiling(Ceiling::Open).mount(&format!("/w=sqlite:{}", world.path("files.db").display())).unwrap();
    grant.ask("read:/w/**").unwrap();
    let granted = world.caplet.grant(&tool, grant).unwrap();
    for (answer, code) in [(Answer::Once, MISSING), (Answer::No, REFUSED)] {
        let person = Person::who_says(answer);
        let outcome = call(&granted, &context(&person)).await;
        assert_eq!((outcome.exit_code, person.times()), (Some(code), 1), "{outcome:?}");
    }
}

#[tokio::test]
async fn rules_that_cannot_ask_are_refused_where_they_are_written() {
    let world = World::new();
    let mut grant = Grant::new("/").unwrap();
    let error = grant.ask("env:TOKEN").unwrap_err();
    assert_eq!(
        error.to_string(),
        "--ask 'env:TOKEN': nobody can be asked about wasi:cli/environment one by one: a tool has it from the start, or not at all"
    );
    assert!(error.hint().unwrap().contains("files, requests"));
    let error = Toolbox::parse("[tools.file-read]\nask = [\"clock:1us\"]\n", world.path("caplet.toml")).unwrap_err();
    assert!(error.to_string().contains("wasi:clocks"), "{error}");
}

#[tokio::test]
async fn a_rule_that_asks_lets_no_tool_at_the_questions() {
    let world = World::new();
    let folder = world.path("w/run");
    let caplet = Caplet::builder().approvals(folder.clone()).build().unwrap();
    let _approver = SocketApprover::open(&folder).unwrap();
    let tool = caplet.load(&crate::source(&cat("run/approvals-1.sock"))).unwrap();
    let mut grant = Grant::new("/").unwrap();
    grant.ceiling(Ceiling::Open).mount(&format!("/w={}", world.path("w").display())).unwrap();
    let mut inside = grant.clone();
    inside.ask("write:/w/**").unwrap();
    let error = caplet.grant(&tool, inside).unwrap_err();
    assert!(error.to_string().contains("questions to the user"), "{error}");
    grant.ask("read:/w/**").unwrap();
    let person = Person::who_says(Answer::Always);
    let outcome = call(&caplet.grant(&tool, grant).unwrap(), &context(&person)).await;
    assert_eq!((person.times(), outcome.outcome), (0, OutcomeKind::Denied), "{outcome:?}");
}

/// Waits until a question is open.
async fn waiting(folder: &Path) -> caplet::OpenQuestion {
    let looking = async {
        loop {
            let folder = folder.to_owned();
            let open = tokio::task::spawn_blocking(move || open_questions(&folder).unwrap()).await.unwrap();
            if let [question] = &open[..] {
                return question.clone();
            }
        }
    };
    tokio::time::timeout(SOON, looking).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_of_a_server_are_answered_from_outside() {
    let world = World::new();
    let folder = world.path("run/caplet");
    assert!(open_questions(&folder).unwrap().is_empty(), "nobody has asked anything yet");
    let approver = Arc::new(SocketApprover::open(&folder).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(approver.path())), (0o700, 0o600));
    assert!(SocketApprover::open(&folder).is_err(), "there is one for a process");
    let granted = Arc::new(world.granted("a", "read:/w/**"));
    let context = CallContext::new().approver(Arc::clone(&approver) as Arc<dyn Approver>);
    for (answer, works) in [(Answer::Once, true), (Answer::No, false)] {
        let (granted, context) = (Arc::clone(&granted), context.clone());
        let running = tokio::spawn(async move { call(&granted, &context).await });
        let question = waiting(&folder).await;
        assert_eq!((question.question.action.as_str(), question.question.target.as_str()), ("read", "/w/a"));
        answer_question(&folder, &question.id, answer).unwrap();
        let outcome = running.await.unwrap();
        assert_eq!(outcome.output == json!("a"), works, "{outcome:?}");
        assert!(how(&outcome).ends_with("on the approval socket"));
        let twice = answer_question(&folder, &question.id, answer).unwrap_err();
        assert!(twice.to_string().contains("no such question is open"), "{twice}");
    }
    // A call that is given up takes its question with it.
    let running = tokio::spawn(async move { call(&granted, &context).await });
    waiting(&folder).await;
    running.abort();
    let _aborted = running.await;
    let withdrawn = async {
        let folder = folder.clone();
        let is_open = move || !open_questions(&folder).unwrap().is_empty();
        while tokio::task::spawn_blocking(is_open.clone()).await.unwrap() {}
    };
    tokio::time::timeout(SOON, withdrawn).await.unwrap();
    let path = approver.path().to_owned();
    drop(approver);
    assert!(!path.exists());
    fs::write(folder.join("approvals-1.sock"), "left behind").unwrap();
    assert!(open_questions(&folder).unwrap().is_empty());
    assert!(answer_question(&folder, "1-1", Answer::Once).unwrap_err().to_string().contains("has ended"));
    assert!(answer_question(&folder, "nonsense", Answer::Once).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_ends_its_connection_and_nothing_else() {
    let world = World::new();
    let folder = world.path("run");
    let approver = SocketApprover::open(&folder).unwrap();
    let said = |text: Vec<u8>| {
        let mut stream = UnixStream::connect(approver.path()).unwrap();
        // The other end may be gone before it has taken all of it.
        let _sent = stream.write_all(&text);
        let mut line = String::new();
        let mut reader = BufReader::new(stream);
        let _read = reader.read_line(&mut line);
        let over = reader.read(&mut [0]).unwrap_or(0) == 0;
        (line, over)
    };
    let cases: [&[u8]; 6] = [
        b"nonsense\n",
        b"{}\n",
        b"{\"do\":\"answer\",\"id\":\"1\"}\n",
        b"{\"do\":\"list\",\"more\":1}\n",
        b"\xff\xfe\n",
        &[b'x'; 100_000],
    ];
    for case in cases {
        let (line, over) = said(case.to_vec());
        assert!(line.starts_with("{\"error\":") || line.is_empty(), "{line}");
        assert!(over);
    }
    // More connections than it takes at a time wait, and are served when one goes.
    let held: Vec<_> = (0..40).map(|_| UnixStream::connect(approver.path()).unwrap()).collect();
    drop(held);
    assert!(open_questions(&folder).unwrap().is_empty());
}

#[test]
fn a_folder_that_others_reach_is_no_place_for_questions() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let world = World::new();
    let folder = world.path("open");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let error = SocketApprover::open(&folder).unwrap_err();
    assert!(error.to_string().contains("chmod 700"), "{error}");
    assert!(open_questions(&folder).is_err());
    symlink(world.path("w"), world.path("link")).unwrap();
    fs::set_permissions(world.path("w"), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(SocketApprover::open(&world.path("link")).is_err(), "a link is somebody else's choice");
}

#[tokio::test]
async fn once_is_for_one_of_the_calls_that_wait_for_the_same_answer() {
    let world = World::new();
    let patience = Arc::new(Notify::new());
    let person = Arc::new(Person {
        answer: Some(Answer::Once),
        asked: Mutex::default(),
        told: Mutex::default(),
        patience: Some(Arc::clone(&patience)),
    });
    let granted = Arc::new(world.granted("a", "read:/w/**"));
    granted.warm().await.unwrap();
    let context = context(&person).session(Arc::new(SessionData::new(1 << 20)));
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let (granted, context) = (Arc::clone(&granted), context.clone());
            tokio::spawn(async move { call(&granted, &context).await })
        })
        .collect();
    for answered in 1..=4 {
        while person.times() < answered {
            tokio::task::yield_now().await;
        }
        // A call that was let go on may still be at its work; no other one is.
        let done = calls.iter().filter(|call| call.is_finished()).count();
        assert!(done < answered, "one answer lets one call go on: {done} of {answered}");
        patience.notify_one();
    }
    for call in calls {
        assert_eq!(tokio::time::timeout(SOON, call).await.unwrap().unwrap().output, json!("a"));
    }
    assert_eq!(person.times(), 4);
}
