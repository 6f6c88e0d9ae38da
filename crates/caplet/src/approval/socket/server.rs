//! The side of the process that asks.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{LONGEST_REQUEST, NAME, OpenQuestion, Request, Response, folder_of_ones_own};
use crate::approval::{Answer, Approver, Question};

/// Connections at a time. One is open as long as a command takes.
const MOST_CONNECTIONS: usize = 16;

/// Questions that are open at a time.
const MOST_QUESTIONS: usize = 64;

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// Puts questions where `caplet approvals` of the same user finds them. The socket is gone when this is dropped.
pub struct SocketApprover {
    path: PathBuf,
    questions: Arc<Questions>,
    serving: tokio::task::AbortHandle,
}

/// The questions that are open, by number.
#[derive(Default)]
struct Questions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: u64,
    open: BTreeMap<u64, Waiting>,
}

struct Waiting {
    question: Question,
    since: Instant,
    answer: oneshot::Sender<Answer>,
}

impl SocketApprover {
    /// Listens in `folder`, which is made if it is not there, at `approvals-PID.sock`. Must be called inside a tokio runtime with I/O
    /// enabled, which then serves the socket. Tell [`Builder::approvals`](crate::Builder::approvals) of the folder, so that no tool
    /// reaches it.
    ///
    /// # Errors
    ///
    /// When the folder is not this user's alone, or the socket cannot be made; another one of this process is open, say.
    pub fn open(folder: &Path) -> io::Result<Self> {
        folder_of_ones_own(folder)?;
        let path = folder.join(format!("{}{}{}", NAME.0, std::process::id(), NAME.1));
        // One that nobody serves is left over from a process of the same number.
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("{} is served already", path.display())));
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        // The folder keeps others out already.
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let questions = Arc::<Questions>::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&questions))).abort_handle();
        Ok(Self { path, questions, serving })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketApprover {
    fn drop(&mut self) {
        self.serving.abort();
        // Whoever finds it all the same is told that nobody serves it.
        let _gone = fs::remove_file(&self.path);
    }
}

impl fmt::Debug for SocketApprover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketApprover").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Approver for SocketApprover {
    fn name(&self) -> &str {
        "the approval socket"
    }

    async fn ask(&self, question: &Question) -> Option<Answer> {
        let (open, answer) = Open::new(&self.questions, question)?;
        let answered = answer.await.ok();
        drop(open);
        answered
    }
}

/// A question as long as somebody waits for its answer.
struct Open<'q> {
    questions: &'q Questions,
    number: u64,
}

impl<'q> Open<'q> {
    fn new(questions: &'q Questions, question: &Question) -> Option<(Self, oneshot::Receiver<Answer>)> {
        let mut state = questions.lock();
        if state.open.len() >= MOST_QUESTIONS {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        state.last += 1;
        let number = state.last;
        state.open.insert(number, Waiting { question: question.clone(), since: Instant::now(), answer });
        Some((Self { questions, number }, answered))
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.questions.lock().open.remove(&self.number);
    }
}

impl Questions {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What a panic leaves behind are whole entries.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, request: Request) -> Response {
        let mut state = self.lock();
        let process = std::process::id();
        match request {
            Request::List {} => Response::Questions(
                state
                    .open
                    .iter()
                    .map(|(number, waiting)| OpenQuestion {
                        id: format!("{process}-{number}"),
                        waits_s: waiting.since.elapsed().as_secs(),
                        question: waiting.question.clone(),
                    })
                    .collect(),
            ),
            Request::Answer { id, answer } => {
                let number = id.strip_prefix(&format!("{process}-")).and_then(|number| number.parse().ok());
                let waiting = number.and_then(|number: u64| state.open.remove(&number));
                match waiting.map(|waiting| waiting.answer.send(answer)) {
                    Some(Ok(())) => Response::Answered(id),
                    Some(Err(_)) | None => Response::Error(
                        "no such question is open: it was answered, or nobody waits for it any more".to_owned(),
                    ),
                }
            }
        }
    }
}

/// Takes connections as long as it is not aborted; they end with it.
async fn serve(listener: UnixListener, questions: Arc<Questions>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            taken = listener.accept(), if connections.len() < MOST_CONNECTIONS => match taken {
                Ok((stream, _)) if is_own(&stream) => {
                    connections.spawn(converse(stream, Arc::clone(&questions)));
                }
                // A stranger is not spoken to.
                Ok(_) => {}
                // Out of handles, say: not at once again.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
}

/// Whether the other end is a process of the same user.
fn is_own(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

/// Answers one line after the other, until the other end goes, is silent, or says something that is no request.
async fn converse(stream: UnixStream, questions: Arc<Questions>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut stream).take(LONGEST_REQUEST);
        let reading = limited.read_until(b'\n', &mut line);
        if tokio::time::timeout(SILENCE, reading).await.map_err(|_| io::ErrorKind::TimedOut)?? == 0 {
            return Ok(());
        }
        let request = line.strip_suffix(b"\n").map(serde_json::from_slice::<Request>);
        let (response, is_over) = match request {
            Some(Ok(request)) => (questions.respond(request), false),
            Some(Err(error)) => (Response::Error(format!("this is no request: {error}")), true),
            None => (Response::Error(format!("a request is one line of at most {LONGEST_REQUEST} bytes")), true),
        };
        let mut response = serde_json::to_vec(&response)?;
        response.push(b'\n');
        let writing = stream.get_mut().write_all(&response);
        tokio::time::timeout(SILENCE, writing).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if is_over {
            return Ok(());
        }
    }
}
