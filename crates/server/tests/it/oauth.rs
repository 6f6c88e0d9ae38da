//! P11: tokens of an authorization server, good and forged; what the server tells of itself as a resource.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caplet_server::{Authentication, OAuth};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::wire::Ask;
use crate::world::{World, call_in, initialize};

/// Made for these tests: `ring` makes no RSA keys.
const RSA_KEY: &[u8] = include_bytes!("rsa.pk8");

const RESOURCE: &str = "https://tools.example/mcp";
const ISSUER: &str = "https://login.example";

/// An authorization server: its keys, and what it signs.
struct Issuer {
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    rsa: RsaKeyPair,
    folder: TempDir,
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Issuer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let ec = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            ec: EcdsaKeyPair::from_pkcs8(algorithm, ec.as_ref(), &random).unwrap(),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            rsa: RsaKeyPair::from_pkcs8(RSA_KEY).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn ec_key(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "use": "sig", "alg": "ES256", "x": b64(&point[1..33]), "y": b64(&point[33..]) })
    }

    fn keys(&self) -> Value {
        let RsaPublicKeyComponents { n, e }: RsaPublicKeyComponents<Vec<u8>> = self.rsa.public().into();
        json!({ "keys": [
            self.ec_key(),
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(self.ed.public_key()) },
            { "kty": "RSA", "kid": "rsa", "n": b64(&n), "e": b64(&e) },
            { "kty": "RSA", "kid": "for-encryption", "use": "enc", "n": b64(&n), "e": b64(&e) },
            { "kty": "oct", "kid": "shared", "k": b64("a secret that everyone knows") },
            { "kty": "from-the-future", "kid": "future" },
        ] })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(header["kid"].as_str(), &header.to_string(), &claims.to_string())
    }

    /// Signs what need not be JSON that one could build.
    fn sign_text(&self, kid: Option<&str>, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", b64(header), b64(claims));
        let signature = match kid {
            Some("ed") => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
            Some("rsa" | "for-encryption") => {
                let mut signature = vec![0; self.rsa.public().modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
                signature
            }
            _ => self.ec.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{message}.{}", b64(signature))
    }

    /// The settings file of a server that trusts this issuer, with `more` at its top.
    fn settings(&self, jwks: &str) -> std::path::PathBuf {
        let path = self.folder.path().join("oauth.toml");
        let text = format!(
            "resource = \"{RESOURCE}\"\nissuer = \"{ISSUER}\"\n{jwks}\nmetrics_scope = \"metrics\"\n\
             [[scope]]\nname = \"tools:all\"\nprofile = \"default\"\n[[scope]]\nname = \"tools:some\"\nprofile = \"narrow\"\n"
        );
        fs::write(&path, text).unwrap();
        path
    }

    async fn world(&self) -> World {
        fs::write(self.folder.path().join("keys.json"), self.keys().to_string()).unwrap();
        let oauth = OAuth::open(&self.settings("jwks_file = \"keys.json\"")).unwrap();
        World::asking(Authentication::none().oauth(oauth)).await
    }
}

fn header(kid: &str, alg: &str) -> Value {
    json!({ "alg": alg, "typ": "at+jwt", "kid": kid })
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": RESOURCE, "sub": "u1", "client_id": "c", "exp": now() + 300, "iat": now(), "scope": "openid tools:all" })
}

/// `value` with `changes`; null takes a key away.
fn but(mut value: Value, changes: Value) -> Value {
    for (key, change) in changes.as_object().unwrap() {
        match change {
            Value::Null => drop(value.as_object_mut().unwrap().remove(key)),
            change => value[key] = change.clone(),
        }
    }
    value
}

fn with(token: &str) -> Ask {
    initialize().with("authorization", format!("Bearer {token}"))
}

#[tokio::test]
async fn what_the_issuer_signed_for_this_server_opens_it() {
    let issuer = Issuer::new();
    let world = issuer.world().await;
    for (kid, alg) in [("ec", "ES256"), ("ed", "EdDSA"), ("rsa", "RS256")] {
        let token = issuer.sign(&header(kid, alg), &claims());
        let reply = world.ask(&with(&token)).await;
        assert_eq!(reply.status, 200, "{alg}: {reply:?}");
    }
    let fine = [
        json!({ "aud": [RESOURCE, "https://other.example"] }),
        json!({ "nbf": now() }),
        json!({ "exp": now() - 10 }),
        json!({ "client_id": null, "azp": "c" }),
    ];
    for change in fine {
        let reply = world.ask(&with(&issuer.sign(&header("ec", "ES256"), &but(claims(), change.clone())))).await;
        assert_eq!(reply.status, 200, "{change}: {reply:?}");
    }
}

/// Tokens whose claims or headers are wrong, though the signature may be right.
fn signed_and_wrong(issuer: &Issuer) -> Vec<(String, String)> {
    let good = header("ec", "ES256");
    let claims_that_are_wrong = [
        json!({ "aud": "https://other.example/mcp" }),
        json!({ "aud": "https://tools.example" }),
        json!({ "aud": "https://tools.example/mcp/" }),
        json!({ "aud": [] }),
        json!({ "aud": null }),
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": [ISSUER] }),
        json!({ "iss": null }),
        json!({ "exp": now() - 60 }),
        json!({ "exp": null }),
        json!({ "exp": "tomorrow" }),
        json!({ "exp": -1 }),
        json!({ "nbf": now() + 120 }),
        json!({ "nbf": "now" }),
        json!({ "sub": null }),
        json!({ "sub": 1 }),
    ];
    let mut tokens: Vec<(String, String)> = claims_that_are_wrong
        .into_iter()
        .map(|change| (change.to_string(), issuer.sign(&good, &but(claims(), change))))
        .collect();
    let headers_that_are_wrong = [
        json!({ "alg": "none" }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "ES384" }),
        json!({ "alg": "RS256" }),
        json!({ "alg": "EdDSA" }),
        json!({ "kid": "ed" }),
        json!({ "kid": "unknown" }),
        json!({ "kid": null }),
        json!({ "kid": "shared", "alg": "HS256" }),
        json!({ "kid": "for-encryption", "alg": "RS256" }),
        json!({ "typ": "logout+jwt" }),
        json!({ "crit": ["exp"] }),
        json!({ "zip": "DEF" }),
        json!({ "jwk": issuer.ec_key(), "kid": "mine" }),
    ];
    for change in headers_that_are_wrong {
        tokens.push((change.to_string(), issuer.sign(&but(good.clone(), change), &claims())));
    }
    tokens
}

