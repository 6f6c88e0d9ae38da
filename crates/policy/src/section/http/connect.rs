//! The decision on an address that a permitted request's host resolved to.

use std::net::IpAddr;

use super::{HttpOp, HttpSection};
use crate::address;
use crate::ask::Question;
use crate::guard::{Denied, Guard, Permitted};

/// To send a permitted request to one address that its host resolved to. Only [`Guard::connect`] asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConnectOp(HttpOp, IpAddr);

impl ConnectOp {
    fn new(request: &Permitted<HttpOp>, address: IpAddr) -> Self {
        Self(request.op().request(), address::canonical(address))
    }

    /// The request, without the address.
    #[must_use]
    pub fn request(&self) -> HttpOp {
        self.0.request()
    }

    /// The address that may be dialled, on the port of the request. IPv4 in its mapped IPv6 form is IPv4.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.1
    }

    /// The port that may be dialled.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port()
    }
}

impl From<ConnectOp> for HttpOp {
    fn from(op: ConnectOp) -> Self {
        Self { address: Some(op.1), ..op.0 }
    }
}

impl Guard<HttpSection> {
    /// Decides whether `request` may go to `address`, which its host resolved to, and records the decision. A literal address
    /// counts as having resolved to itself.
    ///
    /// # Errors
    ///
    /// The refusal of the first layer that does not permit it: a deny rule covers the address, or it is not public and no rule
    /// names it.
    pub fn connect(&self, request: &Permitted<HttpOp>, address: IpAddr) -> Result<Permitted<ConnectOp>, Denied> {
        self.check(ConnectOp::new(request, address))
    }

    /// What has to be answered before [`Guard::connect`] can permit it, as [`Guard::question`] for other ops.
    #[must_use]
    pub fn connect_question(&self, request: &Permitted<HttpOp>, address: IpAddr) -> Option<Question> {
        self.question(&ConnectOp::new(request, address))
    }
}
