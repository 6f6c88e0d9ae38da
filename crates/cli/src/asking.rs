//! Asks on the terminal, where a rule says to ask.
//!
//! What always holds: what is shown was escaped by the library; only what is typed after a question is shown answers it; anything but a
//! clear yes is a no; one question is on the terminal at a time, and one that is withdrawn lets go of it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use caplet::audit::text::visible_line;
use caplet::authority::quote;
use caplet::{Answer, Approver, Question};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};
use tokio::sync::Mutex;

use crate::ui::style;

/// How often a question looks whether somebody still waits for its answer, in nanoseconds.
const LOOK: i64 = 50_000_000;

/// The person at the terminal.
#[derive(Debug, Default)]
pub(crate) struct TerminalApprover {
    turn: Mutex<()>,
}

impl TerminalApprover {
    /// The person at the terminal, if there is one who can see a question and answer it.
    pub(crate) fn new() -> Option<Self> {
        (io::stdin().is_terminal() && io::stderr().is_terminal()).then(Self::default)
    }
}

#[async_trait]
impl Approver for TerminalApprover {
    fn name(&self) -> &str {
        "the terminal"
    }

    async fn ask(&self, question: &Question) -> Option<Answer> {
        let _turn = self.turn.lock().await;
        let withdrawn = Withdrawn::default();
        let (text, is_withdrawn) = (prompt(question), Arc::clone(&withdrawn.0));
        let answered = tokio::task::spawn_blocking(move || answer(&text, &is_withdrawn)).await;
        answered.ok()?.ok()?
    }

    fn tell(&self, text: &str) {
        // Not worth failing for when standard error is gone.
        let _ = writeln!(anstream::stderr(), "{}note:{:#} {text}", style::NOTE, style::NOTE);
    }
}

/// Set when nobody waits for the answer any more.
#[derive(Default)]
struct Withdrawn(Arc<AtomicBool>);

impl Drop for Withdrawn {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Who asks for what, and by which rule.
pub(crate) fn description(question: &Question) -> String {
    let Question { action, target, rule, .. } = question;
    format!("{}, asks for\n    {action} {target}\n  by the rule --ask {}", question.who(), quote(rule))
}

/// What a yes for always does.
pub(crate) fn always(question: &Question) -> Option<String> {
    let grant = quote(question.grant.as_deref()?);
    Some(match &question.toolbox {
        Some(toolbox) => format!("writes {grant} to {}", quote(&visible_line(&toolbox.to_string_lossy()))),
        None => format!("in no toolbox, so only now; --allow {grant} keeps it"),
    })
}

fn prompt(question: &Question) -> String {
    let (warning, quiet) = (style::WARNING, style::QUIET);
    let mut text = format!("{warning}asked:{warning:#} {}\n", description(question));
    text.push_str("  y: yes, once · s: yes, for this session");
    if let Some(always) = always(question) {
        let _ = write!(text, " · a: yes, always {quiet}({always}){quiet:#}");
    }
    text.push_str(" · anything else: no\n  allow? ");
    text
}

/// Shows `prompt`, and waits for a line.
fn answer(prompt: &str, is_withdrawn: &AtomicBool) -> io::Result<Option<Answer>> {
    let stdin = io::stdin();
    // From the background, to ask would stop the whole process.
    if tcgetpgrp(&stdin)? != getpgrp() {
        return Ok(None);
    }
    // What was typed before was no answer to this.
    tcflush(&stdin, QueueSelector::IFlush)?;
    let mut err = anstream::stderr();
    err.write_all(prompt.as_bytes())?;
    err.flush()?;
    let look = Timespec { tv_sec: 0, tv_nsec: LOOK };
    loop {
        let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut polled, Some(&look)) {
            _ if is_withdrawn.load(Ordering::Relaxed) => {
                err.write_all(b"\n  nobody waits for an answer any more\n")?;
                return Ok(None);
            }
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => break,
            Err(error) => return Err(error.into()),
        }
    }
    // The terminal hands over a line at a time.
    let mut line = [0; 64];
    let length = rustix::io::read(&stdin, &mut line)?;
    Ok(understood(line.get(..length).unwrap_or_default()))
}

/// What a line says; nothing at the end of all input.
fn understood(line: &[u8]) -> Option<Answer> {
    if line.is_empty() {
        return None;
    }
    Some(match line.trim_ascii().to_ascii_lowercase().as_slice() {
        b"y" | b"yes" => Answer::Once,
        b"s" | b"session" => Answer::Session,
        b"a" | b"always" => Answer::Always,
        _ => Answer::No,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        let cases: [(&[u8], Option<Answer>); 9] = [
            (b"y\n", Some(Answer::Once)),
            (b" YES \n", Some(Answer::Once)),
            (b"s\n", Some(Answer::Session)),
            (b"a\n", Some(Answer::Always)),
            (b"\n", Some(Answer::No)),
            (b"n\n", Some(Answer::No)),
            (b"yy\n", Some(Answer::No)),
            (b"\x1b[Ay\n", Some(Answer::No)),
            (b"", None),
        ];
        for (line, expected) in cases {
            assert_eq!(understood(line), expected, "{line:?}");
        }
    }
}
