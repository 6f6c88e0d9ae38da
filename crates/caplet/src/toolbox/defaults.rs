//! What holds for all tools of a file, and the smaller toolboxes that are made out of it.

use caplet_policy::{LimitSet, Rule};
use toml::Spanned;

use super::error::Fault;
use super::file::File;
use super::raw::{RawDefaults, RawProfile};
use super::resolve::{limits, rules};
use crate::builtin::nearest_of;

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

    /// Whether the profile has `tool`.
    pub(super) fn has(&self, tool: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.iter().any(|known| known == tool))
    }
}
