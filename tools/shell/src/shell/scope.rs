//! Reading and changing variables.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Shell;
use crate::stop::{Flow, Stop};
use crate::stream::CAPTURE_MAX;
use crate::syntax::ast::Text;
use crate::syntax::param::is_name;
use crate::variable::{Value, Variable, associative_key};

impl Shell {
    /// The name that is meant, where `name` is a reference to another.
    pub(crate) fn resolve(&self, name: &[u8]) -> Text {
        let mut name = name.to_vec();
        for _ in 0..8 {
            match self.variables.get(&name) {
                Some(variable) if variable.reference => match &variable.value {
                    Value::Text(other) if is_name(other) => name.clone_from(other),
                    _ => break,
                },
                _ => break,
            }
        }
        name
    }

    pub(crate) fn variable(&self, name: &[u8]) -> Option<&Rc<Variable>> {
        let variable = self.variables.get(name)?;
        if variable.reference { self.variables.get(&self.resolve(name)) } else { Some(variable) }
    }

    /// The value of `$name`, with those that the shell computes.
    pub(crate) fn value(&mut self, name: &[u8]) -> Option<Text> {
        let number = |value: u64| Some(value.to_string().into_bytes());
        match name {
            b"RANDOM" => return number(self.random()),
            b"SECONDS" => return number(self.started.elapsed().as_secs()),
            b"LINENO" => return number(self.line as u64),
            b"BASH_SUBSHELL" => return number(self.level as u64),
            b"BASHPID" | b"PPID" => return number(1),
            b"EPOCHSECONDS" => return number(crate::fs::now().as_secs()),
            b"EPOCHREALTIME" => {
                let now = crate::fs::now();
                return Some(format!("{}.{:06}", now.as_secs(), now.subsec_micros()).into_bytes());
            }
            b"FUNCNAME" => return self.calls.last().cloned(),
            b"PIPESTATUS" => self.show_pipe_status(),
            _ => {}
        }
        self.variable(name)?.scalar().cloned()
    }

    /// Puts into `PIPESTATUS` what it has to hold. Only when it is asked for: every command changes it.
    pub(crate) fn show_pipe_status(&mut self) {
        let list = self.pipe_status.iter().zip(0..).map(|(status, at)| (at, status.to_string().into_bytes())).collect();
        self.change(b"PIPESTATUS", |variable| variable.value = Value::Indexed(list));
    }

    /// Changes a variable as a whole, whatever its attributes; makes it if need be.
    pub(crate) fn change(&mut self, name: &[u8], change: impl FnOnce(&mut Variable)) {
        if let Some(variable) = Rc::make_mut(&mut self.variables).get_mut(name)
            && !variable.reference
        {
            return change(Rc::make_mut(variable));
        }
        let name = self.resolve(name);
        let variable = Rc::make_mut(&mut self.variables).entry(name).or_default();
        change(Rc::make_mut(variable));
    }

    /// Sets a variable that the shell itself keeps.
    pub(crate) fn set(&mut self, name: &[u8], value: impl Into<Text>) {
        let value = value.into();
        self.change(name, |variable| store(variable, value));
    }

    fn writable(&self, name: &[u8]) -> Flow<()> {
        if self.variable(name).is_some_and(|variable| variable.readonly) {
            let name = String::from_utf8_lossy(name);
            return Err(Stop::Failed(format!("{name}: readonly variable"), 1));
        }
        Ok(())
    }

    /// Sets a variable as an assignment does, with its attributes applied.
    pub(crate) fn assign(&mut self, name: &[u8], value: Text, append: bool) -> Flow<()> {
        self.writable(name)?;
        let resolved = self.resolve(name);
        let old = self.variables.get(&resolved).cloned();
        let value = self.shaped(old.as_deref(), old.as_deref().and_then(Variable::scalar), value, append)?;
        let export = self.options.has("allexport");
        self.change(&resolved, |variable| {
            variable.exported |= export;
            store(variable, value);
        });
        if name == b"OPTIND" {
            self.letter = 0;
        }
        if name == b"RANDOM" {
            self.random = 1;
        }
        Ok(())
    }

