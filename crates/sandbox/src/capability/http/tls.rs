//! TLS for requests: whom a connection trusts.
//!
//! What always holds: TLS 1.2 or later, certificates verified against the system's authorities and those that the embedder added,
//! for the host that was decided on. No guest and no environment variable changes any of that.

use std::sync::Arc;

use caplet_policy::Host;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

/// Sessions that are kept to be resumed, by the connections of one policy.
const SESSIONS: usize = 32;

/// Where systems keep the authorities that they trust, as one file.
#[cfg(all(unix, not(target_os = "macos")))]
const BUNDLES: &[&str] = &[
    // Debian, Arch, Gentoo.
    "/etc/ssl/certs/ca-certificates.crt",
    // Fedora, RHEL.
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    // SUSE.
    "/etc/ssl/ca-bundle.pem",
    // Alpine, the BSDs.
    "/etc/ssl/cert.pem",
];

/// What every connection has in common, before [`of_its_own`].
pub(super) fn configuration(added: &[CertificateDer<'static>]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system());
    for certificate in added {
        roots.add(certificate.clone()).map_err(|error| format!("an added authority is not valid: {error}"))?;
    }
    if roots.is_empty() {
        return Err("this system has no certificate authorities; install its package ca-certificates".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let mut configuration = builder.with_root_certificates(roots).with_no_client_auth();
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(configuration)
}

/// The same, with sessions that are resumed nowhere else.
pub(super) fn of_its_own(shared: &ClientConfig) -> Arc<ClientConfig> {
    let mut configuration = shared.clone();
    configuration.resumption = Resumption::in_memory_sessions(SESSIONS);
    Arc::new(configuration)
}

#[cfg(all(unix, not(target_os = "macos")))]
fn system() -> Vec<CertificateDer<'static>> {
    let load = |file: &&str| rustls_native_certs::load_certs_from_paths(Some(std::path::Path::new(file)), None).certs;
    BUNDLES.iter().map(load).find(|found| !found.is_empty()).unwrap_or_default()
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn system() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// What the certificate must be for.
pub(super) fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Name(name) => ServerName::try_from(name.to_string()).ok(),
        Host::Address(address) => Some(ServerName::from(*address)),
    }
}
