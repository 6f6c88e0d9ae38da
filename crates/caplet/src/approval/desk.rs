//! Between a call that needs an answer and whoever gives it: what is known already, how the question reads, how long it may take, and
//! what becomes of the answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use caplet_audit::text::{shortened, visible_line};
use caplet_policy::{Answered, AnyOp, Rule, quote};
use caplet_sandbox::{Respond, Response};
use tokio::sync::Semaphore;

use super::answers::{Answers, Key, Open, Verdict};
use super::keep::Home;
use super::{Answer, Approver, Question};

/// The longest op that is shown, in bytes. A longer one is not asked about: nobody reads it to its end, and one that is cut is another.
const LONGEST_OP: usize = 2048;

/// Bytes of a name that a stranger chose.
const LONGEST_NAME: usize = 128;

/// Questions of one process that wait at a time, for all tools and sessions.
const MOST_OPEN: usize = 64;

/// Bounds the questions that wait.
#[derive(Clone, Debug)]
pub(crate) struct OpenQuestions(Arc<Semaphore>);

impl Default for OpenQuestions {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_OPEN)))
    }
}

/// Has the questions of one call answered.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) approver: Arc<dyn Approver>,
    pub(crate) patience: Duration,
    pub(crate) tool: Arc<str>,
    pub(crate) component: Arc<str>,
    pub(crate) function: Option<Arc<str>>,
    /// The tools that called it, the nearest first.
    pub(crate) callers: Vec<String>,
    pub(crate) client: Option<String>,
    pub(crate) session: Option<String>,
    /// Where answers for always are written.
    pub(crate) home: Option<Home>,
    /// Those of the session; of the call, where it is its own session.
    pub(crate) answers: Arc<Answers>,
    /// Those for always, which the policy of this grant does not know yet.
    pub(crate) always: Arc<Answers>,
    pub(crate) open: OpenQuestions,
}

#[async_trait]
impl Respond for Desk {
    async fn respond(&self, question: &caplet_policy::Question) -> Response {
        let key = self.key(&question.op);
        let verdict = loop {
            if let Some(verdict) = self.known(&key) {
                break verdict;
            }
            let joined = Joined { desk: self, key: &key, open: Some(self.answers.open(&key)) };
            let (verdict, is_own) = joined.verdict(question).await;
            // Once is for one: who only waited beside it asks again.
            if is_own || verdict.answer != Answer::Once {
                break verdict;
            }
        };
        let permits = verdict.answer != Answer::No;
        let lasts = matches!(verdict.answer, Answer::Session | Answer::Always);
        Response { answered: Answered { permits, how: verdict.how }, lasts }
    }
}

/// A part in an open question, which is over with the call's, too.
struct Joined<'d> {
    desk: &'d Desk,
    key: &'d Key,
    open: Option<Open>,
}

impl Joined<'_> {
    /// The verdict, and whether it was this part that put the question.
    async fn verdict(&self, question: &caplet_policy::Question) -> (Verdict, bool) {
        let Some(open) = &self.open else { return (self.desk.ask(self.key, question).await, true) };
        let mut is_own = false;
        let ask = || {
            is_own = true;
            self.desk.ask(self.key, question)
        };
        let verdict = open.get_or_init(ask).await.clone();
        (verdict, is_own)
    }
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            self.desk.answers.close(self.key, open);
        }
    }
}

impl Desk {
    fn key(&self, op: &AnyOp) -> Key {
        let Self { tool, component, function, .. } = self;
        Key { tool: Arc::clone(tool), component: Arc::clone(component), function: function.clone(), op: op.clone() }
    }

    fn known(&self, key: &Key) -> Option<Verdict> {
        let yes = |answer, how: &str| Some(Verdict { answer, how: how.into() });
        if self.always.has(key) {
            return yes(Answer::Always, "allowed always, earlier");
        }
        if self.answers.has(key) {
            return yes(Answer::Session, "allowed for the session, earlier");
        }
        None
    }

