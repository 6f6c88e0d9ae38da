//! The file of tokens: TOML that only its owner can read, with a hash of each.
//!
//! What always holds: a file that others could read or write is not used, and neither is one with an entry that means nothing; it is
//! replaced as a whole or not at all; a token that was taken out of it is not valid a second later.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use subtle::Choice;

use super::principal::Principal;
use super::token::{Token, TokenHash, TokenSecret};
use crate::DEFAULT_PROFILE;
use crate::error::ServerError;
use crate::file::Regular;

/// The largest file that is read: thousands of tokens.
const MOST_BYTES: u64 = 1024 * 1024;

/// The longest name of a token or a profile, in bytes.
const LONGEST_NAME: usize = 64;

/// How often the file is looked at for whether it changed.
const LOOK: Duration = Duration::from_millis(500);

/// What a new file begins with.
const HEAD: &str = "# Bearer tokens of `caplet serve --http`: hashes, not the tokens. Written by `caplet token`.\n\n";

/// Where tokens are kept.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
}

/// A token to be made.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// What to call it.
    pub name: String,
    /// The profile of grants that it gives. `None` is the server's default.
    pub profile: Option<String>,
    /// When it ends to be valid. `None` is never.
    pub expires: Option<SystemTime>,
    /// Whether it may read `/metrics`.
    pub metrics: bool,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default, rename = "token")]
    tokens: Vec<RawToken>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToken {
    name: String,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// RFC 3339, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    metrics: bool,
}

impl TokenFile {
    /// The file at `path`, which need not be there before the first token.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it.
    ///
    /// # Errors
    ///
    /// When it is not there, cannot be read, means nothing, or is open to others.
    pub fn list(&self) -> Result<Vec<Token>, ServerError> {
        let file = Regular::open(&self.path).map_err(|error| self.wrong(error))?;
        let found = &file.found;
        if found.mode() & 0o077 != 0 {
            let mode = found.mode() & 0o777;
            let reason = format!("others can read or write it (its mode is {mode:03o}): run `chmod 600` on it");
            return Err(self.wrong(reason));
        }
        let uid = rustix::process::geteuid().as_raw();
        if ![0, uid].contains(&found.uid()) {
            return Err(self.wrong("it belongs to another user"));
        }
        let text = file.read(MOST_BYTES).map_err(|error| self.wrong(error))?;
        let raw: RawFile = toml::from_slice(&text).map_err(|error| self.wrong(error.to_string().trim_end()))?;
        let tokens: Vec<Token> = raw
            .tokens
            .into_iter()
            .map(|token| token.resolve())
            .collect::<Result<_, _>>()
            .map_err(|why| self.wrong(why))?;
        match tokens
            .iter()
            .enumerate()
            .find(|(at, token)| tokens.iter().take(*at).any(|other| other.name == token.name))
        {
            Some((_, twice)) => Err(self.wrong(format!("there are two tokens called {:?}", twice.name))),
            None => Ok(tokens),
        }
    }

    /// Makes a token, and keeps its hash.
    ///
    /// # Errors
    ///
    /// When there is one of that name, the name means nothing, or the file cannot be read or written.
    pub fn add(&self, new: NewToken) -> Result<TokenSecret, ServerError> {
        let _lock = self.lock()?;
        let mut tokens = self.list_or_none()?;
        for name in [Some(&new.name), new.profile.as_ref()].into_iter().flatten() {
            check_name(name).map_err(|reason| ServerError::setting("the name", name, reason))?;
        }
        if tokens.iter().any(|token| token.name == new.name) {
            return Err(self.wrong(format!("there is a token called {:?} already", new.name)));
        }
        let secret = TokenSecret::generate()?;
        let NewToken { name, profile, expires, metrics } = new;
        tokens.push(Token { name, hash: secret.hash(), profile, expires, metrics });
        self.replace(&tokens)?;
        Ok(secret)
    }

    /// Takes out the token called `name`; false if there is none.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written.
    pub fn remove(&self, name: &str) -> Result<bool, ServerError> {
        let _lock = self.lock()?;
        let mut tokens = self.list_or_none()?;
        let before = tokens.len();
        tokens.retain(|token| token.name != name);
        if tokens.len() == before {
            return Ok(false);
        }
        self.replace(&tokens)?;
        Ok(true)
    }

