//! Variables, arrays, fields, and the record.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::super::tree::{Expr, Slot};
use super::super::value::{Array, Value};
use super::print::formatted;
use super::{CONVFMT, Cell, FS, Machine, NF, OFS, SUBSEP, bad};
use crate::regex::Regex;
use crate::stop::Flow;
use crate::syntax::ast::Text;

/// How many fields a record may have.
const FIELDS_MAX: usize = 10_000_000;

impl Machine<'_> {
    fn cell(&mut self, slot: Slot) -> Option<&mut Cell> {
        match slot {
            Slot::Global(at) => self.globals.get_mut(at),
            Slot::Local(at) => self.frames.last_mut()?.get_mut(at),
        }
    }

    pub(super) fn get(&mut self, slot: Slot) -> Flow<Value> {
        if slot == Slot::Global(NF) {
            self.locate();
        }
        match self.cell(slot) {
            Some(Cell::Value(value)) => Ok(value.clone()),
            Some(Cell::Array(_)) => Err(bad("an array is used as a single value")),
            None => Ok(Value::Unset),
        }
    }

    pub(super) fn global(&self, at: usize) -> Value {
        match self.globals.get(at) {
            Some(Cell::Value(value)) => value.clone(),
            _ => Value::Unset,
        }
    }

    pub(super) fn set_global(&mut self, at: usize, value: Value) {
        if let Some(cell) = self.globals.get_mut(at) {
            *cell = Cell::Value(value);
        }
    }

    pub(super) fn set_slot(&mut self, slot: Slot, value: Value) -> Flow<()> {
        if slot == Slot::Global(FS) {
            // What separates fields from now on does so from the next record on.
            self.locate();
        }
        if slot == Slot::Global(NF) {
            self.split_record();
            let count = usize::try_from(crate::number::truncate(value.number())).unwrap_or(0);
            if count > FIELDS_MAX {
                return Err(bad("too many fields"));
            }
            self.fields.resize(count, Value::Unset);
            self.stale = true;
        }
        match self.cell(slot) {
            Some(Cell::Array(_)) => Err(bad("an array is assigned a single value")),
            Some(cell) => {
                *cell = Cell::Value(value);
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn array(&mut self, slot: Slot) -> Flow<Array> {
        match self.cell(slot) {
            Some(Cell::Array(array)) => Ok(Rc::clone(array)),
            Some(cell @ Cell::Value(Value::Unset)) => {
                let array: Array = Rc::new(RefCell::new(HashMap::new()));
                *cell = Cell::Array(Rc::clone(&array));
                Ok(array)
            }
            _ => Err(bad("a single value is used as an array")),
        }
    }

    /// A value as text, a number that is not whole by the layout in a variable.
    pub(super) fn shown(&self, value: &Value, layout: usize) -> Flow<Text> {
        match value {
            Value::Number(number) if number.fract() != 0.0 => {
                let layout = self.global(layout).text();
                if layout == b"%.6g" { Ok(value.text()) } else { formatted(&layout, std::slice::from_ref(value)) }
            }
            other => Ok(other.text()),
        }
    }

    /// The subscript that expressions stand for.
    pub(super) async fn key(&mut self, index: &[Expr]) -> Flow<Text> {
        let mut key = Text::new();
        for (at, expr) in index.iter().enumerate() {
            if at > 0 {
                key.extend(self.global(SUBSEP).text());
            }
            let value = self.value(expr).await?;
            key.extend(self.shown(&value, CONVFMT)?);
        }
        Ok(key)
    }

    pub(super) fn set_record(&mut self, record: Text) {
        self.record = record;
        self.located = false;
        self.split = false;
        self.stale = false;
    }

    /// Finds where the fields of the record are, and counts them.
    fn locate(&mut self) {
        if self.located {
            return;
        }
        self.located = true;
        if matches!(self.globals.get(FS), Some(Cell::Value(Value::Text(text) | Value::Input(text, _))) if text == b" ")
        {
            self.places.clear();
            words(&self.record, &mut self.places);
        } else {
            let separator = self.global(FS).text();
            let record = std::mem::take(&mut self.record);
            self.places = self.pieces(&record, &separator);
            self.record = record;
        }
        let count = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.set_global(NF, Value::Number(f64::from(count)));
    }

    /// Splits the fields off the record, before one is changed.
    pub(super) fn split_record(&mut self) {
        if self.split {
            return;
        }
        self.locate();
        self.split = true;
        let piece = |(from, to): &(usize, usize)| Value::input(self.record.get(*from..*to).unwrap_or_default());
        self.fields = self.places.iter().map(piece).collect();
    }

    /// Where the pieces of a text are that a separator keeps apart.
    pub(super) fn pieces(&mut self, text: &[u8], separator: &[u8]) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        if text.is_empty() {
            return all;
        }
        match separator {
            b" " => words(text, &mut all),
            b"" => {
                let mut at = 0;
                for character in crate::text::characters(text) {
                    all.push((at, at + character.len()));
                    at += character.len();
                }
            }
            [byte] if *byte != b'\\' && *byte != b'|' || matches!(separator, b"|") => {
                let byte = separator.first().copied().unwrap_or(b' ');
                let mut from = 0;
                for at in memchr::memchr_iter(byte, text) {
                    all.push((from, at));
                    from = at + 1;
                }
                all.push((from, text.len()));
            }
            _ => {
                let Ok(regex) = self.regex_of(separator) else {
                    all.push((0, text.len()));
                    return all;
                };
                return by_regex(text, &regex);
            }
        }
        all
    }

    /// Puts the record together again after a field has changed.
    pub(super) fn join(&mut self) {
        if !self.stale {
            return;
        }
        self.stale = false;
        let texts: Vec<Text> = self.fields.iter().map(Value::text).collect();
        self.record = bstr::join(self.global(OFS).text(), texts);
    }

    pub(super) fn field(&mut self, number: f64) -> Flow<Value> {
        let Ok(at) = usize::try_from(crate::number::truncate(number)) else {
            return Err(bad("a field of a negative number"));
        };
        if at == 0 {
            self.join();
            return Ok(Value::input(&self.record));
        }
        if self.split {
            return Ok(self.fields.get(at - 1).cloned().unwrap_or_default());
        }
        self.locate();
        let place = self.places.get(at - 1).copied();
        Ok(place.and_then(|(from, to)| self.record.get(from..to)).map(Value::input).unwrap_or_default())
    }

    pub(super) fn set_field(&mut self, number: f64, value: Value) -> Flow<()> {
        let Ok(at) = usize::try_from(crate::number::truncate(number)) else {
            return Err(bad("a field of a negative number"));
        };
        if at == 0 {
            self.set_record(value.text());
            return Ok(());
        }
        if at > FIELDS_MAX {
            return Err(bad("too many fields"));
        }
        self.split_record();
        if at > self.fields.len() {
            self.fields.resize(at, Value::Unset);
            self.set_global(NF, Value::Number(f64::from(u32::try_from(at).unwrap_or(u32::MAX))));
        }
        if let Some(field) = self.fields.get_mut(at - 1) {
            *field = value;
        }
        self.stale = true;
        Ok(())
    }
}

/// Appends where the words of a text are, which blanks and line ends keep apart.
fn words(text: &[u8], all: &mut Vec<(usize, usize)>) {
    let mut from = None;
    for (at, byte) in text.iter().enumerate() {
        match (from, matches!(byte, b' ' | b'\t' | b'\n')) {
            (None, false) => from = Some(at),
            (Some(start), true) => {
                all.push((start, at));
                from = None;
            }
            _ => {}
        }
    }
    all.extend(from.map(|start| (start, text.len())));
}

/// Where the pieces of a text are that matches keep apart.
pub(super) fn by_regex(text: &[u8], regex: &Regex) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    if text.is_empty() {
        return all;
    }
    let (mut from, mut at) = (0, 0);
    while let Some(found) = regex.find(text, at) {
        if found.is_empty() {
            at = found.end + 1;
            continue;
        }
        all.push((from, found.start));
        (from, at) = (found.end, found.end);
    }
    all.push((from, text.len()));
    all
}
