//! Secrets on their way into requests, and what would come back of them.
//!
//! What always holds: a value is added after every decision about the request and its address, when there is a connection to send it
//! on; the guest writes at most a placeholder; a response to a call that used a secret is masked, and one that could
//! hide the value from the mask is refused.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use caplet_policy::{Guard, HttpOp, Permitted, Placement, SecretOp, SecretsSection};
use caplet_secrets::{Masker, SecretName, SecretSource, SecretValue};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue};
use wasmtime_wasi_http::Error;
use zeroize::Zeroizing;

use super::wire::Wire;
use crate::asking::{Asking, permit};
use crate::engine::lock;

/// What a placeholder starts and ends with.
const OPEN: &str = "{{secret:";
const CLOSE: &str = "}}";

/// The secrets of one call.
pub(super) struct Credentials {
    guard: Guard<SecretsSection>,
    asking: Option<Arc<Asking>>,
    source: Option<Arc<dyn SecretSource>>,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    values: Vec<(SecretName, Arc<SecretValue>)>,
    masker: Option<Arc<Masker>>,
}

impl Credentials {
    pub(super) fn new(
        guard: Guard<SecretsSection>,
        asking: Option<Arc<Asking>>,
        source: Option<Arc<dyn SecretSource>>,
    ) -> Self {
        Self { guard, asking, source, used: Mutex::default() }
    }

    /// Adds to `wire` what the rules and the guest's placeholders say. `request` was permitted, and so was the address that it goes to.
    pub(super) async fn add(&self, request: &Permitted<HttpOp>, wire: &mut Wire) -> Result<(), Error> {
        let placed = self.fill_placeholders(request.op(), &mut wire.headers).await?;
        let mut added = !placed.is_empty();
        for op in self.guard.candidates(request.op()) {
            if placed.iter().any(|name| name == op.name()) {
                continue;
            }
            // What a layer refuses is on record, and the request goes out without it.
            let Ok(permitted) = permit(&self.guard, self.asking.as_deref(), op).await else { continue };
            let value = self.value(&permitted).await?;
            place(permitted.op().placement(), &value, wire)?;
            added = true;
        }
        if added {
            // Some servers give the whole request back, and the mask cannot look into what is compressed.
            if matches!(wire.method.as_str(), "TRACE" | "TRACK") {
                return Err(Error::HttpRequestDenied);
            }
            wire.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            // The halves of a value, asked for one after the other, would not look like it.
            wire.headers.remove(RANGE);
        }
        Ok(())
    }

    /// Puts values in the place of placeholders; gives the names that were asked for.
    async fn fill_placeholders(&self, op: &HttpOp, headers: &mut HeaderMap) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        let written: Vec<(HeaderName, Vec<HeaderValue>)> = headers
            .keys()
            .map(|name| (name.clone(), headers.get_all(name).iter().cloned().collect()))
            .filter(|(_, values): &(_, Vec<HeaderValue>)| values.iter().any(|value| contains(value.as_bytes(), OPEN)))
            .collect();
        for (header, values) in written {
            headers.remove(&header);
            for value in values {
                let filled = self.filled(op, &header, &value, &mut names).await?;
                headers.append(header.clone(), filled);
            }
        }
        Ok(names)
    }

    async fn filled(
        &self,
        op: &HttpOp,
        header: &HeaderName,
        value: &HeaderValue,
        names: &mut Vec<String>,
    ) -> Result<HeaderValue, Error> {
        let mut rest = value.to_str().map_err(|_| Error::HttpRequestDenied)?;
        let mut filled = Zeroizing::new(Vec::new());
        while let Some((before, after)) = rest.split_once(OPEN) {
            let (name, after) = after.split_once(CLOSE).ok_or(Error::HttpRequestDenied)?;
            filled.extend_from_slice(before.as_bytes());
            let placement = placement(header, before);
            let asked = SecretOp::new(name, op.url()).map_err(|_| Error::HttpRequestDenied)?;
            let asked = asked.with_placement(placement);
            let permitted = permit(&self.guard, self.asking.as_deref(), asked).await;
            let permitted = permitted.map_err(|_| Error::HttpRequestDenied)?;
            filled.extend_from_slice(self.value(&permitted).await?.expose());
            names.push(name.to_owned());
            rest = after;
        }
        filled.extend_from_slice(rest.as_bytes());
        sensitive(&filled)
    }

    async fn value(&self, permitted: &Permitted<SecretOp>) -> Result<Arc<SecretValue>, Error> {
        let op = permitted.op();
        let name = op.name();
        if let Some((_, known)) = lock(&self.used).values.iter().find(|(known, _)| known.as_str() == name) {
            return Ok(Arc::clone(known));
        }
        let refuse = |reason: String| {
            self.guard.refuse(op.clone(), &reason);
            Error::HttpRequestDenied
        };
        let parsed: SecretName = name.parse().map_err(|error| refuse(format!("{error}")))?;
        let Some(source) = self.source.clone() else { return Err(refuse("there are no secrets here".to_owned())) };
        let wanted = parsed.clone();
        // It may be on a disk, or behind a person who has to unlock a keyring.
        let found = tokio::task::spawn_blocking(move || source.secret(&wanted)).await;
        let found = found.map_err(|_| refuse("looking the secret up failed".to_owned()))?;
        let value = Arc::new(found.map_err(|error| refuse(error.hint().unwrap_or_else(|| error.to_string())))?);
        let mut used = lock(&self.used);
        used.values.push((parsed.clone(), Arc::clone(&value)));
        // Servers speak of the two parts of `user:password` apart.
        let colon = value.expose().iter().position(|byte| *byte == b':');
        let password = colon.and_then(|colon| value.expose().get(colon + 1..)).map(SecretValue::new);
        if let (Placement::Basic, Some(Ok(password))) = (op.placement(), password) {
            used.values.push((parsed, Arc::new(password)));
        }
        used.masker = Some(Arc::new(Masker::new(used.values.iter().map(|(name, value)| (name, &**value)))));
        Ok(value)
    }

    /// What masks responses, if a secret was used in this call.
    pub(super) fn masker(&self) -> Option<Arc<Masker>> {
        lock(&self.used).masker.clone()
    }
}

