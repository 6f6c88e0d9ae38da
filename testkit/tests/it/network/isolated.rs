//! The namespaces: what is inside, that nothing leads out, and that a failure inside is one outside.

use std::io::{self, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use caplet_testkit::lab::canary::Canary;
use caplet_testkit::lab::dns::{Dns, Reply};
use caplet_testkit::lab::namespace::{self, ADDRESSES, METADATA, PRIVATE, PUBLIC, PUBLIC_V6, isolated, isolated_as};

#[test]
fn the_metadata_address_accepts_inside() -> io::Result<()> {
    isolated(|_lab| {
        let canary = Canary::on((METADATA, 80))?;
        TcpStream::connect("169.254.169.254:80")?.write_all(b"GET /latest/meta-data/ HTTP/1.1\r\n\r\n")?;
        assert_eq!(canary.accepts(), 1);
        Ok(())
    })
}

#[test]
fn every_address_of_the_lab_can_be_reached_on_any_port() -> io::Result<()> {
    isolated(|_lab| {
        for address in ADDRESSES {
            for port in [53, 443] {
                let canary = Canary::on((address, port))?;
                TcpStream::connect((address, port))?;
                assert_eq!(canary.hits(), 1, "{address}");
            }
        }
        Ok(())
    })
}

#[test]
fn nothing_but_lo_exists_and_all_else_is_unreachable() -> io::Result<()> {
    isolated(|_lab| {
        let table = std::fs::read_to_string("/proc/self/net/dev")?;
        let up = table.lines().skip(2).filter(|line| !line.contains("tunl") && !line.contains("sit"));
        assert_eq!(up.filter(|line| !line.trim().starts_with("lo:")).count(), 0, "{table}");
        for other in ["1.1.1.1:53", "10.0.0.1:80", "192.168.1.1:80", "[2606:4700::1111]:53", "[fd00::2]:80"] {
            let Err(error) = TcpStream::connect(other) else { panic!("{other} is reached") };
            assert_eq!(error.kind(), io::ErrorKind::NetworkUnreachable, "{other}");
        }
        // The ways out that are no network: sockets of the system's services.
        for socket in ["/run/systemd/resolve", "/run/nscd", "/run/docker.sock", "/var/run/docker.sock"] {
            assert!(!Path::new(socket).exists(), "{socket}");
        }
        Ok(())
    })
}

#[test]
fn names_come_from_the_labs_servers_and_flip() -> io::Result<()> {
    isolated(|lab| {
        let dns = Dns::on("127.0.0.1:53")?;
        dns.set("rebind.test", Reply::each([Reply::addresses([PUBLIC]), Reply::addresses([PRIVATE])]));
        dns.set("both.test", Reply::addresses([IpAddr::from(PUBLIC), PUBLIC_V6.into()]));
        // The system's own resolver, as the C library has it.
        let resolve =
            |name: &str| Ok::<_, io::Error>((name, 80).to_socket_addrs()?.map(|a| a.ip()).collect::<Vec<_>>());
        assert_eq!(resolve("rebind.test")?, [IpAddr::from(PUBLIC)]);
        assert_eq!(resolve("rebind.test")?, [IpAddr::from(PRIVATE)]);
        let mut both = resolve("both.test")?;
        both.sort();
        assert_eq!(both, [IpAddr::from(PUBLIC), PUBLIC_V6.into()]);
        assert!(resolve("missing.test").is_err());
        assert_eq!(dns.asked("never.test"), 0);
        lab.set_hosts("127.0.0.1 localhost\n100.64.0.1 alias.test\n")?;
        let output = Command::new("getent").args(["ahostsv4", "alias.test"]).output()?;
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("100.64.0.1"), "{output:?}");
        assert_eq!(dns.asked("alias.test"), 0);
        Ok(())
    })
}

#[test]
fn the_outside_keeps_its_own_files() -> io::Result<()> {
    let read = || ["/etc/hosts", "/etc/resolv.conf"].map(|path| std::fs::read(path).ok());
    let before = read();
    isolated_as(&inner("replaces_files"), Duration::from_secs(60), |_lab| Ok(()))?;
    assert_eq!(read(), before);
    Ok(())
}

/// What the harness calls a test of the module below.
fn inner(name: &str) -> String {
    let (_, module) = module_path!().split_once("::").expect("a module of the test crate");
    format!("{module}::inner::{name}")
}

/// These run by themselves only as the inner halves of tests above and below.
mod inner {
    use super::*;

    #[test]
    fn replaces_files() -> io::Result<()> {
        isolated(|lab| {
            lab.set_hosts("lab\n")?;
            lab.set_resolver("lab\n")?;
            for path in ["/etc/hosts", "/etc/resolv.conf"] {
                assert_eq!(std::fs::read_to_string(path)?, "lab\n");
            }
            Ok(())
        })
    }

    #[test]
    #[ignore = "fails on purpose"]
    fn fails() -> io::Result<()> {
        isolated(|_lab| panic!("as it should"))
    }

    #[test]
    #[ignore = "never ends, on purpose"]
    fn hangs() -> io::Result<()> {
        isolated_as(&inner("hangs"), Duration::from_secs(2), |_lab| {
            // Started by the test, and ended with it.
            Command::new("sleep").arg("1000").spawn()?.wait()?;
            Ok(())
        })
    }
}

#[test]
fn a_failure_inside_is_one_outside() {
    let says = |name: &str, time: u64| {
        let result = isolated_as(&inner(name), Duration::from_secs(time), |_lab| Ok(()));
        result.map_err(|error| error.to_string()).expect_err("it cannot succeed")
    };
    if std::env::var(namespace::SWITCH).is_ok() {
        return;
    }
    assert!(says("fails", 60).contains("ended with exit status: 101"));
    assert!(says("hangs", 1).contains("did not end within 1s"));
    assert!(says("is_not_there", 60).contains("no test has this name"));
}

#[test]
fn servers_inside_may_have_low_ports() -> io::Result<()> {
    isolated(|_lab| {
        TcpListener::bind((PUBLIC, 443))?;
        UdpSocket::bind("127.0.0.1:53")?;
        Ok(())
    })
}
