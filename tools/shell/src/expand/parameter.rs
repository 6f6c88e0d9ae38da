//! Parameters: what they hold, before operators.

use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::{Index, Name, Operator, Parameter, Text};
use crate::variable::Value;

use super::sink::Sink;

/// What a parameter gives.
pub(super) enum Found {
    One(Option<Text>),
    /// Several; joined where it was written with `*`.
    Many(Vec<Text>, bool),
}

/// A parameter that is meant, its subscript expanded.
#[derive(Clone, Debug)]
pub(super) struct Meant {
    pub(super) name: Name,
    pub(super) index: Subscript,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subscript {
    None,
    All { joined: bool },
    At(Text),
}

impl Shell {
    pub(super) async fn expand_parameter(&mut self, parameter: &Parameter, sink: &mut Sink, quoted: bool) -> Flow<()> {
        if matches!(&parameter.name, Name::Variable(name) if name == b"PIPESTATUS") {
            self.show_pipe_status();
        }
        if parameter.index.is_none() && matches!(parameter.operator, Operator::None) && !parameter.indirect {
            let found = self.found(&Meant { name: parameter.name.clone(), index: Subscript::None })?;
            self.check_set(&found, parameter)?;
            self.emit(found, sink, quoted);
            return Ok(());
        }
        let depth = self.deeper()?;
        let outcome = self.expand_operated(parameter, sink, quoted).await;
        self.depth = depth;
        outcome
    }

    async fn expand_operated(&mut self, parameter: &Parameter, sink: &mut Sink, quoted: bool) -> Flow<()> {
        let mut meant = self.meant(parameter).await?;
        if parameter.indirect {
            if let Some(target) = self.referred(&meant) {
                sink.expanded(&target, quoted);
                return Ok(());
            }
            meant = self.indirect(&meant)?;
        }
        self.operate(parameter, &meant, sink, quoted).await
    }

    async fn meant(&mut self, parameter: &Parameter) -> Flow<Meant> {
        let index = match &parameter.index {
            None => Subscript::None,
            Some(Index::All) => Subscript::All { joined: false },
            Some(Index::Joined) => Subscript::All { joined: true },
            Some(Index::At(word)) => Subscript::At(self.expand_text(word).await?),
        };
        Ok(Meant { name: parameter.name.clone(), index })
    }

    /// The name that a reference (`declare -n`) holds: what `${!reference}` gives.
    fn referred(&self, meant: &Meant) -> Option<Text> {
        let Name::Variable(name) = &meant.name else { return None };
        let is_reference = self.variables.get(name).is_some_and(|variable| variable.reference);
        (is_reference && meant.index == Subscript::None).then(|| self.resolve(name))
    }

    /// The parameter whose name another one holds.
    fn indirect(&mut self, meant: &Meant) -> Flow<Meant> {
        let Found::One(Some(text)) = self.found(meant)? else {
            return Err(Stop::Failed("invalid indirect expansion".to_owned(), 1));
        };
        let (name, index) = match text.iter().position(|byte| *byte == b'[') {
            Some(open) if text.ends_with(b"]") => {
                let inside = text.get(open + 1..text.len() - 1).unwrap_or_default();
                let index = match inside {
                    b"@" => Subscript::All { joined: false },
                    b"*" => Subscript::All { joined: true },
                    other => Subscript::At(other.to_vec()),
                };
                (text.get(..open).unwrap_or_default().to_vec(), index)
            }
            _ => (text.clone(), Subscript::None),
        };
        let name = match name.as_slice() {
            [special] if b"@*#?-$!0".contains(special) => Name::Special(*special),
            digits if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
                Name::Position(String::from_utf8_lossy(digits).parse().unwrap_or(usize::MAX))
            }
            other if crate::syntax::param::is_name(other) => Name::Variable(name),
            _ => return Err(Stop::Failed(format!("{}: invalid variable name", crate::text::shown(&text)), 1)),
        };
        Ok(Meant { name, index })
    }

