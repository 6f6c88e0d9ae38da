//! On what terms the tools of a toolbox are offered.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Error;
use crate::grant::{Grant, Lookup};
use crate::lock::Pins;
use crate::toolbox::{Configured, Toolbox};

/// On what terms tools are offered.
#[derive(Clone)]
#[must_use]
pub struct Terms {
    cwd: PathBuf,
    pub(crate) pins: Option<Pins>,
    environment: Lookup,
    pub(crate) approve_with: String,
    kept_out: Vec<PathBuf>,
}

impl Terms {
    /// Guests are at `cwd`. Nothing is pinned, and variables of the host have no values.
    pub fn new(cwd: impl Into<PathBuf>) -> Self {
        Self {
            cwd: cwd.into(),
            pins: None,
            environment: Arc::new(|_| None),
            approve_with: String::new(),
            kept_out: Vec::new(),
        }
    }

    /// Offers only what is as it was approved. Without this, everything in the toolbox is: for a program that made the toolbox itself.
    pub fn pins(self, pins: Pins) -> Self {
        Self { pins: Some(pins), ..self }
    }

    /// Options that `caplet approve` needs to find the toolbox, such as `--config ./caplet.toml`, for what people are told to run.
    pub fn approve_with(self, options: impl Into<String>) -> Self {
        Self { approve_with: options.into(), ..self }
    }

    /// Where the value of a variable comes from that is granted without one.
    pub fn environment(self, lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { environment: Arc::new(lookup), ..self }
    }

    /// Keeps the file at `path` from every tool, as [`Grant::keep_out_file`] does.
    pub fn keep_out_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.kept_out.push(path.into());
        self
    }

    /// What `tool` is granted.
    pub(crate) fn grant(&self, tool: &Configured<'_>) -> Result<Grant, Error> {
        Ok(self.complete(tool.grant(&self.cwd)?))
    }

    /// What the built-in tool called `name` is granted, of which `toolbox` says nothing: nothing, and less.
    pub(crate) fn unlisted(&self, toolbox: &Toolbox, name: &str) -> Result<Grant, Error> {
        Ok(self.complete(toolbox.unlisted(Some(name), &self.cwd)?))
    }

    fn complete(&self, mut grant: Grant) -> Grant {
        let lookup = Arc::clone(&self.environment);
        grant.environment(move |name| lookup(name));
        for path in &self.kept_out {
            grant.keep_out_file(path);
        }
        grant
    }
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms").field("cwd", &self.cwd).field("pins", &self.pins.is_some()).finish_non_exhaustive()
    }
}
