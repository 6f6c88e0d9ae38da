//! Traces as a collector sees them: real requests on loopback, decoded as OTLP says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose world cannot be set up has failed"
)]

mod collector;
mod forward;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use caplet_audit::{ErrorInfo, ErrorKind, MemorySink, Outcome, OutcomeKind, Record};
use caplet_policy::{Decisions, DeniedEntry};
use caplet_telemetry::{Request, Traces};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};

use crate::collector::{Batch, Collector};

/// A caller's trace and span.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// The environment of `variables` alone.
fn environment<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

fn traces(endpoint: &str, tell: fn(&str)) -> Traces {
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")];
    Traces::from_env(environment(&variables), tell).unwrap().unwrap()
}

fn nobody(text: &str) {
    panic!("{text}");
}

/// The record of a call that was denied something, with text in it that is nobody's business.
fn denied() -> Record {
    let error = ErrorInfo::new(ErrorKind::Denied, "SECRET message").with_hint("SECRET hint");
    let mut outcome = Outcome { outcome: OutcomeKind::Denied, error: Some(error), ..Outcome::new("notes", None) };
    outcome.output = "SECRET output".into();
    outcome.function = Some("put".to_owned());
    outcome.usage.wall_us = 250_000;
    outcome.usage.memory_peak_bytes = 65_536;
    let entry = |capability: &str, count| DeniedEntry {
        capability: capability.to_owned(),
        op: "read /SECRET/path".to_owned(),
        layer: "grant".to_owned(),
        rule: "SECRET rule".to_owned(),
        hint: "SECRET hint".to_owned(),
        answered: None,
        count,
    };
    let denied = vec![entry("wasi:http", 2), entry("wasi:filesystem", 3), entry("wasi:filesystem", 1)];
    outcome.decisions = Decisions { permitted: 7, denied, ..Decisions::default() };
    Record::new(&outcome)
}

fn well() -> Record {
    Record::new(&Outcome::new("add", Some("add".to_owned())))
}

#[test]
fn a_call_is_a_span_that_tells_how_it_went_and_nothing_private() {
    let collector = Collector::start();
    let traces = traces(&collector.endpoint(), nobody);
    let memory = Arc::new(MemorySink::default());
    let sink = traces.sink(Arc::clone(&memory) as _);
    let mut record = denied();
    record.trace = Some(format!("00-{TRACE}-{CALLER}-01").parse().unwrap());
    sink.append(&record).unwrap();
    sink.append(&well()).unwrap();
    traces.end();
    let Batch { spans, service, bytes, head } = collector.next();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n") && head.contains("application/x-protobuf"), "{head}");
    assert_eq!((service.as_str(), spans.len()), ("caplet", 2));
    assert!(!bytes.windows(6).any(|bytes| bytes == b"SECRET"), "{spans:?}");
    let span = &spans[0];
    assert_eq!((span.trace.as_str(), span.parent.as_str(), span.name.as_str()), (TRACE, CALLER, "tools/call notes"));
    assert!(span.is_error);
    assert_eq!(span.took.as_micros(), 250_000);
    let expected = [
        ("mcp.method.name", "tools/call"),
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "notes"),
        ("error.type", "denied"),
        ("caplet.function", "put"),
        ("caplet.outcome", "denied"),
        ("caplet.record.id", &record.id),
        ("caplet.usage.memory_peak_bytes", "65536"),
        ("caplet.decisions.permitted", "7"),
        ("caplet.decisions.denied", "6"),
        ("caplet.decisions.denied_capabilities", "wasi:filesystem,wasi:http"),
    ];
    for (key, value) in expected {
        assert_eq!(span.attribute(key), Some(value), "{key} in {span:?}");
    }
    let other = &spans[1];
    assert!(!other.is_error && other.parent.is_empty() && other.trace != TRACE, "{other:?}");
    assert_eq!(other.attribute("error.type"), None);
    assert_eq!(memory.take().len(), 2, "they are kept as well");
}

fn head<'a>(method: &'a Method, headers: &'a HeaderMap) -> Request<'a> {
    Request { method, route: "/mcp", scheme: "http", version: Version::HTTP_11, headers }
}

