//! Compound commands: conditions, loops, functions.

use std::rc::Rc;

use crate::pattern::Pattern;
use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::{Arm, Command, Kind, Next, Script, Word};
use crate::task::{self, Task};

impl Shell {
    /// Runs one command, with its redirections.
    pub(crate) fn run_command<'a>(&'a mut self, command: &'a Command) -> Task<'a, Flow<()>> {
        Box::pin(async move {
            self.line = command.line;
            let depth = self.deeper()?;
            let outcome = match &command.kind {
                Kind::Simple { assigns, words } => self.run_simple(assigns, words, &command.redirects).await,
                _ if command.redirects.is_empty() => self.run_kind(command).await,
                _ => self.run_redirected(command).await,
            };
            self.depth = depth;
            self.expanded(outcome).await
        })
    }

    async fn run_redirected(&mut self, command: &Command) -> Flow<()> {
        let before = Rc::clone(&self.streams);
        let outcome = match self.redirect(&command.redirects).await {
            Ok(true) => self.run_kind(command).await,
            Ok(false) => {
                self.status = 1;
                self.streams = before;
                return self.failure().await;
            }
            Err(stop) => Err(stop),
        };
        self.streams = before;
        outcome
    }

    /// Says what is wrong in an expansion or an assignment, and what that ends.
    async fn expanded(&mut self, outcome: Flow<()>) -> Flow<()> {
        match outcome {
            Err(Stop::Failed(message, 127)) => {
                self.complain(&message).await;
                Err(Stop::Exit(if self.level == 0 && !self.options.errexit() { 127 } else { 1 }))
            }
            Err(Stop::Failed(message, _)) => {
                self.complain(&message).await;
                self.status = 1;
                Err(Stop::Discard)
            }
            other => other,
        }
    }

    async fn run_kind(&mut self, command: &Command) -> Flow<()> {
        match &command.kind {
            Kind::Simple { .. } => Ok(()),
            Kind::Group(script) => self.run(script).await,
            Kind::Subshell(script) => {
                let mut inner = self.inner()?;
                self.status = inner.run_subshell(script).await?;
                Ok(())
            }
            Kind::If { arms, otherwise } => self.run_if(arms, otherwise.as_ref()).await,
            Kind::For { name, words, body } => self.run_for(name, words.as_deref(), body).await,
            Kind::Counted { start, condition, step, body } => self.run_counted([start, condition, step], body).await,
            Kind::While { until, condition, body } => self.run_while(*until, condition, body).await,
            Kind::Case { word, arms } => self.run_case(word, arms).await,
            Kind::Function { name, body } => {
                Rc::make_mut(&mut self.functions).insert(name.clone(), Rc::clone(body));
                self.status = 0;
                Ok(())
            }
            Kind::Arithmetic(word) => {
                self.status = match self.expand_number(word).await {
                    Ok(value) => i32::from(value == 0),
                    Err(Stop::Failed(message, 1)) => {
                        self.complain(format!("((: {message}")).await;
                        1
                    }
                    Err(other) => return Err(other),
                };
                Ok(())
            }
            Kind::Test(test) => {
                self.status = match self.run_test(test).await {
                    Ok(value) => i32::from(!value),
                    Err(Stop::Failed(message, 2)) => {
                        self.complain(message).await;
                        2
                    }
                    Err(other) => return Err(other),
                };
                Ok(())
            }
        }
    }

    /// Runs a list whose status is a condition.
    async fn condition(&mut self, script: &Script) -> Flow<bool> {
        self.tested += 1;
        let outcome = self.run(script).await;
        self.tested = self.tested.saturating_sub(1);
        outcome?;
        Ok(self.status == 0)
    }

    async fn run_if(&mut self, arms: &[(Script, Script)], otherwise: Option<&Script>) -> Flow<()> {
        for (condition, body) in arms {
            if self.condition(condition).await? {
                return self.run(body).await;
            }
        }
        self.status = 0;
        match otherwise {
            Some(body) => self.run(body).await,
            None => Ok(()),
        }
    }

    /// Runs a loop's body once; false if the loop ends.
    async fn turn(&mut self, body: &Script) -> Flow<bool> {
        task::breathe().await;
        self.loops += 1;
        let outcome = self.run(body).await;
        self.loops = self.loops.saturating_sub(1);
        match outcome {
            Ok(()) | Err(Stop::Continue(1)) => Ok(true),
            Err(Stop::Break(1)) => Ok(false),
            Err(Stop::Break(more)) => Err(Stop::Break(more - 1)),
            Err(Stop::Continue(more)) => Err(Stop::Continue(more - 1)),
            Err(other) => Err(other),
        }
    }

    async fn run_for(&mut self, name: &[u8], words: Option<&[Word]>, body: &Script) -> Flow<()> {
        let values = match words {
            Some(words) => self.expand_words(words.iter()).await?,
            None => self.arguments.to_vec(),
        };
        self.status = 0;
        for value in values {
            self.assign(name, value, false)?;
            if !self.turn(body).await? {
                break;
            }
        }
        Ok(())
    }

    async fn run_counted(&mut self, [start, condition, step]: [&Word; 3], body: &Script) -> Flow<()> {
        self.status = 0;
        self.expand_number(start).await?;
        let always = condition.parts.iter().all(
            |part| matches!(part, crate::syntax::ast::Part::Quoted(text) if text.iter().all(u8::is_ascii_whitespace)),
        );
        while always || self.expand_number(condition).await? != 0 {
            if !self.turn(body).await? {
                break;
            }
            self.expand_number(step).await?;
        }
        Ok(())
    }

    async fn run_while(&mut self, until: bool, condition: &Script, body: &Script) -> Flow<()> {
        let mut status = 0;
        loop {
            // The condition belongs to the loop: `break` in it ends it.
            self.loops += 1;
            let holds = self.condition(condition).await;
            self.loops = self.loops.saturating_sub(1);
            match holds {
                Ok(holds) if holds == until => break,
                Ok(_) => {}
                Err(Stop::Break(1)) => break,
                Err(Stop::Continue(1)) => continue,
                Err(Stop::Break(more)) => return Err(Stop::Break(more - 1)),
                Err(Stop::Continue(more)) => return Err(Stop::Continue(more - 1)),
                Err(other) => return Err(other),
            }
            let more = self.turn(body).await?;
            status = self.status;
            if !more {
                break;
            }
        }
        self.status = status;
        Ok(())
    }

    async fn run_case(&mut self, word: &Word, arms: &[Arm]) -> Flow<()> {
        let text = self.expand_text(word).await?;
        self.status = 0;
        let fold = self.options.has("nocasematch");
        let mut falling = false;
        for arm in arms {
            let mut fits = falling;
            for pattern in &arm.patterns {
                if fits {
                    break;
                }
                let pattern = self.expand_pattern(pattern).await?;
                fits = Pattern::new(&pattern, fold).matches(&text);
            }
            if !fits {
                continue;
            }
            self.run(&arm.body).await?;
            match arm.next {
                Next::End => return Ok(()),
                Next::Fall => falling = true,
                Next::Test => falling = false,
            }
        }
        Ok(())
    }
}
