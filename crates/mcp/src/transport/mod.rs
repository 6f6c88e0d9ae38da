//! Messages over a pair of byte streams, one on each line.
//!
//! `rmcp` has such a transport; this one answers what that one leaves unanswered (text that is no JSON, ids that are in use, lines that
//! are too long), takes the batches of the one revision that has them, and bounds what a client can make the server hold: of requests,
//! of bytes, and of answers that it does not read.
//!
//! What always holds: what is written is one JSON value on each line, and nothing else; a request is answered once, under the id that it
//! had, and not at all after it was cancelled; a client that has closed its end and still reads is answered what it has asked.

mod batch;
mod incoming;
mod lines;
mod open;
mod output;

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, ErrorData, GetMeta as _, JsonRpcMessage, ProtocolVersion,
    RequestId, ServerJsonRpcMessage, ServerNotification, ServerResult,
};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use self::batch::Batches;
use self::incoming::Incoming;
use self::lines::{Line, Lines, Longest};
use self::open::{Open, OpenRequest};
use self::output::Output;
use crate::offered::Offered;
use crate::settings::Settings;

/// The only revision with batches.
const BATCHES: ProtocolVersion = ProtocolVersion::V_2025_03_26;

/// How a session hears of its end.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// Cancelled when the client has closed its end: it hears answers, but no more news.
    pub(crate) ending: CancellationToken,
    /// Cancelled when the client is gone, and its calls with it.
    pub(crate) closed: CancellationToken,
}

/// The transport of one client.
#[derive(Debug)]
pub(crate) struct LineTransport<R, W> {
    lines: Lines<R>,
    output: Output<W>,
    longest: Longest,
    settings: Settings,
    life: Life,
    open: Open,
    batches: Batches,
    /// Messages of a batch that were read and not handed on.
    read: VecDeque<(ClientJsonRpcMessage, usize, Option<u64>)>,
    /// Whether notifications are expected: before that, `rmcp` takes one for the end.
    is_greeted: bool,
    has_batches: bool,
}

impl<R: AsyncRead + Unpin + Send, W: AsyncWrite + Unpin + Send + 'static> LineTransport<R, W> {
    pub(crate) fn new(read: R, write: W, (settings, offered): (Settings, Arc<Offered>), life: Life) -> Self {
        let longest = Longest { settings, offered };
        Self {
            lines: Lines::new(read, longest.clone()),
            longest,
            output: Output::new(write, life.closed.clone()),
            settings,
            life,
            open: Open::default(),
            batches: Batches::default(),
            read: VecDeque::new(),
            is_greeted: false,
            has_batches: false,
        }
    }

    /// Whether the client has to take answers before it is heard again.
    fn is_full(&self) -> bool {
        self.open.requests() >= self.settings.requests
            || self.open.bytes() >= self.longest.bytes().saturating_mul(2)
            || self.output.unread() >= self.settings.unread
    }

    /// Waits until there is room. A client that is gone meanwhile is noticed.
    async fn wait_for_room(&mut self) {
        // Only an answer makes room, and after each `rmcp` asks anew for what there is to read.
        while self.is_full() {
            match self.lines.read_ahead().await {
                Ok(true) => {}
                Ok(false) | Err(_) => {
                    self.life.ending.cancel();
                    pending::<()>().await;
                }
            }
        }
    }

    /// Takes a line apart. Errors are answered here.
    fn take(&mut self, line: &[u8]) {
        match incoming::read(line) {
            Incoming::Message(message) => self.read.push_back((*message, line.len(), None)),
            Incoming::Batch(items) => self.take_batch(items, line.len()),
            Incoming::Refused { id, error } => self.refuse(id, error, None),
            Incoming::Nothing => {}
        }
    }

    fn take_batch(&mut self, items: Vec<Value>, bytes: usize) {
        if let Some(reason) = batch::refusal(self.has_batches, items.len()) {
            return self.refuse(None, ErrorData::invalid_request(reason, None), None);
        }
        let batch = self.batches.begin();
        let share = bytes / items.len().max(1);
        for item in items {
            match incoming::message(item) {
                Incoming::Message(message) => {
                    if matches!(*message, JsonRpcMessage::Request(_)) {
                        self.batches.expect(batch);
                    }
                    self.read.push_back((*message, share, Some(batch)));
                }
                Incoming::Refused { id, error } => {
                    self.batches.expect(batch);
                    self.refuse(id, error, Some(batch));
                }
                Incoming::Batch(_) | Incoming::Nothing => {}
            }
        }
        self.finish(batch);
    }

    /// Sends the answers to a batch, if none is missing.
    fn finish(&mut self, batch: u64) {
        if let Some(answers) = self.batches.finish(batch) {
            self.output.push(&answers);
        }
    }

    fn refuse(&mut self, id: Option<RequestId>, error: ErrorData, batch: Option<u64>) {
        let message = ServerJsonRpcMessage::error(error, id);
        self.answer(&message, batch);
    }

    /// Sends an answer, or keeps it with the others of its batch. Gives how far the output has to be written for it to be out.
    fn answer(&mut self, message: &ServerJsonRpcMessage, batch: Option<u64>) -> u64 {
        match batch {
            Some(batch) => {
                self.batches.add(batch, message);
                self.finish(batch);
                self.output.end()
            }
            None => self.output.push(message),
        }
    }

    /// What is to be done with a message, if anything.
    fn admit(
        &mut self,
        message: ClientJsonRpcMessage,
        bytes: usize,
        batch: Option<u64>,
    ) -> Option<ClientJsonRpcMessage> {
        match &message {
            JsonRpcMessage::Request(request) => {
                let opened = OpenRequest { bytes, batch, progress: request.request.get_meta().get_progress_token() };
                if !self.open.begin(&request.id, opened) {
                    // Under the same id this could be taken for the answer to the other request.
                    let text = "a request with this id is being answered, or was cancelled: an id is used once";
                    self.refuse(None, ErrorData::invalid_request(text, None), batch);
                    return None;
                }
                self.is_greeted |= opens(&request.request);
                Some(message)
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                    && let Some(cancelled) = self.open.cancel(id)
                    && let Some(batch) = cancelled.batch
                {
                    self.batches.forget(batch);
                    self.finish(batch);
                }
                self.is_greeted.then_some(message)
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => self.is_greeted.then_some(message),
        }
    }
}

