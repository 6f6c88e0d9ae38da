//! The keys of an authorization server: from a file, or fetched and kept for a while.
//!
//! What always holds: what is read or fetched is bounded in size and in time; who sends tokens cannot have it fetched more often than once a
//! minute; keys that could not be renewed for a day are not used any more.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use jsonwebtoken::jwk::Jwk;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, RwLock};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::jwt::Key;
use crate::error::ServerError;
use crate::file;

/// The largest set that is read: hundreds of keys.
const MOST_BYTES: u64 = 256 * 1024;

/// Keys of a set that are looked at.
const MOST_KEYS: usize = 64;

/// The time that a fetch may take.
const FETCH: Duration = Duration::from_secs(10);

/// How long a token with a key that is not known has to wait before another look for it.
const RETRY: Duration = Duration::from_secs(60);

/// After this, keys are fetched again, so that one that was withdrawn is forgotten.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// After this, keys that cannot be fetched again are not used any more.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Where keys come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    File(PathBuf),
    Url(Url, TlsRoots),
}

/// What the server of a URL has to prove who it is to.
#[derive(Clone)]
pub(super) struct TlsRoots(Option<Arc<rustls::ClientConfig>>);

/// The keys of an authorization server.
#[derive(Debug)]
pub(super) struct Jwks {
    source: Source,
    known: RwLock<Known>,
    /// When the source was last asked. Who holds it asks.
    asked: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Arc<[Key]>,
    since: Option<Instant>,
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

impl Source {
    /// A URL that keys may be fetched from.
    pub(super) fn url(text: &str) -> Result<Self, ServerError> {
        let wrong = |reason: &str| ServerError::setting("the URL of keys", text, reason);
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(wrong("it has no host")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it has a user or a password"));
        }
        match url.scheme() {
            "https" => Ok(Self::Url(url, TlsRoots::native()?)),
            "http" if is_loopback => Ok(Self::Url(url, TlsRoots(None))),
            _ => Err(wrong("it must be https, or http on this machine")),
        }
    }
}

impl TlsRoots {
    fn native() -> Result<Self, ServerError> {
        let mut roots = rustls::RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ServerError::setting("TLS", "", error))?;
        Ok(Self(Some(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))))
    }
}

impl std::fmt::Debug for TlsRoots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsRoots")
    }
}

impl Jwks {
    /// The keys at `source`. Those of a file are read at once, so that one that means nothing is found out at the start.
    pub(super) fn new(source: Source) -> Result<Arc<Self>, ServerError> {
        let known = match &source {
            Source::File(path) => {
                let text = file::read(path, MOST_BYTES).map_err(|error| ServerError::file("the keys", path, error))?;
                Known {
                    keys: keys(&text).map_err(|why| ServerError::file("the keys", path, why))?,
                    since: Some(Instant::now()),
                }
            }
            Source::Url(..) => Known::default(),
        };
        Ok(Arc::new(Self { source, known: RwLock::new(known), asked: Mutex::new(None) }))
    }

    /// The key called `id`, or the only one where a token does not say.
    pub(super) async fn key(self: &Arc<Self>, id: Option<&str>) -> Option<Key> {
        let (key, is_fresh) = self.look(id).await;
        if key.is_none() {
            self.ask_again().await;
            return self.look(id).await.0;
        }
        if !is_fresh {
            // Whoever comes just now need not wait for it.
            let jwks = Arc::clone(self);
            tokio::spawn(async move { jwks.ask_again().await });
        }
        key
    }

    /// The key as it is known now, and whether that is recent.
    async fn look(&self, id: Option<&str>) -> (Option<Key>, bool) {
        let known = self.known.read().await;
        let age = known.since.map_or(STALE, |since| since.elapsed());
        if age >= STALE && matches!(self.source, Source::Url(..)) {
            return (None, false);
        }
        let key = match (id, &*known.keys) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        (key.cloned(), age < FRESH)
    }

    /// Asks the source, if it was not asked lately. Those who come meanwhile wait for the answer.
    async fn ask_again(&self) {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|asked| asked.elapsed() < RETRY) {
            return;
        }
        *asked = Some(Instant::now());
        let text = match &self.source {
            Source::File(path) => file::read(path, MOST_BYTES).map_err(|error| error.to_string()),
            Source::Url(url, roots) => tokio::time::timeout(FETCH, fetch(url, roots))
                .await
                .unwrap_or_else(|_| Err("it takes too long".to_owned())),
        };
        match text.and_then(|text| keys(&text)) {
            Ok(keys) => *self.known.write().await = Known { keys, since: Some(Instant::now()) },
            Err(error) => {
                tracing::warn!(source = ?self.source, error, "the keys of the authorization server cannot be had")
            }
        }
    }
}

/// The keys of a set that can be used here. Others are none of our business: a set may hold keys for encryption, or of later kinds.
fn keys(text: &[u8]) -> Result<Arc<[Key]>, String> {
    let set: RawSet = serde_json::from_slice(text).map_err(|error| format!("it is no JSON Web Key Set: {error}"))?;
    let jwks = set.keys.into_iter().take(MOST_KEYS).filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
    let keys: Arc<[Key]> = jwks.filter_map(|jwk| Key::of(&jwk)).collect();
    if keys.is_empty() { Err("it holds no public key for RS256, ES256 or EdDSA".to_owned()) } else { Ok(keys) }
}

/// What is at `url`. Redirects are not followed.
async fn fetch(url: &Url, roots: &TlsRoots) -> Result<Vec<u8>, String> {
    let name = url.host_str().ok_or("it has no host")?;
    let port = url.port_or_known_default().ok_or("it has no port")?;
    let bare = name.trim_matches(['[', ']']);
    let stream = TcpStream::connect((bare, port)).await.map_err(|error| error.to_string())?;
    match &roots.0 {
        None => get(url, stream).await,
        Some(config) => {
            let server = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
            let stream = TlsConnector::from(Arc::clone(config)).connect(server, stream).await;
            get(url, stream.map_err(|error| error.to_string())?).await
        }
    }
}

async fn get<S>(url: &Url, stream: S) -> Result<Vec<u8>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connected.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let request = Request::get(&url[url::Position::BeforePath..url::Position::AfterQuery])
        .header(HOST, &url[url::Position::BeforeHost..url::Position::AfterPort])
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("the answer is {}", response.status()));
    }
    let most = usize::try_from(MOST_BYTES).unwrap_or(usize::MAX);
    let body = Limited::new(response.into_body(), most).collect().await.map_err(|error| error.to_string());
    connection.abort();
    Ok(body?.to_bytes().to_vec())
}
