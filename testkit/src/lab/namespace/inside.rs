//! The inner half: checks that it is inside, and makes the network that tests want.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount, mount_bind};
use rustix::process::Signal;

use super::{ADDRESSES, identity, netlink};

/// What the kernel puts into every new network namespace, depending on its modules: ends of tunnels, down and without address.
const FALLBACK: [&str; 9] =
    ["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

/// Where the files lie that are mounted over those of `/etc`.
const FILES: &str = "/run/caplet-lab";

/// The namespaces from inside.
#[derive(Debug)]
pub struct Lab {
    resolver: File,
    hosts: File,
}

impl Lab {
    /// Replaces `/etc/resolv.conf`. Programs started afterwards see it; one that runs may have read the old one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_resolver(&self, text: &str) -> io::Result<()> {
        replace(&self.resolver, text)
    }

    /// Replaces `/etc/hosts`, which has the names of loopback at first.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_hosts(&self, text: &str) -> io::Result<()> {
        replace(&self.hosts, text)
    }
}

/// By an open file and never by a path: what a path names is what must not be trusted here.
fn replace(file: &File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(text.as_bytes(), 0)
}

/// Makes the lab, once it is sure that this process is not in the namespaces named by `outside`.
pub(super) fn enter(outside: &str) -> io::Result<Lab> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    verify_namespaces(outside)?;
    netlink::bring_up_loopback(&ADDRESSES)?;
    verify_network()?;
    mount_files()
}

/// Before anything is changed: neither namespace is the outer one.
fn verify_namespaces(outside: &str) -> io::Result<()> {
    let own = identity()?;
    let own: BTreeSet<&str> = own.split(' ').collect();
    let shared: Vec<&str> = outside.split(' ').filter(|namespace| own.contains(namespace)).collect();
    if shared.is_empty() && own.len() == 2 {
        return Ok(());
    }
    Err(io::Error::other(format!("this process is in namespaces of the outside, {shared:?}: nothing is done")))
}

/// Before anything is sent: `lo` is alone, the lab's addresses are here, and there is no way to any other.
fn verify_network() -> io::Result<()> {
    let table = std::fs::read_to_string("/proc/self/net/dev")?;
    for name in table.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim) {
        if name != "lo" && !FALLBACK.contains(&name) {
            return Err(io::Error::other(format!("interface {name} is in the lab: it may lead out")));
        }
    }
    for address in ADDRESSES {
        TcpListener::bind((address, 0))
            .map_err(|error| io::Error::new(error.kind(), format!("{address} is not on lo: {error}")))?;
    }
    // Connecting UDP only asks for a route, and sends nothing.
    for (own, other) in [("0.0.0.0:0", "198.51.100.1:9"), ("[::]:0", "[2001:db8::1]:9")] {
        if UdpSocket::bind(own)?.connect(other).is_ok() {
            return Err(io::Error::other(format!("there is a route to {other} in the lab")));
        }
    }
    Ok(())
}

/// Empties `/run`, and puts files of the lab in place of those by which names are resolved.
fn mount_files() -> io::Result<Lab> {
    // Before /run is emptied: where it is a link, it often leads there.
    let targets = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"].map(|path| real(Path::new(path)));
    mount("tmpfs", "/run", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"mode=755"))?;
    std::fs::create_dir(FILES)?;
    let [resolver, hosts, switch] = targets;
    let resolver = put(resolver?, "resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")?;
    let hosts = put(hosts?, "hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    // Not every libc has this one. Where it is missing, the order is hosts and DNS anyway.
    if let Ok(switch) = switch {
        put(switch, "nsswitch.conf", "hosts: files dns\n")?;
    }
    Ok(Lab { resolver, hosts })
}

/// The file that `path` leads to, by whatever links.
fn real(path: &Path) -> io::Result<PathBuf> {
    let said = |error: io::Error| {
        let message = format!("{} must exist, to be covered inside the lab: {error}", path.display());
        io::Error::new(error.kind(), message)
    };
    path.canonicalize().map_err(said)
}

/// Puts a new file with `text` over `target`.
fn put(target: PathBuf, name: &str, text: &str) -> io::Result<File> {
    let path = Path::new(FILES).join(name);
    let file = File::create_new(&path)?;
    replace(&file, text)?;
    if let Ok(below) = target.strip_prefix("/run") {
        // It went away with the old /run, which now is the lab's own.
        let target = Path::new("/run").join(below);
        target.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::hard_link(&path, target)?;
    } else {
        mount_bind(&path, &target)?;
    }
    Ok(file)
}
