//! Clients that vanish, dawdle or flood, and the end of the server.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::handler::Event;
use crate::wire::{Ask, PATIENCE, exchange, read_until};
use crate::world::{World, call_in, initialize, stateless_call};

/// What is left to read of `stream`, which the server has to close.
async fn rest(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("the server closes the connection");
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn a_client_that_vanishes_takes_its_call_with_it() {
    let mut world = World::new().await;
    let session = world.session().await;
    let stream = world.open(&call_in(&session, 1, "wait")).await;
    assert_eq!(world.event().await, Event::Started);
    drop(stream);
    let began = Instant::now();
    assert_eq!(world.event().await, Event::Stopped);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(world.ask(&call_in(&session, 1, "profile")).await.text(), "default", "its session goes on");
}

#[tokio::test]
async fn a_client_without_a_session_takes_its_call_with_it_too() {
    let mut world = World::new().await;
    let stream = world.open(&stateless_call("wait")).await;
    assert_eq!(world.event().await, Event::Started);
    drop(stream);
    assert_eq!(world.event().await, Event::Stopped);
}

#[tokio::test]
async fn to_end_a_session_stops_its_calls() {
    let mut world = World::new().await;
    let session = world.session().await;
    let _stream = world.open(&call_in(&session, 1, "wait")).await;
    assert_eq!(world.event().await, Event::Started);
    assert_eq!(world.ask(&Ask::new("DELETE /mcp").with("mcp-session-id", &session)).await.status, 204);
    assert_eq!(world.event().await, Event::Stopped);
}

#[tokio::test]
async fn a_request_that_is_cancelled_stops_its_call_and_ends_its_stream() {
    let mut world = World::new().await;
    let session = world.session().await;
    let mut stream = world.open(&call_in(&session, 1, "wait").with("connection", "close")).await;
    assert_eq!(world.event().await, Event::Started);
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
    assert_eq!(world.ask(&Ask::post(cancel).with("mcp-session-id", &session)).await.status, 202);
    assert_eq!(world.event().await, Event::Stopped);
    let rest = rest(&mut stream).await;
    assert!(!rest.contains("\"result\"") && !rest.contains("\"error\""), "{rest}");
}

#[tokio::test]
async fn the_end_waits_for_calls_and_for_nothing_else() {
    let mut world = World::new().await;
    let session = world.session().await;
    let mut news =
        world.open(&Ask::new("GET /mcp").with("accept", "text/event-stream").with("mcp-session-id", &session)).await;
    read_until(&mut news, "retry:").await;
    let mut call = world.open(&call_in(&session, 1, "wait")).await;
    assert_eq!(world.event().await, Event::Started);
    world.shutdown.cancel();
    rest(&mut news).await;
    assert!(TcpStream::connect(world.address).await.is_err(), "nothing more is accepted");
    assert!(!world.running.is_finished());
    world.release.notify_one();
    assert!(rest(&mut call).await.contains("released"));
    timeout(PATIENCE, world.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let mut world = World::limited(|limits| limits.drain = Duration::from_millis(100)).await;
    let session = world.session().await;
    let mut call = world.open(&call_in(&session, 1, "wait")).await;
    assert_eq!(world.event().await, Event::Started);
    world.shutdown.cancel();
    assert_eq!(world.event().await, Event::Stopped);
    rest(&mut call).await;
    timeout(PATIENCE, world.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_sends_slowly_is_not_waited_for() {
    let world = World::limited(|limits| {
        limits.header_time = Duration::from_millis(200);
        limits.body_time = Duration::from_millis(200);
    });
    let world = world.await;
    let silent = TcpStream::connect(world.address).await.unwrap();
    let mut partial = TcpStream::connect(world.address).await.unwrap();
    partial.write_all(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\nx: ").await.unwrap();
    let mut idle = TcpStream::connect(world.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    for mut stream in [silent, partial, idle] {
        rest(&mut stream).await;
    }
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let half = Ask::post("{").with("content-length", "100").bytes(world.address);
    assert_eq!(exchange(&mut stream, &half).await.status, 408);
}

#[tokio::test]
async fn headers_are_bounded() {
    let world = World::new().await;
    let many = (0..100).fold(Ask::new("GET /healthz"), |ask, number| ask.with(&format!("x-{number}"), "1"));
    for request in [Ask::new("GET /healthz").with("x", "x".repeat(64 * 1024)), many] {
        assert_eq!(world.ask(&request).await.status, 431);
    }
    let long = Ask::new(&format!("GET /{}", "x".repeat(64 * 1024)));
    assert!([414, 431].contains(&world.ask(&long).await.status));
}

#[tokio::test]
async fn connections_are_bounded() {
    let mut world = World::limited(|limits| limits.connections = 2).await;
    let mut held = Vec::new();
    let session = world.session().await;
    for id in [1, 2] {
        held.push(world.open(&call_in(&session, id, "wait")).await);
        assert_eq!(world.event().await, Event::Started);
    }
    let mut waiting = world.open(&Ask::new("GET /healthz").with("connection", "close")).await;
    assert!(timeout(Duration::from_millis(200), waiting.read_u8()).await.is_err(), "there is no room");
    held.pop();
    assert!(rest(&mut waiting).await.contains("ok"));
}

/// A connection from `address`, with half of a head sent.
async fn half_a_head(world: &World, address: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    let mut stream = socket.connect(world.address).await.unwrap();
    stream.write_all(b"POST /mcp HTTP/1.1\r\nx: ").await.unwrap();
    stream
}

#[tokio::test]
async fn who_asks_nothing_locks_nobody_out() {
    let mut world = World::limited(|limits| limits.connections = 4).await;
    let session = world.session().await;
    let mut call = world.open(&call_in(&session, 1, "wait").with("connection", "close")).await;
    assert_eq!(world.event().await, Event::Started);
    let mut flood = Vec::new();
    for _ in 0..10 {
        flood.push(half_a_head(&world, "127.0.0.1").await);
        // One that was answered, and then asks nothing more, is no better.
        let mut idle = world.open(&Ask::new("GET /healthz")).await;
        read_until(&mut idle, "ok").await;
        flood.push(idle);
    }
    rest(&mut flood[0]).await;
    assert_eq!(world.ask(&Ask::new("GET /healthz")).await.status, 200);
    world.release.notify_one();
    assert!(rest(&mut call).await.contains("released"), "a request in flight keeps its place");
}

#[tokio::test]
async fn a_flood_takes_the_places_of_its_own_network_first() {
    let world = World::limited(|limits| limits.connections = 4).await;
    let mut bystander = half_a_head(&world, "127.0.0.1").await;
    let mut flood = Vec::new();
    for _ in 0..20 {
        flood.push(half_a_head(&world, "127.0.0.2").await);
    }
    // The first ones are closed by now, and so the rest was let in.
    for stream in flood.iter_mut().take(17) {
        let _ = rest(stream).await;
    }
    let end = format!("1\r\nhost: {}\r\nconnection: close\r\n\r\n", world.address);
    bystander.write_all(end.as_bytes()).await.unwrap();
    assert!(rest(&mut bystander).await.starts_with("HTTP/1.1 4"), "it is answered");
}

#[tokio::test]
async fn the_first_request_has_less_time() {
    let world = World::limited(|limits| limits.first_request_time = Duration::from_millis(200)).await;
    let mut used = world.open(&Ask::new("GET /healthz")).await;
    read_until(&mut used, "ok").await;
    rest(&mut half_a_head(&world, "127.0.0.1").await).await;
    let again = Ask::new("GET /healthz").with("connection", "close").bytes(world.address);
    assert_eq!(exchange(&mut used, &again).await.status, 200);
}

#[tokio::test]
async fn a_flood_is_told_to_come_back_later() {
    let world = World::limited(|limits| limits.requests_per_second = NonZeroU32::new(4).unwrap()).await;
    let mut replies = Vec::new();
    for _ in 0..40 {
        replies.push(world.ask(&initialize()).await);
    }
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 429).collect();
    assert!(replies[0].status == 200 && !refused.is_empty());
    assert!(
        refused.iter().all(|reply| reply.header("retry-after").is_some_and(|after| after.parse::<u64>().unwrap() >= 1))
    );
}

#[tokio::test]
async fn http_2_is_not_spoken_in_the_clear() {
    let world = World::new().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let said = rest(&mut stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said:?}");
}

/// The server's end of the connection that `client` is the other end of: it is in this process too.
#[cfg(target_os = "linux")]
fn other_end(client: &TcpStream) -> std::net::TcpStream {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let numbers = std::fs::read_dir("/proc/self/fd").unwrap();
    let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let files = numbers.filter_map(|number| pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).ok());
    let wanted = client.local_addr().unwrap();
    files.map(std::net::TcpStream::from).find(|stream| stream.peer_addr().is_ok_and(|peer| peer == wanted)).unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn small_answers_are_not_held_back() {
    let world = World::new().await;
    let mut client = world.open(&Ask::new("GET /healthz")).await;
    read_until(&mut client, "ok").await;
    assert!(other_end(&client).nodelay().unwrap());
}
