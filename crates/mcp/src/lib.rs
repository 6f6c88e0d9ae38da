//! The MCP server over a catalog of tools.
//!
//! In: a [`Catalog`](caplet::Catalog) that may change, and clients that speak the Model Context Protocol. Out: the tools of the
//! catalog, each call in an instance of its own under its own policy, and what came of it. [`Server::session`] is the handler of one
//! client for any transport of `rmcp`; [`serve`] runs one over a pair of pipes.
//!
//! What always holds: nothing that a client sends grants, loads or configures anything; arguments are checked before anything is
//! instantiated; a client sees its own results, files and logs and nobody else's; what comes from a tool or its author is data, kept
//! apart from what the server itself says; nothing of a call is sent after its answer, or after it was cancelled.

mod answer;
mod asking;
mod call;
mod kept;
mod limits_tool;
mod listing;
mod logging;
mod media;
mod offered;
mod progress;
mod refusals;
mod rounds;
mod serve;
mod server;
mod session;
mod settings;
mod transport;
mod waiting;
mod words;

pub use self::serve::{End, serve};
pub use self::server::Server;
pub use self::session::Session;
pub use self::settings::Settings;
