//! What is asked of the stream, and what its answers mean.

use std::error::Error as _;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{
    Config, DeleteMessageErrorKind, DiscardPolicy, LastRawMessageErrorKind, RetentionPolicy, Stream,
};
use async_nats::jetstream::{Context, ErrorCode};
use futures_util::StreamExt as _;

use super::line::Live;
use super::name::key_of;
use crate::server::{Failure, Namespace};
use crate::{Cursor, Error, PAGE_KEYS, Page, is_key};

/// When the server forgets a listing that was broken off.
const LISTING_LASTS: Duration = Duration::from_secs(30);

/// What the stream has to be.
#[derive(Clone, Debug)]
pub(super) struct StreamSpec {
    pub(super) namespace: Namespace,
    pub(super) ttl: Option<Duration>,
}

/// The last message of a subject.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) value: Option<Vec<u8>>,
    /// Zero where there is none.
    pub(super) sequence: u64,
}

impl StreamSpec {
    fn config(&self) -> Config {
        Config {
            name: format!("KV_{}", self.namespace),
            description: Some("key-value buckets of Caplet".into()),
            subjects: vec![format!("$KV.{}.>", self.namespace)],
            max_messages_per_subject: 1,
            max_messages: -1,
            max_bytes: -1,
            max_consumers: -1,
            // A full stream refuses; it must not drop other keys instead.
            discard: DiscardPolicy::New,
            retention: RetentionPolicy::Limits,
            max_age: self.ttl.unwrap_or_default(),
            num_replicas: 1,
            ..Config::default()
        }
    }

    /// Checks what this store relies on: a stream with a history would show old values when new ones are deleted.
    fn check(&self, found: &Config) -> Result<(), Failure> {
        let wanted = self.config();
        let is_right = found.subjects == wanted.subjects
            && found.max_messages_per_subject == 1
            && found.discard == wanted.discard
            && found.retention == wanted.retention
            && found.max_age == wanted.max_age
            && !found.deny_delete
            && !found.sealed
            && !found.no_ack
            && found.mirror.is_none()
            && found.sources.is_none();
        if is_right {
            return Ok(());
        }
        Err(Failure::Refused(Error::Unavailable(format!(
            "NATS has a stream {} that is not as this store needs it (subjects {:?}, one message for each, \
             discard new, maximum age {:?}, deletes allowed): change it, or use another namespace",
            wanted.name, wanted.subjects, wanted.max_age
        ))))
    }
}

/// Finds the stream, or makes it.
pub(super) async fn ensure(context: &Context, spec: &StreamSpec) -> Result<Stream<()>, Failure> {
    let config = spec.config();
    let name = config.name.clone();
    match context.get_stream(&name).await {
        Ok(stream) => spec.check(&stream.cached_info().config)?,
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                let made = context.create_stream(config).await.map_err(|error| match error.kind() {
                    CreateStreamErrorKind::JetStream(error) => refusal(&error),
                    _ => Failure::NotYet(format!("NATS: {error}")),
                })?;
                spec.check(&made.cached_info().config)?;
            }
            GetStreamErrorKind::JetStream(error) => return Err(refusal(&error)),
            // Nothing depends on it yet, so it can be asked again.
            _ => return Err(Failure::NotYet(format!("NATS: {error}; was the server started with JetStream?"))),
        },
    }
    context.get_stream_no_info(&name).await.map_err(|error| Failure::Lost(format!("NATS: {error}")))
}