/// Tokens that the issuer did not sign as they are.
fn forged(issuer: &Issuer, right: &str) -> Vec<(String, String)> {
    let good = header("ec", "ES256");
    let (message, signature) = right.rsplit_once('.').unwrap();
    let (head, _) = message.split_once('.').unwrap();
    let hmac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, issuer.ec.public_key().as_ref());
    let confused =
        format!("{}.{}", b64(but(good.clone(), json!({ "alg": "HS256" })).to_string()), b64(claims().to_string()));
    let tag = ring::hmac::sign(&hmac, confused.as_bytes());
    let more = but(claims(), json!({ "scope": "tools:all metrics" }));
    let others = Issuer::new().sign(&good, &claims());
    let texts = [
        ("no signature", format!("{message}.")),
        ("none", format!("{}.{}.", b64(json!({ "alg": "none" }).to_string()), b64(claims().to_string()))),
        ("a public key as a secret", format!("{confused}.{}", b64(tag))),
        ("other claims", format!("{head}.{}.{signature}", b64(more.to_string()))),
        ("padding", format!("{right}=")),
        ("two parts", message.to_owned()),
        ("four parts", format!("{right}.x")),
        ("another's keys", others),
        ("not even base64", "~.~.~".to_owned()),
        ("a long one", "a".repeat(16 * 1024)),
    ];
    texts.map(|(what, token)| (what.to_owned(), token)).into()
}

#[tokio::test]
async fn forged_and_foreign_tokens_are_refused() {
    let issuer = Issuer::new();
    let world = issuer.world().await;
    let right = issuer.sign(&header("ec", "ES256"), &claims());
    let tokens = [signed_and_wrong(&issuer), forged(&issuer, &right)].concat();
    for (what, token) in tokens {
        let reply = world.ask(&with(&token)).await;
        assert_eq!(reply.status, 401, "{what}: {reply:?}");
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
        assert!(
            challenge.contains("resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource/mcp\"")
        );
    }
    assert_eq!(world.ask(&with(&right)).await.status, 200);
}

