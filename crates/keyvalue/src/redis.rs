//! Buckets in Redis, or in what speaks like it (Valkey), for more than one machine.
//!
//! A key `k` of bucket `b` is the Redis key `NAMESPACE:b/k`. Neither a namespace with `:` nor a bucket with `/` exists, so no two pairs
//! share a name. What is there is a hash of two fields: `v`, the value, and `n`, a number drawn at random for each value that was set,
//! by which a swap tells whether anything happened since, even if the value is the same again. What changes more than one of the two
//! does so in a script, which Redis runs as one step.
//!
//! What lasts, and how long, is up to the server. Without `appendonly yes` it forgets what it acknowledged when it is killed; with that,
//! and `appendfsync everysec`, up to the last two seconds; with `appendfsync always`, nothing. With an eviction policy it forgets keys
//! when it is full, without one it says [`Error::Full`].

mod line;

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use async_trait::async_trait;
use caplet_policy::{OpenBucket, Permitted, ReadKey, WriteKey};
use redis::{Cmd, FromRedisValue, Value, cmd};

use self::line::Line;
use crate::server::{Effect, ServerOptions, after};
use crate::{Cursor, Error, OpenError, PAGE_KEYS, Page, Seen, Store, is_key};

/// Sets both fields and the time to live; what the other scripts end with.
const PUT: &str = "redis.call('HSET', KEYS[1], 'v', ARGV[1], 'n', ARGV[2])
if ARGV[3] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1";

/// Sets the value if `n` is what it was, or if there is as little a value as there was.
const IF_AS_SEEN: &str = "if ARGV[4] == '' then
  if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
elseif redis.call('HGET', KEYS[1], 'n') ~= ARGV[4] then return 0 end
";

/// Adds, and gives the sum as text: a script's own numbers are not exact.
const ADD: &str = "local sum = redis.pcall('HINCRBY', KEYS[1], 'v', ARGV[1])
if type(sum) == 'table' then return sum end
redis.call('HSET', KEYS[1], 'n', ARGV[2])
if ARGV[3] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return redis.call('HGET', KEYS[1], 'v')";

/// Buckets in Redis.
pub struct RedisStore {
    line: Line,
    options: ServerOptions,
}

impl RedisStore {
    /// A store at `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, with `rediss:` over TLS with the system's roots, or at
    /// `unix:PATH`. It connects when it is first used, and again whenever it has to. It needs Redis 6 or later.
    ///
    /// # Errors
    ///
    /// When the address is none of these, or an option is out of its bounds.
    pub fn connect(url: &str, options: ServerOptions) -> Result<Self, OpenError> {
        options.check(Duration::from_millis(1))?;
        Ok(Self { line: Line::new(url, options.connect)?, options })
    }

    fn prefix(&self, bucket: &str) -> String {
        format!("{}:{bucket}/", self.options.namespace)
    }

    fn name(&self, bucket: &str, key: &str) -> String {
        self.prefix(bucket) + key
    }

    async fn ask<T: FromRedisValue>(&self, effect: Effect, command: &Cmd) -> Result<T, Error> {
        let answer = self.line.ask(effect, command, self.options.operation).await?;
        T::from_redis_value(answer).map_err(|_other| not_ours())
    }

    /// Runs a script on a key. `first` is its first argument; the new `n` and the time to live come next, then `last`.
    async fn run(&self, script: &str, op: &WriteKey, first: &[u8], last: Option<&str>) -> Result<Value, Error> {
        let ttl = self.options.ttl.map(|ttl| ttl.as_millis().to_string()).unwrap_or_default();
        let mut command = cmd("EVAL");
        command.arg(script).arg(1).arg(self.name(op.bucket(), op.key())).arg(first).arg(format!("{:016x}", draw()));
        command.arg(ttl).arg(last);
        self.ask(Effect::Writes, &command).await
    }
}

/// A number that does not come twice: 64 bits of a keyed hash whose keys the system drew.
fn draw() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn not_ours() -> Error {
    Error::Unavailable("Redis has something else under this key: another program uses the same namespace".into())
}

