//! `declare`, `local`, `export`, `readonly`, `unset`

use std::collections::BTreeMap;
use std::rc::Rc;

use bstr::ByteSlice;

use crate::shell::Shell;
use crate::stop::{Flow, failed, misused};
use crate::syntax::ast::{Assign, Text, Value as Given};
use crate::syntax::param::is_name;
use crate::variable::{Value, Variable};

/// What the flags ask for.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    indexed: bool,
    associative: bool,
    integer: Option<bool>,
    lower: Option<bool>,
    upper: Option<bool>,
    readonly: bool,
    export: Option<bool>,
    reference: Option<bool>,
    print: bool,
    functions: bool,
    global: bool,
}

impl Wish {
    fn flag(&mut self, on: bool, letter: u8) -> bool {
        match letter {
            b'a' => self.indexed = on,
            b'A' => self.associative = on,
            b'i' => self.integer = Some(on),
            b'l' => self.lower = Some(on),
            b'u' => self.upper = Some(on),
            b'r' => self.readonly = on,
            b'x' => self.export = Some(on),
            b'n' => self.reference = Some(on),
            b'p' => self.print = true,
            b'f' | b'F' => self.functions = true,
            b'g' => self.global = true,
            b't' | b'I' => {}
            _ => return false,
        }
        true
    }

    /// Gives the variable its attributes; before a value is assigned.
    fn shape(self, variable: &mut Variable) {
        if self.associative && !matches!(variable.value, Value::Associative(_)) {
            variable.value = Value::Associative(BTreeMap::new());
        }
        if self.indexed && !matches!(variable.value, Value::Indexed(_)) {
            let first = variable.scalar().cloned();
            variable.value = Value::Indexed(first.map(|text| (0, text)).into_iter().collect());
        }
        variable.integer = self.integer.unwrap_or(variable.integer);
        variable.lower = self.lower.unwrap_or(variable.lower);
        variable.upper = self.upper.unwrap_or(variable.upper);
        variable.exported = self.export.unwrap_or(variable.exported);
    }
}

pub(super) async fn declare(shell: &mut Shell, name: &[u8], arguments: &[Text], declared: &[&Assign]) -> Flow<i32> {
    let mut wish = Wish::default();
    match name {
        b"export" => wish.export = Some(true),
        b"readonly" => wish.readonly = true,
        b"local" if shell.scopes.is_empty() || shell.calls.is_empty() => {
            return failed("can only be used in a function");
        }
        _ => {}
    }
    let mut rest = arguments;
    while let Some((first, more)) = rest.split_first() {
        let (on, letters) = match first.as_slice() {
            [b'-', letters @ ..] if !letters.is_empty() => (true, letters),
            [b'+', letters @ ..] if !letters.is_empty() => (false, letters),
            _ => break,
        };
        rest = more;
        if letters == b"-" {
            break;
        }
        for letter in letters {
            if name == b"export" && *letter == b'n' {
                wish.export = Some(false);
            } else if !wish.flag(on, *letter) {
                return misused(format!("-{}: invalid option", char::from(*letter)));
            }
        }
    }
    let local = name == b"local" || matches!(name, b"declare" | b"typeset") && !shell.calls.is_empty() && !wish.global;
    if wish.functions {
        return functions(shell, rest).await;
    }
    if rest.is_empty() || wish.print && declared.is_empty() {
        return print(shell, rest, name).await;
    }
    let mut status = 0;
    let mut assigns = declared.iter();
    let mut next = assigns.next();
    for argument in rest {
        if let Some(assign) = next
            && assign.name == *argument
        {
            one(shell, wish, local, &assign.name.clone(), Some(assign)).await?;
            next = assigns.next();
            continue;
        }
        let (name, value) = match argument.split_once_str("=") {
            Some((name, value)) => (name.to_vec(), Some(value.to_vec())),
            None => (argument.clone(), None),
        };
        if !is_name(&name) {
            shell.complain(format!("{}: `{}': not a valid identifier", "declare", argument.to_str_lossy())).await;
            status = 1;
            continue;
        }
        one(shell, wish, local, &name, None).await?;
        if let Some(value) = value {
            shell.assign(&name, value, false)?;
        }
        seal(shell, wish, &name);
    }
    Ok(status)
}

/// Declares one variable, with its assignment if there is one.
async fn one(shell: &mut Shell, wish: Wish, local: bool, name: &Text, assign: Option<&Assign>) -> Flow<()> {
    let reference = wish.reference == Some(true);
    if local {
        let is_local = shell.scopes.last().is_some_and(|scope| scope.iter().any(|(known, _)| known == name));
        if !is_local {
            if shell.variables.get(name).is_some_and(|variable| variable.readonly) {
                return failed(format!("{}: readonly variable", name.to_str_lossy()));
            }
            // What the value is made of may be the variable of the same name outside.
            let outer = shell.variables.get(name).cloned();
            let value = Variable { exported: outer.is_some_and(|outer| outer.exported), ..Variable::default() };
            let expanded = match assign {
                Some(Assign { value: Given::Word(word), index: None, .. }) => Some(shell.expand_text(word).await?),
                _ => None,
            };
            shell.localize(name, Some(Rc::new(value)));
            shape(shell, wish, name);
            if let Some(text) = expanded {
                store(shell, wish, name, text, assign.is_some_and(|assign| assign.append))?;
                seal(shell, wish, name);
                return Ok(());
            }
        }
    }
    shape(shell, wish, name);
    if let Some(assign) = assign {
        match &assign.value {
            Given::Word(word) if reference => {
                let text = shell.expand_text(word).await?;
                store(shell, wish, name, text, false)?;
            }
            _ => shell.assign_one(assign).await?,
        }
    }
    seal(shell, wish, name);
    Ok(())
}

