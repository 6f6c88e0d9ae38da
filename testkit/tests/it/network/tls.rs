//! Certificates and handshakes: each is wrong in the one way that it says, to a client that nobody here wrote.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_testkit::lab::http::{Http, pages};
use caplet_testkit::lab::tls::{Authority, Break, Broken, Identity};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Fetches `/` by TLS from a server that is to be `name`. What went wrong is given as text.
fn fetch(address: SocketAddr, name: &str, authority: &Authority, protocols: &[&str]) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.der())).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let run = || {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut stream = StreamOwned::new(client, stream);
        stream.write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")?;
        let mut answer = vec![0; 1_000];
        let length = stream.read(&mut answer)?;
        answer.truncate(length);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    run().map_err(|error: io::Error| format!("{:?} {error}", error.kind()))
}

fn serve(identity: &Identity) -> io::Result<Http> {
    Http::secure("127.0.0.1:0", identity.config(&["http/1.1"])?, pages::text(200, "hello"))
}

#[test]
fn good_certificates_are_taken() -> io::Result<()> {
    let authority = Authority::new()?;
    let identity = authority.good(&["good.test", "*.wild.test", "127.0.0.1", "::1"])?;
    for (config, label) in [(identity.config(&[])?, "1.3"), (identity.config_tls12(&["http/1.1"])?, "1.2")] {
        let http = Http::secure("127.0.0.1:0", config, pages::text(200, "hello"))?;
        for name in ["good.test", "a.wild.test", "127.0.0.1", "::1"] {
            let answer = fetch(http.address(), name, &authority, &["http/1.1"]).expect(label);
            assert!(answer.ends_with("hello"), "{label} {name}: {answer}");
        }
        let names: Vec<_> = http.requests().into_iter().map(|request| request.server_name).collect();
        assert_eq!(names, [Some("good.test".to_owned()), Some("a.wild.test".to_owned()), None, None]);
        assert_eq!(http.requests()[0].line(), b"GET / HTTP/1.1");
    }
    assert!(authority.pem().starts_with("-----BEGIN CERTIFICATE-----"));
    Ok(())
}

#[test]
fn bad_certificates_are_refused_each_for_its_reason() -> io::Result<()> {
    let authority = Authority::new()?;
    let names = ["good.test", "127.0.0.1"];
    let cases = [
        (authority.expired(&names)?, "expired"),
        (authority.early(&names)?, "not valid yet"),
        (authority.wrong_name()?, "not valid for name"),
        (authority.good(&["good.test.evil"])?, "not valid for name"),
        (authority.common_name_only("good.test")?, "not valid for name"),
        (authority.for_clients(&names)?, "does not allow extended key usage for server"),
        (authority.by_a_leaf(&names)?, "CaUsedAsEndEntity|EndEntityUsedAsCa|UnknownIssuer"),
        (Identity::self_signed(&names)?, "UnknownIssuer"),
        (Authority::new()?.good(&names)?, "UnknownIssuer|BadSignature"),
    ];
    for (identity, reason) in cases {
        let http = serve(&identity)?;
        let error = fetch(http.address(), "good.test", &authority, &[]).expect_err(reason);
        let lower = error.to_lowercase();
        assert!(reason.split('|').any(|reason| lower.contains(&reason.to_lowercase())), "{reason}: {error}");
        assert_eq!(http.requests().len(), 0, "{reason}");
    }
    let http = serve(&authority.common_name_only("127.0.0.1")?)?;
    assert!(fetch(http.address(), "127.0.0.1", &authority, &[]).is_err(), "no name of the kind for an address");
    let http = serve(&authority.good(&["good.test"])?)?;
    assert!(fetch(http.address(), "127.0.0.1", &authority, &[]).is_err(), "a name is not an address");
    Ok(())
}

#[test]
fn no_protocol_in_common_fails_the_handshake() -> io::Result<()> {
    let authority = Authority::new()?;
    let config = authority.good(&["good.test"])?.config(&["h3"])?;
    let http = Http::secure("127.0.0.1:0", config, pages::text(200, "hello"))?;
    assert!(fetch(http.address(), "good.test", &authority, &["h2", "http/1.1"]).is_err());
    assert!(http.idle_within(Duration::from_secs(5)));
    assert_eq!(http.failures().len(), 1, "{:?}", http.failures());
    Ok(())
}

#[test]
fn broken_handshakes_fail_and_end_with_their_server() -> io::Result<()> {
    let authority = Authority::new()?;
    // The client of these tests has no bound on the whole of a handshake, so it would wait for all of the drops.
    for how in Break::ALL.into_iter().filter(|how| *how != Break::Dripping) {
        let broken = Broken::on("127.0.0.1:0", how)?;
        let error = fetch(broken.address(), "good.test", &authority, &[]).expect_err("it is broken");
        assert_eq!(error.contains("WouldBlock"), how.stalls(), "{how:?}: {error}");
        let reason = match how {
            Break::VersionAlert => "ProtocolVersion",
            Break::FailureAlert => "HandshakeFailure",
            _ => "",
        };
        assert!(error.contains(reason), "{how:?}: {error}");
        assert_eq!(broken.accepts(), 1);
        let _stays = TcpStream::connect(broken.address())?;
        let start = Instant::now();
        drop(broken);
        assert!(start.elapsed() < Duration::from_secs(2), "{how:?} does not end");
    }
    Ok(())
}

#[test]
fn a_dripping_handshake_drips() -> io::Result<()> {
    let broken = Broken::on("127.0.0.1:0", Break::Dripping)?;
    let mut stream = TcpStream::connect(broken.address())?;
    stream.write_all(&[22, 3, 1, 0, 1, 1])?;
    let start = Instant::now();
    let mut bytes = [0; 3];
    stream.read_exact(&mut bytes)?;
    assert_eq!(bytes, [22, 3, 1]);
    assert!(start.elapsed() >= Duration::from_secs(2));
    Ok(())
}
