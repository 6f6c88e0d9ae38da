//! What a project's file takes from one tool of the user's, and what it says beyond that.

use std::ops::Range;
use std::slice::from_ref;

use caplet_policy::proof::{self, Budget};
use caplet_policy::{ConfigRule, EnvironmentRule, Layer, LayerKind, Limits, Rule};
use toml::Spanned;

use super::error::Fault;
use super::file::File;
use super::function::layer_of;
use super::notice::Notices;
use super::project::{ADDS, Cut};
use super::raw::{Named, RawFunction, RawTool, Rules};
use super::resolve::{ceiling, in_order, limits, rules, source};
use super::{Configured, Toolbox};
use crate::grant::{Ceiling, FunctionCut, Grant};
use crate::source::Source;

/// Why words are not applied.
const AS_YOURS: &str = "an agent would read it as yours";

/// How many proofs are made at one time. A project can say any number of functions.
const MOST_PROOFS: usize = 64;

/// What is taken from one tool.
pub(super) struct ToolCut {
    cut: Cut,
    /// Whether the tool's manifest bounds it, whatever the toolbox says.
    is_bounded: bool,
    is_hidden: bool,
    wants_fresh: bool,
    functions: Vec<FunctionCut>,
    hidden_functions: Vec<String>,
    /// What the project would allow, by its key.
    asked: Vec<Asked>,
}

/// A key, and the rules that it would allow.
type Asked = (String, Vec<Spanned<Rule>>);

/// A tool of the user's, or a built-in one that the user's files do not name.
struct Known<'t> {
    name: &'t str,
    configured: Option<Configured<'t>>,
    limits: Limits,
}

impl ToolCut {
    pub(super) fn new(
        file: &File,
        name: &Spanned<String>,
        raw: RawTool,
        users: &Toolbox,
        notices: &mut Notices<'_>,
    ) -> Result<Self, Fault> {
        let configured = users.tool(name.get_ref());
        let limits = configured.map_or_else(|| users.default_limits(), |tool| tool.limits());
        let known = Known { name: name.get_ref(), configured, limits };
        if configured.is_none() {
            let reason = format!("it is not in your toolbox, and {ADDS}; what it takes away holds");
            notices.add(&name.span(), Some(known.name), format!("tools.{}", known.name), reason);
        }
        known.cut(file, name, raw, notices)
    }

    pub(super) fn apply(&self, grant: &mut Grant) {
        let Self { cut, is_bounded, is_hidden: _, wants_fresh: _, functions, hidden_functions: _, asked: _ } = self;
        cut.apply(grant);
        if *is_bounded {
            grant.ceiling(Ceiling::Manifest);
        }
        grant.functions.extend(functions.iter().cloned());
    }

    /// Tells which of its rules ask for more than what the user granted, by proof.
    pub(super) fn wider(&self, users: &Configured<'_>, notices: &mut Notices<'_>) {
        let users_own = users.authority();
        for (key, rules) in self.asked.iter().take(MOST_PROOFS) {
            let mut asked = Layer::new(LayerKind::Operator);
            rules.iter().for_each(|rule| asked.add_allow(rule.get_ref().clone()));
            let budget = Budget::default();
            // Where nothing is proven, nothing is told. What was not granted is not there either way.
            let found = proof::widenings_within(from_ref(&users_own), from_ref(&asked), &budget).unwrap_or_default();
            for widening in found {
                let is_meant = |rule: &&Spanned<Rule>| rule.get_ref().to_string() == widening.rule;
                let Some(rule) = rules.iter().find(is_meant) else { continue };
                let reason = format!("you did not grant all of it, for example not `{}`", widening.witness);
                notices.add(&rule.span(), Some(users.name()), key.clone(), reason);
            }
        }
    }

    pub(super) fn wants_fresh(&self) -> bool {
        self.wants_fresh
    }

    pub(super) fn hides(&self, function: Option<&str>) -> bool {
        match function {
            Some(function) => self.hidden_functions.iter().any(|hidden| hidden == function),
            None => self.is_hidden,
        }
    }
}

