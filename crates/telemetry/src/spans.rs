//! Spans, and what they say: the semantic conventions of OpenTelemetry for HTTP and for MCP where they have a word, and words of
//! Caplet's own beside them.

use std::time::{Duration, SystemTime};

use caplet_audit::{OutcomeKind, Record, TraceParent};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _,
};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span};

/// The header that says where a request belongs.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Makes a span of a call that has just ended.
pub(crate) fn call(tracer: &SdkTracer, record: &Record) {
    let end = SystemTime::now();
    let start = end.checked_sub(Duration::from_micros(record.usage.wall_us)).unwrap_or(end);
    let mut span = tracer
        .span_builder(format!("tools/call {}", record.tool))
        .with_kind(SpanKind::Server)
        .with_start_time(start)
        .start_with_context(tracer, &context(record.trace.as_ref()));
    if span.is_recording() {
        span.set_attributes(attributes(record));
        if let Some(kind) = failure(record) {
            span.set_attribute(KeyValue::new("error.type", kind));
            span.set_status(Status::error(""));
        }
    }
    span.end_with_timestamp(end);
}

/// What a span says of a call. Nothing of it is from the guest or from the arguments.
fn attributes(record: &Record) -> Vec<KeyValue> {
    let (usage, decisions) = (&record.usage, &record.decisions);
    let mut attributes = vec![
        KeyValue::new("mcp.method.name", "tools/call"),
        KeyValue::new("gen_ai.operation.name", "execute_tool"),
        KeyValue::new("gen_ai.tool.name", record.tool.clone()),
        KeyValue::new("caplet.record.id", record.id.clone()),
        KeyValue::new("caplet.outcome", record.outcome.as_str()),
        KeyValue::new("caplet.usage.cpu_us", whole(usage.cpu_us)),
        KeyValue::new("caplet.usage.memory_peak_bytes", whole(usage.memory_peak_bytes)),
        KeyValue::new("caplet.usage.output_bytes", whole(usage.output_bytes)),
        KeyValue::new("caplet.usage.http_requests", whole(usage.http_requests)),
        KeyValue::new("caplet.decisions.permitted", whole(decisions.permitted)),
    ];
    attributes.extend(record.function.clone().map(|function| KeyValue::new("caplet.function", function)));
    attributes.extend(record.component.as_deref().map(|digest| KeyValue::new("caplet.component", digest.to_owned())));
    attributes.extend(record.policy.as_deref().map(|digest| KeyValue::new("caplet.policy", digest.to_owned())));
    if !decisions.denied.is_empty() {
        let count = decisions.denied.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.count));
        let mut classes: Vec<&str> = decisions.denied.iter().map(|entry| entry.capability.as_str()).collect();
        classes.sort_unstable();
        classes.dedup();
        let classes: Vec<StringValue> = classes.into_iter().map(|class| class.to_owned().into()).collect();
        attributes.push(KeyValue::new("caplet.decisions.denied", whole(count)));
        attributes.push(KeyValue::new("caplet.decisions.denied_capabilities", Value::Array(Array::String(classes))));
    }
    attributes
}

/// What kind of failure the call was, if it was one.
fn failure(record: &Record) -> Option<&'static str> {
    let is_well = match record.outcome {
        OutcomeKind::Ok => true,
        OutcomeKind::Exit => record.exit_code == Some(0),
        _ => false,
    };
    (!is_well).then(|| record.error.as_ref().map_or(record.outcome.as_str(), |error| error.kind.as_str()))
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The head of a request, as far as spans tell of it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The path of the route that it came to: none that a client can choose.
    pub route: &'static str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Its version of HTTP.
    pub version: Version,
    /// Its headers, of which only `traceparent` is read.
    pub headers: &'a HeaderMap,
}

/// The span of a request. It ends when it is dropped.
#[derive(Debug)]
pub struct RequestSpan(Span);

impl RequestSpan {
    pub(crate) fn begin(tracer: &SdkTracer, request: &Request<'_>) -> Self {
        let Request { method, route, scheme, version, headers } = *request;
        let is_known = [Method::GET, Method::POST, Method::DELETE].contains(method);
        let (method, named) = if is_known { (method.as_str(), method.as_str()) } else { ("_OTHER", "HTTP") };
        let mut values = headers.get_all(TRACEPARENT).iter();
        // One that is there twice says nothing.
        let said = values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok());
        let parent: Option<TraceParent> = said.and_then(|text| text.parse().ok());
        let mut span = tracer
            .span_builder(format!("{named} {route}"))
            .with_kind(SpanKind::Server)
            .start_with_context(tracer, &context(parent.as_ref()));
        let version = if version == Version::HTTP_2 { "2" } else { "1.1" };
        span.set_attributes([
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("http.route", route),
            KeyValue::new("url.path", route),
            KeyValue::new("url.scheme", scheme),
            KeyValue::new("network.protocol.version", version),
        ]);
        Self(span)
    }

    /// Puts this span into `headers`, in place of what the client said: whoever reads them belongs to it.
    pub fn put_into(&self, headers: &mut HeaderMap) {
        let own = self.0.span_context();
        let text = format!("00-{}-{}-{:02x}", own.trace_id(), own.span_id(), own.trace_flags().to_u8());
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(TRACEPARENT, value);
        }
    }

    /// Notes what was answered.
    pub fn answered(&mut self, status: StatusCode) {
        self.0.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if status.is_server_error() {
            self.0.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            self.0.set_status(Status::error(""));
        }
    }
}

/// The context that a span of `parent` is made in; without one, that of a new trace.
fn context(parent: Option<&TraceParent>) -> Context {
    let remote = parent.and_then(|parent| {
        let trace = TraceId::from_hex(parent.trace_id()).ok()?;
        let span = SpanId::from_hex(parent.parent_id()).ok()?;
        let flags = if parent.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
        Some(SpanContext::new(trace, span, flags, true, TraceState::default()))
    });
    remote.map_or_else(Context::new, |remote| Context::new().with_remote_span_context(remote))
}