fn shape(shell: &mut Shell, wish: Wish, name: &[u8]) {
    if wish.reference.is_some() {
        let variables = Rc::make_mut(&mut shell.variables);
        let variable = Rc::make_mut(variables.entry(name.to_vec()).or_default());
        variable.reference = wish.reference == Some(true);
    } else {
        shell.change(name, |variable| wish.shape(variable));
    }
}

fn store(shell: &mut Shell, wish: Wish, name: &[u8], text: Text, append: bool) -> Flow<()> {
    if wish.reference == Some(true) {
        let variables = Rc::make_mut(&mut shell.variables);
        Rc::make_mut(variables.entry(name.to_vec()).or_default()).value = Value::Text(text);
        return Ok(());
    }
    shell.assign(name, text, append)
}

/// Read-only comes last.
fn seal(shell: &mut Shell, wish: Wish, name: &[u8]) {
    if wish.readonly {
        shell.change(name, |variable| variable.readonly = true);
    }
}

async fn functions(shell: &Shell, names: &[Text]) -> Flow<i32> {
    let known = |name: &&Text| shell.functions.contains_key(*name);
    let listed: Vec<&Text> =
        if names.is_empty() { shell.functions.keys().collect() } else { names.iter().filter(known).collect() };
    for name in &listed {
        let line = if names.is_empty() {
            format!("declare -f {}\n", name.to_str_lossy())
        } else {
            format!("{}\n", name.to_str_lossy())
        };
        shell.stdout().write(line.as_bytes()).await?;
    }
    Ok(i32::from(listed.len() < names.len()))
}

async fn print(shell: &mut Shell, names: &[Text], builtin: &[u8]) -> Flow<i32> {
    let mut status = 0;
    let mut all: Vec<Text> = names.to_vec();
    if names.is_empty() {
        all = shell.variables.keys().cloned().collect();
        all.sort_unstable();
    }
    for name in &all {
        let Some(variable) = shell.variables.get(name).cloned() else {
            shell.complain(format!("{}: {}: not found", builtin.to_str_lossy(), name.to_str_lossy())).await;
            status = 1;
            continue;
        };
        let wanted = !names.is_empty()
            || match builtin {
                b"export" => variable.exported,
                b"readonly" => variable.readonly,
                b"local" => shell.scopes.last().is_some_and(|scope| scope.iter().any(|(known, _)| known == name)),
                _ => true,
            };
        if wanted {
            let mut line = declaration(name, &variable);
            line.push(b'\n');
            shell.stdout().write(&line).await?;
        }
    }
    Ok(status)
}

/// As [`declaration`], in the shape that `${name@A}` gives: a text in single quotes, and `declare` only where it has attributes.
pub(crate) fn assignment(name: &[u8], variable: &Variable) -> Text {
    let Value::Text(text) = &variable.value else { return declaration(name, variable) };
    let flags = variable.flags();
    let declare = if flags.is_empty() { String::new() } else { format!("declare -{flags} ") };
    [declare.as_bytes(), name, b"=", &crate::text::single_quoted(text)].concat()
}

/// The command that would make the variable what it is.
fn declaration(name: &[u8], variable: &Variable) -> Text {
    let flags = variable.flags();
    let mut out = format!("declare -{} ", if flags.is_empty() { "-" } else { &flags }).into_bytes();
    out.extend_from_slice(name);
    let pairs = |out: &mut Text, pairs: &mut dyn Iterator<Item = (Text, &Text)>, associative: bool| {
        out.extend_from_slice(b"=(");
        for (at, (key, value)) in pairs.enumerate() {
            if at > 0 && !associative {
                out.push(b' ');
            }
            out.push(b'[');
            let plain = key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(byte));
            out.extend(if plain { key } else { crate::text::double_quoted(&key) });
            out.extend_from_slice(b"]=");
            out.extend(crate::text::double_quoted(value));
            if associative {
                out.push(b' ');
            }
        }
        out.push(b')');
    };
    match &variable.value {
        Value::Unset => {}
        Value::Text(text) => {
            out.push(b'=');
            out.extend(crate::text::double_quoted(text));
        }
        Value::Indexed(list) => {
            pairs(&mut out, &mut list.iter().map(|(key, value)| (key.to_string().into_bytes(), value)), false)
        }
        Value::Associative(map) => pairs(&mut out, &mut map.iter().map(|((_, key), value)| (key.clone(), value)), true),
    }
    out
}

pub(super) fn unset(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let (mut functions, mut variables, mut reference) = (false, false, false);
    for argument in arguments {
        match argument.as_slice() {
            b"-f" => functions = true,
            b"-v" => variables = true,
            b"-n" => reference = true,
            name => {
                if let Some(open) = name.find_byte(b'[')
                    && name.ends_with(b"]")
                {
                    let (base, index) =
                        (name.get(..open).unwrap_or_default(), name.get(open + 1..name.len() - 1).unwrap_or_default());
                    shell.unset_element(base, index)?;
                } else if !functions && (shell.variables.contains_key(name) || variables || reference) {
                    if reference {
                        Rc::make_mut(&mut shell.variables).remove(name);
                    } else {
                        shell.unset(name)?;
                    }
                } else {
                    Rc::make_mut(&mut shell.functions).remove(name);
                }
            }
        }
    }
    Ok(0)
}
