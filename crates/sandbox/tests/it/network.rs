//! `wasi:http` with real servers: what a grant opens, and what nothing opens.

mod addresses;
mod alone;
mod corpora;
mod framing;
mod hosts;
mod http2;
mod limits;
mod names;
pub mod probe;
mod redirects;
mod replies;
mod requests;
mod responses;
mod secrets;
mod sockets;
mod tls;
mod wire;