impl Known<'_> {
    fn cut(
        &self,
        file: &File,
        key: &Spanned<String>,
        raw: RawTool,
        notices: &mut Notices<'_>,
    ) -> Result<ToolCut, Fault> {
        self.added(file, key, &raw, notices)?;
        let RawTool {
            hidden, allow, deny, limits: raw_limits, ceiling: bound, strict_imports, session, functions, ..
        } = raw;
        let bound = bound.as_ref().map(ceiling).transpose()?;
        let mut asked = Vec::new();
        let layer = self.layer(file, allow.as_ref(), &deny, ("", &mut asked), notices)?;
        let strict_imports = strict_imports.is_some_and(Spanned::into_inner);
        let mut cut = ToolCut {
            cut: Cut { layer, limits: limits(raw_limits)?, strict_imports },
            is_bounded: bound == Some(Ceiling::Manifest),
            is_hidden: hidden.is_some_and(Spanned::into_inner),
            wants_fresh: session.is_some_and(|session| !session.into_inner()),
            functions: Vec::new(),
            hidden_functions: Vec::new(),
            asked,
        };
        for (function, raw) in in_order(functions) {
            self.function(file, function, raw, &mut cut, notices)?;
        }
        Ok(cut)
    }

    /// Tells what would add to what the user has.
    fn added(&self, file: &File, key: &Spanned<String>, raw: &RawTool, notices: &mut Notices<'_>) -> Result<(), Fault> {
        let RawTool {
            source: from,
            title,
            description,
            hidden,
            allow: _,
            deny: _,
            ask,
            mounts,
            buckets,
            limits,
            env,
            env_file,
            config,
            config_file,
            ceiling: bound,
            strict_imports,
            session,
            functions: _,
        } = raw;
        let keeps = session.as_ref().filter(|session| *session.get_ref() && !self.keeps_instance());
        let said = |text: &Option<Spanned<String>>| text.as_ref().map(Spanned::span);
        let values = "values are yours to give";
        let is_open = bound.as_ref().map(ceiling).transpose()? == Some(Ceiling::Open) && !self.is_open();
        for (key, place, reason) in [
            (
                "source",
                said(from).filter(|_| !self.is_source(file, key, from.as_ref())),
                "the tool of this name is still yours",
            ),
            ("title", said(title), AS_YOURS),
            ("description", said(description), AS_YOURS),
            // Questions that a stranger chooses could wear a person out, and an answer can be for always.
            ("ask", ask.first().map(Spanned::span), "what you are asked about is yours to say"),
            ("mounts", first(mounts), ADDS),
            ("buckets", first(buckets), ADDS),
            ("env", first(env), values),
            ("env-file", said(env_file), values),
            ("config", first(config), values),
            ("config-file", said(config_file), values),
            // It is no authority, but what one call reads another one could tell.
            ("session", keeps.map(Spanned::span), "whether calls share an instance is yours to say"),
            ("ceiling", said(bound).filter(|_| is_open), "only you can lift what the tool's author declared"),
        ] {
            place.iter().for_each(|place| self.add(notices, place, key, reason));
        }
        self.loosened(hidden, self.configured.is_some_and(|tool| tool.is_hidden()), "hidden", notices);
        self.loosened(strict_imports, self.configured.is_some_and(|tool| tool.is_strict()), "strict-imports", notices);
        self.raised(limits, notices)
    }

    fn function(
        &self,
        file: &File,
        key: Spanned<String>,
        raw: RawFunction,
        cut: &mut ToolCut,
        notices: &mut Notices<'_>,
    ) -> Result<(), Fault> {
        let RawFunction { name, title, description, hidden, allow, deny } = raw;
        let path = format!("functions.{}.", key.get_ref());
        for (word, text) in [("name", name), ("title", title), ("description", description)] {
            let key = format!("{path}{word}");
            text.iter().for_each(|text| self.add(notices, &text.span(), &key, AS_YOURS));
        }
        let layer = self.layer(file, allow.as_ref(), &deny, (&path, &mut cut.asked), notices)?;
        let asked = file.asked_function(self.name, key.get_ref());
        let function = key.into_inner();
        if hidden.is_some_and(Spanned::into_inner) {
            cut.hidden_functions.push(function.clone());
        }
        cut.functions.push(FunctionCut { function, asked, layer });
        Ok(())
    }

    fn add(&self, notices: &mut Notices<'_>, span: &Range<usize>, key: &str, reason: &str) {
        notices.add(span, Some(self.name), format!("tools.{}.{key}", self.name), reason);
    }

    fn keeps_instance(&self) -> bool {
        self.configured.is_some_and(|tool| tool.keeps_instance())
    }

    fn is_open(&self) -> bool {
        self.configured.is_some_and(|tool| tool.ceiling() == Ceiling::Open)
    }

    /// Whether the project means the tool that the user has.
    fn is_source(&self, file: &File, key: &Spanned<String>, from: Option<&Spanned<String>>) -> bool {
        let Ok(asked) = source(file, key, from) else { return false };
        match (self.configured.map(|tool| tool.source()), asked) {
            (None, Source::BuiltIn(asked)) => asked.name == self.name,
            (Some(Source::BuiltIn(known)), Source::BuiltIn(asked)) => asked.name == known.name,
            (Some(Source::Path(known)), Source::Path(asked)) => asked == *known,
            _ => false,
        }
    }

    /// `false`, where the user says `true`.
    fn loosened(&self, said: &Option<Spanned<bool>>, users: bool, key: &str, notices: &mut Notices<'_>) {
        if let Some(said) = said.as_ref().filter(|said| users && !*said.get_ref()) {
            self.add(notices, &said.span(), key, "you say otherwise");
        }
    }

    fn raised(&self, raw: &Named<Spanned<toml::Value>>, notices: &mut Notices<'_>) -> Result<(), Fault> {
        for (key, value) in raw {
            let set = limits([(key.clone(), value.clone())].into())?;
            let over = self.limits.overridden_by(&set);
            if over != self.limits.meet(&over) {
                let reason = "it would raise a limit of yours, which stays as it is";
                self.add(notices, &value.span(), &format!("limits.{}", key.get_ref()), reason);
            }
        }
        Ok(())
    }

    /// The layer of these rules, which are below `path`; what they allow is added to what is asked for.
    fn layer(
        &self,
        file: &File,
        allow: Option<&Rules>,
        deny: &Rules,
        (path, asked): (&str, &mut Vec<Asked>),
        notices: &mut Notices<'_>,
    ) -> Result<Option<Layer>, Fault> {
        let key = |word: &str| format!("tools.{}.{path}{word}", self.name);
        let tool = Some(self.name);
        let allow =
            allow.map(|allow| narrowing_rules(file, allow, (tool, &key("allow")), true, notices)).transpose()?;
        let deny = narrowing_rules(file, deny, (tool, &key("deny")), false, notices)?;
        asked.extend(allow.iter().map(|allow| (key("allow"), allow.clone())));
        let plain = |rules: Vec<Spanned<Rule>>| rules.into_iter().map(Spanned::into_inner).collect();
        Ok(layer_of(LayerKind::Project, allow.map(plain), plain(deny)))
    }
}

