//! `wasi:keyvalue`: keys in buckets, read or written.
//!
//! To open a bucket, or to list its keys, some rule must be about it. A deny rule takes away reading and writing alike, whatever
//! its mode.

use std::fmt;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::filesystem::Mode;
use super::name::{op_name, rule_name};
use super::text_matcher::TextMatcher;
use super::{Allow, Reason, Rules, Section, sealed};
use crate::class::Class;
use crate::error::{OpError, RuleError};
use crate::layer::Sections;
use crate::pattern::glob::{Glob, escape_glob};
use crate::pattern::language::{literal, one_of, repeated, without};
use crate::pattern::set::TooMany;

/// Key-value buckets.
#[derive(Debug)]
pub enum KeyValueSection {}

/// To open a bucket, or to read or write one of its keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyValueOp {
    bucket: Arc<str>,
    /// `None` for the bucket as a whole, which is only ever opened or listed.
    key: Option<Arc<str>>,
    write: bool,
}

impl KeyValueOp {
    /// Opening a bucket, or listing those of its keys that a rule permits.
    ///
    /// # Errors
    ///
    /// When the bucket's name is empty, too long, or contains a slash or NUL.
    pub fn open(bucket: &str) -> Result<Self, OpError> {
        Ok(Self { bucket: op_name("bucket", bucket, &['/'])?, key: None, write: false })
    }

    /// Reading a key.
    ///
    /// # Errors
    ///
    /// When the bucket's name or the key is empty, too long, or contains NUL.
    pub fn read(bucket: &str, key: &str) -> Result<Self, OpError> {
        Ok(Self { key: Some(op_name("key", key, &[])?), ..Self::open(bucket)? })
    }

    /// Setting, changing or removing a key.
    ///
    /// # Errors
    ///
    /// As for [`KeyValueOp::read`].
    pub fn write(bucket: &str, key: &str) -> Result<Self, OpError> {
        Ok(Self { write: true, ..Self::read(bucket, key)? })
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key; `None` for the bucket as a whole.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whether it changes something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.write
    }

    pub(crate) fn parse(verb: &str, rest: &str) -> Option<Result<Self, OpError>> {
        let parts = rest.split_once('/');
        Some(match (verb, parts) {
            ("kv-read", Some((bucket, key))) => Self::read(bucket, key),
            ("kv-write", Some((bucket, key))) => Self::write(bucket, key),
            ("kv-read", None) => Self::open(rest),
            ("kv-write", None) => Err(OpError::with_fix("the op has no key", "write `kv-write BUCKET/KEY`")),
            _ => return None,
        })
    }
}

impl fmt::Display for KeyValueOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.write { "kv-write" } else { "kv-read" }, self.bucket)?;
        self.key.as_ref().map_or(Ok(()), |key| write!(f, "/{key}"))
    }
}

/// To open a bucket, or to list those of its keys that a rule permits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenBucket(Arc<str>);

impl OpenBucket {
    /// The op.
    ///
    /// # Errors
    ///
    /// As for [`KeyValueOp::open`].
    pub fn new(bucket: &str) -> Result<Self, OpError> {
        KeyValueOp::open(bucket).map(|op| Self(op.bucket))
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.0
    }
}

impl From<OpenBucket> for KeyValueOp {
    fn from(op: OpenBucket) -> Self {
        Self { bucket: op.0, key: None, write: false }
    }
}

/// An op on one key, as a type of its own: a store asks by type for the permission that it needs.
macro_rules! on_key {
    ($(#[$doc:meta])* $name:ident, $write:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            bucket: Arc<str>,
            key: Arc<str>,
        }

        impl $name {
            /// The op.
            ///
            /// # Errors
            ///
            /// As for [`KeyValueOp::read`].
            pub fn new(bucket: &str, key: &str) -> Result<Self, OpError> {
                Ok(Self { bucket: KeyValueOp::open(bucket)?.bucket, key: op_name("key", key, &[])? })
            }

            /// The bucket's name.
            #[must_use]
            pub fn bucket(&self) -> &str {
                &self.bucket
            }

            /// The key.
            #[must_use]
            pub fn key(&self) -> &str {
                &self.key
            }
        }

        impl From<$name> for KeyValueOp {
            fn from(op: $name) -> Self {
                Self { bucket: op.bucket, key: Some(op.key), write: $write }
            }
        }
    };
}

on_key! {
    /// To read a key.
    ReadKey, false
}
on_key! {
    /// To set, change or remove a key.
    WriteKey, true
}

/// `kv:BUCKET[/KEY-GLOB][:ro]`. Without a glob it is about every key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValueRule {
    bucket: Arc<str>,
    keys: Glob,
    mode: Mode,
}

