//! Expressions, builtin functions, and those of the program.

use std::rc::Rc;

use bstr::ByteSlice;

use super::super::lex::unescaped;
use super::super::tree::{Builtin, Expr, Slot};
use super::super::value::Value;
use super::print::formatted;
use super::variable::by_regex;
use super::{CONVFMT, Cell, DEPTH_MAX, FS, Leave, Machine, RLENGTH, RSTART, bad};
use crate::number;
use crate::regex::Regex;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;
use crate::task::Task;

impl Machine<'_> {
    /// A text as an expression, compiled once.
    pub(super) fn regex_of(&mut self, text: &[u8]) -> Flow<Rc<Regex>> {
        if let Some(known) = self.regexes.get(text) {
            return Ok(Rc::clone(known));
        }
        let regex = Rc::new(Regex::extended(&unescaped(text), false).map_err(bad)?);
        if self.regexes.len() > 500 {
            self.regexes.clear();
        }
        self.regexes.insert(text.to_vec(), Rc::clone(&regex));
        Ok(regex)
    }

    async fn regex(&mut self, expr: &Expr) -> Flow<Rc<Regex>> {
        if let Expr::Regex(regex) = expr {
            return Ok(Rc::clone(regex));
        }
        let text = self.eval(expr).await?.text();
        self.regex_of(&text)
    }

    #[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
    pub(super) fn eval<'b>(&'b mut self, expr: &'b Expr) -> Task<'b, Flow<Value>> {
        Box::pin(async move {
            Ok(match expr {
                Expr::Number(value) => Value::Number(*value),
                Expr::Text(text) => Value::Text(text.clone()),
                Expr::Regex(regex) => {
                    self.join();
                    Value::from(regex.is_match(&self.record))
                }
                Expr::Variable(slot) => self.get(*slot)?,
                Expr::Field(number) => {
                    let number = self.eval(number).await?.number();
                    self.field(number)?
                }
                Expr::Element(slot, index) => {
                    let key = self.key(index).await?;
                    self.array(*slot)?.borrow_mut().entry(key).or_default().clone()
                }
                Expr::In(index, slot) => {
                    let key = self.key(index).await?;
                    Value::from(self.array(*slot)?.borrow().contains_key(&key))
                }
                Expr::Assign(target, operator, value) => {
                    let value = self.eval(value).await?;
                    let value = match operator {
                        None => value,
                        Some(operator) => {
                            let old = self.eval(target).await?.number();
                            Value::Number(compute(*operator, old, value.number())?)
                        }
                    };
                    self.assign(target, value.clone()).await?;
                    value
                }
                Expr::Step { target, up, before } => {
                    let old = self.eval(target).await?.number();
                    let new = if *up { old + 1.0 } else { old - 1.0 };
                    self.assign(target, Value::Number(new)).await?;
                    Value::Number(if *before { new } else { old })
                }
                Expr::Binary(operator, left, right) => {
                    let left = self.eval(left).await?.number();
                    Value::Number(compute(*operator, left, self.eval(right).await?.number())?)
                }
                Expr::Compare(operator, left, right) => {
                    let left = self.eval(left).await?;
                    Value::from(compared(operator, &left, &self.eval(right).await?))
                }
                Expr::Match(negated, left, right) => {
                    let text = self.eval(left).await?.text();
                    Value::from(self.regex(right).await?.is_match(&text) != *negated)
                }
                Expr::And(left, right) => {
                    Value::from(self.eval(left).await?.truth() && self.eval(right).await?.truth())
                }
                Expr::Or(left, right) => Value::from(self.eval(left).await?.truth() || self.eval(right).await?.truth()),
                Expr::Not(inner) => Value::from(!self.eval(inner).await?.truth()),
                Expr::Minus(inner) => Value::Number(-self.eval(inner).await?.number()),
                Expr::Plus(inner) => Value::Number(self.eval(inner).await?.number()),
                Expr::Concat(left, right) => {
                    let (left, right) = (self.eval(left).await?, self.eval(right).await?);
                    let mut text = self.shown(&left, CONVFMT)?;
                    text.extend(self.shown(&right, CONVFMT)?);
                    Value::Text(text)
                }
                Expr::Choose(condition, yes, no) => {
                    if self.eval(condition).await?.truth() {
                        self.eval(yes).await?
                    } else {
                        self.eval(no).await?
                    }
                }
                Expr::Group(inner) => self.eval(inner).await?,
                Expr::Builtin(builtin, arguments) => self.builtin(*builtin, arguments).await?,
                Expr::Call(name, arguments) => self.call(name, arguments).await?,
                Expr::Getline { from, into } => self.getline(from.as_ref(), into.as_deref()).await?,
            })
        })
    }

    async fn assign(&mut self, target: &Expr, value: Value) -> Flow<()> {
        match target {
            Expr::Variable(slot) => self.set_slot(*slot, value),
            Expr::Field(number) => {
                let number = self.value(number).await?.number();
                self.set_field(number, value)
            }
            Expr::Element(slot, index) => {
                let key = self.key(index).await?;
                self.array(*slot)?.borrow_mut().insert(key, value);
                Ok(())
            }
            _ => Err(bad("assignment to what is no variable")),
        }
    }

    async fn getline(&mut self, from: Option<&(bool, Box<Expr>)>, into: Option<&Expr>) -> Flow<Value> {
        let record = match from {
            None => self.next_record().await?,
            Some((command, name)) => {
                let name = self.value(name).await?.text();
                match self.read_from(&name, *command).await? {
                    Ok(record) => record,
                    Err(()) => return Ok(Value::Number(-1.0)),
                }
            }
        };
        let Some(record) = record else { return Ok(Value::Number(0.0)) };
        if from.is_none() {
            self.count();
        }
        match into {
            Some(target) => self.assign(target, Value::input(&record)).await?,
            None => self.set_record(record),
        }
        Ok(Value::Number(1.0))
    }

    async fn call(&mut self, name: &Text, arguments: &[Expr]) -> Flow<Value> {
        let Some(function) = self.program.functions.get(name).cloned() else {
            return Err(bad(format!("function {} is not defined", name.to_str_lossy())));
        };
        if self.frames.len() >= DEPTH_MAX {
            return Err(bad(format!("functions call each other more than {DEPTH_MAX} deep")));
        }
        let mut frame = Vec::new();
        let mut shared = Vec::new();
        for (at, argument) in arguments.iter().enumerate() {
            let cell = match argument {
                Expr::Variable(slot) => match self.peek(*slot) {
                    Some(Cell::Array(array)) => Cell::Array(array),
                    Some(Cell::Value(Value::Unset)) => {
                        // It may become an array inside; then it is one outside too.
                        shared.push((at, *slot));
                        Cell::Value(Value::Unset)
                    }
                    _ => Cell::Value(self.get(*slot)?),
                },
                other => Cell::Value(self.value(other).await?),
            };
            frame.push(cell);
        }
        frame.resize(function.parameters.max(frame.len()), Cell::Value(Value::Unset));
        self.frames.push(frame);
        let outcome = self.block(&function.body).await;
        let frame = self.frames.pop().unwrap_or_default();
        for (at, slot) in shared {
            if let Some(Cell::Array(array)) = frame.get(at) {
                self.share(slot, array.clone());
            }
        }
        match outcome? {
            Some(Leave::Return(value)) => Ok(value),
            Some(Leave::Exit) => {
                self.leaving = true;
                Err(Stop::Discard)
            }
            _ => Ok(Value::Unset),
        }
    }

    fn peek(&self, slot: Slot) -> Option<Cell> {
        match slot {
            Slot::Global(at) => self.globals.get(at).cloned(),
            Slot::Local(at) => self.frames.last()?.get(at).cloned(),
        }
    }

    fn share(&mut self, slot: Slot, array: super::Array) {
        let cell = match slot {
            Slot::Global(at) => self.globals.get_mut(at),
            Slot::Local(at) => self.frames.last_mut().and_then(|frame| frame.get_mut(at)),
        };
        if let Some(cell) = cell {
            *cell = Cell::Array(array);
        }
    }

    #[expect(clippy::too_many_lines, reason = "one step or arm after the other, each short")]
    async fn builtin(&mut self, builtin: Builtin, arguments: &[Expr]) -> Flow<Value> {
        match builtin {
            Builtin::Length if matches!(arguments, [Expr::Variable(slot)] if matches!(self.peek(*slot), Some(Cell::Array(_)))) =>
            {
                let Some(Expr::Variable(slot)) = arguments.first() else { return Ok(Value::Unset) };
                let count = self.array(*slot)?.borrow().len();
                return Ok(Value::Number(f64::from(u32::try_from(count).unwrap_or(u32::MAX))));
            }
            Builtin::Split => return self.split(arguments).await,
            Builtin::Sub | Builtin::Gsub | Builtin::Gensub => return self.substitute(builtin, arguments).await,
            Builtin::Match => return self.matching(arguments).await,
            Builtin::Asort | Builtin::Asorti => return self.sorted(arguments, builtin == Builtin::Asorti),
            _ => {}
        }
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.value(argument).await?);
        }
        let number = |at: usize| values.get(at).map_or(0.0, Value::number);
        let text = |at: usize| values.get(at).map(Value::text).unwrap_or_default();
        Ok(match builtin {
            Builtin::Length => {
                self.join();
                let text = values.first().map_or_else(|| self.record.clone(), Value::text);
                Value::Number(f64::from(u32::try_from(crate::text::length(&text)).unwrap_or(u32::MAX)))
            }
            Builtin::Substr => Value::Text(substr(&text(0), number(1), values.get(2).map(Value::number))),
            Builtin::Index => {
                let (whole, part) = (text(0), text(1));
                let at = whole.find(&part).map_or(0, |at| crate::text::length(whole.get(..at).unwrap_or_default()) + 1);
                Value::Number(f64::from(u32::try_from(at).unwrap_or(0)))
            }
            Builtin::Sprintf => Value::Text(formatted(&text(0), values.get(1..).unwrap_or_default())?),
            Builtin::Sin => Value::Number(number(0).sin()),
            Builtin::Cos => Value::Number(number(0).cos()),
            Builtin::Atan2 => Value::Number(number(0).atan2(number(1))),
            Builtin::Exp => Value::Number(number(0).exp()),
            Builtin::Log => Value::Number(number(0).ln()),
            Builtin::Sqrt => Value::Number(number(0).sqrt()),
            Builtin::Int => Value::Number(number(0).trunc()),
            Builtin::Tolower => Value::Text(crate::text::lower(&text(0))),
            Builtin::Toupper => Value::Text(crate::text::upper(&text(0))),
            Builtin::Rand => {
                self.random =
                    self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                Value::Number(f64::from(u32::try_from(self.random >> 33).unwrap_or(0)) / f64::from(1_u32 << 31))
            }
            Builtin::Srand => {
                let seed = values
                    .first()
                    .map_or_else(|| f64::from(u32::try_from(crate::fs::now().as_secs()).unwrap_or(0)), Value::number);
                self.random = seed.to_bits() | 1;
                Value::Number(std::mem::replace(&mut self.seed, seed))
            }
            Builtin::System => {
                self.out.flush().await?;
                let output = self.run_command(&text(0), None).await?;
                self.shell.stdout().write(&output).await?;
                Value::Number(f64::from(self.shell.status))
            }
            Builtin::Close => {
                let name = text(0);
                Value::Number(self.close(&name).await?)
            }
            Builtin::Fflush => {
                self.out.flush().await?;
                Value::Number(0.0)
            }
            Builtin::Systime => Value::Number(f64::from(u32::try_from(crate::fs::now().as_secs()).unwrap_or(u32::MAX))),
            Builtin::Strftime => {
                let seconds = values.get(1).map_or_else(
                    || i64::try_from(crate::fs::now().as_secs()).unwrap_or(0),
                    |value| number::truncate(value.number()),
                );
                let layout = if values.is_empty() { "%c".to_owned() } else { text(0).to_str_lossy().into_owned() };
                Value::Text(crate::calendar::Moment::new(seconds, 0).format(&layout).into_bytes())
            }
            Builtin::Strtonum => {
                let shown = text(0).to_str_lossy().trim().to_ascii_lowercase();
                let value = match shown.strip_prefix("0x") {
                    Some(digits) => i64::from_str_radix(digits, 16).map_or(0.0, whole),
                    None if shown.len() > 1
                        && shown.starts_with('0')
                        && shown.bytes().all(|byte| byte.is_ascii_digit()) =>
                    {
                        i64::from_str_radix(&shown, 8).map_or(0.0, whole)
                    }
                    None => number(0),
                };
                Value::Number(value)
            }
            Builtin::BitAnd | Builtin::BitOr | Builtin::BitXor => {
                let bits = values.iter().map(|value| number::truncate(value.number()));
                let joined = bits.reduce(|left, right| match builtin {
                    Builtin::BitAnd => left & right,
                    Builtin::BitOr => left | right,
                    _ => left ^ right,
                });
                Value::Number(whole(joined.unwrap_or(0)))
            }
            Builtin::ShiftLeft | Builtin::ShiftRight => {
                let by = u32::try_from(number::truncate(number(1))).unwrap_or(64);
                let bits = number::truncate(number(0));
                let moved = if builtin == Builtin::ShiftLeft { bits.checked_shl(by) } else { bits.checked_shr(by) };
                Value::Number(whole(moved.unwrap_or(0)))
            }
            Builtin::Split
            | Builtin::Sub
            | Builtin::Gsub
            | Builtin::Gensub
            | Builtin::Match
            | Builtin::Asort
            | Builtin::Asorti => Value::Unset,
        })
    }

    async fn split(&mut self, arguments: &[Expr]) -> Flow<Value> {
        let (Some(text), Some(Expr::Variable(slot))) = (arguments.first(), arguments.get(1)) else {
            return Err(bad("split: an array is wanted"));
        };
        let text = self.value(text).await?.text();
        let pieces = match arguments.get(2) {
            Some(Expr::Regex(regex)) => by_regex(&text, regex),
            Some(other) => {
                let separator = self.value(other).await?.text();
                self.pieces(&text, &separator)
            }
            None => {
                let separator = self.global(FS).text();
                self.pieces(&text, &separator)
            }
        };
        let array = self.array(*slot)?;
        let mut array = array.borrow_mut();
        array.clear();
        for (number, (from, to)) in (1..).zip(&pieces) {
            let number: usize = number;
            array.insert(number.to_string().into_bytes(), Value::input(text.get(*from..*to).unwrap_or_default()));
        }
        Ok(Value::Number(f64::from(u32::try_from(pieces.len()).unwrap_or(u32::MAX))))
    }

    /// `asort` and `asorti`: the values, or the indices, in order as 1, 2, …; into the second array, if there is one.
    fn sorted(&mut self, arguments: &[Expr], indices: bool) -> Flow<Value> {
        let Some(Expr::Variable(slot)) = arguments.first() else { return Err(bad("asort: an array is wanted")) };
        let source = self.array(*slot)?;
        let target = match arguments.get(1) {
            Some(Expr::Variable(slot)) => self.array(*slot)?,
            Some(_) => return Err(bad("asort: the second argument is no array")),
            None => Rc::clone(&source),
        };
        let mut all: Vec<Value> = if indices {
            source.borrow().keys().map(|key| Value::Text(key.clone())).collect()
        } else {
            source.borrow().values().cloned().collect()
        };
        // Numbers come before texts.
        all.sort_by(|left, right| {
            let numeric = |value: &Value| !value.is_numeric();
            numeric(left).cmp(&numeric(right)).then(left.compare(right).unwrap_or(std::cmp::Ordering::Equal))
        });
        let count = whole(i64::try_from(all.len()).unwrap_or(i64::MAX));
        *target.borrow_mut() = (1_usize..).zip(all).map(|(at, value)| (at.to_string().into_bytes(), value)).collect();
        Ok(Value::Number(count))
    }

    async fn matching(&mut self, arguments: &[Expr]) -> Flow<Value> {
        let (Some(text), Some(pattern)) = (arguments.first(), arguments.get(1)) else {
            return Err(bad("match: two arguments are wanted"));
        };
        let text = self.value(text).await?.text();
        let regex = self.regex(pattern).await?;
        let groups = regex.captures(&text, 0);
        let found = groups.as_ref().and_then(|groups| groups.first().cloned().flatten());
        let count = |to: usize| {
            f64::from(u32::try_from(crate::text::length(text.get(..to).unwrap_or_default())).unwrap_or(u32::MAX))
        };
        let (start, length) = match &found {
            Some(found) => (count(found.start) + 1.0, count(found.end) - count(found.start)),
            None => (0.0, -1.0),
        };
        if let Some(Expr::Variable(slot)) = arguments.get(2) {
            let array = self.array(*slot)?;
            let mut array = array.borrow_mut();
            array.clear();
            for (at, group) in groups.into_iter().flatten().enumerate() {
                if let Some(range) = group {
                    array.insert(at.to_string().into_bytes(), Value::input(text.get(range).unwrap_or_default()));
                }
            }
        }
        self.set_global(RSTART, Value::Number(start));
        self.set_global(RLENGTH, Value::Number(length));
        Ok(Value::Number(start))
    }

    /// `sub`, `gsub` and `gensub`
    async fn substitute(&mut self, builtin: Builtin, arguments: &[Expr]) -> Flow<Value> {
        let (Some(pattern), Some(with)) = (arguments.first(), arguments.get(1)) else {
            return Err(bad("sub: two arguments are wanted"));
        };
        let regex = self.regex(pattern).await?;
        let with = self.value(with).await?.text();
        let general = builtin == Builtin::Gensub;
        let (all, number) = match arguments.get(2) {
            Some(how) if general => {
                let how = self.value(how).await?;
                let text = how.text();
                (
                    text.starts_with(b"g") || text.starts_with(b"G"),
                    usize::try_from(number::truncate(how.number())).unwrap_or(1).max(1),
                )
            }
            _ => (builtin == Builtin::Gsub, 1),
        };
        let record = Expr::Field(Box::new(Expr::Number(0.0)));
        let target = arguments.get(if general { 3 } else { 2 }).unwrap_or(&record);
        let text = self.value(target).await?.text();
        let (out, count) = replaced(&regex, &text, &with, all, number, general);
        if general {
            return Ok(Value::Text(out));
        }
        if count > 0 {
            self.assign(target, Value::Input(out, None)).await?;
        }
        Ok(Value::Number(f64::from(u32::try_from(count).unwrap_or(u32::MAX))))
    }
}

