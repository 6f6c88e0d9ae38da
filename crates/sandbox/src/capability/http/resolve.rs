//! From the host of a permitted request to addresses.
//!
//! What always holds: a name is looked up as it stands and never completed with a search domain; nothing is kept from one lookup
//! to the next, and the system's configuration is read anew for each, so that a laptop may change networks; the names of this
//! machine never leave it (RFC 6761, section 6.3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use caplet_policy::{Host, HttpOp, Permitted};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::{DnsError, NetError};
use wasmtime_wasi_http::Error;

/// More addresses than this are not looked at.
const MOST_ADDRESSES: usize = 64;

/// The addresses of the host that `request` goes to, in the order in which they were given.
pub(super) async fn addresses(request: &Permitted<HttpOp>, within: Duration) -> Result<Vec<IpAddr>, Error> {
    match request.op().host() {
        Host::Address(address) => Ok(vec![*address]),
        Host::Name(name) if is_this_machine(name) => Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        Host::Name(name) => tokio::time::timeout(within, look_up(name)).await.map_err(|_elapsed| Error::DnsTimeout)?,
    }
}

fn is_this_machine(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

async fn look_up(name: &str) -> Result<Vec<IpAddr>, Error> {
    let mut resolver = TokioResolver::builder_tokio().map_err(|error| failure(&error))?;
    let options = resolver.options_mut();
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let resolver = resolver.build().map_err(|error| failure(&error))?;
    // The dot at the end says that the name is complete.
    let found = resolver.lookup_ip(format!("{name}.")).await.map_err(|error| failure(&error))?;
    Ok(found.iter().take(MOST_ADDRESSES).collect())
}

fn failure(error: &NetError) -> Error {
    let rcode = match error {
        NetError::Timeout => return Error::DnsTimeout,
        NetError::Dns(DnsError::NoRecordsFound(none)) => none.response_code.to_str().to_owned(),
        NetError::Dns(DnsError::ResponseCode(code)) => code.to_str().to_owned(),
        _ => "the lookup failed".to_owned(),
    };
    Error::DnsError { rcode: Some(rcode), info_code: None }
}
