//! Sessions: one instance for a row of calls.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use caplet::audit::{ErrorKind, MemorySink, OutcomeKind};
use caplet::sandbox::SessionLimits;
use caplet::{Answer, Approver, CallContext, Caplet, Ceiling, Grant, Granted, Question, Session, SessionData, Source};
use caplet_testkit::HTTP_PROBE;
use caplet_testkit::lab::http::{Http, pages};
use serde_json::{Value, json};

/// `next` counts up what the instance remembers; `crash` traps; `spin` never ends; `fail` is a tool's own error.
const COUNTER: &str = r#"(component
  (core module $m
    (global $count (mut i32) (i32.const 0))
    (memory (export "memory") 1)
    (func (export "next") (result i32) (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count))
    (func (export "crash") unreachable)
    (func (export "spin") (loop $l (br $l)))
    (func (export "fail") (result i32) (i32.const 1)))
  (core instance $i (instantiate $m))
  (func (export "next") (result u32) (canon lift (core func $i "next")))
  (func (export "crash") (canon lift (core func $i "crash")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "fail") (result (result)) (canon lift (core func $i "fail"))))"#;

fn granted(caplet: &Caplet) -> Arc<Granted> {
    let source = Source::Bytes { name: "counter".to_owned(), bytes: COUNTER.as_bytes().to_vec() };
    let tool = caplet.load(&source).unwrap();
    let mut grant = Grant::new("/").unwrap();
    grant.ceiling(Ceiling::Open).limit("timeout=300ms").unwrap();
    Arc::new(caplet.grant(&tool, grant).unwrap())
}

async fn next(session: &Session) -> Value {
    session.call(Some("next"), json!({})).await.output
}

#[tokio::test]
async fn calls_of_a_session_share_an_instance_and_others_do_not() {
    let sink = Arc::new(MemorySink::new());
    let granted = granted(&Caplet::builder().sink(Arc::clone(&sink) as _).build().unwrap());
    let (one, other) = (granted.session(SessionLimits::default()), granted.session(SessionLimits::default()));
    assert_eq!((next(&one).await, next(&one).await, next(&one).await), (json!(1), json!(2), json!(3)));
    assert_eq!(next(&other).await, json!(1), "another session has its own");
    assert_eq!(granted.call(Some("next"), json!({})).await.output, json!(1), "and so has a call");
    let failed = one.call(Some("fail"), json!({})).await;
    assert_eq!(failed.outcome, OutcomeKind::Error);
    let refused = one.call(Some("next"), json!({"x": 1})).await;
    assert_eq!((refused.outcome, refused.error.unwrap().kind), (OutcomeKind::Refused, ErrorKind::InvalidArgs));
    assert_eq!(next(&one).await, json!(4), "neither of these ends a session");
    assert_eq!(sink.take().len(), 8, "every call is on record");
}

#[tokio::test]
async fn a_session_ends_with_a_call_that_does_not_end_well() {
    let granted = granted(&Caplet::builder().build().unwrap());
    for (function, outcome) in [("crash", OutcomeKind::Trap), ("spin", OutcomeKind::Limit)] {
        for before in [0, 1] {
            let session = granted.session(SessionLimits::default());
            for _ in 0..before {
                next(&session).await;
            }
            assert_eq!(session.call(Some(function), json!({})).await.outcome, outcome);
            assert!(!session.is_open());
            let after = session.call(Some("next"), json!({})).await;
            let error = after.error.unwrap();
            assert_eq!((after.outcome, error.kind), (OutcomeKind::Refused, ErrorKind::Cancelled), "{function}");
            assert!(error.message.contains("ended"), "{}", error.message);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_its_session() {
    let granted = granted(&Caplet::builder().build().unwrap());
    let session = granted.session(SessionLimits::default());
    next(&session).await;
    let dropped = tokio::time::timeout(Duration::from_millis(20), session.call(Some("spin"), json!({}))).await;
    assert!(dropped.is_err());
    let after = session.call(Some("next"), json!({})).await;
    assert_eq!(after.outcome, OutcomeKind::Refused);
}

#[tokio::test]
async fn a_session_has_a_lifetime_and_does_not_wait_for_ever() {
    let granted = granted(&Caplet::builder().build().unwrap());
    let mut limits = SessionLimits::default();
    limits.lifetime = Duration::ZERO;
    let session = granted.session(limits);
    assert_eq!(session.call(Some("spin"), json!({})).await.outcome, OutcomeKind::Limit, "no call outlives its session");
    let mut limits = SessionLimits::default();
    limits.idle = Duration::ZERO;
    let session = granted.session(limits);
    assert_eq!(next(&session).await, json!(1));
    while session.is_open() {
        tokio::task::yield_now().await;
    }
    assert_eq!(session.call(Some("next"), json!({})).await.outcome, OutcomeKind::Refused);
}

#[tokio::test]
async fn calls_of_one_session_wait_for_each_other() {
    let granted = granted(&Caplet::builder().build().unwrap());
    let session = Arc::new(granted.session(SessionLimits::default()));
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let session = Arc::clone(&session);
            tokio::spawn(async move { next(&session).await })
        })
        .collect();
    let mut counts = Vec::new();
    for call in calls {
        counts.push(call.await.unwrap().as_u64().unwrap());
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=20).collect::<Vec<_>>());
}

