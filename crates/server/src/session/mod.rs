//! Sessions: who opened each, what it waits for, and when it ends.
//!
//! What always holds: a session is only there for the principal that opened it; its id cannot be guessed; there are never more than the
//! limits allow; one that nobody uses ends; nothing goes on for a principal that is not valid any more, with a session or without.

mod answer;
mod stateless;
mod visit;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use rmcp::model::{CancelledNotificationParam, ClientJsonRpcMessage, ClientNotification, Notification, RequestId};
use rmcp::transport::WorkerTransport;
use rmcp::transport::streamable_http_server::session::SessionId;
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionHandle, SessionConfig, SessionTransport, create_local_session,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::answer::Answer;
use self::stateless::Requests;
pub(crate) use self::visit::Visit;
use crate::auth::Principal;
use crate::limits::Limits;

/// Random bytes of an id: twice what MCP asks for.
const ID_BYTES: usize = 32;

/// Random bytes of what tells the events of one session from those of another.
const TAG_BYTES: usize = 9;

/// Messages that wait for a client to take them, of each answer. Beyond it, the tool waits.
const WAITING_MESSAGES: usize = 16;

/// How long a client that lost its connection is asked to wait before it asks for the rest of an answer.
const RETRY: Duration = Duration::from_millis(200);

/// How often sessions are looked at for whether they are over.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a session has to take notice of its end, before it is cut off.
const CLOSE: Duration = Duration::from_secs(1);

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    limits: Arc<Limits>,
    /// Streams that wait for news end when this is cancelled.
    drain: CancellationToken,
    table: Mutex<HashMap<SessionId, Session>>,
    /// Requests that belong to none.
    stateless: Mutex<Requests>,
    /// Told of each session that ended.
    ended: Notify,
}

#[derive(Debug)]
struct Session {
    handle: LocalSessionHandle,
    owner: Principal,
    /// What the ids of its events begin with.
    tag: Arc<str>,
    used: Instant,
    /// What the client waits for, by the number of its answer.
    calls: HashMap<u64, Call>,
    /// Streams that are being sent.
    answers: Vec<Weak<Answer>>,
    /// Ends all that belongs to it.
    end: CancellationToken,
}

/// A request whose response was not sent yet.
#[derive(Debug)]
struct Call {
    request: RequestId,
    /// Connections that it is being sent to.
    readers: usize,
}

/// Why there can be no further session.
#[derive(Debug)]
struct Full;

impl Sessions {
    pub(crate) fn new(limits: Arc<Limits>, drain: CancellationToken) -> Self {
        Self { limits, drain, table: Mutex::default(), stateless: Mutex::default(), ended: Notify::new() }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stateless(&self) -> MutexGuard<'_, Requests> {
        self.stateless.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table().len()
    }

    /// A new one of `owner`, which ends with `end`.
    fn open(&self, owner: &Principal, end: CancellationToken) -> Result<(SessionId, SessionTransport), Full> {
        let (Some(id), Some(tag)) = (random(ID_BYTES), random(TAG_BYTES)) else { return Err(Full) };
        let id: SessionId = id.into();
        let mut table = self.table();
        let own = table.values().filter(|session| session.owner == *owner).count();
        if own >= self.limits.sessions_per_principal {
            self.end_idle(&mut table, Some(owner))?;
        } else if table.len() >= self.limits.sessions {
            self.end_idle(&mut table, None)?;
        }
        let (handle, worker) = create_local_session(Arc::clone(&id), config());
        let session = Session {
            handle,
            owner: owner.clone(),
            tag: tag.into(),
            used: Instant::now(),
            calls: HashMap::new(),
            answers: Vec::new(),
            end,
        };
        table.insert(Arc::clone(&id), session);
        Ok((id, WorkerTransport::spawn(worker)))
    }

    /// Ends the one that was idle for longest, of `owner` or of all.
    fn end_idle(&self, table: &mut HashMap<SessionId, Session>, owner: Option<&Principal>) -> Result<(), Full> {
        let idle = table
            .iter()
            .filter(|(_, session)| session.calls.is_empty() && owner.is_none_or(|owner| session.owner == *owner));
        let oldest = idle.min_by_key(|(_, session)| session.used).map(|(id, _)| Arc::clone(id)).ok_or(Full)?;
        if let Some(session) = table.remove(&oldest) {
            self.end(session);
        }
        Ok(())
    }

