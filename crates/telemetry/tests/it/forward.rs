//! Records as those see them who take them: on real sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use caplet_audit::{MemorySink, Outcome, Record, Sink, SinkError};
use caplet_telemetry::Forward;

use crate::{denied, nobody, well};

/// Nothing that is waited for here takes as long.
const PATIENCE: Duration = Duration::from_secs(30);

fn forward(place: &str) -> Forward {
    Forward::to(place, Some("token-1"), nobody).unwrap()
}

fn append(forward: &Forward, records: &[Record]) {
    let sink = forward.sink(Arc::new(MemorySink::new()));
    records.iter().for_each(|record| sink.append(record).unwrap());
}

/// The record in a message of syslog.
fn record_in(message: &str) -> Record {
    serde_json::from_str(message.split_once('\u{feff}').unwrap().1).unwrap()
}

#[test]
fn a_syslog_gets_datagrams() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let local = UnixDatagram::bind(&path).unwrap();
    local.set_read_timeout(Some(PATIENCE)).unwrap();
    let remote = UdpSocket::bind("127.0.0.1:0").unwrap();
    remote.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut hostile = well();
    hostile.tool = "x\n<1>1 forged\",\"outcome\":\"host\"".to_owned();
    let records = [well(), denied(), hostile];
    let places =
        [format!("syslog+unix://{}", path.display()), format!("syslog+udp://{}", remote.local_addr().unwrap())];
    for (number, place) in places.iter().enumerate() {
        append(&forward(place), &records);
        for (record, severity) in records.iter().zip([110, 108, 110]) {
            let mut bytes = vec![0; 65_536];
            let length = if number == 0 { local.recv(&mut bytes) } else { remote.recv(&mut bytes) }.unwrap();
            let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
            let head = format!("<{severity}>1 {} - caplet - call - ", record.time);
            assert!(message.starts_with(&head) && !message.contains('\n'), "{message}");
            assert_eq!(record_in(&message).id, record.id);
        }
    }
}

#[test]
fn a_syslog_gets_a_stream() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let forward = forward(&format!("syslog+tcp://{}", listener.local_addr().unwrap()));
    let records = [well(), denied()];
    append(&forward, &records);
    let (stream, _) = listener.accept().unwrap();
    let mut stream = BufReader::new(stream);
    for record in &records {
        let mut length = Vec::new();
        stream.read_until(b' ', &mut length).unwrap();
        let length: usize = String::from_utf8(length).unwrap().trim().parse().unwrap();
        let mut message = vec![0; length];
        stream.read_exact(&mut message).unwrap();
        assert_eq!(record_in(std::str::from_utf8(&message).unwrap()).id, record.id);
    }
}

/// Reads a request, and answers it with this status. Gives its head and its body.
fn answered(stream: TcpStream, status: &str) -> (String, String) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length =
        head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    write!(stream.get_mut(), "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[test]
fn a_server_gets_batches_and_a_second_try() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}/records", listener.local_addr().unwrap());
    let forward = Forward::to(&place, Some("token-1"), |_| _ = TOLD.fetch_add(1, Ordering::Relaxed)).unwrap();
    let records: Vec<Record> = (0..5).map(|_| well()).collect();
    append(&forward, &records);
    let mut refused = answered(listener.accept().unwrap().0, "503 Service Unavailable").1;
    // As many batches as it happened to make; each that is refused comes again.
    let (head, again) = answered(listener.accept().unwrap().0, "204 No Content");
    assert_eq!(refused, again);
    assert!(head.starts_with("POST /records HTTP/1.1\r\n") && head.contains("Bearer token-1"), "{head}");
    while refused.lines().count() < records.len() {
        refused += &answered(listener.accept().unwrap().0, "200 OK").1;
    }
    let ids = refused.lines().map(|line| serde_json::from_str::<Record>(line).unwrap().id);
    assert!(ids.eq(records.iter().map(|record| record.id.clone())));
    forward.end();
    assert_eq!((TOLD.load(Ordering::Relaxed), forward.lost()), (1, 0));
}

#[test]
fn no_call_waits_for_who_takes_nothing() {
    // It is connected to, and never reads.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}/", listener.local_addr().unwrap());
    let forward = Forward::to(&place, None, |_| {}).unwrap();
    let mut outcome = Outcome::new("large", None);
    outcome.function = Some("f".to_owned());
    let mut record = Record::new(&outcome);
    record.keep_arguments(&"x".repeat(60_000));
    let kept = Arc::new(MemorySink::new());
    let sink = forward.sink(Arc::clone(&kept) as _);
    for _ in 0..1_000 {
        sink.append(&record).unwrap();
    }
    assert_eq!(kept.take().len(), 1_000, "the log has them all");
    assert!(forward.lost() > 100, "what found no room is counted: {}", forward.lost());
}

#[test]
fn what_the_log_does_not_have_goes_nowhere() {
    #[derive(Debug)]
    struct Broken;
    impl Sink for Broken {
        fn ready(&self) -> Result<(), SinkError> {
            Ok(())
        }
        fn append(&self, _: &Record) -> Result<(), SinkError> {
            Err(SinkError::Full { path: "/nowhere".into() })
        }
    }
    let remote = UdpSocket::bind("127.0.0.1:0").unwrap();
    remote.set_read_timeout(Some(PATIENCE)).unwrap();
    let forward = forward(&format!("syslog+udp://{}", remote.local_addr().unwrap()));
    forward.sink(Arc::new(Broken)).append(&denied()).unwrap_err();
    let record = well();
    append(&forward, std::slice::from_ref(&record));
    let mut bytes = vec![0; 65_536];
    let length = remote.recv(&mut bytes).unwrap();
    assert_eq!(record_in(std::str::from_utf8(&bytes[..length]).unwrap()).id, record.id);
}

#[test]
fn places_that_are_none_are_refused() {
    for place in [
        "",
        "nowhere",
        "ftp://x",
        "syslog+unix://log",
        "syslog+udp://",
        "syslog+udp://a/b",
        "syslog+tcp://u@h:1",
        "http://",
    ] {
        assert!(Forward::to(place, None, nobody).is_err(), "{place:?}");
    }
    assert!(Forward::to("https://example.com/", Some("a\nb"), nobody).is_err());
    for place in ["syslog+udp://localhost", "syslog+tcp://[::1]:601", "https://example.com/x"] {
        Forward::to(place, None, nobody).unwrap();
    }
}