#[tokio::test]
async fn a_token_that_says_something_twice_says_nothing() {
    let issuer = Issuer::new();
    let world = issuer.world().await;
    let (good, right) = (header("ec", "ES256").to_string(), claims().to_string());
    let again = |text: &str, more: &str| format!("{},{more}}}", text.strip_suffix('}').unwrap());
    let later = now() + 300;
    let twice = [
        format!("\"iss\":\"{ISSUER}\""),
        format!("\"aud\":\"{RESOURCE}\""),
        "\"sub\":\"u2\"".to_owned(),
        "\"client_id\":\"d\"".to_owned(),
        "\"scope\":\"tools:all metrics\"".to_owned(),
        "\"sc\\u006fpe\":\"tools:all metrics\"".to_owned(),
        format!("\"exp\":{later}"),
        format!("\"nbf\":1,\"nbf\":{}", now()),
        "\"azp\":\"c\",\"azp\":\"d\"".to_owned(),
    ];
    for more in twice {
        let token = issuer.sign_text(Some("ec"), &good, &again(&right, &more));
        assert_eq!(world.ask(&with(&token)).await.status, 401, "{more}");
    }
    for more in ["\"alg\":\"ES256\"", "\"kid\":\"ec\"", "\"typ\":\"at+jwt\"", "\"crit\":null,\"crit\":null"] {
        let token = issuer.sign_text(Some("ec"), &again(&good, more), &right);
        assert_eq!(world.ask(&with(&token)).await.status, 401, "{more}");
    }
    let token = issuer.sign_text(Some("ec"), &good, &again(&right, "\"jti\":\"1\""));
    assert_eq!(world.ask(&with(&token)).await.status, 200);
}

#[tokio::test]
async fn scopes_decide_the_profile_and_a_session_keeps_to_it() {
    let issuer = Issuer::new();
    let world = issuer.world().await;
    let token = |scope: &str| {
        let claims = but(claims(), json!({ "scope": scope }));
        format!("Bearer {}", issuer.sign(&header("ec", "ES256"), &claims))
    };
    let (all, some) = (token("tools:some tools:all"), token("tools:some"));
    let wide = world.session_as(|ask| ask.with("authorization", &all)).await;
    let narrow = world.session_as(|ask| ask.with("authorization", &some)).await;
    let call = |session: &str, bearer: &str| call_in(session, 1, "profile").with("authorization", bearer);
    assert_eq!(world.ask(&call(&wide, &all)).await.text(), "default");
    assert_eq!(world.ask(&call(&narrow, &some)).await.text(), "narrow");
    assert_eq!(world.ask(&call(&wide, &some)).await.status, 404, "less scope does not reach the session of more");
    for scope in ["", "openid", "tools", "tools:all:not", "TOOLS:ALL", "metrics"] {
        let reply = world.ask(&initialize().with("authorization", token(scope))).await;
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        assert_eq!(reply.status, 403, "{scope:?}: {reply:?}");
        assert!(challenge.contains("error=\"insufficient_scope\", scope=\"tools:all tools:some\""), "{challenge}");
    }
    let metrics = Ask::new("GET /metrics");
    assert_eq!(world.ask(&metrics.clone().with("authorization", &all)).await.status, 403);
    assert_eq!(world.ask(&metrics.with("authorization", token("metrics tools:some"))).await.status, 200);
}

#[tokio::test]
async fn it_tells_where_tokens_are_to_be_had() {
    let issuer = Issuer::new();
    let world = issuer.world().await;
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let reply = world.ask(&Ask::new(&format!("GET {path}"))).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
        let told = reply.json();
        assert_eq!(told["resource"], RESOURCE);
        assert_eq!(told["authorization_servers"], json!([ISSUER]));
        assert_eq!(told["scopes_supported"], json!(["tools:all", "tools:some", "metrics"]));
        assert_eq!(told["bearer_methods_supported"], json!(["header"]));
        assert_eq!(world.ask(&Ask::new(&format!("GET {path}")).with("host", "evil.example")).await.status, 403);
    }
    let reply = world.ask(&initialize()).await;
    let challenge =
        "Bearer realm=\"caplet\", resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource/mcp\"";
    assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some(challenge)));
}

#[tokio::test]
async fn a_new_key_in_the_file_is_found() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let world = old.world().await;
    let mut keys = old.keys();
    let mut key = new.ec_key();
    key["kid"] = json!("new");
    keys["keys"].as_array_mut().unwrap().push(key);
    fs::write(old.folder.path().join("keys.json"), keys.to_string()).unwrap();
    assert_eq!(world.ask(&with(&new.sign(&header("new", "ES256"), &claims()))).await.status, 200);
    assert_eq!(world.ask(&with(&old.sign(&header("ec", "ES256"), &claims()))).await.status, 200);
}

