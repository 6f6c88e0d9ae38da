//! Addresses: what is taken, and that no password ever comes back out.

use std::time::Duration;

use caplet_keyvalue::{Namespace, NatsStore, OpenError, RedisStore, ServerOptions, Store};
use tempfile::TempDir;

use crate::servers::{Home, Program, Setup, mute};
use crate::world::{Bucket, block_on};

const PASSWORD: &str = "s3cr3t-pa%24%24";
/// The same, as the server knows it.
const DECODED: &str = "s3cr3t-pa$$";

fn options() -> ServerOptions {
    let patience = Duration::from_millis(200);
    ServerOptions { connect: patience, operation: patience, ..ServerOptions::default() }
}

fn open(url: &str) -> Result<Box<dyn Store>, OpenError> {
    Ok(if url.contains("nats") || url.contains("tls") {
        Box::new(NatsStore::connect(url, options())?)
    } else {
        Box::new(RedisStore::connect(url, options())?)
    })
}

#[test]
fn no_address_gives_its_password_away() {
    let (_listener, port) = mute();
    for address in ["localhost", "127.0.0.1", "[::1]"] {
        for url in [
            format!("redis://user:{PASSWORD}@{address}:{port}/3"),
            format!("rediss://:{PASSWORD}@{address}:{port}"),
            format!("nats://user:{PASSWORD}@{address}:{port}"),
            format!("tls://{PASSWORD}@{address}:{port}"),
            format!("nats://a:{PASSWORD}@{address}:{port},nats://b:{PASSWORD}@{address}:1"),
        ] {
            let store = open(&url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let told = format!("{} {store:?} {store:#?}", store.describe());
            assert!(!told.contains("s3cr3t"), "{told}");
            assert!(told.contains(&port.to_string()), "{told}");
            let bucket = Bucket::new(store.into(), "b");
            let error = block_on(bucket.get("k")).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
        }
    }
}

#[test]
fn what_is_no_address_is_refused_without_being_repeated() {
    for url in [
        "",
        "redis",
        "redis:",
        "redis://",
        "http://u:s3cr3t@h/",
        "redis://u:s3cr3t@h:port/",
        "redis://u:s3cr3t@h/db",
        "rediss://u:s3cr3t@h/#insecure",
        "redis://u:s3cr3t@h:1/?protocol=resp9",
        "nats://",
        "nats://u:s3cr3t@",
        "ws://u:s3cr3t@nats",
        "nats://u:s3cr3t@h:99999",
        "http://u:s3cr3t@nats",
        "nats://h,ws://u:s3cr3t@h",
    ] {
        let error = open(url).err().unwrap_or_else(|| panic!("{url:?} is taken"));
        assert!(matches!(error, OpenError::Address(_)), "{url:?}: {error}");
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{url:?}: {error}");
    }
}

#[test]
fn options_have_bounds() {
    for namespace in ["", "a b", "a.b", "a:b", "a/b", "ä", "*", "\n", &"a".repeat(65)] {
        assert!(Namespace::parse(namespace).is_err(), "{namespace:?}");
    }
    for namespace in ["a", "A-Z_0", &"a".repeat(64)] {
        assert_eq!(Namespace::parse(namespace).unwrap().as_str(), namespace);
    }
    let with_ttl = |ttl| ServerOptions { ttl: Some(ttl), ..options() };
    for ttl in [Duration::ZERO, Duration::from_micros(999), Duration::from_secs(u64::MAX)] {
        assert!(matches!(RedisStore::connect("redis://h", with_ttl(ttl)), Err(OpenError::Option(_))), "{ttl:?}");
        assert!(matches!(NatsStore::connect("nats://h", with_ttl(ttl)), Err(OpenError::Option(_))), "{ttl:?}");
    }
    assert!(matches!(NatsStore::connect("nats://h", with_ttl(Duration::from_millis(99))), Err(OpenError::Option(_))));
}

/// The password of an address is the one that the server asks for; a wrong one is refused at once, in words that do not have it.
#[test]
fn passwords_are_used() {
    for (program, more) in [
        (Program::Redis, &["--requirepass", DECODED][..]),
        (Program::Nats, &["authorization { user: \"u@x\", password: \"s3cr3t-pa$$\" }"][..]),
    ] {
        let directory = TempDir::new().unwrap();
        let Some(home) = Home::new(program, directory.path(), Setup { more }) else { continue };
        let _server = home.start();
        let (scheme, user) = if program == Program::Redis { ("redis", "") } else { ("nats", "u%40x") };
        let bucket = |login: &str| {
            let url = format!("{scheme}://{login}127.0.0.1:{}", home.port());
            Bucket::new(open(&url).unwrap().into(), "b")
        };
        block_on(async {
            let right = bucket(&format!("{user}:{PASSWORD}@"));
            right.set("k", "v").await.unwrap_or_else(|error| panic!("{program:?}: {error}"));
            assert_eq!(right.text("k").await.as_deref(), Some("v"));
            for login in ["", &format!("{user}:s3cr3t-wrong@")] {
                let mut fastest = Duration::MAX;
                for _ in 0..5 {
                    let start = std::time::Instant::now();
                    let error = bucket(login).set("k", "w").await.unwrap_err();
                    fastest = fastest.min(start.elapsed());
                    assert!(matches!(error, caplet_keyvalue::Error::Unavailable(_)), "{program:?}: {error}");
                    assert!(!format!("{error}").contains("s3cr3t"), "{error}");
                }
                // Less than the pause before a second try.
                assert!(fastest < Duration::from_millis(190), "{program:?} is asked again and again: {fastest:?}");
            }
            assert_eq!(right.text("k").await.as_deref(), Some("v"));
        });
    }
}