    fn list_or_none(&self) -> Result<Vec<Token>, ServerError> {
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            _ => self.list(),
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Holds off others that would change it. The lock is the folder's, which is there before the file is.
    fn lock(&self) -> Result<File, ServerError> {
        let folder = self.folder();
        if !folder.is_dir() {
            let made =
                std::os::unix::fs::DirBuilderExt::mode(fs::DirBuilder::new().recursive(true), 0o700).create(folder);
            made.map_err(|error| self.wrong(error))?;
        }
        let lock = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
        lock.map_err(|error| self.wrong(error))
    }

    fn replace(&self, tokens: &[Token]) -> Result<(), ServerError> {
        let raw = RawFile { tokens: tokens.iter().map(RawToken::of).collect() };
        let text = toml::to_string(&raw).map_err(|error| self.wrong(error))?;
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{}.new", std::process::id()));
        let new = PathBuf::from(name);
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
            file.write_all(format!("{HEAD}{text}").as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &self.path)
        });
        written.map_err(|error| {
            // What was not put in place is of no use; that it is gone is not worth another error.
            let _ = fs::remove_file(&new);
            self.wrong(error)
        })
    }

    fn wrong(&self, reason: impl ToString) -> ServerError {
        ServerError::file("the tokens", &self.path, reason)
    }
}

impl RawToken {
    fn resolve(self) -> Result<Token, String> {
        let Self { name, sha256, profile, expires, metrics } = self;
        check_name(&name).map_err(|reason| format!("the name {name:?} cannot be used: {reason}"))?;
        let hash =
            TokenHash::from_hex(&sha256).ok_or_else(|| format!("the sha256 of {name:?} is not 64 hex digits"))?;
        let expires = expires.map(|text| humantime::parse_rfc3339(&text)).transpose();
        let expires = expires.map_err(|_| format!("expires of {name:?} is not like \"2030-01-31T00:00:00Z\""))?;
        Ok(Token { name, hash, profile, expires, metrics })
    }

    fn of(token: &Token) -> Self {
        let Token { name, hash, profile, expires, metrics } = token.clone();
        let expires = expires.map(|at| humantime::format_rfc3339_seconds(at).to_string());
        Self { name, sha256: hash.to_hex(), profile, expires, metrics }
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
    let is_name = !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_plain);
    if is_name { Ok(()) } else { Err("it takes up to 64 letters, digits and - _ . @") }
}

/// The tokens of a file as it is now.
#[derive(Debug)]
pub(super) struct Tokens {
    file: TokenFile,
    known: Mutex<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    tokens: Arc<[Token]>,
    stamp: Option<Stamp>,
    looked: Instant,
}

/// What changes with a file.
type Stamp = (u64, u64, i64, i64, u64, u32);

impl Tokens {
    pub(super) fn open(file: TokenFile) -> Result<Self, ServerError> {
        let stamp = stamp(&file.path);
        let tokens = file.list()?.into();
        Ok(Self { file, known: Mutex::new(Known { tokens, stamp, looked: Instant::now() }) })
    }

    pub(super) fn profiles(&self) -> Vec<(String, String)> {
        let profile = |token: &Token| Some((format!("the token {:?}", token.name), token.profile.clone()?));
        self.now().iter().filter_map(profile).collect()
    }

    /// Who `token` is of.
    pub(super) fn principal(&self, token: &str) -> Option<Principal> {
        let hash = TokenHash::of(token);
        let tokens = self.now();
        // All of them, so that the time does not tell which one came close.
        let found = tokens.iter().fold(None, |found, known| {
            let is_it: Choice = known.hash.is(&hash);
            if bool::from(is_it) { Some(known) } else { found }
        });
        found.map(principal).filter(|principal| !principal.is_over(SystemTime::now()))
    }

    /// Whether `owner` came with a token that is not there any more.
    pub(super) fn is_gone(&self, owner: &Principal) -> bool {
        owner.who().starts_with(WHO) && !self.now().iter().any(|token| principal(token) == *owner)
    }

    /// What is in the file. One that cannot be used holds nothing: else a token that was taken out could stay valid.
    fn now(&self) -> Arc<[Token]> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.looked.elapsed() >= LOOK {
            known.looked = Instant::now();
            let stamp = stamp(&self.file.path);
            if stamp.is_none() || stamp != known.stamp {
                known.stamp = stamp;
                known.tokens = self.file.list().map(Arc::from).unwrap_or_else(|error| {
                    tracing::error!(%error, "no token is valid any more");
                    Arc::default()
                });
            }
        }
        Arc::clone(&known.tokens)
    }
}

/// What the principals of tokens begin with.
const WHO: &str = "token:";

fn principal(token: &Token) -> Principal {
    let profile = token.profile.clone().unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    // With the hash: a token of the same name that is made later is another principal.
    let who = format!("{WHO}{}:{}", token.name, token.hash.to_hex());
    Principal::new(who, profile).metrics(token.metrics).until(token.expires)
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.mtime(), found.mtime_nsec(), found.len(), found.mode()))
}
