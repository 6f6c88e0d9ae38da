//! One tool of a toolbox: where it comes from, what it is granted, and how agents see it.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use caplet_component::Component;
use caplet_policy::{Layer, LayerKind, Limits, Rule};

use super::function::{FunctionEntry, Shown, usual_name};
use super::resolve::{Entry, Sheet};
use super::{Toolbox, stores};
use crate::error::Error;
use crate::grant::{Ceiling, FunctionCut, Grant};
use crate::learn::{Needs, RuleKind};
use crate::source::Source;
use crate::words::without_value;

/// A tool of a toolbox.
#[derive(Clone, Copy)]
pub struct Configured<'t> {
    toolbox: &'t Toolbox,
    sheet: &'t Sheet,
    entry: &'t Entry,
}

impl<'t> Configured<'t> {
    pub(super) fn new(toolbox: &'t Toolbox, sheet: &'t Sheet, entry: &'t Entry) -> Self {
        Self { toolbox, sheet, entry }
    }

    /// Its name in the toolbox.
    #[must_use]
    pub fn name(&self) -> &'t str {
        &self.entry.name
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(&self) -> &'t Source {
        &self.entry.source
    }

    /// The file that it is in: an absolute path, by the name under which it was given.
    #[must_use]
    pub fn file(&self) -> &'t Path {
        &self.sheet.file.path
    }

    /// The project's file that takes something from it, if one that is not trusted says something about it.
    #[must_use]
    pub fn narrowed_by(&self) -> Option<&'t Path> {
        let project = self.toolbox.inner.project.as_ref();
        project.filter(|project| project.names(self.name())).map(|project| &*project.file().path)
    }

    /// What people see as its name, if the file says it.
    #[must_use]
    pub fn title(&self) -> Option<&'t str> {
        self.entry.title.as_deref()
    }

    /// What it is for, if the file says it.
    #[must_use]
    pub fn description(&self) -> Option<&'t str> {
        self.entry.description.as_deref()
    }

    /// Whether no agent is offered it.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.entry.is_hidden || self.hides(None)
    }

    /// Whether the calls of one client share an instance.
    #[must_use]
    pub fn keeps_instance(&self) -> bool {
        let project = self.toolbox.inner.project.as_ref();
        self.entry.keeps_instance && !project.is_some_and(|project| project.wants_fresh(self.name()))
    }

    /// Its rules, to find out which of them recorded calls needed.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let Entry { allow, deny, ask, .. } = self.entry;
        let allowed = allow.iter().map(|rule| (RuleKind::Allow, rule));
        let denied = deny.iter().map(|rule| (RuleKind::Deny, rule));
        Needs::new(allowed.chain(denied).chain(ask.iter().map(|rule| (RuleKind::Ask, rule))))
    }

    fn hides(&self, function: Option<&str>) -> bool {
        self.toolbox.inner.project.as_ref().is_some_and(|project| project.hides(self.name(), function))
    }

    /// What the file gives to it, line by line, for a person who is to decide about it: what agents are told of it, rules, mounts, buckets,
    /// limits, the names of values, its functions, and what is unusual. Values and what stands behind a bucket are not shown, since they
    /// may be secrets.
    #[must_use]
    pub fn gives(&self) -> Vec<String> {
        let Entry {
            name: _,
            source: _,
            title,
            description,
            is_hidden,
            allow,
            deny,
            ask,
            mounts,
            buckets,
            limits,
            values,
            ceiling,
            strict_imports,
            keeps_instance,
            functions,
        } = self.entry;
        let shown = |rule: &Rule| without_value(&rule.to_string()).into_owned();
        let wide = |rule: &Rule| if rule.is_broad() { "  (very wide)" } else { "" };
        let text = |key: &str, text: &Option<String>| text.as_ref().map(|text| format!("{key} {text:?}"));
        let mut lines: Vec<String> = Vec::new();
        lines.extend(text("title", title));
        lines.extend(text("description", description));
        lines.extend(is_hidden.then(|| "hidden: no agent is offered it".to_owned()));
        lines.extend(allow.iter().map(|rule| format!("allow {}{}", shown(rule), wide(rule))));
        lines.extend(ask.iter().map(|rule| format!("ask {}{}", shown(rule), wide(rule))));
        lines.extend(deny.iter().map(|rule| format!("deny {}", shown(rule))));
        lines.extend(mounts.iter().map(|(mount, _)| format!("mount {mount}")));
        lines.extend(buckets.iter().map(|(bucket, _)| format!("bucket {}", bucket.name)));
        // Those that the file sets for all of its tools are this one's too.
        let limits = limits.or(&self.sheet.defaults.limits).entries();
        lines.extend(limits.into_iter().map(|(key, value)| format!("limit {key}={value}")));
        lines.extend(values.names().map(|rule| format!("value {rule}")));
        lines.extend(values.lists().map(|file| format!("values of {}", file.display())));
        lines.extend(functions.iter().flat_map(FunctionEntry::lines));
        lines.extend(strict_imports.then(|| "strict-imports: refused, if it imports what no rule covers".to_owned()));
        lines.extend(keeps_instance.then(|| "session: the calls of one client share an instance".to_owned()));
        let is_open = *ceiling == Ceiling::Open;
        lines.extend(is_open.then(|| "ceiling open: not bounded by what its author declared".to_owned()));
        lines
    }

    /// How agents see its functions, without those that they are not offered; none, if it is hidden as a whole. `component` is what
    /// was loaded from its source.
    ///
    /// # Errors
    ///
    /// When the file speaks of a function that the component does not have, or two functions would have one name.
    pub fn shown(&self, component: &Component) -> Result<Vec<Shown>, Error> {
        self.cuts().try_for_each(|cut| cut.must_be_of(component))?;
        if self.is_hidden() {
            return Ok(Vec::new());
        }
        let functions = component.tools.iter().filter(|tool| !self.hides(Some(&tool.function)));
        let is_offered = |(_, entry): &(_, Option<&FunctionEntry>)| entry.is_none_or(|entry| !entry.is_hidden);
        let with_entries = functions.map(|tool| (tool, self.function(&tool.function))).filter(is_offered);
        let shown: Vec<Shown> = with_entries.map(|(tool, entry)| self.show(component, tool, entry)).collect();
        let mut names = HashSet::new();
        match shown.iter().find(|shown| !names.insert(&shown.name)) {
            Some(twice) => Err(Error::Grant {
                asked: format!("the tool {}", self.name()),
                reason: format!("two of its functions would be called {:?}", twice.name),
                hint: Some(format!("give one of them another name, under [tools.{}.functions]", self.name())),
            }),
            None => Ok(shown),
        }
    }

    fn show(&self, component: &Component, tool: &caplet_component::Tool, entry: Option<&FunctionEntry>) -> Shown {
        let is_only = component.tools.len() == 1;
        let own = |text: Option<&str>| text.filter(|_| is_only).map(str::to_owned);
        let name = entry.and_then(|entry| entry.name.clone());
        let description = entry.and_then(|entry| entry.description.clone()).or_else(|| own(self.description()));
        Shown {
            name: name.unwrap_or_else(|| usual_name(self.name(), component, &tool.function)),
            title: entry.and_then(|entry| entry.title.clone()).or_else(|| own(self.title())),
            description: description.unwrap_or_else(|| tool.description.clone()),
            function: tool.function.clone(),
        }
    }

    fn function(&self, function: &str) -> Option<&'t FunctionEntry> {
        self.entry.functions.iter().find(|entry| entry.function.get_ref() == function)
    }

    /// What the file takes from single functions.
    fn cuts(&self) -> impl Iterator<Item = FunctionCut> + '_ {
        self.entry.functions.iter().map(|entry| FunctionCut {
            function: entry.function.get_ref().clone(),
            asked: self.sheet.file.asked_function(self.name(), entry.function.get_ref()),
            layer: entry.layer.clone(),
        })
    }

    /// A fresh grant of what the file gives to the tool. The guest's current directory is `cwd`, and so is the place of relative rules
    /// and mounts that are added; those of the file stay where they are.
    ///
    /// # Errors
    ///
    /// When a file with a value cannot be read, a store has no place, or `cwd` cannot be a guest's current directory.
    pub fn grant(&self, cwd: impl AsRef<Path>) -> Result<Grant, Error> {
        let file = &self.sheet.file;
        let Entry {
            name,
            source: _,
            title: _,
            description: _,
            is_hidden: _,
            allow,
            deny,
            ask,
            mounts,
            buckets,
            limits,
            values,
            ceiling,
            strict_imports,
            keeps_instance: _,
            functions: _,
        } = self.entry;
        let mut grant = Grant::new(cwd)?;
        for rule in allow {
            grant.allow_rule(rule.clone(), &file.folder);
        }
        grant.deny_rules(deny);
        for rule in ask {
            // Read as one that asks.
            let _asked = grant.ask_rule(rule.clone(), &file.folder);
        }
        if self.sheet.trusted.is_none() {
            grant.written_in(&file.path, name);
        }
        for (mount, span) in mounts {
            stores::must_have_a_place(mount, span).map_err(|fault| file.error(fault))?;
            grant.mount_request(mount.clone())?;
        }
        for (bucket, span) in buckets {
            stores::bucket_must_have_a_place(bucket, span).map_err(|fault| file.error(fault))?;
            grant.bucket_request(bucket.clone())?;
        }
        grant.set = limits.clone();
        grant.values = values.rules().map_err(|fault| file.error(fault))?;
        grant.ceiling(*ceiling).strict_imports(*strict_imports);
        grant.functions.extend(self.cuts());
        if let Some(profile) = self.toolbox.profile_name().and_then(|profile| self.sheet.profiles.get(profile)) {
            grant.deny_rules(&profile.deny);
            grant.lowered.push(profile.limits.clone());
        }
        self.toolbox.take_from(&mut grant, Some(name));
        Ok(grant)
    }

    pub(super) fn ceiling(&self) -> Ceiling {
        self.entry.ceiling
    }

    pub(super) fn is_strict(&self) -> bool {
        self.entry.strict_imports || self.toolbox.inner.sheets.iter().any(|sheet| sheet.defaults.strict_imports)
    }

    /// The limits that the user sets for it.
    pub(super) fn limits(&self) -> Limits {
        self.toolbox.default_limits().overridden_by(&self.entry.limits)
    }

    /// What the user allows or is asked about, for comparing it: without values, for which files would be read, and without what is denied,
    /// which a rule of anybody's may cover. A bound that covers what is asked about asks for nothing more.
    pub(super) fn authority(&self) -> Layer {
        let mut layer = Layer::new(LayerKind::Operator);
        let Entry { allow, ask, values, .. } = self.entry;
        allow.iter().chain(ask).cloned().chain(values.names()).for_each(|rule| layer.add_allow(rule));
        layer
    }
}

impl fmt::Debug for Configured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("name", &self.name()).field("file", &self.file()).finish()
    }
}
