//! A collector that takes spans on loopback and decodes them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a collector answers that has everything.
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

pub(crate) struct Collector {
    address: SocketAddr,
    batches: Receiver<Batch>,
}

/// What came in one request.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) spans: Vec<Span>,
    pub(crate) service: String,
    pub(crate) head: String,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) took: Duration,
    pub(crate) is_error: bool,
    attributes: Vec<(String, String)>,
}

impl Span {
    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::answering(OK.to_owned())
    }

    pub(crate) fn answering(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, batches) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let batch = read(&stream);
                // Who sends may not wait for all of the answer, and the test may be over.
                let _ = (stream.write_all(answer.as_bytes()), sender.send(batch));
            }
        });
        Self { address, batches }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn next(&self) -> Batch {
        self.batches.recv_timeout(PATIENCE).expect("a batch")
    }
}

fn read(stream: &TcpStream) -> Batch {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).unwrap(), 0);
    }
    let length = head.to_ascii_lowercase();
    let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let mut bytes = vec![0; length.unwrap()];
    stream.read_exact(&mut bytes).unwrap();
    let request = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
    let attributes = |resource: &opentelemetry_proto::tonic::resource::v1::Resource| read_all(&resource.attributes);
    let resources = request.resource_spans.iter().filter_map(|spans| spans.resource.as_ref());
    let service = resources.flat_map(attributes).find(|(key, _)| key == "service.name").unwrap().1;
    let spans = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
    let spans = spans.flat_map(|spans| spans.spans).map(|span| Span {
        name: span.name,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        took: Duration::from_nanos(span.end_time_unix_nano - span.start_time_unix_nano),
        is_error: span.status.is_some_and(|status| status.code() == StatusCode::Error),
        attributes: read_all(&span.attributes),
    });
    Batch { spans: spans.collect(), service, head, bytes }
}

fn read_all(attributes: &[KeyValue]) -> Vec<(String, String)> {
    attributes.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::ArrayValue(list)) => {
            list.values.iter().map(|value| text(Some(value))).collect::<Vec<_>>().join(",")
        }
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
