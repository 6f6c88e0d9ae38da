//! What holds for all tools of a file, and the smaller toolboxes that are made out of it.

use caplet_policy::{LimitSet, Rule};
use toml::Spanned;

use super::error::Fault;
use super::file::File;
use super::raw::{RawDefaults, RawProfile};
use super::resolve::{limits, rules};
use crate::builtin::nearest_of;
use crate::words::without_value;

/// `[defaults]`.
pub(super) struct Defaults {
    pub(super) deny: Vec<Rule>,
    /// Where a tool sets none.
    pub(super) limits: LimitSet,
    pub(super) strict_imports: bool,
}

/// `[profiles.NAME]`.
pub(super) struct Profile {
    /// Those that it has; all, if it does not say.
    pub(super) tools: Option<Vec<String>>,
    pub(super) deny: Vec<Rule>,
    /// No limit is higher.
    pub(super) limits: LimitSet,
}

impl Defaults {
    pub(super) fn new(file: &File, raw: RawDefaults) -> Result<Self, Fault> {
        let RawDefaults { deny, limits: raw_limits, strict_imports } = raw;
        Ok(Self {
            deny: rules(file, &deny)?,
            limits: limits(raw_limits)?,
            strict_imports: strict_imports.is_some_and(Spanned::into_inner),
        })
    }

    /// What it says, line by line, for a person who is to decide about it.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { deny, limits, strict_imports } = self;
        let mut lines = narrowing(deny, limits);
        lines.extend(strict_imports.then(|| "strict-imports: refused, if it imports what no rule covers".to_owned()));
        lines
    }
}

fn narrowing(deny: &[Rule], limits: &LimitSet) -> Vec<String> {
    let denied = deny.iter().map(|rule| format!("deny {}", without_value(&rule.to_string())));
    denied.chain(limits.entries().into_iter().map(|(key, value)| format!("limit {key}={value}"))).collect()
}

impl Profile {
    /// A profile of a file that has the tools `known`.
    pub(super) fn new(file: &File, raw: RawProfile, known: &[&str]) -> Result<Self, Fault> {
        let RawProfile { tools, deny, limits: raw_limits } = raw;
        if let Some(tool) = tools.iter().flatten().find(|tool| !known.contains(&tool.get_ref().as_str())) {
            let help = match nearest_of(tool.get_ref(), known.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("write a table [tools.{}] for it in this file", tool.get_ref()),
            };
            return Err(Fault::new(tool.span(), format!("this file has no tool called {:?}", tool.get_ref()), help));
        }
        Ok(Self {
            tools: tools.map(|tools| tools.into_iter().map(Spanned::into_inner).collect()),
            deny: rules(file, &deny)?,
            limits: limits(raw_limits)?,
        })
    }

    /// What it says, line by line, for a person who is to decide about it.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { tools, deny, limits } = self;
        let tools = match tools.as_deref() {
            None => "all tools of the file".to_owned(),
            Some([]) => "no tools".to_owned(),
            Some(tools) => format!("tools {}", tools.join(", ")),
        };
        [tools].into_iter().chain(narrowing(deny, limits)).collect()
    }

    /// Whether the profile has `tool`.
    pub(super) fn has(&self, tool: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.iter().any(|known| known == tool))
    }
}