/// Masks the head of a response.
pub(super) fn mask_head(masker: &Masker, headers: &mut HeaderMap) -> Result<(), Error> {
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if let Some(coding) = headers.get_all(CONTENT_ENCODING).iter().find(|value| !is_plain(value)) {
        return Err(Error::HttpResponseContentCoding(coding.to_str().ok().map(str::to_owned)));
    }
    mask_fields(masker, headers);
    // The mask may be longer or shorter than what it hides.
    headers.remove(CONTENT_LENGTH);
    Ok(())
}

/// Masks the values of header or trailer fields.
pub(super) fn mask_fields(masker: &Masker, fields: &mut HeaderMap) {
    for value in fields.values_mut() {
        if let std::borrow::Cow::Owned(masked) = masker.mask_header(value.as_bytes()) {
            // A mask is plain text, so this cannot fail; if it did, nothing is the safe value.
            *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static(""));
        }
    }
}

/// Where a placeholder stands, as a rule would say it.
fn placement(header: &HeaderName, before: &str) -> Placement {
    match before.trim_end() {
        scheme if *header == AUTHORIZATION && scheme.eq_ignore_ascii_case("bearer") => Placement::Bearer,
        scheme if *header == AUTHORIZATION && scheme.eq_ignore_ascii_case("basic") => Placement::Basic,
        _ => Placement::Header(header.as_str().into()),
    }
}

/// Puts a value where a rule says. What the guest wrote there is gone.
fn place(placement: &Placement, value: &SecretValue, wire: &mut Wire) -> Result<(), Error> {
    let with = |prefix: &str, value: &[u8]| {
        let mut whole = Zeroizing::new(prefix.as_bytes().to_vec());
        whole.extend_from_slice(value);
        sensitive(&whole)
    };
    match placement {
        Placement::Bearer => drop(wire.headers.insert(AUTHORIZATION, with("Bearer ", value.expose())?)),
        Placement::Basic => {
            let encoded = Zeroizing::new(STANDARD.encode(value.expose()));
            wire.headers.insert(AUTHORIZATION, with("Basic ", encoded.as_bytes())?);
        }
        Placement::Header(name) => {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::HttpRequestDenied)?;
            wire.headers.insert(name, sensitive(value.expose())?);
        }
        Placement::Query(key) => wire.set_query(key, value.expose())?,
        _ => return Err(Error::HttpRequestDenied),
    }
    Ok(())
}

/// A header value that no log shows and no table of compressed headers keeps.
fn sensitive(bytes: &[u8]) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_bytes(bytes).map_err(|_| Error::HttpRequestDenied)?;
    value.set_sensitive(true);
    Ok(value)
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}