fn replaced(regex: &Regex, text: &[u8], with: &[u8], all: bool, number: usize, general: bool) -> (Text, usize) {
    let mut out = Text::new();
    let (mut at, mut copied, mut seen, mut count) = (0, 0, 0, 0);
    let mut before = None;
    let after = |at: usize| at + bstr::decode_utf8(text.get(at..).unwrap_or_default()).1.max(1);
    while at <= text.len() {
        let groups =
            if general { regex.captures(text, at) } else { regex.find(text, at).map(|found| vec![Some(found)]) };
        let Some(groups) = groups else { break };
        let Some(found) = groups.first().cloned().flatten() else { break };
        if found.is_empty() && before == Some(found.start) {
            at = after(found.start);
            continue;
        }
        seen += 1;
        if all || seen == number {
            out.extend_from_slice(text.get(copied..found.start).unwrap_or_default());
            put(&mut out, with, text, &groups, general);
            copied = found.end;
            count += 1;
            if !all {
                break;
            }
        }
        before = Some(found.end);
        at = if found.is_empty() { after(found.end) } else { found.end };
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    (out, count)
}

fn put(out: &mut Text, with: &[u8], text: &[u8], groups: &[Option<std::ops::Range<usize>>], general: bool) {
    let group = |at: usize| groups.get(at).cloned().flatten().and_then(|range| text.get(range)).unwrap_or_default();
    let mut bytes = with.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'&' => out.extend_from_slice(group(0)),
            b'\\' => match bytes.next() {
                Some(b'&') => out.push(b'&'),
                Some(b'\\') => out.push(b'\\'),
                Some(digit) if general && digit.is_ascii_digit() => {
                    out.extend_from_slice(group(usize::from(digit - b'0')))
                }
                Some(other) => out.extend([b'\\', *other]),
                None => out.push(b'\\'),
            },
            other => out.push(*other),
        }
    }
}