    /// Looks for what is over, until `end` is cancelled: also for sessions of those that `is_gone` says so of.
    pub(crate) async fn sweep_until(&self, end: &CancellationToken, is_gone: impl Fn(&Principal) -> bool) {
        while end.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
            self.sweep();
            self.end_of(&is_gone);
        }
    }

    fn sweep(&self) {
        let (now, time) = (Instant::now(), SystemTime::now());
        let mut table = self.table();
        let is_over = |_: &SessionId, session: &mut Session| {
            session
                .answers
                .retain(|answer| answer.upgrade().is_some_and(|answer| answer.look(now, self.limits.write_time)));
            let is_idle = session.calls.is_empty() && now.duration_since(session.used) >= self.limits.session_idle;
            is_idle || session.owner.is_over(time)
        };
        let over: Vec<Session> = table.extract_if(is_over).map(|(_, session)| session).collect();
        drop(table);
        self.end_stateless(|owner| owner.is_over(time));
        for session in over {
            self.end(session);
        }
    }

    /// Ends the sessions and the requests of all principals that `is_gone` says so of.
    pub(crate) fn end_of(&self, is_gone: impl Fn(&Principal) -> bool) {
        let over: Vec<Session> =
            self.table().extract_if(|_, session| is_gone(&session.owner)).map(|(_, session)| session).collect();
        self.end_stateless(&is_gone);
        for session in over {
            self.end(session);
        }
    }

    /// Waits until all are ended.
    pub(crate) async fn all_ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.table().is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// Calls in flight are cancelled, and streams end.
    fn end(&self, session: Session) {
        session.end.cancel();
        self.ended.notify_waiters();
        let handle = session.handle;
        // It may be held up by a client that takes nothing. To let go of it ends it as well.
        spawn(async move {
            let _ = tokio::time::timeout(CLOSE, handle.close()).await;
        });
    }

    /// After some time, cancels what `answer` of the session `id` waits for, if nobody asked for the rest of it by then.
    fn abandon(self: &Arc<Self>, id: SessionId, answer: u64) {
        let sessions = Arc::clone(self);
        spawn(async move {
            tokio::time::sleep(sessions.limits.resume).await;
            let abandoned = sessions.table().get_mut(&id).and_then(|session| session.take_abandoned(answer));
            if let Some((handle, request)) = abandoned {
                // It fails only for a session that has just ended, and its calls with it.
                let _ = handle.push_message(cancelled(request), None).await;
            }
        });
    }
}

impl Session {
    /// The call that `answer` was for, if nobody waits for it.
    fn take_abandoned(&mut self, answer: u64) -> Option<(LocalSessionHandle, RequestId)> {
        let call = self.calls.get(&answer).filter(|call| call.readers == 0)?;
        let request = call.request.clone();
        self.calls.remove(&answer);
        Some((self.handle.clone(), request))
    }
}

/// What tells a session that its client no longer waits for `request`.
fn cancelled(request: RequestId) -> ClientJsonRpcMessage {
    let param = CancelledNotificationParam::new(Some(request), Some("the client is gone".to_owned()));
    ClientJsonRpcMessage::notification(ClientNotification::CancelledNotification(Notification::new(param)))
}

/// Runs `task` by itself, unless the program is about to end.
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(task);
    }
}

/// How the library keeps a session. When it ends is decided here.
fn config() -> SessionConfig {
    let mut config = SessionConfig::default();
    config.channel_capacity = WAITING_MESSAGES;
    config.keep_alive = None;
    config.sse_retry = Some(RETRY);
    config
}

/// `bytes` random bytes of the system's, in letters that a header takes. `None` if it has none, which is not a thing to go on with.
fn random(bytes: usize) -> Option<String> {
    let mut random = vec![0; bytes];
    SystemRandom::new().fill(&mut random).ok()?;
    Some(URL_SAFE_NO_PAD.encode(random))
}
