//! `caplet.lock`: what was approved of the tools of a toolbox, beside the toolbox.
//!
//! In: the file, and the tools as they are now. Out: for each tool whether it is as it was approved, or what changed, authority first.
//!
//! What always holds: a tool that is not as its pin says, or that needs one and has none, is not offered; a lock that cannot be read
//! approves of nothing; the file is replaced as a whole or stays as it was; nothing here asks anybody, or approves by itself.
//!
//! A tool that comes with Caplet is as trusted as Caplet, so it needs no pin. Once it has one, a later Caplet in which it may do something
//! else, or says something else of itself, is a change like any other; other code alone is not.

mod change;
mod pin;
pub(crate) mod replace;
mod text;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use caplet_audit::{ErrorInfo, ErrorKind};
use caplet_component::Digest;
use caplet_policy::quote;

pub use change::{Change, FunctionChange, Kind};
pub use pin::Pin;

use crate::error::Error;
use crate::source::{Source, read_file};
use crate::toolbox::{Configured, Toolbox};
use replace::Held;

/// What is pinned, by the tool's name in the toolbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    pins: BTreeMap<String, Pin>,
}

impl Lock {
    /// What the file is called.
    pub const FILE: &str = "caplet.lock";

    /// The largest file that is read, in bytes: thousands of tools with long schemas.
    pub const LARGEST: u64 = 16 << 20;

    /// Where the lock of the toolbox at `toolbox` is, or would be: beside it.
    #[must_use]
    pub fn beside(toolbox: &Path) -> PathBuf {
        toolbox.with_file_name(Self::FILE)
    }

    /// Reads the file at `path`; where there is none, nothing is pinned.
    ///
    /// # Errors
    ///
    /// When there is something that cannot be read, or is no lock that this Caplet knows.
    pub fn read(path: &Path) -> Result<Self, Error> {
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            _ => {}
        }
        let bytes = read_file(path, Self::LARGEST).map_err(|error| match error {
            Error::Unreadable { reason, .. } => broken(path, reason),
            other => other,
        })?;
        let text = String::from_utf8(bytes).map_err(|_| broken(path, "it is not UTF-8"))?;
        Self::parse(&text).map_err(|reason| broken(path, reason))
    }

    /// Understands `text`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, on one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        text::parse(text).map(|pins| Self { pins })
    }

    /// The text of the file. The same pins are always the same text.
    #[must_use]
    pub fn text(&self) -> String {
        text::write(&self.pins)
    }

    /// The digest of that text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.text().as_bytes())
    }

    /// What is pinned of `tool`.
    #[must_use]
    pub fn pin(&self, tool: &str) -> Option<&Pin> {
        self.pins.get(tool)
    }

    /// The names of the tools that are pinned, in order.
    pub fn tools(&self) -> impl ExactSizeIterator<Item = &str> {
        self.pins.keys().map(String::as_str)
    }

    /// Pins `tool` as `pin`, in place of what was pinned before.
    pub fn set(&mut self, tool: &str, pin: Pin) {
        self.pins.insert(tool.to_owned(), pin);
    }

    /// Drops the pin of `tool`. Whether there was one.
    pub fn remove(&mut self, tool: &str) -> bool {
        self.pins.remove(tool).is_some()
    }

    /// Reads the file at `path`, changes it as `change` says, and replaces it. No other process changes it meanwhile.
    ///
    /// # Errors
    ///
    /// When it cannot be read or replaced; then it is as it was.
    pub fn update(path: &Path, change: impl FnOnce(&mut Self)) -> Result<(), Error> {
        let held = Held::new(path)?;
        let mut lock = Self::read(path)?;
        let before = lock.clone();
        change(&mut lock);
        if lock == before { Ok(()) } else { held.replace(path, lock.text().as_bytes(), replace::READABLE) }
    }
}

fn broken(path: &Path, reason: impl Into<String>) -> Error {
    let hint = format!(
        "put the file back as it was; or remove it, and look at every tool again with `caplet approve --all --config {}`",
        quote(&path.with_file_name("caplet.toml").to_string_lossy())
    );
    Error::Grant { asked: path.display().to_string(), reason: reason.into(), hint: Some(hint) }
}

/// What a catalog goes by: the locks of a toolbox, one beside each of its files.
#[derive(Clone, Debug, Default)]
pub struct Pins {
    /// By the file of the toolbox.
    locks: BTreeMap<PathBuf, Result<Lock, ErrorInfo>>,
}

impl Pins {
    /// The pins of `toolbox`. A lock that cannot be read approves of nothing.
    #[must_use]
    pub fn of_toolbox(toolbox: &Toolbox) -> Self {
        let read = |file: &Path| toolbox.lock(file).map_err(|error| error.info());
        Self { locks: toolbox.files().map(|file| (file.to_owned(), read(file))).collect() }
    }

    /// Why `tool`, which is `now`, is not to be offered; `options` are for the command that approves of it.
    pub(crate) fn refusal(&self, tool: &Configured<'_>, now: &Pin, options: &str) -> Option<ErrorInfo> {
        let (source, lock, tool) = (tool.source(), self.locks.get(tool.file()), tool.name());
        let nothing = Lock::default();
        let lock = match lock {
            None => &nothing,
            Some(Ok(lock)) => lock,
            Some(Err(error)) => {
                let message = format!("what was approved cannot be known: {}", error.message);
                return Some(ErrorInfo { kind: ErrorKind::Denied, message, hint: error.hint.clone() });
            }
        };
        let is_built_in = matches!(source, Source::BuiltIn(_));
        let message = match lock.pin(tool) {
            Some(pin) if is_approved(pin, now, is_built_in) => return None,
            None if is_built_in => return None,
            Some(_) => "it is not what was approved",
            None => "it was never approved",
        };
        let mut command = format!("caplet approve {tool}");
        if !options.is_empty() {
            command = format!("{command} {options}");
        }
        let hint = format!("`{command}` shows what it is and what changed, and asks you");
        Some(ErrorInfo::new(ErrorKind::Denied, message).with_hint(hint))
    }
}

/// Whether what is `now` is what `pin` approved of.
fn is_approved(pin: &Pin, now: &Pin, is_built_in: bool) -> bool {
    pin.shows_the_same(now) && (is_built_in || pin.digest() == now.digest())
}