/// Answers every request with `body`, and counts them.
async fn key_server(body: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys?v=1", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).await.unwrap();
            assert!(request[..count].starts_with(b"GET /keys?v=1 HTTP/1.1\r\nhost: 127.0.0.1:"));
            counted.fetch_add(1, Ordering::SeqCst);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn keys_are_fetched_when_needed_and_not_at_the_will_of_others() {
    let issuer = Issuer::new();
    let (url, asked) = key_server(issuer.keys().to_string()).await;
    let oauth = OAuth::open(&issuer.settings(&format!("jwks_url = \"{url}\""))).unwrap();
    let world = World::asking(Authentication::none().oauth(oauth)).await;
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    for _ in 0..3 {
        assert_eq!(world.ask(&with(&issuer.sign(&header("ec", "ES256"), &claims()))).await.status, 200);
    }
    for number in 0..20 {
        let token = issuer.sign(&header(&format!("unknown-{number}"), "ES256"), &claims());
        assert_eq!(world.ask(&with(&token)).await.status, 401);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn keys_that_cannot_be_had_let_nobody_in() {
    let issuer = Issuer::new();
    let huge = format!("{{\"keys\":[{}],\"x\":\"{}\"}}", issuer.ec_key(), "x".repeat(300 * 1024));
    for body in ["not json".to_owned(), "{}".to_owned(), "{\"keys\":[]}".to_owned(), huge] {
        let (url, asked) = key_server(body).await;
        let oauth = OAuth::open(&issuer.settings(&format!("jwks_url = \"{url}\""))).unwrap();
        let world = World::asking(Authentication::none().oauth(oauth)).await;
        assert_eq!(world.ask(&with(&issuer.sign(&header("ec", "ES256"), &claims()))).await.status, 401);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let issuer = Issuer::new();
    fs::write(issuer.folder.path().join("keys.json"), issuer.keys().to_string()).unwrap();
    let path = issuer.settings("jwks_file = \"keys.json\"");
    let good = fs::read_to_string(&path).unwrap();
    OAuth::open(&path).unwrap();
    let file = "jwks_file = \"keys.json\"";
    let wrong = [
        good.replace(RESOURCE, "tools.example"),
        good.replace(RESOURCE, "https://tools.example/mcp?x"),
        good.replace(RESOURCE, "https://tools.example/mcp#x"),
        good.replace(RESOURCE, "ftp://tools.example"),
        good.replace(RESOURCE, "https://tools.example/:mcp"),
        good.replace(RESOURCE, "https://tools.example/*"),
        good.replace(RESOURCE, "https://tools.example/{mcp}"),
        good.replace(file, ""),
        good.replace(file, "jwks_file = \"nowhere.json\""),
        good.replace(file, &format!("{file}\njwks_url = \"https://login.example/keys\"")),
        good.replace(file, "jwks_url = \"http://login.example/keys\""),
        good.replace(file, "jwks_url = \"file:///etc/passwd\""),
        good.replace(file, "jwks_url = \"https://u:p@login.example/keys\""),
        good.replace("tools:all", "two words"),
        good.replace("tools:all", "a\\\"b"),
        good.replace("issuer", "issuers"),
        good.split("[[scope]]").next().unwrap().to_owned(),
    ];
    for text in wrong {
        fs::write(&path, &text).unwrap();
        assert!(OAuth::open(&path).is_err(), "{text}");
    }
    assert!(OAuth::open(Path::new("nowhere.toml")).is_err());
}

#[tokio::test]
async fn only_regular_files_are_read_and_only_up_to_their_bound() {
    let issuer = Issuer::new();
    let (settings, keys) = (issuer.settings("jwks_file = \"keys.json\""), issuer.folder.path().join("keys.json"));
    let refused = |reason: &'static str| {
        let (path, (done, opened)) = (settings.clone(), std::sync::mpsc::channel());
        std::thread::spawn(move || done.send(OAuth::open(&path).map(drop)));
        let opened = opened.recv_timeout(crate::wire::PATIENCE).expect("nothing is waited for");
        let error = opened.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    let pipe = |path: &Path| {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    pipe(&keys);
    refused("not a regular file");
    fs::remove_file(&keys).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &keys).unwrap();
    refused("not a regular file");
    fs::remove_file(&keys).unwrap();
    fs::write(&keys, " ".repeat(256 * 1024 + 1)).unwrap();
    refused("more than 256 KiB");
    // One that takes the place of good keys is not waited for either, and the known ones stay.
    fs::remove_file(&keys).unwrap();
    let world = issuer.world().await;
    fs::remove_file(&keys).unwrap();
    pipe(&keys);
    assert_eq!(world.ask(&with(&issuer.sign(&header("unknown", "ES256"), &claims()))).await.status, 401);
    assert_eq!(world.ask(&with(&issuer.sign(&header("ec", "ES256"), &claims()))).await.status, 200);
    fs::remove_file(&settings).unwrap();
    pipe(&settings);
    refused("not a regular file");
}
