//! Questions of a process without a terminal, on a socket that only its own user reaches.
//!
//! A server puts its open questions at `approvals-PID.sock` in one folder; `caplet approvals` lists and answers them. A request and its
//! answer are one line of JSON each, as docs/reference/approvals.md says. What always holds: the folder is its user's alone, and so is
//! whoever connects; lines, connections and open questions are bounded; a question that nobody waits for any more is gone.

mod client;
mod server;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Answer, Question};

pub use client::{answer_question, open_questions};
pub use server::SocketApprover;

/// The longest line of a request, in bytes: far more than an answer takes.
const LONGEST_REQUEST: u64 = 4096;

/// The longest line of a response, in bytes: all questions that can be open, as long as they can be, and escaped.
const LONGEST_RESPONSE: u64 = 8 << 20;

/// What the names of sockets begin and end with.
const NAME: (&str, &str) = ("approvals-", ".sock");

/// What is asked of a server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    /// Its open questions.
    List {},
    /// To take an answer.
    Answer { id: String, answer: Answer },
}

/// What a server says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Response {
    /// The open questions, the oldest first.
    Questions(Vec<OpenQuestion>),
    /// The question with this id has its answer.
    Answered(String),
    /// The request came to nothing.
    Error(String),
}

/// A question that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenQuestion {
    /// By what it is answered: the process and a number.
    pub id: String,
    /// Since how many seconds it waits.
    pub waits_s: u64,
    /// The question.
    pub question: Question,
}

/// The folder of sockets, which is made if it is not there.
///
/// # Errors
///
/// When it cannot be made, or somebody else than this user may do anything in it.
fn folder_of_ones_own(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = fs::symlink_metadata(folder)?;
    let own = rustix::process::geteuid().as_raw();
    if found.is_dir() && found.uid() == own && found.mode() & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("{} is not a folder of this user's alone: make it so with `chmod 700`", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}
