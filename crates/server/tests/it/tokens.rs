//! P11: bearer tokens of the server's own, and the file that they are in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use caplet_server::{Authentication, Limits, NewToken, ServerError, TokenFile};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::handler::Event;
use crate::wire::{Ask, PATIENCE, read_until};
use crate::world::{World, call_in, initialize, stateless, stateless_call};

struct Tokens {
    _folder: TempDir,
    file: TokenFile,
}

impl Tokens {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path().join("tokens.toml"));
        Self { _folder: folder, file }
    }

    fn add(&self, new: NewToken) -> String {
        self.file.add(new).unwrap().expose().to_owned()
    }

    async fn world(&self) -> World {
        World::asking(Authentication::none().tokens(self.file.clone()).unwrap()).await
    }
}

fn named(name: &str) -> NewToken {
    NewToken { name: name.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn only_a_whole_and_valid_token_opens_the_door() {
    let tokens = Tokens::new();
    let token = tokens.add(named("laptop"));
    let past = SystemTime::now() - Duration::from_secs(1);
    let expired = tokens.add(NewToken { expires: Some(past), ..named("old") });
    let world = tokens.world().await;
    let (cut, longer) = (&token[..token.len() - 1], format!("{token}A"));
    let other = format!("caplet_{}", "A".repeat(43));
    let refused = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer {cut}"),
        format!("Bearer {longer}"),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer {token} {token}"),
        format!("Bearer {token},"),
        format!("Bearer {expired}"),
        format!("Bearer {other}"),
        "Bearer eyJhbGciOiJub25lIn0.e30.".to_owned(),
    ];
    for value in refused {
        let reply = world.ask(&initialize().with("authorization", &value)).await;
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        assert_eq!((reply.status, challenge), (401, "Bearer realm=\"caplet\", error=\"invalid_token\""), "{value}");
        assert!(!reply.body.contains(&token[7..]), "{reply:?}");
    }
    let reply = world.ask(&initialize()).await;
    assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer realm=\"caplet\"")));
    let twice = initialize().also("authorization", format!("Bearer {token}")).also("authorization", "Bearer x");
    assert_eq!(world.ask(&twice).await.status, 401);
    for value in [format!("Bearer {token}"), format!("bearer  {token}")] {
        assert_eq!(world.ask(&initialize().with("authorization", value)).await.status, 200);
    }
    assert_eq!(world.ask(&Ask::new("GET /healthz")).await.status, 200, "whether it is well is no secret");
}

