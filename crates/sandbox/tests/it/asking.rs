//! Calls that wait for a person: what they wait for, what an answer is worth, and whom they hold up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use caplet_audit::{ErrorKind, Outcome};
use caplet_policy::{Answered, Question};
use caplet_sandbox::{Asking, Respond, Response};
use caplet_testkit::lab::canary::Canary;
use caplet_testkit::lab::http::{Http, pages};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::{Call, READ, call, preview1};
use crate::keyvalue::probe as keyvalue;
use crate::network::probe::{Answer, get};

/// Long enough for anything that is to happen at once, on a machine that is busy.
const SOON: Duration = Duration::from_secs(20);

/// A question that waits.
struct Asked {
    op: String,
    answer: oneshot::Sender<Response>,
}

impl Asked {
    fn answer(self, permits: bool, lasts: bool) {
        let answered = Answered { permits, how: "answered by the test".into() };
        let _ = self.answer.send(Response { answered, lasts });
    }
}

/// Hands each question to the test, and waits for what the test says.
#[derive(Debug)]
struct Handed(mpsc::UnboundedSender<Asked>);

#[async_trait]
impl Respond for Handed {
    async fn respond(&self, question: &Question) -> Response {
        let (answer, answered) = oneshot::channel();
        self.0.send(Asked { op: question.op.to_string(), answer }).unwrap();
        answered.await.unwrap()
    }
}

struct Questions(mpsc::UnboundedReceiver<Asked>);

impl Questions {
    async fn next(&mut self) -> Asked {
        timeout(SOON, self.0.recv()).await.expect("a question comes soon").unwrap()
    }

    /// All that were put and not taken.
    fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.0.try_recv().ok()).map(|asked| asked.op).collect()
    }
}

fn asked(mut call: Call) -> (Call, Questions) {
    let (sender, questions) = mpsc::unbounded_channel();
    call.invocation.asking = Some(Arc::new(Asking::new(Arc::new(Handed(sender)))));
    (call, Questions(questions))
}

/// Answers all questions alike; gives what was asked.
fn answering(mut questions: Questions, permits: bool, lasts: bool) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(asked) = questions.0.recv().await {
            seen.push(asked.op.clone());
            asked.answer(permits, lasts);
        }
        seen
    })
}

/// Opens files of one letter in its first directory, each of `letters` so many times, and goes on with `then`; what it could open, it
/// prints.
fn opens(letters: std::ops::Range<u8>, times: u32, then: &str) -> String {
    let (from, to) = (letters.start, letters.end);
    let body = format!(
        "(local $letter i32) (local $time i32)
         (local.set $letter (i32.const {from}))
         (loop $letters
           (i32.store8 (i32.const 1024) (local.get $letter))
           (local.set $time (i32.const {times}))
           (loop $times
             (if (i32.eqz (call $open (i32.const 3) (i32.const 1024) (i32.const 1) (i32.const 0) {READ})) (then (call $cat)))
             (local.set $time (i32.sub (local.get $time) (i32.const 1)))
             (br_if $times (local.get $time)))
           (local.set $letter (i32.add (local.get $letter) (i32.const 1)))
           (br_if $letters (i32.lt_u (local.get $letter) (i32.const {to}))))
         {then}"
    );
    preview1("a", &body)
}

fn world() -> tempfile::TempDir {
    let world = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::write(world.path().join(name), name).unwrap();
    }
    world
}

