//! P10, P16: whose a session is, how many there are, and that one does not hold up another.

use std::collections::HashSet;
use std::time::Duration;

use caplet_server::{Authentication, NewToken, TokenFile};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::handler::Event;
use crate::wire::{Ask, ask, exchange, read_until};
use crate::world::{World, call, call_in, initialize};

#[tokio::test]
async fn a_session_is_only_there_for_who_opened_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::new(folder.path().join("tokens.toml"));
    let make = |name: &str, profile: Option<&str>| {
        let new = NewToken { name: name.to_owned(), profile: profile.map(str::to_owned), ..Default::default() };
        format!("Bearer {}", file.add(new).unwrap().expose())
    };
    let (alice, bob) = (make("alice", None), make("bob", Some("narrow")));
    let world = World::asking(Authentication::none().tokens(file).unwrap()).await;
    let session = world.session_as(|ask| ask.with("authorization", &alice)).await;
    let requests = [
        call_in(&session, 1, "profile"),
        Ask::new("GET /mcp").with("accept", "text/event-stream").with("mcp-session-id", &session),
        Ask::new("DELETE /mcp").with("mcp-session-id", &session),
        initialize().with("mcp-session-id", &session),
    ];
    for request in requests {
        let reply = world.ask(&request.clone().with("authorization", &bob)).await;
        assert_eq!(reply.status, 404, "{request:?}: {reply:?}");
        let reply = world.ask(&request).await;
        assert_eq!(reply.status, 401, "{request:?}: {reply:?}");
    }
    let mine = call_in(&session, 1, "profile").with("authorization", &alice);
    assert_eq!(world.ask(&mine).await.text(), "default");
    let bobs = world.session_as(|ask| ask.with("authorization", &bob)).await;
    assert_eq!(world.ask(&call_in(&bobs, 1, "profile").with("authorization", &bob)).await.text(), "narrow");
}

#[tokio::test]
async fn ids_are_long_and_no_two_are_alike_and_none_can_be_chosen() {
    let world = World::new().await;
    let mut ids = HashSet::new();
    for _ in 0..20 {
        let id = world.session().await;
        // 256 bits in base64.
        assert_eq!(id.len(), 43, "{id}");
        assert!(ids.insert(id));
    }
    for guess in ["", "0", "../", "00000000-0000-0000-0000-000000000000", &"a".repeat(43), &"a".repeat(8192)] {
        assert_eq!(world.ask(&call_in(guess, 1, "profile")).await.status, 404, "{guess:?}");
        assert_eq!(world.ask(&initialize().with("mcp-session-id", guess)).await.status, 404, "{guess:?}");
    }
    let two = call_in(ids.iter().next().unwrap(), 1, "profile").also("mcp-session-id", ids.iter().nth(1).unwrap());
    assert_eq!(world.ask(&two).await.status, 400);
}

#[tokio::test]
async fn an_event_of_another_session_resumes_nothing() {
    let world = World::new().await;
    let (one, other) = (world.session().await, world.session().await);
    let listen =
        |session: &str| Ask::new("GET /mcp").with("accept", "text/event-stream").with("mcp-session-id", session);
    let mut stream = world.open(&listen(&one)).await;
    let first = read_until(&mut stream, "retry:").await;
    let event = first
        .lines()
        .find_map(|line| line.strip_prefix("id: ").or(line.strip_prefix("id:")))
        .unwrap()
        .trim()
        .to_owned();
    for wrong in [event.as_str(), "0", "0/0", "", "..", "x.0/1"] {
        let reply = world.ask(&listen(&other).with("last-event-id", wrong)).await;
        assert_eq!(reply.status, 400, "{wrong:?}: {reply:?}");
    }
    let mut again = world.open(&listen(&one).with("last-event-id", &event)).await;
    read_until(&mut again, "HTTP/1.1 200 OK").await;
}

#[tokio::test]
async fn a_broken_connection_can_be_taken_up_again() {
    let mut world = World::new().await;
    let session = world.session().await;
    let mut stream = world.open(&call_in(&session, 9, "wait")).await;
    let first = read_until(&mut stream, "retry:").await;
    let event = first
        .lines()
        .find_map(|line| line.strip_prefix("id: ").or(line.strip_prefix("id:")))
        .unwrap()
        .trim()
        .to_owned();
    assert_eq!(world.event().await, Event::Started);
    drop(stream);
    let resume = Ask::new("GET /mcp").with("accept", "text/event-stream").with("mcp-session-id", &session);
    let mut stream = world.open(&resume.with("last-event-id", &event)).await;
    read_until(&mut stream, "HTTP/1.1 200 OK").await;
    // Longer than a call lasts that nobody takes up again.
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    world.release.notify_one();
    read_until(&mut stream, "released").await;
}

