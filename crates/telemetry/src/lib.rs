//! Traces of calls and of requests, by OpenTelemetry; records for a syslog or by HTTP (`forward`).
//!
//! In: what the environment says, records of calls, heads of requests. Out: spans, sent in batches to a collector by OTLP over HTTP. This
//! crate depends on `audit` and on nothing else of Caplet's.
//!
//! What always holds: without a collector in the environment nothing is built or started; no call waits for a collector or fails with it,
//! as spans wait in a bounded queue and are dropped when it is full; a span says who was called, how it ended and what it used, and
//! never an argument, an answer, a message of a guest or the target of an op.

mod collector;
mod forward;
mod settings;
mod spans;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use caplet_audit::{Record, Sink, SinkError};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::collector::Collector;
pub use crate::forward::{Forward, ForwardError, syslog_message};
use crate::settings::Settings;
pub use crate::spans::{Request, RequestSpan};

/// What the service is called, unless the environment says it.
const SERVICE: &str = "caplet";

/// How long the end waits for the last spans to be sent.
const END: Duration = Duration::from_secs(2);

/// Traces that go to a collector. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Traces(Arc<Inner>);

struct Inner {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// Why there are no traces, though the environment asks for them.
#[derive(Debug, thiserror::Error)]
#[error("no traces are sent: {0}")]
pub struct TracesError(pub(crate) String);

impl Traces {
    /// Traces as `variable`, which looks into the environment, says. `None` where it says nothing of them. What goes wrong with sending
    /// is told by `tell`, once until it works again.
    ///
    /// The library itself reads what is not needed to begin: headers, the service's name, other attributes of it, sampling, the size of
    /// the queue and of batches, and how often they are sent.
    ///
    /// # Errors
    ///
    /// When it asks for what is not there: another protocol or exporter, compression, or an address that is none.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>, tell: fn(&str)) -> Result<Option<Self>, TracesError> {
        let Some(settings) = Settings::read(&variable).map_err(TracesError)? else { return Ok(None) };
        let collector = Collector::new(&settings, tell).map_err(TracesError)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint.to_string())
            .with_timeout(settings.timeout)
            .build()
            .map_err(|error| TracesError(error.to_string()))?;
        let mut resource = Resource::builder();
        // The library's own default is a name for a service that nobody named.
        if settings.service_is_unnamed {
            resource = resource.with_service_name(SERVICE);
        }
        let provider =
            SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build();
        let tracer = provider.tracer(SERVICE);
        Ok(Some(Self(Arc::new(Inner { provider, tracer }))))
    }

    /// A sink that makes a span of each record, and keeps it in `inner`.
    #[must_use]
    pub fn sink(&self, inner: Arc<dyn Sink>) -> Arc<dyn Sink> {
        Arc::new(Tracing { traces: self.clone(), inner })
    }

    /// A span for `request`, which ends when it is dropped. It belongs to the trace that the request says, or begins one.
    #[must_use]
    pub fn request(&self, request: &Request<'_>) -> RequestSpan {
        RequestSpan::begin(&self.0.tracer, request)
    }

    /// Sends what is left, and waits for that for at most two seconds. Spans that come later are dropped. It blocks.
    pub fn end(&self) {
        // What could not be sent was told, and nobody can do more about it now.
        let _ = self.0.provider.shutdown_with_timeout(END);
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

/// Makes spans of what goes by.
#[derive(Debug)]
struct Tracing {
    traces: Traces,
    inner: Arc<dyn Sink>,
}

impl Sink for Tracing {
    fn ready(&self) -> Result<(), SinkError> {
        self.inner.ready()
    }

    fn append(&self, record: &Record) -> Result<(), SinkError> {
        spans::call(&self.traces.0.tracer, record);
        self.inner.append(record)
    }

    fn inner(&self) -> Option<&dyn Sink> {
        Some(&*self.inner)
    }
}
