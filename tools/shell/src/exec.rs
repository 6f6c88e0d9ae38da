//! Running what was parsed: lists, pipelines and subshells.
//!
//! A pipeline's stages are subshells that run in turns over pipes in memory. A stage that writes where nobody reads ends.

mod call;
mod compound;
mod redirect;
mod simple;
mod test;
mod trap;

use std::rc::Rc;

use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::stream::pipe;
use crate::syntax::ast::{Command, Item, Join, Kind, Pipeline, Script};
use crate::task::{self, Task};

/// What a shell says when a pipe breaks: 128 and the number of the signal.
const BROKEN_PIPE: i32 = 141;
/// How often writing may fail because nobody reads, before what goes on writing is ended.
const BROKEN_MAX: u32 = 200;

impl Shell {
    /// Runs a list of commands.
    pub(crate) fn run<'a>(&'a mut self, script: &'a Script) -> Task<'a, Flow<()>> {
        Box::pin(async move {
            for item in &script.items {
                self.run_item(item).await?;
            }
            Ok(())
        })
    }

    /// Runs a whole script: after an error in an expansion it goes on with the next line.
    pub(crate) async fn run_lines(&mut self, script: &Script) -> Flow<()> {
        let mut skipped = 0;
        for item in &script.items {
            let line = item.first.stages.first().map_or(0, |stage| stage.line);
            if line > 0 && line == skipped {
                continue;
            }
            match self.run_item(item).await {
                Err(Stop::Discard) if self.level == 0 => {
                    self.status = 1;
                    skipped = line;
                    self.tested = 0;
                    self.loops = 0;
                    while !self.scopes.is_empty() {
                        self.leave_scope();
                    }
                    self.calls.clear();
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Runs a script in this shell, which is a subshell, to its end; gives its status.
    pub(crate) async fn run_subshell(&mut self, script: &Script) -> Flow<i32> {
        let outcome = self.run(script).await;
        self.end(outcome).await
    }

    /// The status that a shell ends with; its `EXIT` trap runs.
    pub(crate) async fn end(&mut self, outcome: Flow<()>) -> Flow<i32> {
        self.status = match outcome {
            Ok(()) | Err(Stop::Break(_) | Stop::Continue(_)) => self.status,
            Err(Stop::Exit(status) | Stop::Return(status)) => status,
            Err(Stop::Discard) => 1,
            Err(Stop::Pipe) => BROKEN_PIPE,
            Err(Stop::Limit(message)) => return Err(Stop::Limit(message)),
            Err(Stop::Io(message)) => {
                self.complain(&message).await;
                1
            }
            Err(Stop::Failed(message, status)) => {
                self.complain(&message).await;
                status
            }
        };
        self.exit_trap().await?;
        Ok(self.status)
    }

    async fn run_item(&mut self, item: &Item) -> Flow<()> {
        task::breathe().await;
        if item.background {
            return self.run_background(item).await;
        }
        let last = item.rest.len();
        self.run_pipeline(&item.first, last > 0).await?;
        for (at, (join, pipeline)) in item.rest.iter().enumerate() {
            let go = match join {
                Join::And => self.status == 0,
                Join::Or => self.status != 0,
            };
            if go {
                self.run_pipeline(pipeline, at + 1 < last).await?;
            }
        }
        Ok(())
    }

    /// A command with `&` runs in a subshell, at once and to its end.
    async fn run_background(&mut self, item: &Item) -> Flow<()> {
        let mut inner = self.inner()?;
        inner.set_stream(0, crate::stream::Stream::null());
        let outcome = inner.run_front(item).await;
        let status = inner.end(outcome).await?;
        self.jobs += 1;
        self.background = Some((1000 + self.jobs, status));
        self.status = 0;
        Ok(())
    }

    async fn run_front(&mut self, item: &Item) -> Flow<()> {
        let last = item.rest.len();
        self.run_pipeline(&item.first, last > 0).await?;
        for (at, (join, pipeline)) in item.rest.iter().enumerate() {
            if (*join == Join::And) == (self.status == 0) {
                self.run_pipeline(pipeline, at + 1 < last).await?;
            }
        }
        Ok(())
    }

    /// `tested`: the status is looked at by what comes after.
    async fn run_pipeline(&mut self, pipeline: &Pipeline, tested: bool) -> Flow<()> {
        let begun = pipeline.timed.then(std::time::Instant::now);
        let looked_at = tested || pipeline.negated;
        self.tested += usize::from(looked_at);
        let outcome = match pipeline.stages.as_slice() {
            [] => {
                self.status = 0;
                Ok(())
            }
            [single] => self.run_command(single).await,
            stages => self.run_stages(stages).await,
        };
        self.tested -= usize::from(looked_at).min(self.tested);
        outcome?;
        if let [stage] = pipeline.stages.as_slice()
            && !matches!(stage.kind, Kind::Group(_))
        {
            self.set_pipe_status(&[self.status]);
        }
        if let Some(span) = begun.map(|begun| begun.elapsed()) {
            let (seconds, minutes) = (span.as_secs_f64(), span.as_secs() / 60);
            self.say(format!("\nreal\t{minutes}m{:.3}s\nuser\t0m0.000s\nsys\t0m0.000s", seconds % 60.0)).await;
        }
        if pipeline.negated {
            self.status = i32::from(self.status == 0);
            return Ok(());
        }
        let failed = self.status != 0 && !tested;
        // A group or a loop has acted on the failure in it; a pipeline of several stages has not.
        let inner = matches!(pipeline.stages.as_slice(), [stage] if is_transparent(&stage.kind));
        if failed && !inner { self.failure().await } else { Ok(()) }
    }

    /// What `set -e` and the `ERR` trap do with a failed command.
    pub(crate) async fn failure(&mut self) -> Flow<()> {
        if self.tested > 0 {
            return Ok(());
        }
        self.error_trap().await?;
        if self.options.errexit() { Err(Stop::Exit(self.status)) } else { Ok(()) }
    }

    fn set_pipe_status(&mut self, all: &[i32]) {
        self.pipe_status.clear();
        self.pipe_status.extend_from_slice(all);
    }

    async fn run_stages(&mut self, stages: &[Rc<Command>]) -> Flow<()> {
        let mut input = self.stream(0);
        let mut running: Vec<Task<'_, Flow<i32>>> = Vec::new();
        for (at, stage) in stages.iter().enumerate() {
            let mut inner = self.inner()?;
            match input.take() {
                Some(stream) => inner.set_stream(0, stream),
                None => inner.close_stream(0),
            }
            if at + 1 < stages.len() {
                let (reader, writer) = pipe();
                inner.set_stream(1, writer);
                input = Some(reader);
            }
            let stage = Rc::clone(stage);
            running.push(Box::pin(async move {
                let outcome = inner.run_command(&stage).await;
                let outcome = match outcome {
                    Ok(()) if inner.status != 0 => inner.failure().await,
                    other => other,
                };
                inner.end(outcome).await
            }));
        }
        drop(input);
        // A stage fails only where everything has to end: without this, what forks at each level would go on for each of its twins.
        let statuses = task::all(running).await?;
        let last = statuses.last().copied().unwrap_or(0);
        self.status = if self.options.has("pipefail") {
            statuses.iter().rev().copied().find(|status| *status != 0).unwrap_or(0)
        } else {
            last
        };
        self.set_pipe_status(&statuses);
        Ok(())
    }

    /// Counts a pipe that broke under a command; too many of them end the shell that goes on writing.
    pub(crate) fn broke(&mut self) -> Flow<i32> {
        self.broken += 1;
        if self.broken > BROKEN_MAX { Err(Stop::Pipe) } else { Ok(BROKEN_PIPE) }
    }
}

/// Whether a failure inside such a command has been acted on inside.
fn is_transparent(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Group(_)
            | Kind::If { .. }
            | Kind::For { .. }
            | Kind::Counted { .. }
            | Kind::While { .. }
            | Kind::Case { .. }
    )
}