fn start(call: Call) -> JoinHandle<Outcome> {
    tokio::spawn(call.run())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_for_the_exact_op_and_for_the_call() {
    let world = world();
    let (call, mut questions) = asked(call(&opens(b'a'..b'c', 3, "")).mount_host("/w", world.path()).ask("read:/w/**"));
    let running = start(call);
    let first = questions.next().await;
    assert_eq!(first.op, "read /w/a");
    first.answer(true, false);
    let second = questions.next().await;
    assert_eq!(second.op, "read /w/b");
    second.answer(false, false);
    let outcome = running.await.unwrap();
    assert_eq!(outcome.output, json!("aaa"), "yes to one is no yes to another");
    assert!(questions.rest().is_empty(), "what was answered is not asked again");
    let [denied] = &outcome.decisions.denied[..] else { panic!("{outcome:?}") };
    assert_eq!((denied.op.as_str(), denied.rule.as_str(), denied.count), ("read /w/b", "ask read:/w/**", 3));
    assert_eq!(denied.hint, "answered by the test; --allow 'read:/w/b' permits it without asking");
    let permitted = outcome.decisions.permitted_ops.iter().find(|entry| entry.op == "read /w/a").unwrap();
    assert_eq!((permitted.answered.as_deref(), permitted.count), (Some("answered by the test"), 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_to_ask_is_a_denial() {
    let world = world();
    let outcome = call(&opens(b'a'..b'b', 1, "")).mount_host("/w", world.path()).ask("read:/w/**").run().await;
    assert_eq!(outcome.decisions.denied.len(), 1, "{outcome:?}");
    assert!(outcome.decisions.denied[0].hint.starts_with("a rule says to ask, and nobody can be asked here"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_asks_for_ever_new_things_is_refused_the_rest() {
    let world = world();
    let (call, questions) = asked(call(&opens(b'A'..b'z', 2, "")).mount_host("/w", world.path()).ask("read:/w/**"));
    let answering = answering(questions, false, false);
    let outcome = start(call).await.unwrap();
    let seen = answering.await.unwrap();
    assert_eq!(seen.len(), 16, "{seen:?}");
    let unasked = outcome.decisions.denied.iter().filter(|entry| entry.hint.contains("16 other things in this call"));
    assert_eq!(unasked.map(|entry| entry.count).sum::<u64>(), 2 * (u64::from(b'z' - b'A') - 16), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_person_uses_up_no_time_and_then_has_all_of_it() {
    let world = world();
    let limit = Duration::from_millis(300);
    for (then, expected) in [("", None), ("(loop $spin (br $spin))", Some(ErrorKind::Timeout))] {
        let guest = call(&opens(b'a'..b'b', 1, then)).mount_host("/w", world.path()).ask("read:/w/**");
        guest.prepared().warm(&guest.invocation.limits).await.unwrap();
        let (call, mut questions) = asked(guest.limit("timeout=300ms"));
        let began = Instant::now();
        let running = start(call);
        let question = questions.next().await;
        // Three times what the guest has.
        tokio::time::sleep(limit * 3).await;
        assert!(!running.is_finished(), "it waits for the answer");
        question.answer(true, false);
        let answered = began.elapsed();
        let outcome = timeout(SOON, running).await.expect("its own time still ends").unwrap();
        let after = began.elapsed() - answered;
        match expected {
            None => assert_eq!(outcome.output, json!("a"), "{outcome:?}"),
            Some(kind) => {
                assert_eq!(outcome.error.as_ref().map(|error| error.kind), Some(kind), "{outcome:?}");
                assert!(after >= limit / 2, "it has its own time after the answer: {after:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_waits_is_cancelled_at_once() {
    let world = world();
    let (call, mut questions) = asked(call(&opens(b'a'..b'b', 1, "")).mount_host("/w", world.path()).ask("read:/w/**"));
    let running = start(call);
    let mut question = questions.next().await;
    running.abort();
    assert!(timeout(SOON, running).await.unwrap().unwrap_err().is_cancelled());
    timeout(SOON, question.answer.closed()).await.expect("the question goes with the call");
}

/// `add`, which takes no time.
const ADD: &str = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;

#[tokio::test]
async fn calls_that_wait_hold_up_no_other() {
    // One thread for all, so that a call that blocked it would be seen.
    let add = call(ADD).prepared();
    let world = world();
    let guest = call(&opens(b'a'..b'b', 1, "")).prepared();
    let mut waiting = Vec::new();
    for _ in 0..30 {
        let (call, mut questions) = asked(Call::of(guest.clone()).mount_host("/w", world.path()).ask("read:/w/**"));
        let running = start(call);
        waiting.push((questions.next().await, running));
    }
    for _ in 0..100 {
        let running = Call::of(add.clone()).arguments(json!({"a": 1, "b": 2})).run();
        assert_eq!(timeout(SOON, running).await.expect("nobody is in its way").output, json!(3));
    }
    for (question, running) in waiting {
        question.answer(true, false);
        assert_eq!(running.await.unwrap().output, json!("a"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn yes_to_a_request_is_for_one_request_unless_it_lasts() {
    for (lasts, expected) in [(false, 3), (true, 1)] {
        let server = Http::on("127.0.0.1:0", pages::text(200, "ok")).unwrap();
        let url = format!("http://{}", server.address());
        let mut request = get(&format!("{url}/a?q=1")).method("POST").times(3);
        let (call, questions) = asked(request.call.ask(&format!("fetch:POST {url}/**")));
        request.call = call;
        let answering = answering(questions, true, lasts);
        let answer = request.send().await;
        assert_eq!((answer.status(), server.requests().len()), (200, 3), "{answer:?}");
        assert_eq!(answering.await.unwrap(), vec![format!("POST {url}/a?q=1"); expected]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn even_who_says_yes_is_asked_so_often_and_no_more() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "ok")).unwrap();
    let url = format!("http://{}/", server.address());
    let mut request = get(&url).times(20);
    let (call, questions) = asked(request.call.ask(&format!("fetch:{url}")));
    request.call = call;
    let answering = answering(questions, true, false);
    let answer = request.send().await;
    assert_eq!((answer.error(), server.requests().len()), ("HTTP-request-denied", 16), "{answer:?}");
    assert_eq!(answering.await.unwrap().len(), 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_refused_never_leaves() {
    let canary = Canary::on("127.0.0.1:0").unwrap();
    let url = format!("http://{}", canary.address());
    let mut request = get(&url).times(3);
    let (call, questions) = asked(request.call.ask(&format!("fetch:{url}/**")));
    request.call = call;
    let answering = answering(questions, false, false);
    let answer = request.send().await;
    assert_eq!((answer.error(), canary.hits()), ("HTTP-request-denied", 0), "{answer:?}");
    assert_eq!(answering.await.unwrap().len(), 1, "no is not asked about again");
}

/// Six identical requests at the same time, and the first question about them once all have begun.
async fn six_at_once(url: &str) -> (JoinHandle<Answer>, Asked, Questions) {
    let mut request = get(url).ahead(5);
    let (call, mut questions) = asked(request.call.ask(&format!("fetch:{url}")));
    request.call = call;
    let sending = tokio::spawn(request.send());
    let question = questions.next().await;
    // All six have begun once the guest waits for the last, which asks like the others.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(questions.rest().is_empty(), "the same is asked once at a time");
    (sending, question, questions)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_question_at_the_same_time_is_put_once_where_the_answer_lasts() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "ok")).unwrap();
    let (sending, question, mut questions) = six_at_once(&format!("http://{}/", server.address())).await;
    question.answer(true, true);
    let answer = timeout(SOON, sending).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");
    assert!(questions.rest().is_empty());
}

/// A guest that has many requests wait for one question gets no more out of it than one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn yes_to_one_of_many_that_wait_is_for_that_one() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "ok")).unwrap();
    let (sending, question, questions) = six_at_once(&format!("http://{}/", server.address())).await;
    question.answer(true, false);
    let others = answering(questions, false, false);
    timeout(SOON, sending).await.unwrap().unwrap();
    let others = others.await.unwrap();
    assert!(others.len() <= 1, "no is for all: {others:?}");
    assert!(server.requests().len() <= 1, "{} requests by one yes", server.requests().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hop_is_a_question_by_itself() {
    let canary = Canary::on("127.0.0.1:0").unwrap();
    let target = format!("http://{}/b", canary.address());
    let server = Http::on("127.0.0.1:0", pages::redirect(302, &target)).unwrap();
    let url = format!("http://{}/a", server.address());
    let mut request = get(&url);
    request.call.invocation.redirects = 5;
    let (call, mut questions) = asked(request.call.ask("fetch:http://127.0.0.1:*/**"));
    request.call = call;
    let sending = tokio::spawn(request.send());
    let first = questions.next().await;
    assert_eq!(first.op, format!("GET {url}"));
    first.answer(true, true);
    let second = questions.next().await;
    assert_eq!((second.op.as_str(), canary.hits()), (format!("GET {target}").as_str(), 0));
    second.answer(false, false);
    let answer = sending.await.unwrap();
    assert_eq!((answer.error(), canary.hits()), ("HTTP-request-denied", 0), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_asked_about_one_by_one_and_opening_is_not() {
    let mut script = keyvalue::script(keyvalue::DRAFT_2, &keyvalue::Source::memory());
    let bucket = script.open("notes");
    script.set(bucket, "a", "1");
    script.get(bucket, "a");
    script.set_many(bucket, &["b", "c"], "2");
    let (call, mut questions) = asked(script.call.ask("kv:notes"));
    script.call = call;
    let running = tokio::spawn(script.run());
    for (op, permits) in
        [("kv-write notes/a", true), ("kv-read notes/a", true), ("kv-write notes/b", true), ("kv-write notes/c", false)]
    {
        let question = questions.next().await;
        assert_eq!(question.op, op);
        question.answer(permits, false);
    }
    let answer = running.await.unwrap();
    assert_eq!(answer.all(), ["ok", "ok", "ok", "access-denied"]);
}
