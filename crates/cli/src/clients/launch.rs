//! What a client starts, and under which name.

use std::fmt;
use std::path::Path;

use caplet::audit::ErrorKind;
use serde::Serialize;

use crate::failure::Failure;

/// The verb that serves.
const SERVE: &str = "serve";

/// Its options that an installation writes. Each has a value.
pub(crate) const CONFIG: &str = "--config";
pub(crate) const PROFILE: &str = "--profile";

/// What the program is called, or starts with being called.
const PROGRAM: &str = "caplet";

/// The start of a server: this program, or another copy of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Launch {
    pub(crate) command: String,
    pub(crate) args: Vec<String>,
}

/// What a client calls a server: what every client takes for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerName(String);

impl Launch {
    /// `caplet serve` with `options`.
    pub(crate) fn new(program: &Path, options: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let command = word(program)?;
        let args = [SERVE.to_owned()].into_iter().chain(options).collect();
        let launch = Self { command, args };
        if let Some(word) = launch.words().find(|word| word.contains(char::is_control)) {
            return Err(Failure::new(ErrorKind::InvalidArgs, format!("{word:?} is not one line of text")));
        }
        Ok(launch)
    }

    /// Such as a client's file has it; nothing if it does not start caplet.
    pub(super) fn of_caplet(command: &str, args: Vec<String>) -> Option<Self> {
        let name = Path::new(command).file_name()?.to_str()?;
        let is_ours = name.starts_with(PROGRAM) && args.first().is_some_and(|verb| verb == SERVE);
        is_ours.then(|| Self { command: command.to_owned(), args })
    }

    /// Whether it serves a client and nobody else: it has no options but those that an installation writes.
    pub(crate) fn is_plain(&self) -> bool {
        let options = self.args.get(1..).unwrap_or_default();
        options.chunks(2).all(|pair| pair.len() == 2 && matches!(pair[0].as_str(), CONFIG | PROFILE))
    }

    /// The words of the command line.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        [&self.command].into_iter().chain(&self.args).map(String::as_str)
    }
}

/// A path as a word of a command line.
pub(crate) fn word(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let why = format!("{} is not UTF-8, and no client could start it", path.display());
        Failure::new(ErrorKind::InvalidArgs, why)
    })
}

impl ServerName {
    /// Bytes of a name: as many as the names of tools have.
    const LONGEST: usize = 64;

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ServerName {
    fn default() -> Self {
        Self(PROGRAM.to_owned())
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ServerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if text.is_empty() || text.len() > Self::LONGEST || !text.bytes().all(is_plain) {
            return Err(format!("a name has 1 to {} letters, digits, _ and -", Self::LONGEST));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_serves_with_caplet_is_ours() {
        let args = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let cases: [(&str, &[&str], bool); 7] = [
            ("/usr/bin/caplet", &["serve"], true),
            ("caplet", &["serve", "--config", "/c.toml"], true),
            ("/opt/caplet-0.1/caplet-0.1", &["serve"], true),
            ("/usr/bin/caplet", &[], false),
            ("/usr/bin/caplet", &["run", "serve"], false),
            ("/home/caplet/server", &["serve"], false),
            ("npx", &["caplet", "serve"], false),
        ];
        for (command, words, ours) in cases {
            assert_eq!(Launch::of_caplet(command, args(words)).is_some(), ours, "{command} {words:?}");
        }
    }

    #[test]
    fn what_listens_or_is_unknown_is_not_plain() {
        for (words, plain) in [
            ("serve", true),
            ("serve --config /c.toml --profile a --profile b", true),
            ("serve --http 0.0.0.0:80", false),
            ("serve --config", false),
            ("serve --config /c.toml --http 127.0.0.1:1", false),
            ("serve --config=/c.toml", false),
        ] {
            let args = words.split(' ').map(str::to_owned).collect();
            assert_eq!(Launch::of_caplet("caplet", args).unwrap().is_plain(), plain, "{words}");
        }
    }

    #[test]
    fn a_name_is_one_that_every_client_takes() {
        for (text, is_name) in
            [("caplet", true), ("my-caplet_2", true), ("", false), ("a b", false), ("a.b", false), ("é", false)]
        {
            assert_eq!(text.parse::<ServerName>().is_ok(), is_name, "{text}");
        }
        assert!("x".repeat(65).parse::<ServerName>().is_err());
    }
}
