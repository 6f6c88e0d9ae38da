//! TLS: whom a guest's requests trust, and what of the host's environment they do not.

use std::time::{Duration, Instant};

use caplet_sandbox::{NetworkConfig, Sandbox, SandboxConfig};
use caplet_testkit::lab::canary::Canary;
use caplet_testkit::lab::http::{Http, pages};
use caplet_testkit::lab::tls::{Authority, Break, Broken, Identity};

use super::alone::alone_with;
use super::probe::{Answer, Client};

/// A sandbox that trusts `authority`.
pub fn trusting(authority: &Authority) -> Sandbox {
    let network = NetworkConfig::default().authority(authority.der());
    Sandbox::new(&SandboxConfig::default().network(network)).unwrap()
}

async fn fetch(client: &Client, url: &str) -> Answer {
    client.get(url).allow(&format!("fetch:{url}")).limit("timeout=5s").timeouts(700_000_000).send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_for_the_host_and_from_an_authority_or_there_is_no_request() {
    let authority = Authority::new().unwrap();
    let stranger = Authority::new().unwrap();
    let client = Client::of(&trusting(&authority));
    let (name, address) = ("localhost", "127.0.0.1");
    let cases: Vec<(&str, &str, Identity, &str)> = vec![
        ("good for a name", name, authority.good(&[name]).unwrap(), ""),
        ("good for an address", address, authority.good(&[address]).unwrap(), ""),
        ("expired", name, authority.expired(&[name]).unwrap(), "TLS-certificate-error"),
        ("not yet valid", name, authority.early(&[name]).unwrap(), "TLS-certificate-error"),
        ("another name", name, authority.wrong_name().unwrap(), "TLS-certificate-error"),
        ("a name, for its address", address, authority.good(&[name]).unwrap(), "TLS-certificate-error"),
        ("an address, for its name", name, authority.good(&[address]).unwrap(), "TLS-certificate-error"),
        ("an address as a common name", address, authority.common_name_only(address).unwrap(), "TLS-certificate-error"),
        ("a name as a common name", name, authority.common_name_only(name).unwrap(), "TLS-certificate-error"),
        ("self-signed", name, Identity::self_signed(&[name]).unwrap(), "TLS-certificate-error"),
        ("another authority", name, stranger.good(&[name]).unwrap(), "TLS-certificate-error"),
        ("for clients", name, authority.for_clients(&[name]).unwrap(), "TLS-certificate-error"),
        ("signed by a server", name, authority.by_a_leaf(&[name]).unwrap(), "TLS-certificate-error"),
    ];
    for (what, host, identity, wanted) in cases {
        for config in [identity.config(&["http/1.1"]).unwrap(), identity.config_tls12(&[]).unwrap()] {
            let server = Http::secure("127.0.0.1:0", config, pages::text(200, "hello")).unwrap();
            let answer = fetch(&client, &server.url_as(host, "/secret")).await;
            assert_eq!(answer.error(), wanted, "{what}: {answer:?} {:?}", server.failures());
            let body = if wanted.is_empty() { "hello" } else { "" };
            assert_eq!(answer.body(), body, "{what}: {answer:?}");
            let requests = server.requests();
            assert_eq!(requests.len(), usize::from(wanted.is_empty()), "{what}: {requests:?}");
            // An address is not asked for by name (RFC 6066, section 3).
            if let Some(request) = requests.first() {
                assert_eq!(request.server_name.as_deref(), (host == name).then_some(name), "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_handshake_ends_in_an_error_of_tls_or_of_time() {
    let authority = Authority::new().unwrap();
    let client = Client::of(&trusting(&authority));
    let plain = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    for how in Break::ALL {
        let broken = Broken::on("127.0.0.1:0", how).unwrap();
        let started = Instant::now();
        let answer = fetch(&client, &format!("https://{}/", broken.address())).await;
        let wanted: &[&str] = match how {
            Break::Silent | Break::Stalled | Break::Dripping => &["connection-timeout"],
            Break::VersionAlert | Break::FailureAlert => &["TLS-alert-received"],
            Break::Closed => &["connection-terminated"],
            Break::Tls10 | Break::Garbage | Break::PlainHttp => &["TLS-protocol-error"],
            Break::AlertFlood => &["TLS-protocol-error", "TLS-alert-received", "connection-timeout"],
        };
        assert!(wanted.contains(&answer.error()), "{how:?}: {answer:?}");
        assert!(started.elapsed() < Duration::from_secs(4), "{how:?}: {:?}", started.elapsed());
        assert!(broken.idle_within(Duration::from_secs(5)), "{how:?}: the connection is left open");
        assert!(broken.accepts() == 1, "{how:?}: {} connections", broken.accepts());
    }
    let answer = fetch(&client, &format!("https://{}/", plain.address())).await;
    assert!(
        ["TLS-protocol-error", "connection-terminated", "connection-timeout"].contains(&answer.error()),
        "{answer:?}"
    );
    assert!(plain.requests().iter().all(|request| !request.complete));
}

/// A protocol that the client did not offer is not spoken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_protocols_that_were_offered_are_spoken() {
    let authority = Authority::new().unwrap();
    let client = Client::of(&trusting(&authority));
    let identity = authority.good(&["localhost"]).unwrap();
    for (protocols, is_spoken) in
        [(&["http/1.1"][..], true), (&[][..], true), (&["h3", "spdy/3"][..], false), (&["http/1.0"][..], false)]
    {
        let config = identity.config(protocols).unwrap();
        let server = Http::secure("127.0.0.1:0", config, pages::text(200, "hello")).unwrap();
        let answer = fetch(&client, &server.url_as("localhost", "/")).await;
        // The alert may be overtaken by the end of the connection.
        let refused = ["TLS-alert-received", "connection-terminated"].contains(&answer.error());
        assert!(if is_spoken { answer.status() == 200 } else { refused }, "{protocols:?}: {answer:?}");
        assert_eq!(server.requests().len(), usize::from(is_spoken), "{protocols:?}");
    }
}

#[test]
fn nothing_is_taken_from_the_environment() {
    let home = tempfile::tempdir().unwrap();
    let proxy = Canary::on("127.0.0.1:0").unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let (keys, trusted, by) =
        (path("keys"), path("trusted.pem"), format!("http://127.0.0.1:{}", proxy.address().port()));
    let login = "login lab-login password lab-password\n";
    let netrc = path(".netrc");
    std::fs::write(&netrc, format!("machine localhost {login}machine 127.0.0.1 {login}default {login}")).unwrap();
    let mut environment = vec![("HOME", home.path().to_str().unwrap()), ("NO_PROXY", ""), ("no_proxy", "")];
    environment.extend([("NETRC", netrc.as_str()), ("CURL_HOME", home.path().to_str().unwrap())]);
    environment.extend(["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"].map(|name| (name, trusted.as_str())));
    environment.extend([("SSL_CERT_DIR", home.path().to_str().unwrap()), ("SSLKEYLOGFILE", keys.as_str())]);
    environment.extend(
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
            .map(|name| (name, by.as_str())),
    );
    alone_with(&environment, || async {
        let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
        std::fs::write(std::env::var("SSL_CERT_FILE").unwrap(), stranger.pem()).unwrap();
        let client = Client::of(&trusting(&authority));
        let plain = Http::on("127.0.0.1:0", pages::text(200, "plain")).unwrap();
        let good = authority.good(&["localhost"]).unwrap().config(&[]).unwrap();
        let good = Http::secure("127.0.0.1:0", good, pages::text(200, "good")).unwrap();
        let bad = stranger.good(&["localhost"]).unwrap().config(&[]).unwrap();
        let bad = Http::secure("127.0.0.1:0", bad, pages::text(200, "bad")).unwrap();
        assert_eq!(fetch(&client, &plain.url("/")).await.body(), "plain");
        assert_eq!(fetch(&client, &plain.url_as("localhost", "/")).await.body(), "plain");
        assert_eq!(fetch(&client, &good.url_as("localhost", "/")).await.body(), "good");
        assert_eq!(fetch(&client, &bad.url_as("localhost", "/")).await.error(), "TLS-certificate-error");
        let requests = [plain.requests(), good.requests()].concat();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| request.header("authorization").is_empty()), "{requests:?}");
        assert!(!std::path::Path::new(&std::env::var_os("SSLKEYLOGFILE").unwrap()).exists());
    });
    assert_eq!(proxy.hits(), 0);
}