impl KeyValueRule {
    /// A rule for the keys of `bucket` that match `keys`; `None` is every key.
    ///
    /// # Errors
    ///
    /// When the bucket's name is none, or `keys` is not a glob.
    pub fn new(bucket: &str, keys: Option<&str>, mode: Mode) -> Result<Self, RuleError> {
        let bucket = rule_name("bucket", bucket, &['/', ':'])?;
        let keys = keys.map_or_else(|| Ok(Glob::every_key()), Glob::parse_key)?;
        Ok(Self { bucket, keys, mode })
    }

    /// Never: a rule names one bucket.
    #[must_use]
    pub fn is_broad(&self) -> bool {
        false
    }

    pub(crate) fn parse(text: &str) -> Result<Self, RuleError> {
        let (rest, mode) = match text.strip_suffix(":ro") {
            // A colon behind a backslash stands for itself, unless that backslash does.
            Some(rest) if rest.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 0 => {
                (rest, Mode::ReadOnly)
            }
            _ => (text, Mode::ReadWrite),
        };
        let (bucket, keys) = match rest.split_once('/') {
            Some((bucket, keys)) => (bucket, Some(keys)),
            None => (rest, None),
        };
        let bucket = rule_name("bucket", bucket, &[':'])?;
        let keys = match keys {
            Some(keys) => Glob::parse_key(keys).map_err(|error| error.shifted(bucket.len() + 1))?,
            None => Glob::every_key(),
        };
        Ok(Self { bucket, keys, mode })
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What the rule permits.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    fn permits(&self, op: &KeyValueOp) -> bool {
        self.bucket == op.bucket && (!op.write || self.mode == Mode::ReadWrite)
    }
}

impl fmt::Display for KeyValueRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kv:{}", self.bucket)?;
        match (self.keys.as_str(), self.mode) {
            ("**", _) => {}
            (keys, Mode::ReadWrite) if keys.ends_with(":ro") => {
                write!(f, "/{}\\:ro", keys.strip_suffix(":ro").unwrap_or(keys))?;
            }
            (keys, _) => write!(f, "/{keys}")?,
        }
        if self.mode == Mode::ReadOnly { f.write_str(":ro") } else { Ok(()) }
    }
}

impl sealed::Sealed for KeyValueSection {}

impl Section for KeyValueSection {
    type Op = KeyValueOp;
    type Rule = KeyValueRule;
    type Matcher = TextMatcher;

    const CLASS: Class = Class::KeyValue;

    fn rules(sections: &Sections) -> &Rules<Self> {
        &sections.keyvalue
    }

    fn compile(allow: &Allow<KeyValueRule>, deny: &[KeyValueRule]) -> Result<TextMatcher, TooMany> {
        TextMatcher::new(allow, deny, |rule| &rule.keys)
    }

    fn judge(matcher: &TextMatcher, rules: &Rules<Self>, op: &KeyValueOp) -> Reason {
        match &op.key {
            Some(key) => {
                let denies = |rule: &KeyValueRule| rule.bucket == op.bucket;
                matcher.judge(rules, &format!("/{key}"), |rule| rule.permits(op), denies)
            }
            None => {
                let denies = |rule: &KeyValueRule| rule.bucket == op.bucket && rule.keys == Glob::every_key();
                Reason::of_lists(rules.allow(), rules.denied(), denies, |rule| rule.permits(op))
            }
        }
    }

    fn universe() -> Hir {
        let bucket = repeated(without(&['/', '\0']), 1, None);
        Hir::concat(vec![one_of("rw"), bucket, literal("/"), repeated(without(&['\0']), 1, None)])
    }

    fn permitted_by(rule: &KeyValueRule) -> Hir {
        let verbs = if rule.mode == Mode::ReadWrite { "rw" } else { "r" };
        Hir::concat(vec![one_of(verbs), literal(&rule.bucket), rule.keys.hir()])
    }

    fn denied_by(rule: &KeyValueRule) -> Hir {
        Hir::concat(vec![one_of("rw"), literal(&rule.bucket), rule.keys.hir()])
    }

    fn decode(text: &str) -> Option<KeyValueOp> {
        let (verb, rest) = text.split_at_checked(1)?;
        let (bucket, key) = rest.split_once('/')?;
        if verb == "w" { KeyValueOp::write(bucket, key) } else { KeyValueOp::read(bucket, key) }.ok()
    }

    fn nicer(op: &KeyValueOp) -> Vec<KeyValueOp> {
        vec![KeyValueOp { write: true, ..op.clone() }]
    }

    /// An open bucket gives nothing but names of keys, and only those that could be asked about are shown.
    fn follows(op: &KeyValueOp) -> bool {
        op.key.is_none()
    }

    fn suggestion(op: &KeyValueOp) -> Option<String> {
        let mode = if op.write { "" } else { ":ro" };
        Some(match &op.key {
            Some(key) => format!("kv:{}/{}{mode}", op.bucket, escape_glob(key)),
            None => format!("kv:{}{mode}", op.bucket),
        })
    }
}
