//! What a project's own file takes away. Who wrote it is not known: it came with the project.
//!
//! What always holds: nothing in here can give. A [`Cut`] has no place for a mount, a bucket, a value or a source, and what its rules
//! allow is one more layer, of which every other must permit too. What a file says beyond that is not applied, and there is a notice of
//! it. A file that cannot be understood is an error, since nobody knows what it would have taken away.

use std::collections::BTreeMap;

use caplet_policy::{Layer, LayerKind, LimitSet, Rule};
use toml::Spanned;

use super::defaults::Profile;
use super::error::Fault;
use super::file::File;
use super::function::layer_of;
use super::notice::{Notice, Notices};
use super::project_tool::{ToolCut, narrowing_rules};
use super::raw::{Named, RawDefaults, RawProfile, RawToolbox};
use super::resolve::{in_order, limits, name, parse};
use super::{Configured, Toolbox};
use crate::builtin;
use crate::error::Error;
use crate::grant::Grant;
use crate::private::Kept;

/// Why something that adds is not applied.
pub(super) const ADDS: &str = "only a file that you trust can add to what you have";

/// All that a project's file takes away.
pub(super) struct Narrowing {
    file: File,
    all: Cut,
    tools: BTreeMap<String, ToolCut>,
    profiles: BTreeMap<String, Profile>,
}

/// What is taken from a tool.
#[derive(Default)]
pub(super) struct Cut {
    pub(super) layer: Option<Layer>,
    pub(super) limits: LimitSet,
    pub(super) strict_imports: bool,
}

impl Cut {
    pub(super) fn apply(&self, grant: &mut Grant) {
        let Self { layer, limits, strict_imports } = self;
        if let Some(layer) = layer {
            grant.narrow(layer.clone());
        }
        grant.lowered.push(limits.clone());
        grant.strict_imports |= strict_imports;
    }
}

impl Narrowing {
    /// What `file` takes away from the tools of `users` and from built-in ones, and what of it is not applied.
    pub(super) fn new(file: File, users: &Toolbox) -> Result<(Self, Vec<Notice>), Error> {
        let raw = parse(&file)?;
        match resolve(&file, raw, users) {
            Ok((all, tools, profiles, notices)) => Ok((Self { file, all, tools, profiles }, notices)),
            Err(fault) => Err(file.error(fault)),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn kept(&self) -> impl Iterator<Item = Kept> + '_ {
        self.file.kept()
    }

    /// What is taken from the tool called `name`; a tool that has no name here loses what all do.
    pub(super) fn apply(&self, grant: &mut Grant, name: Option<&str>, profile: Option<&str>) {
        self.all.apply(grant);
        if let Some(tool) = name.and_then(|name| self.tools.get(name)) {
            tool.apply(grant);
        }
        if let Some(Profile { tools: _, deny, limits }) = profile.and_then(|profile| self.profiles.get(profile)) {
            let layer = layer_of(LayerKind::Project, None, deny.clone());
            Cut { layer, limits: limits.clone(), strict_imports: false }.apply(grant);
        }
    }

    /// Whether it says something of the tool called `name`.
    pub(super) fn names(&self, name: &str) -> bool {
        self.tools.contains_key(name)
    }

    /// Whether no agent is offered `function` of a tool; without one, the tool.
    pub(super) fn hides(&self, tool: &str, function: Option<&str>) -> bool {
        self.tools.get(tool).is_some_and(|tool| tool.hides(function))
    }

    /// Whether each call of the tool called `name` has an instance of its own, whatever the user says.
    pub(super) fn wants_fresh(&self, name: &str) -> bool {
        self.tools.get(name).is_some_and(ToolCut::wants_fresh)
    }

    /// Tells what the project would allow of a tool beyond what the user granted.
    pub(super) fn wider<'t>(&self, users: impl Iterator<Item = Configured<'t>>) -> Vec<Notice> {
        let mut notices = Notices::new(&self.file);
        for tool in users {
            if let Some(cut) = self.tools.get(tool.name()) {
                cut.wider(&tool, &mut notices);
            }
        }
        notices.finish()
    }

    /// Whether `profile` leaves out `tool`.
    pub(super) fn leaves_out(&self, profile: &str, tool: &str) -> bool {
        self.profiles.get(profile).is_some_and(|profile| !profile.has(tool))
    }
}

type Resolved = (Cut, BTreeMap<String, ToolCut>, BTreeMap<String, Profile>, Vec<Notice>);

fn resolve(file: &File, raw: RawToolbox, users: &Toolbox) -> Result<Resolved, Fault> {
    let RawToolbox { defaults, stores, buckets, tools: raw_tools, profiles: raw_profiles } = raw;
    let mut notices = Notices::new(file);
    let all = defaults_cut(file, defaults, &mut notices)?;
    tables(&stores, "stores", &mut notices);
    tables(&buckets, "buckets", &mut notices);
    let mut tools = BTreeMap::new();
    for (key, raw) in in_order(raw_tools) {
        let key = name(key, "a tool")?;
        if users.tool(key.get_ref()).is_none() && builtin::find(key.get_ref()).is_none() {
            let reason = format!("you have no such tool, and {ADDS}");
            notices.add(&key.span(), Some(key.get_ref()), format!("tools.{}", key.get_ref()), reason);
            continue;
        }
        let cut = ToolCut::new(file, &key, raw, users, &mut notices)?;
        tools.insert(key.into_inner(), cut);
    }
    let mut profiles = BTreeMap::new();
    for (key, raw) in in_order(raw_profiles) {
        let key = name(key, "a profile")?;
        let path = format!("profiles.{}", key.get_ref());
        if !users.has_profile(key.get_ref()) {
            notices.add(&key.span(), None, path, format!("you have no such profile, and {ADDS}"));
            continue;
        }
        let profile = profile(file, raw, &path, &mut notices)?;
        profiles.insert(key.into_inner(), profile);
    }
    Ok((all, tools, profiles, notices.finish()))
}

fn defaults_cut(file: &File, raw: RawDefaults, notices: &mut Notices<'_>) -> Result<Cut, Fault> {
    let RawDefaults { deny, limits: raw_limits, strict_imports } = raw;
    let deny = narrowing_rules(file, &deny, (None, "defaults.deny"), false, notices)?;
    let deny: Vec<Rule> = deny.into_iter().map(Spanned::into_inner).collect();
    Ok(Cut {
        layer: layer_of(LayerKind::Project, None, deny),
        limits: limits(raw_limits)?,
        strict_imports: strict_imports.is_some_and(Spanned::into_inner),
    })
}

fn profile(file: &File, raw: RawProfile, path: &str, notices: &mut Notices<'_>) -> Result<Profile, Fault> {
    let RawProfile { tools, deny, limits: raw_limits } = raw;
    let deny = narrowing_rules(file, &deny, (None, &format!("{path}.deny")), false, notices)?;
    Ok(Profile {
        tools: tools.map(|tools| tools.into_iter().map(Spanned::into_inner).collect()),
        deny: deny.into_iter().map(Spanned::into_inner).collect(),
        limits: limits(raw_limits)?,
    })
}

fn tables<T>(tables: &Named<T>, word: &str, notices: &mut Notices<'_>) {
    for key in tables.keys() {
        notices.add(&key.span(), None, format!("{word}.{}", key.get_ref()), ADDS);
    }
}
