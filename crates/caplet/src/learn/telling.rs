//! Names and addresses that no rule should cover without a person having looked: hidden files, credentials, addresses that are not public.

use std::net::IpAddr;

use caplet_policy::address::{AddressClass, classify};
use caplet_policy::{AnyOp, FsOp, GuestPath, Host, HttpOp, Layer, LayerKind, Policy, Rule, SecretOp};

/// Names of files and folders that are hidden, or that keys and passwords go by, as one alternative of a glob. What is none of these can
/// hold a secret too; these are those that a tool which is led astray is led to.
pub(super) const TELLING: &str = "{.*,*.env,id_rsa*,id_dsa*,id_ecdsa*,id_ed25519*,*.pem,*.key,*.p12,*.pfx,*.kdbx,*.keystore,credentials*,\
                                  secrets.*,shadow,htpasswd}";

/// Knows such names.
#[derive(Debug)]
pub(super) struct Telling {
    hidden: Policy,
    all: Policy,
}

impl Telling {
    pub(super) fn new() -> Self {
        let policy = |names: &str| {
            let mut layer = Layer::new(LayerKind::Operator);
            // What does not parse would cover nothing, which a test would see.
            if let Ok(rule) = Rule::parse_grant(&format!("read:/**/{names}/**"), &GuestPath::root()) {
                layer.add_allow(rule);
            }
            Policy::new(layer)
        };
        Self { hidden: policy(".*"), all: policy(TELLING) }
    }

    /// Why `path` is to be looked at, if it is. Names that lead to one of `roots` were chosen by the operator, and say nothing.
    pub(super) fn path(&self, path: &GuestPath, roots: &[GuestPath]) -> Option<&'static str> {
        let below = |root: &GuestPath| path.starts_with(root).then(|| root.as_str().trim_end_matches('/').len());
        let named = roots.iter().filter_map(below).max().unwrap_or(0);
        let rest = path.as_str().get(named..).filter(|rest| !rest.is_empty())?;
        let op = AnyOp::Filesystem(FsOp::Read(GuestPath::parse(rest).ok()?));
        match (self.hidden.permits(&op), self.all.permits(&op)) {
            (true, _) => Some("it is hidden: its name, or that of a folder above it, starts with a dot"),
            (false, true) => Some("credentials go by such names"),
            (false, false) => None,
        }
    }
}

/// Why a request is to be looked at, if it is.
pub(super) fn request(op: &HttpOp) -> Option<&'static str> {
    place(op.host(), op.address())
}

/// Why what a secret goes to is to be looked at, if it is.
pub(super) fn secret(op: &SecretOp) -> Option<&'static str> {
    HttpOp::new("GET", op.url()).ok().and_then(|op| request(&op))
}

fn place(host: &Host, address: Option<IpAddr>) -> Option<&'static str> {
    let address = match host {
        Host::Address(own) => Some(*own),
        Host::Name(name) if is_local(name) => return Some("it goes to this machine itself"),
        Host::Name(_) => address,
    };
    match classify(address?) {
        AddressClass::Public => None,
        AddressClass::Loopback | AddressClass::Unspecified => Some("it goes to this machine itself"),
        AddressClass::LinkLocal => Some("it goes to the local link, where the metadata service of a cloud is"),
        _ => Some("it goes to an address that is not public"),
    }
}

/// Whether a name is this machine's own (RFC 6761, section 6.3).
pub(super) fn is_local(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}
