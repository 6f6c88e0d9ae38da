//! The operators of `${…}`.

use super::change::{Change, With, first_upper};
use super::parameter::{Found, Meant, Subscript};
use super::sink::Sink;
use crate::pattern::Pattern;
use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::{Name, Operator, Parameter, Replace, Text, Word};
use crate::text::{characters, length};

impl Shell {
    pub(super) async fn operate(
        &mut self,
        parameter: &Parameter,
        meant: &Meant,
        sink: &mut Sink,
        quoted: bool,
    ) -> Flow<()> {
        match &parameter.operator {
            Operator::Length => {
                let size = self.length_of(parameter, meant)?;
                sink.expanded(size.to_string().as_bytes(), quoted);
                return Ok(());
            }
            Operator::Keys => {
                let Name::Variable(name) = &meant.name else { return Ok(()) };
                let joined = meant.index == Subscript::All { joined: true };
                let keys = self.keys(name);
                self.emit(Found::Many(keys, joined), sink, quoted);
                return Ok(());
            }
            Operator::Names => {
                let Name::Variable(prefix) = &meant.name else { return Ok(()) };
                let mut names: Vec<Text> =
                    self.variables.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
                names.sort_unstable();
                let joined = meant.index == Subscript::All { joined: true };
                self.emit(Found::Many(names, joined), sink, quoted);
                return Ok(());
            }
            Operator::Missing { kind, colon, word } => {
                return self.missing(meant, (*kind, *colon), word, sink, quoted).await;
            }
            _ => {}
        }
        let found = self.found(meant)?;
        if !matches!(parameter.operator, Operator::Transform(_)) {
            self.check_set(&found, parameter)?;
        }
        let found = match &parameter.operator {
            Operator::Slice { offset, length } => self.slice(meant, found, offset, length.as_ref()).await?,
            Operator::Transform(kind) => self.transform(meant, found, *kind)?,
            operator => {
                let change = self.change_of(operator).await?;
                try_map(found, |text| change.apply(text))?
            }
        };
        self.emit(found, sink, quoted);
        Ok(())
    }

    fn length_of(&mut self, parameter: &Parameter, meant: &Meant) -> Flow<usize> {
        if let (Name::Variable(name), Subscript::All { .. }) = (&meant.name, &meant.index) {
            return Ok(self.count(name));
        }
        let found = self.found(meant)?;
        self.check_set(&found, parameter)?;
        Ok(match found {
            Found::One(text) => text.map_or(0, |text| length(&text)),
            Found::Many(values, _) => values.len(),
        })
    }

    async fn missing(
        &mut self,
        meant: &Meant,
        (kind, colon): (u8, bool),
        word: &Word,
        sink: &mut Sink,
        quoted: bool,
    ) -> Flow<()> {
        let found = self.found(meant)?;
        let there = match &found {
            Found::One(None) => false,
            Found::One(Some(text)) => !(colon && text.is_empty()),
            Found::Many(values, _) => values.iter().any(|value| !(colon && value.is_empty())),
        };
        match (kind, there) {
            (b'+', true) | (b'-', false) => self.expand_operand(word, sink, quoted).await,
            (b'+', false) => {
                if quoted {
                    sink.quoted(b"");
                }
                Ok(())
            }
            (b'=', false) => {
                let value = self.expand_text(word).await?;
                match (&meant.name, &meant.index) {
                    (Name::Variable(name), Subscript::None) => self.assign(name, value.clone(), false)?,
                    (Name::Variable(name), Subscript::At(at)) => self.assign_element(name, at, value.clone(), false)?,
                    _ => return Err(Stop::Failed("cannot assign in this way".to_owned(), 1)),
                }
                sink.expanded(&value, quoted);
                Ok(())
            }
            (b'?', false) => {
                let message = self.expand_text(word).await?;
                let name = match &meant.name {
                    Name::Variable(name) => crate::text::shown(name),
                    Name::Position(number) => number.to_string(),
                    Name::Special(special) => char::from(*special).to_string(),
                };
                let message = match (message.is_empty(), colon) {
                    (false, _) => crate::text::shown(&message),
                    (true, true) => "parameter null or not set".to_owned(),
                    (true, false) => "parameter not set".to_owned(),
                };
                Err(Stop::Failed(format!("{name}: {message}"), 127))
            }
            _ => {
                self.emit(found, sink, quoted);
                Ok(())
            }
        }
    }

    /// The operand of `-` and `+`: a word that is expanded where it stands.
    async fn expand_operand(&mut self, word: &Word, sink: &mut Sink, quoted: bool) -> Flow<()> {
        if word.parts.is_empty() {
            if quoted {
                sink.quoted(b"");
            }
            return Ok(());
        }
        if quoted {
            return self.expand_parts(&word.parts, sink, true).await;
        }
        for part in &word.parts {
            match part {
                // Unquoted text of an operand is split, unlike text of the script elsewhere.
                crate::syntax::ast::Part::Bare(text) => sink.expanded(text, false),
                other => self.expand_parts(std::slice::from_ref(other), sink, false).await?,
            }
        }
        Ok(())
    }