#[test]
fn a_call_belongs_to_its_request_and_that_to_its_caller() {
    let collector = Collector::start();
    let traces = traces(&collector.endpoint(), nobody);
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::try_from(format!("00-{TRACE}-{CALLER}-01")).unwrap());
    let mut span = traces.request(&head(&Method::POST, &headers));
    span.put_into(&mut headers);
    let mut record = well();
    record.trace = Some(headers["traceparent"].to_str().unwrap().parse().unwrap());
    traces.sink(Arc::new(MemorySink::default())).append(&record).unwrap();
    span.answered(StatusCode::SERVICE_UNAVAILABLE);
    drop(span);
    let odd = Method::from_bytes(b"GUESSED").unwrap();
    // What is there twice, or no traceparent at all, begins a trace.
    headers.append("traceparent", HeaderValue::from_static("x"));
    drop(traces.request(&head(&odd, &headers)));
    traces.end();
    let Batch { spans, .. } = collector.next();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["tools/call add", "POST /mcp", "HTTP /mcp"]);
    let [call, request, other] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((request.trace.as_str(), request.parent.as_str()), (TRACE, CALLER));
    assert_eq!((call.trace.as_str(), &call.parent), (TRACE, &request.id));
    assert_eq!(request.attribute("http.response.status_code"), Some("503"));
    assert_eq!((request.attribute("http.request.method"), request.is_error), (Some("POST"), true));
    assert_eq!((other.attribute("http.request.method"), other.parent.as_str()), (Some("_OTHER"), ""));
}

#[test]
fn what_the_caller_does_not_sample_is_not_sent() {
    let collector = Collector::start();
    let traces = traces(&collector.endpoint(), nobody);
    let sink = traces.sink(Arc::new(MemorySink::default()));
    let mut record = denied();
    record.trace = Some(format!("00-{TRACE}-{CALLER}-00").parse().unwrap());
    sink.append(&record).unwrap();
    sink.append(&well()).unwrap();
    traces.end();
    let names: Vec<String> = collector.next().spans.into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["tools/call add"]);
}

#[test]
fn only_an_environment_that_asks_for_traces_makes_any() {
    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    const TRACES: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://[::1]:9/x");
    let none: &[&[(&str, &str)]] = &[
        &[],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
        &[("OTEL_SERVICE_NAME", "x")],
        &[ENDPOINT, ("OTEL_SDK_DISABLED", "true")],
        &[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")],
        &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")],
    ];
    for variables in none {
        assert!(Traces::from_env(environment(variables), nobody).unwrap().is_none(), "{variables:?}");
    }
    let some: &[&[(&str, &str)]] = &[
        &[ENDPOINT],
        &[TRACES],
        &[ENDPOINT, ("OTEL_SDK_DISABLED", "false"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
        &[("OTEL_TRACES_EXPORTER", "otlp")],
    ];
    for variables in some {
        let traces = Traces::from_env(environment(variables), nobody).unwrap();
        traces.unwrap_or_else(|| panic!("{variables:?}")).end();
    }
    let wrong: &[(&[(&str, &str)], &str)] = &[
        (&[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "only http/protobuf is spoken"),
        (&[ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json")], "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        (&[ENDPOINT, ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")], "nothing is compressed"),
        (&[ENDPOINT, ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")], "not milliseconds"),
        (&[ENDPOINT, ("OTEL_EXPORTER_OTLP_TIMEOUT", "0")], "not milliseconds"),
        (&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "zipkin")], "only otlp and none"),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318")], "not the URL of a collector"),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://u:SECRET@x")], "not the URL of a collector"),
    ];
    for (variables, reason) in wrong {
        let error = Traces::from_env(environment(variables), nobody).unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains("SECRET"), "{variables:?}: {error}");
    }
}

#[test]
fn no_call_waits_for_a_collector_that_says_nothing() {
    // Connections are taken by the system, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let traces = traces(&format!("http://{}", silent.local_addr().unwrap()), |_| {});
    let sink = traces.sink(Arc::new(MemorySink::default()));
    let record = well();
    let started = Instant::now();
    // Far more than the queue holds.
    for _ in 0..20_000 {
        sink.append(&record).unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let ended = Instant::now();
    traces.end();
    assert!(ended.elapsed() < Duration::from_secs(4), "{:?}", ended.elapsed());
    sink.append(&record).unwrap();
}

#[test]
fn a_collector_that_is_not_there_is_told_of_once() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let traces = traces(&format!("http://{gone}"), |text| {
        assert!(text.contains("do not reach the collector"), "{text}");
        TOLD.fetch_add(1, Ordering::SeqCst);
    });
    let sink = traces.sink(Arc::new(MemorySink::default()));
    // Two batches, each tried several times.
    for _ in 0..600 {
        sink.append(&well()).unwrap();
    }
    traces.end();
    assert_eq!(TOLD.load(Ordering::SeqCst), 1);
}

#[test]
fn a_collector_that_answers_too_much_or_nonsense_does_no_harm() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    for answer in [
        format!("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n{}", "x".repeat(1_000_000)),
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
    ] {
        let before = TOLD.load(Ordering::SeqCst);
        let collector = Collector::answering(answer.clone());
        let traces = traces(&collector.endpoint(), |_| {
            TOLD.fetch_add(1, Ordering::SeqCst);
        });
        traces.sink(Arc::new(MemorySink::default())).append(&well()).unwrap();
        traces.end();
        assert_eq!(collector.next().spans.len(), 1);
        assert_eq!(TOLD.load(Ordering::SeqCst), before + 1, "{}", &answer[..40.min(answer.len())]);
    }
}