/// What a call is counted, and what it may do, starts anew with each call of a session.
#[tokio::test]
async fn each_call_of_a_session_has_its_own_requests() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    let caplet = Caplet::builder().build().unwrap();
    let source = Source::Bytes { name: "probe".to_owned(), bytes: HTTP_PROBE.as_bytes().to_vec() };
    let tool = caplet.load(&source).unwrap();
    let mut grant = Grant::new("/").unwrap();
    grant.ceiling(Ceiling::Open).limit("http-requests=2").unwrap();
    grant.allow(&format!("fetch:{}**", server.url("/"))).unwrap();
    let session = Arc::new(caplet.grant(&tool, grant).unwrap()).session(SessionLimits::default());
    let send = |times: u32| {
        json!({
            "times": times, "method": "GET", "scheme": "http", "authority": server.address().to_string(), "path": "/",
            "headers": [], "body": "", "timeout": i64::MIN, "ahead": 0, "must": false,
        })
    };
    for _ in 0..3 {
        let outcome = session.call(Some("send"), send(2)).await;
        assert_eq!((outcome.outcome, &outcome.output[0]), (OutcomeKind::Ok, &json!(200)), "{outcome:?}");
        assert_eq!((outcome.usage.http_requests, outcome.usage.http_received_bytes), (2, 10));
    }
    let outcome = session.call(Some("send"), send(3)).await;
    assert_eq!((outcome.usage.http_requests, &outcome.output[0]), (2, &json!(0)), "{outcome:?}");
    assert_eq!((server.requests().len(), server.accepts()), (8, 1));
}

/// Answers each question with the next of its answers, and keeps who asked.
#[derive(Debug)]
struct Person {
    answers: std::sync::Mutex<Vec<Answer>>,
    asked: std::sync::Mutex<Vec<String>>,
}

#[async_trait]
impl Approver for Person {
    fn name(&self) -> &str {
        "the test"
    }

    async fn ask(&self, question: &Question) -> Option<Answer> {
        self.asked.lock().unwrap().push(question.who());
        self.answers.lock().unwrap().pop()
    }
}

#[tokio::test]
async fn a_session_asks_for_each_call_what_no_answer_is_known_to() {
    let server = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    let caplet = Caplet::builder().build().unwrap();
    let source = Source::Bytes { name: "probe".to_owned(), bytes: HTTP_PROBE.as_bytes().to_vec() };
    let tool = caplet.load(&source).unwrap();
    let send = json!({
        "times": 1, "method": "POST", "scheme": "http", "authority": server.address().to_string(), "path": "/",
        "headers": [], "body": "", "timeout": i64::MIN, "ahead": 0, "must": false,
    });
    // What is answered in turn, whether each call may send, and how often somebody is asked.
    let cases: [(&[Answer], [bool; 3], usize); 4] = [
        (&[Answer::Once, Answer::No, Answer::Once], [true, false, true], 3),
        (&[Answer::No, Answer::Session], [false, true, true], 2),
        (&[Answer::Session], [true, true, true], 1),
        (&[], [false, false, false], 3),
    ];
    for (answers, permitted, asked) in cases {
        let mut grant = Grant::new("/").unwrap();
        grant.ceiling(Ceiling::Open).ask(&format!("fetch:POST {}**", server.url("/"))).unwrap();
        let granted = Arc::new(caplet.grant(&tool, grant).unwrap());
        let answers = answers.iter().rev().copied().collect::<Vec<_>>().into();
        let person = Arc::new(Person { answers, asked: Vec::new().into() });
        let context = CallContext::new().approver(Arc::clone(&person) as _).client("embedder");
        let session = granted.session_in(SessionLimits::default(), &context);
        for may in permitted {
            let outcome = session.call(Some("send"), send.clone()).await;
            assert_eq!(outcome.output[0] == json!(200), may, "{permitted:?}: {outcome:?}");
        }
        let who = person.asked.lock().unwrap().clone();
        assert_eq!(who, vec!["probe (send), called by \"embedder\""; asked]);
        assert!(session.is_open());
        let nobody = granted.session(SessionLimits::default()).call(Some("send"), send.clone()).await;
        assert_ne!(nobody.output[0], json!(200), "without anybody to ask, it is a no");
    }
}

/// Who has a session's data has its files; there is no name by which another could.
#[tokio::test]
async fn files_of_one_session_are_no_others() {
    let caplet = Caplet::builder().build().unwrap();
    let call = async |tool: &str, data: Option<&Arc<SessionData>>, arguments: Value| {
        let mut grant = Grant::new("/").unwrap();
        grant.mount("/s=session").unwrap().allow("write:/s/**").unwrap();
        if let Some(data) = data {
            grant.session(Arc::clone(data));
        }
        let tool = caplet.load(&Source::parse(tool).unwrap()).unwrap();
        caplet.grant(&tool, grant).unwrap().call(None, arguments).await
    };
    let write = |length: usize| json!({"path": "/s/f", "content": "x".repeat(length)});
    let read = || json!({"path": "/s/f"});
    let [one, other] = [1 << 20, 16 << 10].map(|quota| Arc::new(SessionData::new(quota)));
    assert!(call("file-write", Some(&one), write(100_000)).await.is_ok());
    assert!(call("file-read", Some(&one), read()).await.is_ok(), "the next call of the session finds it");
    for elsewhere in [Some(&other), None] {
        assert!(!call("file-read", elsewhere, read()).await.is_ok(), "{elsewhere:?}");
    }
    let full = call("file-write", Some(&other), write(100_000)).await;
    assert!(!full.is_ok(), "each has its own quota: {full:?}");
    assert!(call("file-write", Some(&other), write(1_000)).await.is_ok());
    drop(one);
    let again = Arc::new(SessionData::new(1 << 20));
    assert!(!call("file-read", Some(&again), read()).await.is_ok(), "nothing outlives a session");
}
