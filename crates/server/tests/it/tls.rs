//! TLS: the same server with a certificate, over HTTP/1.1 and HTTP/2.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::wire::{Ask, ask, exchange};
use crate::world::{World, initialize};

async fn connect(address: SocketAddr, trusted: &CertificateDer<'static>, protocol: &str) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

#[tokio::test]
async fn the_same_rules_hold_inside_of_tls() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let world = World::with(|builder| builder.tls(&cert, &key)).await;
    let der = made.cert.der().clone();

    let mut stream = connect(world.address, &der, "http/1.1").await;
    let own = format!("https://{}", world.address);
    let request = initialize().with("origin", own).with("connection", "close");
    assert_eq!(exchange(&mut stream, &request.bytes(world.address)).await.status, 200);
    let mut stream = connect(world.address, &der, "http/1.1").await;
    let plain = initialize().with("origin", format!("http://{}", world.address)).with("connection", "close");
    assert_eq!(
        exchange(&mut stream, &plain.bytes(world.address)).await.status,
        403,
        "another scheme is another origin"
    );

    let stream = connect(world.address, &der, "h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for (host, status) in [(world.address.to_string(), 200), ("evil.example".to_owned(), 403)] {
        let request = Request::get(format!("https://{host}/healthz")).body(Empty::<Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status, "{host}");
        response.into_body().collect().await.unwrap();
    }
    let split = Request::get(format!("https://{}/healthz", world.address)).header("host", "evil.example");
    let response = sender.send_request(split.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 400, "two names");
}

#[tokio::test]
async fn what_is_no_tls_is_not_answered() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let world = World::with(|builder| builder.tls(&cert, &key)).await;
    let mut stream = world.open(&Ask::new("GET /healthz")).await;
    let mut said = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said).await;
    assert!(!String::from_utf8_lossy(&said).contains("HTTP"), "{said:?}");

    let (events, _) = tokio::sync::mpsc::unbounded_channel();
    let server = || {
        let profiles = crate::world::profiles(&events, &Default::default());
        caplet_server::Server::builder(profiles).address("127.0.0.1:0".parse().unwrap())
    };
    let nowhere = folder.path().join("nowhere.pem");
    for (cert, key) in [(&nowhere, &key), (&cert, &nowhere), (&key, &key), (&cert, &cert)] {
        assert!(server().tls(cert, key).bind().await.is_err());
    }
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    assert!(server().tls(&cert, &key).bind().await.is_err(), "a key of another certificate");
    let plain = World::new().await;
    assert_eq!(ask(plain.address, &Ask::new("GET /healthz").with("connection", "close")).await.status, 200);
}
