//! What a call was given and what it saw, and a call from that alone.
//!
//! A [`Recorder`] is put into an [`Invocation`] and notes every value that crosses from the host to the guest: of files, buckets and other
//! tools by standing before what gives them, of requests, clocks, randomness and polls in the one place where each happens. A [`Player`] makes
//! an invocation of what was noted: the same policy decides again, and whatever is permitted is answered from the notes.
//!
//! What always holds: the guest of a replay runs with the policy that it was recorded with, through the same gates; nothing that a replay does
//! reaches a file, the network or a store; notes are bounded, and a recording with a gap says so; no value of a secret that the host used for
//! the call is in what is kept.

mod buckets;
mod clocks;
mod given;
mod http;
mod mask;
mod noted_buckets;
mod player;
mod poll;
mod recorder;
mod respond;
mod row;
mod tools;
mod world;

use std::sync::Arc;

pub(crate) use clocks::Taped;
pub(crate) use http::{Chunk, Noting, Sent};
pub use player::{Player, ReplayError};
pub use recorder::{Finished, Recorder};
pub use world::Ended;

/// What may stand between a call and the world.
#[derive(Clone, Debug)]
pub enum Tape {
    /// What crosses is noted.
    Recording(Arc<Recorder>),
    /// What was noted is all there is.
    Playing(Arc<Player>),
}

impl Tape {
    /// What the call's random numbers come from, where the policy gives it real ones.
    pub(crate) fn seed(&self) -> [u8; 32] {
        match self {
            Self::Recording(recorder) => recorder.seed(),
            Self::Playing(player) => player.seed(),
        }
    }

    /// The configuration of a replay.
    pub(crate) fn config(&self) -> Option<Vec<(String, String)>> {
        match self {
            Self::Recording(_) => None,
            Self::Playing(player) => Some(player.config()),
        }
    }
}