#[tokio::test]
async fn a_token_in_the_address_is_refused_and_none_reaches_a_tool() {
    let tokens = Tokens::new();
    let token = tokens.add(named("laptop"));
    let world = tokens.world().await;
    let bearer = format!("Bearer {token}");
    let line = format!("POST /mcp?access_token={token} HTTP/1.1");
    assert_eq!(world.ask(&Ask { line: line.clone(), ..initialize() }).await.status, 401);
    let both = Ask { line, ..initialize().with("authorization", &bearer) };
    assert_eq!(world.ask(&both).await.status, 400);
    let session = world.session_as(|ask| ask.with("authorization", &bearer)).await;
    let call = call_in(&session, 1, "headers").with("authorization", &bearer);
    let seen = world.ask(&call.with("cookie", "a=b").with("proxy-authorization", &bearer)).await.text();
    assert!(seen.contains("mcp-session-id") && !seen.contains(&token) && !seen.contains("cookie"), "{seen}");
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_found_out_at_the_start() {
    let tokens = Tokens::new();
    tokens.add(NewToken { profile: Some("nowhere".to_owned()), ..named("laptop") });
    let (events, _) = tokio::sync::mpsc::unbounded_channel();
    let profiles = crate::world::profiles(&events, &Default::default());
    let builder = caplet_server::Server::builder(profiles).address("127.0.0.1:0".parse().unwrap());
    let authentication = Authentication::none().tokens(tokens.file.clone()).unwrap();
    let error = builder.authentication(authentication).bind().await.unwrap_err();
    assert!(error.to_string().contains("laptop") && error.to_string().contains("nowhere"), "{error}");
}

#[tokio::test]
async fn a_token_that_is_removed_ends_its_sessions() {
    let tokens = Tokens::new();
    let bearer = format!("Bearer {}", tokens.add(named("laptop")));
    let watcher = format!("Bearer {}", tokens.add(NewToken { metrics: true, ..named("watcher") }));
    let world = tokens.world().await;
    let session = world.session_as(|ask| ask.with("authorization", &bearer)).await;
    assert!(tokens.file.remove("laptop").unwrap());
    assert!(!tokens.file.remove("laptop").unwrap());
    let sessions = Ask::new("GET /metrics").with("authorization", &watcher);
    while !world.ask(&sessions).await.body.contains("\ncaplet_sessions 0\n") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.ask(&initialize().with("authorization", &bearer)).await.status, 401);
    let anew = format!("Bearer {}", tokens.add(named("laptop")));
    while world.ask(&initialize().with("authorization", &anew)).await.status != 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.ask(&call_in(&session, 1, "profile").with("authorization", &anew)).await.status, 404);
    fs::remove_file(tokens.file.path()).unwrap();
    while world.ask(&initialize().with("authorization", &anew)).await.status != 401 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_token_that_is_removed_or_over_ends_what_has_no_session() {
    let tokens = Tokens::new();
    let removed = format!("Bearer {}", tokens.add(named("laptop")));
    let soon = SystemTime::now() + Duration::from_secs(4);
    let over = format!("Bearer {}", tokens.add(NewToken { expires: Some(soon), ..named("visitor") }));
    let mut world = tokens.world().await;
    let mut streams = Vec::new();
    for (bearer, request) in [
        (&removed, stateless_call("wait")),
        (&removed, stateless("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }))),
        (&over, stateless_call("wait")),
    ] {
        let mut stream = world.open(&request.with("authorization", bearer).with("connection", "close")).await;
        assert_eq!(world.event().await, Event::Started);
        if streams.len() == 1 {
            read_until(&mut stream, "text/event-stream").await;
        }
        streams.push(stream);
    }
    assert!(tokens.file.remove("laptop").unwrap());
    for mut stream in streams {
        assert_eq!(world.event().await, Event::Stopped);
        timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("the answer ends").unwrap();
    }
}

#[tokio::test]
async fn one_token_leaves_room_for_the_requests_of_others() {
    let tokens = Tokens::new();
    let [one, two] = ["one", "two"].map(|name| format!("Bearer {}", tokens.add(named(name))));
    let authentication = Authentication::none().tokens(tokens.file.clone()).unwrap();
    let limits = Limits { in_flight: 4, in_flight_per_principal: 1, ..Limits::shared() };
    let mut world = World::with(|builder| builder.authentication(authentication).limits(limits)).await;
    let stream = world.open(&stateless_call("wait").with("authorization", &one)).await;
    assert_eq!(world.event().await, Event::Started);
    let profile = stateless_call("profile");
    let reply = world.ask(&profile.clone().with("authorization", &one)).await;
    assert_eq!((reply.status, reply.header("retry-after").is_some()), (429, true), "{reply:?}");
    assert_eq!(world.ask(&profile.clone().with("authorization", &two)).await.status, 200);
    drop(stream);
    assert_eq!(world.event().await, Event::Stopped);
    while world.ask(&profile.clone().with("authorization", &one)).await.status != 200 {}
}

#[tokio::test]
async fn a_token_that_takes_what_it_can_get_leaves_places_for_others() {
    let tokens = Tokens::new();
    let [greedy, other] = ["greedy", "other"].map(|name| format!("Bearer {}", tokens.add(named(name))));
    let authentication = Authentication::none().tokens(tokens.file.clone()).unwrap();
    let limits = Limits { connections: 8, in_flight_per_principal: 6, ..Limits::shared() };
    let mut world = World::with(|builder| builder.authentication(authentication).limits(limits)).await;
    let mut held = Vec::new();
    let sessions = [
        world.session_as(|ask| ask.with("authorization", &greedy)).await,
        world.session_as(|ask| ask.with("authorization", &greedy)).await,
        world.session_as(|ask| ask.with("authorization", &greedy)).await,
    ];
    for session in &sessions {
        let news = Ask::new("GET /mcp").with("accept", "text/event-stream").with("mcp-session-id", session);
        for request in [news.clone(), news, call_in(session, 1, "wait")] {
            let mut stream = world.open(&request.with("authorization", &greedy)).await;
            let head = read_until(&mut stream, "\r\n\r\n").await;
            let status = if held.len() < 6 { "HTTP/1.1 200" } else { "HTTP/1.1 429" };
            assert!(head.starts_with(status) && (held.len() < 6 || head.contains("retry-after: ")), "{head}");
            if held.len() < 6 {
                held.push(stream);
            }
        }
    }
    let session = world.session_as(|ask| ask.with("authorization", &other)).await;
    let reply = world.ask(&call_in(&session, 1, "profile").with("authorization", &other)).await;
    assert_eq!(reply.text(), "default");
    // To give some back is possible also then.
    let end = Ask::new("DELETE /mcp").with("mcp-session-id", &sessions[0]).with("authorization", &greedy);
    assert_eq!(world.ask(&end).await.status, 204);
    while world.ask(&initialize().with("authorization", &greedy)).await.status != 200 {}
    while world.event().await != Event::Stopped {}
}

#[test]
fn the_file_holds_hashes_and_is_the_owners_alone() {
    let tokens = Tokens::new();
    let in_a_day = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
    let one = tokens.add(NewToken { profile: Some("narrow".to_owned()), expires: Some(in_a_day), ..named("one") });
    let two = tokens.add(NewToken { metrics: true, ..named("two") });
    assert!(one != two && one.starts_with("caplet_") && one.len() == 50, "{one}");
    let text = fs::read_to_string(tokens.file.path()).unwrap();
    assert!(!text.contains(&one[7..]) && !text.contains(&two[7..]), "{text}");
    assert_eq!(fs::metadata(tokens.file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let listed = tokens.file.list().unwrap();
    let facts: Vec<_> = listed
        .iter()
        .map(|token| (token.name(), token.profile(), token.expires().is_some(), token.may_read_metrics()))
        .collect();
    assert_eq!(facts, [("one", Some("narrow"), true, false), ("two", None, false, true)]);
    for name in ["one", "", "a b", "a\nb", "../x", &"x".repeat(65)] {
        assert!(tokens.file.add(named(name)).is_err(), "{name:?}");
    }
    assert_eq!(tokens.file.list().unwrap().len(), 2);
}

#[test]
fn a_file_that_cannot_be_trusted_is_not_used() {
    let tokens = Tokens::new();
    tokens.add(named("one"));
    let path = tokens.file.path();
    for mode in [0o644, 0o640, 0o620, 0o602, 0o660, 0o777] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let error = tokens.file.list().unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{mode:o}: {error}");
        assert!(Authentication::none().tokens(tokens.file.clone()).is_err());
        assert!(tokens.file.add(named("two")).is_err(), "what is open to others is not written to either");
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let good = fs::read_to_string(path).unwrap();
    let hash = good.split('"').nth(3).unwrap();
    let wrong = [
        good.replace("name", "nom"),
        good.replace("one", "a b"),
        good.replace(hash, "00"),
        good.replace(hash, &"g".repeat(64)),
        good.replace(hash, &format!("+{}", "0".repeat(63))),
        format!("{good}\n{good}"),
        format!("{good}expires = \"soon\"\n"),
        format!("{good}admin = true\n"),
        format!("{good}# {}", "x".repeat(1024 * 1024)),
        "[[token]]".to_owned(),
        "\u{0}".to_owned(),
    ];
    for text in wrong {
        fs::write(path, &text).unwrap();
        assert!(matches!(tokens.file.list(), Err(ServerError::File { .. })), "{}", &text[..text.len().min(300)]);
    }
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
    assert!(tokens.file.list().is_err());
    fs::remove_dir(path).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let (file, (done, listed)) = (tokens.file.clone(), std::sync::mpsc::channel());
    std::thread::spawn(move || done.send(file.list()));
    let listed = listed.recv_timeout(PATIENCE).expect("a pipe is not waited for");
    assert!(listed.unwrap_err().to_string().contains("not a regular file"));
}
