//! The DNS server: every reply by the bytes of the protocol, and a log that misses nothing.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use caplet_testkit::lab::dns::{Dns, Query, Rcode, Reply};

const A: u16 = 1;
const AAAA: u16 = 28;

fn question(name: &str, kind: u16, udp_size: Option<u16>) -> Vec<u8> {
    let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(udp_size.is_some())];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).expect("short"));
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend([kind.to_be_bytes(), 1_u16.to_be_bytes()].concat());
    if let Some(size) = udp_size {
        message.extend([0, 0, 41]);
        message.extend(size.to_be_bytes());
        message.extend([0; 6]);
    }
    message
}

fn udp(dns: &Dns, message: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    socket.send_to(message, dns.address())?;
    let mut buffer = vec![0; 65_536];
    let length = socket.recv(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

fn tcp(dns: &Dns, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(dns.address())?;
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    stream.write_all(&u16::try_from(message.len()).expect("short").to_be_bytes())?;
    stream.write_all(message)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// Code, whether it is cut, and how many answers there are.
fn summary(answer: &[u8]) -> (u8, bool, u16) {
    assert_eq!(answer[..2], [0xab, 0xcd]);
    assert_ne!(answer[2] & 0x80, 0, "it is an answer");
    (answer[3] & 15, answer[2] & 2 != 0, u16::from_be_bytes([answer[6], answer[7]]))
}

fn ask(dns: &Dns, name: &str, kind: u16) -> io::Result<Vec<u8>> {
    udp(dns, &question(name, kind, None))
}

#[test]
fn addresses_aliases_and_errors() -> io::Result<()> {
    let dns = Dns::on("127.0.0.1:0")?;
    let mixed: [IpAddr; 3] = ["93.184.215.14", "10.1.2.3", "fd00::1"].map(|text| text.parse().expect("an address"));
    dns.set("mixed.test", Reply::addresses(mixed));
    dns.set("alias.test", Reply::Alias("mixed.test".to_owned()));
    dns.set("loop.test", Reply::Alias("pool.test".to_owned()));
    dns.set("pool.test", Reply::Alias("loop.test".to_owned()));
    dns.set("fails.test", Reply::Failure(Rcode::ServFail));
    assert_eq!(summary(&ask(&dns, "mixed.test", A)?), (0, false, 2));
    assert_eq!(summary(&ask(&dns, "MIXED.test", AAAA)?), (0, false, 1));
    assert_eq!(summary(&ask(&dns, "mixed.test", 65)?), (0, false, 0));
    let alias = ask(&dns, "alias.test", A)?;
    assert_eq!(summary(&alias), (0, false, 3));
    assert_eq!(alias[alias.len() - 4..], [10, 1, 2, 3]);
    assert_eq!(summary(&tcp(&dns, &question("loop.test", A, None))?), (0, false, 20));
    assert_eq!(summary(&ask(&dns, "fails.test", A)?), (2, false, 0));
    assert_eq!(summary(&ask(&dns, "missing.test", A)?), (3, false, 0));
    Ok(())
}

#[test]
fn rebinding_flips_for_each_name_and_type() -> io::Result<()> {
    let dns = Dns::on("127.0.0.1:0")?;
    let public = Reply::addresses([Ipv4Addr::new(93, 184, 215, 14)]);
    let metadata = Reply::addresses([Ipv4Addr::new(169, 254, 169, 254)]);
    dns.set("*.rebind.test", Reply::each([public, metadata]));
    for name in ["a.rebind.test", "b.rebind.test", "c.d.rebind.test"] {
        let last = |answer: Vec<u8>| answer[answer.len() - 4..].to_vec();
        assert_eq!(last(ask(&dns, name, A)?), [93, 184, 215, 14]);
        assert_eq!(summary(&ask(&dns, name, AAAA)?), (0, false, 0));
        assert_eq!(last(ask(&dns, name, A)?), [169, 254, 169, 254]);
        assert_eq!(last(ask(&dns, name, A)?), [169, 254, 169, 254]);
    }
    assert_eq!(summary(&ask(&dns, "rebind.test", A)?), (3, false, 0));
    Ok(())
}

#[test]
fn what_does_not_fit_is_cut_and_whole_by_tcp() -> io::Result<()> {
    let dns = Dns::on("127.0.0.1:0")?;
    dns.set("many.test", Reply::many(99, Ipv4Addr::new(10, 1, 2, 3)));
    dns.set("cut.test", Reply::addresses([Ipv4Addr::LOCALHOST]).truncated());
    assert_eq!(summary(&ask(&dns, "many.test", A)?), (0, true, 0));
    assert_eq!(summary(&udp(&dns, &question("many.test", A, Some(4_096)))?), (0, false, 100));
    assert_eq!(summary(&tcp(&dns, &question("many.test", A, None))?), (0, false, 100));
    assert_eq!(summary(&ask(&dns, "cut.test", A)?), (0, true, 0));
    assert_eq!(summary(&tcp(&dns, &question("cut.test", A, None))?), (0, false, 1));
    Ok(())
}

#[test]
fn silence_and_late_answers_end_with_the_server() -> io::Result<()> {
    let dns = Dns::on("127.0.0.1:0")?;
    dns.set("silent.test", Reply::Silence);
    dns.set("late.test", Reply::addresses([Ipv4Addr::LOCALHOST]).after(Duration::from_millis(100)));
    dns.set("later.test", Reply::addresses([Ipv4Addr::LOCALHOST]).after(Duration::from_secs(100)));
    dns.set("forged.test", Reply::Custom(|question| vec![[&[0, 0], &question[2..]].concat()]));
    assert!(ask(&dns, "silent.test", A).is_err());
    assert!(tcp(&dns, &question("silent.test", A, None)).is_err());
    assert_eq!(summary(&ask(&dns, "late.test", A)?), (0, false, 1));
    assert!(ask(&dns, "later.test", A).is_err());
    assert_eq!(ask(&dns, "forged.test", A)?[..2], [0, 0]);
    let start = Instant::now();
    drop(dns);
    assert!(start.elapsed() < Duration::from_secs(2));
    Ok(())
}

#[test]
fn the_log_has_what_was_sent_before_it_was_read() -> io::Result<()> {
    let dns = Dns::on("127.0.0.1:0")?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for count in 1..=20 {
        socket.send_to(&question("Some.Name", A, None), dns.address())?;
        assert_eq!(dns.asked("some.name."), count);
    }
    socket.send_to(&question("nul\0.test", A, None), dns.address())?;
    assert_eq!(dns.queries().last(), Some(&Query { name: "nul\\000.test".to_owned(), kind: A, tcp: false }));
    assert_eq!(dns.asked("name"), 0);
    // What is no question is no harm.
    for junk in [&b""[..], b"x", &[0xff; 600], &question("a.b", A, None)[..20]] {
        socket.send_to(junk, dns.address())?;
    }
    assert_eq!(dns.queries().len(), 21);
    Ok(())
}
