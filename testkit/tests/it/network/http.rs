//! HTTP/1.1 servers: bytes are kept and sent as they are, and the whole catalogue ends with its server.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use caplet_testkit::lab::http::hostile::{self, Case, Ends};
use caplet_testkit::lab::http::{Http, Request, Script, pages};

/// Sends `request`, and reads up to `limit` bytes for up to `time`. Also returns how reading ended.
fn exchange(http: &Http, request: &[u8], limit: usize, time: Duration) -> io::Result<(Vec<u8>, Option<ErrorKind>)> {
    let mut stream = TcpStream::connect(http.address())?;
    stream.write_all(request)?;
    let end = Instant::now() + time;
    let mut answer = Vec::new();
    let mut buffer = vec![0; 65_536];
    while answer.len() < limit {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok((answer, None)),
            Ok(count) => answer.extend(&buffer[..count]),
            Err(error) => return Ok((answer, Some(error.kind()))),
        }
    }
    Ok((answer, Some(ErrorKind::FileTooLarge)))
}

fn fetch(http: &Http, request: &str) -> io::Result<String> {
    let request = request.replace('\n', "\r\n");
    let (answer, _) = exchange(http, request.as_bytes(), usize::MAX, Duration::from_millis(300))?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn requests_are_kept_to_the_byte() -> io::Result<()> {
    let http = Http::on("127.0.0.1:0", pages::text(200, "ok"))?;
    let first =
        b"POST /a%2fb?q=%00 HTTP/1.1\r\nHoSt:  x \r\nX-A: 1\r\nx-a: \xff\r\ncontent-length: 4\r\n\r\n\x00\r\n\xfe";
    let second = b"PUT * HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3;e=1\r\nabc\r\n02\r\nde\r\n0\r\nt: 1\r\n\r\n";
    let third = b"BREAKS / OFF HTTP/1.1\r\ncontent-length: 5\r\n\r\n12";
    let mut stream = TcpStream::connect(http.address())?;
    stream.write_all(&[&first[..], second, third].concat())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new())?;
    let requests = http.requests();
    let raw: Vec<&[u8]> = requests.iter().map(|request| request.raw.as_slice()).collect();
    assert_eq!(raw, [&first[..], second, third]);
    assert_eq!(requests.iter().map(|request| request.complete).collect::<Vec<_>>(), [true, true, false]);
    let Some([first, second, third]) = requests.first_chunk::<3>() else { panic!("three requests") };
    assert_eq!((first.method(), first.target(), first.path()), (&b"POST"[..], &b"/a%2fb?q=%00"[..], "/a%2fb"));
    assert_eq!(first.headers()[0], (&b"HoSt"[..], &b"x"[..]));
    assert_eq!(first.header("x-a"), [&b"1"[..], b"\xff"]);
    assert_eq!((first.body(), second.body()), (&b"\x00\r\n\xfe"[..], &b"abcde"[..]));
    assert_eq!(third.target(), b"/ OFF");
    assert!(first.contains(b"%00") && !first.contains(b"%01"));
    assert_eq!((http.accepts(), first.connection, second.connection), (1, 0, 0));
    Ok(())
}

#[test]
fn a_connection_without_a_request_is_counted_and_none_is_kept() -> io::Result<()> {
    let http = Http::on("127.0.0.1:0", pages::echo)?;
    drop(TcpStream::connect(http.address())?);
    assert_eq!(http.accepts(), 1);
    assert!(http.idle_within(Duration::from_secs(5)));
    assert_eq!(http.requests().len(), 0);
    Ok(())
}

#[test]
fn pages_are_what_they_say() -> io::Result<()> {
    let pages = pages::routes([
        ("/", pages::text(200, "first")),
        ("/", pages::text(200, "second")),
        ("/away", pages::redirect(302, b"http://e\xffvil/\x00")),
        ("/two", pages::redirects(301, &[b"/a", b"/b"])),
    ]);
    let http = Http::on("127.0.0.1:0", pages)?;
    assert!(fetch(&http, "GET /?a HTTP/1.1\n\n")?.ends_with("\r\n\r\nfirst"));
    assert!(fetch(&http, "GET / HTTP/1.1\n\n")?.ends_with("\r\n\r\nsecond"));
    assert!(fetch(&http, "GET / HTTP/1.1\n\n")?.ends_with("\r\n\r\nsecond"));
    assert!(fetch(&http, "GET /x HTTP/1.1\n\n")?.starts_with("HTTP/1.1 404 Not Found\r\n"));
    assert!(fetch(&http, "GET /two HTTP/1.1\n\n")?.contains("\r\nlocation: /a\r\nlocation: /b\r\n"));
    let (away, _) = exchange(&http, b"GET /away HTTP/1.1\r\n\r\n", usize::MAX, Duration::from_millis(300))?;
    assert!(
        away.windows(27).any(|window| window == b"\r\nlocation: http://e\xffvil/\x00\r"),
        "{}",
        away.escape_ascii()
    );
    let http = Http::on("127.0.0.1:0", pages::echo)?;
    let echo = fetch(&http, "POST /p HTTP/1.1\nauthorization: Bearer x\ncontent-length: 2\n\nhi")?;
    assert!(echo.contains("\r\nx-echo-authorization: Bearer x\r\n"), "{echo}");
    assert!(
        echo.ends_with("\r\n\r\nPOST /p HTTP/1.1\r\nauthorization: Bearer x\r\ncontent-length: 2\r\n\r\nhi"),
        "{echo}"
    );
    Ok(())
}

