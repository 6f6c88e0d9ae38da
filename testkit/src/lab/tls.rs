//! TLS: an authority made at run time, certificates that are good or bad in one way each, and servers that break the handshake.
//!
//! In: names and addresses. Out: [`Identity`], whose configuration any server of the lab takes, and the authority's certificate
//! for a client to trust. Nothing is written to a file, and keys end with the process.

mod broken;

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rcgen::{KeyUsagePurpose, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};

pub use broken::{Break, Broken};

/// A certificate authority for tests.
///
/// ```no_run
/// use caplet_testkit::lab::http::{Http, pages};
/// use caplet_testkit::lab::tls::Authority;
///
/// let authority = Authority::new()?;
/// let good = authority.good(&["good.test"])?;
/// let https = Http::secure("127.0.0.1:0", good.config(&["http/1.1"])?, pages::text(200, "hello"))?;
/// // … a client that trusts authority.der() fetches https.url_as("good.test", "/") …
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, as a server shows it.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Authority {
    /// A new one, unlike any other.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new() -> io::Result<Self> {
        let mut params = params("caplet lab authority", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.extended_key_usages.clear();
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, key()?).map_err(io::Error::other)? })
    }

    /// Its certificate, for a client to trust.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// Its certificate as PEM text.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate as it should be, for names and IP addresses.
    ///
    /// # Errors
    /// A name cannot be in a certificate.
    pub fn good(&self, names: &[&str]) -> io::Result<Identity> {
        self.sign(&params("good", names)?)
    }

    /// One that ended in 2020.
    ///
    /// # Errors
    /// As [`good`](Self::good).
    pub fn expired(&self, names: &[&str]) -> io::Result<Identity> {
        let mut params = params("expired", names)?;
        params.not_after = date_time_ymd(2020, 1, 1);
        self.sign(&params)
    }

    /// One that begins in 3000.
    ///
    /// # Errors
    /// As [`good`](Self::good).
    pub fn early(&self, names: &[&str]) -> io::Result<Identity> {
        let mut params = params("early", names)?;
        params.not_before = date_time_ymd(3000, 1, 1);
        self.sign(&params)
    }

    /// One for another name than any that is asked for.
    ///
    /// # Errors
    /// As [`good`](Self::good).
    pub fn wrong_name(&self) -> io::Result<Identity> {
        self.good(&["wrong-name.invalid"])
    }

    /// One that has `name`, which may be an address, only as the common name of its subject, as was the custom once.
    ///
    /// # Errors
    /// As [`good`](Self::good).
    pub fn common_name_only(&self, name: &str) -> io::Result<Identity> {
        self.sign(&params(name, &[])?)
    }

    /// One that is for clients, and not for servers.
    ///
    /// # Errors
    /// As [`good`](Self::good).
    pub fn for_clients(&self, names: &[&str]) -> io::Result<Identity> {
        let mut params = params("for clients", names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    /// One that a server's certificate signed, which is not allowed to; the chain is complete.
    ///
    /// # Errors
    /// As [`good`](Self::good).
    pub fn by_a_leaf(&self, names: &[&str]) -> io::Result<Identity> {
        let leaf = params("leaf", &["leaf.invalid"])?;
        let leaf = CertifiedIssuer::signed_by(leaf, key()?, &self.issuer).map_err(io::Error::other)?;
        let own = key()?;
        let certificate = params("by a leaf", names)?.signed_by(&own, &leaf).map_err(io::Error::other)?;
        Ok(Identity { chain: vec![certificate.der().clone(), leaf.der().clone()], key: own.serialize_der() })
    }

    fn sign(&self, params: &CertificateParams) -> io::Result<Identity> {
        let key = key()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        Ok(Identity { chain: vec![certificate.der().clone()], key: key.serialize_der() })
    }
}

impl Identity {
    /// A certificate that only its own key signed.
    ///
    /// # Errors
    /// A name cannot be in a certificate.
    pub fn self_signed(names: &[&str]) -> io::Result<Self> {
        let key = key()?;
        let certificate = params("self-signed", names)?.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self { chain: vec![certificate.der().clone()], key: key.serialize_der() })
    }

    /// A server's configuration, for TLS 1.2 and 1.3, that takes these protocols (ALPN) in the order of preference. Without
    /// any, the extension is not answered; with none that the client has, the handshake fails.
    ///
    /// # Errors
    /// Key and certificate do not belong together.
    pub fn config(&self, protocols: &[&str]) -> io::Result<Arc<ServerConfig>> {
        self.config_of(&[&TLS12, &TLS13], protocols)
    }

    /// The same for TLS 1.2 alone.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub fn config_tls12(&self, protocols: &[&str]) -> io::Result<Arc<ServerConfig>> {
        self.config_of(&[&TLS12], protocols)
    }

    fn config_of(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocols: &[&str],
    ) -> io::Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(self.key.clone()).map_err(io::Error::other)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(self.chain.clone(), key))
            .map_err(io::Error::other)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// Without the key, though it is worth nothing: one habit for all keys.
impl std::fmt::Debug for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Identity").finish_non_exhaustive()
    }
}

fn key() -> io::Result<KeyPair> {
    KeyPair::generate().map_err(io::Error::other)
}

/// A server's certificate to be. Names that are IP addresses become those.
fn params(subject: &str, names: &[&str]) -> io::Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, subject);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
