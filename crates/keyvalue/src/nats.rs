//! Buckets in NATS JetStream, as one of its key-value buckets, for more than one machine.
//!
//! Key `k` of bucket `b` is the subject `$KV.NAMESPACE.b.k` of the stream `KV_NAMESPACE`, both encoded: a subject takes few characters.
//! The stream keeps one message for each subject, the value; its sequence number is the version, and no two messages have the same.
//! A write that depends on what was there says which sequence number it expects, and the server refuses it if there is another.
//!
//! - A deleted key leaves nothing behind: no marker that would pile up.
//! - Values are read from the stream's leader, so that what was written is read back, also in a cluster.
//! - How much the stream may hold, and in how many copies, is for whoever runs the server to set: this store makes it with one copy and
//!   without a limit if it is not there, and else takes it as it is.
//! - What was acknowledged is in the server's files when it is killed. For when the machine's power fails, the server has `sync_interval`.
//! - With a quota on the stream, a full one is [`Error::Full`]. A server takes values only as large as its `max_payload`, by default
//!   1 MiB with a few bytes for [`Store::swap`] and [`Store::increment`] included.

mod line;
mod name;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use async_trait::async_trait;
use caplet_policy::{OpenBucket, Permitted, ReadKey, WriteKey};
use tokio::time::{Instant, sleep};

use self::line::{Line, Live};
use self::name::{key_filter, subject};
use self::stream::Last;
use crate::server::{Effect, ServerOptions, after};
use crate::{Cursor, Error, OpenError, Page, Seen, Store, number};

/// The shortest time to live that a stream has.
const SHORTEST_TTL: Duration = Duration::from_millis(100);

/// Buckets in NATS JetStream.
pub struct NatsStore {
    line: Line,
    options: ServerOptions,
}

impl NatsStore {
    /// A store at `nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT]`, with `tls:` over TLS with the system's roots; the addresses of several
    /// servers of a cluster are parted by commas. It connects when it is first used, and again whenever it has to. It needs NATS 2.9 or
    /// later with JetStream.
    ///
    /// # Errors
    ///
    /// When the address is none of these, or an option is out of its bounds.
    pub fn connect(url: &str, options: ServerOptions) -> Result<Self, OpenError> {
        options.check(SHORTEST_TTL)?;
        Ok(Self { line: Line::new(url, &options)?, options })
    }

    fn subject(&self, bucket: &str, key: &str) -> String {
        subject(&self.options.namespace, bucket, key)
    }

    /// When an operation that begins now, and has its connection, is over.
    async fn begin(&self) -> Result<Instant, Error> {
        self.line.ready(after(self.options.connect)).await?;
        Ok(after(self.options.operation))
    }

    async fn last(&self, subject: &str, deadline: Instant) -> Result<Last, Error> {
        self.line.ask(Effect::Reads, deadline, |live: Arc<Live>| async move { live.last(subject).await }).await
    }

    /// Puts a value in place of the message with the sequence number `expected`; `None` is whatever there is. Says whether it was that.
    async fn publish(
        &self,
        subject: &str,
        value: Vec<u8>,
        expected: Option<u64>,
        deadline: Instant,
    ) -> Result<bool, Error> {
        let mut message = PublishMessage::build().payload(value.into());
        if let Some(sequence) = expected {
            message = message.expected_last_subject_sequence(sequence);
        }
        let send = |live: Arc<Live>| {
            let message = message.clone();
            async move { live.publish(subject, message).await }
        };
        self.line.ask(Effect::Writes, deadline, send).await
    }
}

#[async_trait]
impl Store for NatsStore {
    async fn open(&self, _permit: &Permitted<OpenBucket>) -> Result<(), Error> {
        let deadline = self.begin().await?;
        self.line
            .ask(Effect::Reads, deadline, |live: Arc<Live>| async move { live.stream().await.map(|_stream| ()) })
            .await
    }

    async fn get(&self, permit: &Permitted<ReadKey>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.look(permit).await?.value)
    }

    async fn exists(&self, permit: &Permitted<ReadKey>) -> Result<bool, Error> {
        Ok(self.look(permit).await?.value.is_some())
    }

    async fn set(&self, permit: &Permitted<WriteKey>, value: Vec<u8>) -> Result<(), Error> {
        let op = permit.op();
        let deadline = self.begin().await?;
        self.publish(&self.subject(op.bucket(), op.key()), value, None, deadline).await.map(|_always| ())
    }

    async fn delete(&self, permit: &Permitted<WriteKey>) -> Result<(), Error> {
        let op = permit.op();
        let deadline = self.begin().await?;
        let subject = self.subject(op.bucket(), op.key());
        let sequence = self.last(&subject, deadline).await?.sequence;
        if sequence == 0 {
            return Ok(());
        }
        let deleted = self.line.ask(Effect::Writes, deadline, |live| async move { live.delete(sequence).await }).await;
        match deleted {
            // Somebody else may have put another message in its place, or have been faster: then this was done just before that.
            Err(Error::Unavailable(why)) => match self.last(&subject, deadline).await {
                Ok(last) if last.sequence != sequence => Ok(()),
                _ => Err(Error::Unavailable(why)),
            },
            other => other,
        }
    }

    async fn keys(&self, permit: &Permitted<OpenBucket>, from: Option<&Cursor>) -> Result<Page, Error> {
        let bucket = permit.op().bucket();
        // A sequence number, of which there is none below 1.
        let start: u64 = from.map_or(Ok(1), |Cursor(text)| text.parse().map_err(|_other| Error::BadCursor))?;
        let filter = key_filter(&self.options.namespace, bucket);
        let deadline = self.begin().await?;
        let list = |live: Arc<Live>| {
            let filter = filter.clone();
            async move { live.page(bucket, filter, start.max(1)).await }
        };
        self.line.ask(Effect::Reads, deadline, list).await
    }

    async fn increment(&self, permit: &Permitted<WriteKey>, delta: i64) -> Result<i64, Error> {
        let op = permit.op();
        let deadline = self.begin().await?;
        let subject = self.subject(op.bucket(), op.key());
        let mut lost_races = 0_u32;
        while Instant::now() < deadline {
            let last = self.last(&subject, deadline).await?;
            let sum = number::sum(last.value.as_deref(), delta)?;
            if self.publish(&subject, sum.to_string().into_bytes(), Some(last.sequence), deadline).await? {
                return Ok(sum);
            }
            // Of all that race somebody wins each time. Those who lose most give way a little, so that not all look at once again.
            lost_races = lost_races.saturating_add(1);
            sleep(Duration::from_micros(u64::from(lost_races.min(20)) * 100)).await;
        }
        Err(Error::Unavailable("NATS: others change this key all the time".into()))
    }

    async fn look(&self, permit: &Permitted<ReadKey>) -> Result<Seen, Error> {
        let op = permit.op();
        let deadline = self.begin().await?;
        let last = self.last(&self.subject(op.bucket(), op.key()), deadline).await?;
        Ok(Seen { value: last.value, version: Some(last.sequence) })
    }

    async fn swap(&self, permit: &Permitted<WriteKey>, seen: &Seen, value: Vec<u8>) -> Result<bool, Error> {
        let op = permit.op();
        let deadline = self.begin().await?;
        let subject = self.subject(op.bucket(), op.key());
        self.publish(&subject, value, Some(seen.version.unwrap_or(0)), deadline).await
    }

    fn describe(&self) -> String {
        format!("NATS at {}, namespace {}", self.line.address(), self.options.namespace)
    }
}

impl fmt::Debug for NatsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsStore").field("line", &self.line).field("options", &self.options).finish()
    }
}
