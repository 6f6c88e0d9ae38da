//! Calls through the library: outcomes, records, and what happens when they are given up.

use std::sync::Arc;
use std::task::Poll;

use caplet::audit::{ErrorKind, MemorySink, OutcomeKind, Record, Sink, SinkError};
use caplet::{Caplet, Ceiling, Grant};
use serde_json::json;

use crate::{ADDS, LOOPS, source};

/// A Caplet that keeps its records in memory.
fn recorded() -> (Caplet, Arc<MemorySink>) {
    let sink = Arc::new(MemorySink::new());
    (Caplet::builder().sink(sink.clone()).build().unwrap(), sink)
}

#[tokio::test]
async fn a_tool_is_loaded_granted_and_called_many_times() {
    let (caplet, sink) = recorded();
    let tool = caplet.load(&source(ADDS)).unwrap();
    let granted = caplet.grant(&tool, Grant::new("/").unwrap()).unwrap().named("sum");
    for b in 0..3 {
        let outcome = granted.call(Some("add"), json!({"a": 1, "b": b})).await;
        assert_eq!(outcome.output, json!(1 + b), "{outcome:?}");
        let record = sink.take().pop().unwrap();
        assert_eq!(outcome.record.unwrap(), record.id);
        assert_eq!((record.tool.as_str(), record.outcome), ("sum", OutcomeKind::Ok));
        assert_eq!(record.component.as_deref(), Some(tool.digest().to_string().as_str()));
        assert!(record.policy.is_some() && record.arguments.is_some());
    }
    let unknown = granted.call(Some("nosuch"), json!({})).await;
    assert_eq!(unknown.error.unwrap().kind, ErrorKind::UnknownTool);
    assert_eq!(sink.take().len(), 1);
}

#[tokio::test]
async fn digests_tell_calls_apart_that_differ() {
    let (caplet, sink) = recorded();
    let tool = caplet.load(&source(ADDS)).unwrap();
    let call = async |rule: Option<&str>, ceiling, b: u32| {
        let mut grant = Grant::new("/").unwrap();
        grant.ceiling(ceiling).mount("/w=memory").unwrap();
        if let Some(rule) = rule {
            grant.allow(rule).unwrap();
        }
        let granted = caplet.grant(&tool, grant).unwrap();
        granted.call(None, json!({"a": 1, "b": b})).await;
        sink.take().pop().unwrap()
    };
    let plain = call(None, Ceiling::Manifest, 1).await;
    let same = call(None, Ceiling::Manifest, 1).await;
    let other_arguments = call(None, Ceiling::Manifest, 2).await;
    let other_rule = call(Some("read:/w/**"), Ceiling::Manifest, 1).await;
    let open = call(None, Ceiling::Open, 1).await;
    assert_eq!((&plain.policy, &plain.arguments), (&same.policy, &same.arguments));
    assert_ne!(plain.arguments, other_arguments.arguments);
    assert_ne!(plain.policy, other_rule.policy);
    assert_ne!(plain.policy, open.policy);
    assert_ne!(plain.id, same.id);
}

#[tokio::test]
async fn a_call_that_is_given_up_ends_and_is_recorded() {
    let (caplet, sink) = recorded();
    let tool = caplet.load(&source(LOOPS)).unwrap();
    let granted = caplet.grant(&tool, Grant::new("/").unwrap()).unwrap();
    let mut polls = 0;
    let cancel = std::future::poll_fn(|context| {
        polls += 1;
        context.waker().wake_by_ref();
        if polls > 20 { Poll::Ready(()) } else { Poll::Pending }
    });
    let outcome = granted.call_until(None, json!({}), cancel).await;
    assert_eq!((outcome.outcome, outcome.error.unwrap().kind), (OutcomeKind::Limit, ErrorKind::Cancelled));
    assert_eq!(sink.take().len(), 1);

    let mut call = Box::pin(granted.call(None, json!({})));
    std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending())).await;
    drop(call);
    let records = sink.take();
    assert_eq!(records.len(), 1, "a call whose future is dropped leaves its record too");
    assert_eq!(records[0].error.as_ref().unwrap().kind, ErrorKind::Cancelled);
}

/// A sink that fails before the call, or after it.
#[derive(Debug)]
struct Broken {
    is_ready: bool,
}

fn full() -> SinkError {
    SinkError::Full { path: "/nowhere".into() }
}

impl Sink for Broken {
    fn ready(&self) -> Result<(), SinkError> {
        if self.is_ready { Ok(()) } else { Err(full()) }
    }

    fn append(&self, _record: &Record) -> Result<(), SinkError> {
        Err(full())
    }
}

#[tokio::test]
async fn no_answer_without_a_record() {
    for is_ready in [false, true] {
        let caplet = Caplet::builder().sink(Arc::new(Broken { is_ready })).build().unwrap();
        let tool = caplet.load(&source(ADDS)).unwrap();
        let granted = caplet.grant(&tool, Grant::new("/").unwrap()).unwrap();
        let outcome = granted.call(None, json!({"a": 1, "b": 2})).await;
        assert_eq!(outcome.outcome, OutcomeKind::Host);
        assert_eq!(outcome.output, json!(null));
        assert_eq!(outcome.process_exit_code(), 6);
    }
}

#[tokio::test]
async fn arguments_are_bounded_by_their_limit() {
    let (caplet, sink) = recorded();
    let tool = caplet.load(&source(ADDS)).unwrap();
    let mut grant = Grant::new("/").unwrap();
    grant.limit("arguments=1KiB").unwrap();
    let granted = caplet.grant(&tool, grant).unwrap();
    let outcome = granted.call(None, json!({"a": 1, "b": 2, "c": "x".repeat(2000)})).await;
    let error = outcome.error.unwrap();
    assert_eq!(error.kind, ErrorKind::InvalidArgs);
    assert!(error.message.contains("longer than the limit"), "{error:?}");
    assert_eq!(sink.take().len(), 1);
}
