//! Options of commands, as GNU's `getopt_long` takes them.

use bstr::ByteSlice;

use crate::stop::{Flow, misused};
use crate::syntax::ast::Text;

/// The options and operands of a call.
#[derive(Debug, Default)]
pub(super) struct Flags {
    given: Vec<(u8, Text)>,
    /// What is no option.
    pub(super) operands: Vec<Text>,
}

impl Flags {
    /// Reads arguments. `short` has the letters, each with a `:` after it that takes a value, or `?` where the value may only
    /// be joined to it; a `+` at the start ends the options at the first operand. `long` maps long names to letters.
    pub(super) fn parse(arguments: &[Text], short: &str, long: &[(&str, u8)]) -> Flow<Self> {
        let mut flags = Self::default();
        let strict = short.starts_with('+');
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == b"--" {
                flags.operands.extend(rest.cloned());
                break;
            }
            if let Some(name) = argument.strip_prefix(b"--") {
                let (name, joined) = match name.split_once_str("=") {
                    Some((name, value)) => (name.to_str_lossy(), Some(value.to_vec())),
                    None => (name.to_str_lossy(), None),
                };
                let found = long.iter().find(|(known, _)| *known == name).or_else(|| {
                    let mut near = long.iter().filter(|(known, _)| known.starts_with(name.as_ref()));
                    near.next().filter(|_| near.next().is_none())
                });
                let Some((_, letter)) = found else { return misused(format!("unrecognized option '--{name}'")) };
                let value = match (mode(short, *letter), joined) {
                    (Mode::Value, None) => match rest.next() {
                        Some(value) => value.clone(),
                        None => return misused(format!("option '--{name}' requires an argument")),
                    },
                    (_, joined) => joined.unwrap_or_default(),
                };
                flags.given.push((*letter, value));
            } else if argument.starts_with(b"-") && argument.len() > 1 {
                flags.cluster(argument.get(1..).unwrap_or_default(), short, &mut rest)?;
            } else {
                flags.operands.push(argument.clone());
                if strict {
                    flags.operands.extend(rest.cloned());
                    break;
                }
            }
        }
        Ok(flags)
    }

    fn cluster(&mut self, letters: &[u8], short: &str, rest: &mut std::slice::Iter<'_, Text>) -> Flow<()> {
        for (at, letter) in letters.iter().enumerate() {
            let after = letters.get(at + 1..).unwrap_or_default();
            match mode(short, *letter) {
                Mode::Unknown => return misused(format!("invalid option -- '{}'", char::from(*letter))),
                Mode::Plain => self.given.push((*letter, Text::new())),
                Mode::Joined => {
                    self.given.push((*letter, after.to_vec()));
                    return Ok(());
                }
                Mode::Value => {
                    let value = if after.is_empty() { rest.next().cloned() } else { Some(after.to_vec()) };
                    let Some(value) = value else {
                        return misused(format!("option requires an argument -- '{}'", char::from(*letter)));
                    };
                    self.given.push((*letter, value));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub(super) fn has(&self, letter: u8) -> bool {
        self.given.iter().any(|(given, _)| *given == letter)
    }

    /// The last of these that was given.
    pub(super) fn last(&self, letters: &[u8]) -> Option<u8> {
        self.given.iter().rev().map(|(given, _)| *given).find(|given| letters.contains(given))
    }

    /// The last value of an option.
    pub(super) fn value(&self, letter: u8) -> Option<&Text> {
        self.given.iter().rev().find(|(given, _)| *given == letter).map(|(_, value)| value)
    }

    /// All values of an option.
    pub(super) fn values(&self, letter: u8) -> impl Iterator<Item = &Text> {
        self.given.iter().filter(move |(given, _)| *given == letter).map(|(_, value)| value)
    }

    /// All options in their order, each with its value.
    pub(super) fn all(&self) -> impl Iterator<Item = (u8, &Text)> {
        self.given.iter().map(|(letter, value)| (*letter, value))
    }

    /// A value that is a whole number.
    pub(super) fn number(&self, letter: u8) -> Flow<Option<usize>> {
        match self.value(letter) {
            None => Ok(None),
            Some(text) => match text.to_str_lossy().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(crate::stop::Stop::Failed(format!("invalid number: '{}'", text.to_str_lossy()), 1)),
            },
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Unknown,
    Plain,
    Value,
    Joined,
}

fn mode(short: &str, letter: u8) -> Mode {
    let known = short.as_bytes();
    match known.iter().position(|byte| *byte == letter && letter != b':') {
        // Letters above the ASCII ones stand for long options that have no short form.
        None if letter < 32 => Mode::Plain,
        None => Mode::Unknown,
        Some(at) => match known.get(at + 1) {
            Some(b':') => Mode::Value,
            Some(b'?') => Mode::Joined,
            _ => Mode::Plain,
        },
    }
}
