//! Asking a person, where a rule says `ask`.
//!
//! In: an op that only an `ask` rule is about, and who asks for it. Out: an [`Answer`] by an [`Approver`]: a terminal, a client, the
//! socket of a server. What always holds: an answer is for one exact op of one function of one component; nobody who answers in time is
//! a no; text of a guest, an author or a client is shown escaped, and never cut where it says what is asked for.

mod answers;
mod desk;
mod keep;
pub(crate) mod socket;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use caplet_policy::quote;
use serde::{Deserialize, Serialize};

pub(crate) use answers::Answers;
pub(crate) use desk::{Desk, OpenQuestions};
pub(crate) use keep::Home;

/// How long an answer is waited for, if nothing else was said: as long as somebody who is there takes to look, read and decide.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a person is asked. All text is on one line, and escaped: it can be shown as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The tool that asks, by the name that the operator knows.
    pub tool: String,
    /// Its function.
    pub function: Option<String>,
    /// On whose behalf: the tools that called it, the nearest first.
    #[serde(default)]
    pub callers: Vec<String>,
    /// On whose behalf: the client that called the tool, by the name that it gives itself.
    pub client: Option<String>,
    /// The session of that client.
    pub session: Option<String>,
    /// The capability, such as `wasi:filesystem`.
    pub capability: String,
    /// What the tool wants to do: `write`, `GET`, `kv-read` and so on.
    pub action: String,
    /// With what: the whole path, URL, key or secret.
    pub target: String,
    /// The rule that says to ask, in its short form.
    pub rule: String,
    /// What a yes for always would grant; nothing where no rule can say it, and the answer cannot be for always.
    pub grant: Option<String>,
    /// The toolbox that a yes for always would be written to; without one, it holds as long as the session, and can be kept with
    /// `--allow` and the grant.
    pub toolbox: Option<PathBuf>,
}

impl Question {
    /// Who asks: the tool, its function, and who called it.
    #[must_use]
    pub fn who(&self) -> String {
        let Self { tool, function, callers, client, session, .. } = self;
        let function = function.as_ref().filter(|function| *function != tool);
        let function = function.map(|function| format!(" ({function})")).unwrap_or_default();
        let callers: String = callers.iter().map(|caller| format!(", called by {caller}")).collect();
        let client = client.as_ref().map(|client| format!(", called by {}", quoted(client))).unwrap_or_default();
        let session = session.as_ref().map(|session| format!(" in session {session}")).unwrap_or_default();
        format!("{tool}{function}{callers}{client}{session}")
    }
}

/// The question on one line.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, target, rule, .. } = self;
        write!(f, "{}, asks for: {action} {} (by the rule --ask {})", self.who(), quoted(target), quote(rule))
    }
}

/// Text that a stranger chose, so that nobody takes its end for ours, or a row of spaces for the end of the line.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            c if c != ' ' && c.is_whitespace() => quoted.extend(c.escape_unicode()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What a person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Not in this call.
    No,
    /// Yes to this op in this call; to a request, this once.
    Once,
    /// Yes to this op, as long as the session lasts.
    Session,
    /// Yes to this op from now on.
    Always,
}

/// Somebody who can be asked.
#[async_trait]
pub trait Approver: fmt::Debug + Send + Sync {
    /// Who this is, for the record: `the terminal`, say.
    fn name(&self) -> &str;

    /// Puts `question` to a person. Nothing comes back where nobody could be asked. When the future is dropped, as it is when the call
    /// ends or nobody answers in time, the question is withdrawn.
    async fn ask(&self, question: &Question) -> Option<Answer>;

    /// Tells whoever answered what came of it, where that is not what was asked for.
    fn tell(&self, _text: &str) {}
}