    /// What the parameter holds.
    pub(super) fn found(&mut self, meant: &Meant) -> Flow<Found> {
        let name = match &meant.name {
            Name::Special(b'@') => return Ok(Found::Many(self.arguments.to_vec(), false)),
            Name::Special(b'*') => return Ok(Found::Many(self.arguments.to_vec(), true)),
            Name::Special(special) => return Ok(Found::One(self.special(*special))),
            Name::Position(number) => return Ok(Found::One(self.arguments.get(number - 1).cloned())),
            Name::Variable(name) => name,
        };
        Ok(match &meant.index {
            Subscript::None => Found::One(self.value(name)),
            Subscript::At(subscript) => Found::One(self.element(name, subscript)?),
            Subscript::All { joined } => {
                if name == b"FUNCNAME" {
                    return Ok(Found::Many(self.calls.iter().rev().cloned().collect(), *joined));
                }
                let name = self.resolve(name);
                Found::Many(self.variable(&name).map(|variable| variable.values()).unwrap_or_default(), *joined)
            }
        })
    }

    fn special(&mut self, special: u8) -> Option<Text> {
        let number = |value: usize| Some(value.to_string().into_bytes());
        match special {
            b'#' => number(self.arguments.len()),
            b'?' => Some(self.status.to_string().into_bytes()),
            b'-' => Some(self.options.letters().into_bytes()),
            b'$' => number(1),
            b'!' => self.background.map(|(id, _)| id.to_string().into_bytes()),
            b'0' => Some(self.name.clone()),
            _ => self.value(b"_"),
        }
    }

    /// `set -u`
    pub(super) fn check_set(&self, found: &Found, parameter: &Parameter) -> Flow<()> {
        if self.options.nounset() && matches!(found, Found::One(None)) {
            let shown = match &parameter.name {
                Name::Variable(name) => crate::text::shown(name),
                Name::Position(number) => number.to_string(),
                Name::Special(special) => char::from(*special).to_string(),
            };
            let shown = if parameter.index.is_some() { format!("{shown}[…]") } else { shown };
            return Err(Stop::Failed(format!("{shown}: unbound variable"), 127));
        }
        Ok(())
    }

    /// Hands a value on.
    pub(super) fn emit(&self, found: Found, sink: &mut Sink, quoted: bool) {
        match found {
            Found::One(None) => {
                if quoted {
                    sink.quoted(b"");
                }
            }
            Found::One(Some(text)) => sink.expanded(&text, quoted),
            Found::Many(values, joined) => self.emit_many(values, joined, sink, quoted),
        }
    }

    fn emit_many(&self, values: Vec<Text>, joined: bool, sink: &mut Sink, quoted: bool) {
        if !sink.splits() || quoted && joined {
            let separator = if joined { self.separators().first().copied() } else { Some(b' ') };
            let mut whole = Text::new();
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    whole.extend(separator.or(if self.variable(b"IFS").is_none() { Some(b' ') } else { None }));
                }
                whole.extend_from_slice(value);
            }
            return sink.expanded(&whole, quoted);
        }
        for (at, value) in values.iter().enumerate() {
            if at > 0 && (quoted || sink.has_begun()) {
                sink.end_field();
            }
            if quoted {
                sink.quoted(value);
            } else {
                sink.expanded(value, false);
            }
        }
    }

    /// The keys of an array, or whether the variable is set at all.
    pub(super) fn keys(&self, name: &[u8]) -> Vec<Text> {
        self.variable(name).map(|variable| variable.keys()).unwrap_or_default()
    }

    /// How many elements.
    pub(super) fn count(&self, name: &[u8]) -> usize {
        match self.variable(name).map(|variable| &variable.value) {
            Some(Value::Indexed(list)) => list.len(),
            Some(Value::Associative(map)) => map.len(),
            Some(Value::Text(_)) => 1,
            Some(Value::Unset) | None => 0,
        }
    }
}
