//! HTTP/2 servers, by the words of a client that nobody here wrote.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use caplet_testkit::lab::h2::attacks::{self, Attack, EVIL, Ends};
use caplet_testkit::lab::h2::{H2, Response};

/// How much of a body the client takes.
const LIMIT: usize = 4 << 20;

/// Status and body, or what went wrong.
type Outcome = Result<(u16, Vec<u8>), String>;

fn fetch(server: &H2, body: usize, time: Duration) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(time, exchange(server, body)).await.unwrap_or_else(|_| Err("time".to_owned()))
    })
}

async fn exchange(server: &H2, size: usize) -> Outcome {
    let text = |error: h2::Error| error.to_string();
    let stream = tokio::net::TcpStream::connect(server.address()).await.map_err(|error| error.to_string())?;
    let (client, connection) = h2::client::handshake(stream).await.map_err(text)?;
    let driver = tokio::spawn(connection);
    let mut client = client.ready().await.map_err(text)?;
    let request = http::Request::post(server.url_as("good.test", "/a?b")).header("x-secret", "abc").body(());
    let (response, mut upload) = client.send_request(request.expect("a request"), false).map_err(text)?;
    upload.send_data(vec![b'u'; size].into(), true).map_err(text)?;
    let response = response.await.map_err(text)?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(text)?;
        body.flow_control().release_capacity(data.len()).map_err(text)?;
        bytes.extend(data);
        if bytes.len() > LIMIT {
            return Err("size".to_owned());
        }
    }
    drop(driver);
    Ok((status, bytes))
}

#[test]
fn a_good_server_is_understood() -> io::Result<()> {
    let server =
        H2::on("127.0.0.1:0", None, |request| Response::text(200, &request.body.len().to_string()).with("x-a", "b"))?;
    for size in [0, 1, 200_000] {
        let (status, body) = fetch(&server, size, Duration::from_secs(20)).expect("an answer");
        assert_eq!((status, body), (200, size.to_string().into_bytes()));
    }
    let requests = server.requests();
    let header = |name| requests[0].header(name).map(<[u8]>::escape_ascii).map(|text| text.to_string());
    assert_eq!(header(":method").as_deref(), Some("POST"));
    assert_eq!(header(":path").as_deref(), Some("/a?b"));
    assert!(header(":authority").is_some_and(|authority| authority.starts_with("good.test:")));
    assert!(requests[0].contains(b"abc") && !requests[0].contains(b"abd"));
    assert_eq!(requests[2].body.len(), 200_000);
    assert_eq!(server.accepts(), 3);
    Ok(())
}

#[test]
fn bodies_follow_the_windows() -> io::Result<()> {
    let server = H2::on("127.0.0.1:0", None, |_| Response::text(200, &"x".repeat(1_000_000)))?;
    assert_eq!(fetch(&server, 0, Duration::from_secs(20)).map(|(_, body)| body.len()), Ok(1_000_000));
    let server = H2::on("127.0.0.1:0", None, |_| Response::endless(b"0123"))?;
    assert_eq!(fetch(&server, 0, Duration::from_secs(20)), Err("size".to_owned()));
    assert!(server.idle_within(Duration::from_secs(5)));
    Ok(())
}

fn withstands(attack: &'static Attack) -> io::Result<()> {
    let server = H2::attacking("127.0.0.1:0", None, attack)?;
    // A body, that a server without a window keeps waiting.
    let outcome = fetch(&server, 100, Duration::from_millis(700));
    let name = attack.name;
    match (attack.ends, outcome) {
        (Ends::Ignorable, _) | (Ends::Bounded | Ends::TooLarge | Ends::Broken, Err(_)) => {}
        (Ends::Malformed, Err(error)) => assert_ne!(error, "time", "{name} is not noticed"),
        (Ends::Stalled, Err(error)) => assert_eq!(error, "time", "{name}"),
        (Ends::Usable, outcome) => assert_ne!(outcome.unwrap_or_default().1, EVIL.as_bytes(), "{name}"),
        (_, Ok(response)) => panic!("{name} is taken for a response: {response:?}"),
    }
    assert_eq!(server.accepts(), 1, "{name}");
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(2), "{name} does not end");
    Ok(())
}

#[test]
fn every_attack_fails_the_client_and_ends_with_its_server() -> io::Result<()> {
    // Most of them only wait.
    for attacks in attacks::attacks().chunks(8) {
        std::thread::scope(|scope| {
            let threads: Vec<_> = attacks.iter().map(|attack| scope.spawn(move || withstands(attack))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
        })?;
    }
    Ok(())
}

#[test]
fn attacks_have_names_of_their_own() {
    let names: BTreeSet<_> = attacks::attacks().iter().map(|attack| attack.name).collect();
    assert_eq!(names.len(), attacks::attacks().len());
    assert!(names.len() > 50, "{}", names.len());
    assert!(attacks::attack("empty-data-flood").is_some());
}
