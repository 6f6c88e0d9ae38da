//! What one request sees of the sessions: those of its principal. The library asks for sessions through this and nothing else, so there
//! is no way to another's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::{Stream, StreamExt as _, stream};
use http::StatusCode;
use rmcp::model::{ClientJsonRpcMessage, ErrorCode, RequestId, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionHandle, SessionError, SessionTransport, StreamableHttpMessageReceiver,
};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Pending, Sending, tagged, untagged};
use super::{Call, RETRY, Session, Sessions};
use crate::auth::Principal;
use crate::refusal::Refusal;

/// Seconds after which a client may ask again for what there is no room for now.
const RETRY_AFTER: u64 = 5;

/// The sessions of one principal, for the time of one request.
#[derive(Debug)]
pub(crate) struct Visit {
    sessions: Arc<Sessions>,
    principal: Principal,
    /// Ends the session that this request opens, if it opens one.
    end: CancellationToken,
    /// Why something was refused, where the library would only say that something failed.
    refusal: Mutex<Option<Refusal>>,
}

/// Something was refused, or the session has just ended.
#[derive(Debug, thiserror::Error)]
#[error("the session is not there, or takes no more")]
pub(crate) struct Refused;

impl From<SessionError> for Refused {
    fn from(_: SessionError) -> Self {
        Self
    }
}

impl Visit {
    pub(crate) fn new(sessions: Arc<Sessions>, principal: Principal, end: CancellationToken) -> Self {
        Self { sessions, principal, end, refusal: Mutex::default() }
    }

    /// What ends the session that this request opens.
    pub(crate) fn end(&self) -> CancellationToken {
        self.end.clone()
    }

    /// Why something was refused, if it was.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether there is a session `id` for this principal. To ask is to use it, and it lasts no longer than what the principal is now known
    /// by.
    pub(crate) fn has(&self, id: &str) -> bool {
        let used = self.session(id, |session| {
            session.used = Instant::now();
            session.owner = self.principal.clone();
        });
        used.is_some()
    }

    fn session<T>(&self, id: &str, with: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut table = self.sessions.table();
        table.get_mut(id).filter(|session| session.owner == self.principal).map(with)
    }

    fn refuse(&self, refusal: Refusal) -> Refused {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        Refused
    }

    fn gone(&self) -> Refused {
        self.refuse(Refusal::not_found("there is no such session"))
    }

    fn handle(&self, id: &SessionId) -> Result<LocalSessionHandle, Refused> {
        self.session(id, |session| session.handle.clone()).ok_or_else(|| self.gone())
    }

    /// What `receiver` gets, on its way to the client.
    fn sending(
        &self,
        id: &SessionId,
        receiver: StreamableHttpMessageReceiver,
        call: Option<u64>,
    ) -> Result<Sending, Refused> {
        let answer = Arc::new(Answer::new(receiver.inner));
        let tag = self.session(id, |session| {
            session.answers.push(Arc::downgrade(&answer));
            Arc::clone(&session.tag)
        });
        let tag = tag.ok_or_else(|| self.gone())?;
        let (sessions, session) = (Arc::clone(&self.sessions), Arc::clone(id));
        let pending = call.map(|answer| Pending { sessions, session, answer });
        Ok(Sending::new(answer, tag, pending))
    }

    /// Counts `request` among what the session waits for, as number `answer`.
    fn admit(&self, id: &SessionId, request: RequestId, answer: u64) -> Result<(), Refused> {
        let most = self.sessions.limits.streams_per_session;
        let admitted = self.session(id, |session| {
            if session.calls.len() >= most {
                let message = "this session waits for too many answers at one time";
                return Err(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, message, RETRY_AFTER));
            }
            if session.calls.values().any(|call| call.request == request) {
                let refusal = Refusal::bad_request("a request with this id is still being answered");
                return Err(refusal.code(ErrorCode::INVALID_REQUEST.0));
            }
            session.calls.insert(answer, Call { request, readers: 1 });
            Ok(())
        });
        admitted.ok_or_else(|| self.gone())?.map_err(|refusal| self.refuse(refusal))
    }
}

impl SessionManager for Visit {
    type Error = Refused;
    type Transport = SessionTransport;

    async fn create_session(&self) -> Result<(SessionId, SessionTransport), Refused> {
        self.sessions.open(&self.principal, self.end.clone()).map_err(|_| {
            let message = "there are too many sessions, and all of them are in use";
            self.refuse(Refusal::later(StatusCode::SERVICE_UNAVAILABLE, message, RETRY_AFTER))
        })
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Refused> {
        Ok(self.handle(id)?.initialize(message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Refused> {
        Ok(self.has(id))
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Refused> {
        let mut table = self.sessions.table();
        let is_own = table.get(id).is_some_and(|session| session.owner == self.principal);
        let session = if is_own { table.remove(id) } else { None };
        drop(table);
        if let Some(session) = session {
            self.sessions.end(session);
        }
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Refused> {
        let handle = self.handle(id)?;
        let receiver = handle.establish_request_wise_channel().await?;
        let (ClientJsonRpcMessage::Request(request), Some(answer)) = (&message, receiver.http_request_id) else {
            return Err(Refused);
        };
        if let Err(refused) = self.admit(id, request.id.clone(), answer) {
            handle.close_request_wise_channel(answer).await?;
            return Err(refused);
        }
        // From here on, whoever drops it drops the call with it.
        let sending = self.sending(id, receiver, Some(answer))?;
        handle.push_message(message, Some(answer)).await?;
        Ok(sending)
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Refused> {
        Ok(self.handle(id)?.push_message(message, None).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Refused> {
        let receiver = self.handle(id)?.establish_common_channel().await?;
        let sending = self.sending(id, receiver, None)?;
        let tag = self.session(id, |session| Arc::clone(&session.tag)).ok_or_else(|| self.gone())?;
        let first = ServerSseMessage::priming(tagged(&tag, "0"), RETRY);
        let drain = self.sessions.drain.clone();
        Ok(stream::iter([first]).chain(sending).take_until(async move { drain.cancelled_owned().await }))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Refused> {
        let tag = self.session(id, |session| Arc::clone(&session.tag)).ok_or_else(|| self.gone())?;
        let event = untagged(&tag, &last_event_id).and_then(|event| event.parse().ok());
        let event =
            event.ok_or_else(|| self.refuse(Refusal::bad_request("the Last-Event-ID is not of this session")))?;
        let receiver = self.handle(id)?.resume(event).await?;
        let call = receiver.http_request_id.filter(|answer| {
            let reader = self.session(id, |session| session.calls.get_mut(answer).map(|call| call.readers += 1));
            reader.flatten().is_some()
        });
        let sending = self.sending(id, receiver, call)?;
        let drain = self.sessions.drain.clone();
        let is_news = call.is_none();
        Ok(sending.take_until(async move {
            if is_news { drain.cancelled_owned().await } else { std::future::pending().await }
        }))
    }
}
