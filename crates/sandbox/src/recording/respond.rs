//! What people answered: noted, or as noted.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caplet_policy::{Answered, Question};
use serde::{Deserialize, Serialize};

use super::recorder::Recorder;
use crate::asking::{Respond, Response};
use crate::engine::lock;

/// An answer that was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenAnswer {
    op: String,
    permits: bool,
    how: String,
    lasts: bool,
}

impl SeenAnswer {
    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.op.len() + self.how.len()
    }
}

/// Notes what somebody else answers.
#[derive(Debug)]
pub(super) struct NotingRespond {
    pub(super) respond: Arc<dyn Respond>,
    pub(super) recorder: Arc<Recorder>,
}

#[async_trait]
impl Respond for NotingRespond {
    async fn respond(&self, question: &Question) -> Response {
        let response = self.respond.respond(question).await;
        self.recorder.answered(SeenAnswer {
            op: question.op.to_string(),
            permits: response.answered.permits,
            how: response.answered.how.to_string(),
            lasts: response.lasts,
        });
        response
    }
}

/// Answers as it was answered.
#[derive(Debug)]
pub(super) struct NotedRespond(Mutex<Vec<SeenAnswer>>);

impl NotedRespond {
    pub(super) fn new(answers: Vec<SeenAnswer>) -> Self {
        Self(Mutex::new(answers))
    }
}

#[async_trait]
impl Respond for NotedRespond {
    async fn respond(&self, question: &Question) -> Response {
        let op = question.op.to_string();
        let mut answers = lock(&self.0);
        let place = answers.iter().position(|answer| answer.op == op);
        match place.map(|place| answers.remove(place)) {
            Some(SeenAnswer { permits, how, lasts, .. }) => {
                Response { answered: Answered { permits, how: how.into() }, lasts }
            }
            None => {
                let how = "nobody was asked this in the recorded call".into();
                Response { answered: Answered { permits: false, how }, lasts: false }
            }
        }
    }
}