#[tokio::test]
async fn for_one_session_too_many_the_oldest_idle_one_ends() {
    let mut world = World::limited(|limits| limits.sessions_per_principal = 3).await;
    let (one, two, three) = (world.session().await, world.session().await, world.session().await);
    let _busy = world.open(&call_in(&one, 1, "wait")).await;
    assert_eq!(world.event().await, Event::Started);
    let four = world.session().await;
    assert_eq!(world.ask(&call_in(&two, 1, "profile")).await.status, 404, "the one that was idle for longest");
    for session in [&one, &three, &four] {
        assert_eq!(world.ask(&call_in(session, 2, "profile")).await.status, 200);
    }
    let _busy_too = [world.open(&call_in(&three, 1, "wait")).await, world.open(&call_in(&four, 1, "wait")).await];
    assert_eq!((world.event().await, world.event().await), (Event::Started, Event::Started));
    let reply = world.ask(&initialize()).await;
    assert_eq!((reply.status, reply.header("retry-after").is_some()), (503, true), "{reply:?}");
}

#[tokio::test]
async fn ten_thousand_sessions_are_no_more_than_the_limit() {
    let world = World::limited(|limits| {
        limits.sessions = 32;
        limits.sessions_per_principal = 64;
    });
    let world = world.await;
    let mut ends = JoinSet::new();
    for _ in 0..8 {
        let address = world.address;
        ends.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            for _ in 0..1_250 {
                assert_eq!(exchange(&mut stream, &initialize().bytes(address)).await.status, 200);
            }
        });
    }
    ends.join_all().await;
    let metrics = world.ask(&Ask::new("GET /metrics")).await.body;
    assert!(metrics.contains("\ncaplet_sessions 32\n"), "{metrics}");
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends() {
    let world = World::limited(|limits| limits.session_idle = Duration::from_millis(10)).await;
    let session = world.session().await;
    while !world.ask(&Ask::new("GET /metrics")).await.body.contains("\ncaplet_sessions 0\n") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.ask(&call_in(&session, 1, "profile")).await.status, 404);
}

#[tokio::test]
async fn an_id_is_used_once_at_a_time_and_answers_are_counted() {
    let mut world = World::limited(|limits| limits.streams_per_session = 2).await;
    let session = world.session().await;
    let _one = world.open(&call_in(&session, "same", "wait")).await;
    assert_eq!(world.event().await, Event::Started);
    let twice = world.ask(&call_in(&session, "same", "profile")).await;
    assert_eq!((twice.status, twice.code(), twice.json()["id"].as_str()), (400, Some(-32600), Some("same")));
    let _two = world.open(&call_in(&session, "other", "wait")).await;
    assert_eq!(world.event().await, Event::Started);
    let reply = world.ask(&call_in(&session, "third", "profile")).await;
    assert_eq!((reply.status, reply.header("retry-after").is_some()), (503, true), "{reply:?}");
}

#[tokio::test]
async fn requests_of_all_clients_are_counted() {
    let mut world = World::limited(|limits| limits.in_flight = 2).await;
    let (one, other) = (world.session().await, world.session().await);
    let first = world.open(&call_in(&one, 1, "wait")).await;
    let _second = world.open(&call_in(&other, 1, "wait")).await;
    assert_eq!((world.event().await, world.event().await), (Event::Started, Event::Started));
    let reply = world.ask(&call_in(&one, 2, "profile")).await;
    assert_eq!((reply.status, reply.header("retry-after").is_some()), (503, true), "{reply:?}");
    drop(first);
    assert_eq!(world.event().await, Event::Stopped);
    assert_eq!(world.ask(&call_in(&one, 2, "profile")).await.text(), "default");
}

#[tokio::test]
async fn fifty_sessions_at_once_and_one_that_reads_nothing() {
    let world = World::limited(|limits| limits.write_time = Duration::from_millis(500)).await;
    let slow = world.session().await;
    // More than the system buffers on both sides of a connection, and nobody reads it.
    let mut unread = Vec::new();
    for id in 0..16 {
        unread.push(world.open(&call_in(&slow, id, "big")).await);
    }
    let mut clients = JoinSet::new();
    for number in 0..50 {
        let address = world.address;
        clients.spawn(async move {
            let close = |request: Ask| request.with("connection", "close");
            let reply = ask(address, &close(initialize())).await;
            let session = reply.header("mcp-session-id").unwrap().to_owned();
            for id in 0..4 {
                let reply = ask(address, &close(call_in(&session, number * 100 + id, "profile"))).await;
                assert_eq!((reply.json()["id"].as_u64(), reply.text().as_str()), (Some(number * 100 + id), "default"));
            }
        });
    }
    clients.join_all().await;
    drop(unread);
    let reply = world.ask(&Ask::post(call(1_000, "profile")).with("mcp-session-id", &slow)).await;
    assert_eq!(reply.text(), "default", "the slow one goes on as well");
}
