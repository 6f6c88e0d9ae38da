//! P18: what is counted, who may see it, and that no label says more than it may.

use std::sync::Arc;

use caplet_audit::{ErrorInfo, ErrorKind, MemorySink, Outcome, Record};
use caplet_server::{Authentication, Metrics, NewToken, TokenFile};

use crate::wire::Ask;
use crate::world::{World, initialize};

fn record(tool: &str) -> Record {
    Record::new(&Outcome::refused(tool, None, ErrorInfo::new(ErrorKind::UnknownTool, "there is none")))
}

#[tokio::test]
async fn calls_are_counted_and_labels_are_plain_and_few() {
    let metrics = Metrics::new();
    let kept = Arc::new(MemorySink::default());
    let sink = metrics.sink(Arc::clone(&kept) as Arc<_>);
    let world = World::with(|builder| builder.metrics(metrics)).await;
    sink.ready().unwrap();
    sink.append(&record("web-fetch")).unwrap();
    sink.append(&record("web-fetch")).unwrap();
    sink.append(&record("x\"} 1\ncaplet_calls_total{tool=\"forged\",outcome=\"ok\"} 9\n<script>\\")).unwrap();
    for number in 0..1_000 {
        sink.append(&record(&format!("tool-{number}"))).unwrap();
    }
    assert_eq!(kept.take().len(), 1_003, "every record is kept as well");
    let reply = world.ask(&Ask::new("GET /metrics")).await;
    let text = &reply.body;
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert!(text.contains("\ncaplet_calls_total{tool=\"web-fetch\",outcome=\"refused\"} 2\n"), "{text}");
    assert!(!text.contains("\"forged\"") && !text.contains("<script>") && !text.contains("outcome=\"ok\""), "{text}");
    assert!(text.contains("caplet_calls_total{tool=\"(other)\",outcome=\"refused\"} 746\n"), "{text}");
    assert_eq!(text.matches("\ncaplet_calls_total{").count(), 257);
    assert!(text.lines().all(|line| line.len() < 256) && text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn who_may_not_read_them_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::new(folder.path().join("tokens.toml"));
    let make = |name: &str, metrics| {
        let token = file.add(NewToken { name: name.to_owned(), metrics, ..Default::default() }).unwrap();
        format!("Bearer {}", token.expose())
    };
    let (agent, watcher) = (make("agent", false), make("watcher", true));
    let world = World::asking(Authentication::none().tokens(file).unwrap()).await;
    let get = Ask::new("GET /metrics");
    assert_eq!(world.ask(&get).await.status, 401);
    assert_eq!(world.ask(&get.clone().with("authorization", "Bearer nothing")).await.status, 401);
    assert_eq!(world.ask(&get.clone().with("authorization", &agent)).await.status, 403);
    assert_eq!(world.ask(&initialize().with("authorization", &agent)).await.status, 200);
    let text = world.ask(&get.with("authorization", &watcher)).await.body;
    for line in [
        "caplet_auth_failures_total{reason=\"missing\"} 1",
        "caplet_auth_failures_total{reason=\"invalid\"} 1",
        "caplet_http_requests_total{status=\"401\"} 2",
        "caplet_http_requests_total{status=\"403\"} 1",
        "caplet_sessions 1",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}
