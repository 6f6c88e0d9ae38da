//! Canaries count everything that knocks, at the moment they are asked.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};

use caplet_testkit::lab::canary::Canary;

#[test]
fn a_connection_without_a_byte_counts_at_once() -> io::Result<()> {
    let canary = Canary::on("127.0.0.1:0")?;
    assert_eq!(canary.hits(), 0);
    for count in 1..=50 {
        drop(TcpStream::connect(canary.address())?);
        assert_eq!(canary.accepts(), count);
    }
    assert_eq!(canary.datagrams(), 0);
    Ok(())
}

#[test]
fn datagrams_count_and_their_bytes_are_kept() -> io::Result<()> {
    let canary = Canary::on("[::1]:0")?;
    let socket = UdpSocket::bind("[::1]:0")?;
    socket.send_to(b"one", canary.address())?;
    socket.send_to(b"two", canary.address())?;
    assert_eq!((canary.accepts(), canary.datagrams(), canary.hits()), (0, 2, 2));
    assert_eq!(canary.heard(), [b"onetwo".to_vec()]);
    Ok(())
}

#[test]
fn one_that_answers_shows_that_it_was_reached() -> io::Result<()> {
    let canary = Canary::answering("127.0.0.1:0", "tweet")?;
    let mut stream = TcpStream::connect(canary.address())?;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\ntweet"), "{answer}");
    assert_eq!(canary.heard(), [b"GET / HTTP/1.1\r\n\r\n".to_vec()]);
    Ok(())
}
