//! The smallest grant that calls need, from what they asked for.
//!
//! In: the decisions of calls ([`Evidence`]) and the policy that they ran under ([`Bounds`]). Out: a [`Proposal`], rules that would have
//! permitted all of it, each with what it rests on. Proposing does no I/O; [`Caplet::learn`](crate::Caplet::learn) makes calls whose changes
//! to files go nowhere.
//!
//! What always holds of a proposal:
//!
//! - It permits every op of the evidence, but for those that it lists as ones that no rule can be written for.
//! - It permits nothing that the calls' own policy does not, by proof. So it is never above the ceiling, and learning opens no host.
//! - A pattern stands only where at least three different things were asked for side by side, in a directory or below a prefix of a URL;
//!   everything else is literal. A host, a port or a method that was not seen is in no rule.
//! - No pattern covers a hidden name or one that credentials go by: a deny rule beside it takes those away, and one that was asked for
//!   stands apart, to be looked at. So does every request to an address that is not public.
//! - No rule of it is implied by another. The order of calls and how often they ask change nothing about the rules.

mod bounds;
mod evidence;
mod files;
mod grant;
mod lesson;
mod limits;
mod needs;
mod proposal;
mod propose;
mod requests;
mod shape;
mod telling;

pub use bounds::Bounds;
pub use evidence::Evidence;
pub use lesson::Lessons;
pub use limits::Enough;
pub use needs::{Needs, RuleKind, RuleUse};
pub use proposal::{NotGranted, Proposal, Proposed, Rests};
pub use propose::{Style, propose};