impl Live {
    /// The value of a subject, from the stream's leader.
    pub(super) async fn last(&self, subject: &str) -> Result<Last, Failure> {
        let asked = self.stream().await?.raw_message_builder().last_by_subject(subject).send().await;
        match asked {
            Ok(message) => {
                let value = (!is_marker(&message.headers)).then(|| message.payload.into());
                Ok(Last { value, sequence: message.sequence })
            }
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(Last { value: None, sequence: 0 }),
                LastRawMessageErrorKind::JetStream(error) => Err(self.refused(&error)),
                _ => Err(Failure::Lost(format!("NATS: {error}"))),
            },
        }
    }

    /// Sends a message. Says whether it was stored; it was not where it expected another before it.
    pub(super) async fn publish(&self, subject: &str, message: PublishMessage) -> Result<bool, Failure> {
        self.stream().await?;
        let sent = async { self.context().send_publish(subject.to_owned(), message).await?.await };
        let Err(error) = sent.await else { return Ok(true) };
        match error.kind() {
            PublishErrorKind::WrongLastSequence => Ok(false),
            PublishErrorKind::StreamNotFound => Err(self.stream_is_gone()),
            PublishErrorKind::MaxPayloadExceeded => Err(Failure::Refused(Error::Unavailable(format!(
                "NATS takes no message this large: its max_payload is {} bytes",
                self.max_payload()
            )))),
            _ => Err(jetstream_error(&error)
                .map_or_else(|| Failure::Lost(format!("NATS: {error}")), |error| self.refused(error))),
        }
    }

    /// Takes one message away.
    pub(super) async fn delete(&self, sequence: u64) -> Result<(), Failure> {
        match self.stream().await?.delete_message(sequence).await {
            Ok(_done) => Ok(()),
            Err(error) => match error.kind() {
                DeleteMessageErrorKind::JetStream(error) => Err(self.refused(&error)),
                _ => Err(Failure::Lost(format!("NATS: {error}"))),
            },
        }
    }

    /// The keys of a bucket whose messages are not before `start`. A key that is set again moves to the end, so it is never missed.
    pub(super) async fn page(&self, bucket: &str, filter: String, start: u64) -> Result<Page, Failure> {
        let lost = |error: &dyn std::fmt::Display| Failure::Lost(format!("NATS: {error}"));
        let stream = self.stream().await?;
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: start },
            ack_policy: AckPolicy::None,
            filter_subject: filter,
            headers_only: true,
            inactive_threshold: LISTING_LASTS,
            memory_storage: true,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(|error| lost(&error))?;
        let fetched = consumer.fetch().max_messages(PAGE_KEYS).messages().await;
        let mut messages = fetched.map_err(|error| lost(&error))?;
        let mut page = Page::default();
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| lost(&error))?;
            let info = message.info().map_err(|error| lost(&error))?;
            page.next = (info.pending > 0).then(|| Cursor((info.stream_sequence + 1).to_string()));
            let is_live = !message.headers.as_ref().is_some_and(is_marker);
            page.keys.extend(key_of(&message.subject).filter(|key| is_live && is_key(bucket, key)));
        }
        // Otherwise the server does it a little later.
        let _tidied = stream.delete_consumer(&consumer.cached_info().name).await;
        Ok(page)
    }

    fn refused(&self, error: &async_nats::jetstream::Error) -> Failure {
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND { self.stream_is_gone() } else { refusal(error) }
    }
}

/// Whether a message says that its key was deleted, as other programs do that use key-value buckets.
fn is_marker(headers: &HeaderMap) -> bool {
    headers.get("KV-Operation").is_some_and(|operation| matches!(operation.as_str(), "DEL" | "PURGE"))
        || headers.get("Nats-Marker-Reason").is_some()
}

/// What the server itself says about a publish that it refused.
fn jetstream_error(error: &PublishError) -> Option<&async_nats::jetstream::Error> {
    error.source()?.downcast_ref()
}

/// What a refusal of the server means.
fn refusal(error: &async_nats::jetstream::Error) -> Failure {
    let text = format!("NATS: {error}");
    match error.error_code() {
        ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::MEMORY_RESOURCES_EXCEEDED => Failure::Refused(Error::Full),
        ErrorCode::STREAM_STORE_FAILED if text.contains("maximum") => Failure::Refused(Error::Full),
        ErrorCode::CLUSTER_NOT_AVAILABLE | ErrorCode::CLUSTER_NOT_LEADER => Failure::NotYet(text),
        _ => Failure::Refused(Error::Unavailable(text)),
    }
}