#[test]
fn scripts_keep_their_times() -> io::Result<()> {
    let site = |request: &Request| match request.path() {
        "/slow" => Script::new().send("a").pause(Duration::from_millis(200)).send("b").close(),
        _ => Script::new().send("gone").reset(),
    };
    let http = Http::on("127.0.0.1:0", site)?;
    let start = Instant::now();
    let (answer, end) = exchange(&http, b"GET /slow HTTP/1.1\r\n\r\n", 100, Duration::from_secs(5))?;
    assert_eq!((answer.as_slice(), end), (&b"ab"[..], None));
    assert!(start.elapsed() >= Duration::from_millis(200));
    let (_, end) = exchange(&http, b"GET / HTTP/1.1\r\n\r\n", 100, Duration::from_secs(5))?;
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    Ok(())
}

fn is_as_it_says(case: &Case) -> io::Result<()> {
    let name = case.name;
    let http = Http::hostile("127.0.0.1:0", None, case)?;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let (answer, end) = exchange(&http, request, 4 << 20, Duration::from_millis(600))?;
    assert_eq!(http.accepts(), 1, "{name}");
    match case.ends {
        Ends::Stalled => assert_eq!((end, answer.len() < 100), (Some(ErrorKind::WouldBlock), true), "{name}"),
        Ends::Bounded => assert_eq!(end, Some(ErrorKind::FileTooLarge), "{name}"),
        Ends::TooLarge => assert!(answer.len() >= 1 << 20, "{name}: {}", answer.len()),
        _ => assert!(!answer.is_empty() || name == "status-empty", "{name}"),
    }
    if name == "reset-in-body" {
        assert_eq!(end, Some(ErrorKind::ConnectionReset));
    }
    assert!(http.idle_within(Duration::from_secs(5)), "{name} holds on to a client that is gone");
    // And with a client that is not gone.
    let mut stream = TcpStream::connect(http.address())?;
    stream.write_all(request)?;
    let start = Instant::now();
    drop(http);
    assert!(start.elapsed() < Duration::from_secs(2), "{name} does not end");
    Ok(())
}

#[test]
fn every_case_does_what_it_says_and_ends_with_its_server() -> io::Result<()> {
    // Most of them only wait.
    for cases in hostile::cases().chunks(8) {
        std::thread::scope(|scope| {
            let threads: Vec<_> = cases.iter().map(|case| scope.spawn(move || is_as_it_says(case))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
        })?;
    }
    Ok(())
}

#[test]
fn cases_have_names_of_their_own() {
    let names: BTreeSet<_> = hostile::cases().iter().map(|case| case.name).collect();
    assert_eq!(names.len(), hostile::cases().len());
    assert!(names.len() > 60, "{}", names.len());
    assert!(hostile::case("silent").is_some());
}

#[test]
fn an_upload_that_is_not_read_stalls() -> io::Result<()> {
    let case = hostile::case("upload-unread").expect("it is there");
    let http = Http::hostile("127.0.0.1:0", None, &case)?;
    let mut stream = TcpStream::connect(http.address())?;
    stream.set_write_timeout(Some(Duration::from_millis(300)))?;
    stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 1000000000\r\n\r\n")?;
    let chunk = vec![0; 1 << 20];
    let stalled = (0..200).find_map(|_| stream.write_all(&chunk).err());
    assert_eq!(stalled.map(|error| error.kind()), Some(ErrorKind::WouldBlock));
    Ok(())
}

#[test]
fn the_bomb_is_valid_gzip_of_zeros() -> io::Result<()> {
    let case = hostile::case("body-gzip-bomb").expect("it is there");
    let http = Http::hostile("127.0.0.1:0", None, &case)?;
    let (answer, _) = exchange(&http, b"GET / HTTP/1.1\r\n\r\n", usize::MAX, Duration::from_millis(500))?;
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    assert!(answer.len() < 500_000);
    let mut gzip = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (mut input, mut output) = (gzip.stdin.take().expect("piped"), gzip.stdout.take().expect("piped"));
    let write = std::thread::spawn(move || input.write_all(&answer[body..]));
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        let count = output.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        total += count;
        assert!(buffer[..count].iter().all(|byte| *byte == 0));
    }
    write.join().expect("no panic")?;
    assert_eq!((total, gzip.wait()?.success()), (67_108_897, true));
    Ok(())
}
