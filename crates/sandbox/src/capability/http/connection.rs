//! One connection, and what moves its bytes.
//!
//! An HTTP/1.1 connection is moved by whoever waits for its response: no other task has to run, and nobody has to be woken but the
//! one that waits. Who sends a body does not wait meanwhile, and HTTP/2 carries several requests at once, so those have tasks.
//!
//! What always holds: all that moves a connection ends with the last handle to it, also if the server does not take a farewell.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http_body::{Body as _, Frame};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::rt::Executor;
use tokio::task::JoinSet;
use tokio::time::timeout;
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_http::Error;

use super::body::Upload;
use super::failure;
use super::outgoing::OnItsWay;
use super::ration::{Ration, Rationed, Stream};
use crate::engine::lock;

/// How long a kept connection may take to be ready. One that is sound is ready at once.
const SOUND: Duration = Duration::from_millis(20);

/// The largest header section of a response that is read, in bytes.
const HEADER_BYTES: usize = 64 << 10;

/// Header bytes of a request that a socket takes at once, with room for its target: the system's send buffers start at 16 KiB.
const AT_ONCE: usize = 4 << 10;

/// How often a connection is read before whoever waits looks at something else, such as the call's deadline: a server that sends without
/// end must not keep it from that.
const READS: u32 = 16;

/// One connection.
pub(super) struct Connection {
    address: IpAddr,
    carrier: Carrier,
}

enum Carrier {
    Http1 { sender: http1::SendRequest<Upload>, driver: Driver },
    Http2 { sender: http2::SendRequest<Upload>, tasks: Arc<Held> },
}

/// What moves the bytes of an HTTP/1.1 connection. What goes wrong is heard of by those who use the connection.
enum Driver {
    /// Whoever waits for the server, who reads at most so often at a time.
    Waiter(Pin<Box<dyn Future<Output = ()> + Send>>, Ration),
    /// A task of its own. Dropped, it ends.
    Task(#[expect(dead_code, reason = "held for what its end does")] AbortOnDropJoinHandle<()>),
    /// Nothing any more.
    Ended,
}

impl Driver {
    /// Moves what can be moved now, if that is for whoever waits.
    fn drive(&mut self, context: &mut Context<'_>) {
        if let Self::Waiter(driver, ration) = self {
            ration.renew(READS);
            if driver.as_mut().poll(context).is_ready() {
                *self = Self::Ended;
            }
        }
    }

    /// Lets the connection move by itself from now on.
    fn hand_over(&mut self) {
        *self = match std::mem::replace(self, Self::Ended) {
            Self::Waiter(driver, ration) => {
                // The runtime has a measure of its own for tasks.
                ration.renew(u32::MAX);
                Self::Task(spawn(driver))
            }
            other => other,
        };
    }
}

/// The tasks of an HTTP/2 connection; nothing once they have ended.
#[derive(Clone)]
struct Tasks(Arc<Mutex<Option<JoinSet<()>>>>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        if let Some(tasks) = lock(&self.0).as_mut() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move { drop(future.await) });
        }
    }
}

/// What ends the tasks of a connection.
struct Held(Tasks);

impl Drop for Held {
    fn drop(&mut self) {
        drop(lock(&self.0.0).take());
    }
}

/// How a request failed.
pub(super) enum Failed {
    /// Nothing of it was sent; here it is again.
    Unsent(Box<http::Request<Upload>>),
    /// It may have been sent.
    Sent(Error),
}

impl Connection {
    pub(super) async fn http1(stream: impl Stream, address: IpAddr) -> Result<Self, Error> {
        let mut builder = http1::Builder::new();
        // At most 100 fields, which is what hyper takes by itself: another number would cost two buffers for every response.
        builder.max_header_size(HEADER_BYTES).max_buf_size(2 * HEADER_BYTES);
        let ration = Ration::default();
        let stream = Rationed::new(stream, ration.clone());
        let (sender, driver) = builder.handshake(stream).await.map_err(|error| failure::of_hyper(&error))?;
        let driver = Driver::Waiter(Box::pin(async move { drop(driver.await) }), ration);
        Ok(Self { address, carrier: Carrier::Http1 { sender, driver } })
    }