    async fn change_of(&mut self, operator: &Operator) -> Flow<Change> {
        let fold = false;
        Ok(match operator {
            Operator::Trim { suffix, longest, pattern } => {
                let pattern = Pattern::new(&self.expand_pattern(pattern).await?, fold);
                Change::Trim { suffix: *suffix, longest: *longest, pattern }
            }
            Operator::Replace { kind, pattern, with } => {
                let pattern = self.expand_pattern(pattern).await?;
                let with = With::new(&self.expand_replacement(with).await?);
                let anchored = matches!(kind, Replace::Prefix | Replace::Suffix);
                let empty = pattern.is_empty() && !anchored;
                Change::Replace { kind: *kind, empty, pattern: Pattern::new(&pattern, fold), with }
            }
            Operator::Case { kind, all, pattern } => {
                let text = self.expand_pattern(pattern).await?;
                let pattern = if text.is_empty() { Pattern::new(b"?", false) } else { Pattern::new(&text, false) };
                Change::Case { kind: *kind, all: *all, pattern }
            }
            _ => Change::None,
        })
    }

    async fn slice(&mut self, meant: &Meant, found: Found, offset: &Word, count: Option<&Word>) -> Flow<Found> {
        let offset = self.expand_number(offset).await?;
        let count = match count {
            Some(word) => Some(self.expand_number(word).await?),
            None => None,
        };
        Ok(match found {
            Found::One(None) => Found::One(None),
            Found::One(Some(text)) => {
                let Some((from, to)) = window(length(&text), offset, count)? else {
                    return Ok(Found::One(Some(Text::new())));
                };
                Found::One(Some(
                    characters(&text).skip(from).take(to.saturating_sub(from)).flatten().copied().collect(),
                ))
            }
            Found::Many(mut values, joined) => {
                // Of the arguments, `$0` is the one at 0.
                if matches!(meant.name, Name::Special(_)) {
                    values.insert(0, self.name.clone());
                }
                if count.is_some_and(|count| count < 0) {
                    return Err(Stop::Failed(format!("{}: substring expression < 0", count.unwrap_or(0)), 1));
                }
                let all = values.len();
                let range = window(all, offset, count)?.unwrap_or((0, 0));
                Found::Many(values.into_iter().skip(range.0).take(range.1.saturating_sub(range.0)).collect(), joined)
            }
        })
    }

    fn transform(&mut self, meant: &Meant, found: Found, kind: u8) -> Flow<Found> {
        if kind == b'a' || kind == b'A' {
            let Name::Variable(name) = &meant.name else { return Ok(Found::One(None)) };
            let Some(variable) = self.variable(name).cloned() else { return Ok(Found::One(None)) };
            let text =
                if kind == b'a' { variable.flags().into_bytes() } else { crate::builtin::assignment(name, &variable) };
            return Ok(Found::One(Some(text)));
        }
        if (kind == b'K' || kind == b'k')
            && let (Name::Variable(name), Subscript::All { joined }) = (&meant.name, &meant.index)
        {
            let Found::Many(values, _) = found else { return Ok(found) };
            let pairs = self
                .keys(name)
                .into_iter()
                .zip(values)
                .flat_map(|(key, value)| [key, crate::text::double_quoted(&value)]);
            return Ok(Found::Many(pairs.collect(), *joined));
        }
        Ok(map(found, |text| match kind {
            b'U' => crate::text::upper(&text),
            b'L' => crate::text::lower(&text),
            b'u' => first_upper(&text),
            b'E' => crate::escape::ansi_c(&text),
            b'Q' => crate::text::single_quoted(&text),
            _ => text,
        }))
    }
}

fn try_map(found: Found, change: impl Fn(Text) -> Flow<Text>) -> Flow<Found> {
    Ok(match found {
        Found::One(text) => Found::One(text.map(change).transpose()?),
        Found::Many(values, joined) => Found::Many(values.into_iter().map(change).collect::<Flow<_>>()?, joined),
    })
}

fn map(found: Found, change: impl Fn(Text) -> Text) -> Found {
    match found {
        Found::One(text) => Found::One(text.map(change)),
        Found::Many(values, joined) => Found::Many(values.into_iter().map(change).collect(), joined),
    }
}

/// The range of a slice; none where it lies outside.
fn window(size: usize, offset: i64, count: Option<i64>) -> Flow<Option<(usize, usize)>> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let from = if offset < 0 { size + offset } else { offset };
    if from < 0 || from > size {
        return Ok(None);
    }
    let to = match count {
        None => size,
        Some(count) if count < 0 => size + count,
        Some(count) => from.saturating_add(count).min(size),
    };
    if to < from {
        return Err(Stop::Failed(format!("{}: substring expression < 0", count.unwrap_or(0)), 1));
    }
    Ok(Some((usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0))))
}
