//! The lab: a network of hostile servers that no packet leaves, for attack tests of what talks HTTP.
//!
//! In: what a test wants to stand at which address. Out: what really arrived there, to the byte. A test that needs any address
//! but loopback runs [`isolated`](namespace::isolated), in namespaces of its own where private, link-local and "public"
//! addresses all lie on `lo`.
//!
//! What always holds here:
//! - Nothing here sends a byte by itself: servers only answer, on the socket that was connected to them.
//! - Counts are exact when they are read: reading one first takes what the kernel has queued, so there is nothing to wait for.
//! - Every server stops when it is dropped, with its connections and threads, in bounded time. None can hang a test.
//! - A server listens on exactly the address that it was given. Port 0 takes a free one, and `address()` says which.
//!
//! ```no_run
//! use caplet_testkit::lab;
//!
//! # fn fetch(url: &str) -> bool { false }
//! fn metadata_is_not_reached() -> std::io::Result<()> {
//!     lab::namespace::isolated(|_lab| {
//!         let canary = lab::canary::Canary::on((lab::namespace::METADATA, 80))?;
//!         assert!(!fetch("http://169.254.169.254/latest/meta-data/"));
//!         assert_eq!(canary.hits(), 0);
//!         Ok(())
//!     })
//! }
//! ```

pub mod canary;
pub mod dns;
pub mod h2;
pub mod http;
pub mod namespace;
pub mod server;
pub mod tls;
