//! This server as a resource of OAuth 2.1: what it tells of itself (RFC 9728), and what tokens of its authorization server give.
//!
//! What always holds: a token counts only if it is for this resource by name; its scopes give at most one profile, the first on the list.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Unauthorized;
use super::jwks::{Jwks, Source};
use super::jwt::{self, Expected};
use super::principal::Principal;
use super::ring_provider;
use crate::error::ServerError;
use crate::file;

/// Where a resource tells of itself, before its own path (RFC 9728).
pub(crate) const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// The largest settings that are read: hundreds of scopes.
const MOST_BYTES: u64 = 64 * 1024;

/// This server as a resource of OAuth 2.1.
#[derive(Debug)]
pub struct OAuth {
    resource: Url,
    /// What tokens for this resource call it: its URL, letter by letter as it was given.
    audience: String,
    issuer: String,
    jwks: Arc<Jwks>,
    grants: Vec<RawScope>,
    metrics_scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOAuth {
    resource: String,
    issuer: String,
    jwks_url: Option<String>,
    jwks_file: Option<PathBuf>,
    metrics_scope: Option<String>,
    #[serde(rename = "scope")]
    scopes: Vec<RawScope>,
}

/// What a scope gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScope {
    name: String,
    profile: String,
}

impl OAuth {
    /// What the TOML file at `path` says. A file of keys is taken from its folder.
    ///
    /// # Errors
    ///
    /// When it cannot be read or means nothing.
    pub fn open(path: &Path) -> Result<Self, ServerError> {
        let wrong = |reason: String| ServerError::file("the settings of OAuth", path, reason);
        let text = file::read_text(path, MOST_BYTES).map_err(|error| wrong(error.to_string()))?;
        let raw: RawOAuth = toml::from_str(&text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        let RawOAuth { resource, issuer, jwks_url, jwks_file, metrics_scope, scopes } = raw;
        let source = match (jwks_url, jwks_file) {
            (Some(url), None) => Source::url(&url)?,
            (None, Some(file)) => Source::File(path.parent().unwrap_or(Path::new("")).join(file)),
            _ => return Err(wrong("it needs jwks_url or jwks_file, and not both".to_owned())),
        };
        let names = scopes.iter().map(|scope| scope.name.as_str()).chain(metrics_scope.as_deref());
        if let Some(name) = names.into_iter().find(|name| !is_scope(name)) {
            return Err(wrong(format!("{name:?} is not the name of a scope")));
        }
        if scopes.is_empty() {
            return Err(wrong("no scope gives access to anything: it needs a [[scope]]".to_owned()));
        }
        ring_provider::install();
        let (url, jwks) = (resource_url(&resource)?, Jwks::new(source)?);
        Ok(Self { resource: url, audience: resource, issuer, jwks, grants: scopes, metrics_scope })
    }

    pub(super) fn profiles(&self) -> impl Iterator<Item = (String, String)> {
        self.grants.iter().map(|grant| (format!("the scope {:?}", grant.name), grant.profile.clone()))
    }

    /// Every scope that gives something, with spaces between them.
    pub(super) fn scopes(&self) -> String {
        let names: Vec<&str> = self.grants.iter().map(|grant| grant.name.as_str()).collect();
        names.join(" ")
    }

    /// Where this resource tells of itself.
    pub(super) fn metadata_url(&self) -> String {
        let path = self.metadata_path();
        format!("{}{path}", &self.resource[..url::Position::BeforePath])
    }

    /// The path of it.
    pub(crate) fn metadata_path(&self) -> String {
        format!("{METADATA_PATH}{}", self.resource.path().trim_end_matches('/'))
    }

    /// What this resource tells of itself.
    pub(crate) fn metadata(&self) -> Value {
        let scopes: Vec<&str> =
            self.grants.iter().map(|grant| grant.name.as_str()).chain(self.metrics_scope.as_deref()).collect();
        json!({
            "resource": self.audience,
            "authorization_servers": [self.issuer],
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
            "resource_name": "Caplet",
        })
    }

    /// Who `token` is of.
    pub(super) async fn principal(&self, token: &str) -> Result<Principal, Unauthorized> {
        let id = jwt::key_id(token).ok_or(Unauthorized::Invalid)?;
        let key = self.jwks.key(id.as_deref()).await.ok_or(Unauthorized::Invalid)?;
        let expected = Expected { issuer: &self.issuer, audience: &self.audience };
        let claims = jwt::verified(token, &key, &expected).ok_or(Unauthorized::Invalid)?;
        let has = |name: &str| claims.scopes().any(|scope| scope == name);
        let grant = self.grants.iter().find(|grant| has(&grant.name)).ok_or(Unauthorized::Scope)?;
        let client = claims.client_id.as_deref().or(claims.azp.as_deref()).unwrap_or_default();
        let who = json!(["oauth", self.issuer, claims.sub, client]).to_string();
        let may_read_metrics = self.metrics_scope.as_deref().is_some_and(has);
        Ok(Principal::new(who, grant.profile.clone()).metrics(may_read_metrics).until(claims.until()))
    }
}

/// The URL that clients know this server by. Text that ends up in headers: what `Url` makes of it is ASCII without spaces and quotes.
fn resource_url(text: &str) -> Result<Url, ServerError> {
    let wrong = |reason: String| ServerError::setting("the resource", text, reason);
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    let is_bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.has_host();
    // It becomes a route, where other letters would mean something.
    let is_plain = url.path().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte));
    if !is_bare || !is_plain || !matches!(url.scheme(), "https" | "http") {
        return Err(wrong("it must be the URL of this server, such as https://tools.example.org/mcp".to_owned()));
    }
    Ok(url)
}

/// `scope-token` of RFC 6749.
fn is_scope(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
