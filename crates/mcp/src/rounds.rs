//! Asking the person at a client whose requests stand alone (2026-07-28): the call is answered with the question, waits here, and goes on when
//! the client sends the request again with what its user said.
//!
//! What always holds: only the very request that began a call goes on with it, once for each question; an answer that is missing, or is no
//! clear yes, is a no; a call that its client gives up, or that nobody comes back for, is stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use caplet::audit::Outcome;
use caplet::authority::Journal;
use caplet::component::Digest;
use caplet::{Answer, Approver, CallContext, Offer, Question};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ElicitRequest, InputRequest, InputRequests, InputRequiredResult,
    InputResponses,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::listing::Listing;
use crate::session::Session;
use crate::waiting::Paused;
use crate::{answer, asking, call, progress};

/// Questions of one call that are put and not yet sent: more than it may ask.
const MOST_PUT: usize = 16;

/// A call that runs by itself, beside the requests of its client.
#[derive(Debug)]
pub(crate) struct Running {
    /// What was offered when it began.
    listing: Arc<Listing>,
    name: String,
    journal: Arc<Journal>,
    questions: mpsc::Receiver<Put>,
    ended: oneshot::Receiver<Outcome>,
    /// Stops the guest.
    stop: DropGuard,
    _turn: OwnedSemaphorePermit,
}

/// A question on its way to the client.
#[derive(Debug)]
struct Put {
    question: Question,
    answer: oneshot::Sender<Answer>,
}

/// The person at a client that has to come back.
#[derive(Debug)]
struct Returning(mpsc::Sender<Put>);

#[async_trait]
impl Approver for Returning {
    fn name(&self) -> &str {
        "the client"
    }

    async fn ask(&self, question: &Question) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Put { question: question.clone(), answer }).await.ok()?;
        answered.await.ok()
    }
}

/// What a round ends with.
enum Event {
    Asked(Vec<Put>),
    Ended(Box<Outcome>),
    GivenUp,
}

impl Running {
    /// Begins a call of what `listing` has as `name`.
    pub(crate) fn begin(
        (listing, name): (Arc<Listing>, &str),
        (offer, arguments): (Arc<Offer>, Value),
        (own, journal): (CallContext, Arc<Journal>),
        turn: OwnedSemaphorePermit,
    ) -> Self {
        let (put, questions) = mpsc::channel(MOST_PUT);
        let own = own.approver(Arc::new(Returning(put)));
        let (tell, ended) = oneshot::channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            let outcome = Box::pin(offer.call(arguments, &own, stopped.cancelled())).await;
            // Nobody may want to know any more. It is on record.
            let _ = tell.send(outcome);
        });
        Self { listing, name: name.to_owned(), journal, questions, ended, stop: stop.drop_guard(), _turn: turn }
    }

    /// Waits for what comes next.
    async fn next(&mut self) -> Event {
        tokio::select! {
            biased;
            Some(first) = self.questions.recv() => {
                let mut asked = vec![first];
                asked.extend(std::iter::from_fn(|| self.questions.try_recv().ok()));
                // A question may be withdrawn by now: nobody waits for the answer.
                asked.retain(|put| !put.answer.is_closed());
                Event::Asked(asked)
            }
            ended = &mut self.ended => ended.map_or(Event::GivenUp, |outcome| Event::Ended(Box::new(outcome))),
        }
    }

    /// Stops the guest, and returns when its record is kept.
    pub(crate) async fn stop(self) {
        let Self { stop, ended, .. } = self;
        drop(stop);
        let _ = ended.await;
    }
}

/// What a request is known by: the same tool with the same arguments.
pub(crate) fn digest(request: &CallToolRequestParams) -> Digest {
    let said = serde_json::json!([request.name, request.arguments]);
    Digest::of(said.to_string().as_bytes())
}

/// Goes on with the call that `request` comes back to.
pub(crate) async fn go_on(
    session: &Session,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let refused = |message: &'static str| ErrorData::invalid_params(message, None);
    let state = request.request_state.as_deref().unwrap_or_default();
    let Some(Paused { request: digest, call, asked }) = session.asks.waiting.take(state) else {
        return Err(refused("no call waits under this requestState, or not any more: call the tool anew"));
    };
    if digest != self::digest(request) {
        call.stop().await;
        return Err(refused("the call under this requestState was another one, and was stopped: call the tool anew"));
    }
    let none = InputResponses::new();
    let responses = request.input_responses.as_ref().unwrap_or(&none);
    for (name, answer) in asked {
        // Nobody waits for it where it was withdrawn.
        let _ = answer.send(said(responses.get(&name), session.outlasts(context)));
    }
    attend(session, digest, call, context).await
}

/// What a client has come back with.
fn said(response: Option<&Value>, may_last: bool) -> Answer {
    let answered = response.and_then(|response| serde_json::from_value(response.clone()).ok());
    answered.map_or(Answer::No, |answered| asking::meaning(&answered, may_last))
}

/// Waits until the call has ended, or asks something.
pub(crate) async fn attend(
    session: &Session,
    request: Digest,
    mut call: Running,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    loop {
        let journal = Arc::clone(&call.journal);
        let next = async {
            tokio::select! {
                event = call.next() => event,
                () = context.ct.cancelled() => Event::GivenUp,
                () = session.life.closed.cancelled() => Event::GivenUp,
            }
        };
        match progress::with_progress(session, context, &journal, next).await {
            Event::GivenUp => {
                call.stop().await;
                return Ok(answer::cancelled().into());
            }
            Event::Ended(outcome) => {
                let Running { listing, name, .. } = call;
                let listed = listing.get(&name).and_then(|listed| Some((listed, listed.offer.as_ref()?)));
                let Some((listed, offer)) = listed else { return Ok(answer::cancelled().into()) };
                return Ok(call::told(session, (listed, offer), *outcome, context).await.into());
            }
            Event::Asked(asked) => {
                let (requests, asked) = requests(asked, session.outlasts(context));
                if requests.is_empty() {
                    continue;
                }
                // For as long again the call may go on after a no that nobody said, and a client that comes late hears of it.
                let time = session.settings.approval_timeout.saturating_mul(2);
                match session.asks.waiting.keep(Paused { request, call, asked }, time) {
                    Ok(state) => return Ok(InputRequiredResult::new(Some(requests), Some(state)).into()),
                    // No room: nobody can be asked, and the call goes on with that.
                    Err(paused) => call = paused.call,
                }
            }
        }
    }
}

/// What the client is asked, and who hears what it answers.
fn requests(asked: Vec<Put>, may_last: bool) -> (InputRequests, BTreeMap<String, oneshot::Sender<Answer>>) {
    let mut requests = InputRequests::new();
    let mut answers = BTreeMap::new();
    for (number, Put { question, answer }) in (1..).zip(asked) {
        if let Some(form) = asking::form(&question, may_last) {
            let name = format!("permission-{number}");
            requests.insert(name.clone(), InputRequest::Elicitation(ElicitRequest::new(form)));
            answers.insert(name, answer);
        }
    }
    (requests, answers)
}
