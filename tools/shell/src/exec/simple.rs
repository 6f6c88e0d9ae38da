//! Simple commands: assignments, words, and finding what they name.

use std::rc::Rc;

use crate::builtin;
use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::{Argument, Assign, Redirect, Text, Value};
use crate::variable::Variable;

impl Shell {
    pub(super) async fn run_simple(
        &mut self,
        assigns: &[Assign],
        words: &[Argument],
        redirects: &[Redirect],
    ) -> Flow<()> {
        self.substituted = None;
        let mut arguments = Vec::new();
        let mut declared = Vec::new();
        for word in words {
            match word {
                Argument::Word(word) => self.expand_fields(word, &mut arguments).await?,
                Argument::Assign(assign) => {
                    declared.push(assign);
                    // Its place among the arguments; the builtin takes the assignment itself.
                    arguments.push(assign.name.clone());
                }
            }
        }
        let before = Rc::clone(&self.streams);
        if arguments.is_empty() {
            let outcome = self.assign_all(assigns).await;
            if outcome.is_ok() && !redirects.is_empty() {
                let made = self.redirect(redirects).await;
                self.streams = before;
                if !made? {
                    self.status = 1;
                    return Ok(());
                }
            }
            outcome?;
            self.status = self.substituted.take().unwrap_or(0);
            return Ok(());
        }
        if self.options.xtrace() {
            self.trace(&arguments).await;
        }
        let redirected = redirects.is_empty() || self.redirect(redirects).await?;
        if !redirected {
            self.streams = before;
            self.status = 1;
            return Ok(());
        }
        // `exec` without a command keeps its redirections.
        let keeps = arguments.first().is_some_and(|name| name == b"exec") && arguments.len() == 1;
        let outcome = self.run_with_environment(assigns, arguments, &declared).await;
        if !keeps {
            self.streams = before;
        }
        outcome
    }

    async fn trace(&mut self, arguments: &[Text]) {
        let mut line = self.value(b"PS4").unwrap_or_default();
        for (at, argument) in arguments.iter().enumerate() {
            if at > 0 {
                line.push(b' ');
            }
            let plain = !argument.is_empty()
                && argument.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-./=:,+%@".contains(byte));
            line.extend(if plain { argument.clone() } else { crate::text::single_quoted(argument) });
        }
        self.say(line).await;
    }

    async fn assign_all(&mut self, assigns: &[Assign]) -> Flow<()> {
        for assign in assigns {
            self.assign_one(assign).await?;
        }
        Ok(())
    }

    /// Makes one assignment.
    pub(crate) async fn assign_one(&mut self, assign: &Assign) -> Flow<()> {
        match (&assign.value, &assign.index) {
            (Value::Word(word), None) => {
                let value = self.expand_text(word).await?;
                if self.options.xtrace() {
                    let shown = crate::text::shown(&value);
                    self.say(format!("+ {}={shown}", crate::text::shown(&assign.name))).await;
                }
                self.assign(&assign.name, value, assign.append)
            }
            (Value::Word(word), Some(index)) => {
                let index = self.expand_text(index).await?;
                let value = self.expand_text(word).await?;
                self.assign_element(&assign.name, &index, value, assign.append)
            }
            (Value::Array(elements), _) => {
                let mut list = Vec::new();
                for (key, word) in elements {
                    match key {
                        Some(key) => {
                            let key = self.expand_text(key).await?;
                            let value = self.expand_text(word).await?;
                            list.push((Some(key), value));
                        }
                        None => {
                            let mut fields = Vec::new();
                            self.expand_fields(word, &mut fields).await?;
                            list.extend(fields.into_iter().map(|field| (None, field)));
                        }
                    }
                }
                self.assign_list(&assign.name, list, assign.append)
            }
        }
    }

    /// Runs a command with variables that are set for it alone.
    async fn run_with_environment(
        &mut self,
        assigns: &[Assign],
        arguments: Vec<Text>,
        declared: &[&Assign],
    ) -> Flow<()> {
        if assigns.is_empty() {
            return self.dispatch(arguments, declared).await;
        }
        self.scopes.push(Vec::new());
        for assign in assigns {
            let old = self.variables.get(&assign.name).cloned();
            self.localize(&assign.name, old);
            if let Err(stop) = self.assign_one(assign).await {
                self.leave_scope();
                return Err(stop);
            }
            self.change(&assign.name, |variable| variable.exported = true);
        }
        let outcome = self.dispatch(arguments, declared).await;
        self.leave_scope();
        outcome
    }

    /// Runs what the first argument names: a function, a builtin, a command, or a script.
    pub(crate) async fn dispatch(&mut self, arguments: Vec<Text>, declared: &[&Assign]) -> Flow<()> {
        let Some(name) = arguments.first().cloned() else { return Ok(()) };
        if let Some(function) = self.functions.get(&name).cloned() {
            return self.call_function(&function, arguments).await;
        }
        if !builtin::is_builtin(&name) {
            return self.run_other(arguments).await;
        }
        let outcome = match builtin::start(self, &arguments, declared) {
            Some(task) => task.await,
            None => Ok(127),
        };
        self.finish(&name, outcome).await
    }

    /// Takes what a builtin or a command gave: a status, or a message.
    pub(crate) async fn finish(&mut self, name: &[u8], outcome: Flow<i32>) -> Flow<()> {
        self.status = match outcome {
            Ok(status) => status,
            Err(Stop::Failed(message, status)) => {
                let name = crate::text::shown(name);
                if builtin::is_builtin(name.as_bytes()) {
                    self.complain(format!("{name}: {message}")).await;
                } else {
                    self.say(format!("{name}: {message}")).await;
                }
                status
            }
            Err(Stop::Io(message)) => {
                self.say(format!("{}: write error: {message}", crate::text::shown(name))).await;
                1
            }
            Err(other) => return Err(other),
        };
        Ok(())
    }

    /// The variables that a command would get from its environment.
    pub(crate) fn environment(&self) -> Vec<(Text, Text)> {
        let exported = self.variables.iter().filter(|(_, variable)| variable.exported);
        let mut all: Vec<(Text, Text)> = exported
            .filter_map(|(name, variable): (&Text, &Rc<Variable>)| Some((name.clone(), variable.scalar()?.clone())))
            .collect();
        all.sort_unstable();
        all
    }
}
