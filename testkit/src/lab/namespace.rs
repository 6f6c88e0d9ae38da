//! Runs a test in network, mount and user namespaces of its own, with no way out.
//!
//! In: a test's body. Out: its result. The test's own binary is started again under `unshare`, for this one test; that child
//! sets the namespaces up and runs the body. So threads are of no concern: the namespaces are new before the process starts.
//!
//! What always holds when a body runs:
//! - it is in a network namespace that nothing connects to any other, and the only interface that is up is `lo`;
//! - the addresses of [`ADDRESSES`] are its own, and all others are unreachable;
//! - names are resolved by `/etc/hosts` and a server on `127.0.0.1:53` alone. `/run` is empty, since sockets there (a resolver's,
//!   a name cache's, a container engine's) lead out of a network namespace;
//! - it ends when the test does, or when its time is over, with all processes that it started.

mod inside;
mod netlink;
mod outside;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub use inside::Lab;

/// Where clouds keep the metadata of machines, and credentials with it.
pub const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// An address of a private network (RFC 1918).
pub const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
/// An address shared by a provider's customers (RFC 6598).
pub const SHARED: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 1);
/// An address that is for documentation only (RFC 5737).
pub const DOCUMENTATION: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
/// An address like that of any public server, to stand in for one.
pub const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 215, 14);
/// An address of a private IPv6 network (RFC 4193).
pub const PRIVATE_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
/// An IPv6 address like that of any public server, to stand in for one.
pub const PUBLIC_V6: Ipv6Addr = Ipv6Addr::new(0x2606, 0x2800, 0, 0, 0, 0, 0, 1);

/// What lies on `lo` inside, apart from `127.0.0.0/8` and `::1`.
pub const ADDRESSES: [IpAddr; 7] = [
    IpAddr::V4(METADATA),
    IpAddr::V4(PRIVATE),
    IpAddr::V4(SHARED),
    IpAddr::V4(DOCUMENTATION),
    IpAddr::V4(PUBLIC),
    IpAddr::V6(PRIVATE_V6),
    IpAddr::V6(PUBLIC_V6),
];

/// Set to `skip`, it makes isolated tests pass without being run, for machines where namespaces are forbidden. Otherwise they
/// fail there: a test that did not run must not look like one that passed.
pub const SWITCH: &str = "CAPLET_TEST_LAB";

/// How the child knows that it is one; its value is which namespaces it must not be in.
const INSIDE: &str = "CAPLET_TEST_LAB_OUTSIDE_IS";

/// How long an isolated test may take, unless it says otherwise.
pub const TIME: Duration = Duration::from_secs(120);

/// Runs `body` in namespaces of its own. It is to be all that the test's function does: the name is taken from where the closure
/// is, and what stands before or after it is run outside and inside.
///
/// ```no_run
/// #[test]
/// fn private_addresses_exist() -> std::io::Result<()> {
///     caplet_testkit::lab::namespace::isolated(|_lab| {
///         std::net::TcpListener::bind("10.1.2.3:80")?;
///         Ok(())
///     })
/// }
/// ```
///
/// # Errors
/// Outside: namespaces are forbidden here, the test failed inside (its output is shown with this test's), did not end in [`TIME`], or was
/// not found by its name. Inside: the body's own, or the namespaces are not as they must be.
pub fn isolated<F: FnOnce(&Lab) -> io::Result<()>>(body: F) -> io::Result<()> {
    let closure = std::any::type_name::<F>();
    // `crate::module::test::{{closure}}`, while the harness names tests without their crate.
    let path = closure.strip_suffix("::{{closure}}").and_then(|path| path.split_once("::"));
    let Some((_, name)) = path else {
        return Err(io::Error::other(format!("`{closure}` is no closure of a test: name it with isolated_as")));
    };
    isolated_as(name, TIME, body)
}

/// The same for a test with the given name, as `--exact` takes it, and within the given time: for bodies that are not closures
/// of the test's own function.
///
/// # Errors
/// As [`isolated`].
pub fn isolated_as(name: &str, time: Duration, body: impl FnOnce(&Lab) -> io::Result<()>) -> io::Result<()> {
    match std::env::var(INSIDE) {
        Ok(outside) => {
            body(&inside::enter(&outside)?)?;
            outside::say(&outside::finished(name))
        }
        Err(_) if std::env::var_os(SWITCH).is_some_and(|value| value == "skip") => {
            outside::say(&format!("{name}: not run, {SWITCH}=skip"))
        }
        Err(_) => outside::run(name, time),
    }
}

/// Which network and mount namespaces this process is in.
fn identity() -> io::Result<String> {
    let [net, mnt] = ["net", "mnt"].map(|kind| std::fs::read_link(format!("/proc/self/ns/{kind}")));
    Ok(format!("{} {}", net?.display(), mnt?.display()))
}