/// As a number of awk, which holds whole ones up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "awk has no other numbers")]
fn whole(value: i64) -> f64 {
    value as f64
}

/// A start before the first character is the first character, as GNU has it.
fn substr(text: &[u8], from: f64, count: Option<f64>) -> Text {
    let start = from.trunc().max(1.0);
    let end = count.map_or(f64::INFINITY, |count| start + count.trunc());
    let size = crate::text::length(text);
    let limit = f64::from(u32::try_from(size).unwrap_or(u32::MAX)) + 1.0;
    let first = start.max(1.0);
    let last = end.min(limit);
    if last.is_nan() || first.is_nan() || last <= first {
        return Text::new();
    }
    let (skip, take) = (number::truncate(first) - 1, number::truncate(last) - number::truncate(first));
    let (skip, take) = (usize::try_from(skip).unwrap_or(0), usize::try_from(take).unwrap_or(0));
    if text.is_ascii() {
        return text.get(skip..skip + take).unwrap_or_default().to_vec();
    }
    crate::text::characters(text).skip(skip).take(take).flatten().copied().collect()
}

/// Whether two values stand as an operator says.
pub(super) fn compared(operator: &str, left: &Value, right: &Value) -> bool {
    left.compare(right).is_some_and(|order| match operator {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        ">=" => order.is_ge(),
        _ => order.is_gt(),
    })
}

pub(super) fn compute(operator: u8, left: f64, right: f64) -> Flow<f64> {
    Ok(match operator {
        b'+' => left + right,
        b'-' => left - right,
        b'*' => left * right,
        b'^' => left.powf(right),
        _ if right == 0.0 => return Err(bad("division by zero")),
        b'/' => left / right,
        _ => left % right,
    })
}