    /// The value after `+=`, and after what the attributes ask for.
    fn shaped(&mut self, variable: Option<&Variable>, old: Option<&Text>, value: Text, append: bool) -> Flow<Text> {
        let size = value.len() + if append { old.map_or(0, Vec::len) } else { 0 };
        if size > CAPTURE_MAX {
            return Err(Stop::Limit(format!("a text of more than {CAPTURE_MAX} bytes")));
        }
        let Some(variable) = variable else { return Ok(value) };
        if variable.integer {
            let mut number = self.arithmetic(&value)?;
            if append {
                let before = old.cloned().unwrap_or_default();
                number = number.wrapping_add(self.arithmetic(&before)?);
            }
            return Ok(number.to_string().into_bytes());
        }
        let mut whole = if append { old.cloned().unwrap_or_default() } else { Text::new() };
        whole.extend_from_slice(&value);
        Ok(match (variable.lower, variable.upper) {
            (true, _) => crate::text::lower(&whole),
            (_, true) => crate::text::upper(&whole),
            _ => whole,
        })
    }

    /// Whether the variable is an associative array.
    pub(crate) fn is_associative(&self, name: &[u8]) -> bool {
        self.variable(name).is_some_and(|variable| matches!(variable.value, Value::Associative(_)))
    }

    /// The index that an arithmetic subscript means, counted from the end if it is negative.
    pub(crate) fn place(&mut self, name: &[u8], subscript: &[u8]) -> Flow<i64> {
        let index = self.arithmetic(subscript)?;
        if index >= 0 {
            return Ok(index);
        }
        let past = match self.variable(name).map(|variable| &variable.value) {
            Some(Value::Indexed(list)) => list.keys().next_back().map_or(0, |last| last + 1),
            Some(Value::Text(_)) => 1,
            _ => 0,
        };
        if past + index < 0 {
            let (name, subscript) = (String::from_utf8_lossy(name), String::from_utf8_lossy(subscript));
            return Err(Stop::Failed(format!("{name}[{subscript}]: bad array subscript"), 1));
        }
        Ok(past + index)
    }

    /// The element of an array.
    pub(crate) fn element(&mut self, name: &[u8], subscript: &[u8]) -> Flow<Option<Text>> {
        if name == b"PIPESTATUS" {
            self.show_pipe_status();
        }
        if name == b"FUNCNAME" {
            let at = usize::try_from(self.arithmetic(subscript)?).unwrap_or(usize::MAX);
            return Ok(self.calls.iter().rev().nth(at).cloned());
        }
        if self.is_associative(name) {
            let Some(Value::Associative(map)) = self.variable(name).map(|variable| &variable.value) else {
                return Ok(None);
            };
            return Ok(map.get(&associative_key(subscript.to_vec())).cloned());
        }
        let Ok(place) = self.place(name, subscript) else {
            self.arithmetic(subscript)?;
            return Ok(None);
        };
        Ok(match self.variable(name).map(|variable| &variable.value) {
            Some(Value::Indexed(list)) => list.get(&place).cloned(),
            Some(Value::Text(text)) if place == 0 => Some(text.clone()),
            _ => None,
        })
    }

    /// Sets an element of an array, which is made if need be.
    pub(crate) fn assign_element(&mut self, name: &[u8], subscript: &[u8], value: Text, append: bool) -> Flow<()> {
        self.writable(name)?;
        let old = if append { self.element(name, subscript)? } else { None };
        let variable = self.variable(name).cloned();
        let value =
            self.shaped(Some(variable.as_deref().unwrap_or(&Variable::default())), old.as_ref(), value, append)?;
        if self.is_associative(name) {
            let key = associative_key(subscript.to_vec());
            self.change(name, |variable| {
                if let Value::Associative(map) = &mut variable.value {
                    map.insert(key, value);
                }
            });
            return Ok(());
        }
        let place = self.place(name, subscript)?;
        self.change(name, |variable| {
            indexed(variable).insert(place, value);
        });
        Ok(())
    }