    pub(super) async fn http2(stream: impl Stream, address: IpAddr) -> Result<Self, Error> {
        let tasks = Tasks(Arc::new(Mutex::new(Some(JoinSet::new()))));
        let mut builder = http2::Builder::new(tasks.clone());
        builder.max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX));
        let (sender, driver) = builder.handshake(stream).await.map_err(|error| failure::of_hyper(&error))?;
        tasks.execute(driver);
        Ok(Self { address, carrier: Carrier::Http2 { sender, tasks: Arc::new(Held(tasks)) } })
    }

    /// Where it leads.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether requests on it carry the whole URL and no `host` header.
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.carrier, Carrier::Http2 { .. })
    }

    /// Whether both are handles to one connection.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.carrier, &other.carrier) {
            (Carrier::Http2 { tasks: one, .. }, Carrier::Http2 { tasks: other, .. }) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Whether another request can be sent; `false` if none ever can.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let ready = match &mut self.carrier {
            Carrier::Http1 { sender, driver } => match sender.poll_ready(&mut aside()) {
                Poll::Pending => {
                    driver.drive(context);
                    sender.poll_ready(context)
                }
                ready => ready,
            },
            Carrier::Http2 { sender, .. } => sender.poll_ready(context),
        };
        ready.map(|ready| ready.is_ok())
    }

    /// Looks whether it can still be used, as far as that can be seen from here.
    pub(super) fn is_closed(&mut self) -> bool {
        match &mut self.carrier {
            Carrier::Http1 { sender, driver } => {
                driver.drive(&mut aside());
                sender.is_closed()
            }
            Carrier::Http2 { sender, .. } => sender.is_closed(),
        }
    }

    /// Another handle to a connection that carries several requests at once.
    pub(super) fn share(&self) -> Option<Self> {
        match &self.carrier {
            Carrier::Http1 { .. } => None,
            Carrier::Http2 { sender, tasks } => {
                let carrier = Carrier::Http2 { sender: sender.clone(), tasks: Arc::clone(tasks) };
                Some(Self { address: self.address, carrier })
            }
        }
    }

    /// Sends `request`, and waits for the head of the response. A connection that was kept may be dead without a word; one that
    /// is not ready in time is given up. A new one has no such bound of its own: its first turn may come late on a busy machine.
    pub(super) async fn send(
        &mut self,
        request: http::Request<Upload>,
        is_kept: bool,
        on_its_way: &OnItsWay,
    ) -> Result<http::Response<Incoming>, Failed> {
        if let Carrier::Http1 { driver, .. } = &mut self.carrier
            && !goes_at_once(&request)
        {
            driver.hand_over();
        }
        let is_ready = poll_fn(|context| self.poll_ready(context));
        let is_ready = if is_kept { timeout(SOUND, is_ready).await.unwrap_or(false) } else { is_ready.await };
        if !is_ready {
            return Err(Failed::Unsent(Box::new(request)));
        }
        let sent = match &mut self.carrier {
            Carrier::Http1 { sender, driver } => {
                let mut response = pin!(sender.try_send_request(request));
                poll_fn(|context| {
                    driver.drive(context);
                    on_its_way.set();
                    match driver {
                        // The response came of what was moved just now, or it did not come.
                        Driver::Waiter(..) => response.as_mut().poll(&mut aside()),
                        Driver::Task(_) | Driver::Ended => response.as_mut().poll(context),
                    }
                })
                .await
            }
            Carrier::Http2 { sender, .. } => {
                on_its_way.set();
                sender.try_send_request(request).await
            }
        };
        sent.map_err(|mut error: TrySendError<http::Request<Upload>>| match error.take_message() {
            Some(request) => Failed::Unsent(Box::new(request)),
            None => Failed::Sent(failure::of_hyper(error.error())),
        })
    }

    /// What comes next of the body of a response that came on this connection.
    pub(super) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        if let Carrier::Http1 { driver: driver @ Driver::Waiter(..), .. } = &mut self.carrier {
            if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut aside()) {
                return Poll::Ready(frame);
            }
            driver.drive(context);
        }
        Pin::new(body).poll_frame(context)
    }
}

/// Whether all of `request` goes out as soon as it is handed to a connection.
fn goes_at_once(request: &http::Request<Upload>) -> bool {
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    request.body().is_end_stream() && fields.sum::<usize>() <= AT_ONCE
}

/// A look at what nobody else moves: nothing has to wake up whoever looks.
fn aside() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
