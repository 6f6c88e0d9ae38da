//! TLS for connections: a certificate chain and its key, from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::error::ServerError;
use crate::file;

/// The largest file that is read: chains and keys have some KiB.
const MOST_BYTES: u64 = 1024 * 1024;

/// What a connection may speak inside of TLS.
const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// An acceptor for the certificate chain in `chain` and its private key in `key`, both PEM. TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
pub(crate) fn acceptor(chain: &Path, key: &Path) -> Result<TlsAcceptor, ServerError> {
    let wrong_chain = |reason: String| ServerError::file("the certificate", chain, reason);
    let text = file::read(chain, MOST_BYTES).map_err(|error| wrong_chain(error.to_string()))?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| wrong_chain(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong_chain("it holds no certificate in PEM form".to_owned()));
    }
    let wrong_key = |reason: String| ServerError::file("the key of the certificate", key, reason);
    let text = file::read(key, MOST_BYTES).map_err(|error| wrong_key(error.to_string()))?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|error| wrong_key(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, private))
        .map_err(|error| wrong_chain(error.to_string()))?;
    config.alpn_protocols = vec![H2.to_vec(), HTTP1.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Whether the two sides agreed on HTTP/2.
pub(crate) fn is_h2(protocol: Option<&[u8]>) -> bool {
    protocol == Some(H2)
}