    /// Replaces or extends an array.
    pub(crate) fn assign_list(&mut self, name: &[u8], elements: Vec<(Option<Text>, Text)>, append: bool) -> Flow<()> {
        self.writable(name)?;
        if self.is_associative(name) {
            if !append {
                self.change(name, |variable| variable.value = Value::Associative(BTreeMap::new()));
            }
            let mut pending: Option<Text> = None;
            for (key, value) in elements {
                match (key, pending.take()) {
                    (Some(key), _) => self.assign_element(name, &key, value, false)?,
                    (None, Some(key)) => self.assign_element(name, &key, value, false)?,
                    (None, None) => pending = Some(value),
                }
            }
            return Ok(());
        }
        let mut list = BTreeMap::new();
        if append && let Some(variable) = self.variable(name) {
            let mut variable = (**variable).clone();
            list = std::mem::take(indexed(&mut variable));
        }
        let mut next = list.keys().next_back().map_or(0, |last| last + 1);
        let attributes = self.variable(name).cloned();
        for (key, value) in elements {
            let place = match key {
                Some(key) => self.arithmetic(&key)?,
                None => next,
            };
            let value = self.shaped(attributes.as_deref(), None, value, false)?;
            list.insert(place, value);
            next = place + 1;
        }
        self.change(name, |variable| variable.value = Value::Indexed(list));
        Ok(())
    }

    /// Takes a variable away.
    pub(crate) fn unset(&mut self, name: &[u8]) -> Flow<()> {
        if self.variable(name).is_some_and(|variable| variable.readonly) {
            let name = String::from_utf8_lossy(name);
            return Err(Stop::Failed(format!("{name}: cannot unset: readonly variable"), 1));
        }
        let name = self.resolve(name);
        Rc::make_mut(&mut self.variables).remove(&name);
        Ok(())
    }

    pub(crate) fn unset_element(&mut self, name: &[u8], subscript: &[u8]) -> Flow<()> {
        if self.is_associative(name) {
            let key = associative_key(subscript.to_vec());
            self.change(name, |variable| {
                if let Value::Associative(map) = &mut variable.value {
                    map.remove(&key);
                }
            });
            return Ok(());
        }
        let place = self.place(name, subscript)?;
        if self.variable(name).is_some() {
            self.change(name, |variable| {
                indexed(variable).remove(&place);
            });
        }
        Ok(())
    }

    /// Makes a variable local to the function that runs; its value is `value`.
    pub(crate) fn localize(&mut self, name: &[u8], value: Option<Rc<Variable>>) {
        let before = self.variables.get(name).cloned();
        let Some(scope) = self.scopes.last_mut() else { return };
        if !scope.iter().any(|(known, _)| known == name) {
            scope.push((name.to_vec(), before));
        }
        let variables = Rc::make_mut(&mut self.variables);
        match value {
            Some(value) => variables.insert(name.to_vec(), value),
            None => variables.remove(name),
        };
    }

    /// Ends a scope: what was local is again what it was.
    pub(crate) fn leave_scope(&mut self) {
        for (name, before) in self.scopes.pop().unwrap_or_default().into_iter().rev() {
            let variables = Rc::make_mut(&mut self.variables);
            match before {
                Some(before) => variables.insert(name, before),
                None => variables.remove(&name),
            };
        }
    }
}

/// Puts a text where `name=text` puts it.
fn store(variable: &mut Variable, value: Text) {
    match &mut variable.value {
        Value::Indexed(list) => {
            list.insert(0, value);
        }
        Value::Associative(map) => {
            map.insert(associative_key(b"0".to_vec()), value);
        }
        Value::Unset | Value::Text(_) => variable.value = Value::Text(value),
    }
}

/// The variable as an indexed array; a text becomes its element 0.
fn indexed(variable: &mut Variable) -> &mut BTreeMap<i64, Text> {
    if !matches!(variable.value, Value::Indexed(_)) {
        let first = variable.scalar().cloned();
        variable.value = Value::Indexed(first.map(|text| (0, text)).into_iter().collect());
    }
    match &mut variable.value {
        Value::Indexed(list) => list,
        _ => unreachable!("it was just made one"),
    }
}
