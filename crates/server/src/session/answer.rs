//! One stream of messages on its way to a client.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::Stream;
use rmcp::model::ServerJsonRpcMessage;
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId};
use tokio::sync::mpsc::Receiver;

use super::Sessions;

/// What is waiting to be sent, where it can be taken away from a client that does not take it.
#[derive(Debug)]
pub(super) struct Answer(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    messages: Option<Receiver<ServerSseMessage>>,
    /// When the client last took something.
    taken: Instant,
}

impl Answer {
    pub(super) fn new(messages: Receiver<ServerSseMessage>) -> Self {
        Self(Mutex::new(Waiting { messages: Some(messages), taken: Instant::now() }))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what waits if the client has not taken any of it for `patience`: else the whole session would wait with it. Whether there is
    /// still something to come.
    pub(super) fn look(&self, now: Instant, patience: Duration) -> bool {
        let mut waiting = self.waiting();
        let is_full = waiting.messages.as_ref().is_some_and(|messages| messages.capacity() == 0);
        if is_full && now.duration_since(waiting.taken) >= patience {
            waiting.messages = None;
        }
        waiting.messages.is_some()
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<ServerSseMessage>> {
        let mut waiting = self.waiting();
        waiting.taken = Instant::now();
        waiting.messages.as_mut().map_or(Poll::Ready(None), |messages| messages.poll_recv(cx))
    }
}

/// What the events of a stream are known by: `TAG.INDEX/ANSWER`. Only its own session takes it back.
pub(super) fn tagged(tag: &str, event: &str) -> String {
    format!("{tag}.{event}")
}

/// The event that `id` means in the session with `tag`.
pub(super) fn untagged<'a>(tag: &str, id: &'a str) -> Option<&'a str> {
    id.strip_prefix(tag)?.strip_prefix('.')
}

/// An answer being sent to one connection.
pub(super) struct Sending {
    answer: Arc<Answer>,
    tag: Arc<str>,
    /// The call that it answers. `None` for a stream of news, and once the response was sent.
    call: Option<Pending>,
}

/// A call whose response has not been sent.
pub(super) struct Pending {
    pub(super) sessions: Arc<Sessions>,
    pub(super) session: SessionId,
    pub(super) answer: u64,
}

impl Sending {
    pub(super) fn new(answer: Arc<Answer>, tag: Arc<str>, call: Option<Pending>) -> Self {
        Self { answer, tag, call }
    }
}

impl Stream for Sending {
    type Item = ServerSseMessage;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ServerSseMessage>> {
        let polled = self.answer.poll(cx);
        polled.map(|message| {
            let is_last = match message.as_ref().map(|message| message.message.as_deref()) {
                None => true,
                Some(message) => {
                    matches!(message, Some(ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_)))
                }
            };
            if is_last && let Some(call) = self.call.take() {
                call.answered();
            }
            message.map(|mut message| {
                message.event_id = message.event_id.map(|event| tagged(&self.tag, &event));
                message
            })
        })
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            call.lost_its_reader();
        }
    }
}

impl Pending {
    fn answered(self) {
        if let Some(session) = self.sessions.table().get_mut(&self.session) {
            session.calls.remove(&self.answer);
        }
    }

    fn lost_its_reader(self) {
        if let Some(session) = self.sessions.table().get_mut(&self.session)
            && let Some(call) = session.calls.get_mut(&self.answer)
        {
            call.readers = call.readers.saturating_sub(1);
        }
        self.sessions.abandon(self.session, self.answer);
    }
}
