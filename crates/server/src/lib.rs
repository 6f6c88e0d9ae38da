//! HTTP for the MCP server: who may come in, how much they may have, and what is told about it.
//!
//! In: for each profile, what makes a handler of MCP; an address, and who is known by what. Out: a server that runs until it is told to
//! end. A handler is any of `rmcp`'s, so that nothing here depends on tools.
//!
//! What always holds, in this order: a request that names a foreign host or comes from a foreign page is refused on every route; so is one
//! without a principal, wherever one is needed; a session is only there for the principal that opened it; what a client may send, open
//! and leave waiting is bounded; an answer never tells of the inside of the program; no token reaches a handler.

mod auth;
mod connection;
mod endpoint;
mod envelope;
mod error;
mod file;
mod host;
mod limits;
mod metrics;
mod patience;
mod places;
mod rate;
mod refusal;
mod room;
mod server;
mod session;
mod tls;
mod traced;

pub use auth::{Authentication, NewToken, OAuth, Token, TokenFile, TokenSecret};
pub use error::ServerError;
pub use host::{AllowedHost, AllowedOrigin};
pub use limits::Limits;
pub use metrics::Metrics;
pub use server::{Builder, ENDPOINT, Factory, Profiles, Server};

/// The profile of those who name none.
pub const DEFAULT_PROFILE: &str = "default";
