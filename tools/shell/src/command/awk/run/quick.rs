//! Expressions that wait for nothing: what most programs do for each record, without a future for each of their parts.

use super::super::tree::{Builtin, Expr};
use super::super::value::Value;
use super::call::{compared, compute};
use super::{CONVFMT, Machine, SUBSEP, bad};
use crate::stop::Flow;
use crate::syntax::ast::Text;

/// Whether an expression reads nothing, runs no command and calls no function.
fn waits_for_nothing(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::Text(_) | Expr::Regex(_) | Expr::Variable(_) => true,
        Expr::Field(inner) | Expr::Not(inner) | Expr::Minus(inner) | Expr::Plus(inner) | Expr::Group(inner) => {
            waits_for_nothing(inner)
        }
        Expr::Step { target, .. } => waits_for_nothing(target),
        Expr::Element(_, index) | Expr::In(index, _) => index.iter().all(waits_for_nothing),
        Expr::Assign(left, _, right)
        | Expr::Binary(_, left, right)
        | Expr::Compare(_, left, right)
        | Expr::And(left, right)
        | Expr::Or(left, right)
        | Expr::Concat(left, right) => waits_for_nothing(left) && waits_for_nothing(right),
        Expr::Match(_, left, right) => matches!(**right, Expr::Regex(_)) && waits_for_nothing(left),
        Expr::Choose(condition, yes, no) => [condition, yes, no].into_iter().all(|expr| waits_for_nothing(expr)),
        // The length of a variable may be that of an array.
        Expr::Builtin(Builtin::Length, arguments) => match arguments.as_slice() {
            [] => true,
            [Expr::Variable(_)] => false,
            [one] => waits_for_nothing(one),
            _ => false,
        },
        Expr::Builtin(..) | Expr::Call(..) | Expr::Getline { .. } => false,
    }
}

impl Machine<'_> {
    /// The value of an expression.
    pub(super) async fn value(&mut self, expr: &Expr) -> Flow<Value> {
        if waits_for_nothing(expr) { self.now(expr) } else { self.eval(expr).await }
    }

    /// The value of an expression that waits for nothing.
    fn now(&mut self, expr: &Expr) -> Flow<Value> {
        Ok(match expr {
            Expr::Number(value) => Value::Number(*value),
            Expr::Text(text) => Value::Text(text.clone()),
            Expr::Regex(regex) => {
                self.join();
                Value::from(regex.is_match(&self.record))
            }
            Expr::Variable(slot) => self.get(*slot)?,
            Expr::Field(number) => {
                let number = self.now(number)?.number();
                self.field(number)?
            }
            Expr::Binary(operator, left, right) => {
                let left = self.now(left)?.number();
                Value::Number(compute(*operator, left, self.now(right)?.number())?)
            }
            Expr::Compare(operator, left, right) => {
                let left = self.now(left)?;
                Value::from(compared(operator, &left, &self.now(right)?))
            }
            Expr::Match(negated, left, right) => {
                let text = self.now(left)?.text();
                let Expr::Regex(regex) = &**right else { return Ok(Value::Unset) };
                Value::from(regex.is_match(&text) != *negated)
            }
            Expr::And(left, right) => Value::from(self.now(left)?.truth() && self.now(right)?.truth()),
            Expr::Or(left, right) => Value::from(self.now(left)?.truth() || self.now(right)?.truth()),
            Expr::Not(inner) => Value::from(!self.now(inner)?.truth()),
            Expr::Minus(inner) => Value::Number(-self.now(inner)?.number()),
            Expr::Plus(inner) => Value::Number(self.now(inner)?.number()),
            Expr::Concat(left, right) => {
                let (left, right) = (self.now(left)?, self.now(right)?);
                let mut text = self.shown(&left, CONVFMT)?;
                text.extend(self.shown(&right, CONVFMT)?);
                Value::Text(text)
            }
            Expr::Choose(condition, yes, no) => {
                let chosen = if self.now(condition)?.truth() { yes } else { no };
                return self.now(chosen);
            }
            Expr::Group(inner) => return self.now(inner),
            other => return self.now_other(other),
        })
    }

    /// Arrays, assignments and functions.
    fn now_other(&mut self, expr: &Expr) -> Flow<Value> {
        Ok(match expr {
            Expr::Element(slot, index) => {
                let key = self.key_now(index)?;
                self.array(*slot)?.borrow_mut().entry(key).or_default().clone()
            }
            Expr::In(index, slot) => {
                let key = self.key_now(index)?;
                Value::from(self.array(*slot)?.borrow().contains_key(&key))
            }
            Expr::Assign(target, operator, value) => {
                let value = self.now(value)?;
                match operator {
                    None => self.assign_now(target, value.clone())?,
                    Some(operator) => {
                        return self.change_now(target, |old| compute(*operator, old, value.number()), true);
                    }
                }
                value
            }
            Expr::Step { target, up, before } => {
                let step = if *up { 1.0 } else { -1.0 };
                return self.change_now(target, |old| Ok(old + step), *before);
            }
            Expr::Builtin(_, arguments) => {
                let text = match arguments.first() {
                    Some(argument) => self.now(argument)?.text(),
                    None => {
                        self.join();
                        return Ok(count(&self.record));
                    }
                };
                count(&text)
            }
            _ => Value::Unset,
        })
    }

    fn key_now(&mut self, index: &[Expr]) -> Flow<Text> {
        let mut key = Text::new();
        for (at, expr) in index.iter().enumerate() {
            if at > 0 {
                key.extend(self.global(SUBSEP).text());
            }
            match self.now(expr)? {
                Value::Text(text) | Value::Input(text, _) if key.is_empty() => key = text,
                value => key.extend(self.shown(&value, CONVFMT)?),
            }
        }
        Ok(key)
    }

    fn assign_now(&mut self, target: &Expr, value: Value) -> Flow<()> {
        match target {
            Expr::Variable(slot) => self.set_slot(*slot, value),
            Expr::Field(number) => {
                let number = self.now(number)?.number();
                self.set_field(number, value)
            }
            Expr::Element(slot, index) => {
                let key = self.key_now(index)?;
                self.array(*slot)?.borrow_mut().insert(key, value);
                Ok(())
            }
            _ => Err(bad("assignment to what is no variable")),
        }
    }

    /// Changes a number in its place; gives the new one or the old one.
    fn change_now(&mut self, target: &Expr, change: impl Fn(f64) -> Flow<f64>, gives_new: bool) -> Flow<Value> {
        let (old, new) = if let Expr::Element(slot, index) = target {
            let key = self.key_now(index)?;
            let array = self.array(*slot)?;
            let mut array = array.borrow_mut();
            let value = array.entry(key).or_default();
            let old = value.number();
            let new = change(old)?;
            *value = Value::Number(new);
            (old, new)
        } else {
            let old = self.now(target)?.number();
            let new = change(old)?;
            self.assign_now(target, Value::Number(new))?;
            (old, new)
        };
        Ok(Value::Number(if gives_new { new } else { old }))
    }
}

/// The length of a text in characters.
fn count(text: &[u8]) -> Value {
    Value::Number(f64::from(u32::try_from(crate::text::length(text)).unwrap_or(u32::MAX)))
}