/// Whether `rmcp` begins the session with this request.
fn opens(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        request => {
            let meta = request.get_meta();
            let is_known = |version| ProtocolVersion::KNOWN_VERSIONS.contains(&version);
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
                && meta.protocol_version().is_some_and(is_known)
        }
    }
}

impl<R, W> Transport<RoleServer> for LineTransport<R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let until = match &message {
            JsonRpcMessage::Response(response) => {
                if let ServerResult::InitializeResult(result) = &response.result {
                    self.has_batches = result.protocol_version == BATCHES;
                }
                self.open.end(&response.id).map(|request| self.answer(&message, request.batch))
            }
            JsonRpcMessage::Error(error) => {
                error.id.as_ref().and_then(|id| self.open.end(id)).map(|request| self.answer(&message, request.batch))
            }
            JsonRpcMessage::Notification(notification) => {
                let is_wanted = match &notification.notification {
                    ServerNotification::ProgressNotification(progress) => {
                        self.open.expects(&progress.params.progress_token)
                    }
                    _ => true,
                };
                is_wanted.then(|| self.output.push(&message))
            }
            JsonRpcMessage::Request(_) => Some(self.output.push(&message)),
        };
        self.output.written(until)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let closed = self.life.closed.clone();
        closed.run_until_cancelled(self.next()).await.flatten()
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.output.close().await;
        Ok(())
    }
}

impl<R: AsyncRead + Unpin + Send, W: AsyncWrite + Unpin + Send + 'static> LineTransport<R, W> {
    /// The next message for the session; none when there will be no more. A future that is dropped loses nothing.
    async fn next(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            self.wait_for_room().await;
            if let Some((message, bytes, batch)) = self.read.pop_front() {
                if let Some(message) = self.admit(message, bytes, batch) {
                    return Some(message);
                }
                continue;
            }
            match self.lines.next().await {
                Ok(Some(Line::Text(line))) => self.take(&line),
                Ok(Some(Line::TooLong)) => {
                    let text = format!("the message is longer than {} bytes", self.longest.bytes());
                    self.refuse(None, ErrorData::invalid_request(text, None), None);
                }
                Ok(None) | Err(_) => {
                    self.life.ending.cancel();
                    // Before the session has begun, nothing is asked that is not answered at once.
                    if self.is_greeted && self.open.requests() > 0 {
                        // With each answer, `rmcp` asks anew for what there is to read.
                        pending::<()>().await;
                    }
                    return None;
                }
            }
        }
    }
}