/// Rules that bound and choose nothing: a value that a rule fixes would reach the guest, and so would a seed.
pub(super) fn narrowing_rules(
    file: &File,
    texts: &Rules,
    (tool, key): (Option<&str>, &str),
    is_allow: bool,
    notices: &mut Notices<'_>,
) -> Result<Vec<Spanned<Rule>>, Fault> {
    let mut kept = Vec::new();
    for (rule, text) in rules(file, texts)?.into_iter().zip(texts) {
        let (bound, reason) = match &rule {
            Rule::Environment(rule) if is_allow && rule.value().is_some() => {
                (valueless(EnvironmentRule::new(rule.name(), None)), Some("the value is yours to give"))
            }
            Rule::Config(rule) if is_allow && rule.value().is_some() => {
                (valueless(ConfigRule::new(rule.name(), None)), Some("the value is yours to give"))
            }
            Rule::Random(rule) => {
                let chooses = !is_allow || rule.seed().is_some();
                (None, chooses.then_some("it would make randomness predictable"))
            }
            rule => (Some(rule.clone()), None),
        };
        if let Some(reason) = reason {
            notices.add(&text.span(), tool, key.to_owned(), reason);
        }
        kept.extend(bound.map(|bound| Spanned::new(text.span(), bound)));
    }
    Ok(kept)
}

/// A rule whose name was accepted with a value is accepted without.
fn valueless<R: Into<Rule>, E>(rule: Result<R, E>) -> Option<Rule> {
    rule.ok().map(Into::into)
}

/// The place of the first key of a table.
fn first<T>(table: &Named<T>) -> Option<Range<usize>> {
    table.keys().map(Spanned::span).min_by_key(|span| span.start)
}