    async fn ask(&self, key: &Key, question: &caplet_policy::Question) -> Verdict {
        let no = |how: String| Verdict { answer: Answer::No, how: how.into() };
        let shown = match self.shown(question) {
            Ok(shown) => shown,
            Err(why) => return no(why),
        };
        let Ok(_place) = self.open.0.try_acquire() else {
            return no(format!("{MOST_OPEN} other questions wait for an answer"));
        };
        let name = self.approver.name();
        match tokio::time::timeout(self.patience, self.approver.ask(&shown)).await {
            Err(_elapsed) => no(format!("nobody answered on {name} within {}", seconds(self.patience))),
            Ok(None) => no(format!("nobody could be asked on {name}")),
            Ok(Some(Answer::No)) => no(format!("refused on {name}")),
            Ok(Some(Answer::Once)) => Verdict { answer: Answer::Once, how: format!("allowed once on {name}").into() },
            Ok(Some(Answer::Session)) => self.for_the_session(key, String::new()),
            Ok(Some(Answer::Always)) => match &question.narrowest {
                Some(rule) => self.for_always(key, rule.clone()).await,
                None => self.for_the_session(key, "; no rule can keep it".to_owned()),
            },
        }
    }

    fn for_the_session(&self, key: &Key, more: String) -> Verdict {
        self.answers.keep(key);
        let how = format!("allowed for the session on {}{more}", self.approver.name());
        Verdict { answer: Answer::Session, how: how.into() }
    }

    /// Writes the answer down. Where that cannot be done, it is one for the session.
    async fn for_always(&self, key: &Key, rule: Rule) -> Verdict {
        let flag = format!("--allow {}", quote(&rule.to_string()));
        let Some(home) = self.home.clone() else {
            self.tell(&format!("{} is in no toolbox: to be asked no more, add {flag}", self.tool));
            return self.for_the_session(key, format!("; {flag} keeps it"));
        };
        let written = tokio::task::spawn_blocking(move || home.allow(&rule)).await;
        match written.unwrap_or_else(|_| Err("writing it failed".to_owned())) {
            Ok(()) => {
                self.always.keep(key);
                let how = format!("allowed always on {}", self.approver.name());
                Verdict { answer: Answer::Always, how: how.into() }
            }
            Err(why) => {
                self.tell(&format!("the answer is kept for this session only: {why}; to be asked no more, add {flag}"));
                self.for_the_session(key, format!("; it could not be kept: {why}"))
            }
        }
    }

    /// File names may steer a terminal, too.
    fn tell(&self, text: &str) {
        self.approver.tell(&visible_line(text));
    }

    /// The question as a person sees it.
    fn shown(&self, question: &caplet_policy::Question) -> Result<Question, String> {
        let op = question.op.to_string();
        if op.len() > LONGEST_OP {
            return Err(format!("it is longer than the {LONGEST_OP} bytes that somebody can be asked about"));
        }
        let line = |text: &str| visible_line(text).into_owned();
        let name = |text: &str| line(&shortened(text, LONGEST_NAME));
        let (action, target) = op.split_once(' ').unwrap_or((&op, ""));
        Ok(Question {
            tool: name(&self.tool),
            function: self.function.as_deref().map(name),
            callers: self.callers.iter().map(|caller| name(caller)).collect(),
            client: self.client.as_deref().map(name),
            session: self.session.as_deref().map(name),
            capability: question.op.class().to_string(),
            action: line(action),
            target: line(target),
            rule: line(question.rule.strip_prefix("ask ").unwrap_or(&question.rule)),
            grant: question.narrowest.as_ref().map(|rule| line(&rule.to_string())),
            toolbox: self.home.as_ref().filter(|_| question.narrowest.is_some()).map(|home| home.path().to_owned()),
        })
    }
}

fn seconds(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (seconds, 0) => format!("{seconds} s"),
        (_, _) => format!("{} ms", time.as_millis()),
    }
}
