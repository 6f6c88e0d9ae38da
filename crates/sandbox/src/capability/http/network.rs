//! What all requests of a sandbox have in common.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;

use super::tls;

/// How requests reach the network. The default is the system's name servers and certificate authorities.
#[derive(Clone, Default)]
#[must_use]
pub struct NetworkConfig {
    authorities: Vec<CertificateDer<'static>>,
}

impl NetworkConfig {
    /// Trusts one more certificate authority, given as its certificate in DER, for a company's own or a test's.
    pub fn authority(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(CertificateDer::from(certificate.into()));
        self
    }
}

impl fmt::Debug for NetworkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkConfig").field("authorities", &self.authorities.len()).finish()
    }
}

/// What is made once a sandbox, when a request first needs it.
#[derive(Debug, Default)]
pub(crate) struct Network {
    config: NetworkConfig,
    tls: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Network {
    pub(crate) fn new(config: NetworkConfig) -> Self {
        Self { config, tls: OnceLock::new() }
    }

    /// The TLS settings that all connections start from, or why there are none.
    pub(super) fn tls(&self) -> Result<&ClientConfig, &str> {
        let made = self.tls.get_or_init(|| tls::configuration(&self.config.authorities).map(Arc::new));
        made.as_deref().map_err(String::as_str)
    }
}
