//! Where spans go, as the environment says: variables of the OpenTelemetry specification.

use std::time::Duration;

use http::Uri;
use http::uri::Scheme;

/// Where a collector listens that nothing else is said of.
const LOCAL: &str = "http://localhost:4318";

/// What is behind an address that is not only for traces.
const PATH: &str = "/v1/traces";

/// What a collector has for each batch, unless it is said: the default of the specification.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The one protocol that is spoken.
const PROTOCOL: &str = "http/protobuf";

/// Where spans go.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) endpoint: Uri,
    /// What the collector has for each batch.
    pub(crate) timeout: Duration,
    pub(crate) service_is_unnamed: bool,
}

impl Settings {
    /// What `variable` says. `None` where there are to be no traces.
    pub(crate) fn read(variable: &impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let get = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let either = |what: &str| {
            let named = ["OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"].map(|prefix| format!("{prefix}{what}"));
            named.into_iter().find_map(|name| get(&name).map(|value| (name, value)))
        };
        if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let exporter = get("OTEL_TRACES_EXPORTER");
        match exporter.as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => return Err(format!("OTEL_TRACES_EXPORTER is {other:?}, and only otlp and none are there")),
        }
        let (name, address) = match (either("ENDPOINT"), exporter) {
            (Some(named), _) => named,
            (None, Some(_)) => (String::new(), LOCAL.to_owned()),
            (None, None) => return Ok(None),
        };
        if let Some((name, protocol)) = either("PROTOCOL").filter(|(_, protocol)| protocol != PROTOCOL) {
            return Err(format!("{name} is {protocol:?}, and only {PROTOCOL} is spoken"));
        }
        if let Some((name, compression)) = either("COMPRESSION").filter(|(_, compression)| compression != "none") {
            return Err(format!("{name} is {compression:?}, and nothing is compressed: unset it"));
        }
        let is_for_traces = name.contains("TRACES");
        let whole = if is_for_traces { address } else { format!("{}{PATH}", address.trim_end_matches('/')) };
        // The address is not shown: it may hold a password.
        let endpoint = whole.parse().ok().filter(is_http);
        let endpoint = endpoint.ok_or_else(|| format!("{name} is not the URL of a collector, http:// or https://"))?;
        let timeout = match either("TIMEOUT") {
            None => TIMEOUT,
            Some((name, text)) => {
                let millis = text.parse::<u64>().ok().filter(|millis| *millis > 0);
                Duration::from_millis(millis.ok_or_else(|| format!("{name} is {text:?}, and not milliseconds"))?)
            }
        };
        let is_named = |attributes: String| attributes.split(',').any(|pair| pair.trim().starts_with("service.name="));
        let has_name = get("OTEL_SERVICE_NAME").is_some() || get("OTEL_RESOURCE_ATTRIBUTES").is_some_and(is_named);
        Ok(Some(Self { endpoint, timeout, service_is_unnamed: !has_name }))
    }
}

fn is_http(address: &Uri) -> bool {
    let is_known = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&address.scheme());
    is_known && address.host().is_some_and(|host| !host.is_empty())
}