#[async_trait]
impl Store for RedisStore {
    async fn open(&self, _permit: &Permitted<OpenBucket>) -> Result<(), Error> {
        self.ask::<String>(Effect::Reads, &cmd("PING")).await.map(|_pong| ())
    }

    async fn get(&self, permit: &Permitted<ReadKey>) -> Result<Option<Vec<u8>>, Error> {
        let op = permit.op();
        self.ask(Effect::Reads, cmd("HGET").arg(self.name(op.bucket(), op.key())).arg("v")).await
    }

    async fn exists(&self, permit: &Permitted<ReadKey>) -> Result<bool, Error> {
        let op = permit.op();
        self.ask(Effect::Reads, cmd("EXISTS").arg(self.name(op.bucket(), op.key()))).await
    }

    async fn set(&self, permit: &Permitted<WriteKey>, value: Vec<u8>) -> Result<(), Error> {
        self.run(PUT, permit.op(), &value, None).await.map(|_done| ())
    }

    async fn delete(&self, permit: &Permitted<WriteKey>) -> Result<(), Error> {
        let op = permit.op();
        self.ask::<Value>(Effect::Writes, cmd("DEL").arg(self.name(op.bucket(), op.key()))).await.map(|_number| ())
    }

    async fn keys(&self, permit: &Permitted<OpenBucket>, from: Option<&Cursor>) -> Result<Page, Error> {
        let bucket = permit.op().bucket();
        let prefix = self.prefix(bucket);
        let mut at: u64 = from.map_or(Ok(0), |Cursor(text)| text.parse().map_err(|_other| Error::BadCursor))?;
        // Redis walks through all of its keys, most of which may be others': half of the operation's time for finding some of ours.
        let enough = after(self.options.operation / 2);
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(at).arg("MATCH").arg(literal(&prefix) + "*").arg("COUNT").arg(PAGE_KEYS);
            let (next, found): (u64, Vec<Vec<u8>>) = self.ask(Effect::Reads, &scan).await?;
            let names = found.into_iter().filter_map(|name| String::from_utf8(name).ok());
            let mut keys: Vec<String> =
                names.filter_map(|name| name.strip_prefix(&prefix).map(str::to_owned)).collect();
            keys.retain(|key| is_key(bucket, key));
            keys.sort_unstable();
            keys.dedup();
            if next == 0 || !keys.is_empty() || tokio::time::Instant::now() > enough {
                return Ok(Page { keys, next: (next != 0).then(|| Cursor(next.to_string())) });
            }
            at = next;
        }
    }

    async fn increment(&self, permit: &Permitted<WriteKey>, delta: i64) -> Result<i64, Error> {
        let sum = self.run(ADD, permit.op(), delta.to_string().as_bytes(), None).await?;
        i64::from_redis_value(sum).map_err(|_other| not_ours())
    }

    async fn look(&self, permit: &Permitted<ReadKey>) -> Result<Seen, Error> {
        let op = permit.op();
        let mut command = cmd("HMGET");
        command.arg(self.name(op.bucket(), op.key())).arg("v").arg("n");
        let fields: (Option<Vec<u8>>, Option<String>) = self.ask(Effect::Reads, &command).await?;
        match fields {
            (None, None) => Ok(Seen { value: None, version: None }),
            (value @ Some(_), Some(number)) => {
                let version = u64::from_str_radix(&number, 16).map_err(|_other| not_ours())?;
                Ok(Seen { value, version: Some(version) })
            }
            _ => Err(not_ours()),
        }
    }

    async fn swap(&self, permit: &Permitted<WriteKey>, seen: &Seen, value: Vec<u8>) -> Result<bool, Error> {
        let number = seen.version.map(|number| format!("{number:016x}")).unwrap_or_default();
        let done = self.run(&[IF_AS_SEEN, PUT].concat(), permit.op(), &value, Some(&number)).await?;
        bool::from_redis_value(done).map_err(|_other| not_ours())
    }

    fn describe(&self) -> String {
        format!("Redis at {}, namespace {}", self.line.address(), self.options.namespace)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("line", &self.line).field("options", &self.options).finish()
    }
}

/// A pattern that matches this text alone.
fn literal(text: &str) -> String {
    text.chars().fold(String::new(), |mut pattern, c| {
        if matches!(c, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
        pattern
    })
}
