//! TLS with the platform's roots: a server that they vouch for is used, and no other.
//!
//! `authority.pem` vouches for `localhost.pem` and for nothing else, since its key is gone; both last a hundred years.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use caplet_keyvalue::{Error, NatsStore, RedisStore, ServerOptions, Store};
use tempfile::TempDir;

use crate::servers::{Home, Program, Setup};
use crate::world::{Bucket, block_on};

/// Where this program, started again with other roots, is to connect.
const URLS: &str = "CAPLET_KV_URLS";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

fn bucket(url: &str) -> Bucket {
    let store: Arc<dyn Store> = if url.starts_with("rediss") {
        Arc::new(RedisStore::connect(url, ServerOptions::default()).unwrap())
    } else {
        Arc::new(NatsStore::connect(url, ServerOptions::default()).unwrap())
    };
    Bucket::new(store, "b")
}

#[test]
fn only_servers_that_the_roots_vouch_for_are_used() {
    if let Ok(urls) = std::env::var(URLS) {
        return urls.split(' ').for_each(|url| {
            block_on(async {
                let bucket = bucket(url);
                bucket.set("k", url).await.unwrap();
                assert_eq!(bucket.text("k").await.as_deref(), Some(url));
            });
        });
    }
    let (certificate, key) = (file("localhost.pem"), file("localhost.key"));
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let nats = format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}");
    let redis = [
        "--port",
        "0",
        "--tls-port",
        "PORT",
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        certificate,
        "--tls-key-file",
        key,
        "--tls-ca-cert-file",
        certificate,
    ];
    for (program, scheme, more) in [(Program::Redis, "rediss", &redis[..]), (Program::Nats, "tls", &[&*nats][..])] {
        let directory = TempDir::new().unwrap();
        let Some(home) = Home::new(program, directory.path(), Setup { more }) else { continue };
        let _server = home.start();
        let trusted = format!("{scheme}://localhost:{}", home.port());
        // Not in the certificate, though it is the same machine.
        let misnamed = format!("{scheme}://127.0.0.1:{}", home.port());

        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["tls::only_servers_that_the_roots_vouch_for_are_used", "--exact"]);
        child.env("SSL_CERT_FILE", file("authority.pem")).env(URLS, &trusted);
        let output = child.output().unwrap();
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stdout));
        let output = child.env(URLS, &misnamed).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && text.contains("certificate"), "{program:?}: {text}");

        // The platform's own roots know nothing of it.
        let start = Instant::now();
        let error = block_on(bucket(&trusted).set("k", "v")).unwrap_err();
        assert!(matches!(&error, Error::Unavailable(why) if why.contains("certificate")), "{program:?}: {error}");
        assert!(start.elapsed() < Duration::from_secs(3), "{program:?}: it took {:?}", start.elapsed());
    }
}
